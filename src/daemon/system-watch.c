/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One look at a time for each domain, so that an older answer never overwrites a newer one. Events
 * say only that something happened; the truth is what the look finds. Bus thread only. */

#include <time.h>

#include "daemon/evacuation.h"
#include "daemon/log.h"
#include "daemon/planned.h"
#include "daemon/system-watch.h"
#include "daemon/system.h"

/* a domain that is being looked at */
typedef struct Refresh {
        bool running, again;
        bool incoming, crashed; /* said by events since the last look began */
} Refresh;

typedef struct LookTask {
        VsmTask task;
        VsmVirt *virt;
        char *uuid;
        VsmDomainInfo *info;
        bool incoming, crashed;
} LookTask;

static void look(VsmManager *manager, const char *uuid, Refresh *refresh);

/* A domain is shown as one or the other: the one that it was goes first. Takes info. */
static void apply(VsmManager *manager, const char *uuid, VsmDomainInfo *info, bool incoming, bool crashed) {
        if (info && info->planned_source) {
                vsm_system_apply(manager, uuid, NULL, false, false);
                vsm_planned_system_apply(manager, uuid, info);
        } else {
                vsm_planned_system_apply(manager, uuid, NULL);
                vsm_system_apply(manager, uuid, info, incoming, crashed);
        }

        vsm_evacuation_systems_changed(manager);
}

static void look_run(VsmTask *task) {
        LookTask *t = (LookTask*) task;

        (void) vsm_virt_look(t->virt, t->uuid, &t->info, &task->error);
}

static void look_done(VsmTask *task, void *userdata) {
        LookTask *t = (LookTask*) task;
        VsmManager *manager = userdata;
        Refresh *refresh = g_hash_table_lookup(manager->refreshing, t->uuid);

        if (task->error)
                /* libvirt went away: all are listed again when it is back */
                vsm_log(LOG_DEBUG, "Cannot look at system %s: %s", t->uuid, task->error->message);
        else
                apply(manager, t->uuid, g_steal_pointer(&t->info), t->incoming, t->crashed);

        if (!refresh)
                return;

        refresh->running = false;
        if (refresh->again && !manager->listing)
                look(manager, t->uuid, refresh);
        else if (!refresh->again)
                g_hash_table_remove(manager->refreshing, t->uuid);
}

static void look_free(VsmTask *task) {
        LookTask *t = (LookTask*) task;

        vsm_domain_info_free(t->info);
        g_free(t->uuid);
        g_free(t);
}

static void look(VsmManager *manager, const char *uuid, Refresh *refresh) {
        LookTask *t = vsm_task_new(LookTask, look_run, look_done, look_free);

        t->virt = manager->virt;
        t->uuid = g_strdup(uuid);
        t->incoming = refresh->incoming;
        t->crashed = refresh->crashed;
        *refresh = (Refresh) { .running = true };
        vsm_worker_push(manager->worker, VSM_LANE_SHORT, &t->task);
}

static void look_soon(VsmManager *manager, const char *uuid, bool incoming, bool crashed) {
        Refresh *refresh = g_hash_table_lookup(manager->refreshing, uuid);

        if (!refresh) {
                refresh = g_new0(Refresh, 1);
                g_hash_table_insert(manager->refreshing, g_strdup(uuid), refresh);
        }

        refresh->incoming |= incoming;
        refresh->crashed |= crashed;

        if (refresh->running || manager->listing)
                refresh->again = true;
        else
                look(manager, uuid, refresh);
}

#define LATE_USEC (UINT64_C(2) * G_USEC_PER_SEC)

static int on_late(sd_event_source *source, uint64_t usec, void *userdata) {
        VsmManager *manager = userdata;
        GHashTableIter iter;
        const char *uuid;

        g_hash_table_iter_init(&iter, manager->looked_at_late);
        while (g_hash_table_iter_next(&iter, (void**) &uuid, NULL))
                look_soon(manager, uuid, false, false);

        g_hash_table_remove_all(manager->looked_at_late);
        manager->late = sd_event_source_disable_unref(manager->late);
        return 0;
}

void vsm_system_watch_one(VsmManager *manager, const char *uuid, bool incoming, bool crashed) {
        look_soon(manager, uuid, incoming, crashed);

        (void) g_hash_table_add(manager->looked_at_late, g_strdup(uuid));
        if (!manager->late)
                (void) sd_event_add_time_relative(manager->event, &manager->late, CLOCK_MONOTONIC, LATE_USEC,
                                                  LATE_USEC / 4, on_late, manager);
}

typedef struct ListTask {
        VsmTask task;
        VsmVirt *virt;
        GPtrArray *list;
        char **bridges;
        void (*then)(VsmManager *manager, bool listed);
} ListTask;

static void list_run(VsmTask *task) {
        ListTask *t = (ListTask*) task;

        t->list = vsm_virt_list(t->virt, &task->error);
        if (t->list)
                t->bridges = vsm_virt_bridges(t->virt, NULL);
}

static void drop_departed(VsmManager *manager, GHashTable *shown, GHashTable *present) {
        g_autofree char **uuids = (char**) g_hash_table_get_keys_as_array(shown, NULL);

        for (char **u = uuids; *u; u++)
                if (!g_hash_table_contains(present, *u)) {
                        g_autofree char *uuid = g_strdup(*u);

                        apply(manager, uuid, NULL, false, false);
                }
}

static void look_at_late_ones(VsmManager *manager) {
        g_autofree char **uuids = (char**) g_hash_table_get_keys_as_array(manager->refreshing, NULL);

        for (char **u = uuids; *u; u++) {
                Refresh *refresh = g_hash_table_lookup(manager->refreshing, *u);

                if (refresh && refresh->again && !refresh->running)
                        look(manager, *u, refresh);
        }
}

static void list_done(VsmTask *task, void *userdata) {
        ListTask *t = (ListTask*) task;
        VsmManager *manager = userdata;
        g_autoptr(GHashTable) present = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        manager->listing = false;

        if (!t->list) {
                vsm_log(LOG_WARNING, "Cannot list this host's systems: %s", task->error->message);
                t->then(manager, false);
                return;
        }

        for (guint i = 0; i < t->list->len; i++) {
                VsmDomainInfo *info = g_steal_pointer(&t->list->pdata[i]);
                char *uuid = g_strdup(info->uuid);

                g_hash_table_add(present, uuid);
                apply(manager, uuid, info, false, false);
        }

        drop_departed(manager, manager->systems, present);
        drop_departed(manager, manager->planned, present);

        g_strfreev(manager->bridges);
        manager->bridges = g_steal_pointer(&t->bridges);

        look_at_late_ones(manager);
        t->then(manager, true);
}

static void list_free(VsmTask *task) {
        ListTask *t = (ListTask*) task;

        g_clear_pointer(&t->list, g_ptr_array_unref);
        g_strfreev(t->bridges);
        g_free(t);
}

void vsm_system_watch_all(VsmManager *manager, void (*done)(VsmManager *manager, bool listed)) {
        ListTask *t = vsm_task_new(ListTask, list_run, list_done, list_free);

        t->virt = manager->virt;
        t->then = done;
        manager->listing = true;
        vsm_worker_push(manager->worker, VSM_LANE_SHORT, &t->task);
}
