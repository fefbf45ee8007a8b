/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* AddNetworkSettings, ModifyNetworkSettings and RemoveNetworkSettings: a list is held against all
 * networks that there are, written down, and only then seen. Changes come one after the other: what is
 * being written when the next one is asked for counts for that. Bus thread, but for the run function,
 * which says so. */

#include <string.h>

#include "daemon/actions.h"
#include "daemon/bus-variant.h"
#include "daemon/network-internal.h"
#include "daemon/service.h"
#include "shared/cleanup.h"
#include "shared/enums.h"
#include "shared/error.h"
#include "shared/names.h"

/* of a fresh service, whoever gives numbers does not know of them */
#define NUMBER_RESERVED 2
#define CHANGES_MAX 64          /* waiting for the disk */

typedef enum {
        CHANGE_ADD,
        CHANGE_MODIFY,
        CHANGE_REMOVE,
} ChangeKind;

typedef struct Item {
        uint64_t number;                /* 0 = new, until the store gave one */
        VsmNetworkData data;
        bool removed;
        bool unchanged;                 /* only written down, for the first time */
} Item;

typedef struct Change {
        VsmTask task;
        VsmStore *store;
        ChangeKind kind;
        GVariant *input;                /* aa{sv} or ao, checked in its form */
        sd_bus_message *call;
        GPtrArray *items;               /* Item */
        bool first;                     /* the store has none yet */
} Change;

static void item_free(void *p) {
        Item *item = p;

        vsm_network_data_clear(&item->data);
        g_free(item);
}

static void change_free(VsmTask *task) {
        Change *change = (Change*) task;

        g_clear_pointer(&change->input, g_variant_unref);
        sd_bus_message_unref(change->call);
        g_ptr_array_unref(change->items);
        g_free(change);
}

void vsm_network_changes_free(VsmNetworks *networks) {
        Change *change;

        while ((change = g_queue_pop_head(&networks->waiting))) {
                g_clear_error(&change->task.error);
                change_free(&change->task);
        }
}

static Item* item_add(Change *change, const VsmNetwork *network) {
        Item *item = g_new0(Item, 1);

        if (network) {
                item->number = network->number;
                vsm_network_data_copy(&network->data, &item->data);
        } else {
                item->data.tags = g_new0(char*, 1);
                item->data.subnet.metric = VSM_NETWORK_METRIC_DEFAULT;
        }

        g_ptr_array_add(change->items, item);
        return item;
}

static Item* item_find(Change *change, uint64_t number) {
        for (guint i = 0; i < change->items->len; i++) {
                Item *item = change->items->pdata[i];

                if (item->number == number)
                        return item;
        }

        return NULL;
}

static bool refuse(GError **error, VsmError code, const char *where, const char *what) {
        g_set_error(error, VSM_ERROR, code, "%s: %s", where, what);
        return false;
}

/* ---- what the list makes of the networks ---- */

static bool take_dict(VsmNetworks *networks, Change *change, const char *where, GVariant *dict, GError **error) {
        const VsmNetwork *network = NULL;
        const char *id;

        if (change->kind == CHANGE_MODIFY) {
                g_variant_lookup(dict, "InstanceID", "&s", &id);
                network = vsm_network_find(networks, vsm_network_id_parse(id));
                if (!network)
                        return refuse(error, VSM_ERROR_INVALID_PARAMETER, where,
                                      "There is no network of this InstanceID.");
                if (item_find(change, network->number))
                        return refuse(error, VSM_ERROR_INVALID_PARAMETER, where,
                                      "The network of this InstanceID stands in the list twice.");
        }

        return vsm_network_data_apply(&item_add(change, network)->data, where, dict, error);
}

static bool take_path(VsmNetworks *networks, Change *change, const char *where, const char *path, GError **error) {
        const VsmNetwork *network = vsm_network_find_path(networks, path);

        if (!network)
                return refuse(error, VSM_ERROR_INVALID_PARAMETER, where, "The path is no network's.");
        if (item_find(change, network->number))
                return refuse(error, VSM_ERROR_INVALID_PARAMETER, where, "The network stands in the list twice.");

        item_add(change, network)->removed = true;
        return true;
}

