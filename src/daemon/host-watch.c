/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whether known destinations answer, and the memory that they have left: looked at when they are new,
 * when something was done with them, and every five minutes. A few at a time: a rack without power must
 * not take the lane from the checks. Bus thread, but for probe_run(), which says so. */

#include "daemon/five.h"
#include "daemon/host-internal.h"
#include "daemon/log.h"
#include "daemon/rollback.h"
#include "shared/cleanup.h"
#include "shared/error.h"
#include "shared/names.h"

#define PERIOD_USEC     (UINT64_C(5) * 60 * G_USEC_PER_SEC)
#define ACCURACY_USEC   (UINT64_C(10) * G_USEC_PER_SEC)         /* woken up together with others */
#define DEADLINE_USEC   (UINT64_C(8) * G_USEC_PER_SEC)
#define PROBES_MAX      4

typedef struct ProbeTask {
        VsmTask task;
        VsmDestination *destination;
        char *name;
        uint64_t number;
        uint64_t memory;
} ProbeTask;

/* Check lane. */
static void probe_run(VsmTask *task) {
        ProbeTask *t = (ProbeTask*) task;

        (void) vsm_peer_probe(t->destination, DEADLINE_USEC, &t->memory, &task->error);
}

/* Public: no address, no other program's words. */
static const char* sentence_for(const GError *error) {
        switch (error->code) {
        case VSM_ERROR_TIMEOUT:
                return "The host, or libvirt on it, does not answer.";
        case VSM_ERROR_INVALID_PARAMETER:
                return "The name of the host, or one of its addresses, is this host itself.";
        case VSM_ERROR_LIMITS_EXCEEDED:
                return "Earlier attempts to reach the host still hang.";
        default:
                return "The host, or libvirt on it, cannot be reached; the journal of this host says more.";
        }
}

static void set_state(VsmManager *manager, VsmHost *host, const char *state, const char *error) {
        if (!g_str_equal(host->state, state))
                vsm_bus_changed(manager->bus, host->path, VSM_INTERFACE_HOST, "State");
        if (!g_str_equal(host->last_error, error))
                vsm_bus_changed(manager->bus, host->path, VSM_INTERFACE_HOST, "LastError");

        host->state = state;
        host->last_error = error;
}

static void take_result(VsmManager *manager, VsmHost *host, const ProbeTask *t) {
        if (t->task.error) {
                if (!g_str_equal(host->state, "down"))
                        vsm_log(LOG_NOTICE, "Host '%s' cannot be reached: %s", host->data->name,
                                t->task.error->message);
                host->memory = 0;
                set_state(manager, host, "down", sentence_for(t->task.error));
                return;
        }

        if (g_str_equal(host->state, "down"))
                vsm_log(LOG_INFO, "Host '%s' can be reached again.", host->data->name);
        if (!g_str_equal(host->state, "up"))
                vsm_rollback_host_up(manager, host->data->name);
        host->memory = t->memory;
        host->last_contact = vsm_now_realtime();
        set_state(manager, host, "up", "");
}

static void run_pending(VsmManager *manager);

static void probe_done(VsmTask *task, void *userdata) {
        ProbeTask *t = (ProbeTask*) task;
        VsmManager *manager = userdata;
        VsmHost *host = vsm_host_find(manager->hosts, t->name);

        manager->hosts->probing--;
        if (host && host->probe == t->number) {
                host->probe = 0;
                take_result(manager, host, t);
                if (host->again)
                        vsm_host_watch(manager, host);
        }

        run_pending(manager);
}

static void probe_free(VsmTask *task) {
        ProbeTask *t = (ProbeTask*) task;

        vsm_destination_free(t->destination);
        g_free(t->name);
        g_free(t);
}

static void run_pending(VsmManager *manager) {
        VsmHosts *hosts = manager->hosts;

        while (hosts->probing < PROBES_MAX && !g_queue_is_empty(&hosts->pending)) {
                g_autofree char *name = g_queue_pop_head(&hosts->pending);
                VsmHost *host = vsm_host_find(hosts, name);
                ProbeTask *t;

                if (!host)
                        continue;

                host->probe = ++hosts->probes;
                host->again = false;
                hosts->probing++;

                t = vsm_task_new(ProbeTask, probe_run, probe_done, probe_free);
                t->number = host->probe;
                t->destination = vsm_destination_to(manager, name);
                t->name = g_steal_pointer(&name);
                vsm_worker_push(manager->worker, VSM_LANE_CHECK, &t->task);
        }
}

void vsm_host_watch(VsmManager *manager, VsmHost *host) {
        VsmHosts *hosts = manager->hosts;

        /* what is on its way may have begun before what is to be seen */
        if (host->probe > 0) {
                host->again = true;
                return;
        }

        if (!g_queue_find_custom(&hosts->pending, host->data->name, (GCompareFunc) g_strcmp0))
                g_queue_push_tail(&hosts->pending, g_strdup(host->data->name));
        run_pending(manager);
}

void vsm_host_refresh(VsmManager *manager, const char *destination) {
        VsmHost *host = vsm_host_match(manager, destination);

        if (host)
                vsm_host_watch(manager, host);
}

static int on_period(sd_event_source *source, uint64_t usec, void *userdata) {
        VsmManager *manager = userdata;

        (void) sd_event_source_set_time_relative(source, PERIOD_USEC);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);

        for (guint i = 0; i < manager->hosts->all->len; i++) {
                VsmHost *host = manager->hosts->all->pdata[i];

                if (host->probe == 0)
                        vsm_host_watch(manager, host);
        }

        return 0;
}

void vsm_host_watch_update(VsmManager *manager) {
        VsmHosts *hosts = manager->hosts;

        if (hosts->all->len == 0)
                hosts->timer = sd_event_source_disable_unref(hosts->timer);
        else if (!hosts->timer &&
                 sd_event_add_time_relative(manager->event, &hosts->timer, CLOCK_MONOTONIC, PERIOD_USEC,
                                            ACCURACY_USEC, on_period, manager) < 0)
                vsm_log(LOG_WARNING, "The state of hosts is not refreshed.");
}

void vsm_host_watch_free(VsmHosts *hosts) {
        sd_event_source_disable_unref(hosts->timer);
        g_queue_clear_full(&hosts->pending, g_free);
}
