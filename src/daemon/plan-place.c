/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which guest goes where: bin packing of memory, huge pages and groups, by several greedy rules of which the best
 * result counts; then what plan-search.c does better. Guests of a lower priority number choose first. The result
 * depends on names and numbers only, not on the order in which things were listed. Pure. */

#include <string.h>

#include "daemon/plan-private.h"

VsmPlanRoom* vsm_plan_room_new(const VsmPlanCase *c) {
        VsmPlanRoom *room = g_new0(VsmPlanRoom, 1);

        room->memory = g_new(uint64_t, c->m + 1);
        room->pages = g_new0(uint64_t *, c->m + 1);
        room->groups = g_memdup2(c->group_there, (c->m * c->n_groups + 1) * sizeof(bool));
        room->load = g_new0(double, c->m + 1);

        for (size_t h = 0; h < c->m; h++) {
                const VsmPlanPages *pages = c->input->hosts[h].pages;
                size_t n = 0;

                room->memory[h] = c->input->hosts[h].memory;
                while (pages && pages[n].size > 0)
                        n++;

                room->pages[h] = g_new(uint64_t, n + 1);
                for (size_t i = 0; i < n; i++)
                        room->pages[h][i] = pages[i].available;
        }

        room->pages[c->m] = NULL;
        return room;
}

void vsm_plan_room_free(VsmPlanRoom *room) {
        if (!room)
                return;

        for (uint64_t **pages = room->pages; *pages; pages++)
                g_free(*pages);

        g_free(room->pages);
        g_free(room->memory);
        g_free(room->groups);
        g_free(room->load);
        g_free(room);
}

uint64_t* vsm_plan_room_of(const VsmPlanCase *c, const VsmPlanRoom *room, size_t guest, size_t host) {
        const VsmPlanPages *pages = c->input->hosts[host].pages;
        uint64_t size = c->input->guests[guest].page_size;

        if (size == 0)
                return &room->memory[host];

        for (size_t i = 0; pages && pages[i].size > 0; i++)
                if (pages[i].size == size)
                        return &room->pages[host][i];

        return NULL;
}

bool vsm_plan_room_fits(const VsmPlanCase *c, const VsmPlanRoom *room, size_t guest, size_t host) {
        const uint64_t *left = NULL;

        if (!c->possible[VSM_PLAN_PAIR(c, guest, host)])
                return false;
        if (c->group[guest] > 0 && room->groups[host * c->n_groups + c->group[guest]])
                return false;

        left = vsm_plan_room_of(c, room, guest, host);
        return left && c->input->guests[guest].memory <= *left;
}

static void change(const VsmPlanCase *c, VsmPlanRoom *room, size_t guest, size_t host, bool put) {
        uint64_t *left = vsm_plan_room_of(c, room, guest, host);
        size_t pair = VSM_PLAN_PAIR(c, guest, host);

        *left = put ? *left - c->input->guests[guest].memory : *left + c->input->guests[guest].memory;
        room->load[host] += put ? c->lane[pair] : -c->lane[pair];
        room->source += put ? c->source[pair] : -c->source[pair];
        if (c->group[guest] > 0)
                room->groups[host * c->n_groups + c->group[guest]] = put;
}

void vsm_plan_room_put(const VsmPlanCase *c, VsmPlanRoom *room, size_t guest, size_t host) {
        change(c, room, guest, host, true);
}

void vsm_plan_room_take(const VsmPlanCase *c, VsmPlanRoom *room, size_t guest, size_t host) {
        change(c, room, guest, host, false);
}

/* ---- greedy rules ---- */

typedef enum {
        CHOICE_ROOM,                    /* the host with most room: the guests may grow */
        CHOICE_LANE,                    /* the host that is done first */
        CHOICE_FIT,                     /* the host with least room that does: leaves room for big ones */
        _CHOICE_MAX,
} Choice;

typedef enum {
        ORDER_TIME,                     /* those that take longest first */
        ORDER_MEMORY,                   /* the biggest first */
        ORDER_FEW,                      /* those with the fewest hosts first, then the biggest */
        _ORDER_MAX,
} Order;

typedef struct Key {
        size_t guest, class, few, tie;
        double size;
} Key;

static int key_compare(const void *a, const void *b) {
        const Key *x = a, *y = b;

        if (x->class != y->class)
                return x->class < y->class ? -1 : 1;
        if (x->few != y->few)
                return x->few < y->few ? -1 : 1;
        if (x->size != y->size)
                return x->size > y->size ? -1 : 1;

        return x->tie < y->tie ? -1 : 1;
}

/* Guests that can go at all. */
static size_t make_order(const VsmPlanCase *c, Order order, size_t *ret) {
        g_autofree Key *keys = g_new(Key, c->n + 1);
        size_t n = 0;

        for (size_t i = 0; i < c->n; i++) {
                size_t g = c->guest_order[i], hosts = 0;
                double longest = 0;

                for (size_t h = 0; h < c->m; h++)
                        if (c->possible[VSM_PLAN_PAIR(c, g, h)]) {
                                longest = MAX(longest, c->lane[VSM_PLAN_PAIR(c, g, h)]);
                                hosts++;
                        }

                if (hosts > 0)
                        keys[n++] = (Key) {
                                .guest = g,
                                .class = c->class[g],
                                .few = order == ORDER_FEW ? hosts : 0,
                                .size = order == ORDER_TIME ? longest : c->input->guests[g].memory,
                                .tie = i,
                        };
        }

        qsort(keys, n, sizeof(Key), key_compare);
        for (size_t i = 0; i < n; i++)
                ret[i] = keys[i].guest;

        return n;
}

