/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* An evacuation that runs. Whatever happens only wakes it; step() then looks at all guests and does what is to be done
 * next: a plan, a start, the end. So it does not matter what happened, nor in which order, nor whether this is the
 * process that began it. Bus thread. */

#include "daemon/evacuation-run.h"
#include "daemon/log.h"
#include "daemon/move-internal.h"
#include "shared/cleanup.h"

#define TICK_USEC               (UINT64_C(1) * G_USEC_PER_SEC)
#define TICK_ACCURACY_USEC      (UINT64_C(5) * 1000)   /* a link lies idle for what a step comes too late */
#define FAILED_PLANS_MAX        5

static void step(VsmEvacuationRun *run);

/* ---- life ---- */

VsmEvacuee* vsm_evacuation_run_add(VsmEvacuationRun *run, VsmLeaver *leaver) {
        VsmEvacuee *evacuee = g_new0(VsmEvacuee, 1);

        evacuee->leaver = leaver;
        evacuee->id = run->evacuees->len + 1;
        evacuee->state = leaver->end == VSM_LEAVING_WAITS ? VSM_EVACUEE_WAITING : VSM_EVACUEE_ENDED;
        evacuee->chain = vsm_placing_chain(NULL, &run->options->fallback);
        g_ptr_array_add(run->evacuees, evacuee);
        return evacuee;
}

VsmEvacuee* vsm_evacuation_run_find(VsmEvacuationRun *run, const char *uuid) {
        for (guint i = 0; i < run->evacuees->len; i++) {
                VsmEvacuee *evacuee = run->evacuees->pdata[i];

                if (g_str_equal(evacuee->leaver->uuid, uuid))
                        return evacuee;
        }

        return NULL;
}

/* A reference; NULL when nothing is planned for it. */
static GVariant* find_entry(GVariant *plan, const char *uuid) {
        g_autofree char *path = vsm_evacuation_system_path(uuid);

        for (size_t i = 0; i < g_variant_n_children(plan); i++) {
                g_autoptr(GVariant) entry = g_variant_get_child_value(plan, i);
                const char *system = "";

                (void) g_variant_lookup(entry, "System", "&o", &system);
                if (g_str_equal(system, path))
                        return g_steal_pointer(&entry);
        }

        return NULL;
}

/* What an earlier run of the daemon planned is shown on; those that wait are planned anew all the same. */
static void take_recorded_plan(VsmEvacuationRun *run) {
        for (guint i = 0; i < run->evacuees->len; i++) {
                VsmEvacuee *evacuee = run->evacuees->pdata[i];

                evacuee->entry = find_entry(run->record->plan, evacuee->leaver->uuid);
                if (evacuee->entry)
                        (void) g_variant_lookup(evacuee->entry, "Order", "u", &evacuee->order);
        }
}

static GHashTable* reasons_table(void) {
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_variant_unref);
}

VsmEvacuationRun* vsm_evacuation_run_new(VsmJob *job, VsmEvacuationOptions *options, VsmPlacing *planned,
                                         VsmEvacuationRecord *record) {
        VsmEvacuationRun *run = g_new0(VsmEvacuationRun, 1);

        run->job = job;
        run->options = options;
        run->record = record ?: vsm_evacuation_record_new();
        run->evacuees = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_evacuee_free);
        run->hosts = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify) vsm_placing_host_free);
        run->lanes = g_ptr_array_new_with_free_func(g_free);
        run->hard = reasons_table();
        run->soft = reasons_table();
        run->out = reasons_table();
        run->pace = vsm_pace_new(job->manager->settings.max_migrations);
        vsm_pace_set_in_vain(run->pace, job->manager->evacuations->in_vain, vsm_now_monotonic());

        for (guint i = 0; i < run->record->leavers->len; i++)
                (void) vsm_evacuation_run_add(run, run->record->leavers->pdata[i]);

        take_recorded_plan(run);
        run->plan_wanted = true;
        run->shown = planned;
        return run;
}

