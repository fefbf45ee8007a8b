/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/converge.h"
#include "daemon/move.h"
#include "daemon/percent.h"

/* What the files of a moving job share. Bus thread only. */

struct VsmMoveJob {
        VsmMove *run;                   /* NULL while queued */
        bool resumed;                   /* an earlier run of the daemon called libvirt */
        bool setting;                   /* SetParameters is being answered */
        bool begun;                     /* libvirt's call was made */
        bool returned;                  /* and came back */
        bool ending;                    /* the outcome is known and being written down */
        GVariant *found;                /* aa{sv}: what stood against it before libvirt's call; NULL = nothing */

        bool held;                      /* by the pace of an evacuation: at a token bandwidth, prepared for its turn */
        uint64_t bandwidth;             /* bytes/s, as libvirt was told last; 0 = no limit */
        uint64_t bandwidth_begun;       /* the same, with its call: that one counts when memory begins to move */

        /* cancelling, for whichever reason */
        bool cancel;
        bool kill;
        bool give_up;                   /* by ourselves: the end is a failure, not a cancel */
        VsmError give_up_code;
        const char *give_up_sentence;   /* static, without its end */
        uint64_t cancel_mono;
        uint64_t kill_tried_mono;

        /* watching */
        sd_event_source *tick;
        sd_event_source *timeout;
        bool sampling, killing;
        bool sampled;                   /* libvirt has said once how far it is */
        uint64_t shown_mono;            /* when progress was last told */
        uint64_t moved_mono;            /* when bytes were last seen to move */
        uint64_t moved_bytes;
        VsmPercent percent;
        VsmConverge converge;
        bool switching;                 /* to post-copy: asked for, and not refused */
        bool blackout;                  /* given up since the pause would be, or was, too long */
        sd_event_source *blackout_end;
};

VsmMoveJob* vsm_move_job_new(void);

/* NULL when the domain has gone for good. */
VsmSystem* vsm_move_job_system(VsmJob *job);

/* Of the system, if it is still there; one that is only staged has no MigrationState of it. */
void vsm_move_job_set_migration(VsmJob *job, VsmMigrationState state, uint32_t reason);
void vsm_move_job_set_progress(VsmJob *job, unsigned percent);

/* libvirt moves it: MigrationState 2. */
void vsm_move_job_transferring(VsmJob *job);

/* Starts and stops the ticks that sample, look for stalls, and push a cancel through. */
void vsm_move_watch_start(VsmJob *job);
void vsm_move_watch_stop(VsmJob *job);

/* Asks libvirt at once, besides the ticks: a pass over the memory has begun. */
void vsm_move_watch_look(VsmJob *job);

/* It goes on in post-copy: MigrationState 3 until its end. */
void vsm_move_job_post_copy(VsmJob *job);

/* What the numbers of a migration that runs mean, as Verdict has it; acts on it. moving: bytes were seen to move
 * lately, of disks too. */
const char* vsm_move_converge(VsmJob *job, const VsmTransferStats *stats, bool moving, uint64_t now);

/* CancelIfBlackoutThresholdExceeded: the guest is paused for its last pages; and what came of it, which becomes a
 * reason. */
void vsm_move_blackout_begins(VsmJob *job);
void vsm_move_blackout_ends(VsmJob *job, VsmMoveOutcome outcome, const VsmTransferStats *stats);

/* Arms Timeout, counted from acceptance. */
void vsm_move_watch_timeout(VsmJob *job);

/* We end it ourselves. sentence is static, and has no full stop: what stays as it is comes after it. */
void vsm_move_job_give_up(VsmJob *job, VsmError code, const char *sentence);

/* The long lane came back, or there was nothing to run. */
void vsm_move_job_outcome(VsmJob *job, VsmMoveOutcome outcome, const VsmTransferStats *stats, const GError *error);

/* Gives the job to the long lane: facts NULL = run, else resume. */
void vsm_move_job_run(VsmJob *job, const VsmMoveFacts *facts);
