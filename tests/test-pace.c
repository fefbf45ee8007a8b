/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pace of an evacuation, alone and on a small model of links: streams share what they share fairly, guests write,
 * moves take their time to be set up. */

#include <math.h>
#include <string.h>

#include "daemon/pace.h"

#define SECOND ((uint64_t) G_USEC_PER_SEC)
#define MB 1000000.0
#define TOKEN (0.1 * MB)
#define TICK 0.02
#define LANES 3
#define FINISH 0.3 /* from the last byte to the end */
#define SAMPLE 0.25 /* between two samples of one move */

/* ---- steps ---- */

static VsmPaceStep next(VsmPace *pace, const VsmPaceMove *moves, size_t n, unsigned waiting, uint64_t now) {
        return vsm_pace_next(pace, moves, n, &waiting, 1, 0, now);
}

static void test_one_owns(void) {
        g_autoptr(VsmPace) pace = vsm_pace_new(10);
        VsmPaceMove moves[3] = { { .job = 1 }, { .job = 2, .held = true }, { .job = 3, .held = true } };
        VsmPaceStep step = next(pace, NULL, 0, 5, SECOND);

        g_assert_cmpint(step.what, ==, VSM_PACE_START);
        g_assert_false(step.held);

        /* one beside it once that one moves, held; not a third */
        g_assert_cmpint(next(pace, moves, 1, 4, SECOND).what, ==, VSM_PACE_NOTHING);
        moves[0].transferring = true;
        step = next(pace, moves, 1, 4, SECOND);
        g_assert_cmpint(step.what, ==, VSM_PACE_START);
        g_assert_true(step.held);
        g_assert_cmpint(next(pace, moves, 2, 3, SECOND).what, ==, VSM_PACE_NOTHING);

        /* released when the first comes to its last pass, also when it was not seen before it switched over */
        moves[0].processed = 1000;
        g_assert_cmpint(next(pace, moves, 2, 3, SECOND + 1).what, ==, VSM_PACE_NOTHING);
        moves[0].last_pass = true;
        moves[0].transferring = false;
        step = next(pace, moves, 2, 3, SECOND + 2);
        g_assert_cmpint(step.what, ==, VSM_PACE_RELEASE);
        g_assert_cmpuint(step.job, ==, 2);

        moves[1].held = false;
        moves[1].transferring = true;
        step = next(pace, moves, 2, 3, SECOND + 2);
        g_assert_cmpint(step.what, ==, VSM_PACE_START);
        g_assert_true(step.held);
        g_assert_cmpint(next(pace, moves, 3, 2, SECOND + 3).what, ==, VSM_PACE_NOTHING);
}

static void test_limit(void) {
        g_autoptr(VsmPace) pace = vsm_pace_new(1);
        VsmPaceMove moves[2] = { { .job = 1, .transferring = true }, { .job = 2, .held = true } };

        g_assert_cmpint(next(pace, moves, 1, 4, SECOND).what, ==, VSM_PACE_NOTHING);
        moves[0].last_pass = true;
        g_assert_cmpint(next(pace, moves, 1, 4, SECOND + 1).what, ==, VSM_PACE_NOTHING);
        g_assert_cmpint(next(pace, moves, 0, 4, SECOND + 2).what, ==, VSM_PACE_START);

        /* raised: at once; lowered: nothing new, and what is there goes on */
        moves[0].last_pass = false;
        vsm_pace_set_limit(pace, 2);
        g_assert_cmpint(next(pace, moves, 1, 4, SECOND + 3).what, ==, VSM_PACE_START);
        vsm_pace_set_limit(pace, 1);
        g_assert_cmpint(next(pace, moves, 2, 4, SECOND + 4).what, ==, VSM_PACE_NOTHING);
        moves[0].last_pass = true;
        g_assert_cmpint(next(pace, moves, 2, 4, SECOND + 5).what, ==, VSM_PACE_RELEASE);
}

