/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/host-file.h"
#include "daemon/manager.h"

/* Known destinations: from hosts.d, or added over the bus and kept in the store. Bus thread only.
 *
 *      host.c         the objects, and finding the one that a destination means
 *      host-file.c    the keys of one, and hosts.d (pure)
 *      host-modify.c  AddHost, RemoveHost
 *      host-watch.c   whether it answers, and how much memory it has left */

typedef struct VsmHost VsmHost;

/* At start. directory: hosts.d. NULL with error when the store cannot be read. */
VsmHosts* vsm_hosts_new(VsmManager *manager, const char *directory, GError **error);
void vsm_hosts_free(VsmHosts *hosts);
int vsm_host_register(VsmManager *manager);

/* hosts.d is read again. */
void vsm_hosts_reload(VsmManager *manager);

/* The service's AuthenticationType changed, which is that of hosts that name none. */
void vsm_hosts_settings_changed(VsmManager *manager);

/* The one that a canonical name or address means, by its Name or one of its Addresses; NULL = none. */
VsmHost* vsm_host_match(VsmManager *manager, const char *destination);

/* NULL when the path is no Host's. */
VsmHost* vsm_host_find_path(VsmManager *manager, const char *path);

/* VsmHost, borrowed. */
GPtrArray* vsm_hosts_all(VsmManager *manager);

const VsmHostData* vsm_host_data(const VsmHost *host);

/* VSM_AUTHENTICATION_*: its own, else the service's. */
uint32_t vsm_host_authentication(VsmManager *manager, const VsmHost *host);

/* Something was just done with that destination: if it is a Host, it is looked at again. */
void vsm_host_refresh(VsmManager *manager, const char *destination);
