/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* An evacuation that was not at its end when the daemon was, and what is shown of one that had just ended. Those of
 * its guests that were under way are taken up as any move is (move-recover.c); then it goes on with what is left. Bus
 * thread, but for the start. */

#include "daemon/evacuation-recover.h"
#include "daemon/evacuation-run.h"
#include "daemon/log.h"
#include "daemon/system.h"
#include "shared/cleanup.h"

/* ---- what is known between evacuations ---- */

VsmEvacuations* vsm_evacuations_new(void) {
        VsmEvacuations *evacuations = g_new0(VsmEvacuations, 1);

        evacuations->plans = g_ptr_array_new_with_free_func(vsm_evacuation_shown_free);
        evacuations->plannings = g_hash_table_new(g_int64_hash, g_int64_equal);
        return evacuations;
}

void vsm_evacuations_free(VsmEvacuations *evacuations) {
        if (!evacuations)
                return;

        g_ptr_array_unref(evacuations->plans);
        g_hash_table_unref(evacuations->plannings);
        vsm_evacuation_record_free(evacuations->last);
        g_free(evacuations);
}

void vsm_evacuations_load(VsmManager *manager) {
        g_autoptr(GError) error = NULL;

        manager->evacuations->last = vsm_evacuation_record_read(manager->store, &error);
        if (error)
                vsm_log(LOG_ERR, "%s", error->message);
}

/* ---- one that has just ended ---- */

static unsigned count(const VsmEvacuationRecord *record, VsmLeaving end) {
        unsigned n = 0;

        for (guint i = 0; i < record->leavers->len; i++)
                n += ((const VsmLeaver*) record->leavers->pdata[i])->end == end;

        return n;
}

static const VsmEvacuationRecord* record_of(VsmManager *manager, uint64_t job) {
        const VsmEvacuationRecord *last = manager->evacuations->last;

        return last && last->job == job ? last : NULL;
}

/* NULL when it cannot be read. */
static GVariant* options_of(const VsmStoredJob *stored) {
        return g_utf8_validate(stored->request, -1, NULL) ?
                g_variant_parse(G_VARIANT_TYPE_VARDICT, stored->request, NULL, NULL, NULL) : NULL;
}

bool vsm_evacuation_restore(VsmJob *job, const VsmStoredJob *stored) {
        const VsmEvacuationRecord *record = record_of(job->manager, stored->number);

        job->options = options_of(stored);
        job->evacuation = vsm_evacuation_new();
        if (!job->options)
                return false;
        if (!record)
                return true;

        vsm_evacuation_set_plan(job, record->plan);
        vsm_evacuation_set_leftovers(job, vsm_evacuation_leftovers(record));
        vsm_evacuation_show(job, record->leavers->len - count(record, VSM_LEAVING_MEANT_TO_STAY),
                            count(record, VSM_LEAVING_MOVED) + count(record, VSM_LEAVING_SAVED) +
                            count(record, VSM_LEAVING_SHUT_DOWN) + count(record, VSM_LEAVING_GONE),
                            count(record, VSM_LEAVING_STAYED));
        return true;
}

/* ---- one that was not at its end ---- */

void vsm_evacuation_adopt(VsmJob *job, const VsmStoredJob *stored) {
        job->evacuation->boot_changed = !g_str_equal(stored->boot_id, job->manager->boot_id);
        job->evacuation->unfinished = true;
        job->evacuation->cancel = stored->cancel;
        job->cancel = vsm_evacuation_run_cancel;
        job->started = stored->started;
}

static int compare_number(const void *a, const void *b) {
        const VsmJob *x = *(const VsmJob *const *) a, *y = *(const VsmJob *const *) b;

        return x->number < y->number ? -1 : x->number > y->number;
}

static void adopt_children(VsmJob *parent) {
        g_autoptr(GPtrArray) children = g_ptr_array_new();
        GHashTableIter iter;
        VsmJob *job;

        g_hash_table_iter_init(&iter, parent->manager->jobs);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &job))
                if (job->parent == parent->number)
                        g_ptr_array_add(children, job);

        g_ptr_array_sort(children, compare_number);
        for (guint i = 0; i < children->len; i++)
                vsm_evacuation_run_adopt(parent, children->pdata[i]);
}

