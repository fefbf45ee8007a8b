/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What one move takes, and when each of many takes place. The link of this host is shared: whoever was there
 * first gets what its destination takes, the rest goes to the next, and nobody starts with too little, because a
 * guest that writes sends the more the slower it goes. Each destination takes one guest at a time; the next is
 * set up meanwhile. Pure. */

#include <math.h>

#include "daemon/plan-private.h"

/* A guest that writes more than this share of the link is not counted on to get through: rates vary. */
#define CONVERGES_SHARE 0.8

/* A start with less than this share of what the destination takes waits. */
#define START_SHARE 0.5

#define TIME_MAX (INT64_MAX / 4)

/* A way of going, as bytes to be sent while others come up at a rate. */
typedef struct Work {
        double bytes, dirty;
        bool converges;
} Work;

static Work work_of(uint64_t resident, uint64_t dirty_rate, double rate, VsmMethod method) {
        double m = resident, d = dirty_rate, steps = 0;

        switch (method) {
        case VSM_METHOD_LIVE:
                if (d <= CONVERGES_SHARE * rate)
                        return (Work) { .bytes = m, .dirty = d, .converges = true };

                /* QEMU slows it down by 20 %, then by 10 % more after each pass, up to 99 %: until it writes
                 * half of what the link carries, each pass sends all of it again. */
                steps = 1 + CLAMP((1 - 0.5 * rate / d - 0.2) / 0.1, 0, 8);
                return (Work) { .bytes = m * (steps + 2) };
        case VSM_METHOD_POST_COPY:
                /* one pass, and once more what was written meanwhile */
                return (Work) { .bytes = m + MIN(m, d * m / rate), .converges = true };
        case VSM_METHOD_RESUME:
        case VSM_METHOD_SAVE:
                return (Work) { .bytes = m };
        default:
                return (Work) {};
        }
}

static double work_time(const Work *work, double rate) {
        return work->bytes / (rate - work->dirty) * G_USEC_PER_SEC;
}

VsmPlanTime vsm_plan_time(uint64_t resident, uint64_t dirty_rate, uint64_t rate, uint64_t setup, VsmMethod method) {
        Work work = work_of(resident, dirty_rate, MAX(rate, 1), method);
        double time = work_time(&work, MAX(rate, 1));

        return (VsmPlanTime) {
                .duration = MIN(time + setup, TIME_MAX),
                .bytes = MIN(time * rate / G_USEC_PER_SEC, TIME_MAX),
                .converges = work.converges,
        };
}

bool vsm_plan_ends(const VsmPlanGuest *guest, double rate, VsmMethod method) {
        return method != VSM_METHOD_LIVE || work_of(guest->resident, guest->dirty_rate, rate, method).converges;
}

/* ---- the schedule ---- */

typedef enum {
        ORDER_SHORTEST,                 /* most guests are gone early */
        ORDER_LONGEST,                  /* nothing long is left for the end */
        ORDER_LANE,                     /* the lane with most to do first */
        _ORDER_MAX,
} Order;

typedef struct Key {
        size_t guest, class;
        double lane, time;
        size_t tie;
} Key;

typedef struct Lane {
        size_t *queue;                  /* positions in the order */
        size_t n, next;
        double ready;                   /* when the next one is set up */

        bool runs;
        size_t position;                /* of the one that runs, or of the next */
        double left, rate, dirty;
} Lane;

typedef struct Run {
        const VsmPlanCase *c;
        VsmPlanSlot *slots;
        size_t *order;                  /* guests */
        size_t n;
        Lane *lanes;
        double now;
} Run;

static int key_compare(const void *a, const void *b) {
        const Key *x = a, *y = b;

        if (x->class != y->class)
                return x->class < y->class ? -1 : 1;
        if (x->lane != y->lane)
                return x->lane > y->lane ? -1 : 1;
        if (x->time != y->time)
                return x->time < y->time ? -1 : 1;

        return x->tie < y->tie ? -1 : 1;
}

