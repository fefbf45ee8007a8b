/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/evacuation-internal.h"
#include "daemon/pace.h"

/* What the files of a running evacuation share. Bus thread only.
 *
 *      evacuation-run.c        what there is, and the end
 *      evacuation-next.c       what is to be done next: a plan, a start
 *      evacuation-guest.c      what is done with one guest, and what becomes of it */

typedef enum {
        VSM_EVACUEE_WAITING,
        VSM_EVACUEE_BUSY,               /* somebody else's job of it runs: its turn comes after that */
        VSM_EVACUEE_MOVING,             /* it has a child job */
        VSM_EVACUEE_STILLING,           /* it is being saved, or shut down */
        VSM_EVACUEE_ENDED,
} VsmEvacueeState;

typedef struct VsmEvacuee {
        VsmLeaver *leaver;              /* what outlives the process; of the record */
        uint64_t id;                    /* for the pace */
        VsmEvacueeState state;
        VsmChain chain;                 /* all of it */
        uint64_t memory, resident;      /* bytes; of the last look */
        bool quiet;                     /* it wrote nothing when it was looked at */
        bool seen_off;                  /* since its end: before that it may look as it was */
        bool returned;                  /* it was away, and runs here again */

        /* of the plan */
        bool planned;
        char *host;                     /* "" = it does not move */
        VsmMethod method;
        unsigned order;
        uint64_t due;                   /* µs, monotonic: when the plan begins with it */
        GVariant *entry;                /* a{sv}: what GetPlan shows; NULL = nothing yet */

        VsmJob *job;                    /* its child, from being accepted to its end */
        bool hurried;                   /* given up, as the deadline leaves no more time for a move */
        VsmCancel *cancel;              /* of saving, or shutting down */
} VsmEvacuee;

struct VsmEvacuationRun {
        VsmJob *job;                    /* the parent */
        VsmEvacuationOptions *options;
        VsmEvacuationRecord *record;
        GPtrArray *evacuees;            /* VsmEvacuee */
        GHashTable *hosts;              /* name -> VsmPlacingHost: what was free there at first, what went there */
        GPtrArray *lanes;               /* names of hosts, owned: their numbers for the pace */
        GHashTable *hard, *soft;        /* "UUID host" -> aa{sv}: it cannot go there; it failed by this method */
        GHashTable *out;                /* host -> aa{sv}: why no guest can go there any more */
        VsmPlacing *shown;              /* the plan that was shown, and is to be carried out; NULL = none, or begun */
        uint64_t deadline;              /* µs, monotonic; 0 = none */

        VsmPace *pace;
        VsmPlanning *planning;          /* NULL = none is on its way */
        bool plan_wanted;
        bool settled;                   /* the last plan was made while nothing was under way */
        bool settling;                  /* the one that is being made is */
        uint64_t planned_at;            /* µs, monotonic; 0 = there was none */
        uint64_t failed_plans;          /* in a row */

        sd_event_source *wake, *tick;
        bool begun;
        bool cancel, kill, killed;
        bool ending;
};

/* ---- evacuation-run.c ---- */

/* Something has happened: what is to be done next is seen to when the loop comes round. */
void vsm_evacuation_run_wake(VsmEvacuationRun *run);
void vsm_evacuation_run_replan(VsmEvacuationRun *run);

/* The same, at that time (µs, monotonic) if nothing happens before. */
void vsm_evacuation_run_wake_at(VsmEvacuationRun *run, uint64_t usec);

/* Writes the record down. */
void vsm_evacuation_run_keep(VsmEvacuationRun *run);

/* The same, and only then is this done, on the long lane. Takes then. */
void vsm_evacuation_run_keep_then(VsmEvacuationRun *run, VsmTask *then);

/* NULL when there is none, or no evacuation runs. */
VsmEvacuee* vsm_evacuation_run_find(VsmEvacuationRun *run, const char *uuid);
VsmEvacuee* vsm_evacuation_run_add(VsmEvacuationRun *run, VsmLeaver *leaver);

/* µs until the deadline, at least 1; UINT64_MAX when there is none. */
uint64_t vsm_evacuation_run_time_left(const VsmEvacuationRun *run);

unsigned vsm_evacuation_run_count(const VsmEvacuationRun *run, VsmEvacueeState state);

/* ---- evacuation-next.c ---- */

/* Makes a new plan if one is wanted, or the present one is old. */
void vsm_evacuation_run_plan(VsmEvacuationRun *run);

/* Takes planned. */
void vsm_evacuation_run_take_plan(VsmEvacuationRun *run, VsmPlacing *planned);

/* Who is the next to move, to that host or (NULL) at all; NULL = nobody waits for that. */
VsmEvacuee* vsm_evacuation_run_next(VsmEvacuationRun *run, const char *host);

void vsm_evacuation_run_hurry(VsmEvacuationRun *run);
void vsm_evacuation_run_pace(VsmEvacuationRun *run);
void vsm_evacuation_run_still(VsmEvacuationRun *run);

/* ---- evacuation-guest.c ---- */

void vsm_evacuee_free(VsmEvacuee *evacuee);

/* Starts what the plan says about it. False: it could not be started, and a new plan is wanted. */
bool vsm_evacuee_start_move(VsmEvacuationRun *run, VsmEvacuee *evacuee, bool held);
void vsm_evacuee_start_still(VsmEvacuationRun *run, VsmEvacuee *evacuee);

/* An earlier run of the daemon has begun with that; it is done again, or waited for. */
void vsm_evacuee_go_on_stilling(VsmEvacuationRun *run, VsmEvacuee *evacuee);

/* It is off, and here, as it was to be: it starts again when those that are away come home. */
void vsm_evacuee_has_been_stilled(VsmEvacuationRun *run, VsmEvacuee *evacuee);

/* Its end. reasons NULL: keeps those that it has. */
void vsm_evacuee_end(VsmEvacuationRun *run, VsmEvacuee *evacuee, VsmLeaving end, GVariant *reasons);

/* aa{sv} with this error in it, floating. */
GVariant* vsm_evacuee_reason(const VsmEvacuee *evacuee, const char *code, const char *message);

/* The next way of its chain that moves it or not, whichever comes first; what failed by the present one is forgotten. */
void vsm_evacuee_go_down(VsmEvacuationRun *run, VsmEvacuee *evacuee);

/* A later way of its chain that still moves it. */
bool vsm_evacuee_can_go_down(const VsmEvacuee *evacuee);

/* Did something fail at a host by the present way? */
bool vsm_evacuee_has_failed(VsmEvacuationRun *run, const VsmEvacuee *evacuee);

/* It may go by the present way to any host again, unless that host itself is in the way. */
void vsm_evacuee_forget_failures(VsmEvacuationRun *run, const VsmEvacuee *evacuee);

/* It has arrived, and is away from now on. */
void vsm_leaver_has_moved(const VsmLeaver *leaver, const VsmJob *child);

/* A child has ended: what follows from it. */
void vsm_evacuee_child_ended(VsmEvacuationRun *run, VsmEvacuee *evacuee, const VsmJob *child);

/* Too late for a move that is under way: it is given up in time for what comes after it. */
void vsm_evacuee_hurry(VsmEvacuationRun *run, VsmEvacuee *evacuee);