static bool take_list(VsmNetworks *networks, Change *change, GError **error) {
        for (gsize i = 0; i < g_variant_n_children(change->input); i++) {
                g_autofree char *where = g_strdup_printf("NetworkSettings[%zu]", i);
                g_autoptr(GVariant) element = g_variant_get_child_value(change->input, i);

                if (!(change->kind == CHANGE_REMOVE ?
                      take_path(networks, change, where, g_variant_get_string(element, NULL), error) :
                      take_dict(networks, change, where, element, error)))
                        return false;
        }

        return true;
}

static bool check_double(GHashTable *seen, const VsmSubnet *subnet, GError **error) {
        char *text = vsm_subnet_to_text(subnet);

        if (!g_hash_table_contains(seen, text))
                return g_hash_table_add(seen, text);

        g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                    "There would be two networks %s.", text);
        g_free(text);
        return false;
}

/* All networks as they will be. */
static bool check_whole(VsmNetworks *networks, Change *change, GError **error) {
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (guint i = 0; i < change->items->len; i++) {
                const Item *item = change->items->pdata[i];

                if (!item->removed && !check_double(seen, &item->data.subnet, error))
                        return false;
        }

        for (guint i = 0; i < networks->all->len; i++) {
                const VsmNetwork *network = networks->all->pdata[i];

                if (!item_find(change, network->number) && !check_double(seen, &network->data.subnet, error))
                        return false;
        }

        if (g_hash_table_size(seen) > VSM_NETWORKS_MAX) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_LIMITS_EXCEEDED,
                            "There would be more than %i networks.", VSM_NETWORKS_MAX);
                return false;
        }

        return true;
}

/* From the first change on the store has them all, none maybe. */
static void write_others(VsmNetworks *networks, Change *change) {
        for (guint i = 0; i < networks->all->len; i++) {
                const VsmNetwork *network = networks->all->pdata[i];

                if (!item_find(change, network->number))
                        item_add(change, network)->unchanged = true;
        }
}

/* ---- writing it down ---- */

static bool give_numbers(Change *change, GError **error) {
        for (guint i = 0; i < change->items->len; i++) {
                Item *item = change->items->pdata[i];

                if (change->kind != CHANGE_ADD || item->unchanged)
                        continue;

                do {
                        if (!vsm_store_number_next(change->store, &item->number, error))
                                return false;
                } while (item->number <= NUMBER_RESERVED);
        }

        return true;
}

/* Store lane. */
static void change_run(VsmTask *task) {
        Change *change = (Change*) task;
        size_t n = change->items->len + change->first;
        g_autofree VsmStoredText *texts = NULL;

        if (!give_numbers(change, &task->error))
                return;

        texts = g_new0(VsmStoredText, n);
        for (guint i = 0; i < change->items->len; i++) {
                const Item *item = change->items->pdata[i];

                texts[i].key = g_strdup_printf("%" PRIu64, item->number);
                texts[i].value = item->removed ? NULL : vsm_network_data_to_text(&item->data);
        }
        if (change->first)
                texts[n - 1] = (VsmStoredText) { g_strdup(VSM_NETWORKS_KEPT), g_strdup("1") };

        (void) vsm_store_texts_change(change->store, VSM_STORE_NETWORK, texts, n, &task->error);
        for (size_t i = 0; i < n; i++) {
                g_free(texts[i].key);
                g_free(texts[i].value);
        }
}

/* ---- showing it ---- */

static void show_changed(VsmManager *manager, VsmNetwork *network, Item *item) {
        const VsmNetworkData *was = &network->data, *is = &item->data;
        struct {
                const char *property;
                bool changed;
        } properties[] = {
                { "SubnetNumber", was->subnet.family != is->subnet.family ||
                                  memcmp(was->subnet.bytes, is->subnet.bytes, sizeof is->subnet.bytes) != 0 },
                { "PrefixLength", was->subnet.prefix != is->subnet.prefix },
                { "Metric",       was->subnet.metric != is->subnet.metric },
                { "Tags",         !g_strv_equal((const char* const*) was->tags, (const char* const*) is->tags) },
        };

        vsm_network_data_clear(&network->data);
        vsm_network_data_copy(&item->data, &network->data);
        for (size_t i = 0; i < G_N_ELEMENTS(properties); i++)
                if (properties[i].changed)
                        vsm_bus_changed(manager->bus, network->path, VSM_INTERFACE_NETWORK,
                                        properties[i].property);
}

