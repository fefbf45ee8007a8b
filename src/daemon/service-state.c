/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* EnabledState, RequestedState, TransitioningToState, and the job of a quiesce. A change is worked out at
 * its turn, written down, and then acted on; only then comes the next one. So each is made of what the one
 * before it left. Bus thread, but for change_run(), which says so. */

#include "daemon/actions.h"
#include "daemon/log.h"
#include "daemon/queue.h"
#include "daemon/service-facts.h"
#include "daemon/service-state.h"
#include "daemon/service.h"
#include "daemon/user-name.h"
#include "shared/cleanup.h"
#include "shared/names.h"

/* CIM_EnabledLogicalElement.TransitioningToState: no transition runs */
#define TRANSITIONING_TO_NONE 5

struct VsmServiceState {
        VsmServiceFacts facts;
        sd_event_source *limit;         /* TimeoutPeriod of the quiesce */
        bool ending;                    /* its end is being written down */
        GQueue changes;                 /* Change: the first one is at the disk */
};

static const uint16_t states[] = {
        VSM_ENABLED_STATE_ENABLED, VSM_ENABLED_STATE_DISABLED, VSM_ENABLED_STATE_QUIESCE
};

/* A request for a state, or the end of a quiesce. */
typedef struct Change {
        VsmTask task;
        VsmManager *manager;
        VsmStore *store;

        sd_bus_message *call;           /* of a request */
        bool replies_job;
        uint16_t wanted;
        uint64_t timeout;
        uid_t caller;

        uint64_t ends;                  /* number of the job that ends */
        VsmJobState end;
        VsmError code;
        const char *sentence;           /* static */

        VsmServiceFacts next;           /* once it is written down */
        bool needs_job;
} Change;

static void changed(VsmManager *manager, const char *property) {
        vsm_bus_changed(manager->bus, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE, property);
}

uint16_t vsm_service_state_enabled(VsmManager *manager) {
        return manager->state->facts.enabled;
}

uint16_t vsm_service_state_requested(VsmManager *manager) {
        return manager->state->facts.requested;
}

static uint16_t transitioning(const VsmServiceFacts *facts) {
        return facts->quiesce > 0 ? VSM_ENABLED_STATE_QUIESCE : TRANSITIONING_TO_NONE;
}

uint16_t vsm_service_state_transitioning(VsmManager *manager) {
        return transitioning(&manager->state->facts);
}

uint64_t vsm_service_state_changed(VsmManager *manager) {
        return manager->state->facts.changed;
}

size_t vsm_service_state_available(VsmManager *manager, uint16_t ret[3]) {
        size_t n = 0;

        for (size_t i = 0; i < G_N_ELEMENTS(states); i++)
                if (states[i] != manager->state->facts.enabled)
                        ret[n++] = states[i];

        return n;
}

/* ---- one change ---- */

static void change_next(VsmManager *manager);

/* Store lane. */
static void change_run(VsmTask *task) {
        Change *t = (Change*) task;

        if (t->needs_job) {
                t->next.owner = vsm_user_name(t->caller);
                if (!vsm_store_number_next(t->store, &t->next.quiesce, &task->error))
                        return;
        }

        (void) vsm_service_facts_write(t->store, &t->next, &task->error);
}

static void take_facts(VsmManager *manager, VsmServiceFacts *next) {
        VsmServiceFacts old = manager->state->facts;
        VsmServiceFacts *now = &manager->state->facts;

        *now = *next;
        *next = (VsmServiceFacts) {};

        if (now->enabled != old.enabled) {
                changed(manager, "EnabledState");
                changed(manager, "AvailableRequestedStates");
                vsm_log(LOG_NOTICE, "EnabledState of the service is %u (%s) now.", now->enabled,
                        vsm_enabled_state_to_string(now->enabled));
        }
        if ((now->enabled == VSM_ENABLED_STATE_DISABLED) != (old.enabled == VSM_ENABLED_STATE_DISABLED))
                changed(manager, "Started");
        if (now->changed != old.changed)
                changed(manager, "TimeOfLastStateChange");
        if (now->requested != old.requested)
                changed(manager, "RequestedState");
        if (transitioning(now) != transitioning(&old))
                changed(manager, "TransitioningToState");

        vsm_service_facts_clear(&old);
}

