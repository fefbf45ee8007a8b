/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan of an evacuation: each thing that binds it, by hand. */

#include <string.h>

#include "daemon/plan.h"

#define MIB (UINT64_C(1) << 20)
#define LINK (100 * MIB)
#define SECOND UINT64_C(1000000)

#define GUEST(n, size, ...) { .uuid = n, .name = n, .memory = (size) * MIB, .resident = (size) * MIB, __VA_ARGS__ }
#define HOST(n, size, ...) { .name = n, .memory = (size) * MIB, __VA_ARGS__ }
#define INPUT(guest_list, host_list, ...) { .guests = guest_list, .n_guests = G_N_ELEMENTS(guest_list), \
                                            .hosts = host_list, .n_hosts = G_N_ELEMENTS(host_list), \
                                            .link_rate = LINK, .disk_rate = LINK, __VA_ARGS__ }

/* Priority 100 and the usual chain where the case says nothing. */
static VsmPlan* make(const VsmPlanInput *input) {
        g_autofree VsmPlanGuest *guests = g_memdup2(input->guests, input->n_guests * sizeof(VsmPlanGuest));
        g_autofree VsmPlanHost *hosts = g_memdup2(input->hosts, input->n_hosts * sizeof(VsmPlanHost));
        VsmPlanInput whole = *input;

        for (size_t g = 0; g < input->n_guests; g++) {
                guests[g].priority = guests[g].priority ?: 100;
                if (guests[g].chain.n == 0)
                        guests[g].chain = vsm_chain_default();
        }
        for (size_t h = 0; h < input->n_hosts; h++)
                hosts[h].priority = hosts[h].priority ?: 100;

        whole.guests = guests;
        whole.hosts = hosts;
        return vsm_plan_make(&whole);
}

static const VsmPlanEntry* entry_of(const VsmPlan *plan, size_t guest) {
        for (size_t i = 0; i < plan->n; i++)
                if (plan->entries[i].guest == guest)
                        return &plan->entries[i];

        g_assert_not_reached();
}

/* Number of the reason in the list; -1: not there. */
static int reason_at(const VsmPlanEntry *entry, const char *code) {
        for (gsize i = 0; i < g_variant_n_children(entry->reasons); i++) {
                g_autoptr(GVariant) reason = g_variant_get_child_value(entry->reasons, i);
                const char *id = NULL;

                if (g_variant_lookup(reason, "MessageID", "&s", &id) && g_str_equal(id, code))
                        return (int) i;
        }

        return -1;
}

static bool has_reason(const VsmPlanEntry *entry, const char *code) {
        return reason_at(entry, code) >= 0;
}

/* ---- time ---- */

static void test_time(void) {
        VsmPlanTime time = vsm_plan_time(1000, 0, 100, 7, VSM_METHOD_LIVE);

        g_assert_cmpuint(time.duration, ==, 10 * SECOND + 7);
        g_assert_cmpuint(time.bytes, ==, 1000);
        g_assert_true(time.converges);

        time = vsm_plan_time(1000, 50, 100, 0, VSM_METHOD_LIVE);
        g_assert_cmpuint(time.duration, ==, 20 * SECOND);
        g_assert_cmpuint(time.bytes, ==, 2000);

        /* faster than the link: slowed down, in the end it goes */
        time = vsm_plan_time(1000, 500, 100, 0, VSM_METHOD_LIVE);
        g_assert_false(time.converges);
        g_assert_cmpuint(time.duration, >, 30 * SECOND);
        g_assert_cmpuint(time.duration, <, 200 * SECOND);

        time = vsm_plan_time(1000, 500, 100, 0, VSM_METHOD_POST_COPY);
        g_assert_true(time.converges);
        g_assert_cmpuint(time.duration, ==, 20 * SECOND);
        g_assert_cmpuint(vsm_plan_time(1000, 500, 100, 0, VSM_METHOD_RESUME).duration, ==, 10 * SECOND);
        g_assert_cmpuint(vsm_plan_time(1000, 500, 100, 0, VSM_METHOD_LEAVE).bytes, ==, 0);

        /* nothing overflows */
        time = vsm_plan_time(UINT64_MAX, 0, 1, UINT64_MAX, VSM_METHOD_LIVE);
        g_assert_cmpuint(time.duration, <=, INT64_MAX);
        g_assert_cmpuint(vsm_plan_time(1, 0, 0, 0, VSM_METHOD_LIVE).duration, ==, SECOND);
}

/* ---- place ---- */

