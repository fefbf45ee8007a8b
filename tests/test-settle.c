/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who has the guest: the whole decision table, cell by cell, and what must hold in every cell
 * whatever the table says. One thread, no libvirt. */

#include "daemon/virt/decide.h"
#include "daemon/virt/virt.h"

/* One letter for a verdict, "first/otherwise" for two.
 *   step:    a ask again, h hold here, c clean there, r resume here, x remove here, then otherwise
 *   final:   M moved, m moved unverified + tidied, S stayed, T twice + suspended, t twice + left,
 *            L lost + restored here, l lost + tidied as moved, U unknown + left,
 *            h half of its memory lost + left,
 *            u moved unverified + left */
static const char* verdict_to_string(const VsmSettleVerdict *v) {
        static char text[4];
        char *p = text;

        switch (v->step) {
        case VSM_STEP_ASK_AGAIN:    *p++ = 'a'; break;
        case VSM_STEP_HOLD_HERE:    *p++ = 'h'; break;
        case VSM_STEP_CLEAN_THERE:  *p++ = 'c'; break;
        case VSM_STEP_RESUME_HERE:  *p++ = 'r'; break;
        case VSM_STEP_REMOVE_HERE:  *p++ = 'x'; break;
        default: break;
        }

        switch (v->outcome) {
        case VSM_MOVE_MOVED:            *p++ = v->otherwise == VSM_STEP_TIDY_MOVED ? 'M' : '?'; break;
        case VSM_MOVE_MOVED_UNVERIFIED: *p++ = v->otherwise == VSM_STEP_TIDY_MOVED ? 'm' :
                                               v->otherwise == VSM_STEP_LEAVE ? 'u' : '?'; break;
        case VSM_MOVE_STAYED:           *p++ = v->otherwise == VSM_STEP_TIDY_STAYED ? 'S' : '?'; break;
        case VSM_MOVE_TWICE:            *p++ = v->otherwise == VSM_STEP_SUSPEND_HERE ? 'T' :
                                               v->otherwise == VSM_STEP_LEAVE ? 't' : '?'; break;
        case VSM_MOVE_LOST:             *p++ = v->otherwise == VSM_STEP_TIDY_STAYED ? 'L' :
                                               v->otherwise == VSM_STEP_TIDY_MOVED ? 'l' : '?'; break;
        case VSM_MOVE_MEMORY_LOST:      *p++ = v->otherwise == VSM_STEP_LEAVE ? 'h' : '?'; break;
        case VSM_MOVE_UNKNOWN:          *p++ = v->otherwise == VSM_STEP_LEAVE ? 'U' : '?'; break;
        default:                        *p++ = '?'; break;
        }

        *p = 0;
        return text;
}

/* In the order of VsmSide: unknown, absent, off, off-migrated, running, paused, handed over,
 * incoming, post-copy failed, crashed, stopping. */
typedef const char *Row[_VSM_SIDE_MAX];

/* The usual case: it ran, libvirt's call failed or was not seen to end, it was handed over at some
 * time, and nothing of it was known to be there before. */
static const Row failed[_VSM_SIDE_MAX] = {
        /*                          there: ?     abs  off  sent run   paus  hand  inc   pcf   crsh  stop */
        [VSM_SIDE_UNKNOWN]          = { "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU" },
        [VSM_SIDE_ABSENT]           = { "aU", "L",  "l",  "m",  "M",  "m",  "M",  "aU", "ah", "l",  "am" },
        [VSM_SIDE_OFF]              = { "aU", "L",  "L",  "L",  "M",  "m",  "M",  "cL", "ah", "L",  "aU" },
        [VSM_SIDE_OFF_MIGRATED]     = { "au", "L",  "l",  "m",  "M",  "m",  "M",  "aU", "au", "l",  "am" },
        [VSM_SIDE_RUNNING]          = { "aS", "S",  "S",  "S",  "T",  "T",  "T",  "cS", "T",  "T",  "T"  },
        [VSM_SIDE_PAUSED]           = { "aU", "S",  "S",  "S",  "t",  "t",  "t",  "cS", "t",  "t",  "t"  },
        [VSM_SIDE_HANDED_OVER]      = { "aU", "rU", "U",  "U",  "xu", "u",  "xu", "cU", "U",  "U",  "aU" },
        [VSM_SIDE_INCOMING]         = { "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU" },
        [VSM_SIDE_POST_COPY]        = { "aU", "h",  "h",  "aU", "au", "aU", "aU", "aU", "aU", "h",  "aU" },
        [VSM_SIDE_CRASHED]          = { "aU", "L",  "L",  "L",  "u",  "u",  "u",  "cL", "ah", "L",  "aU" },
        [VSM_SIDE_STOPPING]         = { "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU" },
};