void vsm_evacuation_run_free(VsmEvacuationRun *run) {
        if (!run)
                return;

        sd_event_source_disable_unref(run->wake);
        sd_event_source_disable_unref(run->tick);
        vsm_planning_free(run->planning);
        vsm_pace_free(run->pace);
        g_ptr_array_unref(run->evacuees);
        g_hash_table_unref(run->hosts);
        g_ptr_array_unref(run->lanes);
        g_hash_table_unref(run->hard);
        g_hash_table_unref(run->soft);
        g_hash_table_unref(run->out);
        vsm_placing_free(run->shown);
        vsm_evacuation_options_free(run->options);
        vsm_evacuation_record_free(run->record);
        g_free(run);
}

uint64_t vsm_evacuation_run_time_left(const VsmEvacuationRun *run) {
        uint64_t now = vsm_now_monotonic();

        if (run->deadline == 0)
                return UINT64_MAX;

        return run->deadline > now ? run->deadline - now : 1;
}

/* ---- being woken ---- */

static int on_wake(sd_event_source *source, void *userdata) {
        step(userdata);
        return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) sd_event_source_set_time_relative(source, TICK_USEC);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        step(userdata);
        return 0;
}

void vsm_evacuation_run_wake(VsmEvacuationRun *run) {
        if (run->begun && !run->ending)
                (void) sd_event_source_set_enabled(run->wake, SD_EVENT_ONESHOT);
}

void vsm_evacuation_run_wake_at(VsmEvacuationRun *run, uint64_t usec) {
        uint64_t tick;

        if (run->begun && !run->ending && sd_event_source_get_time(run->tick, &tick) >= 0 && usec < tick)
                (void) sd_event_source_set_time(run->tick, usec);
}

void vsm_evacuation_run_replan(VsmEvacuationRun *run) {
        run->plan_wanted = true;
        vsm_evacuation_run_wake(run);
}

/* ---- what outlives the process ---- */

typedef struct KeepTask {
        VsmTask task;
        VsmStore *store;
        char *text;
        VsmTask *then;                  /* NULL = nothing */
} KeepTask;

/* Store lane. */
static void keep_run(VsmTask *task) {
        KeepTask *t = (KeepTask*) task;

        (void) vsm_evacuation_record_write(t->store, t->text, &task->error);
}

static void keep_done(VsmTask *task, void *userdata) {
        VsmManager *manager = userdata;
        VsmTask *then = g_steal_pointer(&((KeepTask*) task)->then);

        if (task->error)
                vsm_log(LOG_ERR, "Cannot write down how far the evacuation is: %s", task->error->message);
        if (then)
                vsm_worker_push(manager->worker, VSM_LANE_LONG, then);
}

static void keep_free(VsmTask *task) {
        g_free(((KeepTask*) task)->text);
        g_free(task);
}

void vsm_evacuation_run_keep(VsmEvacuationRun *run) {
        vsm_evacuation_run_keep_then(run, NULL);
}

void vsm_evacuation_run_keep_then(VsmEvacuationRun *run, VsmTask *then) {
        KeepTask *t;

        if (!run->begun)
                return;

        t = vsm_task_new(KeepTask, keep_run, keep_done, keep_free);
        t->then = then;
        t->store = run->job->manager->store;
        t->text = vsm_evacuation_record_to_text(run->record);
        vsm_worker_push(run->job->manager->worker, VSM_LANE_STORE, &t->task);
}

/* ---- guests ---- */

static bool is_wanted(const VsmEvacuationRun *run, const VsmSystem *system) {
        return !run->options->systems ||
                g_strv_contains((const char *const *) run->options->systems, vsm_system_path(system));
}

static void add_new_ones(VsmEvacuationRun *run) {
        GHashTableIter iter;
        VsmSystem *system;

        g_hash_table_iter_init(&iter, run->job->manager->systems);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &system)) {
                VsmLeaver *leaver;

                if (!vsm_system_is_active(system) || vsm_system_is_incoming(system) || !is_wanted(run, system) ||
                    vsm_evacuation_run_find(run, vsm_system_uuid(system)))
                        continue;

                leaver = vsm_leaver_new(vsm_system_uuid(system), vsm_system_name(system));
                g_ptr_array_add(run->record->leavers, leaver);
                (void) vsm_evacuation_run_add(run, leaver);
                vsm_evacuation_run_keep(run);
                run->plan_wanted = true;
        }
}

