/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The order in which guests come home, and what is done when memory is short. One thread. */

#include <glib.h>

#include "daemon/bring-back-plan.h"

#define MIB (UINT64_C(1) << 20)

/* Those that find room, in their order, as their first letters; then those that do not. */
static char* order_of(const VsmReturn *guests, size_t n, uint64_t available) {
        g_autofree VsmReturn *copy = g_memdup2(guests, n * sizeof *guests);
        GString *text = g_string_new(NULL);
        size_t n_fit;

        n_fit = vsm_returns_order(copy, n, available);
        for (size_t i = 0; i < n; i++)
                g_string_append_printf(text, "%s%c", i == n_fit ? " " : "", copy[i].uuid[0]);

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
        assert_order(guests, G_N_ELEMENTS(guests), 949 * MIB, "cbea d");
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

        assert_order(guests, G_N_ELEMENTS(guests), 600 * MIB, "cbd a");
        assert_order(guests, G_N_ELEMENTS(guests), 400 * MIB, "c bad");
        assert_order(guests, G_N_ELEMENTS(guests), 399 * MIB, "bd ca");
        assert_order(guests, G_N_ELEMENTS(guests), 49 * MIB, " cbad");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/bring-back-plan/order", test_order);
        g_test_add_func("/bring-back-plan/short", test_short);
        return g_test_run();
}
