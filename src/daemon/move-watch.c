/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Watching a migration that libvirt runs: progress, stalls, the time limit, and pushing a cancel
 * through. libvirt accepts an abort in milliseconds and may still wait for minutes when the other
 * side does not answer; so a cancel goes on asking, and at the end takes the waiting guest there
 * away. Bus thread only; libvirt is asked on workers, one question at a time. */

#include "daemon/evacuation.h"
#include "daemon/log.h"
#include "daemon/move-internal.h"
#include "daemon/move-type.h"
#include "daemon/queue.h"
#include "shared/cleanup.h"

/* 4 samples a second: below the contract's 5 signals, and one QMP question each */
#define TICK_USEC               (UINT64_C(250) * 1000)
#define SHOWN_USEC              (UINT64_C(235) * 1000)
#define TICK_ACCURACY_USEC      (UINT64_C(10) * 1000)

/* without a byte so long: it is told as stalled */
#define STILL_USEC              (UINT64_C(5) * G_USEC_PER_SEC)

/* how long an abort may take before the guest at the destination is destroyed */
#define TERMINATE_GRACE_USEC    (UINT64_C(30) * G_USEC_PER_SEC)        /* the contract's */
#define GIVE_UP_GRACE_USEC      (UINT64_C(10) * G_USEC_PER_SEC)
#define KILL_AGAIN_USEC         (UINT64_C(5) * G_USEC_PER_SEC)

/* what of the bar the phases have: the first pass ends near the end, the others move little */
#define PERCENT_PREPARED        5
#define PERCENT_DATA            90

/* ---- what a sample means ---- */

static void show_progress(VsmJob *job, const VsmTransferStats *stats) {
        const VsmPercentSample sample = {
                .disk_total = stats->disk_total, .disk_remaining = stats->disk_remaining,
                .memory_total = stats->memory_total, .memory_remaining = stats->memory_remaining,
        };
        unsigned percent = vsm_percent_take(&job->move->percent, &sample);

        if (stats->memory_total == 0 && stats->disk_total == 0)
                return;

        vsm_job_set_percent(job, PERCENT_PREPARED + percent * PERCENT_DATA / 100);
        vsm_move_job_set_progress(job, job->percent);
}

static void take_sample(VsmJob *job, const VsmTransferStats *stats) {
        VsmMoveJob *move = job->move;
        uint64_t now = vsm_now_monotonic(), bytes = stats->memory_processed + stats->disk_processed;
        const char *verdict;

        if (!stats->active)
                return;

        if (bytes != move->moved_bytes) {
                move->moved_bytes = bytes;
                move->moved_mono = now;
        }

        if (bytes > 0)
                vsm_move_job_transferring(job);
        if (stats->post_copy)
                vsm_move_job_post_copy(job);
        if (job->state == VSM_JOB_STATE_STARTING)
                return;

        if (stats->memory_total > 0 && job->phase == VSM_PHASE_DISKS)
                vsm_job_set_phase(job, VSM_PHASE_MEMORY);

        /* every answer counts here, also those that are not shown */
        verdict = vsm_move_converge(job, stats, now - move->moved_mono < STILL_USEC, now);

        /* answers may come late and then in a row: never more than 5 signals in any second */
        if (now - move->shown_mono < SHOWN_USEC)
                return;

        move->shown_mono = now;
        vsm_job_set_stats(job, stats);
        vsm_job_set_verdict(job, verdict);
        show_progress(job, stats);
        if (job->parent > 0)
                vsm_evacuation_child_moved(job);
}

/* ---- asking libvirt ---- */

typedef struct SampleTask {
        VsmTask task;
        VsmMove *run;
        bool abort;             /* else only looked at */
        uint64_t job;
        VsmTransferStats stats;
        bool sampled;
} SampleTask;

static void sample_run(VsmTask *task) {
        SampleTask *t = (SampleTask*) task;

        if (t->abort && !vsm_move_abort(t->run, &task->error))
                return;

        t->sampled = vsm_move_sample(t->run, &t->stats, &task->error);
}

static void sample_done(VsmTask *task, void *userdata) {
        SampleTask *t = (SampleTask*) task;
        VsmJob *job = vsm_job_find(userdata, t->job);

        if (!job || !job->move)
                return;

        job->move->sampling = false;
        job->move->sampled |= t->sampled;
        if (task->error)
                vsm_log(LOG_DEBUG, "Job %" PRIu64 ": %s", t->job, task->error->message);
        if (t->sampled && job->move->tick)
                take_sample(job, &t->stats);
}

static void sample_free(VsmTask *task) {
        SampleTask *t = (SampleTask*) task;

        g_clear_pointer(&t->run, vsm_move_unref);
        g_free(t);
}

