/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/plan.h"

/* What the parts of planning share. Times are doubles here, in µs. A pair is a guest and a host; arrays of pairs
 * have guest * n_hosts + host. */

typedef struct VsmPlanCase {
        const VsmPlanInput *input;
        size_t n, m;                    /* guests, hosts */
        double link;                    /* of this host's end */

        size_t *guest_order;            /* by priority, name, UUID */
        size_t *host_order;             /* by priority, name, number */
        size_t *class;                  /* of each guest: 0 for the lowest priority number, and so on */
        size_t n_classes;
        size_t *rank;                   /* the same of each host */
        size_t *group;                  /* of each guest: 0 = none */
        size_t n_groups;                /* with that none */
        bool *group_there;              /* host * n_groups + group: runs there already */

        double *rate;                   /* to each host */
        bool *possible;                 /* pairs: nothing stands against it, room aside */
        GVariant **objection;           /* pairs */
        uint8_t *method;                /* pairs: VsmMethod of the guest to there; possible only if it moves */
        double *lane;                   /* pairs: time of the bytes, at that rate */
        double *source;                 /* pairs: time of the same bytes at this host's end */
        double bound;                   /* of the bytes, of all guests that could go, without set-up */
} VsmPlanCase;

#define VSM_PLAN_PAIR(c, guest, host) ((guest) * (c)->m + (host))

/* ---- plan-place.c ---- */

/* What is left of the hosts while guests are put there. */
typedef struct VsmPlanRoom {
        uint64_t *memory;               /* of each host */
        uint64_t **pages;               /* of each host, in the order of its list */
        bool *groups;                   /* host * n_groups + group */
        double *load;                   /* of each host: time of its lane */
        double source;
} VsmPlanRoom;

VsmPlanRoom* vsm_plan_room_new(const VsmPlanCase *c);
void vsm_plan_room_free(VsmPlanRoom *room);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmPlanRoom, vsm_plan_room_free)

/* Memory or pages of that size; NULL = the host has no such pages. */
uint64_t* vsm_plan_room_of(const VsmPlanCase *c, const VsmPlanRoom *room, size_t guest, size_t host);
bool vsm_plan_room_fits(const VsmPlanCase *c, const VsmPlanRoom *room, size_t guest, size_t host);
void vsm_plan_room_put(const VsmPlanCase *c, VsmPlanRoom *room, size_t guest, size_t host);
void vsm_plan_room_take(const VsmPlanCase *c, VsmPlanRoom *room, size_t guest, size_t host);

/* How good a placement is: less is better, first things first. */
typedef struct VsmPlanScore {
        size_t *missing;                /* in each class; g_free() it */
        double left;                    /* bytes of those that are missing */
        size_t preference;              /* sum of the ranks of the hosts; 0 when they are to be ignored */
        double time;                    /* no schedule of it takes less */
} VsmPlanScore;

int vsm_plan_score_compare(const VsmPlanCase *c, const VsmPlanScore *a, const VsmPlanScore *b);

/* A host for each guest, VSM_PLAN_NO_HOST for those that have to stay; g_free() it. preferences: whether the
 * Priority of hosts counts more than time. */
size_t* vsm_plan_place(const VsmPlanCase *c, bool preferences);

/* ---- plan-search.c: what a greedy rule misses ---- */

#define VSM_PLAN_EXACT_MAX 12           /* guests */

/* Makes room for those that have no host by moving one guest on. */
void vsm_plan_repair(const VsmPlanCase *c, VsmPlanRoom *room, size_t *hosts);

/* Moves guests from the longest lane. */
void vsm_plan_relieve(const VsmPlanCase *c, VsmPlanRoom *room, size_t *hosts, bool preferences);

/* All placements, for few guests: replaces hosts and score when there is a better one. */
void vsm_plan_exact(const VsmPlanCase *c, bool preferences, size_t *hosts, VsmPlanScore *score);

/* ---- plan-time.c ---- */

/* Whether the way ends by itself on a link of that rate. */
bool vsm_plan_ends(const VsmPlanGuest *guest, double rate, VsmMethod method);

typedef struct VsmPlanSlot {
        VsmMethod method;               /* of the guest, when it moves */
        size_t host;
        double start, end;              /* with set-up */
        double bytes;
        bool late;                      /* cannot arrive in time: host is none */
} VsmPlanSlot;

/* When each guest that has a host moves; one slot for each guest. Guests that cannot arrive by the deadline get a
 * quicker way of their chain, or none. */
VsmPlanSlot* vsm_plan_schedule(const VsmPlanCase *c, const size_t *hosts);

/* For those that were placed, with the ways that they go; 0 when none moves. */
double vsm_plan_bound(const VsmPlanCase *c, const VsmPlanSlot *slots);

double vsm_plan_makespan(const VsmPlanCase *c, const VsmPlanSlot *slots);
size_t vsm_plan_late(const VsmPlanCase *c, const VsmPlanSlot *slots);

/* ---- plan-reasons.c ---- */

/* Why the guest goes there and so, or why it stays; aa{sv}, a reference. hosts: where all go, room: what is left
 * then. method: the one it leaves by. */
GVariant* vsm_plan_reasons(const VsmPlanCase *c, const VsmPlanRoom *room, size_t guest, const VsmPlanSlot *slot,
                           VsmMethod method);
