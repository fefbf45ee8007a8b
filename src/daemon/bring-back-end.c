/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What became of each guest, as the record keeps it and as the parent job tells it. Bus thread, but for what says
 * that it is the store lane's. */

#include "daemon/bring-back-internal.h"
#include "daemon/evacuation-internal.h"
#include "daemon/log.h"
#include "daemon/service.h"
#include "shared/cleanup.h"

static void coming_free(void *p) {
        VsmComing *coming = p;

        vsm_away_free(coming->away);
        g_clear_pointer(&coming->reasons, g_variant_unref);
        g_free(coming);
}

void vsm_bring_back_make(VsmJob *job, VsmEvacuationOptions *options) {
        job->back = g_new0(VsmBringBack, 1);
        job->back->options = options;
        job->back->guests = g_ptr_array_new_with_free_func(coming_free);
        job->back->waiting = true;
        job->cancel = vsm_bring_back_cancel;
}

void vsm_bring_back_free(VsmBringBack *back) {
        if (!back)
                return;

        vsm_evacuation_options_free(back->options);
        g_ptr_array_unref(back->guests);
        g_free(back);
}

VsmComing* vsm_bring_back_add(VsmJob *job, VsmAway *away) {
        VsmComing *coming = g_new0(VsmComing, 1);

        coming->away = away;
        g_ptr_array_add(job->back->guests, coming);
        return coming;
}

void vsm_bring_back_take(VsmJob *job, GPtrArray *away) {
        g_ptr_array_set_free_func(away, NULL);
        for (guint i = 0; i < away->len; i++)
                (void) vsm_bring_back_add(job, away->pdata[i]);
}

VsmComing* vsm_coming_find(VsmJob *job, const char *uuid) {
        for (guint i = 0; i < job->back->guests->len; i++) {
                VsmComing *coming = job->back->guests->pdata[i];

                if (g_str_equal(coming->away->uuid, uuid))
                        return coming;
        }

        return NULL;
}

unsigned vsm_coming_count(const VsmBringBack *back, VsmComingState state) {
        unsigned n = 0;

        for (guint i = 0; i < back->guests->len; i++)
                n += ((const VsmComing*) back->guests->pdata[i])->state == state;

        return n;
}

/* ---- the record ---- */

typedef struct ForgetTask {
        VsmTask task;
        VsmStore *store;
        char *uuid;
} ForgetTask;

/* Store lane. */
static void forget_run(VsmTask *task) {
        ForgetTask *t = (ForgetTask*) task;

        (void) vsm_bring_back_record_forget(t->store, t->uuid, &task->error);
}

static void forget_done(VsmTask *task, void *userdata) {
        if (task->error)
                vsm_log(LOG_ERR, "Cannot write down that a system is not away any more: %s", task->error->message);
}

static void forget_free(VsmTask *task) {
        g_free(((ForgetTask*) task)->uuid);
        g_free(task);
}

static void forget(VsmManager *manager, const char *uuid) {
        ForgetTask *t = vsm_task_new(ForgetTask, forget_run, forget_done, forget_free);

        /* what is known of the last one is read at start only */
        if (manager->evacuations->last)
                (void) vsm_bring_back_record_wake(manager->evacuations->last, uuid);

        t->store = manager->store;
        t->uuid = g_strdup(uuid);
        vsm_worker_push(manager->worker, VSM_LANE_STORE, &t->task);
}

/* ---- what is told ---- */

static GVariant* no_reasons(void) {
        return g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0);
}

/* The path of a System says its UUID also while it is not here: with that it can be asked for again. */
static void add_guest(GVariantDict *dict, const VsmComing *coming) {
        g_autofree char *path = vsm_evacuation_system_path(coming->away->uuid);

        g_variant_dict_init(dict, NULL);
        g_variant_dict_insert(dict, "System", "o", path);
        g_variant_dict_insert(dict, "SystemName", "s", coming->away->name);
        g_variant_dict_insert_value(dict, "Reasons", coming->reasons ?: no_reasons());
}

/* µs; a guess, as nobody knows how busy the other hosts are. */
static uint64_t duration_of(const VsmManager *manager, const VsmComing *coming) {
        uint64_t link = manager->evacuations->rate > 0 ? manager->evacuations->rate : VSM_PLACING_LINK_RATE;
        uint64_t rate = vsm_away_moved(coming->away) ? link : VSM_PLACING_DISK_RATE;

        return VSM_PLACING_SETUP_USEC + (uint64_t) ((double) coming->memory * G_USEC_PER_SEC / (double) rate);
}

static void show_plan(VsmJob *job) {
        g_autofree VsmComing **order = NULL;
        GVariantBuilder builder;
        uint64_t start = 0;
        size_t n;

        order = vsm_coming_in_order(job->back, &n);
        g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
        for (size_t i = 0; i < n; i++) {
                uint64_t duration = duration_of(job->manager, order[i]);
                GVariantDict dict;

                add_guest(&dict, order[i]);
                g_variant_dict_insert(&dict, "DestinationHost", "s", vsm_service_host_name(job->manager));
                g_variant_dict_insert(&dict, "Method", "s", vsm_away_moved(order[i]->away) ? "live" : "start");
                g_variant_dict_insert(&dict, "Order", "u", (uint32_t) i + 1);
                g_variant_dict_insert(&dict, "Start", "t", start);
                g_variant_dict_insert(&dict, "Duration", "t", duration);
                g_variant_dict_insert(&dict, "Bytes", "t", order[i]->memory);
                start += duration;
                g_variant_builder_add_value(&builder, g_variant_dict_end(&dict));
        }

        vsm_evacuation_set_plan(job, g_variant_builder_end(&builder));
}

