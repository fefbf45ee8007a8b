/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of reasons: sorted, complete, and the same as in the client, which translates it, and in the manual
 * page. */

#include <string.h>

#include "client/reason-text.h"
#include "daemon/reason.h"
#include "shared/enums.h"

static void test_table(void) {
        const char *previous = "";

        for (const VsmReasonInfo *info = vsm_reason_table(); info->code; info++) {
                g_assert_cmpstr(info->code, >, previous);
                previous = info->code;
                g_assert_true(vsm_reason_find(info->code) == info);
                g_assert_cmpuint(strspn(info->code, "abcdefghijklmnopqrstuvwxyz-"), ==, strlen(info->code));
                g_assert_true(info->severity == VSM_SEVERITY_INFORMATION ||
                              info->severity == VSM_SEVERITY_WARNING || info->severity == VSM_SEVERITY_ERROR);
                g_assert_cmpuint(strlen(info->message), >, 0);
                if (info->action)
                        g_assert_true(g_str_has_suffix(info->action, "."));
        }

        g_assert_null(vsm_reason_find("nothing-of-the-kind"));
}

static void test_severity(void) {
        g_autoptr(VsmReasons) reasons = vsm_reasons_new();
        static const struct {
                const char *code;
                uint16_t severity;
                bool error;
        } steps[] = {
                { "not-verifiable",   VSM_SEVERITY_INFORMATION, false },
                { "hypervisor-older", VSM_SEVERITY_WARNING,     false },
                { "definition-replaced", VSM_SEVERITY_WARNING,  false },
                { "network-missing",  VSM_SEVERITY_ERROR,       true  },
        };
        g_autoptr(GVariant) none = vsm_reasons_to_variant(reasons);

        g_assert_cmpuint(vsm_reasons_variant_severity(none), ==, 0);
        g_assert_false(vsm_reasons_variant_has_error(none));

        for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
                g_autoptr(GVariant) list = NULL;

                vsm_reasons_add(reasons, steps[i].code, "", NULL, "a", "b", "c", NULL);
                list = vsm_reasons_to_variant(reasons);
                g_assert_cmpuint(vsm_reasons_variant_severity(list), ==, steps[i].severity);
                g_assert_cmpint(vsm_reasons_variant_has_error(list), ==, steps[i].error);
        }
}

/* Word for word: the client finds the translation of an action by its English sentence. */
static void test_client(void) {
        const VsmReasonText *text = vsm_reason_text_table();

        for (const VsmReasonInfo *info = vsm_reason_table(); info->code; info++, text++) {
                g_assert_cmpstr(text->id, ==, info->code);
                g_assert_cmpstr(text->message, ==, info->message);
                g_assert_cmpstr(text->action, ==, info->action);
        }

        g_assert_null(text->id);
}

/* "code severity", of the rows between the heading and the next one */
static GPtrArray* read_page(const char *page) {
        g_autoptr(GRegex) row = g_regex_new("^``([a-z-]+)`` +([236]) ", G_REGEX_OPTIMIZE, 0, NULL);
        g_auto(GStrv) lines = g_strsplit(page, "\n", -1);
        GPtrArray *rows = g_ptr_array_new_with_free_func(g_free);
        bool in_section = false;

        for (char **line = lines; *line; line++) {
                g_autoptr(GMatchInfo) match = NULL;

                if (line[1] && g_str_has_prefix(line[1], "====") && !strchr(line[1], ' '))
                        in_section = strcmp(*line, "REASONS") == 0;
                if (in_section && g_regex_match(row, *line, 0, &match)) {
                        g_autofree char *code = g_match_info_fetch(match, 1);
                        g_autofree char *severity = g_match_info_fetch(match, 2);

                        g_ptr_array_add(rows, g_strdup_printf("%s %s", code, severity));
                }
        }

        return rows;
}

static void test_page(void) {
        const char *root = g_getenv("VSM_SOURCE_ROOT");
        g_autofree char *path = NULL, *page = NULL;
        g_autoptr(GPtrArray) rows = NULL;
        guint n = 0;

        if (!root) {
                g_test_skip("not in the source tree");
                return;
        }

        path = g_build_filename(root, "man", "org.example.VirtualSystemMigration.5.rst", NULL);
        g_assert_true(g_file_get_contents(path, &page, NULL, NULL));
        rows = read_page(page);

        for (const VsmReasonInfo *info = vsm_reason_table(); info->code; info++, n++) {
                g_autofree char *expected = g_strdup_printf("%s %u", info->code, info->severity);

                g_assert_cmpuint(n, <, rows->len);
                g_assert_cmpstr(g_ptr_array_index(rows, n), ==, expected);
        }

        g_assert_cmpuint(rows->len, ==, n);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/reason/table", test_table);
        g_test_add_func("/reason/severity", test_severity);
        g_test_add_func("/reason/client", test_client);
        g_test_add_func("/reason/page", test_page);
        return g_test_run();
}
