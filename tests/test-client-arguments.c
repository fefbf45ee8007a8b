/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From the arguments of settings, network, host, history and policy to the dictionaries of the contract, the
 * rule of CIM's vectors, and which host a name means. One thread. */

#include <locale.h>
#include <string.h>

#include "client/evacuate-arg.h"
#include "client/history-arg.h"
#include "client/host-arg.h"
#include "client/network-arg.h"
#include "client/settings-arg.h"
#include "client/site.h"
#include "client/vectors.h"

static void assert_printed(GVariant *value, const char *wanted) {
        g_autofree char *is = g_variant_print(value, /* type_annotate= */ TRUE);

        g_assert_cmpstr(is, ==, wanted);
}

static void assert_usage(GError *error, const char *hint) {
        g_assert_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE);
        if (!strstr(error->message, hint))
                g_error("'%s' does not say '%s'", error->message, hint);
}

static JsonObject* object(const char *json) {
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = json_from_string(json, &error);

        g_assert_no_error(error);
        return json_node_dup_object(node);
}

/* ---- settings ---- */

static void assert_setting(const VsmSettingKey *keys, const char *assignment, const char *wanted) {
        const char *const assignments[] = { assignment, NULL };
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) value = vsm_settings_parse(keys, assignments, &error);

        g_assert_no_error(error);
        assert_printed(value, wanted);
}

static void assert_refused(const VsmSettingKey *keys, const char *assignment, const char *hint) {
        const char *const assignments[] = { assignment, NULL };
        g_autoptr(GError) error = NULL;

        g_assert_null(vsm_settings_parse(keys, assignments, &error));
        assert_usage(error, hint);
}

static void test_settings(void) {
        const VsmSettingKey *keys = vsm_service_setting_keys;

        assert_setting(keys, "EnableVirtualSystemMigration=no", "{'EnableVirtualSystemMigration': <false>}");
        assert_setting(keys, "MaximumActiveStorageMigration=15",
                       "{'MaximumActiveStorageMigration': <uint32 15>}");
        assert_setting(keys, "AuthenticationType=x509", "{'AuthenticationType': <uint32 32768>}");
        assert_setting(keys, "AuthenticationType=ssh", "{'AuthenticationType': <uint32 32769>}");
        assert_setting(keys, "AuthenticationType=none", "{'AuthenticationType': <uint32 32770>}");
        assert_setting(keys, "AuthenticationType=kerberos", "{'AuthenticationType': <uint32 1>}");
        assert_setting(keys, "DefaultTransportType=tls-strict", "{'DefaultTransportType': <uint16 4>}");
        assert_setting(keys, "DefaultPostCopy=auto", "{'DefaultPostCopy': <'auto'>}");
        assert_setting(keys, "MaximumBandwidth=200MiB/s", "{'MaximumBandwidth': <uint64 209715200>}");
        assert_setting(keys, "MaximumBandwidth=200M", "{'MaximumBandwidth': <uint64 209715200>}");
        assert_setting(keys, "MaximumBandwidth=1.5 GiB/s", "{'MaximumBandwidth': <uint64 1610612736>}");
        assert_setting(keys, "MaximumBandwidth=10Gbit/s", "{'MaximumBandwidth': <uint64 1250000000>}");
        assert_setting(keys, "MaximumBandwidth=100MB", "{'MaximumBandwidth': <uint64 100000000>}");
        assert_setting(keys, "MaximumBandwidth=1048576", "{'MaximumBandwidth': <uint64 1048576>}");
        assert_setting(keys, "MaximumBandwidth=0", "{'MaximumBandwidth': <uint64 0>}");
        assert_setting(keys, "StallTimeout=2min", "{'StallTimeout': <uint64 120000000>}");
        assert_setting(keys, "StallTimeout=1d", "{'StallTimeout': <uint64 86400000000>}");

        assert_refused(keys, "AuthenticationType=password", "x509, ssh or none");
        assert_refused(keys, "MaximumBandwidth=200", "200MiB/s");
        assert_refused(keys, "MaximumBandwidth=10Mbit", "200MiB/s");
        assert_refused(keys, "MaximumBandwidth=-1M", "200MiB/s");
        assert_refused(keys, "MaximumBandwidth=", "200MiB/s");
        assert_refused(keys, "StallTimeout=60", "60s");
        assert_refused(keys, "MaximumActiveVirtualSystemMigrations=2",
                       "Did you mean 'MaximumActiveVirtualSystemMigration'?");
        assert_refused(keys, "InstanceID=x", "There is no setting");
}

