/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Manager.BringBack: from the call to the job; and bring-backs of an earlier run of the daemon. Bus thread, but for the
 * functions of the store lane, which say so. */

#include "daemon/actions.h"
#include "daemon/bring-back-internal.h"
#include "daemon/bus-variant.h"
#include "daemon/draining.h"
#include "daemon/evacuation-internal.h"
#include "daemon/job-methods.h"
#include "daemon/log.h"
#include "daemon/move.h"
#include "daemon/service.h"
#include "shared/names.h"

/* ---- begun ---- */

static void on_drained(VsmManager *manager, const GError *error, void *userdata) {
        VsmJob *job = vsm_job_find(manager, GPOINTER_TO_SIZE(userdata));

        if (!job || !job->back)
                return;

        /* libvirt's hook goes on refusing what comes, and each guest that is refused says so */
        if (error)
                vsm_log(LOG_ERR, "This host goes on draining: %s", error->message);

        job->back->waiting = false;
        if (!job->back->cancel && !job->back->rebooted)
                vsm_bring_back_look(job);
        vsm_bring_back_step(job);
}

/* It is known who is away. Nobody can come before draining has ended. */
static void run(VsmJob *job) {
        vsm_job_set_state(job, VSM_JOB_STATE_STARTING);
        vsm_job_set_state(job, VSM_JOB_STATE_RUNNING);
        vsm_bring_back_show(job);

        if (vsm_draining(job->manager) && !job->back->rebooted)
                vsm_draining_set(job->manager, false, false, on_drained, GSIZE_TO_POINTER(job->number));
        else
                on_drained(job->manager, NULL, GSIZE_TO_POINTER(job->number));
}

static void begin(VsmJob *job) {
        vsm_log(LOG_INFO, "Job %" PRIu64 ": %u systems are to come back, asked for by %s.", job->number,
                job->back->guests->len, job->owner);
        vsm_evacuation_starting(job->manager, false);
        run(job);
}

static void refused(VsmJob *job, const GError *error) {
        vsm_evacuation_starting(job->manager, false);
}

/* ---- the call ---- */

typedef struct ReadTask {
        VsmTask task;
        VsmStore *store;
        VsmEvacuationOptions *options;
        sd_bus_message *call;
        uid_t caller;
        GPtrArray *away;                /* VsmAway */
} ReadTask;

/* Store lane: after what was forgotten before. */
static void read_run(VsmTask *task) {
        ReadTask *t = (ReadTask*) task;

        t->away = vsm_bring_back_record_read(t->store, t->options->systems, &task->error);
        if (t->away && !vsm_bring_back_record_call(t->store, t->away, &task->error))
                g_clear_pointer(&t->away, g_ptr_array_unref);
}

static void read_done(VsmTask *task, void *userdata) {
        ReadTask *t = (ReadTask*) task;
        VsmManager *manager = userdata;
        VsmJob *job;

        if (!t->away) {
                vsm_evacuation_starting(manager, false);
                vsm_bus_reply_error(t->call, task->error);
                return;
        }

        job = vsm_evacuation_job_new(manager, VSM_JOB_TYPE_BRING_BACK,
                                     vsm_evacuation_options_to_variant(t->options));
        vsm_bring_back_make(job, g_steal_pointer(&t->options));
        vsm_bring_back_take(job, t->away);
        job->begin = begin;
        job->refused = refused;
        vsm_job_accept(job, t->call, NULL, NULL, t->caller);
}

static void read_free(VsmTask *task) {
        ReadTask *t = (ReadTask*) task;

        vsm_evacuation_options_free(t->options);
        sd_bus_message_unref(t->call);
        g_clear_pointer(&t->away, g_ptr_array_unref);
        g_free(t);
}

static int refuse(sd_bus_error *error, VsmError code, const char *message) {
        return sd_bus_error_set(error, vsm_error_to_bus_name(code), message);
}

static int check_state(VsmManager *manager, uid_t caller, sd_bus_error *error) {
        g_autoptr(GError) e = NULL;

        if (!manager->libvirt_up)
                return refuse(error, VSM_ERROR_SYSTEM_NOT_AVAILABLE,
                              "libvirt on this host does not answer; see 'systemctl status libvirtd'.");
        if (!manager->settings.enable_migration)
                return refuse(error, VSM_ERROR_INVALID_STATE,
                              "EnableVirtualSystemMigration is false: no running system enters this host.");
        if (!vsm_evacuation_check_idle(manager, &e))
                return vsm_bus_fail(error, e);

        return vsm_job_check_limits(manager, caller, error);
}

