/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* ListHistory without bus and store: what a filter may be, and what an entry is made of. One thread. */

#include <string.h>

#include "daemon/history-entry.h"
#include "shared/enums.h"
#include "shared/error.h"

static bool parse(const char *text, VsmHistoryFilter *ret, GError **error) {
        g_autoptr(GVariant) dict = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);

        g_assert_nonnull(dict);
        return vsm_history_filter_parse(dict, ret, error);
}

static void test_filter(void) {
        VsmHistoryFilter filter = {};
        g_autoptr(GError) error = NULL;

        parse("{'System': <'2B6F2075-2D1F-4D20-BB0B-3B721BA34756'>, 'DestinationHost': <'H2.Example.ORG.'>,"
              " 'Since': <int64 5>, 'Until': <uint64 9>, 'State': <32768>, 'Limit': <byte 7>, 'Offset': <3>}",
              &filter, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(filter.system, ==, "2b6f2075-2d1f-4d20-bb0b-3b721ba34756");
        g_assert_cmpstr(filter.destination, ==, "h2.example.org");
        g_assert_cmpuint(filter.since, ==, 5);
        g_assert_cmpuint(filter.until, ==, 9);
        g_assert_cmpuint(filter.state, ==, 32768);
        g_assert_cmpuint(filter.limit, ==, 7);
        g_assert_cmpuint(filter.offset, ==, 3);
        vsm_history_filter_clear(&filter);

        /* names are as they are; Null is absent */
        g_assert_true(parse("{'System': <'Web 1'>, 'Limit': <0>, 'State': <0>}", &filter, NULL));
        g_assert_cmpstr(filter.system, ==, "Web 1");
        g_assert_cmpuint(filter.limit, ==, 0);
        vsm_history_filter_clear(&filter);

        g_assert_true(parse("{}", &filter, NULL));
        g_assert_null(filter.system);
}

static void test_filter_bad(void) {
        static const struct {
                const char *dict, *says;
        } bad[] = {
                { "{'system': <'a'>}",             "\"system\" is unknown; there are System" },
                { "{'System': <1>}",               "System is of type" },
                { "{'DestinationHost': <'a b'>}",  "DestinationHost: " },
                { "{'Since': <-1>}",               "Since is -1" },
                { "{'Until': <uint64 9223372036854775808>}", "Until is 9223372036854775808" },
                { "{'State': <2>}",                "State is 2 and must be 7, 8, 9, 10 or 32768" },
                { "{'State': <65537>}",            "State is 65537" },
                { "{'Limit': <1001>}",             "from 0 to 1000" },
                { "{'Offset': <uint64 4294967296>}", "Offset is" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                VsmHistoryFilter filter = {};
                g_autoptr(GError) error = NULL;

                g_assert_false(parse(bad[i].dict, &filter, &error));
                g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
                g_assert_true(g_str_has_prefix(error->message, "Filter: "));
                if (!strstr(error->message, bad[i].says))
                        g_error("%s gave: %s", bad[i].dict, error->message);
                g_assert_null(filter.system);
        }
}

static void test_entry(void) {
        VsmStoredJob job = {
                .number = 42, .system = (char*) "u-1", .system_name = (char*) "web", .owner = (char*) "admin",
                .owner_uid = 1000, .request = (char*) "no request", .destination = (char*) "b",
                .submitted = 1, .started = 2, .ended = 3, .state = VSM_JOB_STATE_EXCEPTION,
                .error_code = 32772, .error = (char*) "Late.", .address = (char*) "10.0.0.2",
                .bytes = UINT64_C(1) << 40, .downtime = 250, .source = (char*) "",
        };
        g_autoptr(GVariant) entry = NULL;
        g_autofree char *text = NULL;

        entry = g_variant_ref_sink(vsm_history_entry(&job, "here"));
        text = g_variant_print(entry, TRUE);
        g_assert_cmpstr(text, ==,
                        "{'Job': <'/org/example/VirtualSystemMigration/job/42'>, 'System': <'u-1'>, "
                        "'SystemName': <'web'>, 'Owner': <'admin'>, 'OwnerUID': <uint32 1000>, "
                        "'SourceHost': <'here'>, 'DestinationHost': <'b'>, 'Address': <'10.0.0.2'>, "
                        "'MigrationType': <uint16 0>, 'JobState': <uint16 10>, 'ErrorCode': <uint16 32772>, "
                        "'ErrorDescription': <'Late.'>, 'TimeSubmitted': <uint64 1>, 'StartTime': <uint64 2>, "
                        "'EndTime': <uint64 3>, 'Bytes': <uint64 1099511627776>, 'Downtime': <uint32 250>}");

        g_clear_pointer(&entry, g_variant_unref);
        job.source = (char*) "there";
        entry = g_variant_ref_sink(vsm_history_entry(&job, "here"));
        g_free(g_steal_pointer(&text));
        g_assert_true(g_variant_lookup(entry, "SourceHost", "s", &text));
        g_assert_cmpstr(text, ==, "there");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/history-entry/filter", test_filter);
        g_test_add_func("/history-entry/filter-bad", test_filter_bad);
        g_test_add_func("/history-entry/entry", test_entry);

        return g_test_run();
}
