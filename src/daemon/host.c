/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The objects of known destinations. What stands in a file of hosts.d is the administrator's and is
 * not changed over the bus; the rest is in the store. Bus thread only. */

#include <string.h>

#include "daemon/five.h"
#include "daemon/host-internal.h"
#include "daemon/log.h"
#include "daemon/service.h"
#include "shared/names.h"

static void host_free(void *p) {
        VsmHost *host = p;

        vsm_host_data_free(host->data);
        g_free(host->path);
        g_free(host);
}

/* ---- finding ---- */

VsmHost* vsm_host_find(VsmHosts *hosts, const char *name) {
        for (guint i = 0; i < hosts->all->len; i++) {
                VsmHost *host = hosts->all->pdata[i];

                if (g_str_equal(host->data->name, name))
                        return host;
        }

        return NULL;
}

VsmHost* vsm_host_find_clash(VsmHosts *hosts, const VsmHostData *data) {
        for (guint i = 0; i < hosts->all->len; i++) {
                VsmHost *host = hosts->all->pdata[i];

                if (!g_str_equal(host->data->name, data->name) && vsm_host_data_clashes(host->data, data))
                        return host;
        }

        return NULL;
}

VsmHost* vsm_host_match(VsmManager *manager, const char *destination) {
        for (guint i = 0; i < manager->hosts->all->len; i++) {
                VsmHost *host = manager->hosts->all->pdata[i];

                if (vsm_host_data_matches(host->data, destination))
                        return host;
        }

        return NULL;
}

VsmHost* vsm_host_find_path(VsmManager *manager, const char *path) {
        for (guint i = 0; i < manager->hosts->all->len; i++) {
                VsmHost *host = manager->hosts->all->pdata[i];

                if (g_str_equal(host->path, path))
                        return host;
        }

        return NULL;
}

GPtrArray* vsm_hosts_all(VsmManager *manager) {
        return manager->hosts->all;
}

const VsmHostData* vsm_host_data(const VsmHost *host) {
        return host->data;
}

uint32_t vsm_host_authentication(VsmManager *manager, const VsmHost *host) {
        return host->data->authentication ?: manager->settings.authentication;
}

/* ---- properties ---- */

#define GETTER(name, signature, expression)                                                             \
        static int property_get_##name(sd_bus *bus, const char *path, const char *interface,            \
                                       const char *property, sd_bus_message *reply, void *userdata,     \
                                       sd_bus_error *error) {                                           \
                VsmManager *manager = userdata;                                                         \
                const VsmHost *host = vsm_host_find_path(manager, path);                                \
                                                                                                        \
                return host ? sd_bus_message_append(reply, signature, expression) : -ENOENT;            \
        }

GETTER(name, "s", host->data->name)
GETTER(authentication, "u", vsm_host_authentication(manager, host))
GETTER(port, "q", host->data->port)
GETTER(verifies_clients, "b", (int) host->data->verifies_clients)
GETTER(enabled, "b", (int) host->data->enabled)
GETTER(priority, "q", host->data->priority)
GETTER(memory_limit, "t", host->data->memory_limit)
GETTER(state, "s", host->state)
GETTER(free_memory, "t",
       host->data->memory_limit > 0 ? MIN(host->memory, host->data->memory_limit) : host->memory)
GETTER(last_contact, "t", host->last_contact)
GETTER(last_error, "s", host->last_error)

static int property_get_addresses(sd_bus *bus, const char *path, const char *interface, const char *property,
                                  sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const VsmHost *host = vsm_host_find_path(userdata, path);

        return host ? sd_bus_message_append_strv(reply, host->data->addresses) : -ENOENT;
}

