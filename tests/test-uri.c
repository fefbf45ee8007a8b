/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* URIs for libvirt: what is made of a destination, and that no text can make more of one. The
 * oracle for the parts is GLib's own parser. One thread. */

#include <string.h>

#include "daemon/virt/uri.h"
#include "shared/enums.h"
#include "shared/error.h"

static char* control(
                const char *host,
                uint32_t authentication,
                uint16_t port,
                const char *address,
                GError **error) {

        VsmDestination destination = {
                .host = (char *) host,
                .authentication = authentication,
                .port = port,
        };

        return vsm_uri_control(&destination, address, error);
}

static void check_control(
                const char *host,
                uint32_t authentication,
                uint16_t port,
                const char *address,
                const char *expected) {

        g_autoptr(GError) error = NULL;
        g_autofree char *uri = control(host, authentication, port, address, &error);

        g_assert_no_error(error);
        g_assert_cmpstr(uri, ==, expected);
}

static void test_control(void) {
        check_control("b", VSM_AUTHENTICATION_X509, 0, "10.0.0.2", "qemu+tls://b/system");
        check_control("b.example.org", VSM_AUTHENTICATION_SSH, 0, "10.0.0.2",
                      "qemu+ssh://b.example.org/system");
        check_control("b", VSM_AUTHENTICATION_NONE, 0, "10.0.0.2", "qemu+tcp://10.0.0.2/system");
        check_control("b", VSM_AUTHENTICATION_NONE, 0, NULL, "qemu+tcp://b/system");
        check_control("b", VSM_AUTHENTICATION_NONE, 0, "fd00::2", "qemu+tcp://[fd00::2]/system");
        check_control("fd00::2", VSM_AUTHENTICATION_X509, 0, "fd00::2", "qemu+tls://[fd00::2]/system");
        check_control("10.0.0.2", VSM_AUTHENTICATION_X509, 16600, NULL, "qemu+tls://10.0.0.2:16600/system");
        check_control("fd00::2", VSM_AUTHENTICATION_SSH, 2222, NULL, "qemu+ssh://[fd00::2]:2222/system");
}

static void test_port(void) {
        VsmDestination destination = { .host = (char *) "b", .authentication = VSM_AUTHENTICATION_X509 };

        g_assert_cmpuint(vsm_uri_control_port(&destination), ==, 16514);
        destination.authentication = VSM_AUTHENTICATION_NONE;
        g_assert_cmpuint(vsm_uri_control_port(&destination), ==, 16509);
        destination.authentication = VSM_AUTHENTICATION_SSH;
        g_assert_cmpuint(vsm_uri_control_port(&destination), ==, 22);
        destination.port = 65535;
        g_assert_cmpuint(vsm_uri_control_port(&destination), ==, 65535);
}

static void test_authentication(void) {
        static const uint32_t bad[] = {
                VSM_AUTHENTICATION_CREDSSP, VSM_AUTHENTICATION_KERBEROS, 2, UINT32_MAX,
        };

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_autoptr(GError) error = NULL;

                g_assert_null(control("b", bad[i], 0, NULL, &error));
                g_assert_error(error, VSM_ERROR, VSM_ERROR_NOT_SUPPORTED);
        }
}

static const char *const hostile[] = {
        "", ".", "-", "-oProxyCommand=touch /tmp/x", "-b", "b-", "b.", ".b", "b..c", "b.-c", "b-.c",
        "b?command=/bin/sh", "b/system?socket=/x", "b#x", "b:22", "b/", "b\\", "b@c", "user@b", "b c", " b",
        "b\n",
        "b\nc", "b\tc", "b%00", "b%2f", "[b]", "[::1", "::1]", "[::1]", "fe80::1%eth0", "::1%lo",
        "b'", "b\"", "b;c",
        "b|c", "b$(id)", "b`id`", "b&c=d", "b=c", "b,c", "b_c", "\xc3\xa9", "\xff", "b\x7f", "b\x01",
        "*", "b!",
        "qemu+ssh://b", "10.0.0.2/24", "fd00::2/64", "fd00:::2", "1:2:3:4:5:6:7:8:9",
        "exec:id", "unix:/x", "tcp://b", "../b", "~b", "b\r\nX: y",
};