static void go_on(VsmJob *job) {
        VsmManager *manager = job->manager;
        VsmEvacuationOptions *options = NULL;
        g_autoptr(VsmEvacuationRecord) record = NULL;
        g_autoptr(GError) error = NULL;

        job->evacuation->unfinished = false;
        if (record_of(manager, job->number))
                record = g_steal_pointer(&manager->evacuations->last);
        options = vsm_evacuation_options_new(job->options, &error);
        if (!options) {
                vsm_log(LOG_ERR, "Job %" PRIu64 " cannot be read back: %s", job->number, error->message);
                vsm_evacuation_end(job, VSM_JOB_STATE_EXCEPTION, VSM_ERROR_FAILED,
                                   "What was asked of the evacuation cannot be read back; it was given up.");
                return;
        }

        vsm_log(LOG_NOTICE, "Job %" PRIu64 " (evacuation) was not at its end when the service stopped.", job->number);
        job->evacuation->run = vsm_evacuation_run_new(job, options, NULL, g_steal_pointer(&record));
        vsm_evacuation_run_begin(job);
        adopt_children(job);
        if (job->evacuation->cancel > 0)
                vsm_evacuation_run_cancel(job, job->evacuation->cancel == 5);
}

void vsm_evacuation_late_child(const VsmJob *child) {
        const VsmEvacuationRecord *record = record_of(child->manager, child->parent);

        if (!vsm_job_state_is_success(child->state))
                return;

        for (guint i = 0; record && i < record->leavers->len; i++) {
                const VsmLeaver *leaver = record->leavers->pdata[i];

                if (leaver->end == VSM_LEAVING_WAITS && g_str_equal(leaver->uuid, child->system_uuid))
                        vsm_leaver_has_moved(leaver, child);
        }
}

/* The same of those that had arrived by then, and were not written down as away. */
static void add_arrived(VsmJob *parent) {
        GHashTableIter iter;
        VsmJob *job;

        g_hash_table_iter_init(&iter, parent->manager->jobs);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &job))
                if (job->parent == parent->number)
                        vsm_evacuation_late_child(job);
}

/* The host went down meanwhile. Those that had been sent to sleep or off by then are to be started by a bring-back. */
static void add_stilled(VsmManager *manager, const VsmEvacuationRecord *record) {
        for (guint i = 0; record && i < record->leavers->len; i++) {
                const VsmLeaver *leaver = record->leavers->pdata[i];
                VsmSystem *system = vsm_system_find(manager, leaver->uuid);

                if (leaver->end != VSM_LEAVING_WAITS || leaver->stilling == VSM_LEAVING_WAITS || !system ||
                    vsm_system_is_active(system))
                        continue;

                vsm_evacuation_away_add(manager, vsm_away_new_stilled(leaver, record->started));
        }
}

void vsm_evacuation_recover(VsmManager *manager) {
        g_autoptr(GPtrArray) jobs = g_ptr_array_new();
        GHashTableIter iter;
        VsmJob *job;

        g_hash_table_iter_init(&iter, manager->jobs);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &job))
                if (job->evacuation && job->evacuation->unfinished && job->type == VSM_JOB_TYPE_EVACUATION)
                        g_ptr_array_add(jobs, job);

        for (guint i = 0; i < jobs->len; i++) {
                job = jobs->pdata[i];
                if (job->evacuation->boot_changed) {
                        job->evacuation->unfinished = false;
                        add_stilled(manager, record_of(manager, job->number));
                        add_arrived(job);
                        vsm_evacuation_end(job, VSM_JOB_STATE_EXCEPTION, VSM_ERROR_INVALID_STATE,
                                           "The host was restarted before the evacuation had come to its end; systems "
                                           "that had not left were not moved any more.");
                } else
                        go_on(job);
        }
}
