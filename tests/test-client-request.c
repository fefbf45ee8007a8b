/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From the options of check and migrate to the setting data of the contract. One thread. */

#include <locale.h>

#include "client/plan.h"
#include "client/request.h"
#include "client/settings-arg.h"

static void assert_printed(GVariant *value, const char *wanted) {
        g_autofree char *is = g_variant_print(value, /* type_annotate= */ TRUE);

        g_assert_cmpstr(is, ==, wanted);
}

static void assert_setting(const char *assignment, const char *wanted) {
        const char *const assignments[] = { assignment, NULL };
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) value = vsm_settings_parse(vsm_migration_setting_keys, assignments, &error);

        g_assert_no_error(error);
        assert_printed(value, wanted);
}

static void test_settings(void) {
        g_autoptr(GVariant) none = vsm_settings_parse(vsm_migration_setting_keys, NULL, NULL);

        assert_printed(none, "@a{sv} {}");

        assert_setting("MigrationType=live", "{'MigrationType': <uint16 32768>}");
        assert_setting("MigrationType=2", "{'MigrationType': <uint16 2>}");
        assert_setting("MigrationType=offline", "{'MigrationType': <uint16 1>}");
        assert_setting("TransportType=tls-strict", "{'TransportType': <uint16 4>}");
        assert_setting("Priority=0", "{'Priority': <uint16 0>}");
        assert_setting("MaximumDowntime=300", "{'MaximumDowntime': <uint32 300>}");
        assert_setting("EnableCompression=Yes", "{'EnableCompression': <true>}");
        assert_setting("AllowThrottling=0", "{'AllowThrottling': <false>}");
        assert_setting("PostCopy=auto", "{'PostCopy': <'auto'>}");
        assert_setting("BandwidthUnit=a=b", "{'BandwidthUnit': <'a=b'>}");
        assert_setting("DestinationIPAddressList=192.0.2.7, 2001:db8::1",
                       "{'DestinationIPAddressList': <['192.0.2.7', '2001:db8::1']>}");
        assert_setting("DestinationIPAddressList=", "{'DestinationIPAddressList': <@as []>}");
        assert_setting("Timeout=90s", "{'Timeout': <uint64 90000000>}");
        assert_setting("Timeout=90000000", "{'Timeout': <uint64 90000000>}");
        assert_setting("Timeout=250ms", "{'Timeout': <uint64 250000>}");
        assert_setting("Timeout=0", "{'Timeout': <uint64 0>}");
        assert_setting("UnmanagedVhds=/a=/b,/c=/d",
                       "{'UnmanagedVhds': <[{'VhdSourcePath': <'/a'>, 'VhdDestinationPath': <'/b'>}, "
                       "{'VhdSourcePath': <'/c'>, 'VhdDestinationPath': <'/d'>}]>}");
}

static void assert_refused(const char *first, const char *second, const char *hint) {
        const char *const assignments[] = { first, second, NULL };
        g_autoptr(GError) error = NULL;

        g_assert_null(vsm_settings_parse(vsm_migration_setting_keys, assignments, &error));
        g_assert_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE);
        if (!strstr(error->message, hint))
                g_error("'%s' does not say '%s'", error->message, hint);
}

static void test_refused(void) {
        assert_refused("Priorty=3", NULL, "Did you mean 'Priority'?");
        assert_refused("bandwidth=3", NULL, "Did you mean 'Bandwidth'?");
        assert_refused("Completely=wrong", NULL, "There is no setting 'Completely'");
        assert_refused("Priority", NULL, "KEY=VALUE");
        assert_refused("=3", NULL, "KEY=VALUE");
        assert_refused("", NULL, "KEY=VALUE");
        assert_refused("Priority=1", "Priority=1", "twice");
        assert_refused("Priority=65536", NULL, "0 to 65535");
        assert_refused("Priority=-1", NULL, "0 to 65535");
        assert_refused("Priority=", NULL, "0 to 65535");
        assert_refused("Priority=1x", NULL, "0 to 65535");
        assert_refused("MaximumDowntime=4294967296", NULL, "0 to 4294967295");
        assert_refused("EnableCompression=maybe", NULL, "yes or no");
        assert_refused("MigrationType=alive", NULL, "live");
        assert_refused("TransportType=65536", NULL, "tls-strict");
        assert_refused("UnmanagedVhds=/a", NULL, "SOURCE=DESTINATION");
        assert_refused("Timeout=60", NULL, "60s");
        assert_refused("Timeout=soon", NULL, "90s");
        assert_refused("Timeout=-1s", NULL, "90s");
        assert_refused("Timeout=0x10s", NULL, "90s");
        assert_refused("Timeout=1e300h", NULL, "90s");
        assert_refused("Timeout=", NULL, "90s");
}

