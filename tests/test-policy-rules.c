/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* MigrationPolicy: what SetMigrationPolicy takes, which hosts it allows, what it gives to a request. */

#include <string.h>

#include "daemon/policy-rules.h"
#include "shared/error.h"

static GVariant* parse(const char *text) {
        return g_variant_ref_sink(g_variant_new_parsed(text));
}

static void test_read(void) {
        g_autoptr(GVariant) dict = parse("{'Priority': <@u 7>, "
                                         "'AllowedHosts': <['HostB.', '10.77.0.3', 'FD00:77:0::2']>, "
                                         "'AntiAffinityGroup': <'db pair'>, 'Fallback': <['live', 'save']>, "
                                         "'MaximumDowntime': <@t 300>}");
        g_autoptr(GVariant) expected = parse("{'Priority': <@q 7>, "
                                             "'AllowedHosts': <['hostb', '10.77.0.3', 'fd00:77::2']>, "
                                             "'AntiAffinityGroup': <'db pair'>, 'Fallback': <['live', 'save']>, "
                                             "'MaximumDowntime': <@u 300>}");
        g_autoptr(GVariant) policy = NULL;
        g_autoptr(GError) error = NULL;

        policy = vsm_policy_read(dict, &error);
        g_assert_no_error(error);
        g_assert_true(g_variant_equal(policy, expected));
}

static void test_nulls(void) {
        g_autoptr(GVariant) dict = parse("{'Priority': <@q 0>, 'AllowedHosts': <@as []>, 'AntiAffinityGroup': <''>, "
                                         "'Fallback': <@as []>, 'MaximumDowntime': <@u 0>}");
        g_autoptr(GVariant) policy = vsm_policy_read(dict, NULL);

        g_assert_nonnull(policy);
        g_assert_cmpuint(g_variant_n_children(policy), ==, 0);
}

static void test_refused(void) {
        static const struct {
                const char *dict, *key;
        } rows[] = {
                { "{'Colour': <1>}",                                    "Colour"                },
                { "{'Priority': <65536>}",                              "Priority"              },
                { "{'Priority': <-1>}",                                 "Priority"              },
                { "{'Priority': <'1'>}",                                "Priority"              },
                { "{'Priority': <1>, 'Priority': <2>}",                 "Priority"              },
                { "{'AllowedHosts': <'hostb'>}",                        "AllowedHosts"          },
                { "{'AllowedHosts': <['hostb', 'a b']>}",               "AllowedHosts"          },
                { "{'AllowedHosts': <['']>}",                           "AllowedHosts"          },
                { "{'AllowedHosts': <['localhost']>}",                  "AllowedHosts"          },
                { "{'AntiAffinityGroup': <' db'>}",                     "AntiAffinityGroup"     },
                { "{'AntiAffinityGroup': <'d\\nb'>}",                   "AntiAffinityGroup"     },
                { "{'Fallback': <['destroy']>}",                        "Fallback"              },
                { "{'Fallback': <['live', 'save', 'live']>}",           "Fallback"              },
                { "{'MaximumDowntime': <@t 4294967296>}",               "MaximumDowntime"       },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(GVariant) dict = g_variant_parse(G_VARIANT_TYPE_VARDICT, rows[i].dict, NULL, NULL, NULL);
                g_autoptr(GError) error = NULL;

                g_assert_nonnull(dict);
                g_assert_null(vsm_policy_read(dict, &error));
                g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
                g_assert_nonnull(strstr(error->message, rows[i].key));
        }
}

static void test_limits(void) {
        g_autofree char *group = g_strnfill(257, 'g');
        g_autoptr(GStrvBuilder) hosts = g_strv_builder_new();
        g_auto(GStrv) list = NULL;
        g_autoptr(GVariant) long_group = NULL, many_hosts = NULL;

        for (unsigned i = 0; i < VSM_POLICY_HOSTS_MAX + 1; i++) {
                g_autofree char *host = g_strdup_printf("host%u", i);

                g_strv_builder_add(hosts, host);
        }
        list = g_strv_builder_end(hosts);

        long_group = g_variant_ref_sink(g_variant_new_parsed("{'AntiAffinityGroup': <%s>}", group));
        many_hosts = g_variant_ref_sink(g_variant_new_parsed("{'AllowedHosts': <%^as>}", list));
        g_assert_null(vsm_policy_read(long_group, NULL));
        g_assert_null(vsm_policy_read(many_hosts, NULL));
}

