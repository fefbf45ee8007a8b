/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service's settings: from callers, one by one, and from files, with the line of each complaint. One
 * thread. */

#include <glib/gstdio.h>
#include <string.h>

#include "daemon/settings-file.h"
#include "daemon/settings-keys.h"
#include "shared/error.h"

static VsmSettingsData defaults(void) {
        VsmSettingsData settings;

        vsm_settings_defaults(&settings);
        return settings;
}

static void assert_same(const VsmSettingsData *a, const VsmSettingsData *b) {
        g_assert_cmpint(a->enable_migration, ==, b->enable_migration);
        g_assert_cmpuint(a->max_migrations, ==, b->max_migrations);
        g_assert_cmpuint(a->max_storage, ==, b->max_storage);
        g_assert_cmpuint(a->authentication, ==, b->authentication);
        g_assert_cmpuint(a->default_transport, ==, b->default_transport);
        g_assert_cmpstr(a->default_post_copy, ==, b->default_post_copy);
        g_assert_cmpint(a->compression, ==, b->compression);
        g_assert_cmpint(a->smb, ==, b->smb);
        g_assert_cmpuint(a->max_bandwidth, ==, b->max_bandwidth);
        g_assert_cmpuint(a->stall_timeout, ==, b->stall_timeout);
        g_assert_cmpuint(a->history_limit, ==, b->history_limit);
}

/* The contract's, spelled out a second time. */
static void test_defaults(void) {
        VsmSettingsData settings = defaults();

        g_assert_true(settings.enable_migration);
        g_assert_cmpuint(settings.max_migrations, ==, 2);
        g_assert_cmpuint(settings.max_storage, ==, 2);
        g_assert_cmpuint(settings.authentication, ==, 32768);
        g_assert_cmpuint(settings.default_transport, ==, 3);
        g_assert_cmpstr(settings.default_post_copy, ==, "never");
        g_assert_false(settings.compression);
        g_assert_false(settings.smb);
        g_assert_cmpuint(settings.max_bandwidth, ==, 0);
        g_assert_cmpuint(settings.stall_timeout, ==, 120000000);
        g_assert_cmpuint(settings.history_limit, ==, 10000);
}

static bool apply(VsmSettingsData *settings, const char *key, const char *text, GError **error) {
        g_autoptr(GVariant) value = g_variant_parse(NULL, text, NULL, NULL, NULL);

        g_assert_nonnull(value);
        return vsm_settings_apply(settings, key, value, error);
}

static void test_apply(void) {
        static const struct {
                const char *key, *value;
        } good[] = {
                { "EnableVirtualSystemMigration", "false" },
                { "MaximumActiveVirtualSystemMigration", "byte 0x0f" },
                { "MaximumActiveStorageMigration", "int64 1" },
                { "AuthenticationType", "32769" },
                { "DefaultTransportType", "5" },
                { "DefaultPostCopy", "'auto'" },
                { "EnableCompression", "true" },
                { "EnableSmbTransport", "false" },
                { "MaximumBandwidth", "uint32 1048576" },
                { "StallTimeout", "uint64 1000000" },
                { "HistoryLimit", "uint16 0" },
        };
        VsmSettingsData settings = defaults();
        g_autoptr(GError) error = NULL;

        for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
                apply(&settings, good[i].key, good[i].value, &error);
                g_assert_no_error(error);
        }

        assert_same(&settings, &(VsmSettingsData) {
                .enable_migration = false, .max_migrations = 15, .max_storage = 1, .authentication = 32769,
                .default_transport = 5, .default_post_copy = "auto", .compression = true, .smb = false,
                .max_bandwidth = 1048576, .stall_timeout = 1000000, .history_limit = 0,
        });
}