static void make_order(Run *run, Order order) {
        const VsmPlanCase *c = run->c;
        g_autofree Key *keys = g_new(Key, c->n + 1);
        g_autofree double *loads = g_new0(double, c->m + 1);

        for (size_t g = 0; g < c->n; g++)
                if (run->slots[g].host != VSM_PLAN_NO_HOST)
                        loads[run->slots[g].host] += c->lane[VSM_PLAN_PAIR(c, g, run->slots[g].host)];

        for (size_t i = 0; i < c->n; i++) {
                size_t g = c->guest_order[i], host = run->slots[g].host;
                double time = 0;

                if (host == VSM_PLAN_NO_HOST)
                        continue;

                time = c->lane[VSM_PLAN_PAIR(c, g, host)];
                keys[run->n++] = (Key) {
                        .guest = g,
                        .class = c->class[g],
                        .lane = order == ORDER_LANE ? loads[host] : 0,
                        .time = order == ORDER_SHORTEST ? time : -time,
                        .tie = i,
                };
        }

        qsort(keys, run->n, sizeof(Key), key_compare);
        for (size_t i = 0; i < run->n; i++)
                run->order[i] = keys[i].guest;
}

static void make_lanes(Run *run) {
        for (size_t h = 0; h < run->c->m; h++)
                run->lanes[h].ready = run->c->input->setup;

        for (size_t i = 0; i < run->n; i++) {
                Lane *lane = &run->lanes[run->slots[run->order[i]].host];

                lane->queue[lane->n++] = i;
        }
}

static Work slot_work(const Run *run, size_t guest, size_t host) {
        const VsmPlanGuest *g = &run->c->input->guests[guest];

        return work_of(g->resident, g->dirty_rate, run->c->rate[host], run->slots[guest].method);
}

/* Falls down the chain until it would arrive in time, if it had all that the destination takes. */
static bool find_time(Run *run, size_t guest, size_t host) {
        const VsmChain *chain = &run->c->input->guests[guest].chain;
        VsmPlanSlot *slot = &run->slots[guest];
        double deadline = run->c->input->deadline;
        size_t i = 0;

        while (i < chain->n && chain->methods[i] != slot->method)
                i++;

        for (; i < chain->n && vsm_method_moves(chain->methods[i]); i++) {
                Work work;

                slot->method = chain->methods[i];
                work = slot_work(run, guest, host);
                if (deadline == 0 || run->now + work_time(&work, run->c->rate[host]) <= deadline)
                        return true;
        }

        slot->late = true;
        slot->host = VSM_PLAN_NO_HOST;
        return false;
}

/* Starts the next one of the lane; false: it waits, or there is none. */
static bool lane_start(Run *run, size_t host, double give) {
        Lane *lane = &run->lanes[host];

        while (lane->next < lane->n) {
                size_t position = lane->queue[lane->next], guest = run->order[position];
                Work work;

                if (!find_time(run, guest, host)) {
                        lane->next++;
                        continue;
                }

                work = slot_work(run, guest, host);
                if (give < run->c->rate[host] && give < MAX(START_SHARE * run->c->rate[host], 2 * work.dirty))
                        return false;

                lane->next++;
                lane->runs = true;
                lane->position = position;
                lane->left = work.bytes;
                lane->dirty = work.dirty;
                lane->rate = give;
                lane->ready = run->now + run->c->input->setup;
                run->slots[guest].start = run->now - run->c->input->setup;
                return true;
        }

        return false;
}

static int compare_position(const void *a, const void *b, void *userdata) {
        const Run *run = userdata;
        const Lane *x = &run->lanes[*(const size_t *) a], *y = &run->lanes[*(const size_t *) b];

        return x->position < y->position ? -1 : x->position > y->position;
}

/* Lanes that run, or that have one set up, in the order of their guests. */
static size_t lanes_at_work(Run *run, size_t *ret, bool running) {
        size_t n = 0;

        for (size_t h = 0; h < run->c->m; h++) {
                Lane *lane = &run->lanes[h];

                if (!running && !lane->runs && lane->next < lane->n && lane->ready <= run->now)
                        lane->position = lane->queue[lane->next];
                else if (!running || !lane->runs)
                        continue;

                ret[n++] = h;
        }

        g_qsort_with_data(ret, (int) n, sizeof(*ret), compare_position, run);
        return n;
}

