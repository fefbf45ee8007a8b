/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The end of a migration: from what both hosts said to states, numbers and sentences. It is written
 * down first, then told in the order that clients rely on: the system, the service's counters, the
 * job, and last a system that has left. Bus thread only. */

#include "daemon/evacuation.h"
#include "daemon/host.h"
#include "daemon/bandwidth.h"
#include "daemon/log.h"
#include "daemon/move-internal.h"
#include "daemon/move-type.h"
#include "daemon/queue.h"
#include "daemon/reason.h"
#include "daemon/rollback.h"
#include "daemon/service.h"
#include "daemon/system-watch.h"
#include "shared/cleanup.h"
#include "shared/enums.h"

/* what the end will be */
typedef struct Verdict {
        VsmJobState state;
        VsmMigrationState migration;
        uint32_t reason;
        VsmError code;
        const char *sentence;   /* public: no address, no path, no other program's words */
} Verdict;

/* There are a few dozen of them in all: each is kept. */
static const char* G_GNUC_PRINTF(1, 2) sentence(const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        return g_intern_string(text);
}

static const char* sentence_for(VsmError code, const char *stays) {
        switch (code) {
        case VSM_ERROR_TIMEOUT:
                return sentence("The migration was given up because the destination did not answer in time; %s.",
                                stays);
        case VSM_ERROR_SYSTEM_NOT_AVAILABLE:
                return sentence("The connection to libvirt was lost; %s.", stays);
        case VSM_ERROR_INVALID_PARAMETER:
        case VSM_ERROR_INCOMPATIBLE_PARAMETERS:
                return sentence("What was asked for is not possible with this system and destination; %s. The job's "
                                "errors (GetErrorEx) say why.", stays);
        case VSM_ERROR_INVALID_STATE:
                return "The system or the destination was not in a state for a migration; nothing was moved. The "
                       "job's errors (GetErrorEx) say why.";
        default:
                return sentence("The migration failed; %s. The job's errors (GetErrorEx) say why.", stays);
        }
}

static Verdict stayed(const VsmMoveJob *move, uint16_t type, const GError *error) {
        const char *stays = vsm_move_type_stayed(type);

        if (move->give_up)
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, VSM_MIGRATION_STATE_FAILURE, VSM_REASON_FAIL,
                                   move->give_up_code, sentence("%s; %s.", move->give_up_sentence, stays) };
        if (move->cancel)
                return (Verdict) { move->kill ? VSM_JOB_STATE_KILLED : VSM_JOB_STATE_TERMINATED,
                                   VSM_MIGRATION_STATE_CANCELED, VSM_REASON_NONE, VSM_ERROR_CANCELLED,
                                   sentence("The migration was cancelled; %s.", stays) };

        return (Verdict) { VSM_JOB_STATE_EXCEPTION, VSM_MIGRATION_STATE_FAILURE, VSM_REASON_FAIL,
                           vsm_error_code(error), sentence_for(vsm_error_code(error), stays) };
}

/* It moved all the same: a disk that was left out, say. */
static bool has_warnings(const VsmMoveJob *move) {
        return move->found && vsm_reasons_variant_severity(move->found) >= VSM_SEVERITY_WARNING;
}

