/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A guest that comes home, from the decision to the end of its job. The long lane does the work (virt/fetch.c); it is
 * libvirt of the other host that migrates, so it goes on when this daemon does not. Bus thread, but for the hooks,
 * which say so. */

#include "daemon/bandwidth.h"
#include "daemon/fetch-internal.h"
#include "daemon/five.h"
#include "daemon/host.h"
#include "daemon/log.h"
#include "daemon/network.h"
#include "daemon/service.h"
#include "daemon/system-watch.h"
#include "shared/cleanup.h"

void vsm_fetch_job_free(VsmFetchJob *fetch) {
        if (!fetch)
                return;

        sd_event_source_disable_unref(fetch->tick);
        vsm_fetch_unref(fetch->run);
        g_free(fetch->from);
        g_free(fetch);
}

bool vsm_fetch_job_is_finishing(const VsmJob *job) {
        return job->fetch && job->fetch->returned;
}

void vsm_fetch_job_transferring(VsmJob *job) {
        if (job->state != VSM_JOB_STATE_STARTING)
                return;

        vsm_job_set_phase(job, VSM_PHASE_MEMORY);
        vsm_job_set_state(job, VSM_JOB_STATE_RUNNING);
}

/* ---- the end ---- */

typedef struct Verdict {
        VsmJobState state;
        VsmError code;
        const char *sentence;           /* public, static */
} Verdict;

static Verdict stayed(const VsmFetchJob *fetch, VsmError code) {
        if (fetch->stalled)
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, VSM_ERROR_TIMEOUT,
                                   "No byte has moved for the time that StallTimeout allows, so it was given up; the "
                                   "guest runs on where it was." };
        if (fetch->cancel)
                return (Verdict) { fetch->kill ? VSM_JOB_STATE_KILLED : VSM_JOB_STATE_TERMINATED, VSM_ERROR_CANCELLED,
                                   "Bringing the guest home was cancelled; it runs on where it was." };

        switch (code) {
        case VSM_ERROR_TIMEOUT:
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, code,
                                   "The other host did not answer in time; the guest stays where it was." };
        case VSM_ERROR_INVALID_STATE:
        case VSM_ERROR_INCOMPATIBLE_PARAMETERS:
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, code,
                                   "The guest or this host was not in a state for it; nothing was moved. The job's "
                                   "errors (GetErrorEx) say why." };
        default:
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, code,
                                   "Bringing the guest home failed; it stays where it was. The job's errors "
                                   "(GetErrorEx) say why." };
        }
}

static Verdict verdict_of(const VsmFetchJob *fetch, VsmMoveOutcome outcome, const GError *error) {
        switch (outcome) {
        case VSM_MOVE_MOVED:
                return (Verdict) { VSM_JOB_STATE_COMPLETED, 0, NULL };
        case VSM_MOVE_MOVED_UNVERIFIED:
                return (Verdict) { VSM_JOB_STATE_COMPLETED_WITH_WARNINGS, 0,
                                   "The guest is home, but not everything could be tidied up. The job's errors "
                                   "(GetErrorEx) say what is left to do." };
        case VSM_MOVE_STAYED:
                return stayed(fetch, vsm_error_code(error));
        case VSM_MOVE_BUSY:
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, VSM_ERROR_SYSTEM_IN_USE,
                                   "Another program is migrating the guest, or has another job of it running." };
        case VSM_MOVE_LOST:
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, VSM_ERROR_INVALID_STATE,
                                   "The guest is not where it was taken to: it has been moved on, or ended. The job's "
                                   "errors (GetErrorEx) say what was found." };
        case VSM_MOVE_TWICE:
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, VSM_ERROR_FAILED,
                                   "The guest was found running on both hosts; the copy on the other one was paused. "
                                   "Look at both before you resume or destroy one." };
        default:
                return (Verdict) { VSM_JOB_STATE_EXCEPTION, VSM_ERROR_FAILED,
                                   "The guest does not run here and the other host cannot be asked. Look there before "
                                   "you start it anywhere." };
        }
}

typedef struct EndTask {
        VsmTask task;
        VsmStore *store;
        VsmStoredJob stored;            /* numbers only; error is static */
        Verdict verdict;
        VsmMoveOutcome outcome;
        GVariant *reasons;
        GError *detail;
} EndTask;

/* Store lane. */
static void end_run(VsmTask *task) {
        EndTask *t = (EndTask*) task;

        (void) vsm_store_job_end(t->store, &t->stored, VSM_STORE_STATE_KEEP, 0, &task->error);
}