static void share_link(Run *run, size_t *scratch) {
        double left = run->c->link;
        size_t n = lanes_at_work(run, scratch, true);

        for (size_t i = 0; i < n; i++) {
                Lane *lane = &run->lanes[scratch[i]];

                lane->rate = MIN(left, run->c->rate[scratch[i]]);
                left -= lane->rate;
        }

        n = lanes_at_work(run, scratch, false);
        for (size_t i = 0; i < n && left > 0; i++) {
                double give = MIN(left, run->c->rate[scratch[i]]);

                if (lane_start(run, scratch[i], give))
                        left -= give;
        }
}

/* To the next moment at which something changes; false: there is none. */
static bool advance(Run *run) {
        double step = INFINITY;

        for (size_t h = 0; h < run->c->m; h++) {
                const Lane *lane = &run->lanes[h];

                if (lane->runs && lane->rate > lane->dirty)
                        step = MIN(step, lane->left / (lane->rate - lane->dirty) * G_USEC_PER_SEC);
                else if (!lane->runs && lane->next < lane->n && lane->ready > run->now)
                        step = MIN(step, lane->ready - run->now);
        }

        if (!isfinite(step))
                return false;

        run->now += step;
        for (size_t h = 0; h < run->c->m; h++) {
                Lane *lane = &run->lanes[h];
                VsmPlanSlot *slot = lane->runs ? &run->slots[run->order[lane->position]] : NULL;

                if (!lane->runs)
                        continue;

                lane->left -= (lane->rate - lane->dirty) * step / G_USEC_PER_SEC;
                slot->bytes += lane->rate * step / G_USEC_PER_SEC;
                if (lane->left > 0.5)
                        continue;

                slot->end = run->now;
                lane->runs = false;
        }

        return true;
}

static void run_free(Run *run) {
        for (size_t h = 0; h < run->c->m; h++)
                g_free(run->lanes[h].queue);

        g_free(run->lanes);
        g_free(run->order);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_free)

static void simulate(const VsmPlanCase *c, VsmPlanSlot *slots, Order order) {
        g_autofree size_t *scratch = g_new(size_t, c->m + 1), *counts = g_new0(size_t, c->m + 1);
        g_auto(Run) run = {
                .c = c, .slots = slots, .order = g_new(size_t, c->n + 1), .lanes = g_new0(Lane, c->m + 1),
                .now = c->input->setup,
        };

        for (size_t g = 0; g < c->n; g++)
                if (slots[g].host != VSM_PLAN_NO_HOST)
                        counts[slots[g].host]++;
        for (size_t h = 0; h < c->m; h++)
                run.lanes[h].queue = g_new(size_t, counts[h] + 1);

        make_order(&run, order);
        make_lanes(&run);

        do
                share_link(&run, scratch);
        while (advance(&run));
}

/* The one of those that come too late, because they ran at less than they were counted on with, that is needed
 * least: it stays. */
static bool drop_late(const VsmPlanCase *c, const VsmPlanSlot *slots, size_t *hosts) {
        size_t worst = VSM_PLAN_NO_HOST;

        for (size_t i = 0; c->input->deadline > 0 && i < c->n; i++) {
                size_t g = c->guest_order[i];

                if (hosts[g] == VSM_PLAN_NO_HOST || slots[g].host == VSM_PLAN_NO_HOST ||
                    slots[g].end <= (double) c->input->deadline + 1)
                        continue;

                if (worst == VSM_PLAN_NO_HOST || c->class[g] > c->class[worst] ||
                    (c->class[g] == c->class[worst] && slots[g].end > slots[worst].end))
                        worst = g;
        }

        if (worst == VSM_PLAN_NO_HOST)
                return false;

        hosts[worst] = VSM_PLAN_NO_HOST;
        return true;
}

/* The rest is tried anew without it; when that goes on for long, without more of them. */
static bool drop_some(const VsmPlanCase *c, const VsmPlanSlot *slots, size_t *hosts, unsigned round) {
        size_t most = (size_t) 1 << MIN(round / 4, 16), n = 0;

        while (n < most && drop_late(c, slots, hosts))
                n++;

        return n > 0;
}