static void end_job(VsmManager *manager, uint64_t number, VsmJobState end, VsmError code, const char *sentence) {
        VsmJob *job = vsm_job_find(manager, number);

        manager->state->ending = false;
        manager->state->limit = sd_event_source_disable_unref(manager->state->limit);
        if (!job)
                return;

        /* the service first, then the job */
        vsm_bus_flush(manager->bus, VSM_OBJECT_PATH);
        vsm_job_end(job, end, code, sentence, NULL);
        vsm_log(LOG_INFO, "Job %" PRIu64 ": %s", number,
                sentence ?: "No migration runs any more; the service is quiet.");
}

static void change_push(VsmManager *manager, Change *change) {
        change->manager = manager;
        change->store = manager->store;
        g_queue_push_tail(&manager->state->changes, change);
        if (g_queue_get_length(&manager->state->changes) == 1)
                change_next(manager);
}

static void change_done(VsmTask *task, void *userdata);
static void change_free(VsmTask *task);

static void push_end(VsmManager *manager, VsmJobState end, VsmError code, const char *sentence) {
        Change *t = vsm_task_new(Change, change_run, change_done, change_free);

        manager->state->ending = true;
        t->ends = manager->state->facts.quiesce;
        t->end = end;
        t->code = code;
        t->sentence = sentence;
        change_push(manager, t);
}

/* ---- the job of a quiesce ---- */

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata) {
        push_end(userdata, VSM_JOB_STATE_EXCEPTION, VSM_ERROR_TIMEOUT,
                 "Migrations still ran when TimeoutPeriod had passed. New ones stay refused until another state "
                 "is asked for.");
        return 0;
}

static void arm_limit(VsmManager *manager) {
        VsmServiceState *state = manager->state;
        uint64_t now = vsm_now_realtime(), deadline = state->facts.deadline;

        state->limit = sd_event_source_disable_unref(state->limit);
        if (deadline == 0)
                return;

        if (sd_event_add_time_relative(manager->event, &state->limit, CLOCK_MONOTONIC,
                                       deadline > now ? deadline - now : 0, G_USEC_PER_SEC / 10, on_limit,
                                       manager) < 0)
                vsm_log(LOG_WARNING, "Cannot limit the time of a quiesce.");
}

static void cancel_quiesce(VsmJob *job, bool kill) {
        vsm_job_set_cancellable(job, false);
        vsm_job_set_state(job, VSM_JOB_STATE_SHUTTING_DOWN);
        push_end(job->manager, kill ? VSM_JOB_STATE_KILLED : VSM_JOB_STATE_TERMINATED, VSM_ERROR_CANCELLED,
                 "Nobody waits for the running migrations any more. New ones stay refused until another state is "
                 "asked for.");
}

static VsmJob* publish_job(VsmManager *manager) {
        const VsmServiceFacts *facts = &manager->state->facts;
        VsmJob *job = vsm_job_new(manager, VSM_JOB_TYPE_QUIESCE);

        g_free(job->owner);
        job->owner = g_strdup(facts->owner ?: "");
        job->owner_uid = facts->owner_uid;
        job->submitted = facts->submitted;
        job->cancel = cancel_quiesce;
        vsm_job_publish(job, facts->quiesce);
        return job;
}

static void run_job(VsmManager *manager, VsmJob *job) {
        vsm_job_set_phase(job, VSM_PHASE_FINISHING);
        vsm_job_set_state(job, VSM_JOB_STATE_STARTING);
        vsm_job_set_state(job, VSM_JOB_STATE_RUNNING);
        arm_limit(manager);
}

