/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What reaches an evacuation that runs from outside: a cancel, its children, the systems of this host, an earlier run of
 * the daemon. Most of it only wakes it (evacuation-run.c). Bus thread, but for cancel_run(), which says so. */

#include "daemon/evacuation-recover.h"
#include "daemon/evacuation-run.h"
#include "daemon/log.h"

/* ---- a cancel ---- */

typedef struct CancelTask {
        VsmTask task;
        VsmStore *store;
        uint64_t job;
        bool kill;
} CancelTask;

/* Store lane. */
static void cancel_run(VsmTask *task) {
        CancelTask *t = (CancelTask*) task;

        (void) vsm_store_job_cancel(t->store, t->job, t->kill ? 5 : 4, &task->error);
}

static void cancel_done(VsmTask *task, void *userdata) {
        if (task->error)
                vsm_log(LOG_ERR, "Cannot write the cancel of job %" PRIu64 " down: %s", ((CancelTask*) task)->job,
                        task->error->message);
}

void vsm_evacuation_keep_cancel(VsmJob *job, bool kill) {
        CancelTask *t = vsm_task_new(CancelTask, cancel_run, cancel_done, NULL);

        t->store = job->manager->store;
        t->job = job->number;
        t->kill = kill;
        vsm_worker_push(job->manager->worker, VSM_LANE_STORE, &t->task);
}

void vsm_evacuation_run_cancel(VsmJob *job, bool kill) {
        VsmEvacuationRun *run = job->evacuation->run;

        if (!run || run->ending)
                return;

        /* before the end of any child that it brings about */
        vsm_evacuation_keep_cancel(job, kill);

        run->cancel = true;
        run->kill |= kill;
        vsm_job_set_cancellable(job, false);
        vsm_job_set_state(job, VSM_JOB_STATE_SHUTTING_DOWN);
        vsm_evacuation_run_wake(run);
}

/* ---- children ---- */

static VsmEvacuee* evacuee_of(const VsmJob *child, VsmEvacuationRun **ret) {
        VsmJob *parent = vsm_job_find(child->manager, child->parent);

        *ret = parent && parent->evacuation ? parent->evacuation->run : NULL;
        return *ret ? vsm_evacuation_run_find(*ret, child->system_uuid) : NULL;
}

void vsm_evacuation_child_ended(VsmJob *child) {
        VsmEvacuationRun *run;
        VsmEvacuee *evacuee = evacuee_of(child, &run);

        if (evacuee && evacuee->state == VSM_EVACUEE_MOVING)
                vsm_evacuee_child_ended(run, evacuee, child);
        else if (!run)
                vsm_evacuation_late_child(child);
}

void vsm_evacuation_child_refused(VsmJob *child, const GError *error) {
        VsmEvacuationRun *run;
        VsmEvacuee *evacuee = evacuee_of(child, &run);

        if (!evacuee)
                return;

        evacuee->job = NULL;
        evacuee->state = VSM_EVACUEE_WAITING;
        vsm_evacuation_run_replan(run);
}

void vsm_evacuation_child_moved(VsmJob *child) {
        VsmEvacuationRun *run;

        if (evacuee_of(child, &run))
                vsm_evacuation_run_wake(run);
}

void vsm_evacuation_systems_changed(VsmManager *manager) {
        VsmJob *job = vsm_evacuation_running(manager);

        if (job && job->evacuation->run)
                vsm_evacuation_run_wake(job->evacuation->run);
}

void vsm_evacuation_run_adopt(VsmJob *parent, VsmJob *child) {
        VsmEvacuationRun *run = parent->evacuation->run;
        VsmEvacuee *evacuee = vsm_evacuation_run_find(run, child->system_uuid);

        if (!evacuee) {
                VsmLeaver *leaver = vsm_leaver_new(child->system_uuid, child->system_name);

                g_ptr_array_add(run->record->leavers, leaver);
                evacuee = vsm_evacuation_run_add(run, leaver);
        }
        if (evacuee->state == VSM_EVACUEE_ENDED)
                return;

        g_free(evacuee->host);
        evacuee->host = g_strdup(child->request->destination);
        evacuee->state = VSM_EVACUEE_MOVING;
        evacuee->job = child;
        if (vsm_job_is_unfinished(child))
                return;

        /* one that ended while nobody was there, or before: the same follows from it; but what failed by an earlier way
         * of its chain says nothing of the present one */
        vsm_evacuee_child_ended(run, evacuee, child);
        if (evacuee->leaver->level > 0)
                vsm_evacuee_forget_failures(run, evacuee);
}
