/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The objects of the migration networks, and the rule which of this host's addresses they make a
 * listener of. Bus thread only. */

#include <string.h>

#include "daemon/log.h"
#include "daemon/network-internal.h"
#include "daemon/service.h"
#include "shared/names.h"

VsmNetwork* vsm_network_new(uint64_t number, const VsmNetworkData *data) {
        VsmNetwork *network = g_new0(VsmNetwork, 1);

        network->number = number;
        network->path = g_strdup_printf(VSM_OBJECT_PATH_NETWORK "/%" PRIu64, number);
        vsm_network_data_copy(data, &network->data);
        return network;
}

void vsm_network_free(VsmNetwork *network) {
        if (!network)
                return;

        vsm_network_data_clear(&network->data);
        g_free(network->path);
        g_free(network);
}

/* They are in the order of their numbers: new ones get higher ones. */
VsmNetwork* vsm_network_find(VsmNetworks *networks, uint64_t number) {
        guint from = 0, to = networks->all->len;

        while (from < to) {
                guint middle = from + (to - from) / 2;
                VsmNetwork *network = networks->all->pdata[middle];

                if (network->number == number)
                        return network;
                if (network->number < number)
                        from = middle + 1;
                else
                        to = middle;
        }

        return NULL;
}

VsmNetwork* vsm_network_find_path(VsmNetworks *networks, const char *path) {
        const char *tail = vsm_bus_path_tail(path, VSM_OBJECT_PATH_NETWORK);
        VsmNetwork *network;
        guint64 number = 0;

        if (!tail || !g_ascii_string_to_unsigned(tail, 10, 1, G_MAXUINT64, &number, NULL))
                return NULL;

        /* one path for each: not with zeros before the number */
        network = vsm_network_find(networks, number);
        return network && g_str_equal(network->path, path) ? network : NULL;
}

/* ---- properties ---- */

#define GETTER(name, signature, ...)                                                                    \
        static int property_get_##name(sd_bus *bus, const char *path, const char *interface,            \
                                       const char *property, sd_bus_message *reply, void *userdata,     \
                                       sd_bus_error *error) {                                           \
                const VsmNetwork *network = userdata;                                                   \
                                                                                                        \
                return sd_bus_message_append(reply, signature, __VA_ARGS__);                            \
        }

GETTER(prefix, "y", network->data.subnet.prefix)
GETTER(metric, "u", network->data.subnet.metric)

static int property_get_instance_id(sd_bus *bus, const char *path, const char *interface,
                                    const char *property, sd_bus_message *reply, void *userdata,
                                    sd_bus_error *error) {
        const VsmNetwork *network = userdata;
        g_autofree char *id = vsm_network_id(network->number);

        return sd_bus_message_append(reply, "s", id);
}

static int property_get_subnet(sd_bus *bus, const char *path, const char *interface, const char *property,
                               sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const VsmNetwork *network = userdata;
        g_autofree char *text = vsm_subnet_to_text(&network->data.subnet);

        *strchr(text, '/') = '\0';
        return sd_bus_message_append(reply, "s", text);
}

static int property_get_tags(sd_bus *bus, const char *path, const char *interface, const char *property,
                             sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const VsmNetwork *network = userdata;

        return sd_bus_message_append_strv(reply, network->data.tags);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("InstanceID", "s", property_get_instance_id, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("SubnetNumber", "s", property_get_subnet, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("PrefixLength", "y", property_get_prefix, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Metric", "u", property_get_metric, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Tags", "as", property_get_tags, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END
};

static int find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                sd_bus_error *error) {
        VsmManager *manager = userdata;
        VsmNetwork *network = vsm_network_find_path(manager->networks, path);

        if (!network)
                return 0;

        *ret = network;
        return 1;
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error) {
        const VsmManager *manager = userdata;
        GPtrArray *all = manager->networks->all;
        char **paths = g_new0(char*, all->len + 1);

        for (guint i = 0; i < all->len; i++)
                paths[i] = g_strdup(((const VsmNetwork*) all->pdata[i])->path);

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

/* ---- all of them together ---- */

static const VsmSubnet* subnets_data(const GArray *subnets) {
        return (const VsmSubnet*) (void*) subnets->data;
}

char** vsm_network_listener_list(VsmManager *manager) {
        const GArray *subnets = manager->networks->subnets;

        return vsm_addresses_list(vsm_addresses_all(manager->addresses), subnets_data(subnets), subnets->len,
                                  manager->bridges);
}

GArray* vsm_network_subnets(VsmManager *manager) {
        return g_array_ref(manager->networks->subnets);
}

GArray* vsm_network_sources(VsmManager *manager) {
        return vsm_addresses_sources(vsm_addresses_all(manager->addresses), manager->bridges);
}

/* Whoever dials may still hold the last array: a new one. */
static void collect_subnets(VsmNetworks *networks) {
        GArray *subnets = g_array_sized_new(false, false, sizeof(VsmSubnet), networks->all->len);

        for (guint i = 0; i < networks->all->len; i++)
                g_array_append_val(subnets, ((VsmNetwork*) networks->all->pdata[i])->data.subnet);

        g_clear_pointer(&networks->subnets, g_array_unref);
        networks->subnets = subnets;
}

void vsm_networks_changed(VsmManager *manager) {
        collect_subnets(manager->networks);
        vsm_service_addresses_changed(manager);
}

/* ---- at start ---- */

static int compare_numbers(const void *a, const void *b) {
        const VsmNetwork *x = *(VsmNetwork *const *) a, *y = *(VsmNetwork *const *) b;

        return x->number < y->number ? -1 : x->number > y->number;
}

static void take_stored(VsmNetworks *networks, const VsmStoredText *stored) {
        g_auto(VsmNetworkData) data = {};
        g_autoptr(GError) error = NULL;
        guint64 number = 0;

        if (g_str_equal(stored->key, VSM_NETWORKS_KEPT)) {
                networks->kept = true;
                return;
        }

        if (g_ascii_string_to_unsigned(stored->key, 10, 1, G_MAXUINT64, &number, &error) &&
            vsm_network_data_from_text(stored->value, &data, &error))
                g_ptr_array_add(networks->all, vsm_network_new(number, &data));
        else
                vsm_log(LOG_ERR, "Migration network %s cannot be read back: %s", stored->key, error->message);
}

VsmNetworks* vsm_networks_new(VsmManager *manager, GError **error) {
        g_autoptr(GPtrArray) stored = vsm_store_texts(manager->store, VSM_STORE_NETWORK, error);
        VsmNetworks *networks;

        if (!stored)
                return NULL;

        networks = g_new0(VsmNetworks, 1);
        networks->all = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_network_free);
        g_queue_init(&networks->waiting);

        for (guint i = 0; i < stored->len; i++)
                take_stored(networks, stored->pdata[i]);

        for (unsigned number = 1; !networks->kept && number <= 2; number++) {
                g_auto(VsmNetworkData) data = {};

                vsm_network_data_default(number, &data);
                g_ptr_array_add(networks->all, vsm_network_new(number, &data));
        }

        g_ptr_array_sort(networks->all, compare_numbers);
        collect_subnets(networks);
        return networks;
}

void vsm_networks_free(VsmNetworks *networks) {
        if (!networks)
                return;

        vsm_network_changes_free(networks);
        g_ptr_array_unref(networks->all);
        g_array_unref(networks->subnets);
        g_free(networks);
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
