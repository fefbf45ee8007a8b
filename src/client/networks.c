/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service's migration subnets: reading and changing them. */

#include <glib/gi18n.h>
#include <inttypes.h>

#include "client/agent.h"
#include "client/follow.h"
#include "client/message.h"
#include "client/networks.h"
#include "client/objects.h"
#include "client/pager.h"

GPtrArray* vsm_networks_get(VsmClient *client, GError **error) {
        g_autoptr(JsonObject) objects = vsm_client_get_objects(client, error);
        g_autoptr(GPtrArray) networks = NULL;

        if (!objects)
                return NULL;

        networks = vsm_objects_select(objects, VSM_INTERFACE_NETWORK);
        vsm_objects_sort_by_number(networks);
        return g_steal_pointer(&networks);
}

JsonObject* vsm_networks_find(GPtrArray *networks, const char *subnet, uint64_t length) {
        for (guint i = 0; i < networks->len; i++) {
                JsonObject *network = g_ptr_array_index(networks, i);

                if (g_ascii_strcasecmp(vsm_object_get_string(network, "SubnetNumber"), subnet) == 0 &&
                    vsm_object_get_uint(network, "PrefixLength") == length)
                        return network;
        }

        return NULL;
}

static int call(VsmClient *client, const char *member, GVariant *value) {
        g_autoptr(GVariant) own = g_variant_ref_sink(value);
        g_autoptr(sd_bus_message) reply = NULL;
        GError *error = NULL;

        if (!vsm_client_connect(client, &error))
                return vsm_client_fail(client, error);

        vsm_agent_open(client);
        reply = vsm_client_call_value(client, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE, member, own, &error);
        if (!reply)
                return vsm_client_fail(client, error);

        return vsm_follow_answer(client, reply);
}

int vsm_networks_add(VsmClient *client, GVariant *network) {
        return call(client, "AddNetworkSettings", g_variant_new_array(NULL, &network, 1));
}

int vsm_networks_modify(VsmClient *client, GVariant *network) {
        return call(client, "ModifyNetworkSettings", g_variant_new_array(NULL, &network, 1));
}

int vsm_networks_remove(VsmClient *client, const char *const *paths) {
        return call(client, "RemoveNetworkSettings", g_variant_new_objv(paths, -1));
}

void vsm_networks_print(VsmClient *client, GPtrArray *networks) {
        const char *const headings[] = {
                /* Translators: a '>' in front means: aligned to the right */
                _(">NUMBER"), _("SUBNET"), _(">METRIC"), _("TAGS"), NULL
        };
        g_autoptr(VsmTable) table = vsm_table_new(headings);

        if (networks->len == 0) {
                g_print(_("There are no migration networks.\n"));
                return;
        }

        for (guint i = 0; i < networks->len; i++) {
                JsonObject *network = g_ptr_array_index(networks, i);
                g_autofree char *tags = vsm_array_join(vsm_object_get_array(network, "Tags"));

                vsm_table_add(table, vsm_objects_number(vsm_object_get_string(network, "Path")));
                vsm_table_addf(table, "%s/%" PRIu64, vsm_object_get_string(network, "SubnetNumber"),
                               vsm_object_get_uint(network, "PrefixLength"));
                vsm_table_addf(table, "%" PRIu64, vsm_object_get_uint(network, "Metric"));
                vsm_table_add(table, tags);
        }

        vsm_pager_print(client, table);
}
