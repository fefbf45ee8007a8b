/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where the greedy rules of plan-place.c end badly: one guest moved on makes room for another, lanes are evened
 * out, and a dozen guests are tried in every way. Everything is bounded by a number of steps, not by a clock, so
 * that the plan stays the same on a slow host. Pure. */

#include "daemon/plan-private.h"

#define REPAIR_STEPS 500000
#define RELIEVE_STEPS 200
#define EXACT_NODES 500000

/* ---- making room ---- */

/* Moves one guest of host on, so that guest fits there. */
static bool make_room(const VsmPlanCase *c, VsmPlanRoom *room, size_t *hosts, size_t guest, size_t host,
                      size_t *steps) {

        *steps += c->n / 8; /* to look who is there */
        for (size_t i = c->n; i-- > 0;) {
                size_t other = c->guest_order[i];

                if (hosts[other] != host)
                        continue;

                vsm_plan_room_take(c, room, other, host);

                for (size_t k = 0; k < c->m && vsm_plan_room_fits(c, room, guest, host); k++) {
                        size_t elsewhere = c->host_order[k];

                        (*steps)++;
                        if (elsewhere == host || !vsm_plan_room_fits(c, room, other, elsewhere))
                                continue;

                        vsm_plan_room_put(c, room, other, elsewhere);
                        vsm_plan_room_put(c, room, guest, host);
                        hosts[other] = elsewhere;
                        hosts[guest] = host;
                        return true;
                }

                vsm_plan_room_put(c, room, other, host);
                (*steps)++;
        }

        return false;
}

void vsm_plan_repair(const VsmPlanCase *c, VsmPlanRoom *room, size_t *hosts) {
        size_t steps = 0;

        for (size_t i = 0; i < c->n; i++) {
                size_t guest = c->guest_order[i];

                if (hosts[guest] != VSM_PLAN_NO_HOST)
                        continue;

                for (size_t k = 0; k < c->m && steps < REPAIR_STEPS; k++) {
                        size_t host = c->host_order[k];

                        if (c->possible[VSM_PLAN_PAIR(c, guest, host)] &&
                            make_room(c, room, hosts, guest, host, &steps))
                                break;
                }
        }
}

/* ---- evening out ---- */

typedef struct Step {
        size_t guest, host;             /* from the longest lane, to where */
        size_t back;                    /* a guest that comes in exchange, or VSM_PLAN_NO_HOST */
        double longest;                 /* of the two lanes afterwards */
} Step;

static void try_step(const VsmPlanCase *c, VsmPlanRoom *room, const size_t *hosts, Step step, Step *best) {
        size_t from = hosts[step.guest];
        bool back = step.back != VSM_PLAN_NO_HOST;

        step.longest = room->load[step.host] + c->lane[VSM_PLAN_PAIR(c, step.guest, step.host)];
        if (back)
                step.longest -= c->lane[VSM_PLAN_PAIR(c, step.back, step.host)];
        if (step.longest >= best->longest)
                return;

        vsm_plan_room_take(c, room, step.guest, from);
        if (back)
                vsm_plan_room_take(c, room, step.back, step.host);

        if (vsm_plan_room_fits(c, room, step.guest, step.host) &&
            (!back || vsm_plan_room_fits(c, room, step.back, from))) {
                double left = room->load[from] + (back ? c->lane[VSM_PLAN_PAIR(c, step.back, from)] : 0);

                step.longest = MAX(step.longest, left);
                if (step.longest < best->longest)
                        *best = step;
        }

        if (back)
                vsm_plan_room_put(c, room, step.back, step.host);
        vsm_plan_room_put(c, room, step.guest, from);
}

static Step find_step(const VsmPlanCase *c, VsmPlanRoom *room, const size_t *hosts, size_t from, bool preferences) {
        Step best = { .guest = VSM_PLAN_NO_HOST, .longest = room->load[from] * 0.999 };

        for (size_t i = 0; i < c->n; i++) {
                size_t guest = c->guest_order[i];

                if (hosts[guest] != from)
                        continue;

                for (size_t k = 0; k < c->m; k++) {
                        size_t h = c->host_order[k];

                        if (h != from && c->possible[VSM_PLAN_PAIR(c, guest, h)] &&
                            (!preferences || c->rank[h] <= c->rank[from]))
                                try_step(c, room, hosts, (Step) { guest, h, VSM_PLAN_NO_HOST, 0 }, &best);
                }

                for (size_t k = 0; k < c->n; k++) {
                        size_t other = c->guest_order[k], h = hosts[other];

                        if (h != VSM_PLAN_NO_HOST && h != from && c->possible[VSM_PLAN_PAIR(c, guest, h)] &&
                            c->possible[VSM_PLAN_PAIR(c, other, from)])
                                try_step(c, room, hosts, (Step) { guest, h, other, 0 }, &best);
                }
        }

        return best;
}

void vsm_plan_relieve(const VsmPlanCase *c, VsmPlanRoom *room, size_t *hosts, bool preferences) {
        for (unsigned i = 0; i < RELIEVE_STEPS; i++) {
                size_t from = c->m > 0 ? c->host_order[0] : 0;
                Step step;

                for (size_t k = 1; k < c->m; k++)
                        if (room->load[c->host_order[k]] > room->load[from])
                                from = c->host_order[k];

                if (c->m == 0 || room->load[from] <= MAX(room->source, c->bound))
                        return;

                step = find_step(c, room, hosts, from, preferences);
                if (step.guest == VSM_PLAN_NO_HOST)
                        return;

                vsm_plan_room_take(c, room, step.guest, from);
                if (step.back != VSM_PLAN_NO_HOST) {
                        vsm_plan_room_take(c, room, step.back, step.host);
                        vsm_plan_room_put(c, room, step.back, from);
                        hosts[step.back] = from;
                }
                vsm_plan_room_put(c, room, step.guest, step.host);
                hosts[step.guest] = step.host;
        }
}

