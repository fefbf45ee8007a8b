/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "daemon/address.h"
#include "daemon/bus.h"
#include "daemon/polkit.h"
#include "daemon/settings-data.h"
#include "daemon/store.h"
#include "daemon/virt/virt.h"
#include "daemon/worker.h"

/* Owns the loop, the bus, the tables and the plumbing; every object points back to it. It is a
 * struct of handles so that objects reach the plumbing; of each other they know functions only.
 * Bus thread, but for what is said below. */

typedef struct VsmService VsmService;
typedef struct VsmServiceState VsmServiceState;
typedef struct VsmSettings VsmSettings;
typedef struct VsmQueue VsmQueue;
typedef struct VsmNetworks VsmNetworks;
typedef struct VsmHosts VsmHosts;
typedef struct VsmRollback VsmRollback;
typedef struct VsmLogind VsmLogind;
typedef struct VsmEvacuations VsmEvacuations;

typedef struct VsmManager {
        sd_event *event;
        VsmBus *bus;
        VsmPolkit *polkit;
        VsmWorker *worker;
        VsmStore *store;                /* used by workers only, after the start */
        VsmVirt *virt;                  /* any thread */
        VsmAddresses *addresses;
        VsmSettingsData settings;       /* in effect */
        VsmSettings *layers;            /* what they are made of */
        char *state_directory;

        VsmService *service;
        VsmServiceState *state;         /* of the service */
        VsmQueue *queue;
        VsmNetworks *networks;
        VsmHosts *hosts;
        VsmRollback *rollback;
        VsmLogind *logind;              /* NULL = cannot be followed */
        VsmEvacuations *evacuations;
        GHashTable *systems;            /* UUID (borrowed) -> VsmSystem*, owned */
        GHashTable *planned;            /* UUID (borrowed) -> VsmPlannedSystem*, owned */
        GHashTable *refreshing;         /* UUID -> looks at a domain that are on their way, system-watch.c */
        GHashTable *looked_at_late;     /* UUIDs of systems to be looked at once more, a little later */
        sd_event_source *late;
        bool listing;                   /* all of them are being looked at */
        GHashTable *jobs;               /* number (int64 key, borrowed) -> VsmJob*, owned */

        /* this host's libvirt, as last seen */
        bool libvirt_up;
        VsmVirtHost host;
        char **bridges;                 /* of its own networks */

        GPtrArray *accepting;           /* VsmJob: being written down, not on the bus yet; borrowed */

        char *boot_id;
        uint64_t install_date;

        /* at start */
        bool named;                     /* our bus name is ours */
        GPtrArray *unfinished;          /* VsmStoredJob, until they are taken up */
        GPtrArray *recent;              /* the same of those that have just ended */
        GHashTable *stored_states;      /* UUID -> VsmStoredSystem, until its system shows up */

        /* libvirt being looked for */
        sd_event_source *reconnect;
        sd_event_source *start_limit;
        unsigned reconnect_tries;
        bool connecting;
} VsmManager;

typedef struct VsmManagerOptions {
        const char *libvirt_uri;        /* NULL = qemu:///system */
        const char *configuration;      /* vsmd.conf */
        const char *drop_ins;           /* vsmd.conf.d */
        const char *state_directory;
} VsmManagerOptions;

VsmManager* vsm_manager_new(const VsmManagerOptions *options, GError **error);
void vsm_manager_free(VsmManager *manager);

/* Runs the loop until a signal or the loss of the bus; the exit status. */
int vsm_manager_run(VsmManager *manager);

/* What runs has changed: says so in STATUS=, for systemctl status, and holds a shutdown or lets it go. */
void vsm_manager_update_status(VsmManager *manager);

/* Wall clock and monotonic clock, µs. */
uint64_t vsm_now_realtime(void);

/* µs since that time of the wall clock; 0 when it was set back meanwhile. */
uint64_t vsm_realtime_since(uint64_t then);
uint64_t vsm_now_monotonic(void);
