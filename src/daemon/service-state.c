/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* EnabledState, RequestedState, TransitioningToState, and the job of a quiesce. A change is worked out at
 * its turn, written down, and then acted on; only then comes the next one. So each is made of what the one
 * before it left. Bus thread, but for change_run(), which says so. */

#include "daemon/log.h"
#include "daemon/queue.h"
#include "daemon/refuse.h"
#include "daemon/service-state-internal.h"
#include "daemon/service.h"
#include "daemon/user-name.h"
#include "shared/cleanup.h"
#include "shared/names.h"

/* CIM_EnabledLogicalElement.TransitioningToState: no transition runs */
#define TRANSITIONING_TO_NONE 5

static const uint16_t states[] = {
        VSM_ENABLED_STATE_ENABLED, VSM_ENABLED_STATE_DISABLED, VSM_ENABLED_STATE_QUIESCE
};

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
        VsmServiceChange *t = (VsmServiceChange*) task;

        if (t->needs_job) {
                t->next.owner = vsm_user_name(t->caller);
                if (!vsm_store_number_next(t->store, &t->next.quiesce, &task->error))
                        return;
        }

        /* who closes the door closes it before he says so; who opens it says so first */
        if (t->directory && t->refusal && !vsm_refuse_write(t->directory, t->refusal, &task->error))
                return;
        if (vsm_service_facts_write(t->store, &t->next, &task->error) && t->directory && !t->refusal)
                (void) vsm_refuse_write(t->directory, NULL, &task->error);
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
        if (now->draining != old.draining)
                vsm_draining_changed(manager);

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

static void change_done(VsmTask *task, void *userdata);
static void change_free(VsmTask *task);

VsmServiceChange* vsm_service_change_new(VsmManager *manager, VsmServiceChangeKind kind) {
        VsmServiceChange *t = vsm_task_new(VsmServiceChange, change_run, change_done, change_free);

        t->manager = manager;
        t->store = manager->store;
        t->kind = kind;
        return t;
}

void vsm_service_change_push(VsmServiceChange *change) {
        VsmManager *manager = change->manager;

        g_queue_push_tail(&manager->state->changes, change);
        if (g_queue_get_length(&manager->state->changes) == 1)
                change_next(manager);
}