static void test_request(void) {
        const char *settings[] = { "Priority=7", NULL };
        const char *disks[] = { "vda=/there/web.qcow2", "vdb=fast", "vdc=", NULL };
        const char *networks[] = { "52:54:00:00:00:01=lan", NULL };
        g_auto(VsmRequest) request = {
                .type = g_strdup("live-and-storage"),
                .name = g_strdup("web2"),
                .settings = g_strdupv((char**) settings),
                .disks = g_strdupv((char**) disks),
                .networks = g_strdupv((char**) networks),
        };
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariantDict) dict = NULL;
        uint16_t number;

        g_assert_true(vsm_request_build(&request, &error));
        g_assert_no_error(error);

        dict = g_variant_dict_new(request.migration);
        g_assert_true(g_variant_dict_lookup(dict, "MigrationType", "q", &number));
        g_assert_cmpuint(number, ==, 32771);
        g_assert_true(g_variant_dict_lookup(dict, "Priority", "q", &number));
        g_assert_cmpuint(number, ==, 7);
        g_assert_cmpuint(g_variant_n_children(request.migration), ==, 2);

        assert_printed(request.system, "{'ElementName': <'web2'>}");
        g_assert_true(g_variant_is_of_type(request.resources, G_VARIANT_TYPE("aa{sv}")));
        g_assert_cmpuint(g_variant_n_children(request.resources), ==, 4);
}

static void test_system(void) {
        g_auto(VsmRequest) request = {
                .type = g_strdup("system-and-storage"),
                .name = g_strdup("web2"),
                .description = g_strdup("new"),
                .planned = g_strdup("0a1b2c3d-0000-1111-2222-333344445555"),
                .no_autostart = true,
        };

        const char *text;
        gboolean autostart = true;

        g_assert_true(vsm_request_build(&request, NULL));
        g_assert_cmpuint(vsm_request_get_type(&request), ==, 32771);
        g_assert_cmpuint(g_variant_n_children(request.system), ==, 3);
        g_assert_true(g_variant_lookup(request.system, "ElementName", "&s", &text));
        g_assert_cmpstr(text, ==, "web2");
        g_assert_true(g_variant_lookup(request.system, "Description", "&s", &text));
        g_assert_cmpstr(text, ==, "new");
        g_assert_true(g_variant_lookup(request.system, "AutomaticStart", "b", &autostart));
        g_assert_false(autostart);
        g_assert_true(g_variant_lookup(request.migration, "DestinationPlannedVirtualSystemId", "&s", &text));
        g_assert_cmpstr(text, ==, "0a1b2c3d-0000-1111-2222-333344445555");
}

static void assert_plan(const char *type, const char *setting, const char *disk, const char *wanted) {
        const char *settings[] = { setting, NULL }, *disks[] = { disk, NULL };
        const char *networks[] = { "52:54:00:00:00:01=lan", NULL };
        g_auto(VsmRequest) request = {
                .type = g_strdup(type),
                .name = g_strdup("web2"),
                .settings = g_strdupv((char**) settings),
                .disks = g_strdupv((char**) disks),
                .networks = g_strdupv((char**) networks),
        };
        g_autoptr(GString) is = g_string_new(NULL);
        g_autoptr(GPtrArray) plan = NULL;

        g_assert_true(vsm_request_build(&request, NULL));
        g_assert_true(vsm_plan_is_special(&request));
        plan = vsm_plan_new(&request, "web", "hostb");
        for (guint i = 0; i < plan->len; i++) {
                const VsmPlanLine *line = plan->pdata[i];

                g_string_append_printf(is, "%s %s: %s\n", line->what, line->which, line->to);
        }
        g_assert_cmpstr(is->str, ==, wanted);
}

