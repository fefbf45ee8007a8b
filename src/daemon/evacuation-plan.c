/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A plan in the making: the guests are asked, then all hosts at once, then a plan is made, and its pairs are checked
 * in full; what a check finds stands against that pair, and the plan is made once more. Each part has its share of
 * the time, and what has not answered by then is planned without. Bus thread, but for the run functions. */

#include "daemon/evacuation-internal.h"
#include "daemon/five.h"
#include "daemon/log.h"
#include "daemon/policy-rules.h"
#include "daemon/reason.h"

#define GUESTS_PERCENT  30              /* of the time, until the guests have answered */
#define HOSTS_PERCENT   70              /* the hosts */
#define HOST_USEC       (UINT64_C(5) * G_USEC_PER_SEC)
#define CHECKS_MAX      6               /* at a time: callers' own checks need threads, too */
#define CHECK_MIN_USEC  (UINT64_C(500) * 1000)
#define ROUNDS_MAX      3
#define HISTORY_LIMIT   20
#define HISTORY_BYTES   (UINT64_C(64) * 1024 * 1024)    /* what says something about a link */

struct VsmPlanning {
        VsmManager *manager;
        uint64_t number;
        VsmPlacing *planned;            /* NULL while a worker has it */
        VsmCancel *cancel;
        uint64_t began, time;           /* µs; began is monotonic */
        unsigned out;                   /* tasks on their way */
        unsigned rounds;
        bool found;                     /* something new stands against a pair */
        size_t next;                    /* entry of the plan that is to be looked at for a check */
        VsmPlanningDone done;
        void *userdata;
};

/* NULL when nobody wants it any more. */
static VsmPlanning* find(VsmManager *manager, uint64_t number) {
        return g_hash_table_lookup(manager->evacuations->plannings, &number);
}

unsigned vsm_planning_count(VsmManager *manager) {
        return g_hash_table_size(manager->evacuations->plannings);
}

void vsm_planning_free(VsmPlanning *planning) {
        if (!planning)
                return;

        (void) g_hash_table_remove(planning->manager->evacuations->plannings, &planning->number);
        vsm_cancel_fire(planning->cancel);
        vsm_cancel_unref(planning->cancel);
        vsm_placing_free(planning->planned);
        g_free(planning);
}

/* What is left until so much of the time has passed; 0 = nothing. */
static uint64_t left_until(const VsmPlanning *planning, unsigned percent) {
        uint64_t end = planning->began + planning->time * percent / 100, now = vsm_now_monotonic();

        return end > now ? end - now : 0;
}

static void finish(VsmPlanning *planning, const GError *error) {
        VsmPlacing *planned = error ? NULL : g_steal_pointer(&planning->planned);
        VsmPlanningDone done = planning->done;
        void *userdata = planning->userdata;
        VsmManager *manager = planning->manager;

        vsm_planning_free(planning);
        done(manager, planned, error, userdata);
}

typedef struct PlanTask {
        VsmTask task;
        uint64_t planning;
        VsmVirt *virt;
        VsmStore *store;
        VsmCancel *cancel;
        uint64_t end;                   /* µs, monotonic */

        char **uuids;
        GPtrArray *guests;
        uint64_t rate;

        guint index;                    /* of a host */
        VsmDestination *destination;
        VsmCompat *needs;
        VsmHostFacts *facts;

        VsmPlacing *planned;

        VsmMoveOptions *options;
        char *host;
        GVariant *reasons;
} PlanTask;

static void plan_task_free(VsmTask *task) {
        PlanTask *t = (PlanTask*) task;

        vsm_cancel_unref(t->cancel);
        g_strfreev(t->uuids);
        g_clear_pointer(&t->guests, g_ptr_array_unref);
        vsm_destination_free(t->destination);
        vsm_compat_free(t->needs);
        g_clear_pointer(&t->facts, vsm_host_facts_free);
        vsm_placing_free(t->planned);
        g_clear_pointer(&t->options, vsm_move_options_free);
        g_free(t->host);
        g_clear_pointer(&t->reasons, g_variant_unref);
        g_free(t);
}

static PlanTask* task_new(VsmPlanning *planning, void (*run)(VsmTask*), void (*done)(VsmTask*, void*), unsigned percent) {
        PlanTask *t = vsm_task_new(PlanTask, run, done, plan_task_free);

        t->planning = planning->number;
        t->virt = planning->manager->virt;
        t->store = planning->manager->store;
        t->cancel = vsm_cancel_ref(planning->cancel);
        t->end = vsm_now_monotonic() + left_until(planning, percent);
        planning->out++;
        return t;
}

static void push(VsmPlanning *planning, PlanTask *t) {
        vsm_worker_push(planning->manager->worker, VSM_LANE_CHECK, &t->task);
}

