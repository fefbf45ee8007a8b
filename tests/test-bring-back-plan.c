/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The order in which guests come home, and what is done when memory is short. One thread. */

#include <glib.h>

#include "daemon/bring-back-plan.h"

#define MIB (UINT64_C(1) << 20)

/* The whole order while so much memory is there, as their first letters. */
static char* order_of(const VsmReturn *guests, size_t n, uint64_t available) {
        g_autofree VsmReturn *left = g_memdup2(guests, n * sizeof *guests);
        GString *text = g_string_new(NULL);
        size_t next;

        while ((next = vsm_return_next(left, n, available)) != VSM_RETURN_NONE) {
                g_string_append_c(text, left[next].uuid[0]);
                available -= left[next].memory;
                left[next] = left[--n];
        }

        return g_string_free(text, FALSE);
}

static void assert_order(const VsmReturn *guests, size_t n, uint64_t available, const char *wanted) {
        g_autofree VsmReturn *turned = g_new(VsmReturn, n);
        g_autofree char *order = order_of(guests, n, available), *again = NULL;

        g_assert_cmpstr(order, ==, wanted);

        for (size_t i = 0; i < n; i++)
                turned[i] = guests[n - 1 - i];
        again = order_of(turned, n, available);
        g_assert_cmpstr(again, ==, wanted);
}

static void test_order(void) {
        static const VsmReturn guests[] = {
                { "a", 100, 300 * MIB },
                { "b", 100, 100 * MIB },
                { "c", 10, 400 * MIB },
                { "d", 200, 50 * MIB },
                { "e", 100, 100 * MIB },
        };

        assert_order(guests, G_N_ELEMENTS(guests), 1000 * MIB, "cbead");
        assert_order(guests, G_N_ELEMENTS(guests), 950 * MIB, "cbead");
        assert_order(guests, 0, 1000 * MIB, "");
}

/* Important ones first, as many as possible; what is large makes room for what is small. */
static void test_short(void) {
        static const VsmReturn guests[] = {
                { "a", 100, 300 * MIB },
                { "b", 100, 100 * MIB },
                { "c", 10, 400 * MIB },
                { "d", 200, 50 * MIB },
        };

        assert_order(guests, G_N_ELEMENTS(guests), 600 * MIB, "cbd");
        assert_order(guests, G_N_ELEMENTS(guests), 400 * MIB, "c");
        assert_order(guests, G_N_ELEMENTS(guests), 399 * MIB, "bd");
        assert_order(guests, G_N_ELEMENTS(guests), 49 * MIB, "");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/bring-back-plan/order", test_order);
        g_test_add_func("/bring-back-plan/short", test_short);
        return g_test_run();
}