/* Hosts come by priority and name: the first of equals wins. */
static size_t choose(const VsmPlanCase *c, const VsmPlanRoom *room, size_t guest, Choice choice, bool preferences) {
        size_t best = VSM_PLAN_NO_HOST;
        double best_first = 0, best_second = 0;

        for (size_t i = 0; i < c->m; i++) {
                size_t host = c->host_order[i];
                double left, done, first, second;

                if (best != VSM_PLAN_NO_HOST && preferences && c->rank[host] > c->rank[best])
                        break;
                if (!vsm_plan_room_fits(c, room, guest, host))
                        continue;

                left = *vsm_plan_room_of(c, room, guest, host);
                done = room->load[host] + c->lane[VSM_PLAN_PAIR(c, guest, host)];
                first = choice == CHOICE_LANE ? done : choice == CHOICE_ROOM ? -left : left;
                second = choice == CHOICE_LANE ? -left : done;

                if (best == VSM_PLAN_NO_HOST || first < best_first ||
                    (first <= best_first && second < best_second)) {
                        best = host;
                        best_first = first;
                        best_second = second;
                }
        }

        return best;
}

static double room_time(const VsmPlanCase *c, const VsmPlanRoom *room) {
        double time = room->source;

        for (size_t h = 0; h < c->m; h++)
                time = MAX(time, room->load[h]);

        return time;
}

static VsmPlanScore score_of(const VsmPlanCase *c, const VsmPlanRoom *room, const size_t *hosts, bool preferences) {
        VsmPlanScore score = { .missing = g_new0(size_t, c->n_classes + 1), .time = room_time(c, room) };

        for (size_t i = 0; i < c->n; i++) {
                size_t g = c->guest_order[i];

                if (hosts[g] == VSM_PLAN_NO_HOST) {
                        score.missing[c->class[g]]++;
                        score.left += c->input->guests[g].memory;
                } else if (preferences)
                        score.preference += c->rank[hosts[g]];
        }

        return score;
}

int vsm_plan_score_compare(const VsmPlanCase *c, const VsmPlanScore *a, const VsmPlanScore *b) {
        for (size_t i = 0; i < c->n_classes; i++)
                if (a->missing[i] != b->missing[i])
                        return a->missing[i] < b->missing[i] ? -1 : 1;

        if (a->left < b->left || a->left > b->left)
                return a->left < b->left ? -1 : 1;
        if (a->preference != b->preference)
                return a->preference < b->preference ? -1 : 1;

        /* less than one thousandth is no difference: sums of doubles, and rates that are estimates */
        return a->time < b->time * 0.999 ? -1 : a->time * 0.999 > b->time;
}

static size_t* place_by(const VsmPlanCase *c, Order order, Choice choice, bool preferences, VsmPlanScore *ret) {
        g_autoptr(VsmPlanRoom) room = vsm_plan_room_new(c);
        g_autofree size_t *guests = g_new(size_t, c->n + 1);
        size_t *hosts = g_new(size_t, c->n + 1);
        size_t n = make_order(c, order, guests), missing = 0;

        for (size_t g = 0; g < c->n; g++)
                hosts[g] = VSM_PLAN_NO_HOST;

        for (size_t i = 0; i < n; i++) {
                size_t host = choose(c, room, guests[i], choice, preferences);

                hosts[guests[i]] = host;
                if (host != VSM_PLAN_NO_HOST)
                        vsm_plan_room_put(c, room, guests[i], host);
                else
                        missing++;
        }

        if (missing > 0)
                vsm_plan_repair(c, room, hosts);
        if (choice == CHOICE_LANE)
                vsm_plan_relieve(c, room, hosts, preferences);

        *ret = score_of(c, room, hosts, preferences);
        return hosts;
}

size_t* vsm_plan_place(const VsmPlanCase *c, bool preferences) {
        VsmPlanScore best_score = {};
        size_t *best = NULL;

        for (Choice choice = 0; choice < _CHOICE_MAX; choice++)
                for (Order order = 0; order < _ORDER_MAX; order++) {
                        VsmPlanScore score = {};
                        size_t *hosts = place_by(c, order, choice, preferences, &score);

                        if (best && vsm_plan_score_compare(c, &score, &best_score) >= 0) {
                                g_free(score.missing);
                                g_free(hosts);
                                continue;
                        }

                        g_free(best_score.missing);
                        g_free(best);
                        best_score = score;
                        best = hosts;
                }

        if (c->n <= VSM_PLAN_EXACT_MAX)
                vsm_plan_exact(c, preferences, best, &best_score);

        g_free(best_score.missing);
        return best;
}