/* Once: whoever starts it again and again wants it here. */
static void comes_back(VsmEvacuationRun *run, VsmEvacuee *evacuee) {
        if (evacuee->returned || evacuee->leaver->end == VSM_LEAVING_STAYED ||
            evacuee->leaver->end == VSM_LEAVING_MEANT_TO_STAY)
                return;

        evacuee->returned = true;
        evacuee->seen_off = false;
        evacuee->planned = false;
        evacuee->state = VSM_EVACUEE_WAITING;
        evacuee->leaver->end = VSM_LEAVING_WAITS;
        run->plan_wanted = true;
}

static void look_at(VsmEvacuationRun *run, VsmEvacuee *evacuee) {
        VsmSystem *system = vsm_system_find(run->job->manager, evacuee->leaver->uuid);
        bool active = system && vsm_system_is_active(system) && !vsm_system_is_incoming(system);
        bool busy = system && vsm_system_active_job(system) > 0;

        switch (evacuee->state) {
        case VSM_EVACUEE_WAITING:
                if (busy)
                        evacuee->state = VSM_EVACUEE_BUSY;
                else if (!active && system && evacuee->leaver->stilling != VSM_LEAVING_WAITS)
                        /* begun by an earlier run of the daemon, and ended without it */
                        vsm_evacuee_has_been_stilled(run, evacuee);
                else if (!active)
                        vsm_evacuee_end(run, evacuee, VSM_LEAVING_GONE, NULL);
                else if (evacuee->leaver->stilling != VSM_LEAVING_WAITS)
                        /* the same, and libvirt may still be at it */
                        vsm_evacuee_go_on_stilling(run, evacuee);
                break;
        case VSM_EVACUEE_BUSY:
                if (busy)
                        break;
                evacuee->state = VSM_EVACUEE_WAITING;
                evacuee->planned = false;
                if (active)
                        run->plan_wanted = true;
                else
                        vsm_evacuee_end(run, evacuee, VSM_LEAVING_GONE, NULL);
                break;
        case VSM_EVACUEE_ENDED:
                evacuee->seen_off |= !active;
                if (active && !busy && evacuee->seen_off)
                        comes_back(run, evacuee);
                break;
        default:
                break;
        }
}

static void look_at_all(VsmEvacuationRun *run) {
        add_new_ones(run);
        for (guint i = 0; i < run->evacuees->len; i++)
                look_at(run, run->evacuees->pdata[i]);
}

unsigned vsm_evacuation_run_count(const VsmEvacuationRun *run, VsmEvacueeState state) {
        unsigned n = 0;

        for (guint i = 0; i < run->evacuees->len; i++)
                n += ((const VsmEvacuee*) run->evacuees->pdata[i])->state == state;

        return n;
}

static unsigned count_ends(const VsmEvacuationRun *run, VsmLeaving end) {
        unsigned n = 0;

        for (guint i = 0; i < run->record->leavers->len; i++)
                n += ((const VsmLeaver*) run->record->leavers->pdata[i])->end == end;

        return n;
}

/* There is a plan, or, after a restart, somebody leaves already. */
static bool is_under_way(const VsmEvacuationRun *run) {
        return (run->planned_at > 0 && run->failed_plans == 0) ||
                vsm_evacuation_run_count(run, VSM_EVACUEE_MOVING) > 0 ||
                vsm_evacuation_run_count(run, VSM_EVACUEE_STILLING) > 0;
}

/* ---- what is shown ---- */