/* The same, libvirt's call having succeeded. */
static const Row succeeded[_VSM_SIDE_MAX] = {
        [VSM_SIDE_UNKNOWN]          = { "aU", "aU", "aU", "aU", "au", "aU", "aU", "aU", "aU", "aU", "aU" },
        [VSM_SIDE_ABSENT]           = { "au", "L",  "l",  "m",  "M",  "m",  "M",  "aU", "au", "l",  "am" },
        [VSM_SIDE_OFF]              = { "au", "L",  "l",  "m",  "M",  "m",  "M",  "aU", "au", "l",  "am" },
        [VSM_SIDE_OFF_MIGRATED]     = { "au", "L",  "l",  "m",  "M",  "m",  "M",  "aU", "au", "l",  "am" },
        [VSM_SIDE_RUNNING]          = { "aS", "S",  "S",  "S",  "T",  "T",  "T",  "cS", "T",  "T",  "T"  },
        [VSM_SIDE_PAUSED]           = { "aU", "S",  "S",  "S",  "t",  "t",  "t",  "cS", "t",  "t",  "t"  },
        [VSM_SIDE_HANDED_OVER]      = { "aU", "rU", "U",  "U",  "xu", "u",  "xu", "cU", "U",  "U",  "aU" },
        [VSM_SIDE_INCOMING]         = { "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU" },
        [VSM_SIDE_POST_COPY]        = { "aU", "h",  "h",  "aU", "au", "aU", "aU", "aU", "aU", "h",  "aU" },
        [VSM_SIDE_CRASHED]          = { "aU", "L",  "L",  "L",  "u",  "u",  "u",  "cL", "ah", "L",  "aU" },
        [VSM_SIDE_STOPPING]         = { "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU" },
};

/* A guest that somebody had paused, the call failed. */
static const Row paused[_VSM_SIDE_MAX] = {
        [VSM_SIDE_UNKNOWN]          = { "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU" },
        [VSM_SIDE_ABSENT]           = { "aU", "L",  "l",  "m",  "M",  "M",  "M",  "aU", "ah", "l",  "am" },
        [VSM_SIDE_OFF]              = { "aU", "L",  "L",  "L",  "M",  "M",  "M",  "cL", "ah", "L",  "aU" },
        [VSM_SIDE_OFF_MIGRATED]     = { "au", "L",  "l",  "m",  "M",  "M",  "M",  "aU", "au", "l",  "am" },
        [VSM_SIDE_RUNNING]          = { "aS", "S",  "S",  "S",  "T",  "S",  "T",  "cS", "T",  "T",  "T"  },
        [VSM_SIDE_PAUSED]           = { "aS", "S",  "S",  "S",  "t",  "t",  "t",  "cS", "t",  "t",  "t"  },
        [VSM_SIDE_HANDED_OVER]      = { "aU", "S",  "U",  "U",  "xu", "xu", "xu", "cU", "U",  "U",  "aU" },
        [VSM_SIDE_INCOMING]         = { "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU" },
        [VSM_SIDE_POST_COPY]        = { "aU", "h",  "h",  "aU", "au", "aU", "aU", "aU", "aU", "h",  "aU" },
        [VSM_SIDE_CRASHED]          = { "aU", "L",  "L",  "L",  "u",  "u",  "u",  "cL", "ah", "L",  "aU" },
        [VSM_SIDE_STOPPING]         = { "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU", "aU" },
};

static void check_table(const Row *table, VsmSettleView view) {
        for (view.here = 0; view.here < _VSM_SIDE_MAX; view.here++)
                for (view.there = 0; view.there < _VSM_SIDE_MAX; view.there++) {
                        VsmSettleVerdict verdict = vsm_settle_decide(&view);

                        g_test_message("here %s, there "
                                       "%s", vsm_side_to_string(view.here), vsm_side_to_string(view.there));
                        g_assert_cmpstr(verdict_to_string(&verdict), ==, table[view.here][view.there]);
                }
}

static void test_failed(void) {
        check_table(failed, (VsmSettleView) { .interrupted = true });
}

static void test_succeeded(void) {
        check_table(succeeded, (VsmSettleView) { .interrupted = true, .call_ok = true });
}

static void test_paused(void) {
        check_table(paused, (VsmSettleView) { .interrupted = true, .was_paused = true });
}

/* The row of a guest that was stopped for the hand-over and runs here again, and of one that was paused
 * until the other host can be asked. */
