/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* To what an interface is connected there. Workers. */

#include <string.h>

#include "daemon/virt/interface-plan.h"
#include "shared/error.h"

/* A libvirt network is always listed; a bridge only where libvirt was built for that. So what is neither
 * a network nor known as an interface is missing, unless interfaces are not told of at all. */
static bool look(virConnectPtr there, const char *name, bool *ret_found, bool *ret_bridge, GError **error) {
        g_autoptr(virNetwork) network = virNetworkLookupByName(there, name);
        g_autoptr(virInterface) interface = NULL;
        int active = network ? virNetworkIsActive(network) : 0;

        *ret_bridge = false;
        *ret_found = active > 0;
        if (active > 0)
                return true;

        if (active < 0 || (!network && virGetLastErrorCode() != VIR_ERR_NO_NETWORK &&
                           virGetLastErrorCode() != VIR_ERR_NO_SUPPORT)) {
                vsm_virt_error(error, "Cannot look up the network '%s'", name);
                return false;
        }

        interface = virInterfaceLookupByName(there, name);
        *ret_bridge = true;
        *ret_found = interface || virGetLastErrorCode() == VIR_ERR_NO_SUPPORT;
        return true;
}

static bool has_interface(GPtrArray *interfaces, const char *mac) {
        for (guint i = 0; i < interfaces->len; i++)
                if (g_strcmp0(((VsmInterface *) g_ptr_array_index(interfaces, i))->mac, mac) == 0)
                        return true;

        return false;
}

GPtrArray *vsm_interface_plan(virConnectPtr there, const char *host, const char *xml,
                              const VsmChanges *changes, VsmReasons *reasons, GError **error) {
        g_autoptr(GPtrArray) interfaces = vsm_interfaces_from_xml(xml, error);
        g_autoptr(GPtrArray) places = g_ptr_array_new_with_free_func(g_free);

        if (!interfaces)
                return NULL;

        for (guint i = 0; changes && i < changes->networks->len; i++) {
                const VsmNetworkWish *wish = g_ptr_array_index(changes->networks, i);
                VsmInterfacePlace *place;
                bool found, bridge;

                if (!has_interface(interfaces, wish->mac)) {
                        vsm_reasons_add(reasons, "unknown-interface", wish->mac, NULL, wish->mac, NULL);
                        continue;
                }

                if (!look(there, wish->name, &found, &bridge, error))
                        return NULL;

                if (!found) {
                        vsm_reasons_add(reasons, "network-missing", wish->mac, NULL, host, wish->name,
                                        wish->mac, NULL);
                        continue;
                }

                place = g_new(VsmInterfacePlace, 1);
                *place = (VsmInterfacePlace){.mac = wish->mac, .name = wish->name, .bridge = bridge};
                g_ptr_array_add(places, place);
        }

        return g_steal_pointer(&places);
}