static void test_memory(void) {
        const VsmPlanGuest guests[] = { GUEST("big", 600), GUEST("small", 500) };
        const VsmPlanHost hosts[] = { HOST("b", 1000) };
        const VsmPlanInput input = INPUT(guests, hosts, .setup = SECOND);
        g_autoptr(VsmPlan) plan = make(&input);
        const VsmPlanEntry *moved = entry_of(plan, 0), *saved = entry_of(plan, 1);

        g_assert_cmpuint(plan->n, ==, 2);
        g_assert_cmpuint(moved->host, ==, 0);
        g_assert_cmpint(moved->method, ==, VSM_METHOD_LIVE);
        g_assert_cmpuint(moved->order, ==, 1);
        g_assert_cmpuint(moved->duration, ==, 7 * SECOND);
        g_assert_cmpuint(moved->bytes, ==, 600 * MIB);
        g_assert_true(has_reason(moved, "plan-only-host"));

        g_assert_cmpuint(saved->host, ==, VSM_PLAN_NO_HOST);
        g_assert_cmpint(saved->method, ==, VSM_METHOD_SAVE);
        g_assert_cmpuint(saved->duration, ==, 5 * SECOND);
        g_assert_cmpint(reason_at(saved, "no-destination"), ==, 0);
        g_assert_cmpint(reason_at(saved, "not-enough-memory"), ==, 1);
        g_assert_cmpuint(plan->makespan, ==, 7 * SECOND);
        g_assert_cmpuint(plan->bound, ==, 7 * SECOND);
}

static void test_pages(void) {
        const VsmPlanPages small[] = { { 2 * MIB, 200 * MIB }, {} };
        const VsmPlanPages other[] = { { 1024 * MIB, 4096 * MIB }, { 2 * MIB, 500 * MIB }, {} };
        const VsmPlanGuest guests[] = {
                GUEST("a", 400, .page_size = 2 * MIB), GUEST("b", 100, .page_size = 2 * MIB),
                GUEST("c", 300, .page_size = 2 * MIB), GUEST("d", 10),
        };
        const VsmPlanHost hosts[] = {
                HOST("x", 9999, .pages = small), HOST("y", 5, .pages = other), HOST("z", 9),
        };
        const VsmPlanInput input = INPUT(guests, hosts);
        g_autoptr(VsmPlan) plan = make(&input);

        g_assert_cmpuint(entry_of(plan, 0)->host, ==, 1);
        g_assert_cmpuint(entry_of(plan, 1)->host, !=, VSM_PLAN_NO_HOST);
        g_assert_cmpuint(entry_of(plan, 2)->host, ==, VSM_PLAN_NO_HOST);
        g_assert_true(has_reason(entry_of(plan, 2), "not-enough-huge-pages"));
        g_assert_cmpuint(entry_of(plan, 3)->host, ==, 0);
}

static void test_groups(void) {
        const char *there[] = { "web", NULL };
        const VsmPlanGuest guests[] = {
                GUEST("a", 10, .group = "web"), GUEST("b", 10, .group = "web"), GUEST("c", 10, .group = "web"),
                GUEST("d", 10, .group = ""), GUEST("e", 10),
        };
        const VsmPlanHost hosts[] = { HOST("x", 999, .groups = there), HOST("y", 999), HOST("z", 999) };
        const VsmPlanInput input = INPUT(guests, hosts);
        g_autoptr(VsmPlan) plan = make(&input);
        unsigned y = 0, z = 0, none = 0;

        for (size_t g = 0; g < 3; g++) {
                const VsmPlanEntry *entry = entry_of(plan, g);

                g_assert_cmpuint(entry->host, !=, 0);
                y += entry->host == 1;
                z += entry->host == 2;
                none += entry->host == VSM_PLAN_NO_HOST;
                if (entry->host == VSM_PLAN_NO_HOST)
                        g_assert_true(has_reason(entry, "anti-affinity"));
        }

        g_assert_cmpuint(y, ==, 1);
        g_assert_cmpuint(z, ==, 1);
        g_assert_cmpuint(none, ==, 1);
        g_assert_cmpuint(entry_of(plan, 3)->host, !=, VSM_PLAN_NO_HOST);
        g_assert_cmpuint(entry_of(plan, 4)->host, !=, VSM_PLAN_NO_HOST);
}

/* Guest 0 may only go to host 1, guest 1 nowhere. */
static GVariant* objection(size_t guest, size_t host, void *userdata) {
        return (guest == 0 && host != 1) || guest == 1 ? userdata : NULL;
}

