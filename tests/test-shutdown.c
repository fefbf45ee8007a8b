/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which way the host goes down, and what is to become of its guests. */

#include <glib/gstdio.h>
#include <string.h>

#include "shared/shutdown-policy.h"

/* ---- kind ---- */

/* Heads of what "busctl call ... ListJobs" of systemd 252 gave, shortened to what is of interest. */
static void test_kind(void) {
        static const struct {
                VsmShutdownKind kind;
                VsmSystemdJob jobs[6];
        } cases[] = {
                { VSM_SHUTDOWN_NONE, { { "vsm-evacuate.service", "restart" } } },
                { VSM_SHUTDOWN_NONE, { { "vsm-evacuate.service", "stop" }, { "vsmd.service", "restart" } } },
                { VSM_SHUTDOWN_POWER_OFF, { { "vsm-evacuate.service", "stop" }, { "shutdown.target", "start" },
                                            { "poweroff.target", "start" }, { "systemd-poweroff.service", "start" } } },
                { VSM_SHUTDOWN_REBOOT, { { "systemd-reboot.service", "start" }, { "reboot.target", "start" },
                                         { "shutdown.target", "start" }, { "final.target", "start" } } },
                { VSM_SHUTDOWN_HALT, { { "halt.target", "start" }, { "shutdown.target", "start" } } },
                { VSM_SHUTDOWN_KEXEC, { { "shutdown.target", "start" }, { "kexec.target", "start" } } },
                /* rescue mode and soft things stop much, but the host stays up */
                { VSM_SHUTDOWN_NONE, { { "rescue.target", "start" }, { "vsm-evacuate.service", "stop" } } },
                { VSM_SHUTDOWN_NONE, { { "emergency.target", "start" }, { "shutdown.target", "stop" } } },
                { VSM_SHUTDOWN_NONE, { { "shutdown.target", "start" } } },
                /* one that is taken back, and names that only look alike */
                { VSM_SHUTDOWN_NONE, { { "poweroff.target", "stop" }, { "my-poweroff.target", "start" },
                                       { "reboot.target.wants", "start" } } },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                size_t n = 0;

                while (n < G_N_ELEMENTS(cases[i].jobs) && cases[i].jobs[n].unit)
                        n++;
                g_assert_cmpint(vsm_shutdown_kind(cases[i].jobs, n), ==, cases[i].kind);
        }

        g_assert_cmpint(vsm_shutdown_kind(NULL, 0), ==, VSM_SHUTDOWN_NONE);
        g_assert_cmpstr(vsm_shutdown_kind_target(VSM_SHUTDOWN_HALT), ==, "halt.target");
        g_assert_null(vsm_shutdown_kind_target(VSM_SHUTDOWN_NONE));
}

static void test_time(void) {
        const uint64_t minute = UINT64_C(60) * G_USEC_PER_SEC;

        g_assert_cmpuint(vsm_shutdown_time(UINT64_MAX, UINT64_MAX), ==, 0);
        g_assert_cmpuint(vsm_shutdown_time(25 * minute, 30 * minute), ==, 23 * minute);
        g_assert_cmpuint(vsm_shutdown_time(UINT64_MAX, 30 * minute), ==, 28 * minute);
        g_assert_cmpuint(vsm_shutdown_time(4 * minute, UINT64_MAX), ==, 3 * minute);
        /* 0 would be no limit at all */
        g_assert_cmpuint(vsm_shutdown_time(0, UINT64_MAX), ==, 1);
}

/* ---- policy ---- */

typedef struct Place {
        char *top, *file, *drop_ins;
} Place;

static void place_set_up(Place *place, const void *data) {
        place->top = g_dir_make_tmp("test-shutdown-XXXXXX", NULL);
        place->file = g_build_filename(place->top, "vsmd.conf", NULL);
        place->drop_ins = g_build_filename(place->top, "vsmd.conf.d", NULL);
}

static void place_tear_down(Place *place, const void *data) {
        g_autofree char *drop_in = g_build_filename(place->drop_ins, "50-site.conf", NULL);

        (void) g_unlink(drop_in);
        (void) g_unlink(place->file);
        (void) g_rmdir(place->drop_ins);
        (void) g_rmdir(place->top);
        g_free(place->drop_ins);
        g_free(place->file);
        g_free(place->top);
}

static VsmShutdownPolicy read_text(Place *place, const char *text) {
        g_assert_true(g_file_set_contents(place->file, text, -1, NULL));
        return vsm_shutdown_policy_read(place->file, place->drop_ins);
}

static void test_defaults(Place *place, const void *data) {
        VsmShutdownPolicy policy = vsm_shutdown_policy_read(place->file, place->drop_ins);

        g_assert_true(vsm_shutdown_policy_always_evacuates(&policy));
        g_assert_cmpint(policy.actions[VSM_SHUTDOWN_NONE], ==, VSM_SHUTDOWN_LEAVE);
        g_assert_cmpuint(policy.fallback.n, ==, 0);
        g_assert_false(policy.bring_back);
}

