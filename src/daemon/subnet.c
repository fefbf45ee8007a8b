/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Addresses against subnets: bits and their order, nothing else. Pure; any thread. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "daemon/key.h"
#include "daemon/subnet.h"
#include "shared/error.h"

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

unsigned vsm_inet_bits(int family) {
        return family == AF_INET ? 32 : 128;
}

/* As it is written: ::ffff:10.0.0.1 stays IPv6. */
static bool parse_literally(const char *text, VsmInet *ret) {
        VsmInet inet = {};

        if (inet_pton(AF_INET, text, inet.bytes) == 1)
                inet.family = AF_INET;
        else if (inet_pton(AF_INET6, text, inet.bytes) == 1)
                inet.family = AF_INET6;
        else
                return false;

        *ret = inet;
        return true;
}

static bool is_mapped(const VsmInet *inet) {
        return inet->family == AF_INET6 && memcmp(inet->bytes, mapped, sizeof mapped) == 0;
}

bool vsm_inet_parse(const char *text, VsmInet *ret) {
        VsmInet inet;

        if (!parse_literally(text, &inet))
                return false;

        /* ::ffff:127.0.0.1 is as much this host as 127.0.0.1 */
        if (is_mapped(&inet)) {
                inet.family = AF_INET;
                memmove(inet.bytes, inet.bytes + 12, 4);
                memset(inet.bytes + 4, 0, 12);
        }

        *ret = inet;
        return true;
}

bool vsm_inet_equal(const VsmInet *a, const VsmInet *b) {
        return vsm_inet_compare(a, b) == 0;
}

int vsm_inet_compare(const VsmInet *a, const VsmInet *b) {
        if (a->family != b->family)
                return a->family == AF_INET ? -1 : 1;

        return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

static char* to_text(int family, const unsigned char *bytes) {
        char text[INET6_ADDRSTRLEN] = "";

        return g_strdup(inet_ntop(family, bytes, text, sizeof text));
}

char* vsm_inet_to_text(const VsmInet *inet) {
        return to_text(inet->family, inet->bytes);
}

/* ---- subnets ---- */

/* Clears what is beyond the prefix; true when something was there. */
static bool clear_host_bits(VsmSubnet *subnet) {
        unsigned size = vsm_inet_bits(subnet->family) / 8;
        bool any = false;

        for (unsigned i = 0; i < size; i++) {
                unsigned kept = CLAMP((int) subnet->prefix - (int) i * 8, 0, 8);
                unsigned char mask = (unsigned char) (0xff00 >> kept);

                any = any || (subnet->bytes[i] & ~mask & 0xff) != 0;
                subnet->bytes[i] &= mask;
        }

        return any;
}

static bool G_GNUC_PRINTF(2, 3) refuse(GError **error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        g_propagate_error(error, g_error_new_valist(VSM_ERROR, VSM_ERROR_INVALID_PARAMETER, format, ap));
        va_end(ap);

        return false;
}

bool vsm_subnet_parse(const char *number, unsigned prefix, VsmSubnet *ret, GError **error) {
        VsmSubnet subnet = {};
        VsmInet inet;

        if (!parse_literally(number, &inet)) {
                g_autofree char *quoted = vsm_text_quote(number);

                return refuse(error, "SubnetNumber is \"%s\" and must be the address of a network, IPv4 or "
                              "IPv6, without a prefix length.", quoted);
        }

        if (is_mapped(&inet))
                return refuse(error, "SubnetNumber is an IPv4 address in the form of IPv6; write it as "
                              "IPv4.");

        if (prefix > vsm_inet_bits(inet.family))
                return refuse(error, "PrefixLength is %u and must be from 0 to %u for %s.", prefix,
                              vsm_inet_bits(inet.family), inet.family == AF_INET ? "IPv4" : "IPv6");

        subnet.family = inet.family;
        subnet.prefix = (unsigned char) prefix;
        memcpy(subnet.bytes, inet.bytes, sizeof subnet.bytes);
        if (clear_host_bits(&subnet)) {
                g_autofree char *right = to_text(subnet.family, subnet.bytes);

                return refuse(error, "SubnetNumber %s is an address inside a network of PrefixLength %u; the "
                              "network is %s.", number, prefix, right);
        }

        *ret = subnet;
        return true;
}

char* vsm_subnet_to_text(const VsmSubnet *subnet) {
        g_autofree char *number = to_text(subnet->family, subnet->bytes);

        return g_strdup_printf("%s/%u", number, subnet->prefix);
}

bool vsm_subnet_equal(const VsmSubnet *a, const VsmSubnet *b) {
        return a->family == b->family && a->prefix == b->prefix &&
                memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool vsm_subnet_contains(const VsmSubnet *subnet, const VsmInet *inet) {
        unsigned whole = subnet->prefix / 8, rest = subnet->prefix % 8;
        unsigned char mask = (unsigned char) (0xff00 >> rest);

        if (subnet->family != inet->family || subnet->prefix > vsm_inet_bits(subnet->family))
                return false;

        if (memcmp(subnet->bytes, inet->bytes, whole) != 0)
                return false;

        return rest == 0 || ((subnet->bytes[whole] ^ inet->bytes[whole]) & mask) == 0;
}

const VsmSubnet* vsm_subnets_find(const VsmSubnet *subnets, size_t n, const VsmInet *inet) {
        const VsmSubnet *best = NULL;
        bool real = false;

        /* of IPv4 or IPv6: one real subnet takes both of all networks away */
        for (size_t i = 0; i < n; i++)
                real = real || subnets[i].prefix > 0;

        for (size_t i = 0; i < n; i++) {
                const VsmSubnet *subnet = subnets + i;

                if ((real && subnet->prefix == 0) || !vsm_subnet_contains(subnet, inet))
                        continue;

                if (!best || subnet->prefix > best->prefix ||
                    (subnet->prefix == best->prefix && subnet->metric < best->metric))
                        best = subnet;
        }

        return best;
}

int vsm_subnet_compare(const VsmSubnet *a, const VsmInet *x, const VsmSubnet *b, const VsmInet *y) {
        if (a->metric != b->metric)
                return a->metric < b->metric ? -1 : 1;

        if (a->prefix != b->prefix)
                return a->prefix > b->prefix ? -1 : 1;

        return vsm_inet_compare(x, y);
}
