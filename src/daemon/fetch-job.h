/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/job.h"

/* A job that brings one guest home: child of a bring-back (bring-back.c). It has the states and the numbers of one that
 * moves, but no MigrationState: that is the source's, and the source is the other host. Bus thread only.
 *
 *      fetch-job.c     accepted, run, ended
 *      fetch-tick.c    progress, stalls, cancelling */

/* One guest that is away. */
typedef struct VsmFetchWish {
        const char *uuid, *name;
        const char *from;               /* name of the host where it is */
        bool autostart;                 /* the mark it had here */
} VsmFetchWish;

/* What its parent hears of it. Static. */
typedef struct VsmFetchEvents {
        /* It is on the bus, or progress, or its phase, is another. */
        void (*moved)(VsmJob *job);

        /* Its last word: after it has told its end, or when it could not be written down, and never was on the bus.
         * reasons (aa{sv}, never NULL): what stood against it. */
        void (*ended)(VsmJob *job, VsmMoveOutcome outcome, GVariant *reasons);
} VsmFetchEvents;

/* Writes it down, then runs it. False with error, and nothing is begun, when this host has no name that another one
 * could be given. */
bool vsm_fetch_job_begin(VsmJob *parent, const VsmFetchWish *wish, const VsmFetchEvents *events, GError **error);

/* One of an earlier run of the daemon, which is on the bus: goes on where that was. */
void vsm_fetch_job_recover(VsmJob *job, const VsmStoredJob *stored, bool autostart,
                           const VsmFetchEvents *events);

/* libvirt's call came back: the link is free for the next one. */
bool vsm_fetch_job_is_finishing(const VsmJob *job);

void vsm_fetch_job_free(VsmFetchJob *fetch);