void vsm_service_state_look(VsmManager *manager) {
        VsmServiceState *state = manager->state;

        /* before those of an earlier run are taken up nobody knows what runs */
        if (state->facts.quiesce == 0 || state->ending || manager->unfinished ||
            vsm_service_running(manager) > 0)
                return;

        push_end(manager, VSM_JOB_STATE_COMPLETED, 0, NULL);
}

/* ---- the turn of a change ---- */

/* What the facts will be. false: there is nothing to do. */
static bool work_out(VsmServiceState *state, Change *t) {
        VsmServiceFacts *next = &t->next;
        uint64_t now = vsm_now_realtime();

        *next = vsm_service_facts_copy(&state->facts);

        if (!t->call) {
                /* another change, or another reason, ended it meanwhile */
                if (next->quiesce != t->ends)
                        return false;
                next->quiesce = 0;
                return true;
        }

        next->requested = t->wanted;
        if (next->enabled != t->wanted) {
                next->enabled = t->wanted;
                next->changed = now;
        }

        if (t->wanted != VSM_ENABLED_STATE_QUIESCE) {
                next->quiesce = 0;
                return true;
        }

        if (next->quiesce == 0) {
                vsm_service_facts_clear(next);
                next->owner_uid = t->caller;
                next->submitted = now;
                next->deadline = 0;
                t->needs_job = true;
        }
        if (t->timeout > 0)
                next->deadline = now + t->timeout;

        return true;
}

static void change_next(VsmManager *manager) {
        VsmServiceState *state = manager->state;
        Change *t;

        while ((t = g_queue_peek_head(&state->changes))) {
                if (work_out(state, t)) {
                        vsm_worker_push(manager->worker, VSM_LANE_STORE, &t->task);
                        return;
                }

                (void) g_queue_pop_head(&state->changes);
                change_free(&t->task);
        }
}

static void reply(VsmManager *manager, const Change *t, const VsmJob *job) {
        if (!t->replies_job)
                (void) sd_bus_reply_method_return(t->call, "u", VSM_RETURN_COMPLETED);
        else if (job)
                (void) sd_bus_reply_method_return(t->call, "uo", VSM_RETURN_JOB_STARTED, job->path);
        else
                (void) sd_bus_reply_method_return(t->call, "uo", VSM_RETURN_COMPLETED, "/");
}

static void request_done(VsmManager *manager, Change *t) {
        VsmServiceState *state = manager->state;
        uint64_t former = state->facts.quiesce;
        VsmJob *job = NULL;

        take_facts(manager, &t->next);
        if (former > 0 && former != state->facts.quiesce)
                end_job(manager, former, VSM_JOB_STATE_TERMINATED, VSM_ERROR_CANCELLED,
                        "Another state was asked for before the running migrations had ended.");

        /* the order that clients rely on: the object, the answer, what happens to it */
        if (state->facts.quiesce > 0)
                job = t->needs_job ? publish_job(manager) : vsm_job_find(manager, state->facts.quiesce);
        reply(manager, t, job);
        if (job && t->needs_job)
                run_job(manager, job);
        else if (job)
                arm_limit(manager);

        vsm_queue_run(manager->queue);
}

static void change_done(VsmTask *task, void *userdata) {
        Change *t = (Change*) task;
        VsmManager *manager = userdata;

        if (task->error)
                vsm_log(LOG_ERR, "Cannot write the service's state down: %s", task->error->message);

        if (task->error && t->call)
                vsm_bus_reply_error(t->call, task->error);
        else if (t->call)
                request_done(manager, t);
        else {
                /* it is true all the same; the next start finds it out again */
                take_facts(manager, &t->next);
                end_job(manager, t->ends, t->end, t->code, t->sentence);
        }

        (void) g_queue_pop_head(&manager->state->changes);
        change_next(manager);
}

static void change_free(VsmTask *task) {
        Change *t = (Change*) task;

        vsm_service_facts_clear(&t->next);
        sd_bus_message_unref(t->call);
        g_free(t);
}

