/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* CheckVirtualSystemIsMigratable: from an authorized call to the end of the job, which is the verdict.
 * Bus thread, but for run_run() and end_run(), which say so. */

#include "daemon/check-job.h"
#include "daemon/five.h"
#include "daemon/host.h"
#include "daemon/job-methods.h"
#include "daemon/log.h"
#include "daemon/move-type.h"
#include "daemon/move.h"
#include "daemon/reason.h"
#include "daemon/service.h"

/* Nobody's call waits for it, so it may be patient with slow hosts. */
#define CHECK_USEC (UINT64_C(60) * G_USEC_PER_SEC)

/* At a time. The others wait, so that threads are left for callers who want the answer at once. */
#define RUNNING_MAX 8

struct VsmCheckJob {
        VsmCancel *cancel;
        bool running;
        bool cancelled;
        bool kill;
        bool ending;                    /* being written down */
};

void vsm_check_job_free(VsmCheckJob *check) {
        if (!check)
                return;

        vsm_cancel_unref(check->cancel);
        g_free(check);
}

/* ---- the end ---- */

typedef struct Verdict {
        VsmJobState state;
        VsmError code;
        const char *sentence;           /* public: no address, no path, no other program's words */
} Verdict;

static Verdict verdict_of_failure(const GError *error) {
        VsmError code = vsm_error_code(error);

        switch (code) {
        case VSM_ERROR_SYSTEM_NOT_AVAILABLE:
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, code,
                                   "libvirt on this host did not answer; nothing is known about a migration." };
        case VSM_ERROR_INVALID_STATE:
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, code,
                                   "The system left this host before the check had come to its end." };
        default:
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, code,
                                   "The check could not be made. The job's errors (GetErrorEx) say why." };
        }
}

static Verdict verdict_of(const VsmCheckJob *check, GVariant *reasons, const GError *error) {
        if (check->cancelled)
                return (Verdict) { check->kill ? VSM_JOB_STATE_KILLED : VSM_JOB_STATE_TERMINATED,
                                   VSM_ERROR_CANCELLED, "The check was cancelled." };
        if (!reasons)
                return verdict_of_failure(error);

        switch (vsm_reasons_variant_severity(reasons)) {
        case VSM_SEVERITY_ERROR:
                /* "not together, or not for that destination": what was asked for is well-formed, and
                 * this host can do it, so it is neither of the other codes */
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                                   "The system cannot be migrated to that host as things are. The job's errors "
                                   "(GetErrorEx) give all reasons." };
        case VSM_SEVERITY_WARNING:
                return (Verdict) { VSM_JOB_STATE_COMPLETED_WITH_WARNINGS, 0,
                                   "The system can be migrated to that host, with something to think of first. The "
                                   "job's errors (GetErrorEx) say of what." };
        default:
                return (Verdict) { VSM_JOB_STATE_COMPLETED, 0, NULL };
        }
}

typedef struct EndTask {
        VsmTask task;
        VsmStore *store;
        VsmStoredJob stored;            /* numbers only; error is static */
        Verdict verdict;
        GVariant *reasons;
        GError *detail;
        uint32_t history_limit;
} EndTask;

/* Store lane. */
static void end_run(VsmTask *task) {
        EndTask *t = (EndTask*) task;

        if (vsm_store_job_end(t->store, &t->stored, VSM_STORE_STATE_KEEP, 0, &task->error))
                (void) vsm_store_history_trim(t->store, t->history_limit, NULL);
}

static void run_waiting(VsmManager *manager);

static void log_end(const VsmJob *job, const Verdict *verdict) {
        VsmLogContext context = {
                .job = job->number, .system = job->system_uuid, .system_name = job->system_name,
                .destination = job->request->destination, .caller = job->owner, .caller_uid = job->owner_uid,
        };

        vsm_log_full(LOG_INFO, &context, "Job %" PRIu64 ": %s", job->number,
                     verdict->sentence ?: "The system can be migrated to that host.");
}