static void test_vanish(void) {
        g_autoptr(VsmPace) pace = vsm_pace_new(10);
        VsmPaceMove moves[2] = {
                { .job = 1, .transferring = true, .processed = 5 }, { .job = 2, .held = true },
        };
        VsmPaceStep step;

        (void) next(pace, moves, 2, 4, SECOND);

        /* the first is cancelled: the second has the link; then it goes too, and all begins anew */
        step = next(pace, moves + 1, 1, 4, SECOND + 1);
        g_assert_cmpint(step.what, ==, VSM_PACE_RELEASE);
        g_assert_cmpuint(step.job, ==, 2);
        step = next(pace, NULL, 0, 4, SECOND + 2);
        g_assert_cmpint(step.what, ==, VSM_PACE_START);
        g_assert_false(step.held);
        g_assert_cmpint(next(pace, NULL, 0, 0, SECOND + 3).what, ==, VSM_PACE_NOTHING);
}

static void test_stall(void) {
        g_autoptr(VsmPace) pace = vsm_pace_new(10);
        VsmPaceMove moves[2] = {
                { .job = 1, .transferring = true, .processed = 5 }, { .job = 2, .held = true, .transferring = true },
        };
        VsmPaceStep step;

        g_assert_cmpint(next(pace, moves, 2, 0, SECOND).what, ==, VSM_PACE_NOTHING);
        moves[0].processed = 6;
        g_assert_cmpint(next(pace, moves, 2, 0, 3 * SECOND).what, ==, VSM_PACE_NOTHING);
        g_assert_cmpint(next(pace, moves, 2, 0, 5 * SECOND).what, ==, VSM_PACE_NOTHING);
        step = next(pace, moves, 2, 0, 6 * SECOND);
        g_assert_cmpint(step.what, ==, VSM_PACE_RELEASE);
        g_assert_cmpuint(step.job, ==, 2);
}

/* A guest that takes a tenth of what the one before it took leaves room for the next. */
static void test_small_share(void) {
        g_autoptr(VsmPace) pace = vsm_pace_new(10);
        VsmPaceMove moves[2] = { { .job = 1, .transferring = true }, { .job = 2, .held = true } };
        uint64_t now = SECOND;

        for (unsigned i = 0; i < 40; i++, now += SECOND / 10, moves[0].processed += 10000000)
                g_assert_cmpint(next(pace, moves, 2, 0, now).what, ==, VSM_PACE_NOTHING);
        g_assert_cmpuint(vsm_pace_rate(pace), >, 90000000);
        g_assert_cmpuint(vsm_pace_rate(pace), <, 110000000);

        moves[0] = (VsmPaceMove) { .job = 3, .transferring = true };
        for (unsigned i = 0; i < 40; i++, now += SECOND / 10, moves[0].processed += 1000000) {
                VsmPaceStep step = next(pace, moves, 2, 0, now);

                if (step.what == VSM_PACE_NOTHING)
                        continue;

                g_assert_cmpint(step.what, ==, VSM_PACE_RELEASE);
                g_assert_cmpuint(step.job, ==, 2);
                return;
        }

        g_assert_not_reached();
}

/* ---- the model ---- */

typedef struct Guest {
        double memory, dirty;
        unsigned lane;

        bool started, held, sent_all, done;
        double setup, left, sent, rate, finish;
        double sampled, seen, seen_left; /* when, and what is known since */
} Guest;

typedef struct World {
        Guest guests[32];
        size_t n;
        double link, ends[LANES];
        double setup;
        unsigned limit;
        bool small;                     /* all writes count from the first page on: see pace.h */
        bool silent;                    /* how much memory they have is not told */

        double now, sent;
        unsigned most_held, holds;
} World;

