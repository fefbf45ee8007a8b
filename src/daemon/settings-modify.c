/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* ModifyServiceSettings. Each call writes down the keys that it changes and no others, in the order of the
 * store lane, and takes effect in the same order: calls that come together are applied one on top of the
 * other. Bus thread, but for modify_run(), which says so. */

#include "daemon/actions.h"
#include "daemon/draining.h"
#include "daemon/bus-variant.h"
#include "daemon/log.h"
#include "daemon/refuse.h"
#include "daemon/settings-file.h"
#include "daemon/settings.h"
#include "shared/enums.h"
#include "shared/error.h"
#include "shared/names.h"

typedef struct ModifyTask {
        VsmTask task;
        VsmStore *store;
        GVariant *wish;
        sd_bus_message *call;

        /* the hook's file, when the wish is about incoming guests */
        bool concerns_incoming;
        char *directory;
        char *refusal;          /* NULL = let them in */
        GError *refusal_error;
} ModifyTask;

static bool write_down(VsmStore *store, GVariant *wish, GError **error) {
        g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);
        g_autofree VsmStoredText *texts = g_new0(VsmStoredText, g_variant_n_children(wish) + 1);
        GVariantIter iter;
        const char *name;
        GVariant *value;
        size_t n = 0;

        g_variant_iter_init(&iter, wish);
        while (g_variant_iter_loop(&iter, "{&sv}", &name, &value)) {
                /* with types: what comes back is what was taken */
                char *text = g_variant_print(value, TRUE);

                g_ptr_array_add(values, text);
                texts[n++] = (VsmStoredText) { (char*) name, text };
        }

        return vsm_store_texts_change(store, VSM_STORE_SETTING, texts, n, error);
}

/* Store lane. Who closes the door closes it before he says so; who opens it says so first: whatever fails
 * between, nobody comes in who was told that he would not. */
static void modify_run(VsmTask *task) {
        ModifyTask *t = (ModifyTask*) task;

        if (t->concerns_incoming && t->refusal && !vsm_refuse_write(t->directory, t->refusal, &task->error))
                return;

        if (!write_down(t->store, t->wish, &task->error))
                return;

        if (t->concerns_incoming && !t->refusal)
                (void) vsm_refuse_write(t->directory, NULL, &t->refusal_error);
}

static void modify_done(VsmTask *task, void *userdata) {
        ModifyTask *t = (ModifyTask*) task;
        VsmManager *manager = userdata;

        if (task->error) {
                vsm_log(LOG_ERR, "Cannot change the settings: %s", task->error->message);
                vsm_bus_reply_error(t->call, task->error);
                vsm_settings_end(manager, NULL);
                if (t->concerns_incoming)
                        vsm_refuse_update(manager);
                return;
        }

        if (t->refusal_error)
                vsm_log(LOG_ERR, "%s", t->refusal_error->message);

        vsm_settings_end(manager, t->wish);
        (void) sd_bus_reply_method_return(t->call, "uo", VSM_RETURN_COMPLETED, "/");
}

static void modify_free(VsmTask *task) {
        ModifyTask *t = (ModifyTask*) task;

        g_variant_unref(t->wish);
        sd_bus_message_unref(t->call);
        g_clear_error(&t->refusal_error);
        g_free(t->directory);
        g_free(t->refusal);
        g_free(t);
}

static void modify_push(VsmManager *manager, GVariant *wish, sd_bus_message *call) {
        ModifyTask *t = vsm_task_new(ModifyTask, modify_run, modify_done, modify_free);
        gboolean enable = FALSE;

        t->store = manager->store;
        t->wish = vsm_settings_begin(manager, wish);
        t->call = sd_bus_message_ref(call);
        t->concerns_incoming = g_variant_lookup(t->wish, "EnableVirtualSystemMigration", "b", &enable);
        if (t->concerns_incoming) {
                t->directory = g_strdup(manager->state_directory);
                t->refusal = vsm_refuse_sentence(manager, enable, vsm_draining(manager));
        }

        vsm_worker_push(manager->worker, VSM_LANE_STORE, &t->task);
}

int vsm_method_modify_service_settings(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmManager *manager = userdata;
        g_autoptr(GVariant) dict = NULL, wish = NULL;
        g_autofree char *names = NULL;
        g_autoptr(GError) e = NULL;
        size_t budget = VSM_LIMIT_MESSAGE;
        int r;

        dict = vsm_bus_read_variant(call, &budget, &e);
        if (dict)
                wish = vsm_settings_parse(dict, &e);
        if (!wish)
                return vsm_bus_fail(error, e);

        names = vsm_polkit_keys(dict);
        r = vsm_polkit_check(manager->polkit, call,
                             vsm_member_find(VSM_INTERFACE_SERVICE, "ModifyServiceSettings")->action,
                             (char*[]) { (char*) "settings", names, NULL }, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        modify_push(manager, wish, call);
        return 1;
}
