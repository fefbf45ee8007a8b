/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Watching a guest that comes home: progress, stalls, and pushing a cancel through, as move-watch.c does for those that
 * leave. libvirt of the other host is asked, which may take its time: not on the lane of the short calls. Bus thread
 * only. */

#include "daemon/fetch-internal.h"
#include "daemon/log.h"
#include "shared/cleanup.h"

#define TICK_USEC               (UINT64_C(250) * 1000)
#define SHOWN_USEC              (UINT64_C(235) * 1000)
#define TICK_ACCURACY_USEC      (UINT64_C(10) * 1000)

/* how long an abort may take before the incomplete copy here is destroyed */
#define TERMINATE_GRACE_USEC    (UINT64_C(30) * G_USEC_PER_SEC)
#define STALLED_GRACE_USEC      (UINT64_C(10) * G_USEC_PER_SEC)
#define KILL_AGAIN_USEC         (UINT64_C(5) * G_USEC_PER_SEC)

/* what of the bar the phases have */
#define PERCENT_PREPARED        5
#define PERCENT_DATA            90

static void take_sample(VsmJob *job, const VsmTransferStats *stats) {
        const VsmPercentSample sample = {
                .memory_total = stats->memory_total, .memory_remaining = stats->memory_remaining,
        };
        uint64_t now = vsm_now_monotonic();
        VsmFetchJob *fetch = job->fetch;

        if (!stats->active)
                return;

        if (stats->memory_processed != fetch->moved_bytes) {
                fetch->moved_bytes = stats->memory_processed;
                fetch->moved_mono = now;
        }

        if (stats->memory_processed > 0)
                vsm_fetch_job_transferring(job);
        if (job->state == VSM_JOB_STATE_STARTING || now - fetch->shown_mono < SHOWN_USEC)
                return;

        fetch->shown_mono = now;
        vsm_job_set_stats(job, stats);
        if (stats->memory_total > 0)
                vsm_job_set_percent(job, PERCENT_PREPARED +
                                    vsm_percent_take(&fetch->percent, &sample) * PERCENT_DATA / 100);
        fetch->events->moved(job);
}

typedef struct SampleTask {
        VsmTask task;
        VsmFetch *run;
        bool abort;             /* else only looked at */
        uint64_t job;
        VsmTransferStats stats;
        bool sampled;
} SampleTask;

static void sample_run(VsmTask *task) {
        SampleTask *t = (SampleTask*) task;

        if (t->abort && !vsm_fetch_abort(t->run, &task->error))
                return;

        t->sampled = vsm_fetch_sample(t->run, &t->stats, &task->error);
}

static void sample_done(VsmTask *task, void *userdata) {
        SampleTask *t = (SampleTask*) task;
        VsmJob *job = vsm_job_find(userdata, t->job);

        if (task->error)
                vsm_log(LOG_DEBUG, "Job %" PRIu64 ": %s", t->job, task->error->message);
        if (!job || !job->fetch)
                return;

        job->fetch->sampling = false;
        if (t->sampled && job->fetch->tick)
                take_sample(job, &t->stats);
}

static void sample_free(VsmTask *task) {
        vsm_fetch_unref(((SampleTask*) task)->run);
        g_free(task);
}

static void sample(VsmJob *job) {
        SampleTask *t;

        if (job->fetch->sampling)
                return;

        t = vsm_task_new(SampleTask, sample_run, sample_done, sample_free);
        t->job = job->number;
        t->run = vsm_fetch_ref(job->fetch->run);
        t->abort = job->fetch->cancel;
        job->fetch->sampling = true;
        vsm_worker_push(job->manager->worker, VSM_LANE_CHECK, &t->task);
}

typedef struct KillTask {
        VsmTask task;
        VsmFetch *run;
        uint64_t job;
} KillTask;

static void kill_run(VsmTask *task) {
        (void) vsm_fetch_kill_incoming(((KillTask*) task)->run, &task->error);
}

