/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "daemon/subnet.h"

/* This host's own IP addresses, kept current through rtnetlink. Bus thread. */

typedef struct VsmAddresses VsmAddresses;

typedef struct VsmAddress {
        int family;                     /* AF_INET, AF_INET6 */
        unsigned char bytes[16];
        unsigned char prefix;           /* of its link */
        unsigned ifindex;
        char ifname[16];
        char *text;                     /* canonical */
        bool listable;                  /* false: loopback, link-local, tentative, deprecated, temporary */
} VsmAddress;

typedef void (*VsmAddressesFunc)(void *userdata);

/* Reads the present addresses (a kernel dump: does not wait) and follows changes; func is called
 * after each burst that changed something. */
VsmAddresses* vsm_addresses_new(sd_event *event, VsmAddressesFunc func, void *userdata, GError **error);
void vsm_addresses_free(VsmAddresses *addresses);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmAddresses, vsm_addresses_free)

/* Every address of this host, loopback and link-local included, as VsmAddress; borrowed, valid until
 * the next change. */
GPtrArray* vsm_addresses_all(VsmAddresses *addresses);

/* Texts of all, NULL-terminated, to be freed: what is never a destination. */
char** vsm_addresses_own(VsmAddresses *addresses);

/* Pure. MigrationServiceListenerIPAddressList (contract, section 3): addresses inside the subnets,
 * each with the metric of its longest matching one; by metric, then longer prefix, then address.
 * bridges: names of libvirt's own bridges, whose addresses are never listed (may be NULL). */
char** vsm_addresses_list(const GPtrArray *all, const VsmSubnet *subnets, size_t n_subnets, char **bridges);

/* Pure. Of the same addresses those to send from: each with the prefix of its link, no metric. An
 * array of VsmSubnet. */
GArray* vsm_addresses_sources(const GPtrArray *all, char **bridges);