static void show(VsmEvacuationRun *run) {
        double all = 0, gone = 0;

        for (guint i = 0; i < run->evacuees->len; i++) {
                const VsmEvacuee *evacuee = run->evacuees->pdata[i];
                double weight = (double) MAX(evacuee->memory, 1);

                all += weight;
                if (evacuee->state == VSM_EVACUEE_ENDED)
                        gone += weight;
                else if (evacuee->job)
                        gone += weight * evacuee->job->percent / 100;
        }

        if (all > 0)
                vsm_job_set_percent(run->job, MIN((unsigned) (gone * 100 / all), 99));
        vsm_evacuation_show(run->job, run->evacuees->len - count_ends(run, VSM_LEAVING_MEANT_TO_STAY),
                            count_ends(run, VSM_LEAVING_MOVED) + count_ends(run, VSM_LEAVING_SAVED) +
                            count_ends(run, VSM_LEAVING_SHUT_DOWN) + count_ends(run, VSM_LEAVING_GONE),
                            count_ends(run, VSM_LEAVING_STAYED));
        if (run->job->state == VSM_JOB_STATE_STARTING && is_under_way(run)) {
                vsm_job_set_phase(run->job, VSM_PHASE_MEMORY);
                vsm_job_set_state(run->job, VSM_JOB_STATE_RUNNING);
        }
}

/* ---- the end ---- */

static GVariant* reasons_of(const VsmEvacuee *evacuee) {
        GVariant *reasons = evacuee->entry ? g_variant_lookup_value(evacuee->entry, "Reasons",
                                                                    G_VARIANT_TYPE("aa{sv}")) : NULL;

        if (reasons && g_variant_n_children(reasons) > 0)
                return reasons;

        g_clear_pointer(&reasons, g_variant_unref);
        return g_variant_ref(evacuee->leaver->reasons);
}

/* Nothing more can be done for those. */
static void leave_the_rest(VsmEvacuationRun *run) {
        for (guint i = 0; i < run->evacuees->len; i++) {
                VsmEvacuee *evacuee = run->evacuees->pdata[i];
                g_autoptr(GVariant) reasons = NULL;

                if (evacuee->state != VSM_EVACUEE_WAITING && evacuee->state != VSM_EVACUEE_BUSY)
                        continue;

                reasons = run->cancel ? g_variant_ref_sink(vsm_evacuee_reason(evacuee, "cancelled", "The evacuation was "
                                                                              "cancelled before the system had left")) :
                        reasons_of(evacuee);
                vsm_evacuee_end(run, evacuee, evacuee->chain.methods[0] == VSM_METHOD_LEAVE ?
                                VSM_LEAVING_MEANT_TO_STAY : VSM_LEAVING_STAYED, reasons);
        }
}

static void show_leftovers(VsmEvacuationRun *run) {
        vsm_evacuation_set_leftovers(run->job, vsm_evacuation_leftovers(run->record));
}

static void end(VsmEvacuationRun *run) {
        unsigned left, stilled;

        leave_the_rest(run);
        show(run);
        show_leftovers(run);
        run->ending = true;
        run->tick = sd_event_source_disable_unref(run->tick);
        (void) sd_event_source_set_enabled(run->wake, SD_EVENT_OFF);

        left = count_ends(run, VSM_LEAVING_STAYED);
        stilled = count_ends(run, VSM_LEAVING_SAVED) + count_ends(run, VSM_LEAVING_SHUT_DOWN);
        if (run->cancel)
                vsm_evacuation_end(run->job, run->kill ? VSM_JOB_STATE_KILLED : VSM_JOB_STATE_TERMINATED,
                                   VSM_ERROR_CANCELLED,
                                   "The evacuation was cancelled; systems that had not left stay here, and this host "
                                   "goes on refusing new ones until it is brought back or enabled.");
        else if (left > 0)
                vsm_evacuation_end(run->job, VSM_JOB_STATE_EXCEPTION, VSM_ERROR_FAILED,
                                   "Not all systems could leave this host; GetLeftovers says which, and why.");
        else if (stilled > 0)
                vsm_evacuation_end(run->job, VSM_JOB_STATE_COMPLETED_WITH_WARNINGS, 0,
                                   "No system runs here any more that should not, but some had to be saved or shut "
                                   "down.");
        else
                vsm_evacuation_end(run->job, VSM_JOB_STATE_COMPLETED, 0, NULL);
}

