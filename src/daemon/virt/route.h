/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "daemon/virt/virt.h"

/* Which addresses of another host a migration may take, and from where. Pure: any thread. */

typedef struct VsmRoute {
        char *address;                  /* of the destination */
        char *source;                   /* of this host, to connect from; NULL = the kernel chooses */
        char *unusable;                 /* why it is not to be tried; NULL = it is */
} VsmRoute;

void vsm_route_free(VsmRoute *route);

/* Does the choice need what the host's name resolves to? */
bool vsm_route_needs_lookup(const VsmDestination *destination);

/* As VsmRoute, best first: the addresses that are wanted, or else those of the host in the migration
 * subnets, in the order of the contract, from an address in the same subnet. resolved: what the name
 * resolves to (may be NULL). avoid: not these (may be NULL). Refuses loopback and this host's own
 * addresses, and with TCP those that are wanted without being the host's. NULL with error when there
 * is none. */
GPtrArray* vsm_route_choose(const VsmDestination *destination, char **resolved, char **avoid, GError **error);