/* The planning of a task that is back. NULL: nobody wants it any more. */
static VsmPlanning* back(VsmManager *manager, const PlanTask *t) {
        VsmPlanning *planning = find(manager, t->planning);

        if (planning)
                planning->out--;
        return planning;
}

static uint64_t time_left(const PlanTask *t) {
        uint64_t now = vsm_now_monotonic();

        return t->end > now ? t->end - now : 0;
}

/* ---- checking the pairs of the plan in full ---- */

static void place(VsmPlanning *planning);
static void check_more(VsmPlanning *planning);

/* Check lane. */
static void check_run(VsmTask *task) {
        PlanTask *t = (PlanTask*) task;
        uint64_t left = time_left(t);

        if (left >= CHECK_MIN_USEC)
                t->reasons = vsm_check_run(t->virt, t->options, left, t->cancel, &task->error);
}

static void check_done(VsmTask *task, void *userdata) {
        PlanTask *t = (PlanTask*) task;
        VsmPlanning *planning = back(userdata, t);

        if (!planning)
                return;

        if (t->reasons && vsm_reasons_variant_has_error(t->reasons)) {
                vsm_placing_add_against(planning->planned, t->options->uuid, t->host, t->reasons);
                planning->found = true;
        }

        check_more(planning);
}

VsmRequest* vsm_evacuation_request(VsmManager *manager, const char *host, GVariant *policy, VsmMethod method,
                                   unsigned order, GError **error) {
        g_autoptr(GVariant) none = g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0));
        g_autoptr(GVariant) list = g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0));
        g_autoptr(GVariant) migration = NULL, filled = NULL;
        GVariantDict dict;
        VsmRequest *request;

        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "MigrationType", "q", method == VSM_METHOD_RESUME ? VSM_MIGRATION_TYPE_RESUME :
                              VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM);
        if (method == VSM_METHOD_POST_COPY)
                g_variant_dict_insert(&dict, "PostCopy", "s", "now");
        g_variant_dict_insert(&dict, "Priority", "q", (uint16_t) MIN(order, UINT16_MAX));
        migration = g_variant_ref_sink(g_variant_dict_end(&dict));

        filled = vsm_policy_fill_in(policy, migration, true);
        request = vsm_request_new(host, filled, none, list, error);
        if (request && !vsm_five_resolve(manager, request, error))
                g_clear_pointer(&request, vsm_request_free);
        return request;
}

static void push_check(VsmPlanning *planning, const VsmPlanEntry *entry) {
        const VsmGuestFacts *guest = planning->planned->guests->pdata[entry->guest];
        const VsmPlacingHost *host = planning->planned->hosts->pdata[entry->host];
        g_autofree char *key = g_strconcat(guest->uuid, " ", host->name, NULL);
        g_autoptr(VsmRequest) request = NULL;
        PlanTask *t;

        if (!g_hash_table_add(planning->planned->checked, g_strdup(key)))
                return;

        /* a way that this version, or that host, does not know is seen when its turn comes */
        request = vsm_evacuation_request(planning->manager, host->name, guest->policy, entry->method, entry->order,
                                         NULL);
        if (!request)
                return;

        t = task_new(planning, check_run, check_done, 100);
        t->host = g_strdup(host->name);
        t->options = vsm_move_options_of(planning->manager, guest->uuid, request);
        push(planning, t);
}

static void check_more(VsmPlanning *planning) {
        const VsmPlan *plan = planning->planned->plan;

        while (planning->next < plan->n && planning->out < CHECKS_MAX && left_until(planning, 100) >= CHECK_MIN_USEC) {
                const VsmPlanEntry *entry = &plan->entries[planning->next++];

                if (entry->host != VSM_PLAN_NO_HOST)
                        push_check(planning, entry);
        }

        if (planning->out > 0)
                return;

        if (planning->found && planning->rounds < ROUNDS_MAX)
                place(planning);
        else
                finish(planning, NULL);
}

/* ---- the plan ---- */

/* Check lane. */
static void place_run(VsmTask *task) {
        vsm_placing_place(((PlanTask*) task)->planned);
}

static void place_done(VsmTask *task, void *userdata) {
        PlanTask *t = (PlanTask*) task;
        VsmPlanning *planning = back(userdata, t);

        if (!planning)
                return;

        planning->planned = g_steal_pointer(&t->planned);
        planning->next = 0;
        planning->found = false;
        check_more(planning);
}

static void place(VsmPlanning *planning) {
        PlanTask *t = task_new(planning, place_run, place_done, 100);

        planning->rounds++;
        t->planned = g_steal_pointer(&planning->planned);
        push(planning, t);
}

/* ---- hosts ---- */

/* Check lane. */
static void host_run(VsmTask *task) {
        PlanTask *t = (PlanTask*) task;
        uint64_t left = MIN(time_left(t), HOST_USEC);

        if (left == 0)
                g_set_error(&task->error, VSM_ERROR, VSM_ERROR_TIMEOUT, "There was no time left to ask it.");
        else
                t->facts = vsm_peer_facts(t->destination, t->needs, left, t->cancel, &task->error);
}