#define CHANGE SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", property_get_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Addresses", "as", property_get_addresses, 0, CHANGE),
        SD_BUS_PROPERTY("AuthenticationType", "u", property_get_authentication, 0, CHANGE),
        SD_BUS_PROPERTY("Port", "q", property_get_port, 0, CHANGE),
        SD_BUS_PROPERTY("VerifiesClients", "b", property_get_verifies_clients, 0, CHANGE),
        SD_BUS_PROPERTY("Enabled", "b", property_get_enabled, 0, CHANGE),
        SD_BUS_PROPERTY("Priority", "q", property_get_priority, 0, CHANGE),
        SD_BUS_PROPERTY("MemoryLimit", "t", property_get_memory_limit, 0, CHANGE),
        SD_BUS_PROPERTY("State", "s", property_get_state, 0, CHANGE),
        SD_BUS_PROPERTY("FreeMemory", "t", property_get_free_memory, 0, 0),
        SD_BUS_PROPERTY("LastContact", "t", property_get_last_contact, 0, 0),
        SD_BUS_PROPERTY("LastError", "s", property_get_last_error, 0, CHANGE),
        SD_BUS_VTABLE_END
};

static int find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                sd_bus_error *error) {
        if (!vsm_host_find_path(userdata, path))
                return 0;

        *ret = userdata;
        return 1;
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error) {
        const VsmManager *manager = userdata;
        GPtrArray *all = manager->hosts->all;
        char **paths = g_new0(char*, all->len + 1);

        for (guint i = 0; i < all->len; i++)
                paths[i] = g_strdup(((const VsmHost*) all->pdata[i])->path);

        *ret = paths;
        return 0;
}

int vsm_host_register(VsmManager *manager) {
        sd_bus *bus = vsm_bus_get(manager->bus);
        int r;

        r = sd_bus_add_fallback_vtable(bus, NULL, VSM_OBJECT_PATH_HOST, VSM_INTERFACE_HOST, vtable, find, manager);
        if (r < 0)
                return r;

        return sd_bus_add_node_enumerator(bus, NULL, VSM_OBJECT_PATH_HOST, enumerate, manager);
}

/* ---- coming, changing, going ---- */

static void changed(VsmManager *manager, const VsmHost *host, const char *property, bool really) {
        if (really)
                vsm_bus_changed(manager->bus, host->path, VSM_INTERFACE_HOST, property);
}

static void host_replace(VsmManager *manager, VsmHost *host, VsmHostData *data) {
        g_autoptr(VsmHostData) was = host->data;

        host->data = data;
        changed(manager, host, "Addresses",
                !g_strv_equal((const char* const*) was->addresses, (const char* const*) data->addresses));
        changed(manager, host, "AuthenticationType",
                (was->authentication ?: manager->settings.authentication) != vsm_host_authentication(manager, host));
        changed(manager, host, "Port", was->port != data->port);
        changed(manager, host, "VerifiesClients", was->verifies_clients != data->verifies_clients);
        changed(manager, host, "Enabled", was->enabled != data->enabled);
        changed(manager, host, "Priority", was->priority != data->priority);
        changed(manager, host, "MemoryLimit", was->memory_limit != data->memory_limit);
}

/* NULL, and nothing added, when its name makes no path. */
static VsmHost* host_add(VsmHosts *hosts, VsmHostData *data) {
        VsmHost *host = g_new0(VsmHost, 1);

        host->data = data;
        host->state = "unknown";
        host->last_error = "";
        if (sd_bus_path_encode(VSM_OBJECT_PATH_HOST, data->name, &host->path) < 0) {
                host_free(host);
                return NULL;
        }

        g_ptr_array_add(hosts->all, host);
        return host;
}

VsmHost* vsm_host_put(VsmManager *manager, VsmHostData *data, bool from_file) {
        VsmHost *host = vsm_host_find(manager->hosts, data->name);

        if (host)
                host_replace(manager, host, data);
        else {
                host = host_add(manager->hosts, data);
                if (!host)
                        return NULL;
                vsm_bus_added(manager->bus, host->path);
        }

        host->from_file = from_file;
        vsm_host_watch(manager, host);
        vsm_host_watch_update(manager);
        return host;
}

void vsm_host_remove(VsmManager *manager, VsmHost *host) {
        vsm_bus_removed(manager->bus, host->path);
        (void) g_ptr_array_remove(manager->hosts->all, host);
        vsm_host_watch_update(manager);
}

void vsm_hosts_settings_changed(VsmManager *manager) {
        /* the first settings are read before the first hosts are */
        for (guint i = 0; manager->hosts && i < manager->hosts->all->len; i++) {
                VsmHost *host = manager->hosts->all->pdata[i];

                changed(manager, host, "AuthenticationType", host->data->authentication == 0);
        }
}