static void kill_done(VsmTask *task, void *userdata) {
        KillTask *t = (KillTask*) task;
        VsmJob *job = vsm_job_find(userdata, t->job);

        if (task->error)
                vsm_log(LOG_NOTICE, "Job %" PRIu64 ": cannot take the incomplete copy away: %s", t->job,
                        task->error->message);
        if (job && job->fetch)
                job->fetch->killing = false;
}

static void kill_free(VsmTask *task) {
        vsm_fetch_unref(((KillTask*) task)->run);
        g_free(task);
}

static void push_cancel_through(VsmJob *job, uint64_t now) {
        VsmFetchJob *fetch = job->fetch;
        uint64_t grace = fetch->kill ? 0 : fetch->stalled ? STALLED_GRACE_USEC : TERMINATE_GRACE_USEC;
        KillTask *t;

        if (fetch->killing || now - fetch->cancel_mono < grace ||
            (fetch->kill_tried_mono > 0 && now - fetch->kill_tried_mono < KILL_AGAIN_USEC))
                return;

        t = vsm_task_new(KillTask, kill_run, kill_done, kill_free);
        t->run = vsm_fetch_ref(fetch->run);
        t->job = job->number;
        fetch->killing = true;
        fetch->kill_tried_mono = now;
        vsm_worker_push(job->manager->worker, VSM_LANE_LONG, &t->task);
}

typedef struct CancelTask {
        VsmTask task;
        VsmStore *store;
        uint64_t job;
        uint32_t state;
} CancelTask;

static void cancel_run(VsmTask *task) {
        CancelTask *t = (CancelTask*) task;

        (void) vsm_store_job_cancel(t->store, t->job, t->state, &task->error);
}

/* It is kept up after a restart. */
static void write_cancel(VsmJob *job, bool kill) {
        CancelTask *t = vsm_task_new(CancelTask, cancel_run, NULL, NULL);

        t->store = job->manager->store;
        t->job = job->number;
        t->state = kill ? 5 : 4;
        vsm_worker_push(job->manager->worker, VSM_LANE_STORE, &t->task);
}

static void stop_it(VsmJob *job) {
        VsmFetchJob *fetch = job->fetch;

        fetch->cancel = true;
        fetch->cancel_mono = vsm_now_monotonic();
        vsm_job_set_cancellable(job, false);
        vsm_job_set_state(job, VSM_JOB_STATE_SHUTTING_DOWN);

        vsm_fetch_cancel(fetch->run);
        if (fetch->begun && !fetch->returned)
                sample(job);
}

void vsm_fetch_job_cancel(VsmJob *job, bool kill) {
        /* the outcome is known, and shown in a moment */
        if (job->fetch->ending)
                return;

        job->fetch->kill |= kill;
        write_cancel(job, job->fetch->kill);
        if (!job->fetch->cancel)
                stop_it(job);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata) {
        VsmJob *job = userdata;
        VsmFetchJob *fetch = job->fetch;
        uint64_t now = vsm_now_monotonic();

        (void) sd_event_source_set_time_relative(source, TICK_USEC);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);

        if (!fetch->cancel && now - fetch->moved_mono > job->manager->settings.stall_timeout) {
                fetch->stalled = true;
                stop_it(job);
        }

        sample(job);
        if (fetch->cancel)
                push_cancel_through(job, now);

        return 0;
}

void vsm_fetch_watch_start(VsmJob *job) {
        if (job->fetch->tick)
                return;

        job->fetch->moved_mono = vsm_now_monotonic();
        if (sd_event_add_time_relative(job->manager->event, &job->fetch->tick, CLOCK_MONOTONIC, TICK_USEC / 5,
                                       TICK_ACCURACY_USEC, on_tick, job) < 0)
                vsm_log(LOG_WARNING, "Cannot watch job %" PRIu64 "; it has no progress.", job->number);
}

void vsm_fetch_watch_stop(VsmJob *job) {
        job->fetch->tick = sd_event_source_disable_unref(job->fetch->tick);
}
