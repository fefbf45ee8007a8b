/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* IP addresses and the migration subnets that they are in: which metric an address has, and which
 * comes first (contract, section 3, MigrationServiceListenerIPAddressList). Pure; any thread. */

typedef struct VsmInet {
        int family;                     /* AF_INET, AF_INET6 */
        unsigned char bytes[16];        /* IPv4: the first four, the rest 0 */
} VsmInet;

/* Any text of an address without zone or brackets; one of IPv4 in IPv6's form becomes IPv4. */
bool vsm_inet_parse(const char *text, VsmInet *ret);
bool vsm_inet_equal(const VsmInet *a, const VsmInet *b);

/* IPv4 first, then by the number. */
int vsm_inet_compare(const VsmInet *a, const VsmInet *b);
char* vsm_inet_to_text(const VsmInet *inet);

/* Bits of an address of that family. */
unsigned vsm_inet_bits(int family);

/* A migration subnet; also, with host bits set, an address of this host and the prefix of its link. */
typedef struct VsmSubnet {
        int family;
        unsigned char bytes[16];
        unsigned char prefix;           /* 0: all networks, which counts only while there is no other */
        uint32_t metric;                /* lower is better */
} VsmSubnet;

/* From SubnetNumber and PrefixLength. VSM_ERROR_INVALID_PARAMETER says what would be right. */
bool vsm_subnet_parse(const char *number, unsigned prefix, VsmSubnet *ret, GError **error);

/* "10.78.0.0/24" */
char* vsm_subnet_to_text(const VsmSubnet *subnet);

/* The same range of addresses, whatever the metric. */
bool vsm_subnet_equal(const VsmSubnet *a, const VsmSubnet *b);
bool vsm_subnet_contains(const VsmSubnet *subnet, const VsmInet *inet);

/* The subnet whose metric an address takes: the longest that it is in; of two of one length the one
 * with the lower metric. Those of prefix 0 only where there are no others at all. NULL = in none. */
const VsmSubnet* vsm_subnets_find(const VsmSubnet *subnets, size_t n, const VsmInet *inet);

/* Which address is preferred, each with the subnet found for it: the lower metric, then the longer
 * prefix, then the address. */
int vsm_subnet_compare(const VsmSubnet *a, const VsmInet *x, const VsmSubnet *b, const VsmInet *y);
