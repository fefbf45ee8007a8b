/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One guest after the other comes home: the link has one at a time, so that none that writes is sent twice; the one
 * before is tidied up meanwhile. Memory is looked at before each, and never more of it is given away than was free at
 * the beginning. What does not come stays in the record of those that are away, and can be asked for again. Guests
 * of others that have come here meanwhile are left alone. Bus thread, but for what says that it is a worker's. */

#include <stdlib.h>

#include "daemon/bring-back-internal.h"
#include "daemon/bring-back-plan.h"
#include "daemon/evacuation-internal.h"
#include "daemon/fetch-job.h"
#include "daemon/log.h"
#include "daemon/reason.h"
#include "daemon/service.h"

/* ---- children ---- */

static VsmJob* parent_of(const VsmJob *child) {
        VsmJob *parent = vsm_job_find(child->manager, child->parent);

        return parent && parent->back ? parent : NULL;
}

static void child_moved(VsmJob *child) {
        VsmJob *job = parent_of(child);

        if (!job)
                return;

        /* it was being written down while all of them were cancelled */
        if (job->back->kill && child->state != VSM_JOB_STATE_SHUTTING_DOWN && child->cancellable)
                child->cancel(child, true);

        vsm_bring_back_show(job);
        vsm_bring_back_step(job);
}

static bool has_reason(GVariant *reasons, const char *code) {
        for (gsize i = 0; i < g_variant_n_children(reasons); i++) {
                g_autoptr(GVariant) reason = g_variant_get_child_value(reasons, i);
                const char *id;

                if (g_variant_lookup(reason, "MessageID", "&s", &id) && g_str_equal(id, code))
                        return true;
        }

        return false;
}

static void child_ended(VsmJob *child, VsmMoveOutcome outcome, GVariant *reasons) {
        VsmJob *job = parent_of(child);
        VsmComing *coming = job ? vsm_coming_find(job, child->system_uuid) : NULL;

        if (!coming)
                return;

        if (outcome == VSM_MOVE_MOVED || outcome == VSM_MOVE_MOVED_UNVERIFIED)
                vsm_coming_set(job, coming, VSM_COMING_HOME, reasons);
        else if (outcome == VSM_MOVE_LOST && has_reason(reasons, "moved-on"))
                vsm_coming_set(job, coming, VSM_COMING_FORGOTTEN, reasons);
        else
                vsm_coming_set(job, coming, VSM_COMING_LEFT, reasons);

        /* it takes no memory here after all */
        if (coming->state != VSM_COMING_HOME)
                job->back->budget += coming->memory;

        job->back->no_room = false;
        vsm_bring_back_show(job);
        vsm_bring_back_step(job);
}

static const VsmFetchEvents events = { child_moved, child_ended };

/* Somebody has the link, or, of those that are read back, the disk. */
static bool link_is_taken(VsmJob *job) {
        GHashTableIter iter;
        VsmJob *child;

        if (job->back->starting)
                return true;

        for (guint i = 0; i < job->manager->accepting->len; i++) {
                child = job->manager->accepting->pdata[i];
                if (child->parent == job->number)
                        return true;
        }

        g_hash_table_iter_init(&iter, job->manager->jobs);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &child))
                if (child->parent == job->number && child->fetch && !vsm_fetch_job_is_finishing(child))
                        return true;

        return false;
}

/* ---- those that slept here ---- */

typedef struct StartTask {
        VsmTask task;
        VsmVirt *virt;
        uint64_t job;
        char *uuid;
} StartTask;

/* Long lane. */
static void start_run(VsmTask *task) {
        StartTask *t = (StartTask*) task;

        (void) vsm_virt_start(t->virt, t->uuid, &task->error);
}

static GVariant* failure_of(const char *name, const GError *error) {
        g_autoptr(VsmReasons) reasons = vsm_reasons_new();

        vsm_reasons_add(reasons, "not-brought-home", name, error->message, name, NULL);
        return vsm_reasons_to_variant(reasons);
}