/* Also of those that are not waited for any more: nobody else says why. */
static void show_leftovers(VsmJob *job) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
        for (guint i = 0; i < job->back->guests->len; i++) {
                const VsmComing *coming = job->back->guests->pdata[i];
                bool waits = coming->state == VSM_COMING_WAITING && job->back->ending;
                GVariantDict dict;

                if (!waits && coming->state != VSM_COMING_LEFT && coming->state != VSM_COMING_FORGOTTEN)
                        continue;

                add_guest(&dict, coming);
                g_variant_builder_add_value(&builder, g_variant_dict_end(&dict));
        }

        vsm_evacuation_set_leftovers(job, g_variant_builder_end(&builder));
}

/* Percents of those that are on their way, added up. */
static unsigned running_percent(VsmJob *job) {
        GHashTableIter iter;
        unsigned sum = 0;
        VsmJob *child;

        g_hash_table_iter_init(&iter, job->manager->jobs);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &child))
                if (child->parent == job->number && vsm_job_is_unfinished(child))
                        sum += child->percent;

        return sum;
}

void vsm_bring_back_show(VsmJob *job) {
        VsmBringBack *back = job->back;
        unsigned total = back->guests->len + back->home_before, failed = vsm_coming_count(back, VSM_COMING_LEFT);
        unsigned done = vsm_coming_count(back, VSM_COMING_HOME) + vsm_coming_count(back, VSM_COMING_FORGOTTEN) +
                back->home_before;

        if (back->changed) {
                back->changed = false;
                show_plan(job);
                show_leftovers(job);
        }

        vsm_evacuation_show(job, total, done, failed);
        if (total > 0 && vsm_job_is_unfinished(job))
                vsm_job_set_percent(job, MIN(((done + failed) * 100 + running_percent(job)) / total, 99));
}

void vsm_coming_set(VsmJob *job, VsmComing *coming, VsmComingState state, GVariant *reasons) {
        coming->state = state;
        if (reasons) {
                g_clear_pointer(&coming->reasons, g_variant_unref);
                coming->reasons = g_variant_ref(reasons);
        }

        if (state == VSM_COMING_HOME || state == VSM_COMING_FORGOTTEN)
                forget(job->manager, coming->away->uuid);

        job->back->changed = true;
}

/* ---- the end ---- */

void vsm_bring_back_end(VsmJob *job) {
        VsmBringBack *back = job->back;
        bool left = vsm_coming_count(back, VSM_COMING_LEFT) > 0;

        back->ending = true;
        back->changed = true;
        vsm_bring_back_show(job);

        if (back->cancel)
                vsm_evacuation_end(job, back->kill ? VSM_JOB_STATE_KILLED : VSM_JOB_STATE_TERMINATED,
                                   VSM_ERROR_CANCELLED,
                                   "It was cancelled. Those that have not come home stay where they are, and can be "
                                   "brought back later.");
        else if (back->rebooted)
                vsm_evacuation_end(job, VSM_JOB_STATE_EXCEPTION, VSM_ERROR_FAILED,
                                   "The host was restarted before it had come to its end. Those that have not come "
                                   "home can be brought back anew.");
        else if (!left)
                vsm_evacuation_end(job, VSM_JOB_STATE_COMPLETED, 0, NULL);
        else if (vsm_coming_count(back, VSM_COMING_HOME) + back->home_before == 0)
                vsm_evacuation_end(job, VSM_JOB_STATE_EXCEPTION, VSM_ERROR_FAILED,
                                   "No system could be brought back. GetLeftovers says why; it can be tried again.");
        else
                vsm_evacuation_end(job, VSM_JOB_STATE_COMPLETED_WITH_WARNINGS, 0,
                                   "Some systems could not be brought back. GetLeftovers says which, and why; it can "
                                   "be tried again.");
}

void vsm_bring_back_cancel(VsmJob *job, bool kill) {
        VsmBringBack *back = job->back;
        g_autoptr(GPtrArray) children = g_ptr_array_new();
        GHashTableIter iter;
        VsmJob *child;

        if (back->ending)
                return;

        vsm_evacuation_keep_cancel(job, kill);
        back->cancel = true;
        back->kill |= kill;
        vsm_job_set_cancellable(job, false);
        vsm_job_set_state(job, VSM_JOB_STATE_SHUTTING_DOWN);

        g_hash_table_iter_init(&iter, job->manager->jobs);
        while (kill && g_hash_table_iter_next(&iter, NULL, (void**) &child))
                if (child->parent == job->number && child->fetch)
                        g_ptr_array_add(children, child);
        for (guint i = 0; i < children->len; i++) {
                child = children->pdata[i];
                child->cancel(child, true);
        }

        vsm_bring_back_step(job);
}
