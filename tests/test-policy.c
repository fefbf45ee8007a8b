/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Our metadata in a domain's definition, both ways, and XML that wants more than to be read.
 * One thread. */

#include <string.h>

#include "daemon/virt/internal.h"
#include "shared/error.h"
#include "shared/names.h"

#define NS "xmlns:vsm=\"" VSM_METADATA_POLICY_URI "\""

static void assert_policy(const char *xml, const char *expected) {
        g_autoptr(GVariant) policy = NULL, wanted = NULL;
        g_autoptr(GError) error = NULL;

        policy = vsm_policy_from_xml(xml, &error);
        g_assert_no_error(error);
        g_assert_false(g_variant_is_floating(policy));

        wanted = g_variant_ref_sink(g_variant_new_parsed(expected));
        g_assert_cmpvariant(policy, wanted);
}

static void assert_refused(const char *xml) {
        g_autoptr(GVariant) policy = NULL;
        g_autoptr(GError) error = NULL;

        policy = vsm_policy_from_xml(xml, &error);
        g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);
        g_assert_null(policy);
}

static void test_read(void) {
        const char *all =
                "{'Priority': <uint16 10>, 'AllowedHosts': <['hostb', 'hostc']>,"
                " 'AntiAffinityGroup': <'db'>, 'Fallback': <['live', 'save']>,"
                " 'MaximumDowntime': <uint32 300>}";

        /* in a definition, and as libvirt hands it out */
        assert_policy("<vsm:policy " NS
                      " priority='10' group='db' fallback='live,save' maximum-downtime='300'>"
                      "<vsm:host>hostb</vsm:host><vsm:host>hostc</vsm:host></vsm:policy>", all);
        assert_policy("<policy priority='10' group='db' fallback=' live , save ' maximum-downtime='300'>\n"
                      "  <host>hostb</host>\n  <host>\n hostc </host></policy>", all);

        assert_policy("<policy/>", "@a{sv} {}");
        assert_policy("<policy priority='0'/>", "{'Priority': <uint16 0>}");
}

static void test_read_unknown(void) {
        /* written by somebody newer, or by hand */
        assert_policy("<policy priority='65536' maximum-downtime='-1' fallback='' group=' ' later='x'>"
                      "<later/>text</policy>", "@a{sv} {}");
        assert_policy("<policy priority='ten' fallback='teleport,,save'/>", "{'Fallback': <['save']>}");

        /* of others' namespaces nothing is ours */
        assert_policy("<policy xmlns:x='urn:x' x:priority='1'><x:host>h</x:host></policy>", "@a{sv} {}");

        /* a restriction that is not understood stays one */
        assert_policy("<policy><host/></policy>", "{'AllowedHosts': <['']>}");
}

static void test_read_limits(void) {
        g_autoptr(GString) many = g_string_new("<policy>");
        g_autofree char *large = NULL, *group = NULL;
        g_autoptr(GVariant) policy = NULL, hosts = NULL;

        for (int i = 0; i < 300; i++)
                g_string_append_printf(many, "<host>h%d</host>", i);
        g_string_append(many, "</policy>");

        policy = vsm_policy_from_xml(many->str, NULL);
        hosts = g_variant_lookup_value(policy, "AllowedHosts", G_VARIANT_TYPE_STRING_ARRAY);
        g_assert_cmpuint(g_variant_n_children(hosts), ==, 256);

        large = g_strnfill(64 * 1024, ' ');
        memcpy(large, "<policy/>", strlen("<policy/>"));
        assert_policy(large, "@a{sv} {}");

        group = g_strconcat(large, " ", NULL);
        assert_refused(group);
}

static void test_read_hostile(void) {
        assert_refused("");
        assert_refused("no xml");
        assert_refused("<policy>");
        assert_refused("<other/>");
        assert_refused("<x:policy xmlns:x='urn:x'/>");

        /* files, and text that grows when it is read */
        assert_refused("<!DOCTYPE policy [<!ENTITY e SYSTEM 'file:///etc/hostname'>]>"
                       "<policy><host>&e;</host></policy>");
        assert_refused("<!DOCTYPE policy [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]>"
                       "<policy><host>&b;</host></policy>");
        assert_refused("<!DOCTYPE policy SYSTEM 'http://192.0.2.1/x.dtd'><policy/>");
}

static void assert_round(const char *text) {
        g_autoptr(GVariant) policy = g_variant_ref_sink(g_variant_new_parsed(text));
        g_autofree char *xml = vsm_policy_to_xml(policy);

        assert_policy(xml, text);
}

