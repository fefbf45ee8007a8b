/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is next in an evacuation: whether a plan is to be made, who starts, who is held back, who has to lie still as
 * there is no other way. Bus thread. */

#include "daemon/bandwidth.h"
#include "daemon/evacuation-run.h"
#include "daemon/log.h"
#include "daemon/move-internal.h"
#include "daemon/reason.h"

#define PLANNING_USEC           (UINT64_C(20) * G_USEC_PER_SEC)
#define PLAN_AGE_USEC           (UINT64_C(60) * G_USEC_PER_SEC)         /* hosts come, go and shrink */
#define PLAN_AGE_HURRY_USEC     (UINT64_C(15) * G_USEC_PER_SEC)         /* the same, with a deadline */
#define PLAN_AGAIN_USEC         (UINT64_C(5) * G_USEC_PER_SEC)          /* one that could not be made */
#define RELEASE_USEC            (UINT64_C(1) * G_USEC_PER_SEC / 2)      /* the next one is set up: what two samples take */
#define LAST_PASS_USEC          (UINT64_C(2) * G_USEC_PER_SEC)          /* about what setting the next one up takes */
#define STILLS_MAX              2                                       /* one disk takes them all */
#define STILL_MARGIN_USEC       (UINT64_C(15) * G_USEC_PER_SEC)

/* ---- planning ---- */

/* What has not arrived of a guest that is on its way there. */
static uint64_t coming(const VsmEvacuee *evacuee) {
        const VsmTransferStats *stats = evacuee->job ? &evacuee->job->stats : NULL;

        if (!stats || stats->memory_total == 0)
                return evacuee->memory;

        return (uint64_t) ((double) evacuee->memory * (double) stats->memory_remaining / (double) stats->memory_total);
}

static GVariant* reasons_of_out(VsmEvacuationRun *run, const char *host) {
        GVariant *known = g_hash_table_lookup(run->out, host);
        g_autoptr(VsmReasons) reasons = NULL;

        if (known)
                return g_variant_ref(known);

        /* an earlier run of the daemon found it out */
        reasons = vsm_reasons_new();
        vsm_reasons_add(reasons, "destination-refuses", host, NULL, host, NULL);
        return vsm_reasons_to_variant(reasons);
}

static void tell_of_hosts(VsmEvacuationRun *run, VsmPlacing *planned) {
        for (guint i = 0; i < planned->hosts->len; i++) {
                VsmPlacingHost *host = planned->hosts->pdata[i];
                const VsmPlacingHost *known = g_hash_table_lookup(run->hosts, host->name);

                if (known) {
                        host->first = known->first;
                        host->given = known->given;
                }
                if (g_strv_contains((const char *const *) run->record->out, host->name))
                        host->reasons = reasons_of_out(run, host->name);

                for (guint e = 0; e < run->evacuees->len; e++) {
                        const VsmEvacuee *evacuee = run->evacuees->pdata[e];

                        if (evacuee->state == VSM_EVACUEE_MOVING && g_strcmp0(evacuee->host, host->name) == 0)
                                host->coming += coming(evacuee);
                }
        }
}

static void tell_against(VsmPlacing *planned, GHashTable *table) {
        GHashTableIter iter;
        const char *key;
        GVariant *reasons;

        g_hash_table_iter_init(&iter, table);
        while (g_hash_table_iter_next(&iter, (void**) &key, (void**) &reasons))
                (void) g_hash_table_replace(planned->against, g_strdup(key), g_variant_ref(reasons));
}

static VsmPlacing* to_be_planned(VsmEvacuationRun *run) {
        VsmManager *manager = run->job->manager;
        g_autoptr(GStrvBuilder) uuids = g_strv_builder_new();
        VsmPlacing *planned;

        for (guint i = 0; i < run->evacuees->len; i++) {
                const VsmEvacuee *evacuee = run->evacuees->pdata[i];

                if (evacuee->state == VSM_EVACUEE_WAITING)
                        g_strv_builder_add(uuids, evacuee->leaver->uuid);
        }

        planned = vsm_placing_new(g_strv_builder_end(uuids));
        planned->fallback = run->options->fallback;
        planned->deadline = run->deadline > 0 ? vsm_evacuation_run_time_left(run) : 0;
        planned->link_rate = manager->evacuations->rate;
        planned->max_rate = manager->settings.max_bandwidth;
        vsm_placing_add_hosts(planned, manager, run->options->destinations);
        tell_of_hosts(run, planned);
        tell_against(planned, run->hard);
        tell_against(planned, run->soft);
        for (guint i = 0; i < run->evacuees->len; i++) {
                const VsmEvacuee *evacuee = run->evacuees->pdata[i];

                (void) g_hash_table_insert(planned->levels, g_strdup(evacuee->leaver->uuid),
                                           GSIZE_TO_POINTER((gsize) evacuee->leaver->level));
        }

        return planned;
}