static void check_changes(const char *before, const char *after, const char *expected) {
        g_autoptr(GVariant) b = parse(before), a = parse(after);
        g_autofree char *changes = vsm_policy_changes(b, a);

        g_assert_cmpstr(changes, ==, expected);
}

static void test_changes(void) {
        static const char policy[] = "{'Priority': <@q 7>, 'AllowedHosts': <['hostb']>}";

        check_changes(policy, policy, "");
        check_changes(policy, "{'Priority': <@q 8>, 'AllowedHosts': <['hostb']>}", "Priority");
        check_changes(policy, "{'Priority': <@q 8>}", "Priority,AllowedHosts");
        check_changes(policy, "@a{sv} {}", "Priority,AllowedHosts");
        check_changes("@a{sv} {}", "{'Fallback': <['save']>}", "Fallback");
}

static void test_allows(void) {
        static const char *const hostb[] = { "10.77.0.2", "hostb", "fd00:77::2", NULL };
        static const char *const hostc[] = { "hostc", NULL };
        g_autoptr(GVariant) none = parse("@a{sv} {'Priority': <@q 1>}");
        g_autoptr(GVariant) by_name = parse("{'AllowedHosts': <['hostb']>}");
        g_autoptr(GVariant) by_address = parse("{'AllowedHosts': <['hostx', 'FD00:77:0:0::2']>}");
        g_autoptr(GVariant) senseless = parse("{'AllowedHosts': <['', 'a b']>}");
        g_autofree char *text = vsm_policy_hosts_to_text(by_address), *nothing = vsm_policy_hosts_to_text(none);

        g_assert_true(vsm_policy_allows(none, hostc));
        g_assert_true(vsm_policy_allows(by_name, hostb));
        g_assert_false(vsm_policy_allows(by_name, hostc));
        g_assert_true(vsm_policy_allows(by_address, hostb));
        g_assert_false(vsm_policy_allows(by_address, hostc));
        g_assert_false(vsm_policy_allows(senseless, hostb));
        g_assert_cmpstr(text, ==, "hostx, FD00:77:0:0::2");
        g_assert_cmpstr(nothing, ==, "");
}

static void check_filled(const char *policy, const char *migration, bool live, const char *expected) {
        g_autoptr(GVariant) p = parse(policy), m = parse(migration), e = parse(expected);
        g_autoptr(GVariant) filled = vsm_policy_fill_in(p, m, live);
        GVariantDict dict;

        g_variant_dict_init(&dict, filled);
        g_assert_cmpuint(g_variant_n_children(filled), ==, g_variant_n_children(e));
        for (size_t i = 0; i < g_variant_n_children(e); i++) {
                g_autoptr(GVariant) wanted = NULL, value = NULL;
                g_autofree char *key = NULL;

                g_variant_get_child(e, i, "{sv}", &key, &wanted);
                value = g_variant_dict_lookup_value(&dict, key, NULL);
                g_assert_nonnull(value);
                g_assert_true(g_variant_equal(value, wanted));
        }
        g_variant_dict_clear(&dict);
}

static void test_fill_in(void) {
        static const char policy[] = "{'Priority': <@q 7>, 'MaximumDowntime': <@u 300>, 'Fallback': <['save']>}";

        check_filled(policy, "@a{sv} {}", true, "{'Priority': <@q 7>, 'MaximumDowntime': <@u 300>}");
        check_filled(policy, "@a{sv} {}", false, "{'Priority': <@q 7>}");

        /* what the caller says counts, whatever integer it is; a Null says nothing */
        check_filled(policy, "{'Priority': <@u 9>, 'MaximumDowntime': <@u 5>}", true,
                     "{'Priority': <@u 9>, 'MaximumDowntime': <@u 5>}");
        check_filled(policy, "{'Priority': <@u 0>, 'EnableCompression': <true>}", false,
                     "{'Priority': <@q 7>, 'EnableCompression': <true>}");
        check_filled("@a{sv} {}", "{'Priority': <@u 9>}", true, "{'Priority': <@u 9>}");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/policy-rules/read", test_read);
        g_test_add_func("/policy-rules/nulls", test_nulls);
        g_test_add_func("/policy-rules/refused", test_refused);
        g_test_add_func("/policy-rules/limits", test_limits);
        g_test_add_func("/policy-rules/changes", test_changes);
        g_test_add_func("/policy-rules/allows", test_allows);
        g_test_add_func("/policy-rules/fill-in", test_fill_in);
        return g_test_run();
}