static void show(VsmManager *manager, Item *item) {
        VsmNetworks *networks = manager->networks;
        VsmNetwork *network = vsm_network_find(networks, item->number);

        if (item->unchanged)
                return;

        if (!network) {
                network = vsm_network_new(item->number, &item->data);
                g_ptr_array_add(networks->all, network);
                vsm_bus_added(manager->bus, network->path);
        } else if (item->removed) {
                vsm_bus_removed(manager->bus, network->path);
                (void) g_ptr_array_remove(networks->all, network);
        } else
                show_changed(manager, network, item);
}

static void change_begin(VsmManager *manager, Change *change);

static void change_next(VsmManager *manager) {
        Change *next = g_queue_pop_head(&manager->networks->waiting);

        manager->networks->changing = false;
        if (next)
                change_begin(manager, next);
}

static void change_done(VsmTask *task, void *userdata) {
        Change *change = (Change*) task;
        VsmManager *manager = userdata;

        if (task->error)
                vsm_bus_reply_error(change->call, task->error);
        else {
                manager->networks->kept = true;
                for (guint i = 0; i < change->items->len; i++)
                        show(manager, change->items->pdata[i]);

                /* who has the answer has heard of the new list */
                vsm_networks_changed(manager);
                vsm_bus_flush(manager->bus, NULL);
                (void) sd_bus_reply_method_return(change->call, "uo", VSM_RETURN_COMPLETED, "/");
        }

        change_next(manager);
}

/* Takes the change. */
static void change_begin(VsmManager *manager, Change *change) {
        VsmNetworks *networks = manager->networks;
        g_autoptr(GError) error = NULL;

        networks->changing = true;
        if (!take_list(networks, change, &error) || !check_whole(networks, change, &error)) {
                vsm_bus_reply_error(change->call, error);
                change_free(&change->task);
                change_next(manager);
                return;
        }

        change->first = !networks->kept;
        if (change->first)
                write_others(networks, change);

        change->store = manager->store;
        vsm_worker_push(manager->worker, VSM_LANE_STORE, &change->task);
}

/* ---- the methods ---- */

/* *ret_keys: as the caller gave them; "" of a list of paths. */
static GVariant* read_input(ChangeKind kind, sd_bus_message *call, char **ret_keys, GError **error) {
        size_t budget = VSM_LIMIT_MESSAGE;
        g_autoptr(GVariant) input = vsm_bus_read_variant(call, &budget, error);

        if (!input)
                return NULL;

        *ret_keys = vsm_polkit_keys(input);
        if (kind == CHANGE_ADD)
                return vsm_network_list_read_new(input, error);
        if (kind == CHANGE_MODIFY)
                return vsm_network_list_read_changes(input, error);

        return g_steal_pointer(&input);
}

static int method(ChangeKind kind, VsmManager *manager, sd_bus_message *call, sd_bus_error *error) {
        const VsmMember *member = vsm_member_find(VSM_INTERFACE_SERVICE, sd_bus_message_get_member(call));
        g_autoptr(GVariant) input = NULL;
        g_autofree char *keys = NULL;
        g_autoptr(GError) e = NULL;
        Change *change;
        int r;

        if (!member)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_ACCESS_DENIED),
                                        "No action covers this method.");

        input = read_input(kind, call, &keys, &e);
        if (!input)
                return vsm_bus_fail(error, e);

        r = vsm_polkit_check(manager->polkit, call, member->action,
                             (char*[]) { (char*) "settings", keys, NULL }, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (g_queue_get_length(&manager->networks->waiting) >= CHANGES_MAX)
                return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_LIMITS_EXCEEDED),
                                         "%i changes of the networks are waiting already.", CHANGES_MAX);

        change = vsm_task_new(Change, change_run, change_done, change_free);
        change->kind = kind;
        change->input = g_steal_pointer(&input);
        change->call = sd_bus_message_ref(call);
        change->items = g_ptr_array_new_with_free_func(item_free);

        if (manager->networks->changing)
                g_queue_push_tail(&manager->networks->waiting, change);
        else
                change_begin(manager, change);

        return 1;
}

int vsm_method_add_network_settings(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return method(CHANGE_ADD, userdata, call, error);
}

int vsm_method_modify_network_settings(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return method(CHANGE_MODIFY, userdata, call, error);
}

int vsm_method_remove_network_settings(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return method(CHANGE_REMOVE, userdata, call, error);
}
