/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "daemon/virt/virt.h"

/* Finding an address of another host that answers, before libvirt is let loose on it: libvirt's own
 * connect cannot be cancelled and sits 133 s before a host that is silent. Any thread but the bus
 * thread. Deadlines are points of g_get_monotonic_time(). */

/* Numeric addresses of a name, in the resolver's order; an address gives itself. */
char** vsm_dial_resolve(const char *host, int64_t deadline, VsmCancel *cancel, GError **error);

/* The first address, in order, at which something accepts connections. */
char* vsm_dial_connect(char **addresses, uint16_t port, int64_t deadline, VsmCancel *cancel, GError **error);

/* The same over routes (VsmRoute), each from the address that it names. */
char* vsm_dial_routes(GPtrArray *routes, uint16_t port, int64_t deadline, VsmCancel *cancel, GError **error);

/* All of it: look-up, choice (route.h), connect. avoid: addresses not to be tried (may be NULL). */
char* vsm_dial(
                const VsmDestination *destination,
                char **avoid,
                int64_t deadline,
                VsmCancel *cancel,
                GError **error);