static void test_hostile(void) {
        static const uint32_t authentications[] = {
                VSM_AUTHENTICATION_X509, VSM_AUTHENTICATION_SSH, VSM_AUTHENTICATION_NONE,
        };

        for (size_t i = 0; i < G_N_ELEMENTS(hostile); i++) {
                for (size_t j = 0; j < G_N_ELEMENTS(authentications); j++) {
                        g_autoptr(GError) error = NULL, other = NULL;

                        /* as the host, and as the address */
                        g_assert_null(control(hostile[i], authentications[j], 0, "10.0.0.2", &error));
                        g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);

                        if (authentications[j] != VSM_AUTHENTICATION_NONE)
                                continue;

                        g_assert_null(control("b", authentications[j], 0, hostile[i], &other));
                        g_assert_error(other, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
                }
        }
}

static void test_hostile_migration(void) {
        g_autoptr(GError) null_error = NULL;

        for (size_t i = 0; i < G_N_ELEMENTS(hostile); i++) {
                g_autoptr(GError) error = NULL;

                g_assert_null(vsm_uri_migration(hostile[i], &error));
                g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
        }

        /* Not even a good name: only addresses that were dialled. */
        g_assert_null(vsm_uri_migration("b", NULL));
        g_assert_null(vsm_uri_migration(NULL, &null_error));
        g_assert_error(null_error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
}

static void test_long(void) {
        g_autofree char *good = g_strnfill(253, 'a'), *bad = g_strnfill(254, 'a');
        g_autofree char *huge = g_strnfill(1 << 20, 'a');
        g_autofree char *uri = control(good, VSM_AUTHENTICATION_X509, 0, NULL, NULL);
        g_autoptr(GError) error = NULL;

        g_assert_nonnull(uri);
        g_assert_null(control(bad, VSM_AUTHENTICATION_X509, 0, NULL, NULL));
        g_assert_null(control(huge, VSM_AUTHENTICATION_X509, 0, NULL, &error));
        g_assert_cmpuint(strlen(error->message), <, 512);
}

static void test_migration(void) {
        static const struct {
                const char *address;
                const char *uri;
        } good[] = {
                { "10.0.0.2",        "tcp://10.0.0.2"          },
                { "fd00::2",         "tcp://[fd00::2]"         },
                { "::ffff:10.0.0.2", "tcp://[::ffff:10.0.0.2]" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
                g_autoptr(GError) error = NULL;
                g_autofree char *uri = vsm_uri_migration(good[i].address, &error);

                g_assert_no_error(error);
                g_assert_cmpstr(uri, ==, good[i].uri);
        }
}

/* Every byte in every place of a short name: what is accepted has exactly that host and nothing else. */
static void test_every_byte(void) {
        for (unsigned place = 0; place < 3; place++)
                for (unsigned byte = 1; byte < 256; byte++) {
                        char host[] = "abc";
                        g_autofree char *uri = NULL;
                        g_autoptr(GUri) parsed = NULL;

                        host[place] = (char) byte;
                        uri = control(host, VSM_AUTHENTICATION_SSH, 0, NULL, NULL);
                        if (!uri)
                                continue;

                        parsed = g_uri_parse(uri, G_URI_FLAGS_NONE, NULL);
                        g_assert_nonnull(parsed);
                        g_assert_cmpstr(g_uri_get_host(parsed), ==, host);
                        g_assert_cmpstr(g_uri_get_scheme(parsed), ==, "qemu+ssh");
                        g_assert_cmpstr(g_uri_get_path(parsed), ==, "/system");
                        g_assert_null(g_uri_get_query(parsed));
                        g_assert_null(g_uri_get_fragment(parsed));
                        g_assert_null(g_uri_get_userinfo(parsed));
                        g_assert_cmpint(g_uri_get_port(parsed), ==, -1);
                }
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/uri/control", test_control);
        g_test_add_func("/uri/port", test_port);
        g_test_add_func("/uri/authentication", test_authentication);
        g_test_add_func("/uri/hostile", test_hostile);
        g_test_add_func("/uri/hostile-migration", test_hostile_migration);
        g_test_add_func("/uri/long", test_long);
        g_test_add_func("/uri/migration", test_migration);
        g_test_add_func("/uri/every-byte", test_every_byte);

        return g_test_run();
}