bool vsm_host_is_here(VsmManager *manager, const VsmHostData *data) {
        if (vsm_destination_is_here(manager, data->name))
                return true;

        for (char **p = data->addresses; *p; p++)
                if (vsm_destination_is_here(manager, *p))
                        return true;

        return false;
}

/* ---- files and store ---- */

/* The same files may lie on all hosts that migrate to each other: the one about this host is passed
 * over. */
static GPtrArray* read_files(VsmManager *manager, const char *directory) {
        g_auto(GStrv) faults = NULL;
        GPtrArray *files = vsm_hosts_read(directory, &faults);

        for (char **f = faults; *f; f++)
                vsm_log(LOG_WARNING, "%s", *f);

        for (guint i = files->len; i > 0; i--)
                if (vsm_host_is_here(manager, files->pdata[i - 1]))
                        g_ptr_array_remove_index(files, i - 1);

        return files;
}

static bool list_names(const GPtrArray *files, const char *name) {
        for (guint i = 0; i < files->len; i++)
                if (g_str_equal(((const VsmHostData*) files->pdata[i])->name, name))
                        return true;

        return false;
}

void vsm_hosts_reload(VsmManager *manager) {
        VsmHosts *hosts = manager->hosts;
        g_autoptr(GPtrArray) files = read_files(manager, hosts->directory);

        for (guint i = hosts->all->len; i > 0; i--) {
                VsmHost *host = hosts->all->pdata[i - 1];

                if (host->from_file && !list_names(files, host->data->name))
                        vsm_host_remove(manager, host);
        }

        while (files->len > 0) {
                VsmHostData *data = g_ptr_array_steal_index(files, 0);
                VsmHost *clash = vsm_host_find_clash(hosts, data);

                if (clash) {
                        vsm_log(LOG_WARNING, "Host '%s' of %s is left out: its Name or one of its Addresses is also "
                                "of host '%s'.", data->name, hosts->directory, clash->data->name);
                        vsm_host_data_free(data);
                } else
                        (void) vsm_host_put(manager, data, true);
        }
}

static void take_stored(VsmHosts *hosts, const VsmStoredText *stored) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VsmHostData) data = vsm_host_data_from_text(stored->value, &error);

        if (!data) {
                vsm_log(LOG_ERR, "Host '%s' cannot be read back: %s", stored->key, error->message);
                return;
        }

        if (vsm_host_find(hosts, data->name) || vsm_host_find_clash(hosts, data)) {
                vsm_log(LOG_WARNING, "Host '%s', added over the bus, is left out: %s has it, or one of its "
                        "addresses.", stored->key, hosts->directory);
                return;
        }

        (void) host_add(hosts, g_steal_pointer(&data));
}

VsmHosts* vsm_hosts_new(VsmManager *manager, const char *directory, GError **error) {
        g_autoptr(GPtrArray) stored = vsm_store_texts(manager->store, VSM_STORE_HOST, error);
        g_autoptr(GPtrArray) files = NULL;
        VsmHosts *hosts;

        if (!stored)
                return NULL;

        hosts = g_new0(VsmHosts, 1);
        hosts->all = g_ptr_array_new_with_free_func(host_free);
        hosts->directory = g_strdup(directory);
        g_queue_init(&hosts->waiting);
        g_queue_init(&hosts->pending);

        files = read_files(manager, directory);
        while (files->len > 0) {
                VsmHost *host = host_add(hosts, g_ptr_array_steal_index(files, 0));

                if (host)
                        host->from_file = true;
        }

        for (guint i = 0; i < stored->len; i++)
                take_stored(hosts, stored->pdata[i]);

        manager->hosts = hosts;
        for (guint i = 0; i < hosts->all->len; i++)
                vsm_host_watch(manager, hosts->all->pdata[i]);
        vsm_host_watch_update(manager);
        return hosts;
}

void vsm_hosts_free(VsmHosts *hosts) {
        if (!hosts)
                return;

        vsm_host_changes_free(hosts);
        vsm_host_watch_free(hosts);
        g_ptr_array_unref(hosts->all);
        g_free(hosts->directory);
        g_free(hosts);
}
