/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager.h"

/* The migration networks: subnets on which this host takes and sends migrations
 * (Msvm_VirtualSystemMigrationNetworkSettingData). This version has the two that a fresh service has.
 * Bus thread only. */

int vsm_network_register(VsmManager *manager);

/* MigrationServiceListenerIPAddressList; to be freed. */
char** vsm_network_listener_list(VsmManager *manager);

/* libvirt's own networks came or went: their bridges are asked for anew. */
void vsm_network_bridges_changed(VsmManager *manager);
