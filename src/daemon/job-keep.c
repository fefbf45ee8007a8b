/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Bus thread only. */

#include "daemon/evacuation-recover.h"
#include "daemon/job-keep.h"
#include "daemon/log.h"
#include "daemon/move-type.h"
#include "daemon/system.h"

/* Time that it took, time of its last state, verdict, percent; real pause in ms, whether it was in post-copy, whether
 * somebody has to look at the guest; memory total, processed, remaining; disk the same; bandwidth, dirty rate,
 * iteration, expected pause; reasons. A new form gets another type, and old ones are passed over: they are gone in
 * minutes. */
#define FORM "(ttsqubbttttttttuu@aa{sv})"
#define FORM_TYPE "(ttsqubbttttttttuuaa{sv})"

/* ---- keeping ---- */

typedef struct KeepTask {
        VsmTask task;
        VsmStore *store;
        uint64_t job;
        char *text;
} KeepTask;

static void keep_run(VsmTask *task) {
        KeepTask *t = (KeepTask*) task;

        (void) vsm_store_job_remains(t->store, t->job, t->text, &task->error);
}

static void keep_done(VsmTask *task, void *userdata) {
        if (task->error)
                vsm_log(LOG_WARNING, "What job %" PRIu64 " shows will not outlive the service: %s",
                        ((KeepTask*) task)->job, task->error->message);
}

static void keep_free(VsmTask *task) {
        g_free(((KeepTask*) task)->text);
        g_free(task);
}

static char* format(const VsmJob *job) {
        const VsmTransferStats *s = &job->stats;
        uint64_t took = job->started_mono > 0 ? job->ended_mono - job->started_mono : 0;
        g_autoptr(GVariant) none = g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0));
        g_autoptr(GVariant) value = NULL;

        value = g_variant_ref_sink(g_variant_new(
                        FORM, took, job->changed, job->verdict, job->percent, job->downtime, job->post_copy,
                        job->doubtful, s->memory_total, s->memory_processed, s->memory_remaining,
                        s->disk_total, s->disk_processed, s->disk_remaining,
                        s->bandwidth, s->dirty_rate, s->iteration, s->downtime, job->reasons ?: none));
        return g_variant_print(value, TRUE);
}

void vsm_job_keep(VsmJob *job) {
        KeepTask *t = vsm_task_new(KeepTask, keep_run, keep_done, keep_free);

        t->store = job->manager->store;
        t->job = job->number;
        t->text = format(job);
        vsm_worker_push(job->manager->worker, VSM_LANE_STORE, &t->task);
}

/* ---- showing again ---- */

static void parse(VsmJob *job, const char *text) {
        g_autoptr(GVariant) value = NULL, reasons = NULL;
        VsmTransferStats *s = &job->stats;
        const char *verdict = NULL;
        gboolean post_copy = FALSE, doubtful = FALSE;
        uint64_t took = 0;

        /* GLib's parser relies on it */
        if (g_utf8_validate(text, -1, NULL))
                value = g_variant_parse(G_VARIANT_TYPE(FORM_TYPE), text, NULL, NULL, NULL);
        if (!value)
                return;

        g_variant_get(value, "(tt&squbbttttttttuu@aa{sv})",
                      &took, &job->changed, &verdict, &job->percent, &job->downtime, &post_copy,
                      &doubtful, &s->memory_total, &s->memory_processed, &s->memory_remaining,
                      &s->disk_total, &s->disk_processed, &s->disk_remaining,
                      &s->bandwidth, &s->dirty_rate, &s->iteration, &s->downtime, &reasons);
        job->verdict = g_intern_string(verdict); /* one of a few */
        job->percent = MIN(job->percent, 100);
        job->post_copy = post_copy;
        job->doubtful = doubtful;
        if (took > 0) {
                job->started_mono = 1;
                job->ended_mono = 1 + took;
        }
        g_clear_pointer(&job->reasons, g_variant_unref);
        job->reasons = g_steal_pointer(&reasons);
}

static bool is_unfinished(VsmManager *manager, uint64_t number) {
        for (guint i = 0; manager->unfinished && i < manager->unfinished->len; i++)
                if (((const VsmStoredJob*) manager->unfinished->pdata[i])->number == number)
                        return true;

        return false;
}

static void show(VsmManager *manager, const VsmStoredJob *stored, uint64_t left) {
        bool is_parent = vsm_job_type_is_parent(stored->type);
        VsmRequest *request = is_parent ? NULL : vsm_request_from_text(stored->request, NULL);
        VsmSystem *system = vsm_system_find(manager, stored->system);
        VsmJob *job;

        /* its history is enough */
        if (!request && !is_parent)
                return;

        job = vsm_job_new(manager, stored->type);
        job->request = request;
        job->parent = stored->parent;
        g_strlcpy(job->system_uuid, stored->system, sizeof job->system_uuid);
        g_free(job->system_name);
        job->system_name = g_strdup(stored->system_name);
        g_free(job->owner);
        job->owner = g_strdup(stored->owner);
        job->owner_uid = stored->owner_uid;
        g_free(job->error);
        job->error = g_strdup(stored->error);
        job->address = g_strdup(stored->address);
        job->state = stored->state;
        job->error_code = stored->error_code;
        job->phase = VSM_PHASE_DONE;
        job->cancellable = false;
        job->submitted = stored->submitted;
        job->started = stored->started;
        job->ended = job->changed = stored->ended;
        parse(job, stored->remains);
        if (is_parent)
                (void) vsm_evacuation_restore(job, stored);

        vsm_job_publish(job, stored->number);
        /* a child goes with its parent, which may not be at its end */
        if (!vsm_job_find(manager, job->parent) && !is_unfinished(manager, job->parent))
                vsm_job_remove_in(job, left);
        if (system && vsm_job_type_moves(stored->type))
                vsm_system_set_job(system, job->number);
}

void vsm_job_keep_show_all(VsmManager *manager) {
        g_autoptr(GPtrArray) recent = g_steal_pointer(&manager->recent);

        for (guint i = 0; recent && i < recent->len; i++) {
                const VsmStoredJob *stored = recent->pdata[i];
                uint64_t gone = vsm_realtime_since(stored->ended);

                /* of an older one the parent is not at its end */
                show(manager, stored, gone < VSM_JOB_RETENTION_USEC ? VSM_JOB_RETENTION_USEC - gone : 0);
        }
}
