/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A migration subnet from a command line, as the dictionary that the contract wants. Pure. */

#include "client/common.h"

/* As the options left them; NULL is not given. */
typedef struct VsmNetworkArguments {
        char *subnet;                   /* "192.168.1.0/24", "2001:db8::/64" */
        char *metric;
        char **tags;
} VsmNetworkArguments;

void vsm_network_arguments_done(VsmNetworkArguments *arguments);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VsmNetworkArguments, vsm_network_arguments_done)

/* a{sv} for AddNetworkSettings, with what was given; not floating. */
GVariant* vsm_network_build(const VsmNetworkArguments *arguments, GError **error);

/* a{sv} for ModifyNetworkSettings: the network as it is (its properties) with what was given in its place. */
GVariant* vsm_network_change(const VsmNetworkArguments *arguments, JsonObject *network, GError **error);

/* The object path for the number of a network, or for its path. */
char* vsm_network_path(const char *network, GError **error);
