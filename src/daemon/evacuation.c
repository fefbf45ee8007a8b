/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The parent job of an evacuation, and of a bring-back: its interface Job.Evacuation, and its end. What it does is
 * in evacuation-run.c and bring-back.c. Bus thread, but for what says so. */

#include <string.h>

#include "daemon/evacuation-internal.h"
#include "daemon/job-methods.h"
#include "daemon/log.h"
#include "shared/cleanup.h"
#include "shared/names.h"

static void changed(VsmJob *job, const char *property) {
        if (job->path)
                vsm_bus_changed(job->manager->bus, job->path, VSM_INTERFACE_EVACUATION, property);
}

static GVariant* no_dicts(void) {
        return g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0));
}

VsmEvacuation* vsm_evacuation_new(void) {
        VsmEvacuation *evacuation = g_new0(VsmEvacuation, 1);

        evacuation->plan = no_dicts();
        evacuation->leftovers = no_dicts();
        return evacuation;
}

void vsm_evacuation_free(VsmEvacuation *evacuation) {
        if (!evacuation)
                return;

        vsm_evacuation_run_free(evacuation->run);
        g_clear_pointer(&evacuation->plan, g_variant_unref);
        g_clear_pointer(&evacuation->leftovers, g_variant_unref);
        g_free(evacuation);
}

VsmJob* vsm_evacuation_job_new(VsmManager *manager, uint16_t type, GVariant *options) {
        VsmJob *job = vsm_job_new(manager, type);

        job->options = g_variant_take_ref(options);
        job->evacuation = vsm_evacuation_new();
        return job;
}

/* ---- one at a time ---- */

static bool is_unfinished_parent(const VsmJob *job) {
        return job->evacuation && vsm_job_is_unfinished(job);
}

VsmJob* vsm_evacuation_running(VsmManager *manager) {
        GHashTableIter iter;
        VsmJob *job;

        g_hash_table_iter_init(&iter, manager->jobs);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &job))
                if (is_unfinished_parent(job))
                        return job;

        return NULL;
}

bool vsm_evacuation_check_idle(VsmManager *manager, GError **error) {
        const VsmJob *job = vsm_evacuation_running(manager);
        bool accepting = manager->evacuations->starting;

        if (job) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "Job %" PRIu64 " (%s) of this host is not at its end yet.", job->number,
                            vsm_job_type_to_string(job->type));
                return false;
        }

        for (guint i = 0; i < manager->accepting->len; i++)
                accepting |= is_unfinished_parent(manager->accepting->pdata[i]);
        if (accepting)
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "Another evacuation, or bringing back, is just being started.");

        return !accepting;
}

void vsm_evacuation_starting(VsmManager *manager, bool starting) {
        manager->evacuations->starting = starting;
}

/* ---- what it shows ---- */

void vsm_evacuation_show(VsmJob *job, unsigned total, unsigned done, unsigned failed) {
        VsmEvacuation *e = job->evacuation;

        if (e->total != total)
                changed(job, "Total");
        if (e->done != done)
                changed(job, "Done");
        if (e->failed != failed)
                changed(job, "Failed");

        e->total = total;
        e->done = done;
        e->failed = failed;
}

void vsm_evacuation_set_plan(VsmJob *job, GVariant *plan) {
        g_variant_ref_sink(plan);
        g_variant_unref(job->evacuation->plan);
        job->evacuation->plan = plan;
}

void vsm_evacuation_set_leftovers(VsmJob *job, GVariant *leftovers) {
        g_variant_ref_sink(leftovers);
        g_variant_unref(job->evacuation->leftovers);
        job->evacuation->leftovers = leftovers;
}

void vsm_evacuation_jobs_changed(VsmJob *job) {
        if (job && job->evacuation)
                changed(job, "Jobs");
}

char* vsm_evacuation_system_path(const char *uuid) {
        g_autofree char *label = g_strdup(uuid);

        return g_strconcat(VSM_OBJECT_PATH_SYSTEM "/", g_strdelimit(label, "-", '_'), NULL);
}