static unsigned lane_of(VsmEvacuationRun *run, const char *host) {
        guint lane;

        if (g_ptr_array_find_with_equal_func(run->lanes, host, g_str_equal, &lane))
                return lane;

        g_ptr_array_add(run->lanes, g_strdup(host));
        return run->lanes->len - 1;
}

static void keep_host(VsmEvacuationRun *run, const VsmPlacingHost *host) {
        VsmPlacingHost *known = g_hash_table_lookup(run->hosts, host->name);

        if (!known) {
                known = g_new0(VsmPlacingHost, 1);
                known->name = g_strdup(host->name);
                (void) g_hash_table_insert(run->hosts, known->name, known);
        }
        if (known->first == 0 && host->facts)
                known->first = host->facts->memory;
}

/* One that no host takes by this way any more: by the next one that moves it, before it comes to lie still. */
static bool goes_down(VsmEvacuationRun *run, VsmEvacuee *evacuee, VsmMethod method) {
        if (vsm_method_moves(method) || !vsm_evacuee_has_failed(run, evacuee) || !vsm_evacuee_can_go_down(evacuee))
                return false;

        evacuee->planned = false;
        vsm_evacuee_go_down(run, evacuee);
        return true;
}

static void take_entry(VsmEvacuationRun *run, const VsmPlacing *planned, const VsmPlanEntry *entry, GVariant *shown) {
        const VsmGuestFacts *facts = planned->guests->pdata[entry->guest];
        VsmEvacuee *evacuee = vsm_evacuation_run_find(run, facts->uuid);

        /* begun, or gone, while it was planned */
        if (!evacuee || evacuee->state != VSM_EVACUEE_WAITING)
                return;

        evacuee->chain = vsm_placing_chain(facts->policy, &planned->fallback);
        evacuee->memory = facts->memory;
        evacuee->resident = facts->resident;
        evacuee->quiet = facts->paused || (facts->dirty_rate_known && facts->dirty_rate == 0);
        if (goes_down(run, evacuee, entry->method))
                return;

        evacuee->planned = true;
        evacuee->method = entry->method;
        evacuee->order = entry->order;
        evacuee->due = run->planned_at + entry->start;
        g_free(evacuee->host);
        evacuee->host = g_strdup(entry->host == VSM_PLAN_NO_HOST ? "" :
                                 ((const VsmPlacingHost*) planned->hosts->pdata[entry->host])->name);
        g_clear_pointer(&evacuee->entry, g_variant_unref);
        evacuee->entry = g_variant_ref(shown);
}

static int compare_order(const void *a, const void *b) {
        const VsmEvacuee *x = *(VsmEvacuee *const *) a, *y = *(VsmEvacuee *const *) b;

        return x->order < y->order ? -1 : x->order > y->order;
}

/* What was planned for those that have ended, or are under way, and for those that wait. */
static void show_plan(VsmEvacuationRun *run) {
        g_autoptr(GPtrArray) sorted = g_ptr_array_new();
        GVariantBuilder builder;

        for (guint i = 0; i < run->evacuees->len; i++)
                g_ptr_array_add(sorted, run->evacuees->pdata[i]);
        g_ptr_array_sort(sorted, compare_order);

        g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
        for (guint i = 0; i < sorted->len; i++) {
                const VsmEvacuee *evacuee = sorted->pdata[i];

                if (evacuee->entry)
                        g_variant_builder_add_value(&builder, evacuee->entry);
        }

        vsm_evacuation_set_plan(run->job, g_variant_builder_end(&builder));
        g_variant_unref(run->record->plan);
        run->record->plan = g_variant_ref(run->job->evacuation->plan);
        vsm_evacuation_run_keep(run);
}

/* Takes planned. */
void vsm_evacuation_run_take_plan(VsmEvacuationRun *run, VsmPlacing *planned) {
        g_autoptr(GVariant) shown = g_variant_ref_sink(vsm_placing_to_variant(planned));

        run->planned_at = vsm_now_monotonic();
        for (guint i = 0; i < planned->hosts->len; i++)
                keep_host(run, planned->hosts->pdata[i]);

        for (size_t i = 0; i < planned->plan->n; i++) {
                g_autoptr(GVariant) entry = g_variant_get_child_value(shown, i);

                take_entry(run, planned, &planned->plan->entries[i], entry);
        }

        show_plan(run);
        vsm_placing_free(planned);
}