static void test_held(void) {
        /*                   there: ?     abs   off  sent run  paus hand inc   pcf  crsh stop */
        static const Row stopped = { "hS", "S",  "S", "S", "T", "T", "T", "cS", "T", "T", "T"  };
        static const Row held    = { "aU", "rU", "U", "U", "t", "t", "t", "cU", "t", "t", "aU" };

        for (unsigned there = 0; there < _VSM_SIDE_MAX; there++) {
                VsmSettleView view = {
                        .here = VSM_SIDE_RUNNING, .there = there, .interrupted = true, .stopped = true,
                };
                VsmSettleVerdict verdict = vsm_settle_decide(&view);

                g_assert_cmpstr(verdict_to_string(&verdict), ==, stopped[there]);

                view.here = VSM_SIDE_PAUSED;
                view.held = true;
                verdict = vsm_settle_decide(&view);
                g_assert_cmpstr(verdict_to_string(&verdict), ==, held[there]);
        }
}

/* Cells that the other two marks change, and no others. */
static void test_marks(void) {
        VsmSettleView view = { .here = VSM_SIDE_RUNNING, .there = VSM_SIDE_UNKNOWN };
        VsmSettleVerdict verdict = vsm_settle_decide(&view);

        /* Never stopped here: nobody waits for a host that is gone. */
        g_assert_cmpstr(verdict_to_string(&verdict), ==, "S");
        g_assert_null(verdict.why);

        /* A definition that was there before proves nothing. */
        view = (VsmSettleView) {
                .here = VSM_SIDE_HANDED_OVER,
                .there = VSM_SIDE_OFF,
                .interrupted = true,
                .defined_there_before = true,
        };
        verdict = vsm_settle_decide(&view);
        g_assert_cmpstr(verdict_to_string(&verdict), ==, "rU");

        view.was_paused = true;
        verdict = vsm_settle_decide(&view);
        g_assert_cmpstr(verdict_to_string(&verdict), ==, "S");

        for (view.here = 0; view.here < _VSM_SIDE_MAX; view.here++)
                for (view.there = 0; view.there < _VSM_SIDE_MAX; view.there++) {
                        VsmSettleView plain = {
                                .here = view.here,
                                .there = view.there,
                                .interrupted = true,
                        };
                        VsmSettleView marked = plain;
                        VsmSettleVerdict a = vsm_settle_decide(&plain), b;

                        if ((view.here == VSM_SIDE_RUNNING && view.there == VSM_SIDE_UNKNOWN) ||
                            (view.here == VSM_SIDE_HANDED_OVER && view.there == VSM_SIDE_OFF))
                                continue;

                        marked.interrupted = false;
                        marked.defined_there_before = true;
                        b = vsm_settle_decide(&marked);
                        g_assert_cmpint(a.step, ==, b.step);
                        g_assert_cmpint(a.otherwise, ==, b.otherwise);
                        g_assert_cmpint(a.outcome, ==, b.outcome);
                }
}

static bool may_run(VsmSide side) {
        return side != VSM_SIDE_ABSENT && side != VSM_SIDE_OFF && side != VSM_SIDE_OFF_MIGRATED &&
                side != VSM_SIDE_INCOMING && side != VSM_SIDE_CRASHED;
}

static void check_invariants(const VsmSettleView *view) {
        VsmSettleVerdict v = vsm_settle_decide(view);
        bool final = v.step == v.otherwise;

        /* Something final always comes, and every outcome but plain ones has a sentence. */
        g_assert_cmpint(v.otherwise, >=, VSM_STEP_SUSPEND_HERE);
        g_assert_cmpint(v.otherwise, <, _VSM_STEP_MAX);
        if (!final || (v.outcome != VSM_MOVE_MOVED && v.outcome != VSM_MOVE_STAYED))
                g_assert_nonnull(v.why);

        /* Never a second writer: nothing is started here unless it certainly does not run there. */
        if (v.step == VSM_STEP_RESUME_HERE) {
                g_assert_true(view->here == VSM_SIDE_HANDED_OVER || (view->here == VSM_SIDE_PAUSED && view->held));
                g_assert_false(may_run(view->there));
                g_assert_false(view->was_paused && !view->held);
        }

        /* One that may run there does not go on running here while nobody knows. */
        if (view->here == VSM_SIDE_RUNNING && view->there == VSM_SIDE_UNKNOWN && view->stopped &&
            view->interrupted && !view->was_paused)
                g_assert_cmpint(v.step, ==, VSM_STEP_HOLD_HERE);

        /* Never the last copy: the one here goes only for one that has arrived there. */
        if (v.step == VSM_STEP_REMOVE_HERE) {
                g_assert_cmpint(view->here, ==, VSM_SIDE_HANDED_OVER);
                g_assert_true(view->there == VSM_SIDE_RUNNING || view->there == VSM_SIDE_HANDED_OVER ||
                              (view->there == VSM_SIDE_PAUSED && view->was_paused));
        }

        /* The one there goes only when it has never run and its memory is here, or nobody's. */
        if (v.step == VSM_STEP_CLEAN_THERE) {
                g_assert_cmpint(view->there, ==, VSM_SIDE_INCOMING);
                g_assert_true(view->here == VSM_SIDE_RUNNING || view->here == VSM_SIDE_PAUSED ||
                              view->here == VSM_SIDE_HANDED_OVER ||
                              (view->here == VSM_SIDE_OFF && !view->call_ok) ||
                              view->here == VSM_SIDE_CRASHED);
        }

        /* The definition here goes only when nothing of it is active here and the other knows it. */
        if (v.step == VSM_STEP_TIDY_MOVED || v.otherwise == VSM_STEP_TIDY_MOVED) {
                g_assert_false(may_run(view->here));
                g_assert_true(view->there != VSM_SIDE_ABSENT && view->there != VSM_SIDE_UNKNOWN &&
                              view->there != VSM_SIDE_INCOMING);
        }

        /* Autostart comes back here only if it cannot have gone there, or nobody can tell. */
        if (v.otherwise == VSM_STEP_TIDY_STAYED && view->there == VSM_SIDE_RUNNING)
                g_assert_not_reached();

        if (v.outcome == VSM_MOVE_MOVED)
                g_assert_true(view->there == VSM_SIDE_RUNNING || view->there == VSM_SIDE_PAUSED ||
                              view->there == VSM_SIDE_HANDED_OVER);

        if (view->here == VSM_SIDE_RUNNING && view->there == VSM_SIDE_RUNNING)
                g_assert_cmpint(v.step, ==, VSM_STEP_SUSPEND_HERE);
}