static void log_end(const VsmJob *job, const VsmFetchJob *fetch, const Verdict *verdict, const GError *detail) {
        VsmLogContext context = {
                .job = job->number, .system = job->system_uuid, .system_name = job->system_name,
                .destination = job->request->destination, .caller = job->owner, .caller_uid = job->owner_uid,
        };

        if (vsm_job_state_is_success(verdict->state))
                vsm_log_full(LOG_INFO, &context, "Job %" PRIu64 ": %s has come home from %s.", job->number,
                             job->system_name, fetch->from);
        else
                vsm_log_full(LOG_NOTICE, &context, "Job %" PRIu64 ": %s", job->number, verdict->sentence);
        if (detail)
                vsm_log_full(LOG_NOTICE, &context, "Job %" PRIu64 ": %s", job->number, detail->message);
}

static void end_done(VsmTask *task, void *userdata) {
        EndTask *t = (EndTask*) task;
        VsmManager *manager = userdata;
        VsmJob *job = vsm_job_find(manager, t->stored.number);
        VsmFetchJob *fetch;
        bool told;

        if (task->error)
                /* the guest is where it is; the next start will find that out again */
                vsm_log(LOG_ERR, "Cannot write down the end of job %" PRIu64 ": %s", t->stored.number,
                        task->error->message);
        if (!job)
                return;

        fetch = g_steal_pointer(&job->fetch);
        told = !fetch->begun && g_variant_n_children(t->reasons) > 0;
        if (told)
                job->reasons = g_variant_ref(t->reasons);
        vsm_job_end(job, t->verdict.state, t->verdict.code, t->verdict.sentence, told ? NULL : t->detail);
        log_end(job, fetch, &t->verdict, t->detail);

        vsm_host_refresh(manager, fetch->from);
        vsm_system_watch_one(manager, job->system_uuid, false, false);
        fetch->events->ended(job, t->outcome, job->reasons ?: t->reasons);
        vsm_fetch_job_free(fetch);
}

static void end_free(VsmTask *task) {
        EndTask *t = (EndTask*) task;

        g_clear_pointer(&t->reasons, g_variant_unref);
        g_clear_error(&t->detail);
        g_free(t);
}

static void take_outcome(VsmJob *job, VsmMoveOutcome outcome, const VsmTransferStats *stats, const GError *error) {
        EndTask *t = vsm_task_new(EndTask, end_run, end_done, end_free);
        bool moved = outcome == VSM_MOVE_MOVED || outcome == VSM_MOVE_MOVED_UNVERIFIED;

        vsm_fetch_watch_stop(job);
        job->fetch->ending = true;
        vsm_job_set_cancellable(job, false);

        /* all states are passed through, also when libvirt was quicker than a look at it */
        if (moved) {
                vsm_fetch_job_transferring(job);
                vsm_job_set_stats(job, stats);
                vsm_job_set_downtime(job, stats->downtime);
        }

        t->store = job->manager->store;
        t->verdict = verdict_of(job->fetch, outcome, error);
        t->outcome = outcome;
        t->reasons = vsm_fetch_reasons(job->fetch->run);
        t->detail = error ? g_error_copy(error) : NULL;
        t->stored = (VsmStoredJob) {
                .number = job->number,
                .system = job->system_uuid,     /* the job outlives the task: it is ended by it */
                .started = job->started,
                .ended = vsm_now_realtime(),
                .state = (uint16_t) t->verdict.state,
                .error_code = t->verdict.state == VSM_JOB_STATE_EXCEPTION ?
                        vsm_error_to_cim((int) t->verdict.code) : 0,
                .error = (char*) (t->verdict.sentence ?: ""),
                .address = job->address,
                .bytes = stats->memory_processed,
                .downtime = stats->downtime,
        };
        vsm_worker_push(job->manager->worker, VSM_LANE_STORE, &t->task);
}

/* ---- running ---- */

typedef enum {
        STEP_PREPARED,
        STEP_BEGUN,
        STEP_RETURNED,
} Step;

typedef struct StepTask {
        VsmTask task;
        uint64_t job;
        Step step;
        char *address;
} StepTask;

static void step_done(VsmTask *task, void *userdata) {
        StepTask *t = (StepTask*) task;
        VsmJob *job = vsm_job_find(userdata, t->job);

        if (!job || !job->fetch)
                return;

        switch (t->step) {
        case STEP_PREPARED:
                g_free(job->address);
                job->address = g_steal_pointer(&t->address);
                break;
        case STEP_BEGUN:
                job->fetch->begun = true;
                vsm_fetch_watch_start(job);
                break;
        case STEP_RETURNED:
                job->fetch->returned = true;
                vsm_fetch_watch_stop(job);
                vsm_job_set_phase(job, VSM_PHASE_FINISHING);
                break;
        }

        job->fetch->events->moved(job);
}

static void step_free(VsmTask *task) {
        g_free(((StepTask*) task)->address);
        g_free(task);
}