/* Everybody's rate goes up together until something is full. */
static void share(World *world) {
        double link = world->link, ends[LANES];
        bool fixed[G_N_ELEMENTS(world->guests)] = {};

        memcpy(ends, world->ends, sizeof(ends));
        for (size_t i = 0; i < world->n; i++) {
                Guest *g = &world->guests[i];

                g->rate = 0;
                fixed[i] = !g->started || g->sent_all || g->setup > 0;
                if (!fixed[i] && g->held) {
                        g->rate = TOKEN;
                        link -= TOKEN;
                        ends[g->lane] -= TOKEN;
                        fixed[i] = true;
                }
        }

        for (;;) {
                unsigned n = 0, lane_n[LANES] = {};
                double step = INFINITY;

                for (size_t i = 0; i < world->n; i++)
                        if (!fixed[i]) {
                                n++;
                                lane_n[world->guests[i].lane]++;
                        }
                if (n == 0)
                        return;

                step = link / n;
                for (unsigned lane = 0; lane < LANES; lane++)
                        if (lane_n[lane] > 0)
                                step = MIN(step, ends[lane] / lane_n[lane]);

                link -= step * n;
                for (size_t i = 0; i < world->n; i++)
                        if (!fixed[i]) {
                                world->guests[i].rate += step;
                                ends[world->guests[i].lane] -= step;
                        }
                for (size_t i = 0; i < world->n; i++)
                        fixed[i] = fixed[i] || link < 1 || ends[world->guests[i].lane] < 1;
        }
}

static void run(World *world) {
        share(world);

        for (size_t i = 0; i < world->n; i++) {
                Guest *g = &world->guests[i];

                if (!g->started || g->done)
                        continue;
                if (g->setup > 0) {
                        g->setup -= TICK;
                        continue;
                }
                if (g->sent_all) {
                        g->finish += TICK;
                        g->done = g->finish >= FINISH;
                        continue;
                }

                g->sent += g->rate * TICK;
                world->sent += g->rate * TICK;
                g->left = MIN(g->left + (g->dirty - g->rate) * TICK, g->memory * (world->small ? 2 : 1));
                g->sent_all = g->left <= 0;
                if (world->now - g->sampled >= SAMPLE || g->sent_all) {
                        g->sampled = world->now;
                        g->seen = g->sent;
                        g->seen_left = g->left;
                }
        }

        world->now += TICK;
}

static Guest* next_of(World *world, unsigned lane) {
        for (size_t i = 0; i < world->n; i++)
                if (!world->guests[i].started && (lane == LANES || world->guests[i].lane == lane))
                        return &world->guests[i];

        return NULL;
}

static VsmPaceStep ask(World *world, VsmPace *pace) {
        VsmPaceMove moves[G_N_ELEMENTS(world->guests)] = {};
        unsigned waiting[LANES] = {}, held = 0;
        const Guest *next_one = next_of(world, LANES);
        size_t n = 0;

        for (size_t i = 0; i < world->n; i++) {
                const Guest *g = &world->guests[i];

                if (!g->started)
                        waiting[g->lane]++;
                else if (!g->done)
                        moves[n++] = (VsmPaceMove) {
                                .job = i + 1,
                                .lane = g->lane,
                                .transferring = g->setup <= 0 && !g->sent_all,
                                .last_pass = g->sent_all || (g->setup <= 0 && g->rate > 0 && !g->held && g->seen > 0 &&
                                                             g->dirty <= 0 && g->seen_left / g->rate < 0.5),
                                .held = g->held,
                                .processed = (uint64_t) g->seen,
                                .memory = world->silent ? 0 : (uint64_t) g->memory,
                        };
                held += g->started && !g->done && g->held;
        }

        g_assert_cmpuint(n, <=, world->limit);
        world->most_held = MAX(world->most_held, held);
        return vsm_pace_next(pace, moves, n, waiting, LANES, next_one ? next_one->lane : 0,
                             SECOND + (uint64_t) (world->now * G_USEC_PER_SEC));
}

static void act(World *world, const VsmPaceStep *step) {
        Guest *g = NULL;

        switch (step->what) {
        case VSM_PACE_START:
                g = next_of(world, step->lane);
                g_assert_nonnull(g);
                g->started = true;
                g->held = step->held;
                g->setup = world->setup;
                g->left = g->memory;
                g->sampled = world->now;
                break;
        case VSM_PACE_RELEASE:
                g_assert_true(world->guests[step->job - 1].held);
                world->guests[step->job - 1].held = false;
                break;
        case VSM_PACE_HOLD:
                g_assert_false(world->guests[step->job - 1].held);
                world->guests[step->job - 1].held = true;
                world->holds++;
                break;
        default:
                break;
        }
}

