/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hosts from dicts and from files: what is one, what is reported with file and line, what means the
 * same host. Files in a folder of the test's own. One thread. */

#include <glib/gstdio.h>
#include <string.h>

#include "daemon/host-file.h"
#include "shared/enums.h"
#include "shared/error.h"

static char *folder;

static VsmHostData* host(const char *text, GError **error) {
        g_autoptr(GError) wrong = NULL;
        g_autoptr(GVariant) dict = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &wrong);

        g_assert_no_error(wrong);
        return vsm_host_data_read(dict, error);
}

static void test_defaults(void) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VsmHostData) data = host("{'Name': <'HostB.Example.'>}", &error);

        g_assert_no_error(error);
        g_assert_cmpstr(data->name, ==, "hostb.example");
        g_assert_null(data->addresses[0]);
        g_assert_cmpuint(data->authentication, ==, 0);
        g_assert_cmpuint(data->port, ==, 0);
        g_assert_false(data->verifies_clients);
        g_assert_true(data->enabled);
        g_assert_cmpuint(data->priority, ==, 100);
        g_assert_cmpuint(data->memory_limit, ==, 0);
}

static void test_all_keys(void) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VsmHostData) data = NULL, back = NULL;
        g_autofree char *text = NULL;

        data = host("{'Name': <'b'>, 'Addresses': <['10.0.0.2', 'FD00:0::2']>, 'AuthenticationType': <32770>,"
                    " 'Port': <16510>, 'VerifiesClients': <true>, 'Enabled': <false>, 'Priority': <0>,"
                    " 'MemoryLimit': <uint64 5>}", &error);
        g_assert_no_error(error);
        text = vsm_host_data_to_text(data);
        back = vsm_host_data_from_text(text, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(back->name, ==, "b");
        g_assert_cmpstr(back->addresses[1], ==, "fd00::2");
        g_assert_cmpuint(back->authentication, ==, VSM_AUTHENTICATION_NONE);
        g_assert_cmpuint(back->port, ==, 16510);
        g_assert_true(back->verifies_clients);
        g_assert_false(back->enabled);
        g_assert_cmpuint(back->priority, ==, 0);
        g_assert_cmpuint(back->memory_limit, ==, 5);
}

static void assert_refused(const char *text, int code, const char *says) {
        g_autoptr(GError) error = NULL;

        g_assert_null(host(text, &error));
        g_assert_error(error, VSM_ERROR, code);
        if (!strstr(error->message, says))
                g_error("\"%s\" does not say \"%s\"", error->message, says);
}

static void test_refused(void) {
        const int invalid = VSM_ERROR_INVALID_PARAMETER;

        assert_refused("@a{sv} {}", invalid, "Name is missing");
        assert_refused("{'Name': <'qemu+ssh://b/system'>}", invalid, "Name");
        assert_refused("{'Name': <'-oProxyCommand=x'>}", invalid, "Name");
        assert_refused("{'Name': <'localhost'>}", invalid, "Name");
        assert_refused("{'Name': <'b'>, 'Addresses': <['c']>}", invalid, "Addresses");
        assert_refused("{'Name': <'b'>, 'Addresses': <['127.0.0.1']>}", invalid, "loopback");
        assert_refused("{'Name': <'b'>, 'Addresses': <['fe80::1%eth0']>}", invalid, "Addresses");
        assert_refused("{'Name': <'b'>, 'AuthenticationType': <5>}", invalid, "32768");
        assert_refused("{'Name': <'b'>, 'AuthenticationType': <1>}", VSM_ERROR_NOT_SUPPORTED, "Kerberos");
        assert_refused("{'Name': <'b'>, 'Port': <70000>}", invalid, "Port");
        assert_refused("{'Name': <'b'>, 'State': <'up'>}", invalid, "\"State\" is unknown");
}

static void test_matches(void) {
        g_autoptr(VsmHostData) b = host("{'Name': <'b'>, 'Addresses': <['10.0.0.2', 'fd00::2']>}", NULL);
        g_autoptr(VsmHostData) c = host("{'Name': <'c'>, 'Addresses': <['10.0.0.3']>}", NULL);
        g_autoptr(VsmHostData) d = host("{'Name': <'d'>, 'Addresses': <['fd00::2']>}", NULL);
        g_autoptr(VsmHostData) e = host("{'Name': <'10.0.0.2'>}", NULL);

        g_assert_true(vsm_host_data_matches(b, "b"));
        g_assert_true(vsm_host_data_matches(b, "10.0.0.2"));
        g_assert_true(vsm_host_data_matches(b, "fd00::2"));
        g_assert_false(vsm_host_data_matches(b, "c"));
        g_assert_false(vsm_host_data_matches(b, "10.0.0.3"));

        g_assert_false(vsm_host_data_clashes(b, c));
        g_assert_true(vsm_host_data_clashes(b, d));
        g_assert_true(vsm_host_data_clashes(b, e));
        g_assert_true(vsm_host_data_clashes(e, b));
}

/* ---- files ---- */

static void put(const char *name, const char *contents) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_autoptr(GError) error = NULL;

        g_file_set_contents(path, contents, -1, &error);
        g_assert_no_error(error);
}

static void empty(void) {
        g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
        const char *name;

        while ((name = g_dir_read_name(dir))) {
                g_autofree char *path = g_build_filename(folder, name, NULL);

                g_assert_cmpint(g_remove(path), ==, 0);
        }
}