static void test_write(void) {
        g_autoptr(GVariant) policy = NULL, other = NULL;
        g_autofree char *xml = NULL, *xml_other = NULL;

        assert_round("@a{sv} {}");
        assert_round("{'Priority': <uint16 65535>, 'AllowedHosts': <['a', 'b']>, 'AntiAffinityGroup': <'g'>,"
                     " 'Fallback': <['post-copy', 'leave']>, 'MaximumDowntime': <uint32 4294967295>}");

        /* what would end an attribute or an element, and what looks like an entity */
        assert_round("{'AllowedHosts': <['</host><evil/>', '&amp;', 'ä']>,"
                     " 'AntiAffinityGroup': <'\"><x y=\\'&lt;'>}");

        /* libvirt puts the namespace and refuses an element that has it */
        policy = g_variant_ref_sink(g_variant_new_parsed(
                        "{'Priority': <uint16 3>, 'AllowedHosts': <['h']>}"));
        xml = vsm_policy_to_xml(policy);
        g_assert_cmpstr(xml, ==, "<policy priority=\"3\"><host>h</host></policy>");

        /* no key or type of ours */
        other = g_variant_ref_sink(g_variant_new_parsed(
                        "{'Priority': <'high'>, 'Other': <true>, 'AllowedHosts': <@as []>}"));
        xml_other = vsm_policy_to_xml(other);
        g_assert_cmpstr(xml_other, ==, "<policy/>");
}

static void test_text(void) {
        g_autofree char *long_text = g_strnfill(600, 'x'), *broken = g_strnfill(600, '\xff');
        const struct {
                const char *text, *expected;
        } cases[] = {
                { NULL,                 "unknown error"   },
                { "",                   "unknown error"   },
                { "one\ntwo\r\n",       "one two"         },
                { "a\xff" "b",          "a\xef\xbf\xbd" "b" },
                { "\x1b[31mred",        " [31mred"        },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *text = vsm_virt_text(cases[i].text);

                g_assert_cmpstr(text, ==, cases[i].expected);
        }

        for (size_t i = 0; i < 3; i++) {
                g_autofree char *padded = g_strconcat(&"xxx"[i], broken, NULL);
                g_autofree char *text = vsm_virt_text(padded);

                g_assert_cmpuint(strlen(text), <=, 500);
                g_assert_cmpuint(strlen(text), >, 496);
                g_assert_true(g_utf8_validate(text, -1, NULL));
        }

        {
                g_autofree char *text = vsm_virt_text(long_text);

                g_assert_cmpuint(strlen(text), ==, 500);
        }
}

static void test_codes(void) {
        static const struct {
                int code, domain, expected;
        } cases[] = {
                { VIR_ERR_NO_CONNECT,        VIR_FROM_REMOTE, VSM_ERROR_SYSTEM_NOT_AVAILABLE },
                { VIR_ERR_SYSTEM_ERROR,      VIR_FROM_RPC,    VSM_ERROR_SYSTEM_NOT_AVAILABLE },
                { VIR_ERR_INTERNAL_ERROR,    VIR_FROM_RPC,    VSM_ERROR_SYSTEM_NOT_AVAILABLE },
                { VIR_ERR_SYSTEM_ERROR,      VIR_FROM_QEMU,   VSM_ERROR_FAILED               },
                { VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,   VSM_ERROR_INVALID_STATE        },
                { VIR_ERR_OPERATION_TIMEOUT, VIR_FROM_QEMU,   VSM_ERROR_TIMEOUT              },
                { VIR_ERR_RESOURCE_BUSY,     VIR_FROM_QEMU,   VSM_ERROR_SYSTEM_IN_USE        },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
                g_assert_cmpint(vsm_virt_error_code(cases[i].code, cases[i].domain), ==, cases[i].expected);
}

/* Numbers as libvirt gives them, of every type that it uses. */
static void test_stats(void) {
        virTypedParameterPtr params = NULL;
        int n = 0, max = 0;
        VsmTransferStats stats;

        vsm_stats_from_params(NULL, 0, &stats);
        g_assert_cmpuint(stats.memory_total, ==, 0);

        virTypedParamsAddULLong(&params, &n, &max, VIR_DOMAIN_JOB_MEMORY_TOTAL, 1ULL << 40);
        virTypedParamsAddULLong(&params, &n, &max, VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE, 1000);
        virTypedParamsAddULLong(&params, &n, &max, VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE, 4096);
        virTypedParamsAddULLong(&params, &n, &max, VIR_DOMAIN_JOB_DOWNTIME, 1ULL << 40);
        virTypedParamsAddInt(&params, &n, &max, VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE, 20);
        virTypedParamsAddULLong(&params, &n, &max, VIR_DOMAIN_JOB_DISK_BPS, 77);

        vsm_stats_from_params(params, n, &stats);
        g_assert_cmpuint(stats.memory_total, ==, UINT64_C(1) << 40);
        g_assert_cmpuint(stats.dirty_rate, ==, 4096000);
        g_assert_cmpuint(stats.downtime, ==, UINT_MAX);
        g_assert_cmpuint(stats.throttle, ==, 20);
        g_assert_cmpuint(stats.bandwidth, ==, 77);
        g_assert_false(stats.active);

        virTypedParamsFree(params, n);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        /* libvirt's own functions use a key of the thread that does not exist before */
        if (virInitialize() < 0)
                return 1;

        g_test_add_func("/policy/read", test_read);
        g_test_add_func("/policy/read-unknown", test_read_unknown);
        g_test_add_func("/policy/read-limits", test_read_limits);
        g_test_add_func("/policy/read-hostile", test_read_hostile);
        g_test_add_func("/policy/write", test_write);
        g_test_add_func("/virt-error/text", test_text);
        g_test_add_func("/virt-error/codes", test_codes);
        g_test_add_func("/virt-stats/params", test_stats);

        return g_test_run();
}
