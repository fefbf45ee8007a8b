/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Jobs that were not at their end when the daemon was: each has its path and number again. What was
 * queued is queued; what libvirt may have been called for is followed to its end and then asked
 * about on both hosts; what another boot began is asked about and not started again. Bus thread. */

#include <string.h>

#include "daemon/bring-back.h"
#include "daemon/check-job.h"
#include "daemon/evacuation-recover.h"
#include "daemon/log.h"
#include "daemon/move-internal.h"
#include "daemon/move-type.h"
#include "daemon/queue.h"
#include "daemon/service.h"

static VsmJob* job_of(VsmManager *manager, const VsmStoredJob *stored, VsmRequest *request) {
        VsmJob *job = vsm_job_new(manager, stored->type);

        job->request = request;
        g_strlcpy(job->system_uuid, stored->system, sizeof job->system_uuid);
        g_free(job->system_name);
        job->system_name = g_strdup(stored->system_name);
        g_free(job->owner);
        job->owner = g_strdup(stored->owner);
        job->owner_uid = stored->owner_uid;
        job->parent = stored->parent;
        job->submitted = stored->submitted;
        job->address = g_strdup(stored->address);
        job->percent = MIN(stored->percent, 100);
        if (vsm_job_type_moves(stored->type))
                job->move = vsm_move_job_new();
        if (!request && !vsm_evacuation_restore(job, stored))
                vsm_log(LOG_ERR, "What was asked of job %" PRIu64 " cannot be read back.", stored->number);

        vsm_job_publish(job, stored->number);
        return job;
}

static void end_at_once(VsmJob *job, VsmMoveOutcome outcome, const char *why) {
        static const VsmTransferStats nothing = {};
        g_autoptr(GError) error = g_error_new_literal(VSM_ERROR, VSM_ERROR_INVALID_STATE, why);

        vsm_move_job_outcome(job, outcome, &nothing, error);
}

static void follow(VsmJob *job, const VsmStoredJob *stored) {
        VsmMoveFacts facts = {
                .persistent = stored->persistent,
                .autostart = stored->autostart,
                .paused = stored->paused,
                .address = stored->address,
        };

        job->move->resumed = true;
        job->started = stored->started;
        job->started_mono = vsm_now_monotonic() - MIN(vsm_realtime_since(stored->started), vsm_now_monotonic());
        vsm_job_set_state(job, VSM_JOB_STATE_STARTING);
        vsm_job_set_phase(job, VSM_PHASE_PREPARING);
        vsm_service_count_migrations(job->manager, job->request->migration_type, 1);
        vsm_move_job_run(job, &facts);
}

/* What it does besides is taken up when all its children are. */
static void recover_parent(VsmManager *manager, const VsmStoredJob *stored) {
        VsmJob *job = job_of(manager, stored, NULL);

        vsm_evacuation_adopt(job, stored);
}

static void recover(VsmManager *manager, const VsmStoredJob *stored) {
        VsmSystem *system = vsm_system_find(manager, stored->system);
        g_autoptr(GError) error = NULL;
        VsmRequest *request = vsm_request_from_text(stored->request, &error);
        VsmJob *job;

        if (!request) {
                vsm_log(LOG_ERR, "Job %" PRIu64 " cannot be read back: %s", stored->number, error->message);
                return;
        }

        job = job_of(manager, stored, request);
        vsm_log(LOG_NOTICE, "Job %" PRIu64 " (%s to %s) was not at its end when the service stopped.",
                job->number, job->system_name, request->destination);

        if (!job->move) {
                vsm_check_job_interrupted(job);
                return;
        }

        if (system) {
                vsm_system_claim(system);
                vsm_system_set_job(system, job->number);
                vsm_move_job_set_migration(job, VSM_MIGRATION_STATE_SETUP, VSM_REASON_NONE);
                vsm_move_job_set_progress(job, job->percent);
        }

        if (stored->begun) {
                follow(job, stored);
                vsm_move_watch_timeout(job);
                if (stored->cancel > 0)
                        vsm_move_job_cancel(job, stored->cancel == 5);
        } else if (stored->cancel > 0) {
                job->move->cancel = true;
                job->move->kill = stored->cancel == 5;
                end_at_once(job, VSM_MOVE_STAYED, "The migration was cancelled before it began.");
        } else if (!g_str_equal(stored->boot_id, manager->boot_id))
                end_at_once(job, VSM_MOVE_STAYED, "The host was restarted before the migration began.");
        else if (!system)
                end_at_once(job, VSM_MOVE_LOST, "The system has gone from this host.");
        else {
                vsm_move_watch_timeout(job);
                vsm_queue_add(manager->queue, job);
        }
}

void vsm_move_recover_all(VsmManager *manager) {
        g_autoptr(GPtrArray) unfinished = g_steal_pointer(&manager->unfinished);

        if (unfinished)
                vsm_bring_back_recover_all(manager, unfinished);
        for (guint i = 0; unfinished && i < unfinished->len; i++) {
                const VsmStoredJob *stored = unfinished->pdata[i];

                if (vsm_job_type_is_parent(stored->type))
                        recover_parent(manager, stored);
                else
                        recover(manager, stored);
        }

        vsm_queue_run(manager->queue);
}

typedef struct PercentTask {
        VsmTask task;
        VsmStore *store;
        uint64_t job;
        uint16_t percent;
} PercentTask;

static void percent_run(VsmTask *task) {
        PercentTask *t = (PercentTask*) task;

        (void) vsm_store_job_percent(t->store, t->job, t->percent, &task->error);
}

void vsm_move_keep_progress(VsmManager *manager) {
        GHashTableIter iter;
        VsmJob *job;

        g_hash_table_iter_init(&iter, manager->jobs);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &job)) {
                PercentTask *t;

                if (!job->move || job->percent == 0)
                        continue;

                t = vsm_task_new(PercentTask, percent_run, NULL, NULL);
                t->store = manager->store;
                t->job = job->number;
                t->percent = job->percent;
                vsm_worker_push(manager->worker, VSM_LANE_STORE, &t->task);
        }
}
