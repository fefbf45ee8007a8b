/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a caller can ask of a job. Each handler: who asks (the owner, or polkit), is it possible in
 * this state, then act. Bus thread only. */

#include "daemon/actions.h"
#include "daemon/bus-variant.h"
#include "daemon/host.h"
#include "daemon/job-methods.h"
#include "daemon/job.h"
#include "daemon/move.h"
#include "shared/cleanup.h"
#include "shared/names.h"

/* CIM_ConcreteJob.RequestStateChange */
#define REQUEST_TERMINATE 4
#define REQUEST_KILL 5

static int refuse(sd_bus_error *error, VsmError code, const char *message) {
        return sd_bus_error_set(error, vsm_error_to_bus_name(code), message);
}

int vsm_job_check_limits(VsmManager *manager, uid_t caller, sd_bus_error *error) {
        if (caller != 0 && vsm_job_count_unfinished(manager, caller) >= VSM_JOBS_PER_UID_MAX)
                return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_LIMITS_EXCEEDED),
                                         "%i of your jobs are not at their end.", VSM_JOBS_PER_UID_MAX);
        if (vsm_job_count_unfinished(manager, -1) >= VSM_JOBS_MAX)
                return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_LIMITS_EXCEEDED),
                                         "%i jobs are not at their end.", VSM_JOBS_MAX);

        return 0;
}

/* settings: the keys of what he wants to set, NULL when he sets nothing. */
static int authorize(VsmJob *job, sd_bus_message *call, char *settings, sd_bus_error *error) {
        const VsmMember *member = vsm_member_find(sd_bus_message_get_interface(call),
                                                  sd_bus_message_get_member(call));
        const VsmRequest *request = job->request;
        const VsmHost *host = request ? vsm_host_match(job->manager, request->destination) : NULL;
        char type[8] = "", transport[8] = "";
        char *details[17] = { /* pairs, NULL */
                (char*) "system.name", job->system_name,
                (char*) "system.uuid", job->system_uuid,
                (char*) "destination", (char*) (host ? vsm_host_data(host)->name : request ? request->destination : ""),
                (char*) "job.owner", job->owner,
        };
        size_t n = 8;
        uid_t uid;

        if (settings) {
                details[n++] = (char*) "settings";
                details[n++] = settings;
        }
        if (request) {
                g_snprintf(type, sizeof type, "%u", request->migration_type);
                g_snprintf(transport, sizeof transport, "%u", request->transport);
                details[n++] = (char*) "destination.known";
                details[n++] = (char*) (host ? "true" : "false");
                details[n++] = (char*) "migration.type";
                details[n++] = type;
                details[n++] = (char*) "transport";
                details[n++] = transport;
        }

        if (!member)
                return refuse(error, VSM_ERROR_ACCESS_DENIED, "No action covers this method.");

        /* StartPostCopy is not the owner's alone: it can cost the guest */
        if (!g_str_equal(member->action, VSM_ACTION_MIGRATE) &&
            vsm_bus_caller(call, &uid) >= 0 && uid == job->owner_uid)
                return 1;

        return vsm_polkit_check(job->manager->polkit, call, member->action, details, error);
}

int vsm_job_authorize(VsmJob *job, sd_bus_message *call, sd_bus_error *error) {
        return authorize(job, call, NULL, error);
}

static bool can_cancel(VsmJob *job) {
        if (job->move)
                return vsm_move_job_can_cancel(job);

        return job->cancel && (job->cancellable || job->state == VSM_JOB_STATE_SHUTTING_DOWN);
}

/* delete: the object goes at its end. */
static int cancel(VsmJob *job, sd_bus_message *call, bool kill, bool delete, sd_bus_error *error) {
        switch (job->state) {
        case VSM_JOB_STATE_TERMINATED:
        case VSM_JOB_STATE_KILLED:
                return sd_bus_reply_method_return(call, "u", VSM_RETURN_COMPLETED);
        case VSM_JOB_STATE_COMPLETED:
        case VSM_JOB_STATE_COMPLETED_WITH_WARNINGS:
        case VSM_JOB_STATE_EXCEPTION:
                return refuse(error, VSM_ERROR_INVALID_STATE, "The job has ended already.");
        default:
                break;
        }

        if (!can_cancel(job))
                return refuse(error, VSM_ERROR_INVALID_STATE, job->move ?
                              "It is too late to cancel: the guest is being handed over." :
                              "This job cannot be cancelled.");

        if (job->move) {
                vsm_move_job_cancel_call(job, kill, delete, call);
                return 1;
        }

        job->delete_on_end |= delete;

        /* First the answer: the job may end before the next line is through. */
        if (sd_bus_reply_method_return(call, "u", VSM_RETURN_JOB_STARTED) < 0)
                return 1;

        /* of an evacuation that starts no more those that run can be cancelled, too */
        if (job->state != VSM_JOB_STATE_SHUTTING_DOWN || job->evacuation)
                job->cancel(job, kill);
        return 1;
}