static void start_done(VsmTask *task, void *userdata) {
        StartTask *t = (StartTask*) task;
        VsmJob *job = vsm_job_find(userdata, t->job);
        VsmComing *coming = job && job->back ? vsm_coming_find(job, t->uuid) : NULL;

        if (!coming)
                return;

        job->back->starting = false;
        job->back->no_room = false;
        if (task->error) {
                g_autoptr(GVariant) reasons = failure_of(coming->away->name, task->error);

                vsm_log(LOG_NOTICE, "%s", task->error->message);
                vsm_coming_set(job, coming, VSM_COMING_LEFT, reasons);
                job->back->budget += coming->memory;
        } else
                vsm_coming_set(job, coming, VSM_COMING_HOME, NULL);

        vsm_bring_back_show(job);
        vsm_bring_back_step(job);
}

static void start_free(VsmTask *task) {
        g_free(((StartTask*) task)->uuid);
        g_free(task);
}

static void start(VsmJob *job, const VsmComing *coming) {
        StartTask *t = vsm_task_new(StartTask, start_run, start_done, start_free);

        t->virt = job->manager->virt;
        t->job = job->number;
        t->uuid = g_strdup(coming->away->uuid);
        job->back->starting = true;
        vsm_worker_push(job->manager->worker, VSM_LANE_LONG, &t->task);
}

/* ---- the next one ---- */

static void begin(VsmJob *job, VsmComing *coming) {
        const VsmAway *away = coming->away;
        const VsmFetchWish wish = {
                .uuid = away->uuid, .name = away->name, .from = away->host, .autostart = away->autostart,
        };
        g_autoptr(GError) error = NULL;

        job->back->budget -= coming->memory;
        coming->order = ++job->back->begun;
        vsm_coming_set(job, coming, VSM_COMING_BEGUN, NULL);

        if (!vsm_away_moved(away))
                start(job, coming);
        else if (!vsm_fetch_job_begin(job, &wish, &events, &error)) {
                g_autoptr(GVariant) reasons = failure_of(away->name, error);

                vsm_log(LOG_ERR, "%s", error->message);
                vsm_coming_set(job, coming, VSM_COMING_LEFT, reasons);
                job->back->budget += coming->memory;
        }
}

/* None of those that are left finds room: what is to be said of each. */
static GVariant* no_room_for(VsmJob *job, const VsmComing *coming, uint64_t available) {
        const char *home = vsm_service_host_name(job->manager);
        g_autofree char *has = g_strdup_printf("%" G_GUINT64_FORMAT, available >> 20);
        g_autofree char *needs = g_strdup_printf("%" G_GUINT64_FORMAT, (coming->memory + (1 << 20) - 1) >> 20);
        g_autoptr(VsmReasons) reasons = vsm_reasons_new();

        vsm_reasons_add(reasons, "not-enough-memory", home, NULL, home, has, needs, NULL);
        return vsm_reasons_to_variant(reasons);
}

/* error NULL: there is no room. */
static void leave_all(VsmJob *job, uint64_t available, const GError *error) {
        for (guint i = 0; i < job->back->guests->len; i++) {
                VsmComing *coming = job->back->guests->pdata[i];
                g_autoptr(GVariant) reasons = NULL;

                if (coming->state != VSM_COMING_WAITING)
                        continue;

                reasons = error ? failure_of(coming->away->name, error) : no_room_for(job, coming, available);
                vsm_coming_set(job, coming, VSM_COMING_LEFT, reasons);
        }
}

/* Those that wait, in the order in which they come; n of them find room. g_free() it. */
static VsmReturn* order_waiting(const VsmBringBack *back, uint64_t available, size_t *ret_n) {
        VsmReturn *returns = g_new0(VsmReturn, back->guests->len + 1);
        size_t n = 0;

        for (guint i = 0; i < back->guests->len; i++) {
                VsmComing *coming = back->guests->pdata[i];

                if (coming->state == VSM_COMING_WAITING && coming->looked)
                        returns[n++] = (VsmReturn) {
                                .uuid = coming->away->uuid,
                                .priority = coming->priority,
                                .memory = coming->memory,
                                .owner = coming,
                        };
        }

        *ret_n = vsm_returns_order(returns, n, available);
        return returns;
}

