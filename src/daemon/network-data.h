/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/subnet.h"

/* One migration network as data (contract, section 5, NetworkSettingData): from a caller's dict, and
 * to and from the text that is kept. Pure; any thread. */

#define VSM_NETWORKS_MAX 1024
#define VSM_NETWORK_METRIC_DEFAULT 1000

typedef struct VsmNetworkData {
        VsmSubnet subnet;
        char **tags;                    /* never NULL */
} VsmNetworkData;

void vsm_network_data_clear(VsmNetworkData *data);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VsmNetworkData, vsm_network_data_clear)
void vsm_network_data_copy(const VsmNetworkData *data, VsmNetworkData *ret);

/* The two of a fresh service: 1 is IPv4's, 2 IPv6's. */
void vsm_network_data_default(unsigned number, VsmNetworkData *ret);

/* aa{sv} of AddNetworkSettings: a new aa{sv} in canonical types, its keys checked one by one. */
GVariant* vsm_network_list_read_new(GVariant *list, GError **error);

/* The same of ModifyNetworkSettings, each with its InstanceID. */
GVariant* vsm_network_list_read_changes(GVariant *list, GError **error);

/* What a dict of such a list says, over what *data is already. where: "NetworkSettings[3]". */
bool vsm_network_data_apply(VsmNetworkData *data, const char *where, GVariant *dict, GError **error);

char* vsm_network_data_to_text(const VsmNetworkData *data);
bool vsm_network_data_from_text(const char *text, VsmNetworkData *ret, GError **error);

/* InstanceID, and back: 0 = it is none of ours. */
char* vsm_network_id(uint64_t number);
uint64_t vsm_network_id_parse(const char *id);
