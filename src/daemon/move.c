/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From the queue to the end of a migration. The long lane does the work (virt/move.c); here its steps
 * become states on the bus, and its outcome becomes the end of the job. Bus thread, but for the hooks,
 * which say so. */

#include "daemon/bandwidth.h"
#include "daemon/evacuation.h"
#include "daemon/five.h"
#include "daemon/journal.h"
#include "daemon/log.h"
#include "daemon/move-internal.h"
#include "daemon/move-type.h"
#include "daemon/service.h"
#include "shared/cleanup.h"

VsmMoveJob* vsm_move_job_new(void) {
        return g_new0(VsmMoveJob, 1);
}

void vsm_move_job_free(VsmMoveJob *move) {
        if (!move)
                return;

        sd_event_source_disable_unref(move->tick);
        sd_event_source_disable_unref(move->timeout);
        sd_event_source_disable_unref(move->blackout_end);
        g_clear_pointer(&move->run, vsm_move_unref);
        g_clear_pointer(&move->found, g_variant_unref);
        g_free(move);
}

VsmSystem* vsm_move_job_system(VsmJob *job) {
        return vsm_system_find(job->manager, job->system_uuid);
}

void vsm_move_job_set_migration(VsmJob *job, VsmMigrationState state, uint32_t reason) {
        VsmSystem *system = vsm_move_job_system(job);

        if (system && vsm_move_type(job->request->migration_type)->has_state)
                vsm_system_set_migration(system, state, reason);
}

void vsm_move_job_set_progress(VsmJob *job, unsigned percent) {
        VsmSystem *system = vsm_move_job_system(job);

        if (system && vsm_move_type(job->request->migration_type)->has_state)
                vsm_system_set_progress(system, percent);
}

/* ---- steps, told by the long lane ---- */

typedef enum {
        STEP_PREPARED,
        STEP_BEGUN,
        STEP_HANDING_OVER,
        STEP_RETURNED,
} Step;

typedef struct StepTask {
        VsmTask task;
        uint64_t job;
        Step step;
        char *address;
        uint64_t disk_bytes;
} StepTask;

static void show_hand_over(VsmJob *job) {
        /* While a cancel is under way the state stays one from which it can succeed; if it comes too
         * late, the outcome says so. */
        if (job->move->cancel || job->post_copy)
                return;

        vsm_move_job_transferring(job);
        vsm_job_set_cancellable(job, false);
        vsm_job_set_phase(job, VSM_PHASE_SWITCH_OVER);
        if (!job->move->switching) {
                vsm_job_set_percent(job, 95);
                vsm_move_blackout_begins(job);
        }
        vsm_move_job_set_progress(job, job->percent);
        vsm_move_job_set_migration(job, VSM_MIGRATION_STATE_MOVE, VSM_REASON_NONE);
        vsm_bus_flush(job->manager->bus, job->path);
        if (job->parent > 0)
                vsm_evacuation_child_moved(job);
}

void vsm_move_job_post_copy(VsmJob *job) {
        if (job->post_copy || job->move->returned)
                return;

        /* the same state of the guest, whoever asked for it, and a cancel comes too late */
        show_hand_over(job);
        vsm_move_job_set_migration(job, VSM_MIGRATION_STATE_MOVE, VSM_REASON_NONE);
        vsm_job_set_post_copy(job);
        vsm_job_set_phase(job, VSM_PHASE_POST_COPY);
        vsm_bus_flush(job->manager->bus, job->path);
}

static void step_done(VsmTask *task, void *userdata) {
        StepTask *t = (StepTask*) task;
        VsmJob *job = vsm_job_find(userdata, t->job);

        if (!job || !job->move)
                return;

        switch (t->step) {
        case STEP_PREPARED:
                g_free(job->address);
                job->address = g_steal_pointer(&t->address);
                vsm_percent_expect(&job->move->percent, t->disk_bytes, 0);
                break;
        case STEP_BEGUN:
                job->move->begun = true;
                vsm_move_watch_start(job);
                vsm_bandwidth_rebalance(job->manager);
                if (job->parent > 0)
                        vsm_evacuation_child_moved(job);
                break;
        case STEP_HANDING_OVER:
                show_hand_over(job);
                break;
        case STEP_RETURNED:
                job->move->returned = true;
                vsm_move_watch_stop(job);
                vsm_job_set_phase(job, VSM_PHASE_FINISHING);
                break;
        }
}

static void step_free(VsmTask *task) {
        StepTask *t = (StepTask*) task;

        g_free(t->address);
        g_free(t);
}

typedef struct RunTask {
        VsmTask task;
        VsmStore *store;
        VsmMove *move;
        uint64_t job;
        VsmMoveFacts facts;
        VsmJournal *journal;
        bool resume;
        VsmMoveOutcome outcome;
        VsmTransferStats stats;
} RunTask;

/* Long lane. */
static void post_step(RunTask *t, Step step, const VsmMoveFacts *facts) {
        StepTask *s = vsm_task_new(StepTask, NULL, step_done, step_free);

        s->job = t->job;
        s->step = step;
        s->address = facts ? g_strdup(facts->address) : NULL;
        s->disk_bytes = facts ? facts->disk_bytes : 0;
        vsm_worker_post(t->task.worker, &s->task);
}

/* Long lane. What is about to be done to the guest is on the disk before it is done. */
static bool hook_prepared(const VsmMoveFacts *facts, void *userdata, GError **error) {
        RunTask *t = userdata;

        post_step(t, STEP_PREPARED, facts);
        return vsm_store_job_begin(t->store, t->job, facts->persistent, facts->autostart, facts->paused,
                                   facts->address, error);
}

static void hook_started(void *userdata) {
        post_step(userdata, STEP_BEGUN, NULL);
}

