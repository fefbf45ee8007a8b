/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The grammar of a destination: what becomes which canonical text, and what is refused with which
 * words. One thread. */

#include <string.h>

#include "daemon/request.h"
#include "shared/error.h"

#define LABEL63 "a23456789012345678901234567890123456789012345678901234567890123"
#define LABEL59 "a2345678901234567890123456789012345678901234567890123456789"
#define NAME253 LABEL63 "." LABEL63 "." LABEL63 "." LABEL59 ".b"

static const struct {
        const char *text, *canonical;
        bool is_address;
} good[] = {
        { "b", "b", false },
        { "host-b.example.org", "host-b.example.org", false },
        { "Host-B.Example.ORG.", "host-b.example.org", false },
        { "xn--bcher-kva.example", "xn--bcher-kva.example", false },
        { "3com.example", "3com.example", false },
        { "1.2.3.4.example", "1.2.3.4.example", false },
        { "0xg", "0xg", false },
        { "a--b", "a--b", false },
        { "localhost.example.org", "localhost.example.org", false },
        { "notlocalhost", "notlocalhost", false },
        { LABEL63, LABEL63, false },
        { NAME253, NAME253, false },
        { NAME253 ".", NAME253, false },
        { "192.0.2.7", "192.0.2.7", true },
        { "10.0.0.0", "10.0.0.0", true },
        { "128.0.0.1", "128.0.0.1", true },
        { "255.255.255.254", "255.255.255.254", true },
        { "2001:DB8:0:0:0:0:0:1", "2001:db8::1", true },
        { "2001:db8::192.0.2.1", "2001:db8::c000:201", true },
        { "::ffff:192.0.2.7", "192.0.2.7", true },
        { "::FFFF:c000:0207", "192.0.2.7", true },
        { "fd00::7", "fd00::7", true },
};

static const struct {
        const char *text, *says;        /* a piece of the message */
} bad[] = {
        { "", "empty" },
        { ".", "no host name" },
        { "..", "no host name" },
        { "a..b", "no host name" },
        { ".a", "no host name" },
        { "a..", "no host name" },
        { "-a", "no host name" },
        { "-oProxyCommand=x", "no host name" },
        { "a-", "no host name" },
        { "a.-b", "no host name" },
        { "a.b-.c", "no host name" },
        { "a_b", "no host name" },
        { "a b", "no host name" },
        { " a", "no host name" },
        { "a\n", "no host name" },
        { "a\nb", "no host name" },
        { "a,b", "no host name" },
        { "a$b", "no host name" },
        { "b\303\274cher.example", "no host name" },
        { LABEL63 "4", "no host name" },
        { "x" NAME253, "longer than 253" },
        { NAME253 "c", "longer than 253" },

        { "qemu+tls://b/system", "never a URI" },
        { "qemu+ext://h/system?command=P", "never a URI" },
        { "b/system", "never a URI" },
        { "/etc/shadow", "never a URI" },
        { "user@b", "never a URI" },
        { "b?x=y", "never a URI" },
        { "b#x", "never a URI" },
        { "b%20c", "never a URI" },
        { "fe80::1%eth0", "never a URI" },
        { "b\\c", "never a URI" },
        { "[2001:db8::1]", "in brackets" },
        { "[::1]:22", "in brackets" },
        { "b:22", "port" },
        { "2001:db8::1::2", "no IPv6 address" },
        { "2001:db8", "no IPv6 address" },
        { ":", "no IPv6 address" },

        { "127.1", "whole IPv4" },
        { "1.2.3", "whole IPv4" },
        { "0x7f000001", "whole IPv4" },
        { "0X7F000001", "whole IPv4" },
        { "0x7f.1", "whole IPv4" },
        { "127.0x1", "whole IPv4" },
        { "0x", "whole IPv4" },
        { "2130706433", "whole IPv4" },
        { "017700000001", "whole IPv4" },
        { "192.0.2.07", "whole IPv4" },
        { "192.0.2.256", "whole IPv4" },
        { "192.0.2.7.", "whole IPv4" },
        { "127.0.0.1.", "whole IPv4" },
        { "192.0.2.7.8", "whole IPv4" },
        { "a.1", "whole IPv4" },
        { "0", "whole IPv4" },

        { "localhost", "this host itself" },
        { "LOCALHOST.", "this host itself" },
        { "x.localhost", "this host itself" },
        { "x.y.LocalHost.", "this host itself" },
        { "ip6-localhost", "this host itself" },
        { "ip6-loopback", "this host itself" },
        { "localhost.localdomain", "this host itself" },
        { "127.0.0.1", "loopback" },
        { "127.255.255.255", "loopback" },
        { "::1", "loopback" },
        { "0:0::1", "loopback" },
        { "::ffff:127.0.0.1", "loopback" },
        { "::ffff:7f00:1", "loopback" },
        { "::127.0.0.1", "loopback" },
        { "0.0.0.0", "unspecified" },
        { "0.0.0.1", "unspecified" },
        { "::", "unspecified" },
        { "::ffff:0.0.0.0", "unspecified" },
        { "224.0.0.1", "multicast" },
        { "239.255.255.255", "multicast" },
        { "ff02::1", "multicast" },
        { "::ffff:224.0.0.1", "multicast" },
        { "255.255.255.255", "broadcast" },
        { "::ffff:255.255.255.255", "broadcast" },
};

