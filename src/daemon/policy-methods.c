/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Manager.SetMigrationPolicy: what evacuations and migrations have to respect for one system. It is kept by libvirt,
 * in the domain's metadata, so that it travels with it. Bus thread only, but for policy_run(). */

#include "daemon/actions.h"
#include "daemon/answer.h"
#include "daemon/bus-variant.h"
#include "daemon/policy-rules.h"
#include "daemon/service.h"
#include "daemon/system.h"
#include "shared/cleanup.h"
#include "shared/error.h"
#include "shared/names.h"

typedef struct PolicyTask {
        VsmTask task;
        VsmVirt *virt;
        char uuid[VSM_UUID_SIZE];
        GVariant *policy;
        VsmDomainInfo *info;            /* what became of it; NULL = it has gone since */
        bool seen;
        VsmAnswer *answer;              /* bus thread only */
} PolicyTask;

/* Short lane. */
static void policy_run(VsmTask *task) {
        PolicyTask *t = (PolicyTask*) task;

        if (vsm_virt_set_policy(t->virt, t->uuid, t->policy, &task->error))
                t->seen = vsm_virt_look(t->virt, t->uuid, &t->info, NULL);
}

static void policy_done(VsmTask *task, void *userdata) {
        PolicyTask *t = (PolicyTask*) task;

        if (task->error) {
                vsm_answer_error(t->answer, task->error);
                return;
        }

        /* libvirt has an event for it, too, which may come later: who reads after the answer is to find it */
        if (t->seen)
                vsm_system_apply(userdata, t->uuid, g_steal_pointer(&t->info), false, false);
        vsm_answer_done(t->answer);
}

static void policy_free(VsmTask *task) {
        PolicyTask *t = (PolicyTask*) task;

        g_variant_unref(t->policy);
        vsm_domain_info_free(t->info);
        vsm_answer_free(t->answer);
        g_free(t);
}

static int authorize(VsmManager *manager, sd_bus_message *call, const VsmSystem *system, GVariant *policy,
                     sd_bus_error *error) {
        g_autofree char *keys = vsm_policy_changes(vsm_system_policy(system), policy);
        char *details[] = {
                (char*) "system.name", (char*) vsm_system_name(system),
                (char*) "system.uuid", (char*) vsm_system_uuid(system),
                (char*) "settings", keys,
                NULL
        };

        return vsm_polkit_check(manager->polkit, call,
                                vsm_member_find(VSM_INTERFACE_MANAGER, "SetMigrationPolicy")->action, details, error);
}

static int refuse(sd_bus_error *error, VsmError code, const char *message) {
        return sd_bus_error_set(error, vsm_error_to_bus_name(code), message);
}

static int check_state(VsmManager *manager, const VsmSystem *system, sd_bus_error *error) {
        if (!manager->libvirt_up)
                return refuse(error, VSM_ERROR_SYSTEM_NOT_AVAILABLE,
                              "libvirt on this host does not answer; see 'systemctl status libvirtd'.");
        if (vsm_system_active_job(system) > 0)
                return refuse(error, VSM_ERROR_INVALID_STATE,
                              "The system is being migrated; its policy can be changed when that has ended.");
        if (vsm_system_is_incoming(system))
                return refuse(error, VSM_ERROR_INVALID_STATE, "The system is just arriving from another host.");

        return 0;
}

int vsm_method_set_policy(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmManager *manager = userdata;
        g_autoptr(GVariant) dict = NULL, policy = NULL;
        size_t budget = VSM_LIMIT_MESSAGE;
        g_autoptr(GError) e = NULL;
        const VsmSystem *system;
        const char *path;
        PolicyTask *t;
        int r;

        r = sd_bus_message_read(call, "o", &path);
        if (r < 0)
                return r;

        dict = vsm_bus_read_variant(call, &budget, &e);
        if (dict)
                policy = vsm_policy_read(dict, &e);
        if (!policy)
                return vsm_bus_fail(error, e);

        system = vsm_system_find_path(manager, path);
        if (!system)
                return refuse(error, VSM_ERROR_INVALID_PARAMETER, "System is no system of this host.");

        r = authorize(manager, call, system, policy, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = check_state(manager, system, error);
        if (r < 0)
                return r;

        t = vsm_task_new(PolicyTask, policy_run, policy_done, policy_free);
        t->virt = manager->virt;
        t->policy = g_steal_pointer(&policy);
        t->answer = vsm_answer_new(manager, call, "libvirt on this host did not take the policy within 20 s; it may do "
                                   "so yet.");
        g_strlcpy(t->uuid, vsm_system_uuid(system), sizeof t->uuid);
        vsm_worker_push(manager->worker, VSM_LANE_SHORT, &t->task);
        return 1;
}