static void end_done(VsmTask *task, void *userdata) {
        EndTask *t = (EndTask*) task;
        VsmManager *manager = userdata;
        VsmJob *job = vsm_job_find(manager, t->stored.number);

        if (task->error)
                /* the next start ends it once more, as a check that was interrupted */
                vsm_log(LOG_ERR, "Cannot write down the end of job %" PRIu64 ": %s", t->stored.number,
                        task->error->message);
        if (!job)
                return;

        g_clear_pointer(&job->check, vsm_check_job_free);
        job->reasons = g_steal_pointer(&t->reasons);
        log_end(job, &t->verdict);
        vsm_job_end(job, t->verdict.state, t->verdict.code, t->verdict.sentence, t->detail);
        run_waiting(manager);
}

static void end_free(VsmTask *task) {
        EndTask *t = (EndTask*) task;

        g_clear_pointer(&t->reasons, g_variant_unref);
        g_clear_error(&t->detail);
        g_free(t);
}

static void push_end(VsmJob *job, Verdict verdict, GVariant *reasons, const GError *detail) {
        EndTask *t = vsm_task_new(EndTask, end_run, end_done, end_free);

        /* now it is too late, as the answer to a wish to cancel will say */
        job->check->ending = true;
        vsm_job_set_cancellable(job, false);

        t->store = job->manager->store;
        t->verdict = verdict;
        t->reasons = reasons ? g_variant_ref(reasons) : NULL;
        t->detail = detail ? g_error_copy(detail) : NULL;
        t->history_limit = job->manager->settings.history_limit;
        t->stored = (VsmStoredJob) {
                .number = job->number,
                .system = job->system_uuid,     /* the job outlives the task: it is ended by it */
                .started = job->started,
                .ended = vsm_now_realtime(),
                .state = (uint16_t) verdict.state,
                .error_code = verdict.state == VSM_JOB_STATE_EXCEPTION ? vsm_error_to_cim((int) verdict.code) : 0,
                .error = (char*) (verdict.sentence ?: ""),
        };
        vsm_worker_push(job->manager->worker, VSM_LANE_STORE, &t->task);
}

/* ---- running ---- */

typedef struct RunTask {
        VsmTask task;
        VsmVirt *virt;
        VsmMoveOptions *options;
        VsmCancel *cancel;
        uint64_t job;
        GVariant *reasons;
} RunTask;

/* Check lane. */
static void run_run(VsmTask *task) {
        RunTask *t = (RunTask*) task;

        t->reasons = vsm_check_run(t->virt, t->options, CHECK_USEC, t->cancel, &task->error);
}

static void run_done(VsmTask *task, void *userdata) {
        RunTask *t = (RunTask*) task;
        VsmJob *job = vsm_job_find(userdata, t->job);

        if (!job || !job->check)
                return;

        vsm_host_refresh(job->manager, job->request->destination);
        job->check->running = false;
        push_end(job, verdict_of(job->check, t->reasons, task->error),
                 job->check->cancelled ? NULL : t->reasons, job->check->cancelled ? NULL : task->error);
}

static void run_free(VsmTask *task) {
        RunTask *t = (RunTask*) task;

        g_clear_pointer(&t->reasons, g_variant_unref);
        g_clear_pointer(&t->options, vsm_move_options_free);
        vsm_cancel_unref(t->cancel);
        g_free(t);
}

static void run(VsmJob *job) {
        RunTask *t = vsm_task_new(RunTask, run_run, run_done, run_free);

        job->check->running = true;
        vsm_job_set_phase(job, VSM_PHASE_PREPARING);
        vsm_job_set_state(job, VSM_JOB_STATE_STARTING);
        vsm_job_set_state(job, VSM_JOB_STATE_RUNNING);

        t->virt = job->manager->virt;
        t->options = vsm_move_options_of(job->manager, job->system_uuid, job->request);
        t->cancel = vsm_cancel_ref(job->check->cancel);
        t->job = job->number;
        vsm_worker_push(job->manager->worker, VSM_LANE_CHECK, &t->task);
}

