/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager.h"
#include "daemon/request.h"
#include "shared/error.h"
#include "shared/enums.h"

/* A job on the bus: who asked for what, how far it is, how it ended, five minutes beyond its end.
 * (Msvm_MigrationJob, contract section 6.) What it does is elsewhere: move.c for migrations.
 * Bus thread only.
 *
 *      2 New --> 3 Starting --> 4 Running --> 7 Completed, 32768, 10 Exception
 *        \           \              \
 *         +-----------+--------------+--> 6 Shutting Down --> 8 Terminated, 9 Killed
 *                                                        \--> 7: the cancel came too late after all
 */

#define VSM_JOB_RETENTION_USEC (UINT64_C(5) * 60 * G_USEC_PER_SEC)      /* CIM's TimeBeforeRemoval */
#define VSM_JOBS_PER_UID_MAX   64
#define VSM_JOBS_MAX           1000

typedef enum {
        VSM_PHASE_QUEUED,
        VSM_PHASE_PREPARING,
        VSM_PHASE_DISKS,
        VSM_PHASE_MEMORY,
        VSM_PHASE_SWITCH_OVER,
        VSM_PHASE_POST_COPY,
        VSM_PHASE_FINISHING,
        VSM_PHASE_DONE,
} VsmPhase;

typedef struct VsmMoveJob VsmMoveJob; /* move.c */
typedef struct VsmCheckJob VsmCheckJob; /* check-job.c */
typedef struct VsmFetchJob VsmFetchJob; /* fetch-job.c */
typedef struct VsmBringBack VsmBringBack; /* bring-back.c */
typedef struct VsmEvacuation VsmEvacuation; /* evacuation.c */

typedef struct VsmJob {
        VsmManager *manager;
        uint64_t number;                /* 0 until the store gave one: not on the bus before */
        char *path;
        uint16_t type;                  /* VSM_JOB_TYPE_* */
        uint64_t parent;                /* the evacuation or bring-back that it belongs to; 0 = none */
        VsmRequest *request;            /* NULL: of an evacuation, a bring-back or a quiesce */
        GVariant *options;              /* a{sv}, in its place, for the first two; NULL = none */
        char system_uuid[VSM_UUID_SIZE];
        char *system_name;
        char *owner;
        uint32_t owner_uid;

        uint16_t state;                 /* VSM_JOB_STATE_*; written by vsm_job_set_state() only */
        uint16_t percent;
        uint16_t error_code;
        char *error;                    /* a sentence of ours: public */
        GVariant *reasons;              /* aa{sv}: for GetErrorEx, with libvirt's text */
        bool cancellable;
        bool delete_on_end;             /* KillJob(true) */

        uint64_t submitted, started, ended, changed;    /* wall clock, µs; 0 = not yet */
        uint64_t submitted_mono, started_mono, ended_mono;

        VsmPhase phase;
        VsmTransferStats stats;
        unsigned downtime;              /* ms, real */
        const char *verdict;            /* static */
        bool post_copy;                 /* it came to that */
        bool encrypted;                 /* as it goes to the other host */
        bool doubtful;                  /* the guest is on both hosts, or on none, or it is not known: somebody has to look */
        uint64_t time_remaining;        /* µs */
        char *address;                  /* of the destination, as dialled; for GetRequest */

        VsmMoveJob *move;               /* NULL for other kinds and after the end */

        VsmCheckJob *check;             /* the same, of a check */

        VsmFetchJob *fetch;             /* the same, of one that brings a guest home */

        VsmBringBack *back;             /* of a bring-back, also after its end; NULL for other kinds */

        VsmEvacuation *evacuation;      /* what a parent has besides, also after the end; NULL for other kinds */

        /* What comes after vsm_job_accept() has answered. */
        void (*begin)(struct VsmJob *job);

        /* It could not be written down, and goes: what was done for it is taken back. NULL = nothing was. */
        void (*refused)(struct VsmJob *job, const GError *error);

        /* How other kinds are cancelled; it sets the state. NULL: they cannot be. */
        void (*cancel)(struct VsmJob *job, bool kill);

        sd_event_source *removal;
} VsmJob;

int vsm_job_register(VsmManager *manager);

VsmJob* vsm_job_new(VsmManager *manager, uint16_t type);
void vsm_job_free(VsmJob *job);

/* The store gave a number: from here on it is an object on the bus. */
void vsm_job_publish(VsmJob *job, uint64_t number);

VsmJob* vsm_job_find(VsmManager *manager, uint64_t number);
VsmJob* vsm_job_find_path(VsmManager *manager, const char *path);

/* Emitted at once, before anything else of the job can change. */
void vsm_job_set_state(VsmJob *job, VsmJobState state);

/* Never falls. Merged with other progress. */
void vsm_job_set_percent(VsmJob *job, unsigned percent);
void vsm_job_set_phase(VsmJob *job, VsmPhase phase);
void vsm_job_set_stats(VsmJob *job, const VsmTransferStats *stats);
void vsm_job_set_cancellable(VsmJob *job, bool cancellable);
void vsm_job_set_verdict(VsmJob *job, const char *verdict); /* static */
void vsm_job_set_downtime(VsmJob *job, unsigned ms);
void vsm_job_set_post_copy(VsmJob *job); /* for good */

/* The last state, with what went wrong (NULL = nothing). code is of VSM_ERROR; sentence is public.
 * Starts the time before removal. */
void vsm_job_end(VsmJob *job, VsmJobState state, VsmError code, const char *sentence, const GError *detail);

/* It has ended, and stays for so long. */
void vsm_job_remove_in(VsmJob *job, uint64_t usec);

/* Says that it goes, and frees it; its children go before it. */
void vsm_job_remove(VsmJob *job);

/* A system came or went: VirtualSystem of its jobs is another. */
void vsm_job_system_changed(VsmManager *manager, const char *uuid);

bool vsm_job_is_unfinished(const VsmJob *job);
unsigned vsm_job_count_unfinished(VsmManager *manager, int64_t uid); /* negative: of all */

const char* vsm_phase_to_string(VsmPhase phase);