static GVariant* unreachable(const char *name, const GError *error) {
        g_autoptr(VsmReasons) reasons = vsm_reasons_new();

        vsm_reasons_add(reasons, "destination-unreachable", name, error ? error->message : NULL, name, NULL);
        return vsm_reasons_to_variant(reasons);
}

static void host_done(VsmTask *task, void *userdata) {
        PlanTask *t = (PlanTask*) task;
        VsmPlanning *planning = back(userdata, t);
        VsmPlacingHost *host;

        if (!planning)
                return;

        host = planning->planned->hosts->pdata[t->index];
        host->facts = g_steal_pointer(&t->facts);
        if (!host->facts)
                host->reasons = unreachable(host->name, task->error);

        if (planning->out == 0)
                place(planning);
}

/* The platforms of all guests. */
static VsmCompat* needs_of(GPtrArray *guests) {
        VsmCompat *needs = vsm_compat_new(VSM_COMPAT_HOST);

        for (guint i = 0; i < guests->len; i++) {
                const VsmGuestFacts *guest = guests->pdata[i];

                if (guest->compat && needs->hypervisor[0] == '\0') {
                        g_free(needs->hypervisor);
                        needs->hypervisor = g_strdup(guest->compat->hypervisor);
                }

                for (guint p = 0; guest->compat && p < guest->compat->platforms->len; p++) {
                        const VsmCompatPlatform *platform = guest->compat->platforms->pdata[p];

                        (void) vsm_compat_add(needs, platform->arch, platform->virt_type);
                }
        }

        /* when no guest can tell, hosts tell all they offer */
        if (needs->platforms->len == 0)
                g_clear_pointer(&needs, vsm_compat_free);

        return needs;
}

static void ask_hosts(VsmPlanning *planning) {
        VsmPlacing *planned = planning->planned;

        for (guint i = 0; i < planned->hosts->len; i++) {
                const VsmPlacingHost *host = planned->hosts->pdata[i];
                PlanTask *t;

                /* one that is out already */
                if (host->reasons)
                        continue;

                t = task_new(planning, host_run, host_done, HOSTS_PERCENT);
                t->index = i;
                t->destination = vsm_destination_to(planning->manager, host->name);
                t->needs = needs_of(planned->guests);
                push(planning, t);
        }

        if (planning->out == 0)
                place(planning);
}

/* ---- guests ---- */

/* What the link has shown to carry: the best of the last migrations that say something about it. */
static uint64_t rate_of_history(VsmStore *store) {
        const VsmHistoryFilter filter = { .limit = HISTORY_LIMIT };
        g_autoptr(GPtrArray) entries = vsm_store_history(store, &filter, NULL);
        uint64_t best = 0;

        for (guint i = 0; entries && i < entries->len; i++) {
                const VsmStoredJob *job = entries->pdata[i];

                if (job->bytes >= HISTORY_BYTES && job->started > 0 && job->ended > job->started)
                        best = MAX(best, (uint64_t) ((double) job->bytes * G_USEC_PER_SEC /
                                                     (double) (job->ended - job->started)));
        }

        return best;
}

/* Check lane. */
static void guests_run(VsmTask *task) {
        PlanTask *t = (PlanTask*) task;

        t->guests = vsm_virt_guest_facts(t->virt, (const char *const *) t->uuids, time_left(t), t->cancel,
                                         &task->error);
        t->rate = rate_of_history(t->store);
}

static void guests_done(VsmTask *task, void *userdata) {
        PlanTask *t = (PlanTask*) task;
        VsmPlanning *planning = back(userdata, t);

        if (!planning)
                return;
        if (!t->guests) {
                finish(planning, task->error);
                return;
        }

        g_ptr_array_unref(planning->planned->guests);
        planning->planned->guests = g_steal_pointer(&t->guests);
        planning->planned->link_rate = MAX(planning->planned->link_rate, t->rate);
        ask_hosts(planning);
}

VsmPlanning* vsm_planning_start(VsmManager *manager, VsmPlacing *planned, uint64_t time, VsmPlanningDone done,
                                void *userdata) {
        VsmPlanning *planning = g_new0(VsmPlanning, 1);
        PlanTask *t;

        planning->manager = manager;
        planning->number = ++manager->evacuations->planning;
        planning->planned = planned;
        planning->cancel = vsm_cancel_new();
        planning->began = vsm_now_monotonic();
        planning->time = time;
        planning->done = done;
        planning->userdata = userdata;
        (void) g_hash_table_insert(manager->evacuations->plannings, &planning->number, planning);

        t = task_new(planning, guests_run, guests_done, GUESTS_PERCENT);
        t->uuids = g_strdupv(planned->uuids);
        push(planning, t);
        return planning;
}
