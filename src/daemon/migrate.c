/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* MigrateVirtualSystemToHost and CheckVirtualSystemIsMigratableToHost. Bus thread only. */

#include "daemon/bus-variant.h"
#include "daemon/five.h"
#include "daemon/job.h"
#include "daemon/log.h"
#include "daemon/move.h"
#include "daemon/service.h"
#include "shared/cleanup.h"
#include "shared/error.h"

static int refuse(sd_bus_error *error, VsmError code, const char *message) {
        return sd_bus_error_set(error, vsm_error_to_bus_name(code), message);
}

/* ---- migrating ---- */

/* What this host decides without waiting. */
static int check_state(VsmManager *manager, const VsmFive *five, uid_t caller, sd_bus_error *error) {
        g_autoptr(GError) e = NULL;

        if (!vsm_service_accepts(manager, &e))
                return vsm_bus_fail(error, e);
        if (vsm_system_active_job(five->system) > 0)
                return refuse(error, VSM_ERROR_SYSTEM_IN_USE,
                              "The system is being migrated already; its property MigrationJob names the job.");
        if (vsm_system_is_incoming(five->system))
                return refuse(error, VSM_ERROR_INVALID_STATE, "The system is just arriving from another host.");
        if (!vsm_system_is_active(five->system))
                return refuse(error, VSM_ERROR_INVALID_STATE,
                              "The system does not run; only a running or paused one can be moved live.");

        if (caller != 0 && vsm_job_count_unfinished(manager, caller) >= VSM_JOBS_PER_UID_MAX)
                return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_LIMITS_EXCEEDED),
                                         "%i of your jobs are not at their end.", VSM_JOBS_PER_UID_MAX);
        if (vsm_job_count_unfinished(manager, -1) >= VSM_JOBS_MAX)
                return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_LIMITS_EXCEEDED),
                                         "%i jobs are not at their end.", VSM_JOBS_MAX);

        return 0;
}

