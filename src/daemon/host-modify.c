/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* AddHost and RemoveHost: held against the hosts that there are, written down, and only then seen. One
 * after the other, so that what is being written counts. Bus thread, but for change_run(), which says so. */

#include <string.h>

#include "daemon/actions.h"
#include "daemon/bus-variant.h"
#include "daemon/five.h"
#include "daemon/host-internal.h"
#include "daemon/service.h"
#include "shared/cleanup.h"
#include "shared/error.h"
#include "shared/names.h"

#define CHANGES_MAX 64          /* waiting for the disk */

typedef struct Change {
        VsmTask task;
        VsmStore *store;
        VsmHostData *data;              /* to be added; NULL = the one of path goes */
        char *path;
        char *name;
        sd_bus_message *call;
} Change;

static void change_free(VsmTask *task) {
        Change *change = (Change*) task;

        vsm_host_data_free(change->data);
        sd_bus_message_unref(change->call);
        g_free(change->path);
        g_free(change->name);
        g_free(change);
}

void vsm_host_changes_free(VsmHosts *hosts) {
        Change *change;

        while ((change = g_queue_pop_head(&hosts->waiting)))
                change_free(&change->task);
}

/* Store lane. */
static void change_run(VsmTask *task) {
        Change *change = (Change*) task;
        g_autofree char *value = change->data ? vsm_host_data_to_text(change->data) : NULL;
        VsmStoredText text = { change->name, value };

        (void) vsm_store_texts_change(change->store, VSM_STORE_HOST, &text, 1, &task->error);
}

static bool refuse(GError **error, VsmError code, const char *format, const char *name) {
        g_autofree char *message = g_strdup_printf("Host '%s' %s", name, format);

        g_set_error_literal(error, VSM_ERROR, code, message);
        return false;
}

static bool check_add(VsmManager *manager, const VsmHostData *data, GError **error) {
        VsmHosts *hosts = manager->hosts;
        VsmHost *host = vsm_host_find(hosts, data->name), *clash = vsm_host_find_clash(hosts, data);

        if (vsm_host_is_here(manager, data))
                return refuse(error, VSM_ERROR_INVALID_PARAMETER, "is this host itself; a destination is another "
                              "one.", data->name);
        if (host && host->from_file)
                return refuse(error, VSM_ERROR_INVALID_STATE, "stands in a file of the configuration; change it "
                              "there.", data->name);
        if (clash) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "The Name of '%s', or one of its Addresses, is also of host '%s'.", data->name,
                            clash->data->name);
                return false;
        }
        if (!host && hosts->all->len >= VSM_HOSTS_MAX) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_LIMITS_EXCEEDED, "There are %i hosts already.",
                            VSM_HOSTS_MAX);
                return false;
        }

        return true;
}

static bool check_remove(VsmManager *manager, Change *change, GError **error) {
        const VsmHost *host = vsm_host_find_path(manager, change->path);

        if (!host) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER, "The path is no Host's.");
                return false;
        }
        if (host->from_file)
                return refuse(error, VSM_ERROR_INVALID_STATE, "stands in a file of the configuration; remove it "
                              "there.", host->data->name);

        change->name = g_strdup(host->data->name);
        return true;
}

static void change_begin(VsmManager *manager, Change *change);

static void change_next(VsmManager *manager) {
        Change *next = g_queue_pop_head(&manager->hosts->waiting);

        manager->hosts->changing = false;
        if (next)
                change_begin(manager, next);
}

static void show_added(VsmManager *manager, Change *change) {
        const VsmHost *host = vsm_host_put(manager, g_steal_pointer(&change->data), false);

        vsm_bus_flush(manager->bus, NULL);
        if (host)
                (void) sd_bus_reply_method_return(change->call, "o", host->path);
        else
                (void) sd_bus_reply_method_errno(change->call, -ENOMEM, NULL);
}

static void show_removed(VsmManager *manager, Change *change) {
        VsmHost *host = vsm_host_find(manager->hosts, change->name);

        if (host && !host->from_file)
                vsm_host_remove(manager, host);
        (void) sd_bus_reply_method_return(change->call, NULL);
}

static void change_done(VsmTask *task, void *userdata) {
        Change *change = (Change*) task;
        VsmManager *manager = userdata;

        if (task->error)
                vsm_bus_reply_error(change->call, task->error);
        else if (change->data)
                show_added(manager, change);
        else
                show_removed(manager, change);

        change_next(manager);
}

/* Takes the change. */
static void change_begin(VsmManager *manager, Change *change) {
        g_autoptr(GError) error = NULL;

        manager->hosts->changing = true;
        if (!(change->data ? check_add(manager, change->data, &error) : check_remove(manager, change, &error))) {
                vsm_bus_reply_error(change->call, error);
                change_free(&change->task);
                change_next(manager);
                return;
        }

        change->store = manager->store;
        vsm_worker_push(manager->worker, VSM_LANE_STORE, &change->task);
}

/* Takes data. */
static int change_new(VsmManager *manager, sd_bus_message *call, VsmHostData *data, const char *path,
                      sd_bus_error *error) {
        Change *change;

        if (g_queue_get_length(&manager->hosts->waiting) >= CHANGES_MAX) {
                vsm_host_data_free(data);
                return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_LIMITS_EXCEEDED),
                                         "%i changes of the hosts are waiting already.", CHANGES_MAX);
        }

        change = vsm_task_new(Change, change_run, change_done, change_free);
        change->data = data;
        change->path = g_strdup(path);
        change->name = data ? g_strdup(data->name) : NULL;
        change->call = sd_bus_message_ref(call);

        if (manager->hosts->changing)
                g_queue_push_tail(&manager->hosts->waiting, change);
        else
                change_begin(manager, change);

        return 1;
}

/* settings: the keys that are given; NULL = none can be. */
static int authorize(VsmManager *manager, sd_bus_message *call, const char *name, bool known,
                     const char *settings, sd_bus_error *error) {
        const VsmMember *member = vsm_member_find(VSM_INTERFACE_MANAGER, sd_bus_message_get_member(call));
        char *details[] = {
                (char*) "destination", (char*) name,
                (char*) "destination.known", (char*) (known ? "true" : "false"),
                (char*) (settings ? "settings" : NULL), (char*) settings,
                NULL
        };

        if (!member)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_ACCESS_DENIED),
                                        "No action covers this method.");

        return vsm_polkit_check(manager->polkit, call, member->action, details, error);
}

int vsm_method_add_host(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmManager *manager = userdata;
        g_autoptr(VsmHostData) data = NULL;
        g_autoptr(GVariant) dict = NULL;
        g_autofree char *keys = NULL;
        g_autoptr(GError) e = NULL;
        size_t budget = VSM_LIMIT_MESSAGE;
        int r;

        dict = vsm_bus_read_variant(call, &budget, &e);
        if (dict)
                data = vsm_host_data_read(dict, &e);
        if (!data)
                return vsm_bus_fail(error, e);

        keys = vsm_polkit_keys(dict);
        r = authorize(manager, call, data->name, vsm_host_find(manager->hosts, data->name), keys, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        return change_new(manager, call, g_steal_pointer(&data), NULL, error);
}

int vsm_method_remove_host(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmManager *manager = userdata;
        const VsmHost *host;
        const char *path;
        int r;

        r = sd_bus_message_read(call, "o", &path);
        if (r < 0)
                return r;

        host = vsm_host_find_path(manager, path);
        if (!host)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_INVALID_PARAMETER),
                                        "The path is no Host's.");

        r = authorize(manager, call, host->data->name, true, NULL, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        return change_new(manager, call, NULL, path, error);
}
