/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/fetch-job.h"
#include "daemon/percent.h"

/* What the files of a fetching job share. Bus thread only. */

struct VsmFetchJob {
        VsmFetch *run;
        char *from;                     /* name of the host where it is */
        const VsmFetchEvents *events;
        bool begun;                     /* libvirt's call was made */
        bool returned;                  /* and came back */
        bool ending;                    /* the outcome is known and being written down */

        /* cancelling, for whichever reason */
        bool cancel;
        bool kill;
        bool stalled;                   /* by ourselves: the end is a failure, not a cancel */
        uint64_t cancel_mono;
        uint64_t kill_tried_mono;

        /* watching */
        sd_event_source *tick;
        bool sampling, killing;
        uint64_t shown_mono;
        uint64_t moved_mono;            /* when bytes were last seen to move */
        uint64_t moved_bytes;
        VsmPercent percent;
};

void vsm_fetch_watch_start(VsmJob *job);
void vsm_fetch_watch_stop(VsmJob *job);

/* The first bytes move. */
void vsm_fetch_job_transferring(VsmJob *job);

/* As VsmJob.cancel. */
void vsm_fetch_job_cancel(VsmJob *job, bool kill);