static void test_plan(void) {
        g_auto(VsmRequest) plain = {};

        assert_plan("live", NULL, NULL, "system web: hostb, as web2 (live)\nnetwork 52:54:00:00:00:01: lan\n");
        assert_plan("live-and-storage", "UnmanagedVhds=/a=/b", "vda=/new",
                    "system web: hostb, as web2 (live-and-storage)\n"
                    "disk vda: /new\nnetwork 52:54:00:00:00:01: lan\nsource *: stays as it is\nvolume /a: /b\n");
        assert_plan("live-and-storage", "RetainVhdCopiesOnSource=no", "*=fast",
                    "system web: hostb, as web2 (live-and-storage)\n"
                    "disk *: pool fast\nnetwork 52:54:00:00:00:01: lan\n"
                    "source *: removed once the move is verified\n");
        assert_plan("live-and-storage", NULL, NULL,
                    "system web: hostb, as web2 (live-and-storage)\nnetwork 52:54:00:00:00:01: lan\n"
                    "disk *: a pool of the destination that fits\nsource *: stays as it is\n");
        assert_plan("storage", NULL, "vda=",
                    "system web: stays on this host (storage)\ndisk vda: a pool of this host that fits\n"
                    "network 52:54:00:00:00:01: lan\nsource *: stays as it is\n");

        g_assert_true(vsm_request_build(&plain, NULL));
        g_assert_false(vsm_plan_is_special(&plain));
}

static void assert_resource(VsmRequest *request, size_t i, uint16_t type, const char *id, const char *key,
                            const char *wanted) {
        g_autoptr(GVariant) child = g_variant_get_child_value(request->resources, i), value = NULL;
        g_autoptr(GVariantDict) dict = g_variant_dict_new(child);
        const char *is_id;
        uint16_t is_type;

        g_assert_true(g_variant_dict_lookup(dict, "ResourceType", "q", &is_type));
        g_assert_cmpuint(is_type, ==, type);
        g_assert_true(g_variant_dict_lookup(dict, "InstanceID", "&s", &is_id));
        g_assert_cmpstr(is_id, ==, id);
        value = g_variant_dict_lookup_value(dict, key, NULL);
        g_assert_nonnull(value);
        assert_printed(value, wanted);
        g_assert_cmpuint(g_variant_n_children(child), ==, 3);
}

static void test_resources(void) {
        const char *disks[] = { "vda=/there/a=b.qcow2", "vdb=fast", "vdc=", NULL };
        const char *networks[] = { "52:54:00:00:00:01=lan", NULL };
        g_auto(VsmRequest) request = {
                .disks = g_strdupv((char**) disks),
                .networks = g_strdupv((char**) networks),
        };

        g_assert_true(vsm_request_build(&request, NULL));
        assert_printed(request.migration, "@a{sv} {}");
        assert_printed(request.system, "@a{sv} {}");
        assert_resource(&request, 0, 31, "vda", "HostResource", "['/there/a=b.qcow2']");
        assert_resource(&request, 1, 31, "vdb", "PoolID", "'fast'");
        assert_resource(&request, 2, 31, "vdc", "HostResource", "['']");
        assert_resource(&request, 3, 10, "52:54:00:00:00:01", "Connection", "['lan']");
}

static void test_request_refused(void) {
        static const struct {
                const char *type, *setting, *disk, *network;
        } table[] = {
                { .type = "alive" },
                { .type = "live", .setting = "MigrationType=live" },
                { .disk = "vda" },
                { .disk = "=/a" },
                { .network = "52:54:00:00:00:01" },
                { .network = "52:54:00:00:00:01=" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
                const char *settings[] = { table[i].setting, NULL }, *disks[] = { table[i].disk, NULL };
                const char *networks[] = { table[i].network, NULL };
                g_auto(VsmRequest) request = {
                        .type = g_strdup(table[i].type),
                        .settings = g_strdupv((char**) settings),
                        .disks = g_strdupv((char**) disks),
                        .networks = g_strdupv((char**) networks),
                };
                g_autoptr(GError) error = NULL;

                g_assert_false(vsm_request_build(&request, &error));
                g_assert_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE);
        }
}

int main(int argc, char **argv) {
        (void) setlocale(LC_ALL, "C.UTF-8");
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/client/settings/typed", test_settings);
        g_test_add_func("/client/settings/refused", test_refused);
        g_test_add_func("/client/request/whole", test_request);
        g_test_add_func("/client/request/resources", test_resources);
        g_test_add_func("/client/request/system", test_system);
        g_test_add_func("/client/request/plan", test_plan);
        g_test_add_func("/client/request/refused", test_request_refused);

        return g_test_run();
}