/* The oldest ones first, as many as may run. */
static void run_waiting(VsmManager *manager) {
        for (;;) {
                VsmJob *job, *next = NULL;
                GHashTableIter iter;
                unsigned running = 0;

                g_hash_table_iter_init(&iter, manager->jobs);
                while (g_hash_table_iter_next(&iter, NULL, (void**) &job)) {
                        if (!job->check)
                                continue;
                        if (job->check->running)
                                running++;
                        else if (!job->check->ending && (!next || job->number < next->number))
                                next = job;
                }

                if (!next || running >= RUNNING_MAX)
                        return;

                run(next);
        }
}

static void cancel_check(VsmJob *job, bool kill) {
        job->check->cancelled = true;
        job->check->kill = kill;
        vsm_job_set_cancellable(job, false);
        vsm_job_set_state(job, VSM_JOB_STATE_SHUTTING_DOWN);

        if (job->check->running)
                vsm_cancel_fire(job->check->cancel);
        else
                push_end(job, verdict_of(job->check, NULL, NULL), NULL, NULL);
}

static void make_check(VsmJob *job) {
        job->check = g_new0(VsmCheckJob, 1);
        job->check->cancel = vsm_cancel_new();
        job->cancel = cancel_check;
}

void vsm_check_job_interrupted(VsmJob *job) {
        make_check(job);
        push_end(job, (Verdict) { VSM_JOB_STATE_EXCEPTION, VSM_ERROR_FAILED,
                                  "The service stopped before the check had come to its end. Ask again." },
                 NULL, NULL);
}

/* ---- accepting ---- */

static void begin(VsmJob *job) {
        VsmLogContext context = {
                .job = job->number, .system = job->system_uuid, .system_name = job->system_name,
                .destination = job->request->destination, .caller = job->owner, .caller_uid = job->owner_uid,
        };

        if (job->request->destination[0] == '\0')
                vsm_log_full(LOG_INFO, &context, "Job %" PRIu64 ": whether disks of %s can move, asked for by %s.",
                             job->number, job->system_name, job->owner);
        else
                vsm_log_full(LOG_INFO, &context, "Job %" PRIu64 ": whether %s can move to %s, asked for by %s.",
                             job->number, job->system_name, job->request->destination, job->owner);
        run_waiting(job->manager);
}

static int refuse(sd_bus_error *error, VsmError code, const char *message) {
        return sd_bus_error_set(error, vsm_error_to_bus_name(code), message);
}

int vsm_check_state(VsmManager *manager, const VsmFive *five, sd_bus_error *error) {
        if (!manager->libvirt_up)
                return refuse(error, VSM_ERROR_SYSTEM_NOT_AVAILABLE,
                              "libvirt on this host does not answer; see 'systemctl status libvirtd'.");
        if (vsm_system_active_job(five->system) > 0)
                return refuse(error, VSM_ERROR_SYSTEM_IN_USE,
                              "The system is being migrated; its property MigrationJob names the job.");

        return vsm_five_check_guest(five, error);
}

int vsm_method_check_migratable(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmManager *manager = userdata;
        g_auto(VsmFive) five = {};
        VsmJob *job;
        uid_t caller;
        int r;

        r = vsm_five_read(manager, call, true, &five, error);
        if (r < 0)
                return r;

        r = vsm_five_authorize(manager, call, &five, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = vsm_bus_caller(call, &caller);
        if (r < 0)
                return refuse(error, VSM_ERROR_ACCESS_DENIED, "The caller has left the bus.");

        r = vsm_check_state(manager, &five, error);
        if (r >= 0)
                r = vsm_job_check_limits(manager, caller, error);
        if (r < 0)
                return r;

        job = vsm_job_new(manager, vsm_move_type(five.request->migration_type)->check);
        make_check(job);
        job->begin = begin;
        vsm_job_accept(job, call, five.system, g_steal_pointer(&five.request), caller);
        return 1;
}