static void plan_done(VsmManager *manager, VsmPlacing *planned, const GError *error, void *userdata) {
        VsmEvacuationRun *run = userdata;

        run->planning = NULL;
        if (planned) {
                run->failed_plans = 0;
                run->settled = run->settling;
                vsm_evacuation_run_take_plan(run, planned);
        } else {
                /* libvirt here does not answer */
                vsm_log(LOG_WARNING, "Job %" PRIu64 ": no plan can be made: %s", run->job->number, error->message);
                run->failed_plans++;
                run->planned_at = vsm_now_monotonic();
        }

        vsm_evacuation_run_wake(run);
}

static bool is_old(const VsmEvacuationRun *run) {
        uint64_t age = run->deadline > 0 ? PLAN_AGE_HURRY_USEC : PLAN_AGE_USEC;

        /* one that could not be made is tried again a little later */
        if (run->failed_plans > 0)
                age = PLAN_AGAIN_USEC;

        return vsm_now_monotonic() - run->planned_at >= age;
}

void vsm_evacuation_run_plan(VsmEvacuationRun *run) {
        unsigned waiting = vsm_evacuation_run_count(run, VSM_EVACUEE_WAITING);

        if (run->planning || !run->job->manager->libvirt_up)
                return;
        if (waiting == 0) {
                run->plan_wanted = false;
                return;
        }
        if (!is_old(run) && (!run->plan_wanted || run->failed_plans > 0) && run->planned_at > 0)
                return;

        run->plan_wanted = false;
        run->settling = vsm_evacuation_run_count(run, VSM_EVACUEE_MOVING) == 0;
        run->planning = vsm_planning_start(run->job->manager, to_be_planned(run), PLANNING_USEC, plan_done, run);
}

/* ---- moving ---- */

static bool waits_to_move(const VsmEvacuee *evacuee) {
        return evacuee->state == VSM_EVACUEE_WAITING && evacuee->planned && vsm_method_moves(evacuee->method);
}

VsmEvacuee* vsm_evacuation_run_next(VsmEvacuationRun *run, const char *host) {
        VsmEvacuee *next = NULL;

        for (guint i = 0; i < run->evacuees->len; i++) {
                VsmEvacuee *evacuee = run->evacuees->pdata[i];

                if (waits_to_move(evacuee) && (!host || g_str_equal(evacuee->host, host)) &&
                    (!next || evacuee->order < next->order))
                        next = evacuee;
        }

        return next;
}

static VsmPaceMove move_of(VsmEvacuationRun *run, const VsmEvacuee *evacuee) {
        const VsmJob *job = evacuee->job;
        const VsmTransferStats *stats = &job->stats;
        bool memory = (job->phase == VSM_PHASE_MEMORY || job->phase == VSM_PHASE_POST_COPY) && stats->memory_total > 0;
        VsmPaceMove move = {
                .job = evacuee->id, .lane = lane_of(run, evacuee->host), .transferring = memory,
                .held = job->move && job->move->held, .processed = stats->memory_processed,
                .memory = evacuee->memory,
                .last_pass = job->phase > VSM_PHASE_MEMORY && job->phase != VSM_PHASE_POST_COPY,
        };

        /* Of one that writes nothing the first pass is the last, and nothing is sent twice when the next one begins
         * before its end. One that writes keeps the link to itself until it switches over: let the next one in
         * earlier, and what it has left goes at half the speed while it writes on. */
        if (memory && !move.held && stats->bandwidth > 0 && evacuee->quiet)
                move.last_pass = (double) stats->memory_remaining * G_USEC_PER_SEC / (double) stats->bandwidth <
                        (double) RELEASE_USEC;
        return move;
}

static void hold(VsmEvacuationRun *run, uint64_t id, bool held) {
        VsmEvacuee *evacuee = id >= 1 && id <= run->evacuees->len ? run->evacuees->pdata[id - 1] : NULL;

        if (!evacuee || !evacuee->job || !evacuee->job->move)
                return;

        evacuee->job->move->held = held;
        vsm_bandwidth_rebalance(run->job->manager);
}

