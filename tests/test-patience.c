/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Waiting for another thread: for a time, until somebody cancels, and not for one host again and again. */

#include <string.h>

#include "daemon/virt/patience.h"
#include "shared/error.h"

static int64_t in_ms(unsigned ms) {
        return g_get_monotonic_time() + (int64_t) ms * 1000;
}

static gint n_freed, n_inputs_freed;
static GMutex gate;             /* held: the slow ones are asleep */

static void count_free(void *p) {
        g_atomic_int_inc(&n_freed);
        g_free(p);
}

static void count_input_free(void *p) {
        g_atomic_int_inc(&n_inputs_freed);
        g_free(p);
}

static void* quick(void *input, GError **error) {
        if (strcmp(input, "fail") != 0)
                return g_strdup(input);

        g_set_error_literal(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, "failed");
        return NULL;
}

static void* slow(void *input, GError **error) {
        g_mutex_lock(&gate);
        g_mutex_unlock(&gate);
        return quick(input, error);
}

static void* run(
                VsmPatienceFunc func,
                const char *host,
                const char *input,
                unsigned ms,
                VsmCancel *cancel,
                GError **error) {

        return vsm_patience_run(
                        &(VsmPatience) {
                                .what = "Testing",
                                .host = host,
                                .func = func,
                                .input = g_strdup(input),
                                .input_free = count_input_free,
                                .result_free = count_free,
                        },
                        in_ms(ms), cancel, error);
}

static void wait_for(gint *counter, gint value) {
        for (unsigned i = 0; i < 2000 && g_atomic_int_get(counter) != value; i++)
                g_usleep(10 * 1000);

        g_assert_cmpint(g_atomic_int_get(counter), ==, value);
}

static void test_patience_result(void) {
        g_autoptr(GError) error = NULL;
        g_autofree char *result = NULL;

        n_freed = n_inputs_freed = 0;
        result = run(quick, "r", "done", 20000, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(result, ==, "done");

        g_assert_null(run(quick, "r", "fail", 20000, NULL, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE);
        wait_for(&n_inputs_freed, 2);
        g_assert_cmpint(n_freed, ==, 0);
}

static void test_patience_late(void) {
        g_autoptr(VsmCancel) cancel = vsm_cancel_new();
        g_autoptr(GError) deadline = NULL, cancelled = NULL;

        n_freed = n_inputs_freed = 0;
        g_mutex_lock(&gate);
        g_assert_null(run(slow, "l", "late", 50, NULL, &deadline));
        g_assert_error(deadline, VSM_ERROR, VSM_ERROR_TIMEOUT);

        vsm_cancel_fire(cancel);
        g_assert_null(run(slow, "l", "later", 20000, cancel, &cancelled));
        g_assert_error(cancelled, VSM_ERROR, VSM_ERROR_CANCELLED);

        g_assert_cmpint(n_freed, ==, 0);
        g_mutex_unlock(&gate);
        wait_for(&n_freed, 2);
        wait_for(&n_inputs_freed, 2);
}

/* A host that hangs is not asked again and again; others are, and it is as well once it woke up. */
static void test_patience_limit(void) {
        g_autofree char *other = NULL, *again = NULL;
        gint n = 0;

        n_freed = n_inputs_freed = 0;
        g_mutex_lock(&gate);

        for (;; n++) {
                g_autoptr(GError) error = NULL;

                g_assert_null(run(slow, "frozen", "x", 1, NULL, &error));
                if (g_error_matches(error, VSM_ERROR, VSM_ERROR_LIMITS_EXCEEDED))
                        break;

                g_assert_error(error, VSM_ERROR, VSM_ERROR_TIMEOUT);
                g_assert_cmpint(n, <, 64);
        }

        g_assert_cmpint(n, >, 0);
        other = run(quick, "healthy", "x", 20000, NULL, NULL);
        g_assert_cmpstr(other, ==, "x");

        g_mutex_unlock(&gate);
        wait_for(&n_freed, n);
        again = run(quick, "frozen", "x", 20000, NULL, NULL);
        g_assert_cmpstr(again, ==, "x");
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/patience/result", test_patience_result);
        g_test_add_func("/patience/late", test_patience_late);
        g_test_add_func("/patience/limit", test_patience_limit);

        return g_test_run();
}
