/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt's own virtual networks: only for their bridges, whose addresses are no migration's.
 * Workers: it waits for libvirt. */

#include "daemon/virt/internal.h"
#include "shared/error.h"

#define NETWORK_XML_MAX (1024 * 1024)

/* A network that forwards by "bridge" (or passes a device on) names a bridge that the administrator
 * made: migrations may well go over that one. What libvirt makes is isolated, nat, route or open. */
static bool makes_bridge(virNetworkPtr network) {
        g_autofree char *xml = NULL;
        g_autoptr(xmlDoc) doc = NULL;
        const xmlNode *forward;
        xmlChar *mode;
        bool own;

        xml = virNetworkGetXMLDesc(network, 0);
        if (!xml)
                return false;

        doc = vsm_xml_parse(xml, NETWORK_XML_MAX, NULL);
        if (!doc)
                return false;

        forward = vsm_xml_child(xmlDocGetRootElement(doc), "forward", NULL);
        if (!forward)
                return true;

        mode = xmlGetNoNsProp(forward, BAD_CAST "mode");
        own = !mode ||
                xmlStrEqual(mode, BAD_CAST "nat") ||
                xmlStrEqual(mode, BAD_CAST "route") ||
                xmlStrEqual(mode, BAD_CAST "open");
        xmlFree(mode);
        return own;
}

static void free_networks(virNetworkPtr *networks) {
        for (size_t i = 0; networks[i]; i++)
                virNetworkFree(networks[i]);

        free(networks);
}

char** vsm_virt_bridges(VsmVirt *virt, GError **error) {
        g_autoptr(virConnect) connection = NULL;
        g_autoptr(GPtrArray) names = NULL;
        virNetworkPtr *networks = NULL;
        int n;

        connection = vsm_virt_ref_connection(virt, error);
        if (!connection)
                return NULL;

        /* A libvirt without the network driver has no networks. */
        n = virConnectListAllNetworks(connection, &networks, VIR_CONNECT_LIST_NETWORKS_ACTIVE);
        if (n < 0 && virGetLastErrorCode() != VIR_ERR_NO_SUPPORT) {
                vsm_virt_error(error, "Cannot list the virtual networks");
                return NULL;
        }

        names = g_ptr_array_new_with_free_func(g_free);
        for (int i = 0; i < n; i++) {
                g_autofree char *name = NULL;

                /* one that went meanwhile, or that has no bridge */
                name = virNetworkGetBridgeName(networks[i]);
                if (name && makes_bridge(networks[i]))
                        g_ptr_array_add(names, g_strdup(name));
        }

        if (networks)
                free_networks(networks);

        g_ptr_array_add(names, NULL);
        return (char **) g_ptr_array_free(g_steal_pointer(&names), false);
}