static void push_end(VsmManager *manager, VsmJobState end, VsmError code, const char *sentence) {
        VsmServiceChange *t = vsm_service_change_new(manager, VSM_CHANGE_QUIESCED);

        manager->state->ending = true;
        t->ends = manager->state->facts.quiesce;
        t->end = end;
        t->code = code;
        t->sentence = sentence;
        vsm_service_change_push(t);
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

static void end_drain(VsmServiceFacts *next) {
        next->draining = next->keep_draining = false;
        g_clear_pointer(&next->drain_boot_id, g_free);
}

static void work_out_request(VsmServiceChange *t, uint64_t now) {
        VsmServiceFacts *next = &t->next;

        next->requested = t->wanted;

        /* draining goes on until it is ended; then the service is disabled */
        if (next->draining && t->wanted == VSM_ENABLED_STATE_DISABLED) {
                next->before_draining = VSM_ENABLED_STATE_DISABLED;
                next->quiesce = 0;
                return;
        }

        if (next->enabled != t->wanted) {
                next->enabled = t->wanted;
                next->changed = now;
        }

        if (t->wanted != VSM_ENABLED_STATE_QUIESCE) {
                next->quiesce = 0;
                end_drain(next);
                return;
        }

        /* so it stays when draining ends */
        if (next->draining)
                next->before_draining = VSM_ENABLED_STATE_QUIESCE;

        if (next->quiesce == 0) {
                g_clear_pointer(&next->owner, g_free);
                next->owner_uid = t->caller;
                next->submitted = now;
                next->deadline = 0;
                t->needs_job = true;
        }
        if (t->timeout > 0)
                next->deadline = now + t->timeout;
}

/* Afterwards it is as it was before: what an administrator has disabled stays so. */
static void work_out_drain(VsmServiceChange *t, uint64_t now) {
        VsmServiceFacts *next = &t->next;
        uint16_t before = next->draining ? next->before_draining : next->enabled;
        uint16_t enabled = t->draining ? VSM_ENABLED_STATE_QUIESCE : before;

        end_drain(next);
        if (next->enabled != enabled) {
                next->enabled = enabled;
                next->changed = now;
        }

        if (!t->draining) {
                if (enabled != VSM_ENABLED_STATE_QUIESCE)
                        next->quiesce = 0;
                return;
        }

        next->draining = true;
        next->keep_draining = t->keep;
        next->drain_boot_id = g_strdup(t->manager->boot_id);
        next->before_draining = before;
}

/* What the facts will be. false: there is nothing to do. */
static bool work_out(VsmServiceState *state, VsmServiceChange *t) {
        VsmServiceFacts *next = &t->next;
        uint64_t now = vsm_now_realtime();

        *next = vsm_service_facts_copy(&state->facts);

        switch (t->kind) {
        case VSM_CHANGE_REQUEST:
                work_out_request(t, now);
                break;
        case VSM_CHANGE_QUIESCED:
                /* another change, or another reason, ended it meanwhile */
                if (next->quiesce != t->ends)
                        return false;
                next->quiesce = 0;
                break;
        case VSM_CHANGE_DRAIN:
                /* what is no drain is no other state's end either */
                if (!t->draining && !next->draining)
                        return false;
                work_out_drain(t, now);
                break;
        }

        if (next->draining != state->facts.draining) {
                t->directory = g_strdup(t->manager->state_directory);
                t->refusal = vsm_refuse_sentence(t->manager, t->manager->settings.enable_migration, next->draining);
        }

        return true;
}

static void change_next(VsmManager *manager) {
        VsmServiceState *state = manager->state;
        VsmServiceChange *t;

        while ((t = g_queue_peek_head(&state->changes))) {
                if (work_out(state, t)) {
                        vsm_worker_push(manager->worker, VSM_LANE_STORE, &t->task);
                        return;
                }

                (void) g_queue_pop_head(&state->changes);
                if (t->drained)
                        t->drained(manager, NULL, t->userdata);
                change_free(&t->task);
        }
}

static void reply(VsmManager *manager, const VsmServiceChange *t, const VsmJob *job) {
        if (!t->replies_job)
                (void) sd_bus_reply_method_return(t->call, "u", VSM_RETURN_COMPLETED);
        else if (job)
                (void) sd_bus_reply_method_return(t->call, "uo", VSM_RETURN_JOB_STARTED, job->path);
        else
                (void) sd_bus_reply_method_return(t->call, "uo", VSM_RETURN_COMPLETED, "/");
}

static void end_former(VsmManager *manager, uint64_t former) {
        if (former > 0 && former != manager->state->facts.quiesce)
                end_job(manager, former, VSM_JOB_STATE_TERMINATED, VSM_ERROR_CANCELLED,
                        "Another state was asked for before the running migrations had ended.");
}

static void request_done(VsmManager *manager, VsmServiceChange *t) {
        VsmServiceState *state = manager->state;
        VsmJob *job = NULL;

        /* the order that clients rely on: the object, the answer, what happens to it */
        if (state->facts.quiesce > 0)
                job = t->needs_job ? publish_job(manager) : vsm_job_find(manager, state->facts.quiesce);
        reply(manager, t, job);
        if (job && t->needs_job)
                run_job(manager, job);
        else if (job)
                arm_limit(manager);
}

static void change_failed(VsmManager *manager, VsmServiceChange *t) {
        vsm_log(LOG_ERR, "Cannot write the service's state down: %s", t->task.error->message);
        if (t->directory)
                vsm_refuse_update(manager);

        if (t->call)
                vsm_bus_reply_error(t->call, t->task.error);
        if (t->drained)
                t->drained(manager, t->task.error, t->userdata);
}

static void change_made(VsmManager *manager, VsmServiceChange *t) {
        uint64_t former = manager->state->facts.quiesce;

        take_facts(manager, &t->next);

        switch (t->kind) {
        case VSM_CHANGE_REQUEST:
                end_former(manager, former);
                request_done(manager, t);
                break;
        case VSM_CHANGE_QUIESCED:
                end_job(manager, t->ends, t->end, t->code, t->sentence);
                return;
        case VSM_CHANGE_DRAIN:
                end_former(manager, former);
                vsm_bus_flush(manager->bus, VSM_OBJECT_PATH);
                if (t->drained)
                        t->drained(manager, NULL, t->userdata);
                break;
        }

        vsm_queue_run(manager->queue);
}

static void change_done(VsmTask *task, void *userdata) {
        VsmServiceChange *t = (VsmServiceChange*) task;
        VsmManager *manager = userdata;

        /* the end of a quiesce is true all the same; the next start finds it out again */
        if (task->error)
                change_failed(manager, t);
        if (!task->error || t->kind == VSM_CHANGE_QUIESCED)
                change_made(manager, t);

        (void) g_queue_pop_head(&manager->state->changes);
        change_next(manager);
}

static void change_free(VsmTask *task) {
        VsmServiceChange *t = (VsmServiceChange*) task;

        vsm_service_facts_clear(&t->next);
        sd_bus_message_unref(t->call);
        g_free(t->directory);
        g_free(t->refusal);
        g_free(t);
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
                change_free(&((VsmServiceChange*) g_queue_pop_tail(&state->changes))->task);
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
        if (!vsm_draining_load(manager, error))
                return false;
        if (manager->state->facts.enabled != VSM_ENABLED_STATE_ENABLED)
                vsm_log(LOG_NOTICE, "EnabledState of the service is %u (%s), as it was when it stopped.",
                        manager->state->facts.enabled,
                        vsm_enabled_state_to_string(manager->state->facts.enabled));
        return true;
}

void vsm_service_state_start(VsmManager *manager) {
        const VsmServiceFacts *facts = &manager->state->facts;
        VsmJob *job;

        if (facts->quiesce == 0)
                return;

        /* it began when it was asked for, which may be before this boot */
        job = publish_job(manager);
        job->started = facts->submitted;
        job->started_mono = job->submitted_mono;
        job->started_mono -= MIN(vsm_realtime_since(facts->submitted), job->started_mono - 1);
        run_job(manager, job);
}
