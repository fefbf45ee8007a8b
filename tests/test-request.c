/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Requests: dicts as text in, struct or a refusal with its code and words out. Tables: a new rule is a
 * line. One thread. */

#include <string.h>

#include "daemon/request.h"
#include "daemon/request-keys.h"
#include "daemon/settings-file.h"
#include "shared/enums.h"
#include "shared/error.h"

#define INVALID VSM_ERROR_INVALID_PARAMETER
#define INCOMPATIBLE VSM_ERROR_INCOMPATIBLE_PARAMETERS
#define UNSUPPORTED VSM_ERROR_NOT_SUPPORTED

static GVariant* parse(const char *type, const char *text) {
        g_autoptr(GError) error = NULL;
        GVariant *value = NULL;

        value = g_variant_parse(G_VARIANT_TYPE(type), text, NULL, NULL, &error);
        if (!value)
                g_error("%s: %s", text, error->message);

        return value;
}

static VsmRequest* make(bool check, const char *destination, const char *migration, const char *system,
                        const char *resources, GError **error) {

        g_autoptr(GVariant) m = parse("a{sv}", migration ?: "{}");
        g_autoptr(GVariant) s = parse("a{sv}", system ?: "{}");
        g_autoptr(GVariant) r = parse("aa{sv}", resources ?: "[]");

        return check ? vsm_request_new_check(destination, m, s, r, error)
                     : vsm_request_new(destination, m, s, r, error);
}

static VsmRequest* make_good(const char *migration) {
        g_autoptr(GError) error = NULL;
        VsmRequest *request = make(false, "b", migration, NULL, NULL, &error);

        g_assert_no_error(error);
        return request;
}

static void assert_refused(const char *what, const GError *error, int code, const char *says) {
        if (!error)
                g_error("%s was taken", what);
        if (!g_error_matches(error, VSM_ERROR, code) || !strstr(error->message, says))
                g_error("%s: wanted %d \"%s\", got %d \"%s\"", what, code, says, error->code,
                        error->message);

        g_assert_true(g_str_is_ascii(error->message));
        g_assert_null(strchr(error->message, '\n'));
}

static void test_defaults(void) {
        g_autoptr(VsmRequest) request = make_good("{}");

        g_assert_cmpstr(request->destination, ==, "b");
        g_assert_false(request->destination_is_address);
        g_assert_cmpuint(request->migration_type, ==, VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM);
        g_assert_cmpuint(request->transport, ==, 0);
        g_assert_null(request->addresses);
        g_assert_cmpuint(request->priority, ==, 100);
        g_assert_cmpuint(request->bandwidth_amount, ==, 0);
        g_assert_cmpint(request->compression, ==, -1);
        g_assert_true(request->throttling);
        g_assert_null(request->post_copy);
        g_assert_null(request->planned_id);
}