static bool is_over(const VsmEvacuationRun *run) {
        if (vsm_evacuation_run_count(run, VSM_EVACUEE_MOVING) > 0 || vsm_evacuation_run_count(run, VSM_EVACUEE_STILLING) > 0)
                return false;
        if (run->cancel || vsm_evacuation_run_count(run, VSM_EVACUEE_ENDED) == run->evacuees->len)
                return true;

        /* those that wait wait for nothing: there is no way left for any of them */
        for (guint i = 0; i < run->evacuees->len; i++) {
                const VsmEvacuee *evacuee = run->evacuees->pdata[i];

                if (evacuee->state == VSM_EVACUEE_BUSY ||
                    (evacuee->state == VSM_EVACUEE_WAITING &&
                     (!evacuee->planned || evacuee->method != VSM_METHOD_LEAVE)))
                        return run->failed_plans >= FAILED_PLANS_MAX;
        }

        return run->settled && !run->planning && !run->plan_wanted;
}

/* ---- the step ---- */

static void kill_all(VsmEvacuationRun *run) {
        run->killed = true;
        for (guint i = 0; i < run->evacuees->len; i++) {
                VsmEvacuee *evacuee = run->evacuees->pdata[i];

                if (evacuee->cancel)
                        vsm_cancel_fire(evacuee->cancel);
                /* one without a number is cancelled once it has one */
                if (!evacuee->job || !evacuee->job->move)
                        continue;
                if (evacuee->job->number == 0)
                        run->killed = false;
                else if (vsm_move_job_can_cancel(evacuee->job))
                        vsm_move_job_cancel(evacuee->job, true);
        }
}

static void step(VsmEvacuationRun *run) {
        if (run->ending)
                return;

        look_at_all(run);
        if (run->shown) {
                run->plan_wanted = false;
                vsm_evacuation_run_take_plan(run, g_steal_pointer(&run->shown));
        }

        if (run->cancel) {
                g_clear_pointer(&run->planning, vsm_planning_free);
                if (run->kill && !run->killed)
                        kill_all(run);
        } else {
                vsm_evacuation_run_plan(run);
                vsm_evacuation_run_hurry(run);
                vsm_evacuation_run_pace(run);
                vsm_evacuation_run_still(run);
                /* one more plan, with nothing under way: what stays may have found room meanwhile */
                if (!run->settled && !run->planning && vsm_evacuation_run_count(run, VSM_EVACUEE_MOVING) == 0 &&
                    !vsm_evacuation_run_next(run, NULL) && vsm_evacuation_run_count(run, VSM_EVACUEE_WAITING) > 0 && run->failed_plans == 0) {
                        run->plan_wanted = true;
                        vsm_evacuation_run_plan(run);
                }
        }

        show(run);
        if (is_over(run))
                end(run);
}

/* ---- the beginning ---- */

void vsm_evacuation_run_begin(VsmJob *job) {
        VsmEvacuationRun *run = job->evacuation->run;
        VsmManager *manager = job->manager;

        run->record->job = job->number;
        if (run->record->started == 0) {
                run->record->started = job->submitted;
                g_variant_unref(run->record->options);
                run->record->options = g_variant_ref(job->options);
        }
        if (run->options->deadline > 0) {
                uint64_t gone = vsm_realtime_since(run->record->started);

                run->deadline = vsm_now_monotonic() + (gone < run->options->deadline ? run->options->deadline - gone : 0);
        }

        run->begun = true;
        vsm_evacuation_run_keep(run);
        if (sd_event_add_defer(manager->event, &run->wake, on_wake, run) < 0 ||
            sd_event_add_time_relative(manager->event, &run->tick, CLOCK_MONOTONIC, TICK_USEC, TICK_ACCURACY_USEC,
                                       on_tick, run) < 0)
                vsm_log(LOG_ERR, "Job %" PRIu64 " cannot be driven.", job->number);

        vsm_job_set_phase(job, VSM_PHASE_PREPARING);
        if (!run->cancel)
                vsm_job_set_state(job, VSM_JOB_STATE_STARTING);
}