static void assert_hosts(const char *expected, char ***ret_faults) {
        g_auto(GStrv) faults = NULL;
        g_autoptr(GPtrArray) hosts = vsm_hosts_read(folder, &faults);
        g_autoptr(GString) names = g_string_new(NULL);

        for (guint i = 0; i < hosts->len; i++)
                g_string_append_printf(names, "%s%s", i > 0 ? " " : "", ((VsmHostData *) hosts->pdata[i])->name);

        g_assert_cmpstr(names->str, ==, expected);
        if (ret_faults)
                *ret_faults = g_steal_pointer(&faults);
        else
                g_assert_cmpstr(faults[0], ==, NULL);
}

static void test_files(void) {
        g_auto(GStrv) faults = NULL;
        g_autoptr(GPtrArray) hosts = NULL;
        const VsmHostData *b;

        empty();
        put("20-c.conf", "# the other one\n\n[Host]\nName=c\n");
        put("10-b.conf", "[Host]\r\nName = B\r\nAddresses=10.0.0.2;fd00::2, 10.78.0.2 \nAuthenticationType=32770\n"
                         "Port=16510\nVerifiesClients=true\nEnabled=false\nPriority=3\nMemoryLimit=2G\n");
        put("not-one", "[Host]\nName=d\n");
        put(".hidden.conf", "[Host]\nName=e\n");
        assert_hosts("b c", NULL);

        hosts = vsm_hosts_read(folder, &faults);
        b = hosts->pdata[0];
        g_assert_cmpuint(g_strv_length(b->addresses), ==, 3);
        g_assert_cmpstr(b->addresses[2], ==, "10.78.0.2");
        g_assert_cmpuint(b->authentication, ==, VSM_AUTHENTICATION_NONE);
        g_assert_cmpuint(b->port, ==, 16510);
        g_assert_true(b->verifies_clients);
        g_assert_false(b->enabled);
        g_assert_cmpuint(b->priority, ==, 3);
        g_assert_cmpuint(b->memory_limit, ==, UINT64_C(2) << 30);
}

/* Each fault with its file and line; that host is left out and no other. */
static void test_faults(void) {
        static const struct {
                const char *contents;
                const char *says;
        } bad[] = {
                { "[Host]\nName=b\nColour=red\n",             "/x.conf:3: [Host]: \"Colour\" is unknown" },
                { "[Host]\nName=b\nPort=many\n",              "/x.conf:3: Port" },
                { "[Host]\nName=b\nPort=70000\n",             "/x.conf:3: [Host]: Port is 70000" },
                { "[Host]\nName=b\nVerifiesClients=yes\n",    "/x.conf:3: VerifiesClients" },
                { "[Host]\nName=b\nAuthenticationType=0\n",   "/x.conf:3: AuthenticationType" },
                { "[Host]\nName=b\nMemoryLimit=99999999T\n",  "/x.conf:3: MemoryLimit" },
                { "[Host]\nName=b\nName=c\n",                 "/x.conf:3: Name stands in the file twice" },
                { "[Host]\nName=b\nAddresses=10.0.0.2;c\n",   "/x.conf:3: [Host]: Addresses" },
                { "[Host]\nPort=1\n",                         "/x.conf: [Host]: Name is missing" },
                { "[Host]\nName=b\n[Host]\nName=d\n",         "/x.conf:3: [Host] stands in the file twice" },
                { "Name=b\n",                                 "/x.conf:1: A key stands before" },
                { "[Service]\nName=b\n",                      "/x.conf:1: There is only the group [Host]" },
                { "[Host]\nName=b\nwhat\n",                   "/x.conf:3: The line is neither" },
                { "[Host]\nName=qemu+tcp://b/system\n",       "/x.conf:2: [Host]: Name" },
                { "[Host]\nName=b\nAuthenticationType=1\n",   "/x.conf: [Host]: AuthenticationType 1" },
                { "[Host]\nName=b\xff\n",                     "/x.conf: The file is no text" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_auto(GStrv) faults = NULL;

                empty();
                put("a.conf", "[Host]\nName=a\n");
                put("x.conf", bad[i].contents);
                assert_hosts("a", &faults);
                g_assert_nonnull(faults[0]);
                if (!strstr(faults[0], bad[i].says) || !g_str_has_suffix(faults[0], "The host is left out."))
                        g_error("\"%s\" does not say \"%s\"", faults[0], bad[i].says);
        }
}

static void test_double(void) {
        g_auto(GStrv) faults = NULL, none = NULL;
        g_autoptr(GPtrArray) nothing = NULL;

        empty();
        put("1.conf", "[Host]\nName=a\nAddresses=10.0.0.2\n");
        put("2.conf", "[Host]\nName=b\nAddresses=10.0.0.2\n");
        put("3.conf", "[Host]\nName=a\n");
        assert_hosts("a", &faults);
        g_assert_nonnull(strstr(faults[0], "/2.conf: Its Name or one of its Addresses is also of host 'a'"));
        g_assert_nonnull(strstr(faults[1], "/3.conf: "));
        g_assert_null(faults[2]);

        /* no folder is no fault */
        nothing = vsm_hosts_read("/nonexistent/hosts.d", &none);
        g_assert_cmpuint(nothing->len, ==, 0);
        g_assert_null(none[0]);
}

int main(int argc, char **argv) {
        g_autoptr(GError) error = NULL;
        int r;

        g_test_init(&argc, &argv, NULL);
        folder = g_dir_make_tmp("vsm-hosts-XXXXXX", &error);
        g_assert_no_error(error);

        g_test_add_func("/host/dict/defaults", test_defaults);
        g_test_add_func("/host/dict/all-keys", test_all_keys);
        g_test_add_func("/host/dict/refused", test_refused);
        g_test_add_func("/host/matches", test_matches);
        g_test_add_func("/host/files/good", test_files);
        g_test_add_func("/host/files/faults", test_faults);
        g_test_add_func("/host/files/double", test_double);

        r = g_test_run();
        empty();
        (void) g_rmdir(folder);
        g_free(folder);
        return r;
}