/* Every key lands where it belongs, and in the dict in its own type. */
static void test_landing(void) {
        g_autoptr(VsmRequest) request = make_good(
                "{'MigrationType': <@q 32771>, 'TransportType': <@q 5>, 'Priority': <@q 7>,"
                " 'DestinationIPAddressList': <['2001:DB8::0:1', '192.0.2.1']>,"
                " 'Bandwidth': <@q 9>, 'BandwidthUnit': <'Mbit/s'>, 'EnableCompression': <true>,"
                " 'AllowThrottling': <false>, 'CPUCappingMagnitude': <@q 2>, 'MaximumDowntime': <@u 300>,"
                " 'CancelIfBlackoutThresholdExceeded': <true>, 'PostCopy': <'auto'>,"
                " 'ParallelConnections': <@u 4>, 'Timeout': <@t 5000000000>,"
                " 'DestinationPlannedVirtualSystemId': <'0A1B2C3D-0000-1111-2222-333344445555'>,"
                " 'RetainVhdCopiesOnSource': <false>, 'AvoidRemovingVHDs': <true>,"
                " 'AllowOverwriteExistingFile': <true>, 'RemoveSourceUnmanagedVhds': <true>,"
                " 'UnmanagedVhds': <[{'VhdSourcePath': <'/a/b'>, 'VhdDestinationPath': <'/c'>}]>}");
        size_t keys = 0;

        while (vsm_keys_migration[keys].name)
                keys++;

        g_assert_cmpuint(g_variant_n_children(request->accepted), ==, keys);
        g_assert_cmpuint(request->migration_type, ==, 32771);
        g_assert_cmpuint(request->transport, ==, 5);
        g_assert_cmpuint(request->priority, ==, 7);
        g_assert_cmpuint(g_strv_length(request->addresses), ==, 2);
        g_assert_cmpstr(request->addresses[0], ==, "2001:db8::1");
        g_assert_cmpuint(request->bandwidth_amount, ==, 9);
        g_assert_cmpstr(request->bandwidth_unit, ==, "Mbit/s");
        g_assert_cmpint(request->compression, ==, 1);
        g_assert_false(request->throttling);
        g_assert_cmpuint(request->throttle_magnitude, ==, 2);
        g_assert_cmpuint(request->max_downtime, ==, 300);
        g_assert_true(request->cancel_if_blackout);
        g_assert_cmpstr(request->post_copy, ==, "auto");
        g_assert_cmpuint(request->connections, ==, 4);
        g_assert_cmpuint(request->timeout, ==, 5000000000);
        g_assert_cmpstr(request->planned_id, ==, "0a1b2c3d-0000-1111-2222-333344445555");

        for (const VsmKey *key = vsm_keys_migration; key->name; key++) {
                g_autoptr(GVariant) value = NULL;

                value = g_variant_lookup_value(request->accepted, key->name, G_VARIANT_TYPE(key->type));
                g_assert_nonnull(value);
        }
}

/* Any integer type that holds the value. */
static void test_integers(void) {
        static const char types[] = "ynqiuxt";

        for (size_t i = 0; types[i]; i++) {
                char c = types[i];
                g_autofree char *text = g_strdup_printf("{'Priority': <@%c 7>, 'Timeout': <@%c 100>,"
                                                        " 'ParallelConnections': <@%c 2>}", c, c, c);
                g_autoptr(VsmRequest) request = make_good(text);

                g_assert_cmpuint(request->priority, ==, 7);
                g_assert_cmpuint(request->connections, ==, 2);
                g_assert_cmpuint(request->timeout, ==, 100);
        }
}

static void test_null_is_absent(void) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VsmRequest) request = NULL;

        request = make(false, "b",
                       "{'MigrationType': <@q 0>, 'TransportType': <@i 0>, 'Priority': <@q 0>,"
                       " 'DestinationIPAddressList': <@as []>, 'Bandwidth': <@q 0>, 'BandwidthUnit': <''>,"
                       " 'CPUCappingMagnitude': <@q 0>, 'MaximumDowntime': <@u 0>, 'PostCopy': <''>,"
                       " 'ParallelConnections': <@u 0>, 'Timeout': <@t 0>, 'UnmanagedVhds': <@aa{sv} []>,"
                       " 'DestinationPlannedVirtualSystemId': <''>}",
                       "{'ElementName': <''>, 'Description': <''>, 'ConfigurationDataRoot': <''>}", NULL,
                       &error);
        g_assert_no_error(error);
        g_assert_cmpuint(request->migration_type, ==, 32768);
        g_assert_cmpuint(request->priority, ==, 100);
        g_assert_null(request->addresses);
        g_assert_null(request->post_copy);
        g_assert_cmpuint(g_variant_n_children(request->system), ==, 0);

        /* MigrationType and Priority are what became of them */
        g_assert_cmpuint(g_variant_n_children(request->accepted), ==, 2);
}