static int compare_order(const void *a, const void *b) {
        const VsmComing *x = *(const VsmComing *const *) a, *y = *(const VsmComing *const *) b;

        return x->order < y->order ? -1 : x->order > y->order;
}

VsmComing** vsm_coming_in_order(const VsmBringBack *back, size_t *ret_n) {
        VsmComing **order = g_new0(VsmComing*, back->guests->len + 1);
        g_autofree VsmReturn *waiting = NULL;
        size_t n = 0, n_waiting;

        for (guint i = 0; i < back->guests->len; i++) {
                VsmComing *coming = back->guests->pdata[i];

                if (coming->order > 0)
                        order[n++] = coming;
        }
        qsort(order, n, sizeof *order, compare_order);

        waiting = order_waiting(back, back->has_budget ? back->budget : UINT64_MAX, &n_waiting);
        for (size_t i = 0; i < n_waiting; i++)
                order[n++] = waiting[i].owner;

        *ret_n = n;
        return order;
}

static void choose(VsmJob *job, uint64_t available) {
        VsmBringBack *back = job->back;
        g_autofree VsmReturn *waiting = NULL;
        size_t n;

        waiting = order_waiting(back, available, &n);
        if (n > 0)
                begin(job, waiting[0].owner);
        else if (vsm_coming_count(back, VSM_COMING_BEGUN) == 0)
                leave_all(job, available, NULL);
        else
                /* what was reckoned for one that does not come after all may do */
                back->no_room = true;
}

typedef struct MemoryTask {
        VsmTask task;
        VsmVirt *virt;
        uint64_t job, available;
} MemoryTask;

static void memory_run(VsmTask *task) {
        MemoryTask *t = (MemoryTask*) task;

        (void) vsm_virt_available_memory(t->virt, &t->available, &task->error);
}

static void memory_done(VsmTask *task, void *userdata) {
        MemoryTask *t = (MemoryTask*) task;
        VsmJob *job = vsm_job_find(userdata, t->job);
        VsmBringBack *back = job ? job->back : NULL;

        if (!back)
                return;

        back->asking = false;
        if (!back->has_budget && !task->error) {
                back->budget = t->available;
                back->has_budget = true;
        }

        if (task->error) {
                vsm_log(LOG_WARNING, "%s", task->error->message);
                leave_all(job, 0, task->error);
        } else if (!back->cancel && !back->rebooted)
                choose(job, MIN(t->available, back->budget));
        vsm_bring_back_show(job);
        vsm_bring_back_step(job);
}

static void ask_for_memory(VsmJob *job) {
        MemoryTask *t = vsm_task_new(MemoryTask, memory_run, memory_done, NULL);

        t->virt = job->manager->virt;
        t->job = job->number;
        job->back->asking = true;
        vsm_worker_push(job->manager->worker, VSM_LANE_SHORT, &t->task);
}

void vsm_bring_back_step(VsmJob *job) {
        VsmBringBack *back = job->back;

        if (back->ending || back->waiting || back->asking || back->looking > 0)
                return;

        if (back->cancel || back->rebooted || vsm_coming_count(back, VSM_COMING_WAITING) == 0) {
                if (vsm_coming_count(back, VSM_COMING_BEGUN) == 0)
                        vsm_bring_back_end(job);
                return;
        }

        if (!back->no_room && !link_is_taken(job))
                ask_for_memory(job);
}

void vsm_bring_back_adopt(VsmJob *parent, VsmJob *child, const VsmStoredJob *stored) {
        VsmComing *coming = vsm_coming_find(parent, child->system_uuid);

        /* the record may have been damaged */
        if (!coming)
                coming = vsm_bring_back_add(parent, vsm_away_new(child->system_uuid, child->system_name, stored->source,
                                                                 stored->address));

        coming->state = VSM_COMING_BEGUN;
        coming->order = ++parent->back->begun;
        vsm_fetch_job_recover(child, stored, coming->away->autostart, &events);
}
