/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Does it come to an end? Guests that write slowly, too fast, in bursts; links that stand still; what QEMU's numbers
 * look like. One thread. */

#include <glib.h>

#include "daemon/converge.h"

#define MIB (UINT64_C(1) << 20)

/* A guest and a link, of which samples are taken as often as the service does. */
typedef struct Simulation {
        VsmConverge converge;
        VsmConvergeMeans means;
        VsmConvergeSample sample;
        double dirty, link, working_set;        /* MiB/s, MiB */
        double remaining, sent, written;        /* MiB */
        VsmVerdict verdict;
        unsigned switched_in;                   /* pass in which SWITCHING came first */
} Simulation;

#define STEP_MS 250

static void look(Simulation *s) {
        s->sample.remaining = (uint64_t) (s->remaining * (double) MIB);
        s->sample.processed = (uint64_t) (s->sent * (double) MIB);
        s->verdict = vsm_converge_take(&s->converge, &s->sample, &s->means);
        if (s->verdict == VSM_VERDICT_SWITCHING && s->switched_in == 0)
                s->switched_in = vsm_converge_passes(&s->converge) + 1;
}

/* A quarter of a second. False when the rest is so small that QEMU pauses the guest for it. */
static bool step(Simulation *s) {
        double bytes = MIN(s->link * STEP_MS / 1000, s->remaining);

        s->sample.when += STEP_MS * 1000;
        s->sent += bytes;
        s->remaining -= bytes;
        s->written = MIN(s->written + s->dirty * STEP_MS / 1000, s->working_set);

        if (s->remaining <= 0) {
                s->remaining = s->written;
                s->written = 0;
                s->sample.iteration++;
                /* the event of it */
                look(s);
        }

        look(s);
        return s->remaining > s->link * 0.3 || s->link <= 0;
}

static Simulation start(double memory, double zero, double working_set, double dirty, double link) {
        Simulation s = {
                .means = { .post_copy = true, .throttling = true },
                .sample = { .when = 1000000, .iteration = 7 },  /* after an earlier migration */
                .dirty = dirty, .link = link, .working_set = working_set, .remaining = memory,
        };

        look(&s);
        s.remaining = memory - zero;    /* empty pages go at once */
        return s;
}

static void test_slow_writer(void) {
        Simulation s = start(512, 300, 100, 10, 50);
        unsigned n = 0;

        while (step(&s) && n < 1000) {
                g_assert_cmpint(s.verdict, !=, VSM_VERDICT_SWITCHING);
                g_assert_cmpint(s.verdict, !=, VSM_VERDICT_STALLED);
                if (vsm_converge_passes(&s.converge) == 0)
                        g_assert_cmpint(s.verdict, ==, VSM_VERDICT_UNKNOWN);
                else
                        g_assert_cmpint(s.verdict, ==, VSM_VERDICT_CONVERGING);
                n++;
        }

        g_assert_cmpuint(n, <, 100);
}

/* Twice as fast as the link: what is dirty again is the whole working set, in every pass. */
static void test_fast_writer(void) {
        Simulation s = start(512, 300, 100, 100, 50);

        for (unsigned i = 0; i < 100; i++)
                (void) step(&s);

        /* the first pass sends more than the working set, so it tells nothing; two more have to agree */
        g_assert_cmpuint(s.switched_in, ==, 4);
        g_assert_cmpuint(vsm_converge_stalled(&s.converge), >=, 2);
}

/* All that it has, it writes: the first pass counts already, though most of the memory is empty. */
static void test_first_pass(void) {
        Simulation s = start(512, 412, 100, 100, 50);

        for (unsigned i = 0; i < 100; i++)
                (void) step(&s);

        g_assert_cmpuint(s.switched_in, ==, 3);
}

static void test_burst(void) {
        Simulation s = start(512, 300, 100, 10, 50);

        for (unsigned i = 0; i < 1000; i++) {
                /* one pass of many is as bad as can be */
                s.dirty = vsm_converge_passes(&s.converge) == 1 ? 100 : 10;
                if (!step(&s))
                        break;
        }

        g_assert_cmpuint(s.switched_in, ==, 0);
}

/* While the link stands still the guest writes on. That says nothing of the guest, and a switch then would be the worst
 * of all moments. */