static Verdict verdict_of(const VsmMoveJob *move, uint16_t type, VsmMoveOutcome outcome, const GError *error) {
        switch (outcome) {
        case VSM_MOVE_MOVED:
                if (has_warnings(move))
                        return (Verdict) { VSM_JOB_STATE_COMPLETED_WITH_WARNINGS, VSM_MIGRATION_STATE_NONE,
                                           VSM_REASON_NONE, 0,
                                           "It succeeded, but not all of it went as one may expect. The job's "
                                           "errors (GetErrorEx) say what is different." };
                return (Verdict) { VSM_JOB_STATE_COMPLETED, VSM_MIGRATION_STATE_NONE, VSM_REASON_NONE, 0, NULL };
        case VSM_MOVE_MOVED_UNVERIFIED:
                return (Verdict) { VSM_JOB_STATE_COMPLETED_WITH_WARNINGS, VSM_MIGRATION_STATE_NONE,
                                   VSM_REASON_NONE, 0,
                                   "It succeeded, but not everything could be tidied up. The job's errors "
                                   "(GetErrorEx) say what is left to do." };
        case VSM_MOVE_STAYED:
                return stayed(move, type, error);
        case VSM_MOVE_BUSY:
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, VSM_MIGRATION_STATE_FAILURE, VSM_REASON_BUSY,
                                   VSM_ERROR_SYSTEM_IN_USE,
                                   "Another program is migrating the guest, or has another job of it running." };
        case VSM_MOVE_LOST:
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, VSM_MIGRATION_STATE_FAILURE, VSM_REASON_FAIL,
                                   VSM_ERROR_FAILED,
                                   "The guest runs on neither host: it was shut down or it crashed meanwhile. The "
                                   "job's errors (GetErrorEx) say what was found." };
        case VSM_MOVE_MEMORY_LOST:
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, VSM_MIGRATION_STATE_FAILURE, VSM_REASON_FAIL,
                                   VSM_ERROR_FAILED,
                                   "The memory of the guest is lost: one of the hosts lost its part of it after the "
                                   "switch to post-copy. It was not resumed, and can only be started anew. The job's "
                                   "errors (GetErrorEx) say where it is." };
        case VSM_MOVE_TWICE:
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, VSM_MIGRATION_STATE_FAILURE, VSM_REASON_FAIL,
                                   VSM_ERROR_FAILED,
                                   "The guest was found running on both hosts; the copy here was paused. Look at "
                                   "both before you resume or destroy one." };
        case VSM_MOVE_DISKS_APART:
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, VSM_MIGRATION_STATE_FAILURE, VSM_REASON_FAIL,
                                   VSM_ERROR_FAILED,
                                   "The migration failed; some of the disks are at their new places, or the stored "
                                   "definition names other places than the running system uses. The job's errors "
                                   "(GetErrorEx) say what was found." };
        default:
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, VSM_MIGRATION_STATE_FAILURE, VSM_REASON_FAIL,
                                   VSM_ERROR_FAILED,
                                   "The guest does not run here and the destination cannot be asked. Look there "
                                   "before you start it anywhere." };
        }
}

typedef struct EndTask {
        VsmTask task;
        VsmStore *store;
        VsmStoredJob stored;    /* numbers only; error is static */
        Verdict verdict;
        bool doubtful;
        GError *detail;
} EndTask;

static void end_run(VsmTask *task) {
        EndTask *t = (EndTask*) task;

        (void) vsm_store_job_end(t->store, &t->stored, t->verdict.migration, t->verdict.reason, &task->error);
}

typedef struct TrimTask {
        VsmTask task;
        VsmStore *store;
        uint32_t limit;
} TrimTask;

static void trim_run(VsmTask *task) {
        TrimTask *t = (TrimTask*) task;

        (void) vsm_store_history_trim(t->store, t->limit, &task->error);
}

/* A task of its own: a long history takes its time, and the end need not wait for it. */
static void trim_history(VsmManager *manager) {
        TrimTask *t = vsm_task_new(TrimTask, trim_run, NULL, NULL);

        t->store = manager->store;
        t->limit = manager->settings.history_limit;
        vsm_worker_push(manager->worker, VSM_LANE_STORE, &t->task);
}

static char* format_moved(const VsmJob *job) {
        g_auto(GStrv) parts = g_strsplit(vsm_move_type_moved(job->request->migration_type), "%s", 3);
        guint n = g_strv_length(parts);

        return g_strconcat(parts[0], job->system_name, parts[1], n > 2 ? job->request->destination : NULL,
                           n > 2 ? parts[2] : NULL, NULL);
}

static void log_end(const VsmJob *job, const Verdict *verdict, const GError *detail) {
        VsmLogContext context = {
                .job = job->number, .system = job->system_uuid, .system_name = job->system_name,
                .destination = job->request->destination, .caller = job->owner, .caller_uid = job->owner_uid,
        };

        if (vsm_job_state_is_success(verdict->state)) {
                g_autofree char *moved = format_moved(job);

                vsm_log_full(LOG_INFO, &context, "Job %" PRIu64 ": %s.", job->number, moved);
        } else
                vsm_log_full(verdict->state == VSM_JOB_STATE_EXCEPTION ? LOG_WARNING : LOG_INFO, &context,
                             "Job %" PRIu64 ": %s", job->number, verdict->sentence);
        if (detail)
                vsm_log_full(LOG_NOTICE, &context, "Job %" PRIu64 ": %s", job->number, detail->message);
}

static void tell_system(VsmJob *job, const Verdict *verdict) {
        VsmSystem *system = vsm_move_job_system(job);

        if (!system)
                return;

        if (verdict->migration == VSM_MIGRATION_STATE_NONE) {
                /* seen during the hand-over, of a domain that has moved: the look that follows the end finds
                 * what is left of it here, and nothing of the system is told after its job's end but that */
                vsm_system_drop_held(system);
                vsm_move_job_set_progress(job, 100);
        } else
                vsm_system_take_held(system);
        vsm_move_job_set_migration(job, verdict->migration, verdict->reason);
}