static bool all_done(const World *world) {
        for (size_t i = 0; i < world->n; i++)
                if (!world->guests[i].done)
                        return false;

        return true;
}

static bool is_due(const World *world, const VsmPace *pace) {
        return vsm_pace_wake(pace) > 0 && SECOND + (uint64_t) (world->now * G_USEC_PER_SEC) >= vsm_pace_wake(pace);
}

/* Looked at five times a second, and when it is asked for. */
static double makespan_by(World *world, VsmPace *pace) {
        for (unsigned tick = 0; !all_done(world); tick++) {
                if (tick % 10 == 0 || is_due(world, pace))
                        for (unsigned i = 0; i < 10; i++) {
                                VsmPaceStep step = ask(world, pace);

                                if (step.what == VSM_PACE_NOTHING)
                                        break;

                                act(world, &step);
                                g_assert_cmpuint(i, <, 9);
                        }

                run(world);
                g_assert_cmpfloat(world->now, <, 10000);
        }

        return world->now;
}

static double makespan(World *world) {
        g_autoptr(VsmPace) pace = vsm_pace_new(world->limit);

        return makespan_by(world, pace);
}

static void add(World *world, double memory, double dirty, unsigned lane) {
        world->guests[world->n++] = (Guest) { .memory = memory * MB, .dirty = dirty * MB, .lane = lane };
}

static World world_new(double link, double end) {
        World world = { .link = link * MB, .setup = 0.7, .limit = 10 }; /* seconds, to the first byte */

        for (unsigned lane = 0; lane < LANES; lane++)
                world.ends[lane] = end * MB;

        return world;
}

static void check(const char *what, World *world, double bound) {
        double took = makespan(world), memory = 0;

        for (size_t i = 0; i < world->n; i++)
                memory += world->guests[i].memory;

        g_test_message("%s: %.1f s, %.2f of the bound; sent %.2f of the memory; %u held at most, %u held again", what,
                       took, took / bound, world->sent / memory, world->most_held, world->holds);
        g_assert_cmpfloat(took / bound, <=, 1.10);
}

/* Eight guests, 100 MB, 50 MB/s: each in about 2 s; which share of the link they write. */
static void test_source(void) {
        static const double shares[] = { 0, 0.1 };

        for (size_t i = 0; i < G_N_ELEMENTS(shares); i++)
                for (unsigned lanes = 1; lanes <= 2; lanes++) {
                        World world = world_new(50, 1000);
                        g_autofree char *what = g_strdup_printf("%u hosts, %.0f %% written", lanes, shares[i] * 100);

                        world.small = true;
                        for (unsigned k = 0; k < 8; k++)
                                add(&world, 100, 50 * shares[i], k % lanes);

                        check(what, &world, 8 * 100 / (50 * (1 - shares[i])) + world.setup);
                        g_assert_cmpuint(world.most_held, <=, lanes);
                }
}

/* Those that write are not held for longer than they have to be: less is sent twice, and no time is lost. */
static void test_late(void) {
        World late = world_new(50, 1000), soon = world_new(50, 1000);
        double took;

        late.small = soon.small = soon.silent = true;
        for (unsigned k = 0; k < 8; k++) {
                add(&late, 200, 5, k % 2);
                add(&soon, 200, 5, k % 2);
        }

        took = makespan(&late);
        g_assert_cmpfloat(took, <, makespan(&soon));
        g_assert_cmpfloat(late.sent, <, 0.96 * soon.sent);
        g_test_message("%.0f MB sent, %.0f when each is prepared at once; %.1f s, and %.1f", late.sent / MB,
                       soon.sent / MB, took, soon.now);
}

static void test_source_mix(void) {
        World world = world_new(50, 1000);
        double bound = world.setup;

        for (unsigned k = 0; k < 10; k++) {
                double memory = 40 + 60 * (k % 4), dirty = k % 3 * 3.5;

                add(&world, memory, dirty, k % 3);
                bound += memory / (50 - dirty);
        }

        check("three hosts, mixed", &world, bound);
}

