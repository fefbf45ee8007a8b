/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/store.h"

/* What of an evacuation outlives the process: what was asked, what is planned, how each guest ended, and who is
 * away from home. Kept as text among the service's facts. Pure; what touches the store may wait for the disk:
 * workers, and the start. */

/* How a guest left, or did not. */
typedef enum {
        VSM_LEAVING_WAITS,              /* its turn has not come, or it is under way */
        VSM_LEAVING_MOVED,
        VSM_LEAVING_SAVED,
        VSM_LEAVING_SHUT_DOWN,
        VSM_LEAVING_GONE,               /* by itself, or by somebody else */
        VSM_LEAVING_STAYED,             /* it could not leave: see reasons */
        VSM_LEAVING_MEANT_TO_STAY,      /* "leave" is all that its policy wants */
        _VSM_LEAVING_MAX,
} VsmLeaving;

typedef struct VsmLeaver {
        char *uuid;
        char *name;
        VsmLeaving end;
        VsmLeaving stilling;            /* SAVED or SHUT_DOWN: that has been begun; WAITS: neither */
        uint32_t level;                 /* how far down its chain it is */
        bool autostart;                 /* the mark that it had here */
        bool running;                   /* false: somebody had paused it */
        GVariant *reasons;              /* aa{sv}; never NULL */
} VsmLeaver;

VsmLeaver* vsm_leaver_new(const char *uuid, const char *name);
void vsm_leaver_free(VsmLeaver *leaver);

typedef struct VsmEvacuationRecord {
        uint64_t job;                   /* number of the parent */
        uint64_t started;               /* µs, wall clock: Deadline counts from here */
        GVariant *options;              /* a{sv}, as accepted */
        GVariant *plan;                 /* aa{sv}, as GetPlan shows it */
        GPtrArray *leavers;             /* VsmLeaver */
        char **out;                     /* hosts that take none any more; never NULL */
} VsmEvacuationRecord;

VsmEvacuationRecord* vsm_evacuation_record_new(void);
void vsm_evacuation_record_free(VsmEvacuationRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmEvacuationRecord, vsm_evacuation_record_free)

char* vsm_evacuation_record_to_text(const VsmEvacuationRecord *record);
VsmEvacuationRecord* vsm_evacuation_record_from_text(const char *text, GError **error);

/* NULL without error when there is none. text: as vsm_evacuation_record_to_text() makes it. */
VsmEvacuationRecord* vsm_evacuation_record_read(VsmStore *store, GError **error);
bool vsm_evacuation_record_write(VsmStore *store, const char *text, GError **error);

/* ---- who is away ---- */

typedef struct VsmAway {
        char *uuid;
        char *name;
        char *host;                     /* that it went to: a Host's Name */
        char *address;                  /* the same, as dialled */
        uint64_t since;                 /* µs, wall clock */
        bool autostart;                 /* the mark that it had here */
        bool running;                   /* false: somebody had paused it */
        bool called;                    /* a bring-back was to fetch it: the next evacuation does not forget it */
} VsmAway;

VsmAway* vsm_away_new(const char *uuid, const char *name, const char *host, const char *address);
VsmAway* vsm_away_copy(const VsmAway *away);

/* One that was saved or shut down, since then (realtime, µs): it is away and on this host. */
VsmAway* vsm_away_new_stilled(const VsmLeaver *leaver, uint64_t since);
void vsm_away_free(VsmAway *away);

char* vsm_away_to_text(GPtrArray *away);
GPtrArray* vsm_away_from_text(const char *text, GError **error);

/* All, as VsmAway; empty when nobody is. */
GPtrArray* vsm_evacuation_record_away(VsmStore *store, GError **error);
bool vsm_evacuation_record_set_away(VsmStore *store, GPtrArray *away, GError **error);

/* Adds one, in place of an earlier entry of it. Only from the store lane: what is read is written back. */
bool vsm_evacuation_record_add_away(VsmStore *store, const VsmAway *away, GError **error);