typedef struct RunTask {
        VsmTask task;
        VsmStore *store;
        VsmFetch *run;
        uint64_t job, when;
        VsmMoveFacts facts;
        bool resume;
        VsmMoveOutcome outcome;
        VsmTransferStats stats;
} RunTask;

/* Long lane, as are the next four. */
static void post_step(RunTask *t, Step step, const VsmMoveFacts *facts) {
        StepTask *s = vsm_task_new(StepTask, NULL, step_done, step_free);

        s->job = t->job;
        s->step = step;
        s->address = facts ? g_strdup(facts->address) : NULL;
        vsm_worker_post(t->task.worker, &s->task);
}

static bool hook_prepared(const VsmMoveFacts *facts, void *userdata, GError **error) {
        RunTask *t = userdata;

        post_step(t, STEP_PREPARED, facts);
        return vsm_store_job_started(t->store, t->job, t->when, error) &&
                vsm_store_job_begin(t->store, t->job, facts->persistent, facts->autostart, facts->paused,
                                    facts->address, error);
}

static void hook_started(void *userdata) {
        post_step(userdata, STEP_BEGUN, NULL);
}

static void hook_returned(void *userdata) {
        post_step(userdata, STEP_RETURNED, NULL);
}

static void run_run(VsmTask *task) {
        RunTask *t = (RunTask*) task;
        const VsmMoveHooks hooks = {
                .prepared = hook_prepared, .started = hook_started, .returned = hook_returned, .userdata = t,
        };

        if (t->resume) {
                hook_started(t);
                t->outcome = vsm_fetch_resume(t->run, &t->facts, &t->stats, &task->error);
                hook_returned(t);
        } else
                t->outcome = vsm_fetch_run(t->run, &hooks, &t->stats, &task->error);
}

static void run_done(VsmTask *task, void *userdata) {
        RunTask *t = (RunTask*) task;
        VsmJob *job = vsm_job_find(userdata, t->job);

        if (job && job->fetch)
                take_outcome(job, t->outcome, &t->stats, task->error);
}

static void run_free(VsmTask *task) {
        RunTask *t = (RunTask*) task;

        vsm_fetch_unref(t->run);
        g_free(t->facts.address);
        g_free(t);
}

/* This host as the other one has to call it: over the same kind of connection, and at the same port, as it is called
 * from here. */
static VsmDestination* home_of(VsmManager *manager, const VsmDestination *from, const VsmRequest *request) {
        VsmDestination *home = vsm_destination_copy(from);

        g_free(home->host);
        home->host = g_strdup(request->destination);
        home->transport = request->transport;
        g_strfreev(home->addresses);
        home->addresses = vsm_network_listener_list(manager);
        g_clear_pointer(&home->host_addresses, g_strfreev);
        return home;
}

static VsmFetch* make_run(VsmJob *job, const char *from, bool autostart) {
        g_autoptr(VsmDestination) there = vsm_destination_to(job->manager, from);
        g_autoptr(VsmDestination) home = home_of(job->manager, there, job->request);
        VsmFetchOptions options = {
                .from = there,
                .home = home,
                .autostart = autostart,
                .bandwidth = vsm_bandwidth_limit(job->manager, 0),
                .compression = job->request->compression > 0,
        };

        g_strlcpy(options.uuid, job->system_uuid, sizeof options.uuid);
        return vsm_fetch_new(job->manager->virt, &options);
}

static void make_fetch(VsmJob *job, const char *from, bool autostart, const VsmFetchEvents *events) {
        job->fetch = g_new0(VsmFetchJob, 1);
        job->fetch->from = g_strdup(from);
        job->fetch->events = events;
        job->fetch->run = make_run(job, from, autostart);
        job->cancel = vsm_fetch_job_cancel;
}

static void run(VsmJob *job, const VsmMoveFacts *facts) {
        RunTask *t = vsm_task_new(RunTask, run_run, run_done, run_free);

        vsm_job_set_state(job, VSM_JOB_STATE_STARTING);
        vsm_job_set_phase(job, VSM_PHASE_PREPARING);

        t->store = job->manager->store;
        t->run = vsm_fetch_ref(job->fetch->run);
        t->job = job->number;
        t->when = job->started;
        if (facts) {
                t->resume = true;
                t->facts = *facts;
                t->facts.address = g_strdup(facts->address);
        }

        vsm_worker_push(job->manager->worker, VSM_LANE_LONG, &t->task);
}

/* ---- beginning ---- */

typedef struct InsertTask {
        VsmTask task;
        VsmStore *store;
        VsmStoredJob *stored;
        VsmJob *job;                    /* ours until it is published; nobody else knows it */
} InsertTask;

static void insert_run(VsmTask *task) {
        InsertTask *t = (InsertTask*) task;

        (void) vsm_store_job_insert(t->store, t->stored, &task->error);
}