static const struct {
        const char *migration, *says;
} bad_migration[] = {
        { "{'priority': <@q 1>}", "\"priority\" is unknown; there are MigrationType, " },
        { "{'InstanceID': <'x'>}", "\"InstanceID\" is unknown" },
        { "{'a\\n\\\"b\\u00fc': <1>}", "\"a\\n\\\"b\\303\\274\" is unknown" },
        { "{'Priority': <@q 1>, 'Priority': <@q 1>}", "Priority is given twice" },
        { "{'Priority': <@q 0>, 'Priority': <@q 1>}", "Priority is given twice" },
        { "{'Priority': <'1'>}", "Priority is of type \"s\" and must be an integer from 0 to 65535" },
        { "{'Priority': <1.0>}", "Priority is of type \"d\"" },
        { "{'Priority': <true>}", "Priority is of type \"b\"" },
        { "{'Priority': <<@q 1>>}", "Priority is of type \"v\"" },
        { "{'Priority': <[@q 1]>}", "Priority is of type \"aq\"" },
        { "{'Priority': <-1>}", "Priority is -1 and must be" },
        { "{'Priority': <@n -1>}", "Priority is -1" },
        { "{'Priority': <@x -9223372036854775808>}", "Priority is -9223372036854775808" },
        { "{'Priority': <65536>}", "Priority is 65536" },
        { "{'Priority': <@t 18446744073709551615>}", "Priority is 18446744073709551615" },
        { "{'Bandwidth': <@u 65536>}", "Bandwidth is 65536" },
        { "{'MaximumDowntime': <@t 4294967296>}", "from 0 to 4294967295" },
        { "{'MigrationType': <@q 5>}", "MigrationType is 5 and must be 1, 2, 3, 4 or 32768 to 32772" },
        { "{'MigrationType': <@q 32773>}", "MigrationType" },
        { "{'MigrationType': <@u 98304>}", "MigrationType is 98304" },
        { "{'MigrationType': <@q 32772>}", "for the Check methods only" },
        { "{'MigrationType': <@q 32769>}", "DestinationHost must be empty" },
        { "{'TransportType': <@q 7>}", "TransportType is 7" },
        { "{'TransportType': <@q 32769>}", "TransportType is 32769" },
        { "{'DestinationIPAddressList': <'192.0.2.1'>}", "must be a list of IPv4" },
        { "{'DestinationIPAddressList': <['192.0.2.1', 'b']>}", "must be a list of IPv4" },
        { "{'DestinationIPAddressList': <['']>}", "DestinationIPAddressList" },
        { "{'DestinationIPAddressList': <['127.0.0.1']>}", "loopback" },
        { "{'DestinationIPAddressList': <['tcp://b']>}", "never a URI" },
        { "{'DestinationIPAddressList': <@av []>}", "DestinationIPAddressList is of type \"av\"" },
        { "{'BandwidthUnit': <'mib/s'>}", "BandwidthUnit is \"mib/s\" and must be \"MiB/s\"" },
        { "{'Bandwidth': <@q 101>, 'BandwidthUnit': <'percent'>}", "at most 100" },
        { "{'EnableCompression': <1>}", "EnableCompression is of type \"i\" and must be true or false" },
        { "{'AllowThrottling': <'yes'>}", "AllowThrottling" },
        { "{'CPUCappingMagnitude': <@q 3>}", "CPUCappingMagnitude is 3" },
        { "{'PostCopy': <'Auto'>}", "PostCopy is \"Auto\"" },
        { "{'PostCopy': <true>}", "PostCopy is of type" },
        { "{'ParallelConnections': <@u 1>}", "0 (off) or an integer from 2 to 255" },
        { "{'ParallelConnections': <@u 256>}", "ParallelConnections is 256" },
        { "{'DestinationPlannedVirtualSystemId': <'x'>}", "a UUID" },
        { "{'UnmanagedVhds': <@aa{sv} [{}]>}", "UnmanagedVhds[0]: VhdSourcePath is missing" },
        { "{'UnmanagedVhds': <[{'VhdSourcePath': <'/a'>}]>}", "VhdDestinationPath is missing" },
        { "{'UnmanagedVhds': <[{'VhdSourcePath': <''>, 'VhdDestinationPath': <'/b'>}]>}", "missing" },
        { "{'UnmanagedVhds': <[{'VhdSourcePath': <'a'>, 'VhdDestinationPath': <'/b'>}]>}", "an absolute" },
        { "{'UnmanagedVhds': <[{'VhdSourcePath': <'/a/../b'>, 'VhdDestinationPath': <'/b'>}]>}", "\"..\"" },
        { "{'UnmanagedVhds': <[{'VhdSourcePath': <'/a'>, 'VhdDestinationPath': <'/b/'>}]>}", "block device" },
        { "{'UnmanagedVhds': <[{'VhdSourcePath': <'/a'>, 'VhdDestinationPath': <'/b\\nc'>}]>}", "control" },
        { "{'UnmanagedVhds': <[{'X': <'a'>}]>}", "\"X\" is unknown" },
        { "{'UnmanagedVhds': <{'VhdSourcePath': <'/a'>}>}", "UnmanagedVhds is of type \"a{sv}\"" },
};

