/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/network-data.h"
#include "daemon/network.h"

/* What network.c and network-modify.c share. Bus thread only. */

typedef struct VsmNetwork {
        uint64_t number;
        char *path;
        VsmNetworkData data;
} VsmNetwork;

struct VsmNetworks {
        GPtrArray *all;                 /* VsmNetwork, in the order of their numbers */
        GArray *subnets;                /* of all; replaced, never changed */
        bool kept;                      /* the store has them: it is not a fresh service */

        /* One change at a time: the next one is held against what the last one left. */
        bool changing;
        GQueue waiting;                 /* Change, network-modify.c */
};

/* The key in the store that says that the networks there, none maybe, are all there are. */
#define VSM_NETWORKS_KEPT "kept"

VsmNetwork* vsm_network_new(uint64_t number, const VsmNetworkData *data);
void vsm_network_free(VsmNetwork *network);

VsmNetwork* vsm_network_find(VsmNetworks *networks, uint64_t number);

/* NULL when the path is no network's. */
VsmNetwork* vsm_network_find_path(VsmNetworks *networks, const char *path);

/* The list is another: the subnets and what follows from them. */
void vsm_networks_changed(VsmManager *manager);

void vsm_network_changes_free(VsmNetworks *networks);