static void insert_done(VsmTask *task, void *userdata) {
        InsertTask *t = (InsertTask*) task;
        VsmManager *manager = userdata;
        VsmJob *job = t->job;

        (void) g_ptr_array_remove_fast(manager->accepting, job);
        if (task->error) {
                g_autoptr(GVariant) none = g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0));

                vsm_log(LOG_ERR, "Cannot write a job down: %s", task->error->message);
                job->fetch->events->ended(job, VSM_MOVE_STAYED, none);
                return;
        }

        t->job = NULL;
        vsm_job_publish(job, t->stored->number);
        vsm_log(LOG_INFO, "Job %" PRIu64 ": %s is to come home from %s.", job->number, job->system_name,
                job->fetch->from);
        run(job, NULL);
        job->fetch->events->moved(job);
}

static void insert_free(VsmTask *task) {
        InsertTask *t = (InsertTask*) task;

        vsm_job_free(t->job);
        vsm_stored_job_free(t->stored);
        g_free(t);
}

/* What the move would be asked for if it were this host's own to that one, turned round. */
static VsmRequest* make_request(VsmManager *manager, const char *from, GError **error) {
        g_autoptr(GVariant) none = g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0));
        g_autoptr(GVariant) no_list = g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0));
        const VsmHost *host = vsm_host_match(manager, from);
        VsmSettingsData settings = manager->settings;
        g_autoptr(VsmRequest) request = NULL;

        request = vsm_request_new(vsm_service_host_name(manager), none, none, no_list, error);
        if (!request) {
                g_prefix_error(error, "This host's name cannot be given to another host: ");
                return NULL;
        }

        if (host) {
                settings.authentication = vsm_host_authentication(manager, host);
                request->verifies_clients = vsm_host_data(host)->verifies_clients;
        }

        return vsm_request_resolve(request, &settings, error) ? g_steal_pointer(&request) : NULL;
}

static VsmStoredJob* stored_of(const VsmJob *job, const char *from) {
        VsmStoredJob *stored = g_new0(VsmStoredJob, 1);

        stored->type = job->type;
        stored->parent = job->parent;
        stored->system = g_strdup(job->system_uuid);
        stored->system_name = g_strdup(job->system_name);
        stored->owner = g_strdup(job->owner);
        stored->owner_uid = job->owner_uid;
        stored->request = vsm_request_to_text(job->request);
        stored->destination = g_strdup(job->request->destination);
        stored->boot_id = g_strdup(job->manager->boot_id);
        stored->submitted = job->submitted;
        stored->state = job->state;
        stored->source = g_strdup(from);
        return stored;
}

bool vsm_fetch_job_begin(VsmJob *parent, const VsmFetchWish *wish, const VsmFetchEvents *events, GError **error) {
        VsmManager *manager = parent->manager;
        VsmRequest *request = make_request(manager, wish->from, error);
        InsertTask *t;
        VsmJob *job;

        if (!request)
                return false;

        job = vsm_job_new(manager, VSM_JOB_TYPE_MOVE_SYSTEM);
        job->parent = parent->number;
        job->request = request;
        g_strlcpy(job->system_uuid, wish->uuid, sizeof job->system_uuid);
        g_free(job->system_name);
        job->system_name = g_strdup(wish->name);
        g_free(job->owner);
        job->owner = g_strdup(parent->owner);
        job->owner_uid = parent->owner_uid;
        make_fetch(job, wish->from, wish->autostart, events);
        g_ptr_array_add(manager->accepting, job);

        t = vsm_task_new(InsertTask, insert_run, insert_done, insert_free);
        t->store = manager->store;
        t->stored = stored_of(job, wish->from);
        t->job = job;
        vsm_worker_push(manager->worker, VSM_LANE_STORE, &t->task);
        return true;
}

void vsm_fetch_job_recover(VsmJob *job, const VsmStoredJob *stored, bool autostart,
                           const VsmFetchEvents *events) {

        const VsmMoveFacts facts = {
                .persistent = stored->persistent,
                .autostart = stored->autostart,
                .paused = stored->paused,
                .address = stored->address,
        };

        make_fetch(job, stored->source, autostart, events);
        job->started = stored->started;

        /* nothing was done for it, and nobody waits for it any more */
        if (!stored->begun && !g_str_equal(stored->boot_id, job->manager->boot_id)) {
                static const VsmTransferStats nothing = {};
                g_autoptr(GError) error = g_error_new_literal(VSM_ERROR, VSM_ERROR_INVALID_STATE,
                                                              "The host was restarted before it began.");

                take_outcome(job, VSM_MOVE_STAYED, &nothing, error);
                return;
        }

        run(job, stored->begun ? &facts : NULL);
        if (stored->cancel > 0)
                vsm_fetch_job_cancel(job, stored->cancel == 5);
}