static void test_outage(void) {
        Simulation s = start(512, 300, 100, 20, 50);
        unsigned passes;

        while (vsm_converge_passes(&s.converge) < 1)
                (void) step(&s);

        s.link = 0;
        for (unsigned i = 0; i < 8000 / STEP_MS; i++) {
                (void) step(&s);
                g_assert_cmpint(s.verdict, !=, VSM_VERDICT_SWITCHING);
        }
        g_assert_cmpint(s.verdict, ==, VSM_VERDICT_STALLED);

        /* and after it: a hundred are written that would have been forty */
        s.link = 50;
        while (step(&s))
                ;
        g_assert_cmpuint(s.switched_in, ==, 0);

        /* one that writes too fast is still found, two good passes later */
        s = start(512, 300, 100, 100, 50);
        while (vsm_converge_stalled(&s.converge) < 1)
                (void) step(&s);
        s.link = 0;
        for (unsigned i = 0; i < 8000 / STEP_MS; i++)
                (void) step(&s);
        s.link = 50;
        passes = vsm_converge_passes(&s.converge);
        for (unsigned i = 0; i < 100; i++)
                (void) step(&s);
        g_assert_cmpuint(s.switched_in, ==, passes + 4);
}

static void test_means(void) {
        static const struct {
                bool post_copy, throttling;
                unsigned throttle;
                VsmVerdict verdict;
        } cases[] = {
                { true,  true,  0,  VSM_VERDICT_SWITCHING  },
                { true,  false, 0,  VSM_VERDICT_SWITCHING  },
                { false, true,  0,  VSM_VERDICT_THROTTLING },
                { false, true,  50, VSM_VERDICT_THROTTLING },
                { false, true,  99, VSM_VERDICT_IMPOSSIBLE },
                { false, false, 0,  VSM_VERDICT_IMPOSSIBLE },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                Simulation s = start(512, 300, 100, 100, 50);

                s.means = (VsmConvergeMeans) { cases[i].post_copy, cases[i].throttling };
                s.sample.throttle = cases[i].throttle;
                for (unsigned n = 0; n < 100; n++)
                        (void) step(&s);
                g_assert_cmpint(s.verdict, ==, cases[i].verdict);
        }
}

/* Passes so short that samples miss most of them: each is compared with the one that was seen. */
static void test_missed(void) {
        VsmConverge converge = {};
        VsmConvergeMeans means = { .post_copy = true };
        VsmConvergeSample sample = { .when = 1000000, .iteration = 1, .remaining = 100 * MIB };
        VsmVerdict verdict;

        (void) vsm_converge_take(&converge, &sample, &means);
        for (unsigned i = 1; i < 20; i++) {
                sample.when += 250000;
                sample.iteration += 5;
                sample.processed += 60 * MIB;
                sample.remaining = 100 * MIB >> i;
                verdict = vsm_converge_take(&converge, &sample, &means);
                g_assert_cmpint(verdict, ==, VSM_VERDICT_CONVERGING);
        }
}

static void test_words(void) {
        g_assert_cmpstr(vsm_verdict_to_string(VSM_VERDICT_UNKNOWN), ==, "unknown");
        g_assert_cmpstr(vsm_verdict_to_string(VSM_VERDICT_CONVERGING), ==, "converging");
        g_assert_cmpstr(vsm_verdict_to_string(VSM_VERDICT_STALLED), ==, "stalled");
        g_assert_cmpstr(vsm_verdict_to_string(VSM_VERDICT_THROTTLING), ==, "throttling");
        g_assert_cmpstr(vsm_verdict_to_string(VSM_VERDICT_SWITCHING), ==, "switching");
        g_assert_cmpstr(vsm_verdict_to_string(VSM_VERDICT_IMPOSSIBLE), ==, "impossible");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/converge/slow-writer", test_slow_writer);
        g_test_add_func("/converge/fast-writer", test_fast_writer);
        g_test_add_func("/converge/first-pass", test_first_pass);
        g_test_add_func("/converge/burst", test_burst);
        g_test_add_func("/converge/outage", test_outage);
        g_test_add_func("/converge/means", test_means);
        g_test_add_func("/converge/missed", test_missed);
        g_test_add_func("/converge/words", test_words);
        return g_test_run();
}