static void test_whole(Place *place, const void *data) {
        VsmShutdownPolicy policy = read_text(place, "[Service]\nHistoryLimit=7\n[Evacuation]\nPowerOff=evacuate\nReboot=save\n"
                                             "Halt = shutdown\nKExec=leave\nFallback=live; post-copy ;save;\nBringBack=true\n");
        VsmChain chain;

        g_assert_cmpint(policy.actions[VSM_SHUTDOWN_POWER_OFF], ==, VSM_SHUTDOWN_EVACUATE);
        g_assert_cmpint(policy.actions[VSM_SHUTDOWN_REBOOT], ==, VSM_SHUTDOWN_SAVE);
        g_assert_cmpint(policy.actions[VSM_SHUTDOWN_HALT], ==, VSM_SHUTDOWN_SHUTDOWN);
        g_assert_cmpint(policy.actions[VSM_SHUTDOWN_KEXEC], ==, VSM_SHUTDOWN_LEAVE);
        g_assert_false(vsm_shutdown_policy_always_evacuates(&policy));
        g_assert_true(policy.bring_back);

        chain = vsm_shutdown_policy_chain(&policy, VSM_SHUTDOWN_POWER_OFF);
        g_assert_cmpuint(chain.n, ==, 3);
        g_assert_cmpint(chain.methods[1], ==, VSM_METHOD_POST_COPY);

        /* never more than was asked for: a guest that cannot be saved is left, not shut down */
        chain = vsm_shutdown_policy_chain(&policy, VSM_SHUTDOWN_REBOOT);
        g_assert_cmpuint(chain.n, ==, 2);
        g_assert_cmpint(chain.methods[0], ==, VSM_METHOD_SAVE);
        g_assert_cmpint(chain.methods[1], ==, VSM_METHOD_LEAVE);
}

static void test_drop_in(Place *place, const void *data) {
        g_autofree char *drop_in = g_build_filename(place->drop_ins, "50-site.conf", NULL);
        VsmShutdownPolicy policy;

        g_assert_cmpint(g_mkdir(place->drop_ins, 0700), ==, 0);
        g_assert_true(g_file_set_contents(drop_in, "[Evacuation]\nReboot=leave\nFallback=\n", -1, NULL));
        policy = read_text(place, "[Evacuation]\nReboot=save\nHalt=save\nFallback=save\n");
        g_assert_cmpint(policy.actions[VSM_SHUTDOWN_REBOOT], ==, VSM_SHUTDOWN_LEAVE);
        g_assert_cmpint(policy.actions[VSM_SHUTDOWN_HALT], ==, VSM_SHUTDOWN_SAVE);
        g_assert_cmpuint(policy.fallback.n, ==, 0);
}

/* Each line by itself, and what it says then. */
static void test_wrong(void) {
        static const struct {
                const char *key, *value, *wanted;
        } cases[] = {
                { "PowerOff", "true", "PowerOff: \"true\" is not evacuate, save, shutdown or leave." },
                { "Reboot", "Evacuate", "Reboot: \"Evacuate\" is not" },
                { "Fallback", "live;teleport", "\"teleport\"" },
                { "Fallback", "live;live", "Fallback: " },
                { "BringBack", "yes", "BringBack: \"yes\" is not true or false." },
                { "Suspend", "save", "[Evacuation]: \"Suspend\" is unknown." },
                { "PowerOff", "a\nb", "\"a\\nb\"" },
        };
        const VsmShutdownPolicy untouched = vsm_shutdown_policy_default();

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                VsmShutdownPolicy policy = untouched;
                const VsmConfLine line = { "Evacuation", cases[i].key, cases[i].value };
                g_autofree char *wrong = vsm_shutdown_policy_take(&policy, &line);

                g_assert_nonnull(wrong);
                g_assert_nonnull(strstr(wrong, cases[i].wanted));
                g_assert_true(g_str_has_suffix(wrong, " The line is ignored."));
                g_assert_cmpmem(&policy, sizeof policy, &untouched, sizeof untouched);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/shutdown/kind", test_kind);
        g_test_add_func("/shutdown/time", test_time);
        g_test_add("/shutdown/policy/defaults", Place, NULL, place_set_up, test_defaults, place_tear_down);
        g_test_add("/shutdown/policy/whole", Place, NULL, place_set_up, test_whole, place_tear_down);
        g_test_add("/shutdown/policy/drop-in", Place, NULL, place_set_up, test_drop_in, place_tear_down);
        g_test_add_func("/shutdown/policy/wrong", test_wrong);

        return g_test_run();
}