GVariant* vsm_evacuation_leftovers(const VsmEvacuationRecord *record) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
        for (guint i = 0; i < record->leavers->len; i++) {
                const VsmLeaver *leaver = record->leavers->pdata[i];
                g_autofree char *path = vsm_evacuation_system_path(leaver->uuid);
                GVariantDict dict;

                if (leaver->end != VSM_LEAVING_STAYED && leaver->end != VSM_LEAVING_MEANT_TO_STAY)
                        continue;

                g_variant_dict_init(&dict, NULL);
                g_variant_dict_insert(&dict, "System", "o", path);
                g_variant_dict_insert(&dict, "SystemName", "s", leaver->name);
                g_variant_dict_insert_value(&dict, "Reasons", leaver->reasons);
                g_variant_builder_add_value(&builder, g_variant_dict_end(&dict));
        }

        return g_variant_builder_end(&builder);
}

#define GETTER(name, signature, expression)                                                             \
        static int property_get_##name(sd_bus *bus, const char *path, const char *interface,            \
                                       const char *property, sd_bus_message *reply, void *userdata,     \
                                       sd_bus_error *error) {                                           \
                const VsmJob *job = userdata;                                                           \
                                                                                                        \
                return sd_bus_message_append(reply, signature, expression);                             \
        }

GETTER(total, "u", (uint32_t) job->evacuation->total)
GETTER(done, "u", (uint32_t) job->evacuation->done)
GETTER(failed, "u", (uint32_t) job->evacuation->failed)

static int compare_number(const void *a, const void *b) {
        const VsmJob *x = *(const VsmJob *const *) a, *y = *(const VsmJob *const *) b;

        return x->number < y->number ? -1 : x->number > y->number;
}

static int property_get_jobs(sd_bus *bus, const char *path, const char *interface, const char *property,
                             sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const VsmJob *parent = userdata;
        g_autoptr(GPtrArray) children = g_ptr_array_new();
        GHashTableIter iter;
        VsmJob *job;
        int r;

        g_hash_table_iter_init(&iter, parent->manager->jobs);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &job))
                if (job->parent == parent->number)
                        g_ptr_array_add(children, job);
        g_ptr_array_sort(children, compare_number);

        r = sd_bus_message_open_container(reply, 'a', "o");
        for (guint i = 0; r >= 0 && i < children->len; i++)
                r = sd_bus_message_append(reply, "o", ((const VsmJob*) children->pdata[i])->path);

        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int method_get_plan(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmJob *job = userdata;
        int r;

        r = vsm_job_authorize(job, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        return vsm_job_reply(call, g_variant_ref(job->evacuation->plan));
}

static int method_get_leftovers(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmJob *job = userdata;
        int r;

        r = vsm_job_authorize(job, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        return vsm_job_reply(call, g_variant_ref(job->evacuation->leftovers));
}

#define CHANGE SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define METHOD(name, out, out_names, handler)                                                           \
        SD_BUS_METHOD_WITH_NAMES(name, NULL,, out, out_names, handler, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        METHOD("GetPlan", "aa{sv}", SD_BUS_PARAM(Plan), method_get_plan),
        METHOD("GetLeftovers", "aa{sv}", SD_BUS_PARAM(Leftovers), method_get_leftovers),
        SD_BUS_PROPERTY("Jobs", "ao", property_get_jobs, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("Total", "u", property_get_total, 0, CHANGE),
        SD_BUS_PROPERTY("Done", "u", property_get_done, 0, CHANGE),
        SD_BUS_PROPERTY("Failed", "u", property_get_failed, 0, CHANGE),
        SD_BUS_VTABLE_END
};

/* Other jobs have no such interface. */
static int find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                sd_bus_error *error) {
        VsmJob *job = vsm_job_find_path(userdata, path);

        if (!job || !job->evacuation)
                return 0;

        *ret = job;
        return 1;
}

int vsm_evacuation_register(VsmManager *manager) {
        return sd_bus_add_fallback_vtable(vsm_bus_get(manager->bus), NULL, VSM_OBJECT_PATH_JOB,
                                          VSM_INTERFACE_EVACUATION, vtable, find, manager);
}

/* ---- the end ---- */

typedef struct EndTask {
        VsmTask task;
        VsmStore *store;
        VsmStoredJob stored;            /* numbers only; error is static */
        VsmJobState state;
        VsmError code;
        const char *sentence;           /* static */
} EndTask;

/* Store lane. */
static void end_run(VsmTask *task) {
        EndTask *t = (EndTask*) task;

        (void) vsm_store_job_end(t->store, &t->stored, VSM_STORE_STATE_KEEP, 0, &task->error);
}

static void log_end(const VsmJob *job, const char *sentence) {
        VsmLogContext context = { .job = job->number, .caller = job->owner, .caller_uid = job->owner_uid };

        vsm_log_full(job->state == VSM_JOB_STATE_EXCEPTION ? LOG_WARNING : LOG_NOTICE, &context,
                     "Job %" PRIu64 " (%s) has ended: %u of %u systems, %u failed.%s%s", job->number,
                     vsm_job_type_to_string(job->type), job->evacuation->done, job->evacuation->total,
                     job->evacuation->failed, sentence ? " " : "", sentence ?: "");
}

static void end_done(VsmTask *task, void *userdata) {
        EndTask *t = (EndTask*) task;
        VsmManager *manager = userdata;
        VsmJob *job = vsm_job_find(manager, t->stored.number);

        if (task->error)
                /* nothing is left to be done; the next start finds that out again */
                vsm_log(LOG_ERR, "Cannot write down the end of job %" PRIu64 ": %s", t->stored.number,
                        task->error->message);
        if (!job)
                return;

        g_clear_pointer(&job->evacuation->run, vsm_evacuation_run_free);
        vsm_job_end(job, t->state, t->code, t->sentence, NULL);
        log_end(job, t->sentence);
        vsm_manager_update_status(manager);
}

void vsm_evacuation_end(VsmJob *job, VsmJobState state, VsmError code, const char *sentence) {
        EndTask *t = vsm_task_new(EndTask, end_run, end_done, NULL);

        vsm_job_set_cancellable(job, false);
        t->store = job->manager->store;
        t->state = state;
        t->code = code;
        t->sentence = sentence;
        t->stored = (VsmStoredJob) {
                .number = job->number,
                .started = job->started,
                .ended = vsm_now_realtime(),
                .state = (uint16_t) state,
                .error_code = state == VSM_JOB_STATE_EXCEPTION ? vsm_error_to_cim((int) code) : 0,
                .error = (char*) (sentence ?: ""),
        };
        vsm_worker_push(job->manager->worker, VSM_LANE_STORE, &t->task);
}

void vsm_evacuation_remove_children(VsmJob *parent) {
        VsmManager *manager = parent->manager;
        g_autoptr(GPtrArray) children = g_ptr_array_new();
        GHashTableIter iter;
        VsmJob *job;

        g_hash_table_iter_init(&iter, manager->jobs);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &job))
                if (job->parent == parent->number)
                        g_ptr_array_add(children, job);

        for (guint i = 0; i < children->len; i++)
                vsm_job_remove(children->pdata[i]);
}