static bool hook_handing_over(void *userdata) {
        RunTask *t = userdata;

        if (vsm_move_is_cancelled(t->move))
                return false;

        post_step(t, STEP_HANDING_OVER, NULL);
        return true;
}

static void hook_returned(void *userdata) {
        post_step(userdata, STEP_RETURNED, NULL);
}

static void resume(RunTask *t, const VsmMoveHooks *hooks) {
        g_autoptr(GPtrArray) effects = NULL;
        g_autoptr(GError) error = NULL;

        /* Without them, what was done stays for the rollback after the job's end. */
        effects = vsm_store_effects(t->store, t->job, NULL, &error);
        if (!effects)
                vsm_log(LOG_ERR, "Job %" PRIu64 ": what was done on its behalf cannot be read: %s", t->job,
                        error->message);

        hook_started(t);
        t->outcome = vsm_move_resume(t->move, &t->facts, effects, hooks, &t->stats, &t->task.error);
        hook_returned(t);
}

static void run_run(VsmTask *task) {
        RunTask *t = (RunTask*) task;
        VsmMoveHooks hooks = { hook_prepared, hook_started, hook_handing_over, hook_returned, t, t->journal };

        if (t->resume)
                resume(t, &hooks);
        else
                t->outcome = vsm_move_run(t->move, &hooks, &t->stats, &task->error);
}

static void run_done(VsmTask *task, void *userdata) {
        RunTask *t = (RunTask*) task;
        VsmJob *job = vsm_job_find(userdata, t->job);

        if (!job || !job->move)
                return;

        vsm_move_blackout_ends(job, t->outcome, &t->stats);
        job->move->found = vsm_move_reasons(t->move);
        vsm_move_job_outcome(job, t->outcome, &t->stats, task->error);
}

static void run_free(VsmTask *task) {
        RunTask *t = (RunTask*) task;

        vsm_move_unref(t->move);
        vsm_journal_free(t->journal);
        g_free(t->facts.address);
        g_free(t);
}

/* ---- its turn ---- */

void vsm_move_job_run(VsmJob *job, const VsmMoveFacts *facts) {
        g_autoptr(VsmMoveOptions) options =
                vsm_move_options_of(job->manager, job->system_uuid, job->request);
        RunTask *t = vsm_task_new(RunTask, run_run, run_done, run_free);

        options->bandwidth = job->move->bandwidth = job->move->bandwidth_begun = vsm_bandwidth_share(job);

        options->job = job->number;
        job->move->run = vsm_move_new(job->manager->virt, options);

        t->store = job->manager->store;
        t->move = vsm_move_ref(job->move->run);
        t->job = job->number;
        t->journal = vsm_journal_new(t->store, t->job);
        if (facts) {
                t->resume = true;
                t->facts = *facts;
                t->facts.address = g_strdup(facts->address);
        }

        vsm_worker_push(job->manager->worker, VSM_LANE_LONG, &t->task);
}

typedef struct StartedTask {
        VsmTask task;
        VsmStore *store;
        uint64_t job, when;
} StartedTask;

static void started_run(VsmTask *task) {
        StartedTask *t = (StartedTask*) task;

        (void) vsm_store_job_started(t->store, t->job, t->when, &task->error);
}

void vsm_move_job_start(VsmJob *job) {
        StartedTask *t = vsm_task_new(StartedTask, started_run, NULL, NULL);

        vsm_job_set_state(job, VSM_JOB_STATE_STARTING);
        vsm_job_set_phase(job, VSM_PHASE_PREPARING);
        vsm_service_count_migrations(job->manager, job->request->migration_type, 1);

        t->store = job->manager->store;
        t->job = job->number;
        t->when = job->started;
        vsm_worker_push(job->manager->worker, VSM_LANE_STORE, &t->task);

        vsm_move_job_run(job, NULL);
}

void vsm_move_job_transferring(VsmJob *job) {
        if (job->state == VSM_JOB_STATE_STARTING) {
                vsm_move_job_set_migration(job, VSM_MIGRATION_STATE_DATA_TRANSFER, VSM_REASON_NONE);
                /* disks first, where some are moved */
                vsm_job_set_phase(job, vsm_move_type(job->request->migration_type)->counts_storage ?
                                  VSM_PHASE_DISKS : VSM_PHASE_MEMORY);
                vsm_job_set_state(job, VSM_JOB_STATE_RUNNING);
                vsm_bandwidth_transfer_begins(job);
        }
}

static VsmJob* begun_job_of(VsmManager *manager, const char *uuid) {
        VsmSystem *system = vsm_system_find(manager, uuid);
        VsmJob *job = system ? vsm_job_find(manager, vsm_system_active_job(system)) : NULL;

        return job && job->move && job->move->begun && !job->move->returned ? job : NULL;
}

void vsm_move_job_on_iteration(VsmManager *manager, const char *uuid, int iteration) {
        VsmJob *job = begun_job_of(manager, uuid);

        if (!job)
                return;

        /* a pass over the memory: what it has to send is known at its beginning */
        vsm_move_job_transferring(job);
        if (job->phase == VSM_PHASE_DISKS)
                vsm_job_set_phase(job, VSM_PHASE_MEMORY);
        vsm_move_watch_look(job);
}

void vsm_move_job_on_handed_over(VsmManager *manager, const char *uuid) {
        VsmJob *job = begun_job_of(manager, uuid);

        if (!job)
                return;

        vsm_move_handed_over(job->move->run);
        show_hand_over(job);
}

void vsm_move_job_on_post_copy(VsmManager *manager, const char *uuid) {
        VsmJob *job = begun_job_of(manager, uuid);

        if (!job)
                return;

        vsm_move_handed_over(job->move->run);
        vsm_move_job_post_copy(job);
}