static void test_apply_bad(void) {
        static const struct {
                const char *key, *value;
                int code;
                const char *says;
        } bad[] = {
                { "maximumBandwidth", "0", VSM_ERROR_INVALID_PARAMETER, "\"maximumBandwidth\" is unknown" },
                { "InstanceID", "'x'", VSM_ERROR_INVALID_PARAMETER, "unknown; there are Enable" },
                { "EnableVirtualSystemMigration", "1", VSM_ERROR_INVALID_PARAMETER, "true or false" },
                { "MaximumActiveVirtualSystemMigration", "0", VSM_ERROR_INVALID_PARAMETER, "from 1 to 15" },
                { "MaximumActiveVirtualSystemMigration", "16", VSM_ERROR_INVALID_PARAMETER, "from 1 to 15" },
                { "MaximumActiveStorageMigration", "0", VSM_ERROR_INVALID_PARAMETER, "from 1 to 15" },
                { "MaximumActiveStorageMigration", "-1", VSM_ERROR_INVALID_PARAMETER, "is -1" },
                { "MaximumActiveStorageMigration", "'2'", VSM_ERROR_INVALID_PARAMETER, "of type \"s\"" },
                { "AuthenticationType", "0", VSM_ERROR_NOT_SUPPORTED, "CredSSP" },
                { "AuthenticationType", "1", VSM_ERROR_NOT_SUPPORTED, "Kerberos" },
                { "AuthenticationType", "2", VSM_ERROR_INVALID_PARAMETER, "32768 (X.509)" },
                { "AuthenticationType", "32771", VSM_ERROR_INVALID_PARAMETER, "32768 (X.509)" },
                { "DefaultTransportType", "1", VSM_ERROR_NOT_SUPPORTED, "DefaultTransportType 1" },
                { "DefaultTransportType", "6", VSM_ERROR_NOT_SUPPORTED, "DefaultTransportType 6" },
                { "DefaultTransportType", "32768", VSM_ERROR_NOT_SUPPORTED, "DefaultTransportType 32768" },
                { "DefaultTransportType", "7", VSM_ERROR_INVALID_PARAMETER, "must be 2 (SSH)" },
                { "DefaultPostCopy", "'sometimes'", VSM_ERROR_INVALID_PARAMETER, "\"never\"" },
                { "EnableSmbTransport", "true", VSM_ERROR_NOT_SUPPORTED, "SMB" },
                { "MaximumBandwidth", "1", VSM_ERROR_INVALID_PARAMETER, "at least 1048576" },
                { "MaximumBandwidth", "1048575", VSM_ERROR_INVALID_PARAMETER, "at least 1048576" },
                { "MaximumBandwidth", "uint64 9223372036854775808", VSM_ERROR_INVALID_PARAMETER, "least" },
                { "StallTimeout", "uint64 999999", VSM_ERROR_INVALID_PARAMETER, "1 second" },
                { "StallTimeout", "uint64 604800000001", VSM_ERROR_INVALID_PARAMETER, "7 days" },
                { "HistoryLimit", "uint64 4294967296", VSM_ERROR_INVALID_PARAMETER, "4294967295" },
        };
        VsmSettingsData settings = defaults(), before = defaults();

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_autoptr(GError) error = NULL;

                g_assert_false(apply(&settings, bad[i].key, bad[i].value, &error));
                g_assert_error(error, VSM_ERROR, bad[i].code);
                if (!strstr(error->message, bad[i].says))
                        g_error("%s=%s: %s", bad[i].key, bad[i].value, error->message);

                assert_same(&settings, &before);
        }
}

/* Null changes nothing. */
static void test_apply_null(void) {
        VsmSettingsData settings = defaults(), before = defaults();

        g_assert_true(apply(&settings, "DefaultTransportType", "0", NULL));
        g_assert_true(apply(&settings, "DefaultPostCopy", "''", NULL));
        g_assert_true(apply(&settings, "StallTimeout", "uint64 0", NULL));
        assert_same(&settings, &before);

        settings.max_bandwidth = 1 << 20;
        g_assert_true(apply(&settings, "MaximumBandwidth", "uint64 0", NULL));
        g_assert_cmpuint(settings.max_bandwidth, ==, 0);
}

static GVariant* parse(const char *text, GError **error) {
        g_autoptr(GVariant) dict = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);

        g_assert_nonnull(dict);
        return vsm_settings_parse(dict, error);
}