/* ---- who is away ---- */

typedef struct AwayTask {
        VsmTask task;
        VsmStore *store;
        VsmAway *add;
        char *forget;                   /* with neither: all that nobody has called home */
} AwayTask;

static void forget(AwayTask *t) {
        g_autoptr(GPtrArray) all = vsm_evacuation_record_away(t->store, &t->task.error);

        if (!all)
                return;

        for (guint i = all->len; i > 0; i--) {
                const VsmAway *away = all->pdata[i - 1];

                if (t->forget ? g_str_equal(away->uuid, t->forget) : !away->called)
                        (void) g_ptr_array_remove_index(all, i - 1);
        }
        (void) vsm_evacuation_record_set_away(t->store, all, &t->task.error);
}

/* Store lane: one at a time, so nothing that is read is old when it is written back. */
static void away_run(VsmTask *task) {
        AwayTask *t = (AwayTask*) task;

        if (t->add)
                (void) vsm_evacuation_record_add_away(t->store, t->add, &task->error);
        else
                forget(t);
}

static void away_done(VsmTask *task, void *userdata) {
        if (task->error)
                vsm_log(LOG_ERR, "Cannot write down who is away from this host: %s", task->error->message);
}

static void away_free(VsmTask *task) {
        AwayTask *t = (AwayTask*) task;

        vsm_away_free(t->add);
        g_free(t->forget);
        g_free(t);
}

static void push_away(VsmManager *manager, VsmAway *add, const char *uuid) {
        AwayTask *t = vsm_task_new(AwayTask, away_run, away_done, away_free);

        t->store = manager->store;
        t->add = add;
        t->forget = g_strdup(uuid);
        vsm_worker_push(manager->worker, VSM_LANE_STORE, &t->task);
}

void vsm_evacuation_away_add(VsmManager *manager, VsmAway *away) {
        push_away(manager, away, NULL);
}

void vsm_evacuation_away_forget(VsmManager *manager, const char *uuid) {
        push_away(manager, NULL, uuid);
}