/* ---- every way ---- */

typedef struct Search {
        const VsmPlanCase *c;
        bool preferences;
        VsmPlanRoom *room;
        VsmPlanScore score;             /* so far: never better than what comes of it */
        VsmPlanScore *best;
        size_t *hosts, *best_hosts;
        unsigned nodes;

        /* what the guests from the i-th of the order on add at least, if all go */
        size_t rest_rank[VSM_PLAN_EXACT_MAX + 1];
        double rest_source[VSM_PLAN_EXACT_MAX + 1];
        double rest_bytes[VSM_PLAN_EXACT_MAX + 1];
        double bytes, rates;
} Search;

static void search_rest(Search *search) {
        const VsmPlanCase *c = search->c;

        for (size_t i = c->n; i-- > 0;) {
                size_t g = c->guest_order[i], rank = SIZE_MAX;
                double source = G_MAXDOUBLE, bytes = G_MAXDOUBLE;

                for (size_t h = 0; h < c->m; h++) {
                        size_t pair = VSM_PLAN_PAIR(c, g, h);

                        if (!c->possible[pair])
                                continue;

                        rank = MIN(rank, search->preferences ? c->rank[h] : 0);
                        source = MIN(source, c->source[pair]);
                        bytes = MIN(bytes, c->lane[pair] * c->rate[h]);
                }

                search->rest_rank[i] = search->rest_rank[i + 1] + (rank == SIZE_MAX ? 0 : rank);
                search->rest_source[i] = search->rest_source[i + 1] + (rank == SIZE_MAX ? 0 : source);
                search->rest_bytes[i] = search->rest_bytes[i + 1] + (rank == SIZE_MAX ? 0 : bytes);
        }

        for (size_t h = 0; h < c->m; h++)
                search->rates += c->rate[h];
}

/* Whether something better than the best can come of this. The rest counts as if all of it went: when one of it does
 * not, that alone makes it worse than a best that misses as many as are missing now. */
static bool search_hopeful(const Search *search, size_t i) {
        VsmPlanScore score = search->score;

        score.preference += search->rest_rank[i];
        score.time = MAX(search->room->source + search->rest_source[i],
                         (search->bytes + search->rest_bytes[i]) / search->rates);
        for (size_t h = 0; h < search->c->m; h++)
                score.time = MAX(score.time, search->room->load[h]);

        return vsm_plan_score_compare(search->c, &score, search->best) < 0;
}

static void search_keep(Search *search) {
        const VsmPlanCase *c = search->c;
        double time = search->room->source;

        for (size_t h = 0; h < c->m; h++)
                time = MAX(time, search->room->load[h]);

        for (size_t i = 0; i < c->n_classes; i++)
                search->best->missing[i] = search->score.missing[i];
        search->best->left = search->score.left;
        search->best->preference = search->score.preference;
        search->best->time = time;

        for (size_t g = 0; g < c->n; g++)
                search->best_hosts[g] = search->hosts[g];
}

static void search_from(Search *search, size_t i) {
        const VsmPlanCase *c = search->c;
        size_t guest = i < c->n ? c->guest_order[i] : 0;

        if (search->nodes++ > EXACT_NODES || !search_hopeful(search, i))
                return;

        if (i == c->n) {
                search_keep(search);
                return;
        }

        for (size_t k = 0; k < c->m; k++) {
                size_t host = c->host_order[k], rank = search->preferences ? c->rank[host] : 0;
                double bytes = c->lane[VSM_PLAN_PAIR(c, guest, host)] * c->rate[host];

                if (!vsm_plan_room_fits(c, search->room, guest, host))
                        continue;

                vsm_plan_room_put(c, search->room, guest, host);
                search->hosts[guest] = host;
                search->score.preference += rank;
                search->bytes += bytes;
                search_from(search, i + 1);
                search->bytes -= bytes;
                search->score.preference -= rank;
                vsm_plan_room_take(c, search->room, guest, host);
        }

        search->hosts[guest] = VSM_PLAN_NO_HOST;
        search->score.missing[c->class[guest]]++;
        search->score.left += c->input->guests[guest].memory;
        search_from(search, i + 1);
        search->score.left -= c->input->guests[guest].memory;
        search->score.missing[c->class[guest]]--;
}

void vsm_plan_exact(const VsmPlanCase *c, bool preferences, size_t *hosts, VsmPlanScore *score) {
        g_autoptr(VsmPlanRoom) room = vsm_plan_room_new(c);
        g_autofree size_t *missing = g_new0(size_t, c->n_classes + 1), *now = g_new(size_t, c->n + 1);
        Search search = {
                .c = c, .preferences = preferences, .room = room, .score.missing = missing, .best = score,
                .hosts = now, .best_hosts = hosts,
        };

        g_assert(c->n <= VSM_PLAN_EXACT_MAX);
        if (c->m == 0)
                return;

        search_rest(&search);
        search_from(&search, 0);
}