static void test_bad_migration(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(bad_migration); i++) {
                g_autoptr(VsmRequest) request = NULL;
                g_autoptr(GError) error = NULL;

                request = make(false, "b", bad_migration[i].migration, NULL, NULL, &error);
                g_assert_null(request);
                assert_refused(bad_migration[i].migration, error, INVALID, bad_migration[i].says);
                g_assert_true(strstr(error->message, "MigrationSettingData") ||
                              strstr(error->message, "DestinationHost"));
        }
}

static const struct {
        const char *system, *resources, *says;
} bad_others[] = {
        { "{'Name': <'x'>}", NULL, "NewSystemSettingData: \"Name\" is unknown; there are ElementName" },
        { "{'ElementName': <1>}", NULL, "NewSystemSettingData: ElementName is of type \"i\"" },
        { "{'ElementName': <'a/b'>}", NULL, "must be a name without" },
        { "{'ElementName': <'a\\nb'>}", NULL, "must be a name without" },
        { "{'AutomaticStart': <'x'>}", NULL, "AutomaticStart" },
        { NULL, "@aa{sv} [{}]", "NewResourceSettingData[0]: ResourceType is missing" },
        { NULL, "[{'ResourceType': <@q 31>}]", "InstanceID is missing" },
        { NULL, "[{'ResourceType': <@q 5>}]", "ResourceType is 5 and must be 17 or 31" },
        { NULL, "[{'ResourceType': <@q 31>, 'InstanceID': <'vda'>}, {'Foo': <1>}]",
          "NewResourceSettingData[1]: \"Foo\"" },
        { NULL, "[{'ResourceType': <@q 31>, 'InstanceID': <'a'>, 'HostResource': <['a']>}]",
          "absolute path" },
        { NULL, "[{'ResourceType': <@q 31>, 'InstanceID': <'a'>, 'HostResource': <['/a', '/b']>}]",
          "HostResource is a list of 2" },
};

static void test_bad_others(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(bad_others); i++) {
                g_autoptr(VsmRequest) request = NULL;
                g_autoptr(GError) error = NULL;

                request = make(false, "b", NULL, bad_others[i].system, bad_others[i].resources, &error);
                g_assert_null(request);
                assert_refused(bad_others[i].says, error, INVALID, bad_others[i].says);
        }
}

/* Whole arguments of a wrong type cannot come over the bus, but must not crash either. */
static void test_wrong_arguments(void) {
        g_autoptr(GVariant) dict = parse("a{sv}", "{}"), list = parse("aa{sv}", "[]");
        g_autoptr(GError) error = NULL;

        g_assert_null(vsm_request_new("b", list, dict, list, &error));
        assert_refused("list", error, INVALID, "MigrationSettingData must be a dict");
        g_clear_error(&error);

        g_assert_null(vsm_request_new("b", dict, dict, dict, &error));
        assert_refused("dict", error, INVALID, "NewResourceSettingData must be a list");
}

static void test_destination(void) {
        static const struct {
                bool check;
                const char *destination, *migration, *says;     /* NULL: taken */
        } table[] = {
                { false, "", "{}", "DestinationHost is empty" },
                { false, NULL, "{}", "DestinationHost is empty" },
                { false, "", "{'MigrationType': <@q 32769>}", NULL },
                { true, "", "{'MigrationType': <@q 32769>}", NULL },
                { false, "", "{'MigrationType': <@q 32771>}", "DestinationHost is empty" },
                { true, "b", "{'MigrationType': <@q 32772>}", NULL },
                { false, "qemu+tls://b/system", "{}", "DestinationHost: \"qemu+tls://b/system\" is no" },
                { false, "127.0.0.1", "{}", "DestinationHost: " },
                { false, "B.Example.", "{}", NULL },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
                g_autoptr(VsmRequest) request = NULL;
                g_autoptr(GError) error = NULL;

                request = make(table[i].check, table[i].destination, table[i].migration, NULL, NULL, &error);
                if (table[i].says)
                        assert_refused(table[i].says, error, INVALID, table[i].says);
                else
                        g_assert_no_error(error);
        }
}