/* False: there is nothing more to be done at this moment. */
static bool pace_once(VsmEvacuationRun *run) {
        g_autoptr(GArray) moves = g_array_new(FALSE, FALSE, sizeof(VsmPaceMove));
        VsmEvacuee *next = vsm_evacuation_run_next(run, NULL);
        g_autofree unsigned *waiting = NULL;
        unsigned next_lane = next ? lane_of(run, next->host) : 0;
        VsmPaceStep pace;

        waiting = g_new0(unsigned, run->lanes->len + run->evacuees->len + 1);
        for (guint i = 0; i < run->evacuees->len; i++) {
                const VsmEvacuee *evacuee = run->evacuees->pdata[i];

                if (evacuee->state == VSM_EVACUEE_MOVING && evacuee->job) {
                        VsmPaceMove move = move_of(run, evacuee);

                        g_array_append_val(moves, move);
                } else if (waits_to_move(evacuee))
                        waiting[lane_of(run, evacuee->host)]++;
        }

        vsm_pace_set_limit(run->pace, run->job->manager->settings.max_migrations);
        pace = vsm_pace_next(run->pace, (const VsmPaceMove*) (void*) moves->data, moves->len, waiting,
                             run->lanes->len, next_lane, vsm_now_monotonic());
        switch (pace.what) {
        case VSM_PACE_START:
                next = vsm_evacuation_run_next(run, run->lanes->pdata[pace.lane]);
                if (next && vsm_evacuee_start_move(run, next, pace.held)) {
                        VsmPlacingHost *host = g_hash_table_lookup(run->hosts, next->host);

                        if (host)
                                host->given += next->memory;
                        run->settled = false;
                }
                return next;
        case VSM_PACE_RELEASE:
        case VSM_PACE_HOLD:
                hold(run, pace.job, pace.what == VSM_PACE_HOLD);
                return true;
        default:
                return false;
        }
}

void vsm_evacuation_run_pace(VsmEvacuationRun *run) {
        /* each step changes something; no more of them than there can be */
        for (guint i = 0; i < 4 * (run->evacuees->len + 1); i++)
                if (!pace_once(run))
                        break;

        if (vsm_pace_wake(run->pace) > 0)
                vsm_evacuation_run_wake_at(run, vsm_pace_wake(run->pace));
        if (vsm_pace_rate(run->pace) > 0)
                run->job->manager->evacuations->rate = vsm_pace_rate(run->pace);
        run->job->manager->evacuations->in_vain = vsm_pace_in_vain(run->pace);
}

/* ---- what does not move ---- */

static uint64_t time_to_save(const VsmEvacuee *evacuee) {
        return (uint64_t) ((double) evacuee->resident * G_USEC_PER_SEC / VSM_PLACING_DISK_RATE) + STILL_MARGIN_USEC;
}

static bool has_still(const VsmEvacuee *evacuee) {
        for (size_t i = evacuee->leaver->level; i < evacuee->chain.n; i++)
                if (evacuee->chain.methods[i] == VSM_METHOD_SAVE || evacuee->chain.methods[i] == VSM_METHOD_SHUTDOWN)
                        return true;

        return false;
}

/* A move that does not end in time costs the guest what would have saved it. */
void vsm_evacuation_run_hurry(VsmEvacuationRun *run) {
        uint64_t left = vsm_evacuation_run_time_left(run), needed = 0;

        if (run->deadline == 0)
                return;

        for (guint i = 0; i < run->evacuees->len; i++) {
                VsmEvacuee *evacuee = run->evacuees->pdata[i];

                if (evacuee->state != VSM_EVACUEE_MOVING || !has_still(evacuee))
                        continue;

                /* they share a disk */
                needed += time_to_save(evacuee);
                if (left <= needed && evacuee->job && evacuee->job->phase <= VSM_PHASE_MEMORY &&
                    (evacuee->job->time_remaining == 0 || evacuee->job->time_remaining + LAST_PASS_USEC > left))
                        vsm_evacuee_hurry(run, evacuee);
        }
}

/* They wait for what moves, as room may be found for them after all; unless the plan has no more time for that. */
void vsm_evacuation_run_still(VsmEvacuationRun *run) {
        uint64_t now = vsm_now_monotonic();

        for (guint i = 0; i < run->evacuees->len && vsm_evacuation_run_count(run, VSM_EVACUEE_STILLING) < STILLS_MAX; i++) {
                VsmEvacuee *evacuee = run->evacuees->pdata[i];

                if (evacuee->state != VSM_EVACUEE_WAITING || !evacuee->planned ||
                    (evacuee->method != VSM_METHOD_SAVE && evacuee->method != VSM_METHOD_SHUTDOWN))
                        continue;
                if (run->settled || (run->deadline > 0 && now >= evacuee->due))
                        vsm_evacuee_start_still(run, evacuee);
        }
}
