/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager.h"

/* The migration networks: subnets on which this host takes and sends migrations
 * (Msvm_VirtualSystemMigrationNetworkSettingData). Bus thread only.
 *
 *      network.c         the objects, and what follows from all of them together
 *      network-modify.c  Add-, Modify- and RemoveNetworkSettings
 *      network-data.c    the keys of one (pure) */

/* At start: those that the store has, or those of a fresh service. NULL with error. */
VsmNetworks* vsm_networks_new(VsmManager *manager, GError **error);
void vsm_networks_free(VsmNetworks *networks);
int vsm_network_register(VsmManager *manager);

/* MigrationServiceListenerIPAddressList; to be freed. */
char** vsm_network_listener_list(VsmManager *manager);

/* For who dials, each a reference to what does not change any more: the subnets, and this host's
 * addresses to send from. Arrays of VsmSubnet. */
GArray* vsm_network_subnets(VsmManager *manager);
GArray* vsm_network_sources(VsmManager *manager);

/* libvirt's own networks came or went: their bridges are asked for anew. */
void vsm_network_bridges_changed(VsmManager *manager);