/* What is shown can be typed. */
static void assert_formatted(const VsmSettingKey *keys, const char *name, const char *json, const char *wanted) {
        const VsmSettingKey *key = vsm_settings_find(keys, name);
        g_autoptr(JsonNode) node = json_from_string(json, NULL);
        g_autofree char *text = vsm_settings_format(key, node);
        g_autofree char *assignment = g_strdup_printf("%s=%s", name, text);
        const char *const assignments[] = { assignment, NULL };
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) value = NULL;

        g_assert_cmpstr(text, ==, wanted);
        value = vsm_settings_parse(keys, assignments, &error);
        g_assert_no_error(error);
}

static void test_formatted(void) {
        const VsmSettingKey *keys = vsm_service_setting_keys;

        assert_formatted(keys, "EnableCompression", "true", "yes");
        assert_formatted(keys, "HistoryLimit", "10000", "10000");
        assert_formatted(keys, "AuthenticationType", "32770", "none");
        assert_formatted(keys, "AuthenticationType", "4711", "4711");
        assert_formatted(keys, "DefaultTransportType", "3", "tls");
        assert_formatted(keys, "DefaultTransportType", "99", "99");
        assert_formatted(keys, "DefaultPostCopy", "\"never\"", "never");
        assert_formatted(keys, "MaximumBandwidth", "0", "0");
        assert_formatted(keys, "MaximumBandwidth", "209715200", "200MiB/s");
        assert_formatted(keys, "MaximumBandwidth", "1610612736", "1536MiB/s");
        assert_formatted(keys, "MaximumBandwidth", "125000001", "125000001B/s");
        assert_formatted(keys, "StallTimeout", "120000000", "2min");
        assert_formatted(keys, "StallTimeout", "90000000", "90s");
        assert_formatted(keys, "StallTimeout", "1500000", "1500ms");
        assert_formatted(vsm_policy_keys, "AllowedHosts", "[\"hosta\",\"hostb\"]", "hosta,hostb");
        assert_formatted(vsm_policy_keys, "Fallback", "[]", "");
}

/* ---- networks ---- */

static void assert_network(const VsmNetworkArguments *arguments, const char *wanted) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) network = vsm_network_build(arguments, &error);
        g_autoptr(GVariantDict) dict = NULL;

        g_assert_no_error(error);
        dict = g_variant_dict_new(network);
        g_assert_cmpuint(g_variant_n_children(network), ==,
                         (arguments->subnet ? 2 : 0) + !!arguments->metric + !!arguments->tags);
        if (wanted) {
                g_autoptr(GVariant) number = g_variant_dict_lookup_value(dict, "SubnetNumber", NULL);
                g_autoptr(GVariant) length = g_variant_dict_lookup_value(dict, "PrefixLength", NULL);
                g_autofree char *text = g_strdup_printf("%s/%u", g_variant_get_string(number, NULL),
                                                        g_variant_get_byte(length));

                g_assert_cmpstr(text, ==, wanted);
        }
}

