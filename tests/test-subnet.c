/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses and subnets: what is one, what is in one, and what comes first. One thread. */

#include <string.h>
#include <sys/socket.h>

#include "daemon/network-data.h"
#include "daemon/subnet.h"
#include "shared/error.h"

static VsmInet inet(const char *text) {
        VsmInet inet;

        g_assert_true(vsm_inet_parse(text, &inet));
        return inet;
}

static VsmSubnet subnet(const char *number, unsigned prefix, uint32_t metric) {
        g_autoptr(GError) error = NULL;
        VsmSubnet subnet;

        g_assert_true(vsm_subnet_parse(number, prefix, &subnet, &error));
        g_assert_no_error(error);
        subnet.metric = metric;
        return subnet;
}

static void test_inet(void) {
        static const char *const wrong[] = { "", "10.1", "010.0.0.1", "fe80::1%eth0", "[::1]", "h" };
        VsmInet a = inet("10.0.0.1"), mapped = inet("::ffff:10.0.0.1"), six = inet("::1");
        g_autofree char *text = vsm_inet_to_text(&mapped), *long_form = NULL;
        VsmInet none, other = inet("fd00:0:0:0::0002");

        g_assert_true(vsm_inet_equal(&a, &mapped));
        g_assert_cmpstr(text, ==, "10.0.0.1");
        long_form = vsm_inet_to_text(&other);
        g_assert_cmpstr(long_form, ==, "fd00::2");

        /* IPv4 first, whatever the bytes */
        g_assert_cmpint(vsm_inet_compare(&a, &six), <, 0);
        g_assert_cmpint(vsm_inet_compare(&six, &a), >, 0);

        for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
                g_assert_false(vsm_inet_parse(wrong[i], &none));
}

