/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The grammar of a destination: a whitelist, because URIs are made of it that libvirtd opens as root.
 * What is text to us must not be an address to somebody's resolver. Pure. Any thread. */

#include <arpa/inet.h>
#include <string.h>

#include "daemon/key.h"
#include "daemon/request.h"
#include "shared/error.h"

#define NAME_MAX_LENGTH 253
#define LABEL_MAX_LENGTH 63

/* Canonical text, and the same address as 16 bytes (IPv4 as ::ffff:a.b.c.d). inet_pton() takes
 * neither leading zeros nor fewer than four numbers, zones or brackets. */
static char* address_parse(const char *text, struct in6_addr *ret) {
        char buffer[INET6_ADDRSTRLEN] = "";
        struct in_addr in4 = {};
        struct in6_addr in6 = {};

        if (inet_pton(AF_INET6, text, &in6) == 1) {
                /* a mapped address is dialled as IPv4: one host must not have two canonical texts */
                if (IN6_IS_ADDR_V4MAPPED(&in6))
                        (void) inet_ntop(AF_INET, &in6.s6_addr[12], buffer, sizeof(buffer));
                else
                        (void) inet_ntop(AF_INET6, &in6, buffer, sizeof(buffer));
        } else if (inet_pton(AF_INET, text, &in4) == 1) {
                in6.s6_addr[10] = in6.s6_addr[11] = 0xff;
                memcpy(&in6.s6_addr[12], &in4, sizeof(in4));
                (void) inet_ntop(AF_INET, &in4, buffer, sizeof(buffer));
        } else
                return NULL;

        *ret = in6;
        return g_strdup(buffer);
}

/* What such an address is, when it can be no other host; NULL when it can. */
static const char* address_refuse(const struct in6_addr *in6) {
        const uint8_t *b = in6->s6_addr;

        if (IN6_IS_ADDR_UNSPECIFIED(in6))
                return "the unspecified address";
        if (IN6_IS_ADDR_LOOPBACK(in6))
                return "a loopback address";
        if (IN6_IS_ADDR_MULTICAST(in6))
                return "a multicast address";
        if (!IN6_IS_ADDR_V4MAPPED(in6) && !IN6_IS_ADDR_V4COMPAT(in6))
                return NULL;

        if (b[12] == 127)
                return "a loopback address";
        if (b[12] == 0)
                return "the unspecified address";
        if (b[12] >= 224 && b[12] < 240)
                return "a multicast address";
        if (b[12] == 255 && b[13] == 255 && b[14] == 255 && b[15] == 255)
                return "the broadcast address";

        return NULL;
}

char* vsm_address_parse(const char *text) {
        struct in6_addr in6;

        return address_parse(text, &in6);
}

/* Resolvers read some texts as IPv4 numbers ("127.1", "0x7f000001", "2130706433"): a name whose last
 * label is a number is one of them or will be somewhere. */
static bool label_is_number(const char *label) {
        if (g_ascii_strncasecmp(label, "0x", 2) == 0)
                return strspn(label + 2, "0123456789abcdefABCDEF") == strlen(label + 2);

        return strspn(label, "0123456789") == strlen(label);
}

static bool label_is_valid(const char *label) {
        size_t length = strlen(label);

        if (length == 0 || length > LABEL_MAX_LENGTH)
                return false;

        if (label[0] == '-' || label[length - 1] == '-')
                return false;

        for (const char *p = label; *p; p++)
                if (!g_ascii_isalnum(*p) && *p != '-')
                        return false;

        return true;
}

/* The names that hosts files and resolvers give the loopback. */
static bool name_is_loopback(const char *name) {
        static const char *const names[] = {
                "localhost", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback",
                "localhost.localdomain", "localhost4.localdomain4", "localhost6.localdomain6",
                NULL
        };

        return g_strv_contains(names, name) || g_str_has_suffix(name, ".localhost");
}

/* Why a lower-case text without final dot is no name that can be a destination; NULL when it is. */
static const char* name_refuse(const char *name) {
        g_auto(GStrv) labels = NULL;
        size_t n = 0;

        if (strlen(name) > NAME_MAX_LENGTH)
                return "is longer than 253 bytes";

        labels = g_strsplit(name, ".", -1);

        /* of "" (it was "." before) GLib makes no labels, rather than one that is empty */
        while (labels[n] && label_is_valid(labels[n]))
                n++;

        if (n == 0 || labels[n])
                return "is no host name: that is labels of at most 63 letters, digits and inner hyphens "
                       "with dots between, or an IPv4 or IPv6 address";

        if (label_is_number(labels[n - 1]))
                return "is neither a host name nor a whole IPv4 address without leading zeros";

        if (name_is_loopback(name))
                return "is a name of this host itself; a destination is another host";

        return NULL;
}

/* Mistakes that deserve a word of their own; NULL when it is none of them. */
static const char* shape_refuse(const char *text) {
        if (text[0] == '\0')
                return "is empty; a host name or an IPv4 or IPv6 address is wanted";

        if (text[0] == '[')
                return "is in brackets; an IPv6 address is written without them, and without a port";

        if (strpbrk(text, "/@?%#\\"))
                return "is no host; a host name or an IPv4 or IPv6 address is wanted, never a URI, "
                       "a user, a path or a zone";

        if (strchr(text, ':'))
                return "is no IPv6 address, and a port is not part of a host name";

        return NULL;
}

char* vsm_host_parse(const char *text, bool *ret_is_address, GError **error) {
        g_autofree char *canonical = NULL;
        const char *refusal = NULL;
        struct in6_addr in6;
        bool is_address = false;

        canonical = address_parse(text, &in6);
        if (canonical) {
                is_address = true;
                refusal = address_refuse(&in6);
                if (refusal) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                                    "\"%s\" is %s; a destination is another host.", canonical, refusal);
                        return NULL;
                }
        } else {
                refusal = shape_refuse(text);
                if (!refusal) {
                        canonical = g_ascii_strdown(text, -1);
                        if (g_str_has_suffix(canonical, "."))
                                canonical[strlen(canonical) - 1] = '\0';

                        refusal = name_refuse(canonical);
                }
        }

        if (refusal) {
                g_autofree char *quoted = vsm_text_quote(text);

                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER, "\"%s\" %s.", quoted, refusal);
                return NULL;
        }

        if (ret_is_address)
                *ret_is_address = is_address;

        return g_steal_pointer(&canonical);
}