static void test_network(void) {
        static const char *const bad[] = {
                "192.168.1.0", "192.168.1.0/", "192.168.1.0/33", "192.168.1.0/-1", "192.168.1.0/2x", "/24",
                "192.168.1/24", "2001:db8::/129", "lan/24", "192.168.1.0/24/24", "",
        };
        char *tags[] = { (char*) "a", (char*) "b", NULL };
        g_autoptr(GError) error = NULL;
        g_autofree char *path = NULL;

        assert_network(&(VsmNetworkArguments) { .subnet = (char*) "192.168.1.0/24" }, "192.168.1.0/24");
        assert_network(&(VsmNetworkArguments) { .subnet = (char*) "::/0", .metric = (char*) "0" }, "::/0");
        assert_network(&(VsmNetworkArguments) { .subnet = (char*) "2001:db8::/128", .tags = tags },
                       "2001:db8::/128");
        assert_network(&(VsmNetworkArguments) { .metric = (char*) "4294967295", .tags = tags }, NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_assert_null(vsm_network_build(&(VsmNetworkArguments) { .subnet = (char*) bad[i] }, &error));
                assert_usage(error, "192.168.1.0/24");
                g_clear_error(&error);
        }

        g_assert_null(vsm_network_build(&(VsmNetworkArguments) { .metric = (char*) "4294967296" }, &error));
        assert_usage(error, "0 to 4294967295");
        g_clear_error(&error);

        path = vsm_network_path("7", NULL);
        g_assert_cmpstr(path, ==, VSM_OBJECT_PATH_NETWORK "/7");
        g_assert_null(vsm_network_path("7a", &error));
        assert_usage(error, "number of a network");
}

/* The whole network is sent, and only what was given is different. */
static void test_network_change(void) {
        g_autoptr(JsonObject) present = object("{\"InstanceID\":\"7\",\"SubnetNumber\":\"10.0.0.0\","
                                               "\"PrefixLength\":8,\"Metric\":100,\"Tags\":[\"a\"]}");
        VsmNetworkArguments arguments = { .metric = (char*) "200" };
        g_autoptr(GVariant) network = vsm_network_change(&arguments, present, NULL);
        uint32_t metric = 0;
        uint8_t length = 0;
        const char *id = NULL, *subnet = NULL;
        g_autofree const char **tags = NULL;

        g_assert_nonnull(network);
        g_assert_cmpuint(g_variant_n_children(network), ==, 5);
        g_assert_true(g_variant_lookup(network, "InstanceID", "&s", &id));
        g_assert_cmpstr(id, ==, "7");
        g_assert_true(g_variant_lookup(network, "SubnetNumber", "&s", &subnet));
        g_assert_cmpstr(subnet, ==, "10.0.0.0");
        g_assert_true(g_variant_lookup(network, "PrefixLength", "y", &length));
        g_assert_cmpuint(length, ==, 8);
        g_assert_true(g_variant_lookup(network, "Metric", "u", &metric));
        g_assert_cmpuint(metric, ==, 200);
        g_assert_true(g_variant_lookup(network, "Tags", "^a&s", &tags));
        g_assert_cmpstr(tags[0], ==, "a");
        g_assert_null(tags[1]);
}

/* ---- hosts ---- */