static void assert_refused(const char *number, unsigned prefix, const char *says) {
        g_autoptr(GError) error = NULL;
        VsmSubnet subnet;

        g_assert_false(vsm_subnet_parse(number, prefix, &subnet, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
        if (!strstr(error->message, says))
                g_error("\"%s\" does not say \"%s\"", error->message, says);
}

static void test_parse(void) {
        static const struct {
                const char *number;
                unsigned prefix;
                const char *text;
        } good[] = {
                { "192.168.1.0",  24,  "192.168.1.0/24"  },
                { "0.0.0.0",      0,   "0.0.0.0/0"       },
                { "192.0.2.9",    32,  "192.0.2.9/32"    },
                { "192.0.2.128",  25,  "192.0.2.128/25"  },
                { "::",           0,   "::/0"            },
                { "2001:DB8::",   32,  "2001:db8::/32"   },
                { "2001:db8::1",  128, "2001:db8::1/128" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
                VsmSubnet s = subnet(good[i].number, good[i].prefix, 0);
                g_autofree char *text = vsm_subnet_to_text(&s);

                g_assert_cmpstr(text, ==, good[i].text);
        }

        /* the right one is said */
        assert_refused("192.168.1.7", 24, "the network is 192.168.1.0.");
        assert_refused("192.168.1.192", 25, "the network is 192.168.1.128.");
        assert_refused("10.0.0.1", 0, "the network is 0.0.0.0.");
        assert_refused("2001:db8::1", 64, "the network is 2001:db8::.");
        assert_refused("192.168.1.0", 33, "from 0 to 32");
        assert_refused("2001:db8::", 129, "from 0 to 128");
        assert_refused("192.168.1.0/24", 24, "SubnetNumber");
        assert_refused("", 24, "SubnetNumber");
        assert_refused("host", 24, "SubnetNumber");
        assert_refused("::ffff:10.0.0.0", 104, "as IPv4");
}

static void test_contains(void) {
        VsmSubnet four = subnet("192.0.2.128", 25, 0), six = subnet("2001:db8::", 33, 0);
        VsmSubnet all = subnet("0.0.0.0", 0, 0), wrong = four;
        VsmInet in = inet("192.0.2.200"), out = inet("192.0.2.127"), in6 = inet("2001:db8:7fff::1");
        VsmInet out6 = inet("2001:db8:8000::");

        g_assert_true(vsm_subnet_contains(&four, &in));
        g_assert_false(vsm_subnet_contains(&four, &out));
        g_assert_true(vsm_subnet_contains(&six, &in6));
        g_assert_false(vsm_subnet_contains(&six, &out6));
        g_assert_true(vsm_subnet_contains(&all, &in));
        g_assert_false(vsm_subnet_contains(&all, &in6));

        wrong.prefix = 33;
        g_assert_false(vsm_subnet_contains(&wrong, &in));
}

static void assert_found(const VsmSubnet *subnets, size_t n, const char *address, int expected) {
        VsmInet i = inet(address);
        const VsmSubnet *found = vsm_subnets_find(subnets, n, &i);

        g_assert_cmpint(found ? found - subnets : -1, ==, expected);
}

static void test_find(void) {
        const VsmSubnet subnets[] = {
                subnet("10.0.0.0", 8, 1),
                subnet("10.1.0.0", 16, 9),
                subnet("10.1.2.0", 24, 5),
                subnet("10.1.2.0", 24, 3),
                subnet("0.0.0.0", 0, 0),
                subnet("::", 0, 0),
        };

        /* the longest, however bad its metric; of two of one length the better */
        assert_found(subnets, 6, "10.9.9.9", 0);
        assert_found(subnets, 6, "10.1.9.9", 1);
        assert_found(subnets, 6, "10.1.2.9", 3);

        /* all networks: only where there is nothing else, of either family */
        assert_found(subnets, 6, "192.0.2.1", -1);
        assert_found(subnets, 6, "fd00::1", -1);
        assert_found(subnets + 4, 2, "192.0.2.1", 0);
        assert_found(subnets + 4, 2, "fd00::1", 1);
        assert_found(subnets + 4, 1, "fd00::1", -1);
        assert_found(subnets, 0, "10.0.0.1", -1);
}

static void test_order(void) {
        VsmSubnet one = subnet("10.0.0.0", 8, 1), two = subnet("10.0.0.0", 8, 2), longer = subnet("10.1.0.0", 16, 2);
        VsmInet low = inet("10.0.0.2"), high = inet("10.0.0.10"), six = inet("fd00::1");

        g_assert_cmpint(vsm_subnet_compare(&one, &high, &longer, &low), <, 0);  /* the metric */
        g_assert_cmpint(vsm_subnet_compare(&two, &low, &longer, &high), >, 0);  /* then the prefix */
        g_assert_cmpint(vsm_subnet_compare(&two, &low, &two, &high), <, 0);     /* then the address */
        g_assert_cmpint(vsm_subnet_compare(&two, &high, &two, &six), <, 0);
        g_assert_cmpint(vsm_subnet_compare(&two, &low, &two, &low), ==, 0);
}

/* ---- networks as data ---- */

static GVariant* list_of(const char *text) {
        g_autoptr(GError) error = NULL;
        GVariant *list = g_variant_parse(G_VARIANT_TYPE("aa{sv}"), text, NULL, NULL, &error);

        g_assert_no_error(error);
        return list;
}

static void assert_list(GVariant* (*read)(GVariant *list, GError **error), const char *text, const char *says) {
        g_autoptr(GVariant) list = list_of(text), canonical = NULL;
        g_autoptr(GError) error = NULL;

        canonical = read(list, &error);
        if (!says) {
                g_assert_no_error(error);
                g_assert_nonnull(canonical);
                return;
        }

        g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
        if (!strstr(error->message, says))
                g_error("\"%s\" does not say \"%s\"", error->message, says);
}

static void test_keys(void) {
        GVariant* (*const add)(GVariant*, GError**) = vsm_network_list_read_new;
        GVariant* (*const change)(GVariant*, GError**) = vsm_network_list_read_changes;

        assert_list(add, "[{'SubnetNumber': <'10.0.0.0'>, 'PrefixLength': <byte 8>}]", NULL);
        assert_list(add, "[{'SubnetNumber': <'::'>, 'PrefixLength': <int64 0>, 'Metric': <0>, 'Tags': <['x']>}]", NULL);
        assert_list(add, "@aa{sv} []", NULL);
        assert_list(add, "[{'SubnetNumber': <'10.0.0.0'>}]", "PrefixLength is missing");
        assert_list(add, "[{'PrefixLength': <8>}]", "SubnetNumber is missing");
        assert_list(add, "[{'SubnetNumber': <'10.0.0.0'>, 'PrefixLength': <256>}]", "PrefixLength is 256");
        assert_list(add, "[{'SubnetNumber': <'10.0.0.0'>, 'PrefixLength': <8>, 'Mask': <8>}]", "\"Mask\" is unknown");
        assert_list(add, "[{'SubnetNumber': <'10.0.0.0'>, 'PrefixLength': <8>, 'Tags': <['a\\nb']>}]", "Tags");
        assert_list(add, "[{'InstanceID': <'org.example:MigrationNetwork/1'>}]", "\"InstanceID\" is unknown");

        assert_list(change, "[{'InstanceID': <'org.example:MigrationNetwork/1'>, 'Metric': <3>}]", NULL);
        assert_list(change, "[{'Metric': <3>}]", "InstanceID is missing");
        assert_list(change, "[{'InstanceID': <'org.example:MigrationNetwork/01'>}]", "InstanceID");
        assert_list(change, "[{'InstanceID': <'1'>}]", "InstanceID");
}

static void apply(VsmNetworkData *data, const char *text, const char *says) {
        g_autoptr(GVariant) list = list_of(text), canonical = NULL, dict = NULL;
        g_autoptr(GError) error = NULL;

        canonical = vsm_network_list_read_changes(list, &error);
        g_assert_no_error(error);
        dict = g_variant_get_child_value(canonical, 0);
        if (vsm_network_data_apply(data, "NetworkSettings[0]", dict, &error))
                g_assert_null(says);
        else
                g_assert_nonnull(strstr(error->message, says));
}

#define ID "'InstanceID': <'org.example:MigrationNetwork/7'>"

/* Only the keys that are given change, and what is kept is what was. */
static void test_data(void) {
        g_auto(VsmNetworkData) data = {}, back = {};
        g_autofree char *text = NULL, *shown = NULL;
        g_autoptr(GError) error = NULL;

        vsm_network_data_default(2, &data);
        apply(&data, "[{" ID ", 'SubnetNumber': <'10.78.0.0'>, 'PrefixLength': <24>, 'Tags': <['mine']>}]", NULL);
        g_assert_cmpuint(data.subnet.metric, ==, VSM_NETWORK_METRIC_DEFAULT);
        apply(&data, "[{" ID ", 'Metric': <5>}]", NULL);
        apply(&data, "[{" ID ", 'PrefixLength': <8>}]", "the network is 10.0.0.0.");
        apply(&data, "[{" ID ", 'SubnetNumber': <'fd00::'>}]", NULL);
        apply(&data, "[{" ID ", 'SubnetNumber': <'10.78.0.0'>}]", NULL);

        text = vsm_network_data_to_text(&data);
        g_assert_true(vsm_network_data_from_text(text, &back, &error));
        g_assert_no_error(error);
        shown = vsm_subnet_to_text(&back.subnet);
        g_assert_cmpstr(shown, ==, "10.78.0.0/24");
        g_assert_cmpuint(back.subnet.metric, ==, 5);
        g_assert_cmpstr(back.tags[0], ==, "mine");
        g_assert_null(back.tags[1]);

        g_assert_false(vsm_network_data_from_text("nonsense", &back, NULL));
        g_assert_cmpuint(vsm_network_id_parse("org.example:MigrationNetwork/12"), ==, 12);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/subnet/inet", test_inet);
        g_test_add_func("/subnet/parse", test_parse);
        g_test_add_func("/subnet/contains", test_contains);
        g_test_add_func("/subnet/find", test_find);
        g_test_add_func("/subnet/order", test_order);
        g_test_add_func("/subnet/network/keys", test_keys);
        g_test_add_func("/subnet/network/data", test_data);

        return g_test_run();
}