typedef struct Case {
        const char *migration;
        int code;                       /* -1: goes */
        const char *says;
        uint32_t authentication;        /* of the service; 0 = X.509 */
        uint16_t floor;                 /* 0 = TLS */
        uint64_t max_bandwidth;
        const char *post_copy;          /* DefaultPostCopy; NULL = "never" */
        const char *resolved;           /* PostCopy in the end; NULL = "never" */
} Case;

#define GOES(text, ...) { .migration = text, .code = -1, __VA_ARGS__ }
#define REFUSED(text, with, words, ...) { .migration = text, .code = with, .says = words, __VA_ARGS__ }

static const Case cases[] = {
        GOES("{}"),
        GOES("{'MigrationType': <@q 2>}"),
        GOES("{'TransportType': <@q 3>}"),
        GOES("{'TransportType': <@q 5>}", .floor = 5),
        GOES("{'TransportType': <@q 3>}", .floor = 5),
        GOES("{'TransportType': <@q 3>}", .floor = 2),
        REFUSED("{'TransportType': <@q 5>}", INCOMPATIBLE, "protects less"),
        REFUSED("{'TransportType': <@q 5>}", INCOMPATIBLE, "protects less", .floor = 2),
        REFUSED("{'TransportType': <@q 3>}", INCOMPATIBLE, "protects less", .floor = 4),
        REFUSED("{'TransportType': <@q 4>}", INCOMPATIBLE, "VerifiesClients"),
        REFUSED("{}", INCOMPATIBLE, "VerifiesClients", .floor = 4),
        REFUSED("{'TransportType': <@q 1>}", UNSUPPORTED, "TransportType 1"),
        REFUSED("{'TransportType': <@q 6>}", UNSUPPORTED, "TransportType 6"),
        REFUSED("{'TransportType': <@q 32768>}", UNSUPPORTED, "TransportType 32768"),
        REFUSED("{'TransportType': <@q 2>}", INCOMPATIBLE, "needs AuthenticationType 32769"),
        REFUSED("{}", INCOMPATIBLE, "needs AuthenticationType 32769", .floor = 2),
        REFUSED("{'TransportType': <@q 2>, 'ParallelConnections': <@u 2>}", INCOMPATIBLE,
                "ParallelConnections", .authentication = 32769),
        REFUSED("{'TransportType': <@q 2>, 'MigrationType': <@q 32771>}", INCOMPATIBLE, "disks that are to move",
                .authentication = 32769),
        REFUSED("{'TransportType': <@q 2>, 'PostCopy': <'now'>}", INCOMPATIBLE, "PostCopy \"now\"",
                .authentication = 32769),
        GOES("{'TransportType': <@q 3>}", .authentication = 32769),
        REFUSED("{}", UNSUPPORTED, "AuthenticationType 1 ", .authentication = 1),
        REFUSED("{'PostCopy': <'now'>, 'ParallelConnections': <@u 2>}", INCOMPATIBLE, "ParallelConnections"),
        GOES("{'PostCopy': <'auto'>, 'ParallelConnections': <@u 2>}"),
        GOES("{'PostCopy': <'never'>, 'ParallelConnections': <@u 255>}"),
        GOES("{'PostCopy': <'auto'>}", .resolved = "auto"),
        GOES("{'PostCopy': <'now'>}", .resolved = "now"),
        GOES("{'PostCopy': <'now'>, 'MigrationType': <@q 32771>}", .resolved = "now"),
        GOES("{'PostCopy': <'auto'>, 'ParallelConnections': <@u 0>}", .resolved = "auto"),
        GOES("{'PostCopy': <'auto'>, 'TransportType': <@q 2>}", .authentication = 32769),
        GOES("{'PostCopy': <'never'>}", .post_copy = "now"),
        GOES("{}", .post_copy = "auto", .resolved = "auto"),
        GOES("{}", .post_copy = "now", .resolved = "now"),
        GOES("{'CancelIfBlackoutThresholdExceeded': <true>}", .post_copy = "now"),
        GOES("{'CancelIfBlackoutThresholdExceeded': <true>, 'PostCopy': <'auto'>}"),
        REFUSED("{'CancelIfBlackoutThresholdExceeded': <true>, 'PostCopy': <'now'>}", INCOMPATIBLE,
                "CancelIfBlackoutThresholdExceeded"),
        REFUSED("{'CancelIfBlackoutThresholdExceeded': <true>, 'MigrationType': <@q 3>}", INCOMPATIBLE,
                "stops the guest"),
        REFUSED("{'CancelIfBlackoutThresholdExceeded': <true>, 'MigrationType': <@q 4>}", INCOMPATIBLE,
                "stops the guest"),
        GOES("{'ParallelConnections': <@u 2>}", .post_copy = "now"),
        REFUSED("{'Bandwidth': <@q 50>, 'BandwidthUnit': <'percent'>}", INCOMPATIBLE, "MaximumBandwidth"),
        GOES("{'BandwidthUnit': <'percent'>}"),
        GOES("{'Bandwidth': <@q 50>, 'BandwidthUnit': <'percent'>}", .max_bandwidth = 1 << 24),
        REFUSED("{'AllowThrottling': <false>, 'CPUCappingMagnitude': <@q 1>}", INCOMPATIBLE, "CPUCapping"),
        GOES("{'RetainVhdCopiesOnSource': <false>, 'AvoidRemovingVHDs': <true>,"
             " 'AllowOverwriteExistingFile': <true>}"),

        GOES("{'TransportType': <@q 2>}", .authentication = 32769),
        GOES("{'MigrationType': <@q 32770>}"),
        GOES("{'MigrationType': <@q 32771>}"),
        GOES("{'MigrationType': <@q 3>}"),
        GOES("{'MigrationType': <@q 4>, 'PostCopy': <'auto'>}"),
        GOES("{'MigrationType': <@q 1>}", .post_copy = "now"),
        REFUSED("{'MigrationType': <@q 3>, 'PostCopy': <'now'>}", INCOMPATIBLE, "MigrationType 3 (resume)"),
        REFUSED("{'MigrationType': <@q 4>, 'PostCopy': <'now'>}", INCOMPATIBLE, "MigrationType 4 (restart)"),
        REFUSED("{'MigrationType': <@q 1>, 'PostCopy': <'now'>}", INCOMPATIBLE, "MigrationType 1 (offline)"),
        REFUSED("{'MigrationType': <@q 32770>, 'PostCopy': <'now'>}", INCOMPATIBLE, "MigrationType 32770"),
};

