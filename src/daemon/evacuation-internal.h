/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/evacuation-record.h"
#include "daemon/evacuation.h"
#include "daemon/plan.h"

/* What the files of an evacuation, and of a bring-back, share. Bus thread only, but for what says so. */

typedef struct VsmEvacuationRun VsmEvacuationRun;       /* evacuation-run.c */

/* What is known between evacuations. */
struct VsmEvacuations {
        bool starting;                  /* one is about to be accepted */
        uint64_t rate;                  /* bytes/s that went out together, as last seen; 0 = not known */
        uint64_t in_vain;               /* bytes/s of a trial that showed that more lanes bring nothing; 0 = none did */
        GPtrArray *plans;               /* that were shown, evacuation-methods.c */
        GHashTable *plannings;          /* number -> VsmPlanning, evacuation-plan.c */
        uint64_t planning;              /* number of the last one */
        VsmEvacuationRecord *last;      /* of the last one, or of the one that was not at its end; NULL = none */
};

/* What a parent job has besides (job->evacuation): what its interface Job.Evacuation shows. */
struct VsmEvacuation {
        unsigned total, done, failed;
        GVariant *plan;                 /* aa{sv}; never NULL */
        GVariant *leftovers;            /* aa{sv}; never NULL */
        bool unfinished;                /* of an earlier run of the daemon, and not taken up yet */
        bool boot_changed;              /* it began in an earlier boot of the host */
        uint32_t cancel;                /* the cancel that was written down then: 4 or 5; 0 = none */
        bool was_draining;              /* the host drained before */
        bool goes_on;                   /* an evacuation made it: those that left then are still away */
        VsmEvacuationRun *run;          /* of Evacuate, until its end */
};

VsmEvacuation* vsm_evacuation_new(void);
void vsm_evacuation_free(VsmEvacuation *evacuation);

/* ---- the parent, whichever (evacuation.c) ---- */

/* VSM_ERROR_INVALID_STATE naming the job when an evacuation or a bring-back runs already, or is just being started. */
bool vsm_evacuation_check_idle(VsmManager *manager, GError **error);

/* From here to vsm_job_accept() nobody else starts one. */
void vsm_evacuation_starting(VsmManager *manager, bool starting);

/* For vsm_job_accept(), without system and request. options: a{sv}, as accepted; taken, and shown by GetRequest. */
VsmJob* vsm_evacuation_job_new(VsmManager *manager, uint16_t type, GVariant *options);

/* Total, Done and Failed. */
void vsm_evacuation_show(VsmJob *job, unsigned total, unsigned done, unsigned failed);

/* Floating ones are taken. */
void vsm_evacuation_set_plan(VsmJob *job, GVariant *plan);
void vsm_evacuation_set_leftovers(VsmJob *job, GVariant *leftovers);

/* A child came; job may be NULL, or no parent. */
void vsm_evacuation_jobs_changed(VsmJob *job);

/* A cancel of the parent outlives the process: called before anything follows from it. */
void vsm_evacuation_keep_cancel(VsmJob *job, bool kill);

/* Written down, then told; children and parent go together, some time later. sentence: static; public. */
void vsm_evacuation_end(VsmJob *job, VsmJobState state, VsmError code, const char *sentence);

/* The parent goes: so do they, before it. */
void vsm_evacuation_remove_children(VsmJob *parent);

/* "/org/.../system/<uuid>", also of one that has gone; g_free() it. */
char* vsm_evacuation_system_path(const char *uuid);

/* Those that stayed, as GetLeftovers shows them: aa{sv}, floating. */
GVariant* vsm_evacuation_leftovers(const VsmEvacuationRecord *record);

/* On the store lane, in the order of the calls; what cannot be written is logged. add takes away. */
void vsm_evacuation_away_add(VsmManager *manager, VsmAway *away);
void vsm_evacuation_away_forget(VsmManager *manager, const char *uuid); /* NULL: all but those called home */

/* ---- planning (evacuation-plan.c) ---- */

/* What a move costs before and after its bytes: dialling, checks, QEMU there, verification. */
#define VSM_PLACING_SETUP_USEC  (UINT64_C(2) * G_USEC_PER_SEC)

/* bytes/s */
#define VSM_PLACING_LINK_RATE   (UINT64_C(125) * 1000 * 1000)   /* 1 Gbit/s, until one was seen */
#define VSM_PLACING_DISK_RATE   (UINT64_C(100) * 1024 * 1024)