/* The argument of ModifyServiceSettings: what is left of it is what it wishes, in canonical types. */
static void test_parse(void) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) wish = NULL;
        g_autofree char *text = NULL;

        wish = parse("{'InstanceID': <'org.example:MigrationServiceSettingData'>, 'Caption': <''>,"
                     " 'ElementName': <'Migration Service Setting Data'>, 'MaximumBandwidth': <2000000>,"
                     " 'DefaultTransportType': <0>}", &error);
        g_assert_no_error(error);
        text = g_variant_print(wish, TRUE);
        g_assert_cmpstr(text, ==, "{'MaximumBandwidth': <uint64 2000000>}");

        g_clear_pointer(&wish, g_variant_unref);
        wish = parse("{}", &error);
        g_assert_no_error(error);
        g_assert_cmpuint(g_variant_n_children(wish), ==, 0);
}

static void test_parse_bad(void) {
        static const struct {
                const char *dict;
                int code;
                const char *says;
        } bad[] = {
                { "{'Colour': <1>}", VSM_ERROR_INVALID_PARAMETER, "there are InstanceID, Caption" },
                { "{'Caption': <'x'>}", VSM_ERROR_INVALID_PARAMETER, "Caption is \"x\" and must be left as" },
                { "{'InstanceID': <1>}", VSM_ERROR_INVALID_PARAMETER, "InstanceID is of type" },
                { "{'HistoryLimit': <1>, 'EnableSmbTransport': <true>}", VSM_ERROR_NOT_SUPPORTED, "SMB" },
                { "{'AuthenticationType': <1>}", VSM_ERROR_NOT_SUPPORTED, "Kerberos" },
                { "{'HistoryLimit': <1>, 'StallTimeout': <1>}", VSM_ERROR_INVALID_PARAMETER, "StallTimeout" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_autoptr(GError) error = NULL;

                g_assert_null(parse(bad[i].dict, &error));
                g_assert_error(error, VSM_ERROR, bad[i].code);
                if (!strstr(error->message, bad[i].says))
                        g_error("%s: %s", bad[i].dict, error->message);
        }
}

/* What a change of each looks like to the one who tells it. */
static void test_same(void) {
        static const char *const other[] = {
                "false", "uint32 9", "uint32 9", "uint32 32769", "uint16 5", "'now'", "true", "false",
                "uint64 2000000", "uint64 1000000", "uint32 9",
        };
        size_t i = 0;

        for (const VsmKey *key = vsm_keys_settings; key->name; key++, i++) {
                VsmSettingsData a = defaults(), b = defaults();

                g_assert_cmpuint(i, <, G_N_ELEMENTS(other));
                g_assert_true(vsm_settings_same(key, &a, &b));
                g_assert_true(apply(&b, key->name, other[i], NULL));
                /* the only one that has but one value */
                g_assert_cmpint(vsm_settings_same(key, &a, &b), ==,
                                g_str_equal(key->name, "EnableSmbTransport"));

                for (const VsmKey *k = vsm_keys_settings; k->name; k++)
                        g_assert_true(k == key || vsm_settings_same(k, &a, &b));
        }

        g_assert_cmpuint(i, ==, G_N_ELEMENTS(other));
}

/* ---- files ---- */

typedef struct Place {
        char *top, *file, *directory;
} Place;

static void place_set_up(Place *place, const void *data G_GNUC_UNUSED) {
        place->top = g_dir_make_tmp("vsm-test-settings-XXXXXX", NULL);
        g_assert_nonnull(place->top);
        place->file = g_build_filename(place->top, "vsmd.conf", NULL);
        place->directory = g_build_filename(place->top, "vsmd.conf.d", NULL);
}

static void place_tear_down(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(GDir) dir = g_dir_open(place->directory, 0, NULL);
        const char *name = NULL;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *path = g_build_filename(place->directory, name, NULL);

                g_assert_cmpint(g_remove(path), ==, 0);
        }

        (void) g_remove(place->directory);
        (void) g_remove(place->file);
        g_assert_cmpint(g_remove(place->top), ==, 0);
        g_free(place->top);
        g_free(place->file);
        g_free(place->directory);
}

static void write_file(Place *place, const char *text) {
        g_assert_true(g_file_set_contents(place->file, text, -1, NULL));
}

