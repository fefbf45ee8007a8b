/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plans of small cases against all that is possible, and of generated fleets against the bound. */

#include <string.h>

#include "plan-fleet.h"

#define MIB (UINT64_C(1) << 20)
#define LINK (100 * MIB)
#define SECOND UINT64_C(1000000)

static const VsmPlanEntry* entry_of(const VsmPlan *plan, size_t guest) {
        for (size_t i = 0; i < plan->n; i++)
                if (plan->entries[i].guest == guest)
                        return &plan->entries[i];

        g_assert_not_reached();
}

/* ---- against all that is possible ---- */

#define MANY 12

typedef struct Random {
        VsmPlanGuest guests[MANY];
        VsmPlanHost hosts[4];
        VsmPlanInput input;
        char names[MANY + 4][8];
        const char *groups[4][2];
        bool refused[MANY][4];
        GVariant *against;
} Random;

static GVariant* random_objection(size_t guest, size_t host, void *userdata) {
        Random *random = userdata;

        return random->refused[guest][host] ? random->against : NULL;
}

static void random_make(Random *r, GRand *rand, bool narrow) {
        static const size_t most[] = { 0, MANY, MANY, 8, 6 };
        size_t m = g_rand_int_range(rand, 1, 5), n = g_rand_int_range(rand, 2, (int) most[m] + 1);
        double total = 0;

        for (size_t g = 0; g < n; g++) {
                uint64_t memory = g_rand_int_range(rand, 200, 1000) * MIB;

                g_snprintf(r->names[g], sizeof(r->names[g]), "g%zu", g);
                r->guests[g] = (VsmPlanGuest) {
                        .uuid = r->names[g], .name = r->names[g], .memory = memory, .resident = memory,
                        .dirty_rate = (uint64_t) (LINK / 20 * g_rand_double(rand)),
                        .priority = g_rand_int_range(rand, 0, 4) == 0 ? 10 : 100,
                        .group = g_rand_int_range(rand, 0, 4) == 0 ? "group" : NULL,
                        .chain = vsm_chain_default(),
                };
                total += memory;
        }

        for (size_t h = 0; h < m; h++) {
                g_snprintf(r->names[MANY + h], sizeof(r->names[0]), "h%zu", h);
                r->groups[h][0] = g_rand_int_range(rand, 0, 6) == 0 ? "group" : NULL;
                r->hosts[h] = (VsmPlanHost) {
                        .name = r->names[MANY + h], .priority = 100, .groups = r->groups[h],
                        .memory = (uint64_t) (total / m * g_rand_double_range(rand, 0.8, 1.5)),
                        .link_rate = narrow ? (uint64_t) (LINK / m * g_rand_double_range(rand, 0.5, 1)) : 0,
                };
                for (size_t g = 0; g < n; g++)
                        r->refused[g][h] = g_rand_int_range(rand, 0, 10) == 0;
        }

        r->input = (VsmPlanInput) {
                .guests = r->guests, .n_guests = n, .hosts = r->hosts, .n_hosts = m, .link_rate = LINK,
                .disk_rate = LINK, .objection = random_objection, .userdata = r,
        };
}

/* What is missing of those that come first, and of the others; bytes of that; and the time. */
typedef struct Best {
        size_t first, others;
        uint64_t left;
        double time;
} Best;

static bool better(const Best *a, const Best *b) {
        if (a->first != b->first)
                return a->first < b->first;
        if (a->others != b->others)
                return a->others < b->others;
        if (a->left != b->left)
                return a->left < b->left;

        return a->time < b->time;
}

static double rate_of(const Random *r, size_t h) {
        return r->hosts[h].link_rate > 0 ? r->hosts[h].link_rate : LINK;
}

static bool may_go(const Random *r, const size_t *hosts, size_t g, size_t h) {
        double used = r->guests[g].memory;

        if (r->refused[g][h] || (r->guests[g].group && r->hosts[h].groups[0]))
                return false;

        for (size_t i = 0; i < g; i++)
                if (hosts[i] == h) {
                        used += r->guests[i].memory;
                        if (r->guests[i].group && r->guests[g].group)
                                return false;
                }

        return used <= r->hosts[h].memory;
}

static Best measure(const Random *r, const size_t *hosts) {
        double loads[4] = {}, source = 0;
        Best best = {};

        for (size_t g = 0; g < r->input.n_guests; g++) {
                const VsmPlanGuest *guest = &r->guests[g];

                if (hosts[g] == VSM_PLAN_NO_HOST) {
                        *(guest->priority == 10 ? &best.first : &best.others) += 1;
                        best.left += guest->memory;
                } else {
                        double rate = rate_of(r, hosts[g]), time = guest->resident / (rate - guest->dirty_rate);

                        loads[hosts[g]] += time;
                        source += time * rate / LINK;
                }
        }

        best.time = source;
        for (size_t h = 0; h < 4; h++)
                best.time = MAX(best.time, loads[h]);
        return best;
}

static void all(const Random *r, size_t *hosts, size_t g, Best *best) {
        if (g == r->input.n_guests) {
                Best this = measure(r, hosts);

                if (better(&this, best))
                        *best = this;
                return;
        }

        for (size_t h = 0; h < r->input.n_hosts; h++)
                if (may_go(r, hosts, g, h)) {
                        hosts[g] = h;
                        all(r, hosts, g + 1, best);
                }

        hosts[g] = VSM_PLAN_NO_HOST;
        all(r, hosts, g + 1, best);
}