int vsm_job_method_request_state_change(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmJob *job = userdata;
        uint64_t timeout;
        uint16_t state;
        int r;

        r = sd_bus_message_read(call, "qt", &state, &timeout);
        if (r < 0)
                return r;
        if (state != REQUEST_TERMINATE && state != REQUEST_KILL)
                return refuse(error, VSM_ERROR_NOT_SUPPORTED,
                              "A job can be asked for 4 (Terminate) or 5 (Kill) only.");
        if (timeout != 0)
                return refuse(error, VSM_ERROR_NOT_SUPPORTED, "TimeoutPeriod has to be 0 here.");

        r = vsm_job_authorize(job, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        return cancel(job, call, state == REQUEST_KILL, /* delete= */ false, error);
}

int vsm_job_method_kill(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmJob *job = userdata;
        int delete_on_kill, r;

        r = sd_bus_message_read(call, "b", &delete_on_kill);
        if (r < 0)
                return r;

        r = vsm_job_authorize(job, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        return cancel(job, call, /* kill= */ true, delete_on_kill, error);
}

int vsm_job_reply(sd_bus_message *call, GVariant *value) {
        g_autoptr(GVariant) owned = g_variant_take_ref(value);
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = vsm_bus_append_variant(reply, owned);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);

        return r;
}

static GVariant* errors_of(const VsmJob *job) {
        return job->reasons ? g_variant_ref(job->reasons) :
                g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0);
}

int vsm_job_method_get_error(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmJob *job = userdata;
        g_autoptr(GVariant) errors = NULL;
        int r;

        r = vsm_job_authorize(job, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        errors = g_variant_take_ref(errors_of(job));
        if (g_variant_n_children(errors) == 0)
                return vsm_job_reply(call, g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0));

        return vsm_job_reply(call, g_variant_get_child_value(errors, 0));
}

int vsm_job_method_get_error_ex(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmJob *job = userdata;
        int r;

        r = vsm_job_authorize(job, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        return vsm_job_reply(call, errors_of(job));
}

int vsm_job_method_get_request(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmJob *job = userdata;
        GVariantDict dict;
        int r;

        r = vsm_job_authorize(job, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        g_variant_dict_init(&dict, job->request ? job->request->accepted : job->options);
        g_variant_dict_insert(&dict, "Address", "s", job->address ?: "");
        return vsm_job_reply(call, g_variant_dict_end(&dict));
}

int vsm_job_method_set_parameters(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmJob *job = userdata;
        g_autoptr(GVariant) parameters = NULL;
        g_autoptr(VsmRequest) wish = NULL;
        g_autofree char *keys = NULL;
        g_autoptr(GError) e = NULL;
        size_t budget = VSM_LIMIT_MESSAGE;
        int r;

        /* a quiesce is about no guest, and has no request */
        parameters = vsm_bus_read_variant(call, &budget, &e);
        if (parameters && job->request)
                wish = vsm_move_parameters_parse(job, parameters, &e);
        if (e)
                return vsm_bus_fail(error, e);

        keys = vsm_polkit_keys(parameters);
        r = authorize(job, call, keys, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (!job->move || !vsm_move_job_set_parameters(job, wish, call, &e)) {
                if (e)
                        return vsm_bus_fail(error, e);
                return refuse(error, VSM_ERROR_INVALID_STATE, vsm_job_is_unfinished(job) ?
                              "This job moves no guest." : "The job has ended already.");
        }

        return 1;
}

int vsm_job_method_start_post_copy(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmJob *job = userdata;
        g_autoptr(GError) e = NULL;
        int r;

        r = vsm_job_authorize(job, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (!job->move || !vsm_move_job_start_post_copy(job, call, &e)) {
                if (e)
                        return vsm_bus_fail(error, e);
                return refuse(error, VSM_ERROR_INVALID_STATE, vsm_job_is_unfinished(job) ?
                              "This job moves no guest." : "The job has ended already.");
        }

        return 1;
}