static void test_objections(void) {
        g_autoptr(GVariant) against =
                g_variant_ref_sink(g_variant_new_parsed("[{'MessageID': <'host-not-allowed'>}]"));
        const VsmPlanGuest guests[] = { GUEST("a", 10), GUEST("b", 10), GUEST("c", 10) };
        const VsmPlanHost hosts[] = { HOST("x", 999), HOST("y", 99) };
        const VsmPlanInput input = INPUT(guests, hosts, .objection = objection, .userdata = against);
        g_autoptr(VsmPlan) plan = make(&input);

        g_assert_cmpuint(entry_of(plan, 0)->host, ==, 1);
        g_assert_cmpint(reason_at(entry_of(plan, 0), "plan-only-host"), ==, 0);
        g_assert_cmpint(reason_at(entry_of(plan, 0), "host-not-allowed"), ==, 1);

        g_assert_cmpuint(entry_of(plan, 1)->host, ==, VSM_PLAN_NO_HOST);
        g_assert_cmpint(reason_at(entry_of(plan, 1), "no-destination"), ==, 0);
        g_assert_cmpuint(g_variant_n_children(entry_of(plan, 1)->reasons), ==, 3);
        g_assert_cmpuint(entry_of(plan, 2)->host, ==, 0);
        g_assert_false(has_reason(entry_of(plan, 2), "host-not-allowed"));
}

static void test_host_priority(void) {
        const VsmPlanGuest guests[] = { GUEST("a", 60), GUEST("b", 60) };
        const VsmPlanHost hosts[] = { HOST("x", 999), HOST("y", 100, .priority = 10) };
        const VsmPlanInput input = INPUT(guests, hosts);
        g_autoptr(VsmPlan) plan = make(&input);

        g_assert_cmpuint(entry_of(plan, 0)->host + entry_of(plan, 1)->host, ==, 1);
        for (size_t g = 0; g < 2; g++)
                g_assert_true(has_reason(entry_of(plan, g), "plan-preferred") == (entry_of(plan, g)->host == 1));
}

/* The one with the lower number has the place, although two others would fit there. */
static void test_guest_priority(void) {
        const VsmPlanGuest guests[] = { GUEST("a", 50), GUEST("b", 50), GUEST("c", 90, .priority = 1) };
        const VsmPlanHost hosts[] = { HOST("x", 100) };
        const VsmPlanInput input = INPUT(guests, hosts);
        g_autoptr(VsmPlan) plan = make(&input);

        g_assert_cmpuint(entry_of(plan, 2)->host, ==, 0);
        g_assert_cmpuint(entry_of(plan, 0)->host, ==, VSM_PLAN_NO_HOST);
        g_assert_cmpuint(entry_of(plan, 1)->host, ==, VSM_PLAN_NO_HOST);
}

/* Biggest first and best fit both fail here: 6+4, 5+3+2. */
static void test_tight(void) {
        const VsmPlanGuest guests[] = {
                GUEST("a", 600), GUEST("b", 500), GUEST("c", 400), GUEST("d", 300), GUEST("e", 200),
        };
        const VsmPlanHost hosts[] = { HOST("x", 1000), HOST("y", 1000) };
        const VsmPlanInput input = INPUT(guests, hosts);
        g_autoptr(VsmPlan) plan = make(&input);

        for (size_t g = 0; g < 5; g++)
                g_assert_cmpuint(entry_of(plan, g)->host, !=, VSM_PLAN_NO_HOST);
}

static void test_nothing(void) {
        const VsmPlanGuest guests[] = { GUEST("a", 10) };
        const VsmPlanHost hosts[] = { HOST("x", 1000) };
        const VsmPlanInput no_guests = { .hosts = hosts, .n_hosts = 1, .link_rate = LINK, .disk_rate = LINK };
        const VsmPlanInput no_hosts = { .guests = guests, .n_guests = 1, .link_rate = LINK, .disk_rate = LINK };
        g_autoptr(VsmPlan) none = make(&no_guests), stays = make(&no_hosts);

        g_assert_cmpuint(none->n, ==, 0);
        g_assert_cmpuint(none->makespan, ==, 0);
        g_assert_cmpuint(none->bound, ==, 0);
        g_assert_cmpint(stays->entries[0].method, ==, VSM_METHOD_SAVE);
        g_assert_true(has_reason(&stays->entries[0], "no-destination"));
        g_assert_cmpuint(stays->makespan, ==, 0);
}

/* ---- method ---- */

