/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The objects of the migration networks, and the rule which of this host's addresses they make a
 * listener of. Bus thread only. */

#include <sys/socket.h>

#include "daemon/log.h"
#include "daemon/network.h"
#include "daemon/service.h"
#include "shared/names.h"

/* "use any network": counts only while there is no other */
#define TAG_ALL_NETWORKS "org.example:UserManagedAllNetworks"
#define METRIC_ALL_NETWORKS 1000

typedef struct Network {
        uint32_t number;
        const char *subnet;     /* text */
        VsmSubnet match;
} Network;

static const Network networks[] = {
        { 1, "0.0.0.0", { .family = AF_INET,  .metric = METRIC_ALL_NETWORKS, .all_networks = true } },
        { 2, "::",      { .family = AF_INET6, .metric = METRIC_ALL_NETWORKS, .all_networks = true } },
};

#define GETTER(name, signature, ...)                                                                    \
        static int property_get_##name(sd_bus *bus, const char *path, const char *interface,            \
                                       const char *property, sd_bus_message *reply, void *userdata,     \
                                       sd_bus_error *error) {                                           \
                const Network *network = userdata;                                                      \
                                                                                                        \
                return sd_bus_message_append(reply, signature, __VA_ARGS__);                            \
        }

static int property_get_instance_id(sd_bus *bus, const char *path, const char *interface,
                                    const char *property, sd_bus_message *reply, void *userdata,
                                    sd_bus_error *error) {
        const Network *network = userdata;
        char id[64];

        g_snprintf(id, sizeof id, "org.example:MigrationNetwork/%u", network->number);
        return sd_bus_message_append(reply, "s", id);
}

GETTER(subnet, "s", network->subnet)
GETTER(prefix, "y", network->match.prefix)
GETTER(metric, "u", network->match.metric)
GETTER(tags, "as", network->match.all_networks ? 1 : 0, TAG_ALL_NETWORKS)

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("InstanceID", "s", property_get_instance_id, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("SubnetNumber", "s", property_get_subnet, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("PrefixLength", "y", property_get_prefix, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Metric", "u", property_get_metric, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Tags", "as", property_get_tags, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END
};

static const Network* network_find(const char *path) {
        const char *tail = vsm_bus_path_tail(path, VSM_OBJECT_PATH_NETWORK);
        char number[16];

        for (size_t i = 0; tail && i < G_N_ELEMENTS(networks); i++) {
                g_snprintf(number, sizeof number, "%u", networks[i].number);
                if (g_str_equal(tail, number))
                        return networks + i;
        }

        return NULL;
}

static int find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                sd_bus_error *error) {
        const Network *network = network_find(path);

        if (!network)
                return 0;

        *ret = (void*) network;
        return 1;
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error) {
        char **paths = g_new0(char*, G_N_ELEMENTS(networks) + 1);

        for (size_t i = 0; i < G_N_ELEMENTS(networks); i++)
                paths[i] = g_strdup_printf(VSM_OBJECT_PATH_NETWORK "/%u", networks[i].number);

        *ret = paths;
        return 0;
}

int vsm_network_register(VsmManager *manager) {
        sd_bus *bus = vsm_bus_get(manager->bus);
        int r;

        r = sd_bus_add_fallback_vtable(bus, NULL, VSM_OBJECT_PATH_NETWORK, VSM_INTERFACE_NETWORK, vtable, find,
                                       manager);
        if (r < 0)
                return r;

        return sd_bus_add_node_enumerator(bus, NULL, VSM_OBJECT_PATH_NETWORK, enumerate, manager);
}

char** vsm_network_listener_list(VsmManager *manager) {
        VsmSubnet subnets[G_N_ELEMENTS(networks)];

        for (size_t i = 0; i < G_N_ELEMENTS(networks); i++)
                subnets[i] = networks[i].match;

        return vsm_addresses_list(vsm_addresses_all(manager->addresses), subnets, G_N_ELEMENTS(subnets),
                                  manager->bridges);
}

/* ---- bridges of libvirt's own networks ---- */

typedef struct BridgesTask {
        VsmTask task;
        VsmVirt *virt;
        char **bridges;
} BridgesTask;

static void bridges_run(VsmTask *task) {
        BridgesTask *t = (BridgesTask*) task;

        t->bridges = vsm_virt_bridges(t->virt, &task->error);
}

static void bridges_done(VsmTask *task, void *userdata) {
        BridgesTask *t = (BridgesTask*) task;
        VsmManager *manager = userdata;

        if (task->error) {
                vsm_log(LOG_DEBUG, "Cannot list the bridges of libvirt's networks: %s", task->error->message);
                return;
        }

        g_strfreev(manager->bridges);
        manager->bridges = g_steal_pointer(&t->bridges);
        vsm_service_addresses_changed(manager);
}

static void bridges_free(VsmTask *task) {
        g_strfreev(((BridgesTask*) task)->bridges);
        g_free(task);
}

void vsm_network_bridges_changed(VsmManager *manager) {
        BridgesTask *t = vsm_task_new(BridgesTask, bridges_run, bridges_done, bridges_free);

        t->virt = manager->virt;
        vsm_worker_push(manager->worker, VSM_LANE_SHORT, &t->task);
}
