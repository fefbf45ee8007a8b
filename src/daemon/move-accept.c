/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From an authorized call to a job on the bus. The job is written down before anybody hears of it:
 * a caller who was told a number finds it again after any crash. Bus thread only. */

#include "daemon/evacuation.h"
#include "daemon/log.h"
#include "daemon/move-internal.h"
#include "daemon/move-type.h"
#include "daemon/queue.h"
#include "daemon/service.h"
#include "daemon/user-name.h"
#include "shared/cleanup.h"

typedef struct AcceptTask {
        VsmTask task;
        VsmManager *manager;
        VsmStore *store;
        VsmStoredJob *stored;
        VsmJob *job;            /* ours until it is published; nobody else knows it */
        sd_bus_message *call;
} AcceptTask;

static void accept_run(VsmTask *task) {
        AcceptTask *t = (AcceptTask*) task;

        t->stored->owner = vsm_user_name(t->stored->owner_uid);
        (void) vsm_store_job_insert(t->store, t->stored, &task->error);
}

static void refused_after_all(VsmManager *manager, AcceptTask *t, const GError *error) {
        VsmSystem *system = vsm_system_find(manager, t->job->system_uuid);

        vsm_log(LOG_ERR, "Cannot write a job down: %s", error->message);
        if (t->call)
                vsm_bus_reply_error(t->call, error);
        if (system && t->job->move)
                vsm_system_release(system);
        if (t->job->refused)
                t->job->refused(t->job, error);
}

/* To a System there is one value more: where the system will be is on another bus. What CIM does not have has no
 * ReturnValue. */
static void reply(sd_bus_message *call, const VsmJob *job) {
        const char *path = job->path;

        if (!job->request)
                (void) sd_bus_reply_method_return(call, "o", path);
        else if (g_strcmp0(sd_bus_message_get_member(call), "MigrateVirtualSystemToSystem") == 0)
                (void) sd_bus_reply_method_return(call, "uoo", VSM_RETURN_JOB_STARTED, "/", path);
        else
                (void) sd_bus_reply_method_return(call, "uo", VSM_RETURN_JOB_STARTED, path);
}

static void accept_done(VsmTask *task, void *userdata) {
        AcceptTask *t = (AcceptTask*) task;
        VsmManager *manager = userdata;
        VsmJob *job = t->job;

        (void) g_ptr_array_remove_fast(manager->accepting, job);
        if (task->error) {
                refused_after_all(manager, t, task->error);
                return;
        }

        t->job = NULL;
        g_free(job->owner);
        job->owner = g_strdup(t->stored->owner);

        /* the order that clients rely on: the object, the answer, the system's state */
        vsm_job_publish(job, t->stored->number);
        if (t->call)
                reply(t->call, job);
        job->begin(job);
}

static void accept_free(VsmTask *task) {
        AcceptTask *t = (AcceptTask*) task;

        vsm_job_free(t->job);
        vsm_stored_job_free(t->stored);
        sd_bus_message_unref(t->call);
        g_free(t);
}

static VsmStoredJob* stored_of(VsmManager *manager, const VsmJob *job) {
        VsmStoredJob *stored = g_new0(VsmStoredJob, 1);

        stored->type = job->type;
        stored->system = g_strdup(job->system_uuid);
        stored->system_name = g_strdup(job->system_name);
        stored->owner_uid = job->owner_uid;
        stored->request = job->request ? vsm_request_to_text(job->request) : g_variant_print(job->options, TRUE);
        stored->destination = g_strdup(job->request ? job->request->destination : "");
        stored->parent = job->parent;
        stored->boot_id = g_strdup(manager->boot_id);
        stored->submitted = job->submitted;
        stored->state = job->state;
        stored->source = g_strdup(vsm_service_host_name(manager));
        return stored;
}

void vsm_job_accept(VsmJob *job, sd_bus_message *call, VsmSystem *system, VsmRequest *request, uid_t caller) {
        AcceptTask *t = vsm_task_new(AcceptTask, accept_run, accept_done, accept_free);
        VsmManager *manager = job->manager;

        job->request = request;
        job->owner_uid = caller;
        if (system) {
                g_strlcpy(job->system_uuid, vsm_system_uuid(system), sizeof job->system_uuid);
                g_free(job->system_name);
                job->system_name = g_strdup(vsm_system_name(system));
        }
        g_ptr_array_add(manager->accepting, job);

        t->manager = manager;
        t->store = manager->store;
        t->stored = stored_of(manager, job);
        t->job = job;
        t->call = call ? sd_bus_message_ref(call) : NULL;
        vsm_worker_push(manager->worker, VSM_LANE_STORE, &t->task);
}

static void begin(VsmJob *job) {
        vsm_move_job_enqueue(job, vsm_move_job_system(job));
}

static VsmJob* job_of(VsmManager *manager, VsmSystem *system, const VsmRequest *request) {
        VsmJob *job = vsm_job_new(manager, vsm_move_type(request->migration_type)->job);

        job->move = vsm_move_job_new();
        job->begin = begin;

        /* from here on the next caller hears that the system is in use */
        vsm_system_claim(system);
        return job;
}

void vsm_move_job_accept(VsmManager *manager, sd_bus_message *call, VsmSystem *system, VsmRequest *request,
                         uid_t caller) {
        vsm_job_accept(job_of(manager, system, request), call, system, request, caller);
}

VsmJob* vsm_move_job_accept_child(VsmJob *parent, VsmSystem *system, VsmRequest *request, bool held) {
        VsmJob *job = job_of(parent->manager, system, request);

        job->parent = parent->number;
        job->move->held = held;
        job->refused = vsm_evacuation_child_refused;
        vsm_job_accept(job, NULL, system, request, parent->owner_uid);
        return job;
}

void vsm_move_job_enqueue(VsmJob *job, VsmSystem *system) {
        VsmLogContext context = {
                .job = job->number, .system = job->system_uuid, .system_name = job->system_name,
                .destination = job->request->destination, .caller = job->owner, .caller_uid = job->owner_uid,
        };

        if (job->request->destination[0] == '\0')
                vsm_log_full(LOG_INFO, &context, "Job %" PRIu64 ": disks of %s are to move, asked for by %s.",
                             job->number, job->system_name, job->owner);
        else
                vsm_log_full(LOG_INFO, &context, "Job %" PRIu64 ": %s is to move to %s (%s), asked for by %s.",
                             job->number, job->system_name, job->request->destination,
                             vsm_migration_type_to_string(job->request->migration_type), job->owner);

        if (system) {
                vsm_system_set_job(system, job->number);
                vsm_move_job_set_progress(job, 0);
                vsm_move_job_set_migration(job, VSM_MIGRATION_STATE_SETUP, VSM_REASON_NONE);
        }

        vsm_move_watch_timeout(job);
        vsm_queue_add(job->manager->queue, job);
        vsm_queue_run(job->manager->queue);
}