static void test_method(void) {
        const VsmPlanGuest guests[] = {
                GUEST("idle", 100), GUEST("busy", 100, .dirty_rate = 2 * LINK),
                GUEST("post-copy", 100, .dirty_rate = 2 * LINK,
                      .chain = { { VSM_METHOD_LIVE, VSM_METHOD_POST_COPY, VSM_METHOD_SAVE }, 3 }),
                GUEST("save", 100, .dirty_rate = 2 * LINK, .chain = { { VSM_METHOD_LIVE, VSM_METHOD_SAVE }, 2 }),
                GUEST("slowed", 100, .dirty_rate = 2 * LINK, .chain = { { VSM_METHOD_LIVE, VSM_METHOD_SHUTDOWN }, 2 }),
                GUEST("shutdown", 100, .chain = { { VSM_METHOD_SHUTDOWN }, 1 }),
        };
        static const VsmMethod expected[] = {
                VSM_METHOD_LIVE, VSM_METHOD_RESUME, VSM_METHOD_POST_COPY, VSM_METHOD_SAVE, VSM_METHOD_LIVE,
                VSM_METHOD_SHUTDOWN,
        };
        static const char *const reasons[] = {
                "plan-only-host", "plan-not-live", "plan-not-live", "plan-not-live", "plan-slowed-down", "plan-policy",
        };
        const VsmPlanHost hosts[] = { HOST("x", 1000) };
        const VsmPlanInput input = INPUT(guests, hosts);
        g_autoptr(VsmPlan) plan = make(&input);

        for (size_t g = 0; g < G_N_ELEMENTS(guests); g++) {
                const VsmPlanEntry *entry = entry_of(plan, g);

                g_assert_cmpint(entry->method, ==, expected[g]);
                g_assert_true((entry->host == 0) == vsm_method_moves(expected[g]));
                g_assert_true(has_reason(entry, reasons[g]));
                g_assert_false(has_reason(entry, "no-destination"));
        }
}

/* Where the link is wide enough it goes live, if there is such a host. */
static void test_method_by_host(void) {
        const VsmPlanGuest guests[] = {
                GUEST("a", 100, .dirty_rate = LINK / 2, .chain = { { VSM_METHOD_LIVE, VSM_METHOD_SAVE }, 2 }),
        };
        const VsmPlanHost hosts[] = { HOST("x", 1000, .link_rate = LINK / 2), HOST("y", 200) };
        const VsmPlanInput input = INPUT(guests, hosts);
        g_autoptr(VsmPlan) plan = make(&input);

        g_assert_cmpuint(plan->entries[0].host, ==, 1);
        g_assert_cmpint(plan->entries[0].method, ==, VSM_METHOD_LIVE);
}

/* ---- time of many ---- */

/* Priority first, then the shortest; one after the other, set up meanwhile. */
static void test_order(void) {
        const VsmPlanGuest guests[] = {
                GUEST("a", 300), GUEST("b", 200), GUEST("c", 400, .priority = 1), GUEST("d", 200),
                GUEST("e", 100, .chain = { { VSM_METHOD_LEAVE }, 1 }, .priority = 1),
        };
        static const size_t expected[] = { 2, 1, 3, 0, 4 };
        static const uint64_t starts[] = { 0, 4, 6, 8, 0 };
        const VsmPlanHost hosts[] = { HOST("x", 1000), HOST("y", 1000) };
        const VsmPlanInput input = INPUT(guests, hosts, .setup = SECOND);
        g_autoptr(VsmPlan) plan = make(&input);

        for (size_t i = 0; i < plan->n; i++) {
                g_assert_cmpuint(plan->entries[i].guest, ==, expected[i]);
                g_assert_cmpuint(plan->entries[i].order, ==, i + 1);
                g_assert_cmpuint(plan->entries[i].start, ==, starts[i] * SECOND);
        }

        g_assert_cmpuint(plan->makespan, ==, 12 * SECOND);
        g_assert_cmpuint(plan->bound, ==, 12 * SECOND);
}

/* Two narrow hosts are two lanes: 5, 4, 3, 3, 3 seconds of a half link go as 9 and 9. */
static void test_lanes(void) {
        const VsmPlanGuest guests[] = {
                GUEST("a", 250), GUEST("b", 200), GUEST("c", 150), GUEST("d", 150), GUEST("e", 150),
        };
        const VsmPlanHost hosts[] = { HOST("x", 1000, .link_rate = LINK / 2), HOST("y", 1000, .link_rate = LINK / 2) };
        const VsmPlanInput input = INPUT(guests, hosts, .setup = SECOND);
        g_autoptr(VsmPlan) plan = make(&input);

        g_assert_cmpuint(plan->makespan, ==, 10 * SECOND);
        g_assert_cmpuint(plan->bound, ==, 10 * SECOND);
}