static void test_host(void) {
        char *addresses[] = { (char*) "192.0.2.7", (char*) "2001:db8::7", NULL };
        VsmHostArguments all = {
                .addresses = addresses,
                .authentication = (char*) "none",
                .port = (char*) "16509",
                .priority = (char*) "3",
                .memory_limit = (char*) "64GiB",
                .verifies_clients = TRUE,
                .disabled = TRUE,
        };
        VsmHostArguments none = {}, bad = { .memory_limit = (char*) "64" };
        g_autoptr(GVariant) least = vsm_host_build(&none, "hostb", NULL), host = NULL;
        g_autofree const char **is_addresses = NULL;
        g_autoptr(GError) error = NULL;
        gboolean enabled = TRUE, verifies = FALSE;
        uint16_t port = 0, priority = 0;
        uint32_t authentication = 0;
        uint64_t limit = 0;

        assert_printed(least, "{'Name': <'hostb'>}");

        host = vsm_host_build(&all, "hostb", &error);
        g_assert_no_error(error);
        g_assert_cmpuint(g_variant_n_children(host), ==, 8);
        g_assert_true(g_variant_lookup(host, "Addresses", "^a&s", &is_addresses));
        g_assert_cmpstr(is_addresses[1], ==, "2001:db8::7");
        g_assert_true(g_variant_lookup(host, "AuthenticationType", "u", &authentication));
        g_assert_cmpuint(authentication, ==, 32770);
        g_assert_true(g_variant_lookup(host, "Port", "q", &port));
        g_assert_cmpuint(port, ==, 16509);
        g_assert_true(g_variant_lookup(host, "Priority", "q", &priority));
        g_assert_cmpuint(priority, ==, 3);
        g_assert_true(g_variant_lookup(host, "MemoryLimit", "t", &limit));
        g_assert_cmpuint(limit, ==, UINT64_C(64) << 30);
        g_assert_true(g_variant_lookup(host, "VerifiesClients", "b", &verifies));
        g_assert_true(verifies);
        g_assert_true(g_variant_lookup(host, "Enabled", "b", &enabled));
        g_assert_false(enabled);

        g_assert_null(vsm_host_build(&bad, "hostb", &error));
        assert_usage(error, "64GiB");
}

/* ---- history ---- */

/* 2026-06-15 12:34:56.5 UTC */
#define NOW UINT64_C(1781526896500000)
#define DAY UINT64_C(86400000000)

static void assert_moment(const char *text, uint64_t wanted) {
        uint64_t moment = 0;

        if (!vsm_history_parse_time(text, NOW, &moment))
                g_error("'%s' is refused", text);
        g_assert_cmpuint(moment, ==, wanted);
}

static void test_moments(void) {
        static const char *const bad[] = {
                "", "soon", "2026", "2026-13-01", "2026-02-30", "2026-06-15 25:00", "12:34", "60", "-2h", "@",
                "@-1", "99999999h",
        };
        uint64_t moment;

        assert_moment("now", NOW);
        assert_moment("today", UINT64_C(1781481600000000));
        assert_moment("yesterday", UINT64_C(1781481600000000) - DAY);
        assert_moment("@1781526896", UINT64_C(1781526896000000));
        assert_moment("2026-06-15", UINT64_C(1781481600000000));
        assert_moment("2026-06-15 12:34", UINT64_C(1781526840000000));
        assert_moment("2026-06-15 12:34:56", UINT64_C(1781526896000000));
        assert_moment("2026-06-15T12:34:56", UINT64_C(1781526896000000));
        assert_moment("2026-06-15T14:34:56+02:00", UINT64_C(1781526896000000));
        assert_moment("2h", NOW - 2 * DAY / 24);
        assert_moment("3d ago", NOW - 3 * DAY);
        assert_moment("90 min ago", NOW - 90 * UINT64_C(60000000));

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
                if (vsm_history_parse_time(bad[i], NOW, &moment))
                        g_error("'%s' is accepted", bad[i]);
}

/* The same text, six hours further west: six hours later. */
static void test_moments_local(void) {
        if (g_test_subprocess()) {
                uint64_t moment = 0;

                g_assert_true(vsm_history_parse_time("2026-06-15 12:34", NOW, &moment));
                g_assert_cmpuint(moment, ==, UINT64_C(1781526840000000) + DAY / 4);
                g_assert_true(vsm_history_parse_time("today", NOW, &moment));
                g_assert_cmpuint(moment, ==, UINT64_C(1781481600000000) + DAY / 4);
                return;
        }

        g_assert_true(g_setenv("TZ", "WEST6", TRUE));
        g_test_trap_subprocess(NULL, 0, 0);
        g_assert_true(g_setenv("TZ", "UTC", TRUE));
        g_test_trap_assert_passed();
}