static void test_invariants(void) {
        unsigned n = 0;

        for (unsigned here = 0; here < _VSM_SIDE_MAX; here++)
                for (unsigned there = 0; there < _VSM_SIDE_MAX; there++)
                        for (unsigned marks = 0; marks < 64; marks++, n++)
                                check_invariants(&(VsmSettleView) {
                                        .here = here,
                                        .there = there,
                                        .call_ok = marks & 1,
                                        .was_paused = marks & 2,
                                        .interrupted = marks & 4,
                                        .defined_there_before = marks & 8,
                                        .stopped = marks & 16,
                                        .held = marks & 32,
                                });

        g_assert_cmpuint(n, ==, 11 * 11 * 64);
}

static void test_sides(void) {
        const VsmHost here = VSM_HOST_HERE, there = VSM_HOST_THERE;
        const struct {
                int state, reason;
                VsmHost host;
                bool outgoing;
                VsmSide side;
        } sides[] = {
                { VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED, here, false, VSM_SIDE_RUNNING },
                { VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_POSTCOPY_FAILED, there, false,
                  VSM_SIDE_POST_COPY },
                { VIR_DOMAIN_BLOCKED, 0, here, false, VSM_SIDE_RUNNING },
                { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER, here, false, VSM_SIDE_PAUSED },
                { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR, there, false, VSM_SIDE_PAUSED },
                { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, here, false, VSM_SIDE_HANDED_OVER },
                { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, there, false, VSM_SIDE_INCOMING },
                { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, there, true, VSM_SIDE_HANDED_OVER },
                { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP, there, false, VSM_SIDE_INCOMING },
                { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY, here, false, VSM_SIDE_POST_COPY },
                { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY, there, true, VSM_SIDE_HANDED_OVER },
                { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY_FAILED, here, false,
                  VSM_SIDE_POST_COPY },
                { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_CRASHED, here, false, VSM_SIDE_CRASHED },
                { VIR_DOMAIN_PMSUSPENDED, 0, here, false, VSM_SIDE_PAUSED },
                { VIR_DOMAIN_SHUTDOWN, 0, here, false, VSM_SIDE_STOPPING },
                { VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_MIGRATED, here, false, VSM_SIDE_OFF_MIGRATED },
                { VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_UNKNOWN, here, false, VSM_SIDE_OFF },
                { VIR_DOMAIN_CRASHED, 0, here, false, VSM_SIDE_CRASHED },
                { VIR_DOMAIN_NOSTATE, 0, here, false, VSM_SIDE_UNKNOWN },
                { 4711, 4711, there, true, VSM_SIDE_UNKNOWN },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(sides); i++)
                g_assert_cmpint(vsm_side_from_state(sides[i].state, sides[i].reason,
                                                    sides[i].host, sides[i].outgoing),
                                ==, sides[i].side);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/settle/sides", test_sides);
        g_test_add_func("/settle/failed", test_failed);
        g_test_add_func("/settle/succeeded", test_succeeded);
        g_test_add_func("/settle/paused", test_paused);
        g_test_add_func("/settle/held", test_held);
        g_test_add_func("/settle/marks", test_marks);
        g_test_add_func("/settle/invariants", test_invariants);

        return g_test_run();
}
