/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The service's migration subnets: reading and changing them. */

#include "client/common.h"
#include "client/network-arg.h"

/* All of them by number, as vsm_objects_select() gives them. */
GPtrArray* vsm_networks_get(VsmClient *client, GError **error);

/* The one with these (borrowed), NULL when there is none. */
JsonObject* vsm_networks_find(GPtrArray *networks, const char *subnet, uint64_t length);

/* These wait for the job, if it is one, and return the exit status. What went wrong has been said. */
int vsm_networks_add(VsmClient *client, GVariant *network);
int vsm_networks_modify(VsmClient *client, GVariant *network);
int vsm_networks_remove(VsmClient *client, const char *const *paths);

void vsm_networks_print(VsmClient *client, GPtrArray *networks);