static void test_history(void) {
        VsmHistoryArguments all = {
                .system = (char*) "web",
                .to = (char*) "hostb",
                .since = (char*) "2h",
                .until = (char*) "now",
                .state = (char*) "cancelled",
                .limit = (char*) "7",
                .offset = (char*) "14",
        };
        static const VsmHistoryArguments bad[] = {
                { .since = (char*) "soon" },
                { .until = (char*) "soon" },
                { .state = (char*) "running" },
                { .state = (char*) "65536" },
                { .limit = (char*) "-1" },
                { .offset = (char*) "x" },
        };
        VsmHistoryArguments nothing = {};
        g_autoptr(GVariant) none = vsm_history_build(&nothing, NOW, NULL), filter = NULL;
        g_autoptr(GError) error = NULL;
        const char *system = NULL, *to = NULL;
        uint64_t since = 0, until = 0;
        uint32_t limit = 0, offset = 0;
        uint16_t state = 0;

        assert_printed(none, "@a{sv} {}");

        filter = vsm_history_build(&all, NOW, &error);
        g_assert_no_error(error);
        g_assert_true(g_variant_lookup(filter, "System", "&s", &system));
        g_assert_cmpstr(system, ==, "web");
        g_assert_true(g_variant_lookup(filter, "DestinationHost", "&s", &to));
        g_assert_cmpstr(to, ==, "hostb");
        g_assert_true(g_variant_lookup(filter, "Since", "t", &since));
        g_assert_cmpuint(since, ==, NOW - DAY / 12);
        g_assert_true(g_variant_lookup(filter, "Until", "t", &until));
        g_assert_cmpuint(until, ==, NOW);
        g_assert_true(g_variant_lookup(filter, "State", "q", &state));
        g_assert_cmpuint(state, ==, 8);
        g_assert_true(g_variant_lookup(filter, "Limit", "u", &limit));
        g_assert_cmpuint(limit, ==, 7);
        g_assert_true(g_variant_lookup(filter, "Offset", "u", &offset));
        g_assert_cmpuint(offset, ==, 14);

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_assert_null(vsm_history_build(&bad[i], NOW, &error));
                assert_usage(error, "--");
                g_clear_error(&error);
        }
}

/* ---- vectors ---- */