static void settings_for(const Case *c, VsmSettingsData *ret) {
        vsm_settings_defaults(ret);
        ret->authentication = c->authentication ?: VSM_AUTHENTICATION_X509;
        ret->default_transport = c->floor ?: VSM_TRANSPORT_TLS;
        ret->max_bandwidth = c->max_bandwidth;
        g_strlcpy(ret->default_post_copy, c->post_copy ?: "never", sizeof(ret->default_post_copy));
}

static void test_resolve(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(VsmRequest) request = make_good(cases[i].migration);
                g_autoptr(GError) error = NULL;
                VsmSettingsData settings;
                bool ok = false;

                settings_for(&cases[i], &settings);

                ok = vsm_request_resolve(request, &settings, &error);
                if (cases[i].code >= 0) {
                        g_assert_false(ok);
                        assert_refused(cases[i].migration, error, cases[i].code, cases[i].says);
                        continue;
                }

                g_assert_no_error(error);
                g_assert_true(ok);
                g_assert_cmpstr(request->post_copy, ==, cases[i].resolved ?: "never");
                g_assert_cmpint(request->compression, ==, 0);
                g_assert_cmpuint(request->transport, !=, 0);
        }
}

static void test_resolve_others(void) {
        static const struct {
                const char *destination, *migration, *system, *resources, *says;
        } table[] = {
                { "b", NULL, "{'ConfigurationDataRoot': <'/x'>}", NULL, "ConfigurationDataRoot" },
                { "b", NULL, "{'SnapshotDataRoot': <'/x'>}", NULL, "SnapshotDataRoot" },
                { "b", NULL, "{'SwapFileDataRoot': <'/x'>}", NULL, "SwapFileDataRoot" },
        };
        VsmSettingsData settings;

        vsm_settings_defaults(&settings);

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
                g_autoptr(VsmRequest) request = NULL;
                g_autoptr(GError) error = NULL;

                request = make(false, table[i].destination, table[i].migration, table[i].system,
                               table[i].resources, &error);
                g_assert_no_error(error);
                g_assert_false(vsm_request_resolve(request, &settings, &error));
                assert_refused(table[i].says, error, UNSUPPORTED, table[i].says);
        }
}