static void test_good(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
                g_autoptr(GError) error = NULL;
                g_autofree char *canonical = NULL, *again = NULL;
                bool is_address = !good[i].is_address;

                canonical = vsm_host_parse(good[i].text, &is_address, &error);
                g_assert_no_error(error);
                g_assert_cmpstr(canonical, ==, good[i].canonical);
                g_assert_cmpint(is_address, ==, good[i].is_address);

                /* a canonical text is its own canonical text */
                again = vsm_host_parse(canonical, NULL, &error);
                g_assert_no_error(error);
                g_assert_cmpstr(again, ==, canonical);
        }
}

static void test_bad(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_autoptr(GError) error = NULL;
                g_autofree char *canonical = NULL;
                bool is_address = false;

                canonical = vsm_host_parse(bad[i].text, &is_address, &error);
                if (canonical)
                        g_error("\"%s\" was taken as \"%s\"", bad[i].text, canonical);

                g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
                if (!strstr(error->message, bad[i].says))
                        g_error("\"%s\" got: %s", bad[i].text, error->message);

                g_assert_null(strchr(error->message, '\n'));
        }
}

/* Whatever is accepted is made of what is safe in a URI, and is no number to a resolver. */
static void test_random(void) {
        static const char alphabet[] = "a0.-:1x7f[]%/@ Z\n";
        unsigned taken = 0;

        for (unsigned n = 0; n < 300000; n++) {
                char text[12] = "";
                int length = g_test_rand_int_range(0, sizeof(text));
                g_autofree char *canonical = NULL;
                bool is_address = false;

                for (int i = 0; i < length; i++)
                        text[i] = alphabet[g_test_rand_int_range(0, sizeof(alphabet) - 1)];

                canonical = vsm_host_parse(text, &is_address, NULL);
                if (!canonical)
                        continue;

                taken++;
                g_assert_cmpuint(strspn(canonical, "abcdefghijklmnopqrstuvwxyz0123456789.:-"), ==,
                                 strlen(canonical));
                g_assert_true(canonical[0] != '-' && canonical[0] != '.');
                g_assert_true(is_address || !strchr(canonical, ':'));
                g_assert_cmpint(is_address, ==, g_hostname_is_ip_address(canonical));
        }

        g_assert_cmpuint(taken, >, 1000);
}

static void test_message_is_cut(void) {
        g_autofree char *text = g_strnfill(5000, '\n');
        g_autoptr(GError) error = NULL;

        g_assert_null(vsm_host_parse(text, NULL, &error));
        g_assert_cmpuint(strlen(error->message), <, 300);
}

static void test_address(void) {
        static const char *const none[] = {
                "", "b", "127.1", "1.2.3.4.", "01.2.3.4", "[::1]", "::1%lo", "1.2.3.4/8", " 1.2.3.4", "::g",
                NULL
        };
        g_autofree char *loopback = vsm_address_parse("127.0.0.1"), *six = vsm_address_parse("0:0:0::1");
        g_autofree char *mapped = vsm_address_parse("::ffff:127.0.0.1");

        /* unlike hosts, addresses may be any */
        g_assert_cmpstr(loopback, ==, "127.0.0.1");
        g_assert_cmpstr(six, ==, "::1");
        g_assert_cmpstr(mapped, ==, "127.0.0.1");

        for (size_t i = 0; none[i]; i++)
                g_assert_null(vsm_address_parse(none[i]));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_assert_cmpuint(strlen(NAME253), ==, 253);
        g_test_add_func("/host-name/good", test_good);
        g_test_add_func("/host-name/bad", test_bad);
        g_test_add_func("/host-name/random", test_random);
        g_test_add_func("/host-name/message-is-cut", test_message_is_cut);
        g_test_add_func("/host-name/address", test_address);

        return g_test_run();
}