static void test_operations(void) {
        static const struct {
                uint32_t operation;
                uint64_t system, host;
                bool passes;
        } table[] = {
                { VSM_COMPARE_EQUAL,                 5, 5, true  },
                { VSM_COMPARE_EQUAL,                 5, 7, false },
                { VSM_COMPARE_SUPERSET,              7, 5, true  },
                { VSM_COMPARE_SUPERSET,              5, 7, false },
                { VSM_COMPARE_SUPERSET,              5, 0, true  },
                { VSM_COMPARE_SUBSET,                5, 7, true  },
                { VSM_COMPARE_SUBSET,                7, 5, false },
                { VSM_COMPARE_SUBSET,                0, 0, true  },
                { VSM_COMPARE_SUBSET,                UINT64_C(1) << 63, UINT64_MAX, true },
                { VSM_COMPARE_SUBSET,                UINT64_C(1) << 63, UINT64_MAX >> 1, false },
                { VSM_COMPARE_DISJOINT,              5, 10, true  },
                { VSM_COMPARE_DISJOINT,              5, 4, false },
                { VSM_COMPARE_GREATER_THAN,          6, 5, true  },
                { VSM_COMPARE_GREATER_THAN,          5, 5, false },
                { VSM_COMPARE_GREATER_THAN,          UINT64_MAX, 5, true },
                { VSM_COMPARE_GREATER_THAN_OR_EQUAL, 5, 5, true  },
                { VSM_COMPARE_GREATER_THAN_OR_EQUAL, 4, 5, false },
                { VSM_COMPARE_LESS_THAN,             4, 5, true  },
                { VSM_COMPARE_LESS_THAN,             5, 5, false },
                { VSM_COMPARE_LESS_THAN_OR_EQUAL,    5, 5, true  },
                { VSM_COMPARE_LESS_THAN_OR_EQUAL,    6, 5, false },
                { VSM_COMPARE_MULTIPLE,              64, 32, true  },
                { VSM_COMPARE_MULTIPLE,              32, 64, false },
                { VSM_COMPARE_MULTIPLE,              64, 0, false },
                { VSM_COMPARE_DIVISIBLE,             32, 64, true  },
                { VSM_COMPARE_DIVISIBLE,             64, 32, false },
                { VSM_COMPARE_DIVISIBLE,             0, 64, false },
                { 10,                                5, 5, false },
                { UINT32_MAX,                        5, 5, false },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
                if (vsm_vector_passes(table[i].operation, table[i].system, table[i].host) != table[i].passes)
                        g_error("line %zu: %s", i, vsm_compare_operation_to_string(table[i].operation));
}

/* The operation is the system's, and what the host does not have does not pass. */
static void test_vectors(void) {
        static const VsmVector host[] = {
                { 1,     VSM_COMPARE_EQUAL,  7 },
                { 32769, VSM_COMPARE_SUBSET, 1 },
        };
        const VsmVector good = { 1, VSM_COMPARE_SUBSET, 5 }, bad = { 32769, VSM_COMPARE_SUBSET, 2 };
        const VsmVector unknown = { 3, VSM_COMPARE_SUBSET, 0 };

        g_assert_true(vsm_vectors_pass(&good, host, 2));
        g_assert_false(vsm_vectors_pass(&bad, host, 2));
        g_assert_false(vsm_vectors_pass(&unknown, host, 2));
        g_assert_false(vsm_vectors_pass(&good, NULL, 0));
        g_assert_cmpstr(vsm_compare_operation_to_string(VSM_COMPARE_DIVISIBLE), ==, "divisor");
        g_assert_cmpstr(vsm_compare_operation_to_string(10), ==, "unknown");
}

/* ---- hosts' names ---- */

static void assert_host(const char *text, const char *wanted, const char *target) {
        g_autofree char *host = vsm_site_host(text), *ssh = vsm_site_ssh_target(text);

        g_assert_cmpstr(host, ==, wanted);
        g_assert_cmpstr(ssh, ==, target);
}

static void test_sites(void) {
        assert_host("hostb", "hostb", "hostb");
        assert_host("root@hostb", "hostb", "root@hostb");
        assert_host("root@hostb:2222", "hostb", "root@hostb:2222");
        assert_host("2001:db8::1", "2001:db8::1", "[2001:db8::1]");
        assert_host("root@2001:db8::1", "2001:db8::1", "root@[2001:db8::1]");
        assert_host("root@[2001:db8::1]:22", "2001:db8::1", "root@[2001:db8::1]:22");
        assert_host("192.0.2.7", "192.0.2.7", "192.0.2.7");
        assert_host("", "", "");

        g_assert_true(vsm_site_is_name_of("HostA", "hosta", NULL));
        g_assert_true(vsm_site_is_name_of("hosta.", "hosta", NULL));
        g_assert_true(vsm_site_is_name_of("hosta", "hosta.example.org", NULL));
        g_assert_true(vsm_site_is_name_of("hosta.example.org", "hosta", "hosta.example.org"));
        g_assert_false(vsm_site_is_name_of("hosta.example.net", "hosta.example.org", NULL));
        g_assert_false(vsm_site_is_name_of("hosta.example.net", "hosta", "hosta.example.org"));
        g_assert_false(vsm_site_is_name_of("hosta.example", "hosta.example.org", NULL));
        g_assert_false(vsm_site_is_name_of("hostab", "hosta", NULL));
        g_assert_false(vsm_site_is_name_of("host", "hosta", NULL));
        g_assert_false(vsm_site_is_name_of("", "hosta", NULL));
        g_assert_false(vsm_site_is_name_of(".", "hosta", NULL));

        g_assert_true(vsm_site_is_here("localhost"));
        g_assert_true(vsm_site_is_here("127.0.0.1"));
        g_assert_true(vsm_site_is_here("::1"));
        g_assert_true(vsm_site_is_here(g_get_host_name()));
        g_assert_false(vsm_site_is_here("192.0.2.7"));
        g_assert_false(vsm_site_is_here("2001:db8::7"));
}

/* ---- evacuations ---- */

static void test_evacuate(void) {
        const char *const paths[] = { "/s/1", "/s/2", NULL };
        char *to[] = { (char*) "hostb", (char*) "hostc", NULL };
        VsmEvacuateArguments none = {};
        VsmEvacuateArguments all = {
                .to = to, .deadline = (char*) "20min", .fallback = (char*) "live, save", .keep_draining = TRUE,
        };
        g_autoptr(GVariant) empty = vsm_evacuate_build(&none, NULL, NULL);
        g_autoptr(GVariant) full = vsm_evacuate_build(&all, paths, NULL);
        g_autoptr(GVariant) run = vsm_evacuate_build_run(&all, "p1", NULL);
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(full);
        static const struct {
                const char *key;
                const char *value;
        } wanted[] = {
                { "Destinations", "['hostb', 'hostc']"          },
                { "Systems",      "[objectpath '/s/1', '/s/2']" },
                { "Deadline",     "uint64 1200000000"           },
                { "Fallback",     "['live', 'save']"            },
                { "KeepDraining", "true"                        },
        };

        assert_printed(empty, "@a{sv} {}");
        g_assert_cmpuint(g_variant_n_children(full), ==, G_N_ELEMENTS(wanted));
        for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
                g_autoptr(GVariant) value = g_variant_dict_lookup_value(&dict, wanted[i].key, NULL);

                g_assert_nonnull(value);
                assert_printed(value, wanted[i].value);
        }

        /* beside a plan that was made only what does not change it */
        g_variant_dict_clear(&dict);
        g_variant_dict_init(&dict, run);
        g_assert_cmpuint(g_variant_n_children(run), ==, 3);
        g_assert_true(g_variant_dict_contains(&dict, "PlanID"));
        g_assert_true(g_variant_dict_contains(&dict, "Deadline"));
        g_assert_true(g_variant_dict_contains(&dict, "KeepDraining"));
}