/* The ends of the destinations are the limit: each becomes a lane. */
static void test_ends(void) {
        static const double shares[] = { 0, 0.1 };

        for (size_t i = 0; i < G_N_ELEMENTS(shares); i++) {
                World world = world_new(100, 25);
                g_autofree char *what = g_strdup_printf("two narrow hosts, %.0f %% written", shares[i] * 100);

                for (unsigned k = 0; k < 16; k++)
                        add(&world, 100, 25 * shares[i], k % 2);

                check(what, &world, 8 * 100 / (25 * (1 - shares[i])) + world.setup);
                g_assert_cmpuint(world.holds, ==, 0);
                g_assert_cmpuint(world.most_held, <=, 2);
        }
}

/* A wide one and two narrow ones: a trial beside the wide one is in vain, and repeated when a narrow one moves. */
static void test_ends_mix(void) {
        World world = world_new(50, 1000);

        world.ends[1] = 26 * MB;
        world.ends[2] = 26 * MB;
        add(&world, 220, 0, 0);
        for (unsigned k = 0; k < 20; k++)
                add(&world, 220, 0, 1 + k % 2);

        check("a wide host, two narrow ones", &world, 21 * 220 / 50.0 + world.setup);
        g_assert_cmpuint(world.holds, >, 0);
}

/* What was tried in vain is not tried all the time. */
static void test_trials(void) {
        World world = world_new(50, 1000);

        for (unsigned k = 0; k < 32; k++)
                add(&world, 250, 2, k % 3);

        check("three hosts, long", &world, 32 * 250 / 48.0 + world.setup);
        g_assert_cmpuint(world.holds, >, 0);
        g_assert_cmpuint(world.holds, <=, 3);
}

/* What an earlier evacuation has found out is not tried again, unless less goes through now. */
static void test_in_vain(void) {
        World first = world_new(50, 1000), again = world_new(50, 1000), narrow = world_new(100, 25);
        g_autoptr(VsmPace) a = vsm_pace_new(10), b = vsm_pace_new(10), c = vsm_pace_new(10);
        double took;

        for (unsigned k = 0; k < 8; k++) {
                add(&first, 100, 5, k % 2);
                add(&again, 100, 5, k % 2);
                add(&narrow, 100, 2.5, k % 2);
        }

        g_assert_cmpuint(vsm_pace_in_vain(a), ==, 0);
        took = makespan_by(&first, a);
        g_assert_cmpuint(first.holds, ==, 1);
        g_assert_cmpuint(vsm_pace_in_vain(a), >, 40 * MB);

        vsm_pace_set_in_vain(b, vsm_pace_in_vain(a), SECOND);
        g_assert_cmpfloat(makespan_by(&again, b), <, took);
        g_assert_cmpuint(again.holds, ==, 0);
        g_assert_cmpfloat(again.sent, <, first.sent);

        vsm_pace_set_in_vain(c, vsm_pace_in_vain(b), SECOND);
        g_assert_cmpfloat(makespan_by(&narrow, c), <, 1.2 * 4 * 100 / 22.5);
        g_assert_cmpuint(vsm_pace_in_vain(c), ==, 0);
}

static void test_limit_in_model(void) {
        World world = world_new(50, 1000);

        world.limit = 1;
        for (unsigned k = 0; k < 6; k++)
                add(&world, 100, 0, k % 2);

        g_assert_cmpfloat(makespan(&world), <, 6 * (2 + 0.7 + FINISH + 0.25));
        g_assert_cmpuint(world.most_held, ==, 0);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/pace/one-owns", test_one_owns);
        g_test_add_func("/pace/limit", test_limit);
        g_test_add_func("/pace/vanish", test_vanish);
        g_test_add_func("/pace/stall", test_stall);
        g_test_add_func("/pace/small-share", test_small_share);
        g_test_add_func("/pace/source", test_source);
        g_test_add_func("/pace/source-mix", test_source_mix);
        g_test_add_func("/pace/ends", test_ends);
        g_test_add_func("/pace/ends-mix", test_ends_mix);
        g_test_add_func("/pace/trials", test_trials);
        g_test_add_func("/pace/in-vain", test_in_vain);
        g_test_add_func("/pace/late", test_late);
        g_test_add_func("/pace/limit-in-model", test_limit_in_model);
        return g_test_run();
}
