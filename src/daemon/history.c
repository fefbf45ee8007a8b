/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Manager.ListHistory: finished migrations, from the store. Bus thread, but for list_run(), which says so. */

#include "daemon/actions.h"
#include "daemon/bus-variant.h"
#include "daemon/history-entry.h"
#include "daemon/history.h"
#include "daemon/log.h"
#include "daemon/service.h"
#include "shared/cleanup.h"
#include "shared/error.h"
#include "shared/names.h"

typedef struct ListTask {
        VsmTask task;
        VsmStore *store;
        VsmHistoryFilter filter;
        char *this_host;
        GVariant *entries;      /* aa{sv} */
        sd_bus_message *call;
} ListTask;

/* Store lane. */
static void list_run(VsmTask *task) {
        ListTask *t = (ListTask*) task;
        g_auto(GVariantBuilder) entries = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
        g_autoptr(GPtrArray) jobs = vsm_store_history(t->store, &t->filter, &task->error);

        for (guint i = 0; jobs && i < jobs->len; i++)
                g_variant_builder_add_value(&entries, vsm_history_entry(jobs->pdata[i], t->this_host));

        if (jobs)
                t->entries = g_variant_ref_sink(g_variant_builder_end(&entries));
}

static void list_done(VsmTask *task, void *userdata) {
        ListTask *t = (ListTask*) task;
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        if (!t->entries) {
                vsm_log(LOG_ERR, "Cannot read the history: %s", task->error->message);
                vsm_bus_reply_error(t->call, task->error);
                return;
        }

        r = sd_bus_message_new_method_return(t->call, &reply);
        if (r >= 0)
                r = vsm_bus_append_variant(reply, t->entries);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        if (r < 0)
                vsm_log(LOG_WARNING, "Cannot answer ListHistory: %s", g_strerror(-r));
}

static void list_free(VsmTask *task) {
        ListTask *t = (ListTask*) task;

        vsm_history_filter_clear(&t->filter);
        g_clear_pointer(&t->entries, g_variant_unref);
        sd_bus_message_unref(t->call);
        g_free(t->this_host);
        g_free(t);
}

int vsm_method_list_history(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmManager *manager = userdata;
        g_autoptr(GVariant) dict = NULL;
        VsmHistoryFilter filter = {};
        g_autoptr(GError) e = NULL;
        size_t budget = VSM_LIMIT_MESSAGE;
        ListTask *t;
        int r;

        dict = vsm_bus_read_variant(call, &budget, &e);
        if (!dict || !vsm_history_filter_parse(dict, &filter, &e))
                return vsm_bus_fail(error, e);

        r = vsm_polkit_check(manager->polkit, call,
                             vsm_member_find(VSM_INTERFACE_MANAGER, "ListHistory")->action, NULL, error);
        if (r <= 0) {
                vsm_history_filter_clear(&filter);
                return r < 0 ? r : 1;
        }

        t = vsm_task_new(ListTask, list_run, list_done, list_free);
        t->store = manager->store;
        t->filter = filter;
        t->this_host = g_strdup(vsm_service_host_name(manager));
        t->call = sd_bus_message_ref(call);
        vsm_worker_push(manager->worker, VSM_LANE_STORE, &t->task);
        return 1;
}