static void test_evacuate_refused(void) {
        static const struct {
                VsmEvacuateArguments arguments;
                const char *hint;
        } wrong[] = {
                { { .deadline = (char*) "20" },         "--deadline" },
                { { .fallback = (char*) "live,fly" },   "'fly'"      },
                { { .fallback = (char*) "live,,save" }, "--fallback" },
                { { .fallback = (char*) "" },           "--fallback" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
                g_autoptr(GError) error = NULL;

                g_assert_null(vsm_evacuate_build(&wrong[i].arguments, NULL, &error));
                assert_usage(error, wrong[i].hint);
        }
}

int main(int argc, char **argv) {
        (void) setlocale(LC_ALL, "C.UTF-8");
        g_test_init(&argc, &argv, NULL);
        if (!g_test_subprocess())
                g_assert_true(g_setenv("TZ", "UTC", TRUE));

        g_test_add_func("/client/arguments/settings", test_settings);
        g_test_add_func("/client/arguments/formatted", test_formatted);
        g_test_add_func("/client/arguments/network", test_network);
        g_test_add_func("/client/arguments/network-change", test_network_change);
        g_test_add_func("/client/arguments/host", test_host);
        g_test_add_func("/client/arguments/moments", test_moments);
        g_test_add_func("/client/arguments/moments-local", test_moments_local);
        g_test_add_func("/client/arguments/history", test_history);
        g_test_add_func("/client/arguments/evacuate", test_evacuate);
        g_test_add_func("/client/arguments/evacuate-refused", test_evacuate_refused);
        g_test_add_func("/client/vectors/operations", test_operations);
        g_test_add_func("/client/vectors/list", test_vectors);
        g_test_add_func("/client/sites", test_sites);

        return g_test_run();
}