/* ---- methods ---- */

static int request(VsmManager *manager, sd_bus_message *call, const char *method, uint16_t wanted,
                   uint64_t timeout, sd_bus_error *error) {
        Change *t;
        uid_t caller;
        int r;

        r = vsm_polkit_check(manager->polkit, call, vsm_member_find(VSM_INTERFACE_SERVICE, method)->action, NULL,
                             error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = vsm_bus_caller(call, &caller);
        if (r < 0)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_ACCESS_DENIED),
                                        "The caller has left the bus.");

        t = vsm_task_new(Change, change_run, change_done, change_free);
        t->call = sd_bus_message_ref(call);
        t->replies_job = g_str_equal(method, "RequestStateChange");
        t->wanted = wanted;
        t->timeout = timeout;
        t->caller = caller;
        change_push(manager, t);
        return 1;
}

int vsm_method_request_state_change(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        uint16_t wanted;
        uint64_t timeout;
        int r;

        r = sd_bus_message_read(call, "qt", &wanted, &timeout);
        if (r < 0)
                return r;

        if (wanted != VSM_ENABLED_STATE_ENABLED && wanted != VSM_ENABLED_STATE_DISABLED &&
            wanted != VSM_ENABLED_STATE_QUIESCE)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_NOT_SUPPORTED),
                                        "RequestedState can be 2 (Enabled), 3 (Disabled) or 9 (Quiesce) only.");
        /* as a moment it has to fit, too */
        if (timeout > INT64_MAX / 2)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_INVALID_PARAMETER),
                                        "TimeoutPeriod is too long; 0 is for ever.");

        return request(userdata, call, "RequestStateChange", wanted, timeout, error);
}

int vsm_method_start_service(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return request(userdata, call, "StartService", VSM_ENABLED_STATE_ENABLED, 0, error);
}

int vsm_method_stop_service(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return request(userdata, call, "StopService", VSM_ENABLED_STATE_DISABLED, 0, error);
}

/* ---- life ---- */

VsmServiceState* vsm_service_state_new(void) {
        VsmServiceState *state = g_new0(VsmServiceState, 1);

        state->facts.enabled = VSM_ENABLED_STATE_ENABLED;
        g_queue_init(&state->changes);
        return state;
}

void vsm_service_state_free(VsmServiceState *state) {
        if (!state)
                return;

        /* the first one is the worker's, which has stopped */
        while (g_queue_get_length(&state->changes) > 1)
                change_free(&((Change*) g_queue_pop_tail(&state->changes))->task);
        g_queue_clear(&state->changes);
        sd_event_source_disable_unref(state->limit);
        vsm_service_facts_clear(&state->facts);
        g_free(state);
}

bool vsm_service_state_load(VsmManager *manager, GError **error) {
        g_autofree char *fault = NULL;

        if (!vsm_service_facts_read(manager->store, &manager->state->facts, &fault, error))
                return false;

        if (fault)
                vsm_log(LOG_WARNING, "The service's state is not fully known: %s cannot be read.", fault);
        if (manager->state->facts.enabled != VSM_ENABLED_STATE_ENABLED)
                vsm_log(LOG_NOTICE, "EnabledState of the service is %u (%s), as it was when it stopped.",
                        manager->state->facts.enabled,
                        vsm_enabled_state_to_string(manager->state->facts.enabled));
        return true;
}

void vsm_service_state_start(VsmManager *manager) {
        const VsmServiceFacts *facts = &manager->state->facts;
        uint64_t now = vsm_now_realtime();
        VsmJob *job;

        if (facts->quiesce == 0)
                return;

        /* it began when it was asked for, which may be before this boot */
        job = publish_job(manager);
        job->started = facts->submitted;
        job->started_mono = job->submitted_mono;
        if (now > facts->submitted)
                job->started_mono -= MIN(now - facts->submitted, job->started_mono - 1);
        run_job(manager, job);
}