/* Nine seconds: the two short ones go, the long one is saved at once; the second one of that kind cannot even be. */
static void test_deadline(void) {
        const VsmPlanGuest guests[] = {
                GUEST("a", 300), GUEST("b", 500), GUEST("c", 600), GUEST("d", 700),
        };
        const VsmPlanHost hosts[] = { HOST("x", 9999) };
        const VsmPlanInput input = INPUT(guests, hosts, .setup = SECOND, .deadline = 9 * SECOND);
        g_autoptr(VsmPlan) plan = make(&input);

        g_assert_cmpint(entry_of(plan, 0)->method, ==, VSM_METHOD_LIVE);
        g_assert_cmpint(entry_of(plan, 1)->method, ==, VSM_METHOD_LIVE);
        g_assert_cmpint(entry_of(plan, 2)->method, ==, VSM_METHOD_SAVE);
        g_assert_cmpuint(entry_of(plan, 2)->start, ==, 0);
        g_assert_true(has_reason(entry_of(plan, 2), "deadline-too-short"));
        g_assert_false(has_reason(entry_of(plan, 2), "no-destination"));
        g_assert_cmpint(entry_of(plan, 3)->method, ==, VSM_METHOD_LEAVE);
        g_assert_true(has_reason(entry_of(plan, 3), "no-time-to-save"));
        g_assert_cmpuint(entry_of(plan, 3)->order, ==, 4);
        g_assert_cmpuint(plan->makespan, <=, 9 * SECOND);
}

/* Priority comes before the number of guests. */
static void test_deadline_priority(void) {
        const VsmPlanGuest guests[] = { GUEST("a", 300), GUEST("b", 300), GUEST("c", 800, .priority = 1) };
        const VsmPlanHost hosts[] = { HOST("x", 9999) };
        const VsmPlanInput input = INPUT(guests, hosts, .deadline = 9 * SECOND);
        g_autoptr(VsmPlan) plan = make(&input);

        g_assert_cmpint(entry_of(plan, 2)->method, ==, VSM_METHOD_LIVE);
        g_assert_cmpint(entry_of(plan, 0)->method, ==, VSM_METHOD_SAVE);
        g_assert_cmpint(entry_of(plan, 1)->method, ==, VSM_METHOD_SAVE);
        g_assert_cmpuint(entry_of(plan, 1)->start, ==, 3 * SECOND);
}

/* Live takes 10 s, paused 5 s. */
static void test_deadline_quicker(void) {
        const VsmPlanGuest guests[] = { GUEST("a", 500, .dirty_rate = LINK / 2) };
        const VsmPlanHost hosts[] = { HOST("x", 9999) };
        const VsmPlanInput input = INPUT(guests, hosts, .deadline = 6 * SECOND);
        g_autoptr(VsmPlan) plan = make(&input);

        g_assert_cmpint(plan->entries[0].method, ==, VSM_METHOD_RESUME);
        g_assert_true(has_reason(&plan->entries[0], "plan-quicker"));
        g_assert_cmpuint(plan->makespan, ==, 5 * SECOND);
}

/* All to the preferred host would come too late over its link. */
static void test_deadline_or_preference(void) {
        const VsmPlanGuest guests[] = { GUEST("a", 300), GUEST("b", 300) };
        const VsmPlanHost hosts[] = {
                HOST("x", 9999, .priority = 1, .link_rate = LINK / 2), HOST("y", 9999, .link_rate = LINK / 2),
        };
        const VsmPlanInput input = INPUT(guests, hosts, .deadline = 7 * SECOND);
        g_autoptr(VsmPlan) plan = make(&input);

        g_assert_cmpint(entry_of(plan, 0)->method, ==, VSM_METHOD_LIVE);
        g_assert_cmpint(entry_of(plan, 1)->method, ==, VSM_METHOD_LIVE);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/plan/time", test_time);
        g_test_add_func("/plan/memory", test_memory);
        g_test_add_func("/plan/pages", test_pages);
        g_test_add_func("/plan/groups", test_groups);
        g_test_add_func("/plan/objections", test_objections);
        g_test_add_func("/plan/host-priority", test_host_priority);
        g_test_add_func("/plan/guest-priority", test_guest_priority);
        g_test_add_func("/plan/tight", test_tight);
        g_test_add_func("/plan/nothing", test_nothing);
        g_test_add_func("/plan/method", test_method);
        g_test_add_func("/plan/method-by-host", test_method_by_host);
        g_test_add_func("/plan/order", test_order);
        g_test_add_func("/plan/lanes", test_lanes);
        g_test_add_func("/plan/deadline", test_deadline);
        g_test_add_func("/plan/deadline-priority", test_deadline_priority);
        g_test_add_func("/plan/deadline-quicker", test_deadline_quicker);
        g_test_add_func("/plan/deadline-or-preference", test_deadline_or_preference);
        return g_test_run();
}