static void sample(VsmJob *job) {
        SampleTask *t;

        /* a libvirtd that hangs costs one thread, not all */
        if (job->move->sampling)
                return;

        t = vsm_task_new(SampleTask, sample_run, sample_done, sample_free);
        t->job = job->number;
        t->run = vsm_move_ref(job->move->run);
        t->abort = (job->move->cancel || job->move->blackout) && !job->post_copy;

        job->move->sampling = true;
        vsm_worker_push(job->manager->worker, VSM_LANE_SHORT, &t->task);
}

typedef struct KillTask {
        VsmTask task;
        VsmMove *run;
        uint64_t job;
} KillTask;

static void kill_run(VsmTask *task) {
        (void) vsm_move_kill_incoming(((KillTask*) task)->run, &task->error);
}

static void kill_done(VsmTask *task, void *userdata) {
        KillTask *t = (KillTask*) task;
        VsmJob *job = vsm_job_find(userdata, t->job);

        if (task->error)
                vsm_log(LOG_NOTICE, "Job %" PRIu64 ": cannot take the waiting guest away at the destination: %s",
                        t->job, task->error->message);
        if (job && job->move)
                job->move->killing = false;
}

static void kill_free(VsmTask *task) {
        vsm_move_unref(((KillTask*) task)->run);
        g_free(task);
}

static void kill_incoming(VsmJob *job) {
        VsmMoveJob *move = job->move;
        KillTask *t;

        if (move->killing)
                return;

        t = vsm_task_new(KillTask, kill_run, kill_done, kill_free);
        t->run = vsm_move_ref(move->run);
        t->job = job->number;
        move->killing = true;
        move->kill_tried_mono = vsm_now_monotonic();
        /* it may wait for the other host: not on the lane of the short calls */
        vsm_worker_push(job->manager->worker, VSM_LANE_LONG, &t->task);
}

void vsm_move_watch_look(VsmJob *job) {
        if (job->move->tick)
                sample(job);
}

/* ---- the tick ---- */

static void push_cancel_through(VsmJob *job, uint64_t now) {
        VsmMoveJob *move = job->move;
        uint64_t grace = move->kill ? 0 : move->give_up ? GIVE_UP_GRACE_USEC : TERMINATE_GRACE_USEC;

        if (now - move->cancel_mono < grace)
                return;
        if (move->kill_tried_mono > 0 && now - move->kill_tried_mono < KILL_AGAIN_USEC)
                return;

        kill_incoming(job);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata) {
        VsmJob *job = userdata;
        VsmMoveJob *move = job->move;
        const VsmMoveType *type = vsm_move_type(job->request->migration_type);
        uint64_t now = vsm_now_monotonic();

        (void) sd_event_source_set_time_relative(source, TICK_USEC);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);

        /* a guest that is being shut down moves no bytes, and has a limit of its own */
        if (!move->cancel && (type->memory || move->moved_bytes > 0) &&
            now - move->moved_mono > job->manager->settings.stall_timeout) {
                /* the last word on it, also when it was never said before */
                vsm_job_set_verdict(job, vsm_verdict_to_string(VSM_VERDICT_STALLED));
                vsm_move_job_give_up(job, VSM_ERROR_TIMEOUT,
                                     "No byte has moved for the time that StallTimeout allows, so the migration was "
                                     "given up");
        }

        sample(job);
        if (move->cancel && !job->post_copy)
                push_cancel_through(job, now);

        return 0;
}

void vsm_move_watch_start(VsmJob *job) {
        const VsmMoveType *type = vsm_move_type(job->request->migration_type);
        VsmSystem *system = vsm_move_job_system(job);

        if (system && type->memory)
                vsm_percent_expect(&job->move->percent, 0, vsm_system_memory(system));

        job->move->moved_mono = vsm_now_monotonic();

        if (sd_event_add_time_relative(job->manager->event, &job->move->tick, CLOCK_MONOTONIC, TICK_USEC / 5,
                                       TICK_ACCURACY_USEC, on_tick, job) < 0)
                vsm_log(LOG_WARNING, "Cannot watch job %" PRIu64 "; it has no progress.", job->number);
}

void vsm_move_watch_stop(VsmJob *job) {
        job->move->tick = sd_event_source_disable_unref(job->move->tick);
}

/* An earlier run of the daemon began it, and nobody told this one of a hand-over that had begun by then: the first
 * sample tells of post-copy, and the domain of the rest. */
