/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* MigrateVirtualSystemToHost and CheckVirtualSystemIsMigratableToHost; with a System in place of the
 * host's name, which five.c turns into that, they are ...ToSystem. Bus thread only. */

#include "daemon/answer.h"
#include "daemon/check-job.h"
#include "daemon/five.h"
#include "daemon/host.h"
#include "daemon/job-methods.h"
#include "daemon/move.h"
#include "daemon/policy-rules.h"
#include "daemon/reason.h"
#include "daemon/service.h"
#include "shared/error.h"

static int refuse(sd_bus_error *error, VsmError code, const char *message) {
        return sd_bus_error_set(error, vsm_error_to_bus_name(code), message);
}

/* ---- migrating ---- */

static int check_policy(VsmManager *manager, const VsmFive *five, sd_bus_error *error) {
        GVariant *policy = vsm_system_policy(five->system);
        g_autofree char *hosts = NULL;

        if (vsm_destination_is_allowed(manager, policy, five->request->destination))
                return 0;

        hosts = vsm_policy_hosts_to_text(policy);
        return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_INCOMPATIBLE_PARAMETERS),
                                 "The policy of the system (AllowedHosts) does not let it move to host '%s', but to %s "
                                 "only.", five->request->destination, hosts);
}

/* What this host decides without waiting. */
static int check_state(VsmManager *manager, const VsmFive *five, uid_t caller, sd_bus_error *error) {
        g_autoptr(GError) e = NULL;
        int r;

        if (!vsm_service_accepts(manager, five->request->migration_type, &e))
                return vsm_bus_fail(error, e);
        if (vsm_system_active_job(five->system) > 0)
                return refuse(error, VSM_ERROR_SYSTEM_IN_USE,
                              "The system is being migrated already; its property MigrationJob names the job.");
        if (vsm_system_is_incoming(five->system))
                return refuse(error, VSM_ERROR_INVALID_STATE, "The system is just arriving from another host.");

        r = check_policy(manager, five, error);
        if (r >= 0)
                r = vsm_five_check_guest(five, error);
        return r < 0 ? r : vsm_job_check_limits(manager, caller, error);
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

#define CHECKS_MAX 16   /* at a time: each may hold a thread and dial another host */

typedef struct CheckTask {
        VsmTask task;
        VsmVirt *virt;
        VsmMoveOptions *options;
        VsmCancel *cancel;
        GVariant *reasons;
        VsmAnswer *answer;      /* bus thread only */
} CheckTask;

static void check_run(VsmTask *task) {
        CheckTask *t = (CheckTask*) task;

        t->reasons = vsm_check_run(t->virt, t->options, CHECK_USEC, t->cancel, &task->error);
}

static void check_done(VsmTask *task, void *userdata) {
        CheckTask *t = (CheckTask*) task;

        vsm_host_refresh(userdata, t->options->destination->host);

        if (t->reasons)
                vsm_answer_return(t->answer, VSM_RETURN_COMPLETED,
                                  g_variant_new_boolean(!vsm_reasons_variant_has_error(t->reasons)),
                                  t->reasons, NULL);
        else
                vsm_answer_error(t->answer, task->error);
}

static void check_free(VsmTask *task) {
        CheckTask *t = (CheckTask*) task;

        g_clear_pointer(&t->reasons, g_variant_unref);
        g_clear_pointer(&t->options, vsm_move_options_free);
        vsm_cancel_unref(t->cancel);
        vsm_answer_free(t->answer);
        g_free(t);
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

        r = vsm_check_state(manager, &five, error);
        if (r < 0)
                return r;
        if (vsm_worker_pending(manager->worker, VSM_LANE_CHECK) >= CHECKS_MAX)
                return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_LIMITS_EXCEEDED),
                                         "%i checks run already.", CHECKS_MAX);

        t = vsm_task_new(CheckTask, check_run, check_done, check_free);
        t->virt = manager->virt;
        t->options = vsm_move_options_of(manager, vsm_system_uuid(five.system), five.request);
        t->answer = vsm_answer_new(manager, call,
                                   "The check did not come to its end within 20 s; the destination or libvirt "
                                   "here answers too slowly.");
        t->cancel = vsm_cancel_ref(vsm_answer_cancel(t->answer));
        vsm_worker_push(manager->worker, VSM_LANE_CHECK, &t->task);
        return 1;
}