static void check_random(const Random *r) {
        g_autoptr(VsmPlan) plan = vsm_plan_make(&r->input);
        size_t hosts[MANY], scratch[MANY];
        Best best = { .first = SIZE_MAX }, planned;

        for (size_t g = 0; g < r->input.n_guests; g++) {
                hosts[g] = entry_of(plan, g)->host;
                if (hosts[g] != VSM_PLAN_NO_HOST)
                        g_assert_true(may_go(r, hosts, g, hosts[g]));
        }

        all(r, scratch, 0, &best);
        planned = measure(r, hosts);
        g_assert_cmpuint(planned.first, ==, best.first);
        g_assert_cmpuint(planned.others, ==, best.others);
        g_assert_cmpuint(planned.left, ==, best.left);
        g_assert_cmpfloat(planned.time, <=, best.time * 1.0011);

        /* and the schedule is as good as the placement: no lane ever waits for another here */
        g_assert_cmpfloat(plan->makespan / 1e6, <=, planned.time + 0.001);
        g_assert_cmpuint(plan->bound, <=, plan->makespan + 1);
}

static void test_exact(void) {
        g_autoptr(GVariant) against =
                g_variant_ref_sink(g_variant_new_parsed("[{'MessageID': <'host-not-allowed'>}]"));
        GRand *rand = g_rand_new_with_seed(FLEET_SEED);

        for (unsigned i = 0; i < 300; i++) {
                Random random = { .against = against };

                random_make(&random, rand, i % 2 == 0);
                check_random(&random);
        }

        g_rand_free(rand);
}

/* ---- the same plan, however things are listed ---- */

static void reverse(void *list, size_t n, size_t size) {
        for (size_t i = 0; i < n / 2; i++) {
                char scratch[256];
                char *a = (char *) list + i * size, *b = (char *) list + (n - 1 - i) * size;

                g_assert_cmpuint(size, <=, sizeof(scratch));
                memcpy(scratch, a, size);
                memcpy(a, b, size);
                memcpy(b, scratch, size);
        }
}

static void test_determinism(void) {
        g_autoptr(Fleet) fleet = fleet_new(FLEET_SEED, 1);
        VsmPlanInput *input = fleet_input(fleet), other = *input;
        g_autofree VsmPlanGuest *guests = g_memdup2(input->guests, input->n_guests * sizeof(VsmPlanGuest));
        g_autofree VsmPlanHost *hosts = g_memdup2(input->hosts, input->n_hosts * sizeof(VsmPlanHost));
        g_autoptr(VsmPlan) one = NULL, two = NULL;

        input->objection = other.objection = NULL;
        input->deadline = other.deadline = 3000 * SECOND;
        reverse(guests, input->n_guests, sizeof(VsmPlanGuest));
        reverse(hosts, input->n_hosts, sizeof(VsmPlanHost));
        other.guests = guests;
        other.hosts = hosts;

        one = vsm_plan_make(input);
        two = vsm_plan_make(&other);
        g_assert_cmpuint(one->makespan, ==, two->makespan);
        g_assert_cmpuint(one->bound, ==, two->bound);

        for (size_t i = 0; i < one->n; i++) {
                const VsmPlanEntry *a = &one->entries[i], *b = &two->entries[i];

                g_assert_cmpstr(input->guests[a->guest].name, ==, guests[b->guest].name);
                g_assert_cmpint(a->method, ==, b->method);
                g_assert_cmpuint(a->start, ==, b->start);
                g_assert_cmpvariant(a->reasons, b->reasons);
                g_assert_true((a->host == VSM_PLAN_NO_HOST) == (b->host == VSM_PLAN_NO_HOST));
                if (a->host != VSM_PLAN_NO_HOST)
                        g_assert_cmpstr(input->hosts[a->host].name, ==, hosts[b->host].name);
        }
}

/* ---- fleets ---- */

/* Nothing is given twice. */
static void check_room(const VsmPlanInput *input, const VsmPlan *plan) {
        for (size_t h = 0; h < input->n_hosts; h++) {
                g_autoptr(GHashTable) groups = g_hash_table_new(g_str_hash, g_str_equal);
                uint64_t memory = 0, pages = 0;

                for (const char *const *p = input->hosts[h].groups; p && *p; p++)
                        g_hash_table_add(groups, (void *) *p);

                for (size_t i = 0; i < plan->n; i++) {
                        const VsmPlanGuest *guest = &input->guests[plan->entries[i].guest];

                        if (plan->entries[i].host != h)
                                continue;

                        *(guest->page_size > 0 ? &pages : &memory) += guest->memory;
                        if (guest->group)
                                g_assert_true(g_hash_table_add(groups, (void *) guest->group));
                }

                g_assert_cmpuint(memory, <=, input->hosts[h].memory);
                if (pages > 0)
                        g_assert_cmpuint(pages, <=, input->hosts[h].pages[0].available);
        }
}

static void test_fleets(void) {
        for (unsigned kind = 0; kind < FLEET_KINDS; kind++) {
                g_autoptr(Fleet) fleet = fleet_new(FLEET_SEED, kind);
                const VsmPlanInput *input = fleet_input(fleet);
                g_autoptr(VsmPlan) plan = vsm_plan_make(input);
                size_t moves = 0;

                check_room(input, plan);
                for (size_t i = 0; i < plan->n; i++) {
                        moves += plan->entries[i].host != VSM_PLAN_NO_HOST;
                        g_assert_cmpuint(plan->entries[i].duration, <=, plan->bound / 20);
                }

                g_assert_cmpuint(moves, ==, FLEET_GUESTS);
                g_assert_cmpuint(fleet_most_asked(fleet), ==, 1);
                g_assert_cmpfloat((double) plan->makespan / plan->bound, <=, 1.05);
                g_assert_cmpuint(plan->bound, <=, plan->makespan + 1);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/plan-search/exact", test_exact);
        g_test_add_func("/plan-search/determinism", test_determinism);
        g_test_add_func("/plan-search/fleets", test_fleets);
        return g_test_run();
}