static VsmPlanSlot* schedule_by(const VsmPlanCase *c, const size_t *wanted, Order order) {
        g_autofree size_t *hosts = g_memdup2(wanted, c->n * sizeof(*wanted));
        VsmPlanSlot *slots = g_new(VsmPlanSlot, c->n + 1);
        unsigned round = 0;

        do {
                for (size_t g = 0; g < c->n; g++)
                        slots[g] = (VsmPlanSlot) {
                                .host = hosts[g],
                                .method = hosts[g] == VSM_PLAN_NO_HOST ? VSM_METHOD_LEAVE
                                                                       : c->method[VSM_PLAN_PAIR(c, g, hosts[g])],
                                .late = hosts[g] == VSM_PLAN_NO_HOST && wanted[g] != VSM_PLAN_NO_HOST,
                        };

                simulate(c, slots, order);
        } while (drop_some(c, slots, hosts, round++));

        return slots;
}

double vsm_plan_makespan(const VsmPlanCase *c, const VsmPlanSlot *slots) {
        double makespan = 0;

        for (size_t g = 0; g < c->n; g++)
                if (slots[g].host != VSM_PLAN_NO_HOST)
                        makespan = MAX(makespan, slots[g].end);

        return makespan;
}

size_t vsm_plan_late(const VsmPlanCase *c, const VsmPlanSlot *slots) {
        size_t n = 0;

        for (size_t g = 0; g < c->n; g++)
                n += slots[g].late;

        return n;
}

VsmPlanSlot* vsm_plan_schedule(const VsmPlanCase *c, const size_t *hosts) {
        g_autofree VsmPlanSlot *best = schedule_by(c, hosts, ORDER_SHORTEST);

        /* shortest first is best while it costs nothing: when the run is cut short, most guests are gone */
        for (Order order = ORDER_SHORTEST + 1; order < _ORDER_MAX; order++) {
                g_autofree VsmPlanSlot *other = schedule_by(c, hosts, order);
                size_t late = vsm_plan_late(c, best), other_late = vsm_plan_late(c, other);

                if (other_late < late ||
                    (other_late == late && vsm_plan_makespan(c, other) < 0.999 * vsm_plan_makespan(c, best))) {
                        g_free(best);
                        best = g_steal_pointer(&other);
                }
        }

        return g_steal_pointer(&best);
}

/* ---- the bound ---- */

double vsm_plan_bound(const VsmPlanCase *c, const VsmPlanSlot *slots) {
        g_autofree bool *wanted = g_new0(bool, c->m + 1);
        g_autofree double *only = g_new0(double, c->m + 1);
        double source = 0, longest = 0, forced = 0, bytes = 0, rates = 0;
        bool any = false;

        for (size_t i = 0; i < c->n; i++) {
                size_t g = c->guest_order[i], n = 0, last = 0;
                const VsmPlanGuest *guest = &c->input->guests[g];
                double least = INFINITY, quickest = INFINITY;

                if (slots[g].host == VSM_PLAN_NO_HOST)
                        continue;

                for (size_t h = 0; h < c->m; h++) {
                        Work work = work_of(guest->resident, guest->dirty_rate, c->rate[h], slots[g].method);
                        double time = work_time(&work, c->rate[h]);

                        if (!c->possible[VSM_PLAN_PAIR(c, g, h)])
                                continue;

                        least = MIN(least, time * c->rate[h]);
                        quickest = MIN(quickest, time);
                        wanted[h] = true;
                        last = h;
                        n++;
                }

                any = true;
                source += least / c->link;
                bytes += least;
                longest = MAX(longest, quickest);
                if (n == 1)
                        only[last] += quickest;
        }

        for (size_t h = 0; h < c->m; h++) {
                rates += wanted[h] ? c->rate[h] : 0;
                forced = MAX(forced, only[h]);
        }

        return any ? MAX(MAX(source, longest), MAX(forced, bytes / rates)) + c->input->setup : 0;
}