typedef struct VsmPlacingHost {
        char *name;
        char **names;                   /* all that mean it, for AllowedHosts */
        uint16_t priority;
        uint64_t limit;                 /* MemoryLimit; 0 = none */
        uint64_t first;                 /* bytes that could be had there when this evacuation first looked; 0 = now */
        uint64_t given;                 /* bytes of guests that went there since, or are on their way */
        uint64_t coming;                /* of these, what has not arrived yet */
        uint64_t memory;                /* for guests, of all that */
        VsmHostFacts *facts;            /* NULL: it could not be asked */
        GVariant *reasons;              /* aa{sv}: why not; NULL = it was asked */
} VsmPlacingHost;

void vsm_placing_host_free(VsmPlacingHost *host);

/* What is to be planned, and what came of it. Belongs to one thread at a time. */
typedef struct VsmPlacing {
        char **uuids;                   /* wanted ones */
        VsmChain fallback;              /* of those whose policy names none */
        uint64_t deadline;              /* length, from now; 0 = none */
        uint64_t link_rate;             /* bytes/s, as last seen; 0 = not known */
        uint64_t max_rate;              /* bytes/s, that the settings allow; 0 = no limit */
        GHashTable *levels;             /* UUID -> methods of its chain that are over */
        GHashTable *against;            /* "UUID host" -> aa{sv}: what stands against it there */
        GHashTable *checked;            /* "UUID host" of those pairs that were checked in full */

        GPtrArray *hosts;               /* VsmPlacingHost */
        GPtrArray *guests;              /* VsmGuestFacts */
        GArray *chains;                 /* VsmChain, of each guest, what is left of it */
        VsmPlan *plan;
} VsmPlacing;

VsmPlacing* vsm_placing_new(char **uuids);
void vsm_placing_free(VsmPlacing *planned);

/* Adds what was found, of one host, or with host NULL of all that are there. */
void vsm_placing_add_against(VsmPlacing *planned, const char *uuid, const char *host, GVariant *reasons);

/* All enabled Hosts, or those of these names. */
void vsm_placing_add_hosts(VsmPlacing *planned, VsmManager *manager, char **names);

/* Any thread; libvirt is not asked. Makes plan of guests and hosts. */
void vsm_placing_place(VsmPlacing *planned);

/* What the chain of a guest is, all of it. Any thread. */
VsmChain vsm_placing_chain(GVariant *policy, const VsmChain *fallback);

/* aa{sv}, with the keys of the contract. */
GVariant* vsm_placing_to_variant(const VsmPlacing *planned);

typedef struct VsmPlanning VsmPlanning;

/* Asks guests and hosts, makes the plan, and checks in full as many of its pairs as the time (µs) allows; then done
 * gets it, or NULL and an error. Takes planned. Freeing the planning forgets it: done is not called. */
typedef void (*VsmPlanningDone)(VsmManager *manager, VsmPlacing *planned, const GError *error, void *userdata);
VsmPlanning* vsm_planning_start(VsmManager *manager, VsmPlacing *planned, uint64_t time, VsmPlanningDone done,
                                void *userdata);
void vsm_planning_free(VsmPlanning *planning);

unsigned vsm_planning_count(VsmManager *manager);

/* A plan that was shown (evacuation-methods.c). */
void vsm_evacuation_shown_free(void *plan);

/* What moves a guest of that policy (a{sv}) to that host by that method; NULL when this version cannot do it. */
VsmRequest* vsm_evacuation_request(VsmManager *manager, const char *host, GVariant *policy, VsmMethod method,
                                   unsigned order, GError **error);

/* The systems that are wanted (NULL = all active ones), as UUIDs. */
char** vsm_evacuation_uuids(VsmManager *manager, char **systems);

/* ---- running (evacuation-run.c) ---- */

/* planned NULL: a plan is made first; record NULL: it is a new one. Takes all three. */
VsmEvacuationRun* vsm_evacuation_run_new(VsmJob *job, VsmEvacuationOptions *options, VsmPlacing *planned,
                                         VsmEvacuationRecord *record);
void vsm_evacuation_run_free(VsmEvacuationRun *run);

/* The job is on the bus. */
void vsm_evacuation_run_begin(VsmJob *job);
void vsm_evacuation_run_cancel(VsmJob *job, bool kill);

/* A job of an earlier run of the daemon: a child that went on, or has ended meanwhile. */
void vsm_evacuation_run_adopt(VsmJob *parent, VsmJob *child);