static void test_bandwidth(void) {
        static const struct {
                uint16_t amount;
                const char *unit;
                uint64_t total, mib;
        } table[] = {
                { 0,     NULL, 0, 0 },
                { 1,     NULL, 0, 1 },
                { 65535, "MiB/s", 0, 65535 },
                { 7,     "byte*2^20/second", 0, 7 },
                { 1,     "Mbit/s", 0, 1 },
                { 8,     "Mbit/s", 0, 1 },
                { 9,     "bit*10^6/second", 0, 2 },             /* 1.07 MiB/s */
                { 1000,  "Mbit/s", 0, 120 },                    /* 119.2 */
                { 65535, "Mbit/s", 0, 7813 },
                { 50,    "percent", UINT64_C(100) << 20, 50 },
                { 1,     "percent", UINT64_C(1) << 20, 1 },
                { 33,    "percent", UINT64_C(10) << 20, 4 },    /* 3.3 */
                { 50,    "percent", (UINT64_C(2) << 20) + 1, 2 },  /* half a byte too much */
                { 100,   "percent", UINT64_C(1) << 62, UINT64_C(1) << 42 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
                g_assert_cmpuint(vsm_bandwidth_resolve(table[i].amount, table[i].unit, table[i].total), ==,
                                 table[i].mib << 20);
}

/* As while a migration runs: its transport is its own, whatever the settings say now. */
static void test_bandwidth_alone(void) {
        g_autoptr(VsmRequest) amount = make_good("{'MigrationType': <@q 32771>, 'Bandwidth': <@q 100>}");
        g_autoptr(VsmRequest) percent = make_good("{'Bandwidth': <@q 50>, 'BandwidthUnit': <'percent'>}");
        g_autoptr(GError) transport = NULL, error = NULL;
        VsmSettingsData settings;

        settings_for(&(Case) { .floor = VSM_TRANSPORT_SSH, .authentication = VSM_AUTHENTICATION_SSH }, &settings);
        g_assert_false(vsm_request_resolve(amount, &settings, &transport));
        assert_refused("disks over SSH", transport, INCOMPATIBLE, "TransportType 2 (SSH)");
        g_assert_true(vsm_request_resolve_bandwidth(amount, &settings, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(amount->bandwidth, ==, UINT64_C(100) << 20);

        settings.max_bandwidth = UINT64_C(10) << 20;
        g_assert_true(vsm_request_resolve_bandwidth(percent, &settings, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(percent->bandwidth, ==, UINT64_C(5) << 20);

        settings.max_bandwidth = 0;
        g_assert_false(vsm_request_resolve_bandwidth(percent, &settings, &error));
        assert_refused("percent of nothing", error, INCOMPATIBLE, "has no limit");
}

static void test_accepted(void) {
        g_autoptr(VsmRequest) request = make_good("{'MigrationType': <2>, 'Bandwidth': <@u 3>}");
        VsmSettingsData settings;
        g_autofree char *text = NULL;
        uint16_t q = 0;
        gboolean b = FALSE;

        vsm_settings_defaults(&settings);
        settings.compression = true;
        g_assert_true(vsm_request_resolve(request, &settings, NULL));

        g_assert_cmpint(request->compression, ==, 1);
        g_assert_true(g_variant_lookup(request->accepted, "MigrationType", "q", &q));
        g_assert_cmpuint(q, ==, 32768);
        g_assert_true(g_variant_lookup(request->accepted, "TransportType", "q", &q));
        g_assert_cmpuint(q, ==, 3);
        g_assert_true(g_variant_lookup(request->accepted, "Priority", "q", &q));
        g_assert_cmpuint(q, ==, 100);
        g_assert_true(g_variant_lookup(request->accepted, "Bandwidth", "q", &q));
        g_assert_cmpuint(q, ==, 3);
        g_assert_true(g_variant_lookup(request->accepted, "BandwidthUnit", "s", &text));
        g_assert_cmpstr(text, ==, "MiB/s");
        g_assert_true(g_variant_lookup(request->accepted, "EnableCompression", "b", &b));
        g_assert_true(b);
}

static void test_text(void) {
        g_autoptr(VsmRequest) request = NULL, back = NULL;
        g_autofree char *text = NULL, *again = NULL;
        g_autoptr(GError) error = NULL;
        VsmSettingsData settings;

        vsm_settings_defaults(&settings);
        settings.max_bandwidth = UINT64_C(200) << 20;

        request = make(true, "2001:DB8::1",
                       "{'Bandwidth': <@q 10>, 'BandwidthUnit': <'percent'>, 'Timeout': <@t 9>,"
                       " 'DestinationIPAddressList': <['192.0.2.1']>}", NULL, NULL, &error);
        g_assert_no_error(error);
        g_assert_true(vsm_request_resolve(request, &settings, &error));

        text = vsm_request_to_text(request);
        back = vsm_request_from_text(text, &error);
        g_assert_no_error(error);

        g_assert_cmpstr(back->destination, ==, "2001:db8::1");
        g_assert_true(back->destination_is_address);
        g_assert_true(back->for_check);
        g_assert_cmpuint(back->transport, ==, 3);
        g_assert_cmpuint(back->bandwidth, ==, UINT64_C(20) << 20);
        g_assert_cmpint(back->compression, ==, 0);
        g_assert_cmpstr(back->post_copy, ==, "never");
        g_assert_cmpuint(back->timeout, ==, 9);
        g_assert_cmpstr(back->addresses[0], ==, "192.0.2.1");
        g_assert_cmpuint(back->priority, ==, 100);

        again = vsm_request_to_text(back);
        g_assert_cmpstr(again, ==, text);
}

/* A damaged store: an error, never a crash, and never half a request. */
static void test_text_damaged(void) {
        g_autoptr(VsmRequest) request = make_good("{'Timeout': <@t 9>}");
        g_autofree char *text = vsm_request_to_text(request);
        size_t length = strlen(text);

        for (size_t i = 0; i < length; i++) {
                g_autofree char *cut = g_strndup(text, i), *bent = g_strdup(text);
                g_autoptr(VsmRequest) other = NULL;
                g_autoptr(GError) error = NULL;

                g_assert_null(vsm_request_from_text(cut, &error));
                g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);

                bent[i] ^= 1;
                other = vsm_request_from_text(bent, NULL);
        }

        g_assert_null(vsm_request_from_text("(uint32 2, false, 'b', uint64 0, @a{sv} {}, @a{sv} {}, "
                                            "@aa{sv} [])", NULL));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/request/defaults", test_defaults);
        g_test_add_func("/request/landing", test_landing);
        g_test_add_func("/request/integers", test_integers);
        g_test_add_func("/request/null-is-absent", test_null_is_absent);
        g_test_add_func("/request/bad-migration", test_bad_migration);
        g_test_add_func("/request/bad-others", test_bad_others);
        g_test_add_func("/request/wrong-arguments", test_wrong_arguments);
        g_test_add_func("/request/destination", test_destination);
        g_test_add_func("/request/resolve", test_resolve);
        g_test_add_func("/request/resolve-others", test_resolve_others);
        g_test_add_func("/request/bandwidth", test_bandwidth);
        g_test_add_func("/request/bandwidth-alone", test_bandwidth_alone);
        g_test_add_func("/request/accepted", test_accepted);
        g_test_add_func("/request/text", test_text);
        g_test_add_func("/request/text-damaged", test_text_damaged);

        return g_test_run();
}
