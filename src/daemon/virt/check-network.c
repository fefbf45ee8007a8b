/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whether the other host has the networks, bridges and addresses that the guest uses. Workers. */

#include "daemon/virt/check.h"
#include "shared/error.h"

static void check_network(VsmCheck *check, const VsmNeed *need) {
        g_autoptr(virNetwork) network = virNetworkLookupByName(check->there, need->name);
        int active = network ? virNetworkIsActive(network) : 0;

        if (active < 0 || (!network && virGetLastErrorCode() != VIR_ERR_NO_NETWORK))
                vsm_check_not_told(check, need->name, "whether host '%s' has the network '%s'", check->host,
                                   need->name);
        else if (active == 0)
                vsm_reasons_add(check->reasons, "network-missing", need->name, NULL, check->host, need->name,
                                need->device ?: "?", NULL);
}

bool vsm_check_networks(VsmCheck *check, GError **error) {
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_NETWORK, need));)
                check_network(check, need);

        return true;
}

/* libvirt lists the interfaces of a host where it was built for that. What is listed is there; what is
 * not may be all the same, under another kind of switch or made when it is needed. */
static void check_link(VsmCheck *check, const VsmNeed *need, const char *what) {
        g_autoptr(virInterface) interface = virInterfaceLookupByName(check->there, need->name);
        int active = interface ? virInterfaceIsActive(interface) : 0;

        if (active > 0)
                return;

        if (interface && active == 0)
                vsm_check_not_verifiable(check, need->name, NULL, "whether host '%s' has the %s '%s' up when it is "
                                                                  "needed: it is down at the moment",
                                         check->host, what, need->name);
        else
                vsm_check_not_told(check, need->name, "whether host '%s' has the %s '%s'", check->host, what,
                                   need->name);
}

bool vsm_check_links(VsmCheck *check, GError **error) {
        static const struct {
                VsmNeedKind kind;
                const char *what;
        } kinds[] = {
                { VSM_NEED_BRIDGE,     "bridge"                 },
                { VSM_NEED_OVS_BRIDGE, "Open vSwitch bridge"    },
                { VSM_NEED_LINK,       "network interface"      },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
                for (const VsmNeed *need = NULL;
                     (need = vsm_needs_next(check->needs, kinds[i].kind, need));)
                        check_link(check, need, kinds[i].what);

        return true;
}

/* libvirt's interfaces come without addresses. */
bool vsm_check_addresses(VsmCheck *check, GError **error) {
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_ADDRESS, need));)
                vsm_check_not_verifiable(check, need->name, NULL,
                                         "whether host '%s' has or reaches the address '%s' (%s)", check->host,
                                         need->name, need->device ?: "?");

        return true;
}
