/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/method.h"

/* The plan of an evacuation: which guest goes where, how, in which order, and when. Pure: numbers in, a plan
 * out; the same input gives the same plan. Knows no bus, no libvirt, no clock. Bytes, bytes per second,
 * microseconds.
 *
 *      plan.c          the plan as a whole: place, method, order, deadline
 *      plan-place.c    bin packing with groups, pages, allowed hosts; memory is never overcommitted
 *      plan-time.c     what one move takes, and what a schedule of them takes */

#define VSM_PLAN_NO_HOST SIZE_MAX

typedef struct VsmPlanPages {
        uint64_t size;                  /* of one page; 0 ends a list */
        uint64_t available;             /* bytes of them */
} VsmPlanPages;

typedef struct VsmPlanGuest {
        const char *uuid;
        const char *name;
        uint64_t memory;                /* that the destination has to have for it */
        uint64_t resident;              /* to be sent at least once */
        uint64_t dirty_rate;
        uint64_t page_size;             /* of huge pages that hold its memory; 0 = ordinary ones */
        uint16_t priority;              /* lower = sooner; and sooner gets the better place */
        const char *group;              /* AntiAffinityGroup: no two of it on one host; NULL or "" = none */
        VsmChain chain;                 /* never empty */
} VsmPlanGuest;

typedef struct VsmPlanHost {
        const char *name;
        uint16_t priority;              /* lower = preferred while several would do */
        uint64_t memory;                /* for guests: MemoryLimit and the share that stays free are taken off */
        const VsmPlanPages *pages;      /* huge ones, free there; NULL = none */
        const char *const *groups;      /* AntiAffinityGroups that run there already; NULL = none */
        uint64_t link_rate;             /* at its end; 0 = no less than the source's */
} VsmPlanHost;

/* What stands against a guest at a host, as aa{sv} with an error in it; NULL = nothing. Borrowed until the
 * plan is made. */
typedef GVariant* (*VsmPlanObjection)(size_t guest, size_t host, void *userdata);

typedef struct VsmPlanInput {
        const VsmPlanGuest *guests;
        size_t n_guests;
        const VsmPlanHost *hosts;
        size_t n_hosts;
        VsmPlanObjection objection;     /* NULL = there are none */
        void *userdata;
        uint64_t link_rate;             /* of this host's end; never 0 */
        uint64_t setup;                 /* of one move, that uses no link */
        uint64_t disk_rate;             /* of saving; never 0 */
        uint64_t deadline;              /* length; 0 = none */
} VsmPlanInput;

typedef struct VsmPlanEntry {
        size_t guest;
        size_t host;                    /* VSM_PLAN_NO_HOST when the method does not move it */
        VsmMethod method;
        unsigned order;                 /* from 1; that of starting */
        uint64_t start, duration;
        uint64_t bytes;                 /* over the link, or to the disk */
        GVariant *reasons;              /* aa{sv}: why there and so, and what stood against the rest; a reference */
} VsmPlanEntry;

typedef struct VsmPlan {
        VsmPlanEntry *entries;          /* one for each guest, by order */
        size_t n;
        uint64_t makespan;              /* of those that move */
        uint64_t bound;                 /* no schedule of these guests to these hosts takes less */
} VsmPlan;

VsmPlan* vsm_plan_make(const VsmPlanInput *input);
void vsm_plan_free(VsmPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmPlan, vsm_plan_free)

/* ---- plan-time.c ---- */

typedef struct VsmPlanTime {
        uint64_t duration;              /* with set-up */
        uint64_t bytes;
        bool converges;                 /* without being slowed down or paused */
} VsmPlanTime;

/* resident/(rate - dirty_rate) + setup, where it converges; else what slowing it down takes. */
VsmPlanTime vsm_plan_time(uint64_t resident, uint64_t dirty_rate, uint64_t rate, uint64_t setup, VsmMethod method);
