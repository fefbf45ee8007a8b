/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where those that are away are now: each host is asked once, all at the same time. Bus thread, but for what says
 * that it is a worker's. */

#include "daemon/bring-back-internal.h"
#include "daemon/five.h"
#include "daemon/log.h"
#include "daemon/policy-rules.h"
#include "daemon/reason.h"
#include "daemon/service.h"
#include "daemon/system.h"

#define LOOK_USEC               (UINT64_C(15) * G_USEC_PER_SEC)

static void set_reasons(VsmJob *job, VsmComing *coming, VsmComingState state, VsmReasons *reasons) {
        g_autoptr(GVariant) list = vsm_reasons_to_variant(reasons);

        vsm_coming_set(job, coming, state, list);
}

static void set_reason(VsmJob *job, VsmComing *coming, VsmComingState state, const char *code, const char *source,
                       const char *argument) {
        g_autoptr(VsmReasons) reasons = vsm_reasons_new();

        vsm_reasons_add(reasons, code, source, NULL, argument, source, NULL);
        set_reasons(job, coming, state, reasons);
}

/* error: what libvirt said of its host; NULL when it said nothing */
static void set_unreachable(VsmJob *job, VsmComing *coming, const GError *error) {
        g_autoptr(VsmReasons) reasons = vsm_reasons_new();
        const char *host = coming->away->host;

        vsm_reasons_add(reasons, "destination-unreachable", host, error ? error->message : NULL, host, NULL);
        set_reasons(job, coming, VSM_COMING_LEFT, reasons);
}

typedef struct Found {
        char *uuid;
        bool known;                     /* its host told */
        VsmAwayState state;
        uint64_t memory;
        uint16_t priority;
} Found;

static void found_free(void *p) {
        g_free(((Found*) p)->uuid);
        g_free(p);
}

typedef struct LookTask {
        VsmTask task;
        VsmDestination *destination;
        uint64_t job;
        GPtrArray *found;               /* Found */
} LookTask;

/* Check lane. */
static void look_run(VsmTask *task) {
        LookTask *t = (LookTask*) task;
        g_autoptr(VsmPeer) peer = vsm_peer_open(t->destination, LOOK_USEC, NULL, &task->error);

        for (guint i = 0; peer && i < t->found->len; i++) {
                Found *found = t->found->pdata[i];
                g_autoptr(VsmDomainInfo) info = NULL;

                found->known = vsm_peer_look_away(peer, found->uuid, &found->state, &info,
                                                  task->error ? NULL : &task->error);
                if (!info)
                        continue;

                found->memory = info->memory;
                found->priority = vsm_policy_priority(info->policy);
        }
}

/* Not away any more, wherever it is. */
static void take_gone(VsmJob *job, VsmComing *coming) {
        VsmSystem *system = vsm_system_find(job->manager, coming->away->uuid);

        if (system && vsm_system_is_active(system))
                set_reason(job, coming, VSM_COMING_FORGOTTEN, "home-already", vsm_service_host_name(job->manager),
                           coming->away->name);
        else
                set_reason(job, coming, VSM_COMING_FORGOTTEN, "moved-on", coming->away->host, coming->away->name);
}

static void take_found(VsmJob *job, VsmComing *coming, const Found *found, const GError *error) {
        const VsmAway *away = coming->away;

        if (!found->known) {
                set_unreachable(job, coming, error);
                return;
        }

        coming->looked = true;
        coming->memory = found->memory;
        coming->priority = found->priority;

        switch (found->state) {
        case VSM_AWAY_GONE:
                take_gone(job, coming);
                break;
        case VSM_AWAY_OFF:
                set_reason(job, coming, VSM_COMING_LEFT, "not-running", away->name, away->name);
                break;
        case VSM_AWAY_BUSY:
                set_reason(job, coming, VSM_COMING_LEFT, "job-running", away->name, away->name);
                break;
        case VSM_AWAY_ACTIVE:
                break;
        }
}

static void look_done(VsmTask *task, void *userdata) {
        LookTask *t = (LookTask*) task;
        VsmJob *job = vsm_job_find(userdata, t->job);

        if (task->error)
                vsm_log(LOG_NOTICE, "%s", task->error->message);
        if (!job || !job->back)
                return;

        for (guint i = 0; i < t->found->len; i++) {
                const Found *found = t->found->pdata[i];
                VsmComing *coming = vsm_coming_find(job, found->uuid);

                if (coming && coming->state == VSM_COMING_WAITING)
                        take_found(job, coming, found, task->error);
        }

        job->back->looking--;
        job->back->changed = true;
        vsm_bring_back_show(job);
        vsm_bring_back_step(job);
}

static void look_free(VsmTask *task) {
        LookTask *t = (LookTask*) task;

        vsm_destination_free(t->destination);
        g_ptr_array_unref(t->found);
        g_free(t);
}

static LookTask* look_new(VsmJob *job, const char *host) {
        LookTask *t = vsm_task_new(LookTask, look_run, look_done, look_free);

        t->destination = vsm_destination_to(job->manager, host);
        t->job = job->number;
        t->found = g_ptr_array_new_with_free_func(found_free);
        return t;
}

/* What is here needs nobody to be asked: the service has it as a System. */
static void look_here(VsmJob *job, VsmComing *coming) {
        VsmSystem *system = vsm_system_find(job->manager, coming->away->uuid);

        if (!system) {
                set_reason(job, coming, VSM_COMING_FORGOTTEN, "moved-on", vsm_service_host_name(job->manager),
                           coming->away->name);
                return;
        }

        if (vsm_system_is_active(system)) {
                set_reason(job, coming, VSM_COMING_FORGOTTEN, "home-already", vsm_service_host_name(job->manager),
                           coming->away->name);
                return;
        }

        coming->looked = true;
        coming->memory = vsm_system_memory(system);
        coming->priority = vsm_policy_priority(vsm_system_policy(system));
}

void vsm_bring_back_look(VsmJob *job) {
        g_autoptr(GHashTable) hosts = g_hash_table_new(g_str_hash, g_str_equal);
        GHashTableIter iter;
        LookTask *t;

        for (guint i = 0; i < job->back->guests->len; i++) {
                VsmComing *coming = job->back->guests->pdata[i];
                Found *found;

                if (coming->state != VSM_COMING_WAITING)
                        continue;
                if (!vsm_away_moved(coming->away)) {
                        look_here(job, coming);
                        continue;
                }

                t = g_hash_table_lookup(hosts, coming->away->host);
                if (!t) {
                        t = look_new(job, coming->away->host);
                        g_hash_table_insert(hosts, coming->away->host, t);
                }

                found = g_new0(Found, 1);
                found->uuid = g_strdup(coming->away->uuid);
                g_ptr_array_add(t->found, found);
        }

        job->back->looking = g_hash_table_size(hosts);
        g_hash_table_iter_init(&iter, hosts);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &t))
                vsm_worker_push(job->manager->worker, VSM_LANE_CHECK, &t->task);
}
