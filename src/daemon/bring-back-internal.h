/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/bring-back-record.h"
#include "daemon/bring-back.h"
#include "daemon/evacuation-options.h"

/* What the files of a bring-back share. Bus thread only. */

typedef enum {
        VSM_COMING_WAITING,
        VSM_COMING_BEGUN,               /* it has a child job, or is being started */
        VSM_COMING_HOME,
        VSM_COMING_LEFT,                /* it stays where it is, for the reasons that it has */
        VSM_COMING_FORGOTTEN,           /* it is not away any more, for the reasons that it has */
} VsmComingState;

/* One guest that is to come home. */
typedef struct VsmComing {
        VsmAway *away;
        VsmComingState state;
        bool looked;                    /* what follows is known */
        uint16_t priority;
        uint64_t memory;                /* bytes */
        unsigned order;                 /* in which it was begun; 0 = not yet */
        GVariant *reasons;              /* aa{sv}; NULL = none */
} VsmComing;

struct VsmBringBack {
        VsmEvacuationOptions *options;
        GPtrArray *guests;              /* VsmComing */
        uint64_t budget;                /* bytes of memory that may still be given away */
        bool has_budget;
        unsigned looking;               /* hosts that have not answered yet */
        bool waiting;                   /* for the record, or for draining to end */
        bool asking;                    /* a step is on its way */
        bool starting;                  /* one that slept here is being read back */
        bool no_room;                   /* until one that was begun has ended */
        bool cancel, kill;
        bool rebooted;                  /* it began in an earlier boot of the host: it is not gone on with */
        bool ending;
        bool changed;                   /* since it was shown last */
        unsigned begun;
        unsigned home_before;           /* of an earlier run of the daemon */
};

/* Makes the job one; options is taken. */
void vsm_bring_back_make(VsmJob *job, VsmEvacuationOptions *options);

/* Takes away; what is in it, of the second. */
VsmComing* vsm_bring_back_add(VsmJob *job, VsmAway *away);
void vsm_bring_back_take(VsmJob *job, GPtrArray *away);

/* NULL when it is none of them. */
VsmComing* vsm_coming_find(VsmJob *job, const char *uuid);
unsigned vsm_coming_count(const VsmBringBack *back, VsmComingState state);

/* reasons: NULL keeps those that it has. It is shown by the next vsm_bring_back_show(). */
void vsm_coming_set(VsmJob *job, VsmComing *coming, VsmComingState state, GVariant *reasons);

/* Asks where they are; then the first step is made. */
void vsm_bring_back_look(VsmJob *job);

/* What is to be done next, if anything. */
void vsm_bring_back_step(VsmJob *job);

/* A child of an earlier run of the daemon, which is on the bus. */
void vsm_bring_back_adopt(VsmJob *parent, VsmJob *child, const VsmStoredJob *stored);

/* The same guests in the order in which they come; those for which there is no room are left out. g_free() it. */
VsmComing** vsm_coming_in_order(const VsmBringBack *back, size_t *ret_n);

/* Progress, and what Job.Evacuation tells. */
void vsm_bring_back_show(VsmJob *job);

/* Nothing is left to do. */
void vsm_bring_back_end(VsmJob *job);

/* As VsmJob.cancel. */
void vsm_bring_back_cancel(VsmJob *job, bool kill);
