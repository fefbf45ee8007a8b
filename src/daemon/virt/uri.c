/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* URIs for libvirt, from a destination that was checked and an address that answered. Checked here
 * once more, since a character too many in such a URI is a root shell on this host. Any thread. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "daemon/virt/uri.h"
#include "shared/enums.h"
#include "shared/error.h"

#define HOST_MAX 253    /* bytes; DNS has no longer name */

static const struct {
        uint32_t authentication;
        const char *scheme;
        uint16_t port;
        bool by_name;           /* the peer proves that it is the host of that name */
} schemes[] = {
        { VSM_AUTHENTICATION_X509, "qemu+tls", 16514, true  },
        { VSM_AUTHENTICATION_SSH,  "qemu+ssh", 22,    true  },
        { VSM_AUTHENTICATION_NONE, "qemu+tcp", 16509, false },
};

static int find_scheme(uint32_t authentication) {
        for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++)
                if (schemes[i].authentication == authentication)
                        return (int) i;

        return -1;
}

bool vsm_uri_is_address(const char *text) {
        unsigned char bytes[sizeof(struct in6_addr)];

        if (!text)
                return false;

        return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* Labels of letters, digits and hyphens, none empty, none with a hyphen at an end. */
static bool is_name(const char *text) {
        size_t n = strlen(text);

        if (n == 0 || n > HOST_MAX)
                return false;

        for (size_t i = 0; i < n; i++) {
                bool first = i == 0 || text[i - 1] == '.', last = i + 1 == n || text[i + 1] == '.';

                if (!g_ascii_isalnum(text[i]) && (first || last || (text[i] != '-' && text[i] != '.')))
                        return false;
        }

        return true;
}

static bool check_host(const char *host, GError **error) {
        g_autofree char *shown = NULL;

        if (host && (vsm_uri_is_address(host) || is_name(host)))
                return true;

        shown = g_strescape(host ?: "", NULL);
        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                    "'%.200s' is neither a host name nor an IP address", shown);
        return false;
}

uint16_t vsm_uri_control_port(const VsmDestination *destination) {
        int i = find_scheme(destination->authentication);

        if (destination->port != 0)
                return destination->port;

        return i < 0 ? 0 : schemes[i].port;
}

char* vsm_uri_control(const VsmDestination *destination, const char *address, GError **error) {
        int i = find_scheme(destination->authentication);
        const char *host;

        if (i < 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_NOT_SUPPORTED,
                            "AuthenticationType %u is not supported: use X.509, SSH or none",
                            destination->authentication);
                return NULL;
        }

        if (!check_host(destination->host, error))
                return NULL;

        host = schemes[i].by_name || !address ? destination->host : address;
        if (!check_host(host, error))
                return NULL;

        return g_uri_join(G_URI_FLAGS_NONE, schemes[i].scheme, NULL, host,
                          destination->port != 0 ? destination->port : -1, "/system", NULL, NULL);
}

bool vsm_uri_is_no_connection(const char *message, const char *address) {
        static const char *const forms[] = { "unable to connect to server at '%s:",
                                             "unable to connect to server at '[%s]:" };

        for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
                g_auto(GStrv) parts = g_strsplit(forms[i], "%s", 2);
                g_autofree char *text = g_strconcat(parts[0], address, parts[1], NULL);

                if (strstr(message, text))
                        return true;
        }

        return false;
}

char* vsm_uri_migration(const char *address, GError **error) {
        if (!vsm_uri_is_address(address)) {
                g_autofree char *shown = g_strescape(address ?: "", NULL);

                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                            "'%.200s' is not an IP address that a system could be sent to", shown);
                return NULL;
        }

        return g_uri_join(G_URI_FLAGS_NONE, "tcp", NULL, address, -1, "", NULL, NULL);
}
