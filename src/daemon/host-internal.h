/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/host.h"

/* What host*.c share. Bus thread only. */

struct VsmHost {
        VsmHostData *data;
        char *path;
        bool from_file;

        const char *state;              /* static: "unknown", "up", "down" */
        uint64_t memory;                /* bytes that can be had there, uncut */
        uint64_t last_contact;          /* wall clock, µs; 0 = never */
        const char *last_error;         /* static; "" = none */

        uint64_t probe;                 /* the one that is out, by its number; 0 = none */
        bool again;                     /* once more when it is back */
};

struct VsmHosts {
        GPtrArray *all;                 /* VsmHost */
        char *directory;                /* hosts.d */

        /* one change at a time, host-modify.c */
        bool changing;
        GQueue waiting;

        /* host-watch.c */
        sd_event_source *timer;         /* NULL while there are no hosts */
        GQueue pending;                 /* names of those to be looked at, owned */
        unsigned probing;
        uint64_t probes;                /* so far */
};

VsmHost* vsm_host_find(VsmHosts *hosts, const char *name);

/* Is it this host itself? */
bool vsm_host_is_here(VsmManager *manager, const VsmHostData *data);

/* A host of another name that some name or address would mean as well; NULL = none. */
VsmHost* vsm_host_find_clash(VsmHosts *hosts, const VsmHostData *data);

/* Adds or replaces, and says so; takes data. */
VsmHost* vsm_host_put(VsmManager *manager, VsmHostData *data, bool from_file);

/* Says that it goes, and frees it. */
void vsm_host_remove(VsmManager *manager, VsmHost *host);

void vsm_host_changes_free(VsmHosts *hosts);

/* Looks at it soon. */
void vsm_host_watch(VsmManager *manager, VsmHost *host);

/* The list is another: the timer runs while it is not empty. */
void vsm_host_watch_update(VsmManager *manager);
void vsm_host_watch_free(VsmHosts *hosts);
