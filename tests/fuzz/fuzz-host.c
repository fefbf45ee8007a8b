/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The grammar of a destination. Whatever is accepted is a canonical name or address, and in a URI made
 * of it both libxml2 (libvirt's parser) and GLib find exactly that host and nothing else: a character
 * that moves the border of the host is a command that libvirtd runs as root. */

#include <arpa/inet.h>
#include <libxml/uri.h>
#include <netinet/in.h>

#include "daemon/request.h"
#include "daemon/virt/uri.h"
#include "fuzz.h"
#include "shared/enums.h"

static void check_libxml(const char *uri, const char *scheme, const char *host, int port, const char *path) {
        xmlURIPtr parsed = xmlParseURI(uri);
        g_autofree char *bare = NULL;

        g_assert_nonnull(parsed);
        g_assert_cmpstr(parsed->scheme, ==, scheme);
        g_assert_null(parsed->user);
        g_assert_null(parsed->query_raw);
        g_assert_null(parsed->fragment);
        g_assert_null(parsed->opaque);
        g_assert_cmpint(parsed->port, ==, port);
        g_assert_cmpstr(parsed->path ?: "", ==, path);

        /* libvirt takes the brackets off as well */
        g_assert_nonnull(parsed->server);
        bare = parsed->server[0] == '[' ? g_strndup(parsed->server + 1, strlen(parsed->server) - 2)
                                        : g_strdup(parsed->server);
        g_assert_cmpstr(bare, ==, host);
        xmlFreeURI(parsed);
}

static void check_glib(const char *uri, const char *scheme, const char *host, int port, const char *path) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GUri) parsed = g_uri_parse(uri, G_URI_FLAGS_HAS_PASSWORD, &error);

        g_assert_no_error(error);
        g_assert_cmpstr(g_uri_get_scheme(parsed), ==, scheme);
        g_assert_null(g_uri_get_userinfo(parsed));
        g_assert_cmpstr(g_uri_get_host(parsed), ==, host);
        g_assert_cmpint(g_uri_get_port(parsed), ==, port > 0 ? port : -1);
        g_assert_cmpstr(g_uri_get_path(parsed), ==, path);
        g_assert_null(g_uri_get_query(parsed));
        g_assert_null(g_uri_get_fragment(parsed));
}

/* uri.c is asked with what the caller wrote, too: it has to stand alone. */
static void check_control(const char *host, bool must_work) {
        static const struct {
                uint32_t authentication;
                const char *scheme;
        } schemes[] = {
                { VSM_AUTHENTICATION_X509, "qemu+tls" },
                { VSM_AUTHENTICATION_SSH,  "qemu+ssh" },
                { VSM_AUTHENTICATION_NONE, "qemu+tcp" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++)
                for (uint16_t port = 0; port <= 16600; port += 16600) {
                        VsmDestination destination = {
                                .host = (char *) host,
                                .authentication = schemes[i].authentication,
                                .port = port,
                        };
                        g_autoptr(GError) error = NULL;
                        g_autofree char *uri = vsm_uri_control(&destination, NULL, &error);

                        fuzz_check_outcome(uri, error);
                        g_assert_true(uri || !must_work);
                        if (!uri)
                                continue;

                        check_libxml(uri, schemes[i].scheme, host, port, "/system");
                        check_glib(uri, schemes[i].scheme, host, port, "/system");
                }
}

static void check_migration(const char *text, bool must_work) {
        g_autoptr(GError) error = NULL;
        g_autofree char *uri = vsm_uri_migration(text, &error);

        fuzz_check_outcome(uri, error);
        g_assert_true(!!uri == must_work);
        if (!uri)
                return;

        check_libxml(uri, "tcp", text, 0, "");
        check_glib(uri, "tcp", text, 0, "");
}

/* The C library reads back the same text. */
static bool is_canonical_address(const char *text) {
        unsigned char bytes[sizeof(struct in6_addr)];
        char back[INET6_ADDRSTRLEN];

        for (size_t i = 0; i < 2; i++) {
                int family = i == 0 ? AF_INET : AF_INET6;

                if (inet_pton(family, text, bytes) == 1)
                        return inet_ntop(family, bytes, back, sizeof(back)) && g_str_equal(back, text);
        }

        return false;
}

static void check_accepted(const char *canonical, bool is_address) {
        g_autoptr(GError) error = NULL;
        g_autofree char *again = NULL;
        bool again_is_address = !is_address;

        again = vsm_host_parse(canonical, &again_is_address, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(again, ==, canonical);
        g_assert_true(again_is_address == is_address);

        g_assert_cmpuint(strlen(canonical), <=, 253);
        g_assert_cmpuint(strspn(canonical, is_address ? "0123456789abcdef.:" : "0123456789abcdefghijklmnopqrstuvwxyz.-"),
                         ==, strlen(canonical));
        g_assert_true(is_canonical_address(canonical) == is_address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autofree char *text = fuzz_text(data, size), *canonical = NULL;
        g_autoptr(GError) error = NULL;
        bool is_address = false;

        canonical = vsm_host_parse(text, &is_address, &error);
        fuzz_check_outcome(canonical, error);

        if (canonical) {
                check_accepted(canonical, is_address);
                check_control(canonical, true);
                check_migration(canonical, is_address);
        } else
                g_assert_cmpint(error->code, ==, VSM_ERROR_INVALID_PARAMETER);

        check_control(text, false);
        check_migration(text, vsm_uri_is_address(text));
        return 0;
}