/* With their own codes. True when they say all: nothing had been begun. */
static bool take_found(VsmJob *job) {
        VsmMoveJob *move = job->move;

        if (!move->found || g_variant_n_children(move->found) == 0)
                return false;

        job->reasons = g_steal_pointer(&move->found);
        return !move->begun && !move->cancel && vsm_reasons_variant_has_error(job->reasons);
}

static void end_done(VsmTask *task, void *userdata) {
        EndTask *t = (EndTask*) task;
        VsmManager *manager = userdata;
        VsmJob *job = vsm_job_find(manager, t->stored.number);
        VsmSystem *system;
        bool told;

        if (task->error)
                /* the guest is where it is; the next start will find that out again */
                vsm_log(LOG_ERR, "Cannot write down the end of job %" PRIu64 ": %s", t->stored.number,
                        task->error->message);
        if (!job)
                return;

        tell_system(job, &t->verdict);
        if (job->started > 0)
                vsm_service_count_migrations(manager, job->request->migration_type, -1);
        vsm_bus_flush(manager->bus, NULL);

        job->doubtful = t->doubtful;
        told = take_found(job);
        g_clear_pointer(&job->move, vsm_move_job_free);
        vsm_job_end(job, t->verdict.state, t->verdict.code, t->verdict.sentence, told ? NULL : t->detail);
        log_end(job, &t->verdict, t->detail);

        system = vsm_move_job_system(job);
        if (system) {
                vsm_system_release(system);
                vsm_system_watch_one(manager, job->system_uuid, false, false);
        }

        if (job->parent > 0)
                vsm_evacuation_child_ended(job);
        else
                vsm_evacuation_systems_changed(manager);
        if (*job->request->destination)
                vsm_host_refresh(manager, job->request->destination);
        vsm_rollback_look(manager);
        vsm_queue_run(manager->queue);
        vsm_bandwidth_rebalance(manager);
        trim_history(manager);
        vsm_manager_update_status(manager);
}

static void end_free(VsmTask *task) {
        EndTask *t = (EndTask*) task;

        g_clear_error(&t->detail);
        g_free(t);
}

/* Neither moved nor stayed: nobody but a person may go on with such a guest. */
static bool is_doubtful(VsmMoveOutcome outcome) {
        return outcome == VSM_MOVE_LOST || outcome == VSM_MOVE_MEMORY_LOST || outcome == VSM_MOVE_TWICE ||
                outcome == VSM_MOVE_DISKS_APART || outcome == VSM_MOVE_UNKNOWN;
}

void vsm_move_job_outcome(VsmJob *job, VsmMoveOutcome outcome, const VsmTransferStats *stats,
                          const GError *error) {
        EndTask *t = vsm_task_new(EndTask, end_run, NULL, end_free);
        bool moved = outcome == VSM_MOVE_MOVED || outcome == VSM_MOVE_MOVED_UNVERIFIED;

        vsm_move_watch_stop(job);
        job->move->ending = true;
        job->move->timeout = sd_event_source_disable_unref(job->move->timeout);

        /* on success all states are passed through, also when libvirt was quicker than its events */
        if (moved) {
                if (job->state != VSM_JOB_STATE_SHUTTING_DOWN)
                        vsm_move_job_transferring(job);
                vsm_job_set_cancellable(job, false);
                vsm_job_set_stats(job, stats);
                vsm_job_set_downtime(job, stats->downtime);
                vsm_move_job_set_migration(job, VSM_MIGRATION_STATE_MOVE, VSM_REASON_NONE);
        }

        t->task.done = end_done;
        t->store = job->manager->store;
        t->verdict = verdict_of(job->move, job->request->migration_type, outcome, error);
        t->doubtful = (job->move->begun || job->move->resumed) && is_doubtful(outcome);
        t->detail = error ? g_error_copy(error) : NULL;
        t->stored = (VsmStoredJob) {
                .number = job->number,
                .system = job->system_uuid,     /* the job outlives the task: it is ended by it */
                .ended = vsm_now_realtime(),
                .state = (uint16_t) t->verdict.state,
                .error_code = t->verdict.state == VSM_JOB_STATE_EXCEPTION ?
                        vsm_error_to_cim((int) t->verdict.code) : 0,
                .error = (char*) (t->verdict.sentence ?: ""),
                .address = job->address,
                .bytes = stats->memory_processed + stats->disk_processed,
                .downtime = stats->downtime,
        };
        vsm_worker_push(job->manager->worker, VSM_LANE_STORE, &t->task);
}