int vsm_method_bring_back(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmManager *manager = userdata;
        g_autoptr(VsmEvacuationOptions) options = NULL;
        g_autoptr(GVariant) dict = NULL;
        g_autoptr(GError) e = NULL;
        size_t budget = VSM_LIMIT_MESSAGE;
        uid_t caller;
        ReadTask *t;
        int r;

        dict = vsm_bus_read_variant(call, &budget, &e);
        options = dict ? vsm_bring_back_options_new(dict, &e) : NULL;
        if (!options)
                return vsm_bus_fail(error, e);

        r = vsm_polkit_check(manager->polkit, call, vsm_member_find(VSM_INTERFACE_MANAGER, "BringBack")->action, NULL,
                             error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = vsm_bus_caller(call, &caller);
        if (r < 0)
                return refuse(error, VSM_ERROR_ACCESS_DENIED, "The caller has left the bus.");

        r = check_state(manager, caller, error);
        if (r < 0)
                return r;

        vsm_evacuation_starting(manager, true);
        t = vsm_task_new(ReadTask, read_run, read_done, read_free);
        t->store = manager->store;
        t->options = g_steal_pointer(&options);
        t->call = sd_bus_message_ref(call);
        t->caller = caller;
        vsm_worker_push(manager->worker, VSM_LANE_STORE, &t->task);
        return 1;
}

/* ---- after a restart ---- */

typedef struct RecoverTask {
        VsmTask task;
        VsmStore *store;
        uint64_t job;
        GPtrArray *away;
        GPtrArray *children;            /* VsmStoredJob: without an end */
} RecoverTask;

/* Store lane. Who was named and has come home is not away any more, so all are read. */
static void recover_run(VsmTask *task) {
        RecoverTask *t = (RecoverTask*) task;

        t->away = vsm_bring_back_record_read(t->store, NULL, &task->error);
}

static void keep_wanted(GPtrArray *away, char **systems) {
        for (guint i = away->len; systems && i > 0; i--)
                if (!g_strv_contains((const char* const*) systems, ((VsmAway*) away->pdata[i - 1])->uuid))
                        (void) g_ptr_array_remove_index(away, i - 1);
}

/* Those that it brought home before the daemon stopped, as far as they are still shown. */
static unsigned count_home(VsmJob *job) {
        GHashTableIter iter;
        unsigned n = 0;
        VsmJob *child;

        g_hash_table_iter_init(&iter, job->manager->jobs);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &child))
                n += child->parent == job->number && vsm_job_state_is_success(child->state) &&
                        !vsm_coming_find(job, child->system_uuid);

        return n;
}

static void recover_done(VsmTask *task, void *userdata) {
        RecoverTask *t = (RecoverTask*) task;
        VsmManager *manager = userdata;
        VsmJob *job = vsm_job_find(manager, t->job);

        if (!job || !job->back)
                return;

        if (task->error)
                vsm_log(LOG_ERR, "It cannot be read who is away: %s", task->error->message);
        if (t->away) {
                keep_wanted(t->away, job->back->options->systems);
                vsm_bring_back_take(job, t->away);
        }

        job->back->home_before = count_home(job);
        for (guint i = 0; i < t->children->len; i++) {
                const VsmStoredJob *stored = t->children->pdata[i];
                VsmJob *child = vsm_job_find(manager, stored->number);

                if (child)
                        vsm_bring_back_adopt(job, child, stored);
        }

        run(job);
}

static void recover_free(VsmTask *task) {
        RecoverTask *t = (RecoverTask*) task;

        g_clear_pointer(&t->away, g_ptr_array_unref);
        g_ptr_array_unref(t->children);
        g_free(t);
}

/* In the form in which the store has them. */
static void take_stored(VsmJob *job, const VsmStoredJob *stored) {
        g_strlcpy(job->system_uuid, stored->system, sizeof job->system_uuid);
        g_free(job->system_name);
        job->system_name = g_strdup(stored->system_name);
        g_free(job->owner);
        job->owner = g_strdup(stored->owner);
        job->owner_uid = stored->owner_uid;
        job->submitted = stored->submitted;
        job->parent = stored->parent;
        vsm_job_publish(job, stored->number);
}

static bool recover_child(VsmManager *manager, const VsmStoredJob *stored) {
        VsmRequest *request = vsm_request_from_text(stored->request, NULL);
        VsmJob *job;

        if (!request)
                return false;

        job = vsm_job_new(manager, stored->type);
        job->request = request;
        take_stored(job, stored);
        return true;
}

static void recover_parent(VsmManager *manager, const VsmStoredJob *stored, GPtrArray *unfinished) {
        g_autoptr(VsmEvacuationOptions) options = NULL;
        g_autoptr(GVariant) dict = NULL;
        RecoverTask *t;
        VsmJob *job;

        if (g_utf8_validate(stored->request, -1, NULL))
                dict = g_variant_parse(G_VARIANT_TYPE_VARDICT, stored->request, NULL, NULL, NULL);
        options = dict ? vsm_bring_back_options_new(dict, NULL) : NULL;
        if (!options) {
                vsm_log(LOG_ERR, "Job %" PRIu64 ": what was asked for cannot be read back.", stored->number);
                return;
        }

        job = vsm_evacuation_job_new(manager, stored->type, g_variant_ref(dict));
        vsm_bring_back_make(job, g_steal_pointer(&options));
        job->back->cancel = stored->cancel > 0;
        job->back->kill = stored->cancel == 5;
        job->back->rebooted = !g_str_equal(stored->boot_id, manager->boot_id);
        take_stored(job, stored);

        t = vsm_task_new(RecoverTask, recover_run, recover_done, recover_free);
        t->store = manager->store;
        t->job = stored->number;
        t->children = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_stored_job_free);
        for (guint i = 0; i < unfinished->len;) {
                VsmStoredJob *child = unfinished->pdata[i];

                if (child->parent != stored->number || !recover_child(manager, child))
                        i++;
                else
                        g_ptr_array_add(t->children, g_ptr_array_steal_index(unfinished, i));
        }

        vsm_worker_push(manager->worker, VSM_LANE_STORE, &t->task);
}

void vsm_bring_back_recover_all(VsmManager *manager, GPtrArray *unfinished) {
        for (guint i = 0; i < unfinished->len;) {
                VsmStoredJob *stored = unfinished->pdata[i];

                if (stored->type != VSM_JOB_TYPE_BRING_BACK) {
                        i++;
                        continue;
                }

                (void) g_ptr_array_steal_index(unfinished, i);
                recover_parent(manager, stored, unfinished);
                vsm_stored_job_free(stored);
        }
}
