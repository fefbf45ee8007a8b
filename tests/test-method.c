/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of the ways out, and chains of them. */

#include <string.h>

#include "shared/method.h"
#include "shared/error.h"

static void test_words(void) {
        static const char *const words[] = { "live", "post-copy", "resume", "save", "shutdown", "leave" };
        VsmMethod method;

        for (unsigned i = 0; i < _VSM_METHOD_MAX; i++) {
                g_assert_cmpstr(vsm_method_to_string(i), ==, words[i]);
                g_assert_true(vsm_method_from_string(words[i], &method));
                g_assert_cmpuint(method, ==, i);
                g_assert_cmpint(vsm_method_moves(i), ==, i < 3);
        }

        g_assert_false(vsm_method_from_string("Live", &method));
        g_assert_false(vsm_method_from_string("", &method));
}

static void test_default(void) {
        VsmChain chain = vsm_chain_default();
        g_auto(GStrv) words = vsm_chain_to_strv(&chain);
        g_autofree char *joined = g_strjoinv(" ", words);

        g_assert_cmpstr(joined, ==, "live resume save leave");
}

static void test_chain(void) {
        static const char *const all[] = { "leave", "shutdown", "save", "resume", "post-copy", "live", NULL };
        static const char *const unknown[] = { "live", "de\nstroy", NULL };
        static const char *const twice[] = { "live", "save", "live", NULL };
        static const char *const none[] = { NULL };
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) words = NULL;
        VsmChain chain;

        g_assert_true(vsm_chain_parse(all, &chain, &error));
        words = vsm_chain_to_strv(&chain);
        g_assert_true(g_strv_equal((const char *const *) words, all));

        g_assert_false(vsm_chain_parse(unknown, &chain, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
        g_assert_nonnull(strstr(error->message, "de\\nstroy"));
        g_clear_error(&error);

        g_assert_false(vsm_chain_parse(twice, &chain, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
        g_assert_nonnull(strstr(error->message, "\"live\" is there twice"));
        g_assert_cmpuint(chain.n, ==, 6); /* as it was */

        g_assert_true(vsm_chain_parse(none, &chain, NULL));
        g_assert_cmpuint(chain.n, ==, 0);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/method/words", test_words);
        g_test_add_func("/method/default", test_default);
        g_test_add_func("/method/chain", test_chain);
        return g_test_run();
}