static bool may_be_handed_over(VsmJob *job) {
        VsmSystem *system = vsm_move_job_system(job);

        return job->move->resumed && (!job->move->sampled || (system && vsm_system_is_handed_over(system)));
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        VsmJob *job = userdata;

        if (may_be_handed_over(job)) {
                (void) sd_event_source_set_time_relative(source, TICK_USEC);
                (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
                return 0;
        }

        vsm_move_job_give_up(job, VSM_ERROR_TIMEOUT,
                             "The migration did not end within the Timeout that was asked for");
        return 0;
}

void vsm_move_watch_timeout(VsmJob *job) {
        uint64_t gone = vsm_realtime_since(job->submitted), limit = job->request->timeout;

        if (limit == 0)
                return;

        /* wall clock only across a restart of the daemon; from here on the clock that never jumps */
        if (sd_event_add_time_relative(job->manager->event, &job->move->timeout, CLOCK_MONOTONIC,
                                       gone < limit ? limit - gone : 0, TICK_ACCURACY_USEC, on_timeout, job) < 0)
                vsm_log(LOG_WARNING, "Cannot keep the Timeout of job %" PRIu64 ".", job->number);
}

/* ---- cancelling ---- */

bool vsm_move_job_can_cancel(VsmJob *job) {
        VsmSystem *system = vsm_move_job_system(job);

        if (job->state == VSM_JOB_STATE_SHUTTING_DOWN)
                return true;

        return system && vsm_system_migration_state(system) != VSM_MIGRATION_STATE_MOVE;
}

static void stop_it(VsmJob *job) {
        static const VsmTransferStats nothing = {};
        VsmMoveJob *move = job->move;

        move->cancel = true;
        move->cancel_mono = vsm_now_monotonic();
        vsm_job_set_cancellable(job, false);
        vsm_job_set_state(job, VSM_JOB_STATE_SHUTTING_DOWN);

        if (vsm_queue_remove(job->manager->queue, job)) {
                vsm_move_job_outcome(job, VSM_MOVE_STAYED, &nothing, NULL);
                return;
        }

        vsm_move_cancel(move->run);
        if (move->begun && !move->returned)
                sample(job);
}

void vsm_move_job_cancel(VsmJob *job, bool kill) {
        VsmMoveJob *move = job->move;

        /* the outcome is known, and shown in a moment */
        if (move->ending)
                return;

        move->kill |= kill;
        if (!move->cancel)
                stop_it(job);
}

typedef struct CancelTask {
        VsmTask task;
        VsmStore *store;
        uint64_t job;
        bool kill, delete;
        sd_bus_message *call;
} CancelTask;

static void cancel_run(VsmTask *task) {
        CancelTask *t = (CancelTask*) task;

        (void) vsm_store_job_cancel(t->store, t->job, t->kill ? 5 : 4, &task->error);
}

static void cancel_done(VsmTask *task, void *userdata) {
        CancelTask *t = (CancelTask*) task;
        VsmJob *job = vsm_job_find(userdata, t->job);

        /* another cancel was quicker, and all that this one wants has happened */
        if (job && (job->state == VSM_JOB_STATE_TERMINATED || job->state == VSM_JOB_STATE_KILLED)) {
                (void) sd_bus_reply_method_return(t->call, "u", VSM_RETURN_COMPLETED);
                return;
        }

        if (!job || !job->move || !vsm_move_job_can_cancel(job)) {
                (void) sd_bus_reply_method_errorf(t->call, vsm_error_to_bus_name(VSM_ERROR_INVALID_STATE),
                                                  "It is too late to cancel: the guest is being handed over, or "
                                                  "the job has ended.");
                return;
        }

        /* a full disk is no reason not to cancel */
        if (task->error)
                vsm_log(LOG_ERR, "Cannot write the cancel of job %" PRIu64 " down: %s", t->job,
                        task->error->message);

        job->delete_on_end |= t->delete;

        /* first the answer: the job may end before the next line is through */
        (void) sd_bus_reply_method_return(t->call, "u", VSM_RETURN_JOB_STARTED);
        vsm_move_job_cancel(job, t->kill);
}

static void cancel_free(VsmTask *task) {
        sd_bus_message_unref(((CancelTask*) task)->call);
        g_free(task);
}

void vsm_move_job_cancel_call(VsmJob *job, bool kill, bool delete, sd_bus_message *call) {
        const VsmMoveJob *move = job->move;
        CancelTask *t;

        /* nothing new, and nothing to be written */
        if (move->cancel && (move->kill || !kill) && (job->delete_on_end || !delete)) {
                (void) sd_bus_reply_method_return(call, "u", VSM_RETURN_JOB_STARTED);
                return;
        }

        t = vsm_task_new(CancelTask, cancel_run, cancel_done, cancel_free);
        t->store = job->manager->store;
        t->job = job->number;
        t->kill = kill;
        t->delete = delete;
        t->call = sd_bus_message_ref(call);
        vsm_worker_push(job->manager->worker, VSM_LANE_STORE, &t->task);
}

void vsm_move_job_give_up(VsmJob *job, VsmError code, const char *sentence) {
        VsmMoveJob *move = job->move;

        if (move->ending || move->cancel || !vsm_move_job_can_cancel(job))
                return;

        move->give_up = true;
        move->give_up_code = code;
        move->give_up_sentence = sentence;
        stop_it(job);
}