int vsm_method_migrate_to_host(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmManager *manager = userdata;
        g_auto(VsmFive) five = {};
        uid_t caller;
        int r;

        r = vsm_five_read(manager, call, false, &five, error);
        if (r < 0)
                return r;

        r = vsm_five_authorize(manager, call, &five, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = vsm_bus_caller(call, &caller);
        if (r < 0)
                return refuse(error, VSM_ERROR_ACCESS_DENIED, "The caller has left the bus.");

        r = check_state(manager, &five, caller, error);
        if (r < 0)
                return r;

        vsm_move_job_accept(manager, call, five.system, g_steal_pointer(&five.request), caller);
        return 1;
}

/* ---- checking ---- */

/* The contract gives 20 s from the authorization on; the worker stops looking before. */
#define CHECK_USEC  (UINT64_C(17) * G_USEC_PER_SEC)
#define ANSWER_USEC (UINT64_C(20) * G_USEC_PER_SEC)

#define CHECKS_MAX 16   /* at a time: each may hold a thread and dial another host */

/* A call that is answered later. The task and the time limit both know it; the first one answers. */
typedef struct Answer {
        int refs;
        sd_bus_message *call;   /* NULL once answered */
        sd_event_source *limit;
        VsmCancel *cancel;
} Answer;

static void answer_unref(Answer *answer) {
        if (--answer->refs > 0)
                return;

        sd_event_source_disable_unref(answer->limit);
        sd_bus_message_unref(answer->call);
        vsm_cancel_unref(answer->cancel);
        g_free(answer);
}

static int on_answer_limit(sd_event_source *source, uint64_t usec, void *userdata) {
        Answer *answer = userdata;

        vsm_cancel_fire(answer->cancel);
        (void) sd_bus_reply_method_errorf(answer->call, vsm_error_to_bus_name(VSM_ERROR_TIMEOUT),
                                          "The check did not come to its end within 20 s; the destination or "
                                          "libvirt here answers too slowly.");
        answer->call = sd_bus_message_unref(answer->call);
        return 0;
}

typedef struct CheckTask {
        VsmTask task;
        VsmVirt *virt;
        VsmMoveOptions *options;
        VsmCancel *cancel;
        GVariant *reasons;
        Answer *answer;         /* bus thread only */
} CheckTask;

static void check_run(VsmTask *task) {
        CheckTask *t = (CheckTask*) task;

        t->reasons = vsm_check_run(t->virt, t->options, CHECK_USEC, t->cancel, &task->error);
}

static bool has_errors(GVariant *reasons) {
        for (gsize i = 0; i < g_variant_n_children(reasons); i++) {
                g_autoptr(GVariant) reason = g_variant_get_child_value(reasons, i);
                guint16 severity = 0;

                if (g_variant_lookup(reason, "PerceivedSeverity", "q", &severity) &&
                    severity >= VSM_SEVERITY_ERROR)
                        return true;
        }

        return false;
}

static void check_done(VsmTask *task, void *userdata) {
        CheckTask *t = (CheckTask*) task;
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        if (!t->answer->call)
                return;
        if (!t->reasons) {
                vsm_bus_reply_error(t->answer->call, task->error);
                return;
        }

        r = sd_bus_message_new_method_return(t->answer->call, &reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "ub", VSM_RETURN_COMPLETED, (int) !has_errors(t->reasons));
        if (r >= 0)
                r = vsm_bus_append_variant(reply, t->reasons);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        if (r < 0)
                vsm_log(LOG_WARNING, "Cannot answer a check: %s", g_strerror(-r));
}

static void check_free(VsmTask *task) {
        CheckTask *t = (CheckTask*) task;

        g_clear_pointer(&t->reasons, g_variant_unref);
        g_clear_pointer(&t->options, vsm_move_options_free);
        vsm_cancel_unref(t->cancel);
        answer_unref(t->answer);
        g_free(t);
}

static Answer* answer_new(VsmManager *manager, sd_bus_message *call) {
        Answer *answer = g_new0(Answer, 1);

        answer->refs = 1;
        answer->call = sd_bus_message_ref(call);
        answer->cancel = vsm_cancel_new();
        if (sd_event_add_time_relative(manager->event, &answer->limit, CLOCK_MONOTONIC, ANSWER_USEC,
                                       G_USEC_PER_SEC / 10, on_answer_limit, answer) < 0)
                vsm_log(LOG_WARNING, "Cannot limit the time of a check.");

        return answer;
}

int vsm_method_check_to_host(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmManager *manager = userdata;
        g_auto(VsmFive) five = {};
        CheckTask *t;
        int r;

        r = vsm_five_read(manager, call, true, &five, error);
        if (r < 0)
                return r;

        r = vsm_five_authorize(manager, call, &five, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (!manager->libvirt_up)
                return refuse(error, VSM_ERROR_SYSTEM_NOT_AVAILABLE,
                              "libvirt on this host does not answer; see 'systemctl status libvirtd'.");
        if (!vsm_system_is_active(five.system))
                return refuse(error, VSM_ERROR_INVALID_STATE,
                              "The system does not run; only a running or paused one can be moved live.");
        if (vsm_system_active_job(five.system) > 0)
                return refuse(error, VSM_ERROR_SYSTEM_IN_USE,
                              "The system is being migrated; its property MigrationJob names the job.");
        if (vsm_worker_pending(manager->worker, VSM_LANE_CHECK) >= CHECKS_MAX)
                return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_LIMITS_EXCEEDED),
                                         "%i checks run already.", CHECKS_MAX);

        t = vsm_task_new(CheckTask, check_run, check_done, check_free);
        t->virt = manager->virt;
        t->options = vsm_move_options_of(manager, vsm_system_uuid(five.system), five.request);
        t->answer = answer_new(manager, call);
        t->cancel = vsm_cancel_ref(t->answer->cancel);
        vsm_worker_push(manager->worker, VSM_LANE_CHECK, &t->task);
        return 1;
}