static void write_drop_in(Place *place, const char *name, const char *text) {
        g_autofree char *path = g_build_filename(place->directory, name, NULL);

        (void) g_mkdir(place->directory, 0700);
        g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* wanted: pieces of the complaints, in order, NULL-terminated */
static VsmSettingsData read_with_directories(Place *place, const char *const *wanted, char ***ret_directories) {
        g_auto(GStrv) complaints = NULL;
        VsmSettingsData settings;
        VsmShutdownPolicy shutdown;

        memset(&settings, 0xa5, sizeof(settings));
        complaints = vsm_settings_read(place->file, place->directory, &settings, ret_directories, &shutdown);
        g_assert_nonnull(complaints);

        for (size_t i = 0; wanted[i]; i++) {
                if (!complaints[i])
                        g_error("no complaint \"%s\"", wanted[i]);
                if (!strstr(complaints[i], wanted[i]))
                        g_error("wanted \"%s\", got \"%s\"", wanted[i], complaints[i]);

                g_assert_true(g_str_has_prefix(complaints[i], place->top));
                g_assert_null(strchr(complaints[i], '\n'));
        }

        if (complaints[g_strv_length((char **) wanted)])
                g_error("one too many: %s", complaints[g_strv_length((char **) wanted)]);

        return settings;
}

static VsmSettingsData read_all(Place *place, const char *const *wanted) {
        g_auto(GStrv) directories = NULL;

        return read_with_directories(place, wanted, &directories);
}

static const char *const nothing[] = { NULL };

static void test_missing(Place *place, const void *data G_GNUC_UNUSED) {
        VsmSettingsData settings = read_all(place, nothing), wanted = defaults();

        assert_same(&settings, &wanted);
}

static void test_good(Place *place, const void *data G_GNUC_UNUSED) {
        VsmSettingsData settings;

        write_file(place,
                   "# a comment\n"
                   "\n"
                   "[Service]\r\n"
                   "EnableVirtualSystemMigration=false\r\n"
                   "  MaximumActiveVirtualSystemMigration = 15  \n"
                   "MaximumActiveStorageMigration=1\n"
                   "AuthenticationType=32770\n"
                   "DefaultTransportType=5\n"
                   "DefaultPostCopy=now\n"
                   "EnableCompression=true\n"
                   "EnableSmbTransport=false\n"
                   "MaximumBandwidth=100M\n"
                   "StallTimeout=2min\n"
                   "HistoryLimit=0\n"
                   "[Storage]\n"
                   "Directories=/srv\n"
                   "[Evacuation]\n"
                   "PowerOff=evacuate\nReboot=save\nHalt=shutdown\nKExec=leave\nFallback=live;save\nBringBack=true");

        settings = read_all(place, nothing);
        assert_same(&settings, &(VsmSettingsData) {
                .enable_migration = false, .max_migrations = 15, .max_storage = 1, .authentication = 32770,
                .default_transport = 5, .default_post_copy = "now", .compression = true, .smb = false,
                .max_bandwidth = UINT64_C(100) << 20, .stall_timeout = 120000000, .history_limit = 0,
        });
}

static void test_units(Place *place, const void *data G_GNUC_UNUSED) {
        static const struct {
                const char *text;
                uint64_t stall;         /* seconds; 0 = refused */
        } times[] = {
                { "1", 0 }, { "999999", 0 }, { "90000000", 90 }, { "90s", 90 }, { "3min", 180 }, { "2h", 7200 }, { "168h", 604800 },
                { "169h", 0 }, { "0", 0 }, { "0s", 0 }, { "", 0 }, { "s", 0 }, { "-1", 0 }, { "+1", 0 },
                { "1m", 0 }, { "1 s", 0 }, { "1.5", 0 }, { "0x10", 0 }, { "1e3", 0 },
                { "5124095576030431h", 0 },
                { "18446744073709551616", 0 },
        };
        static const struct {
                const char *text;
                uint64_t bytes;         /* 1 = refused */
        } rates[] = {
                { "0", 0 }, { "1048576", 1048576 }, { "1024K", 1048576 }, { "1M", 1048576 },
                { "2G", UINT64_C(2) << 30 }, { "1023K", 1 }, { "1", 1 }, { "1m", 1 }, { "1MiB", 1 },
                { "M", 1 },
                { "17179869184G", 1 }, { "-1M", 1 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(times); i++) {
                g_autofree char *text = g_strdup_printf("[Service]\nStallTimeout=%s\n", times[i].text);
                const char *const wanted[] = { times[i].stall ? NULL : "vsmd.conf:2: ", NULL };
                VsmSettingsData settings;

                write_file(place, text);
                settings = read_all(place, wanted);
                g_assert_cmpuint(settings.stall_timeout, ==, (times[i].stall ?: 120) * 1000000);
        }

        for (size_t i = 0; i < G_N_ELEMENTS(rates); i++) {
                g_autofree char *text = g_strdup_printf("[Service]\nMaximumBandwidth=%s\n", rates[i].text);
                const char *const wanted[] = { rates[i].bytes != 1 ? NULL : "vsmd.conf:2: ", NULL };
                VsmSettingsData settings;

                write_file(place, text);
                settings = read_all(place, wanted);
                g_assert_cmpuint(settings.max_bandwidth, ==, rates[i].bytes != 1 ? rates[i].bytes : 0);
        }
}

static void test_complaints(Place *place, const void *data G_GNUC_UNUSED) {
        static const char *const wanted[] = {
                "vsmd.conf:1: A key stands before the first [Group]",
                "vsmd.conf:4: [Service]: \"Foo\" is unknown; there are EnableVirtualSystemMigration, ",
                "vsmd.conf:5: EnableCompression: \"yes\" is not true or false",
                "vsmd.conf:6: ServiceSettingData: MaximumActiveStorageMigration is 16 and must be",
                "vsmd.conf:7: AuthenticationType 1 (Kerberos) is not supported",
                "vsmd.conf:8: This is neither a [Group] nor a Key=value",
                "vsmd.conf:9: DefaultPostCopy: \"\" is not \"never\"",
                "vsmd.conf:10: DefaultTransportType: \"0\" is not 2 (SSH)",
                "vsmd.conf:11: The group [Other] is unknown",
                "vsmd.conf:13: [Storage]",
                "vsmd.conf:15: This is neither",
                "vsmd.conf:16: ",               /* not UTF-8 */
                NULL
        };
        VsmSettingsData settings, expected = defaults();

        /* what is right between is read all the same */
        write_file(place,
                   "HistoryLimit=1\n"
                   "\n"
                   "[Service]\n"
                   "Foo=1\n"
                   "EnableCompression=yes\n"
                   "MaximumActiveStorageMigration=16\n"
                   "AuthenticationType=1\n"
                   "nonsense\n"
                   "DefaultPostCopy=\n"
                   "DefaultTransportType=0\n"
                   "[Other]\n[Storage]\n"
                   "Foo=1\n"
                   "[Service]\n"
                   "[Broken\n"
                   "DefaultPostCopy=\xff\n"
                   "HistoryLimit=7\n");

        settings = read_all(place, wanted);
        expected.history_limit = 7;
        assert_same(&settings, &expected);
}

/* In the order of their names, after the file; what is no *.conf is not read. */
static void test_drop_ins(Place *place, const void *data G_GNUC_UNUSED) {
        static const char *const wanted[] = { "vsmd.conf.d/20-b.conf:2: ", NULL };
        VsmSettingsData settings;

        write_file(place, "[Service]\nHistoryLimit=1\nMaximumActiveStorageMigration=3\nStallTimeout=7s\n");
        write_drop_in(place, "30-c.conf", "[Service]\nHistoryLimit=4\n");
        write_drop_in(place, "10-a.conf", "[Service]\nHistoryLimit=2\nMaximumActiveStorageMigration=5\n");
        write_drop_in(place, "20-b.conf", "[Service]\nStallTimeout=x\nHistoryLimit=3\n");
        write_drop_in(place, "90-z.conf~", "[Service]\nHistoryLimit=9\nFoo=1\n");
        write_drop_in(place, ".91.conf", "[Service]\nHistoryLimit=9\nFoo=1\n");
        write_drop_in(place, "README", "Foo\n");

        settings = read_all(place, wanted);
        g_assert_cmpuint(settings.history_limit, ==, 4);
        g_assert_cmpuint(settings.max_storage, ==, 5);

        /* the bad line is as if it were not there */
        g_assert_cmpuint(settings.stall_timeout, ==, 7000000);
}

static void test_unreadable(Place *place, const void *data G_GNUC_UNUSED) {
        static const char *const wanted[] = { "vsmd.conf: The file cannot be read",
                                              "vsmd.conf.d: The directory cannot be read", NULL };
        static const char *const nul[] = { "vsmd.conf: A NUL byte", NULL };
        VsmSettingsData settings;

        g_assert_cmpint(g_mkdir(place->file, 0700), ==, 0);
        g_assert_true(g_file_set_contents(place->directory, "x", 1, NULL));
        (void) read_all(place, wanted);

        g_assert_cmpint(g_remove(place->file), ==, 0);
        g_assert_cmpint(g_remove(place->directory), ==, 0);
        g_assert_true(g_file_set_contents(place->file, "[Service]\nHistoryLimit=1\n\0\nHistoryLimit=2\n",
                                          42, NULL));
        settings = read_all(place, nul);
        g_assert_cmpuint(settings.history_limit, ==, 1);
}

static void test_directories(Place *place, const void *data G_GNUC_UNUSED) {
        static const struct {
                const char *text, *joined, *complaint;
        } table[] = {
                { "", "", NULL },
                { "[Storage]\nDirectories=\n", "", NULL },
                { "[Storage]\nDirectories=/srv/images\n", "/srv/images", NULL },
                { "[Storage]\nDirectories=/a b; /c ;;/d;\n", "/a b|/c|/d", NULL },
                { "[Storage]\nDirectories=/a;/b\nDirectories=/c\n", "/c", NULL },
                { "[Storage]\nDirectories=/a\nDirectories=\n", "", NULL },
                { "[Storage]\nDirectories=/a;srv\n", "", "conf:2: Directories: \"srv\" is not an absolute" },
                { "[Storage]\nDirectories=/a\nDirectories=/b/..\n", "/a", "conf:3: Directories: \"/b/..\"" },
                { "[Storage]\nDirectories=/\n", "", "\"/\"" },
                { "[Storage]\nDirectories=/a/\n", "", "\"/a/\"" },
                { "[Storage]\nDirectories=/a//b\n", "", "\"/a//b\"" },
                { "[Storage]\nDirectories=/a/./b\n", "", "\"/a/./b\"" },
                { "[Storage]\nDirectories=/a\\nb\n", "", "\"/a\\nb\"" },
                { "[Storage]\nDirectory=/a\n", "", "conf:2: [Storage]: \"Directory\" is unknown" },
                { "[Service]\nDirectories=/a\n", "", "\"Directories\" is unknown" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
                const char *const wanted[] = { table[i].complaint, NULL };
                g_auto(GStrv) directories = NULL;
                g_autofree char *joined = NULL;

                write_file(place, table[i].text);
                (void) read_with_directories(place, wanted, &directories);
                joined = g_strjoinv("|", directories);
                g_assert_cmpstr(joined, ==, table[i].joined);
        }
}

#define ADD(name, function) \
        g_test_add("/settings-file/" name, Place, NULL, place_set_up, function, place_tear_down)

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/settings-file/defaults", test_defaults);
        g_test_add_func("/settings-file/apply", test_apply);
        g_test_add_func("/settings-file/apply-bad", test_apply_bad);
        g_test_add_func("/settings-file/apply-null", test_apply_null);
        g_test_add_func("/settings-file/parse", test_parse);
        g_test_add_func("/settings-file/parse-bad", test_parse_bad);
        g_test_add_func("/settings-file/same", test_same);
        ADD("missing", test_missing);
        ADD("good", test_good);
        ADD("units", test_units);
        ADD("complaints", test_complaints);
        ADD("drop-ins", test_drop_ins);
        ADD("unreadable", test_unreadable);
        ADD("directories", test_directories);

        return g_test_run();
}
