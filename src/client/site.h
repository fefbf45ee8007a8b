/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which host a name means, seen from here, and how its service is reached. */

#include <stdbool.h>

#include "client/common.h"

/* "hostb" for "root@hostb", "2001:db8::1" for "root@[2001:db8::1]:22". Pure. */
char* vsm_site_host(const char *text);

/* As sd-bus wants it for ssh: an IPv6 address gets the brackets that tell it from a port. Pure. */
char* vsm_site_ssh_target(const char *text);

/* Whether name means the host that calls itself so; fqdn may be NULL. Upper and lower case and a dot at the end
 * do not count; a name without a domain is also the short form of one that has it. Pure. */
bool vsm_site_is_name_of(const char *name, const char *hostname, const char *fqdn);

/* Whether the name is one of this host's, or an address of its own, or resolves to one. */
bool vsm_site_is_here(const char *name);

/* Makes client, which is not connected, speak to the service of that host: directly if it is this one, else
 * through ssh. With -H the user has said how; then it has to be the same host. */
bool vsm_site_select(VsmClient *client, const char *host, GError **error);

/* A second client, for the service of another host than the first one's. To be ended with
 * vsm_client_done(). */
bool vsm_site_open_other(VsmClient *other, const VsmClient *client, const char *host, GError **error);
