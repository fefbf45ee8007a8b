/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* PlanEvacuation and Evacuate. A plan that was shown is kept for a while, so that it is the one that runs. Bus thread
 * only. */

#include <string.h>

#include "daemon/actions.h"
#include "daemon/answer.h"
#include "daemon/bus-variant.h"
#include "daemon/draining.h"
#include "daemon/evacuation-internal.h"
#include "daemon/host.h"
#include "daemon/job-methods.h"
#include "daemon/log.h"
#include "daemon/logind.h"
#include "daemon/move.h"
#include "daemon/service-state.h"
#include "shared/names.h"

/* The contract gives 20 s from the authorization on. */
#define PLANNING_USEC   (UINT64_C(17) * G_USEC_PER_SEC)
#define PLANNINGS_MAX   4       /* at a time: each asks all guests and all hosts */

#define PLANS_MAX       16
#define PLAN_USEC       (UINT64_C(10) * 60 * G_USEC_PER_SEC)

static bool refuse(GError **error, VsmError code, const char *format, ...) G_GNUC_PRINTF(3, 4);
static bool refuse(GError **error, VsmError code, const char *format, ...) {
        g_autofree char *message = NULL;
        va_list ap;

        va_start(ap, format);
        message = g_strdup_vprintf(format, ap);
        va_end(ap);
        g_set_error_literal(error, VSM_ERROR, code, message);
        return false;
}

/* ---- what both ask for ---- */

/* A Host may be meant by one of its addresses: from here on it is its Name. */
static bool find_destinations(VsmManager *manager, VsmEvacuationOptions *options, GError **error) {
        for (char **name = options->destinations; name && *name; name++) {
                const VsmHost *host = vsm_host_match(manager, *name);

                if (!host)
                        return refuse(error, VSM_ERROR_INVALID_PARAMETER, "Options: Destinations has \"%s\", which is "
                                      "no Host that is known here; see AddHost.", *name);

                g_free(*name);
                *name = g_strdup(vsm_host_data(host)->name);
        }

        return true;
}

static bool find_systems(VsmManager *manager, const VsmEvacuationOptions *options, GError **error) {
        for (char **path = options->systems; path && *path; path++) {
                const VsmSystem *system = vsm_system_find_path(manager, *path);

                if (!system)
                        return refuse(error, VSM_ERROR_INVALID_PARAMETER, "Options: Systems has %s, which is no system "
                                      "of this host.", *path);
                if (!vsm_system_is_active(system))
                        return refuse(error, VSM_ERROR_INVALID_STATE, "System '%s' does not run.",
                                      vsm_system_name(system));
        }

        return true;
}

/* What this host decides without waiting. */
static bool check(VsmManager *manager, VsmEvacuationOptions *options, GError **error) {
        if (!manager->libvirt_up)
                return refuse(error, VSM_ERROR_SYSTEM_NOT_AVAILABLE,
                              "libvirt on this host does not answer; see 'systemctl status libvirtd'.");

        return find_destinations(manager, options, error) && find_systems(manager, options, error);
}

static VsmEvacuationOptions* read_options(sd_bus_message *call, GError **error) {
        g_autoptr(GVariant) dict = NULL;
        size_t budget = VSM_LIMIT_MESSAGE;

        dict = vsm_bus_read_variant(call, &budget, error);
        return dict ? vsm_evacuation_options_new(dict, error) : NULL;
}

/* The Names of those that are known, by which rules know them, and the others as they were given. g_free() it. */
static char* format_destinations(VsmManager *manager, char **destinations, bool *ret_known) {
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
        g_auto(GStrv) names = NULL;

        *ret_known = true;
        for (char **name = destinations; name && *name; name++) {
                const VsmHost *host = vsm_host_match(manager, *name);

                *ret_known &= host != NULL;
                g_strv_builder_add(builder, host ? vsm_host_data(host)->name : *name);
        }

        names = g_strv_builder_end(builder);
        return g_strjoinv(",", names);
}

static char** destinations_of_plan(VsmManager *manager, const char *id, uid_t caller);

/* As vsm_polkit_check(). */
static int authorize(VsmManager *manager, sd_bus_message *call, const VsmEvacuationOptions *options, uid_t caller,
                     sd_bus_error *error) {
        const VsmMember *member = vsm_member_find(VSM_INTERFACE_MANAGER, sd_bus_message_get_member(call));
        bool known;
        g_autofree char *hosts = format_destinations(manager, options->plan_id ?
                destinations_of_plan(manager, options->plan_id, caller) : options->destinations, &known);
        char *details[] = {
                (char*) "destination", hosts, (char*) "destination.known", (char*) (known ? "true" : "false"), NULL
        };

        if (!member)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_ACCESS_DENIED),
                                        "No action covers this method.");

        return vsm_polkit_check(manager->polkit, call, member->action, details, error);
}

char** vsm_evacuation_uuids(VsmManager *manager, char **systems) {
        g_autoptr(GStrvBuilder) uuids = g_strv_builder_new();
        GHashTableIter iter;
        VsmSystem *system;

        g_hash_table_iter_init(&iter, manager->systems);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &system))
                if (vsm_system_is_active(system) && !vsm_system_is_incoming(system) &&
                    (!systems || g_strv_contains((const char *const *) systems, vsm_system_path(system))))
                        g_strv_builder_add(uuids, vsm_system_uuid(system));

        return g_strv_builder_end(uuids);
}

/* ---- plans that were shown ---- */

typedef struct ShownPlan {
        char *id;
        uid_t owner;
        uint64_t when;                  /* µs, monotonic */
        VsmEvacuationOptions *options;
        VsmPlacing *planned;
} ShownPlan;

void vsm_evacuation_shown_free(void *userdata) {
        ShownPlan *plan = userdata;

        g_free(plan->id);
        vsm_evacuation_options_free(plan->options);
        vsm_placing_free(plan->planned);
        g_free(plan);
}

/* Takes options and planned. */
static const char* keep_plan(VsmManager *manager, uid_t owner, VsmEvacuationOptions *options, VsmPlacing *planned) {
        GPtrArray *plans = manager->evacuations->plans;
        ShownPlan *plan = g_new0(ShownPlan, 1);

        plan->id = g_uuid_string_random();
        plan->owner = owner;
        plan->when = vsm_now_monotonic();
        plan->options = options;
        plan->planned = planned;

        if (plans->len >= PLANS_MAX)
                (void) g_ptr_array_remove_index(plans, 0);
        g_ptr_array_add(plans, plan);
        return plan->id;
}

static bool same_guests(VsmManager *manager, const ShownPlan *plan) {
        g_auto(GStrv) now = vsm_evacuation_uuids(manager, plan->options->systems);

        if (g_strv_length(now) != plan->planned->plan->n)
                return false;

        for (guint i = 0; i < plan->planned->guests->len; i++) {
                const VsmGuestFacts *guest = plan->planned->guests->pdata[i];

                if (!g_strv_contains((const char *const *) now, guest->uuid))
                        return false;
        }

        return true;
}

static bool same_hosts(VsmManager *manager, const ShownPlan *plan) {
        const VsmPlacing *planned = plan->planned;

        for (size_t i = 0; i < planned->plan->n; i++) {
                const VsmPlanEntry *entry = &planned->plan->entries[i];
                const VsmPlacingHost *host;
                const VsmHost *known;

                if (entry->host == VSM_PLAN_NO_HOST)
                        continue;

                host = planned->hosts->pdata[entry->host];
                known = vsm_host_match(manager, host->name);
                if (!known || !g_str_equal(vsm_host_data(known)->name, host->name) ||
                    (!plan->options->destinations && !vsm_host_data(known)->enabled))
                        return false;
        }

        return true;
}

/* NULL: there is none of his. */
static ShownPlan* look_up_plan(VsmManager *manager, const char *id, uid_t caller) {
        GPtrArray *plans = manager->evacuations->plans;

        for (guint i = 0; i < plans->len; i++) {
                ShownPlan *plan = plans->pdata[i];

                if (g_str_equal(plan->id, id) && (caller == 0 || caller == plan->owner))
                        return plan;
        }

        return NULL;
}

static char** destinations_of_plan(VsmManager *manager, const char *id, uid_t caller) {
        const ShownPlan *plan = look_up_plan(manager, id, caller);

        return plan ? plan->options->destinations : NULL;
}

static ShownPlan* find_plan(VsmManager *manager, const char *id, uid_t caller, GError **error) {
        ShownPlan *plan = look_up_plan(manager, id, caller);

        if (!plan)
                (void) refuse(error, VSM_ERROR_INVALID_STATE, "There is no plan of that PlanID (any more).");
        else if (vsm_now_monotonic() - plan->when > PLAN_USEC || !same_guests(manager, plan) ||
                 !same_hosts(manager, plan)) {
                (void) refuse(error, VSM_ERROR_INVALID_STATE, "The plan does not hold any more: systems or hosts are "
                              "not those that it was made for, or it is older than ten minutes.");
                return NULL;
        }

        return plan;
}

/* ---- PlanEvacuation ---- */

typedef struct Question {
        VsmAnswer *answer;
        uid_t caller;
        VsmEvacuationOptions *options;
} Question;

static void planned(VsmManager *manager, VsmPlacing *planned, const GError *error, void *userdata) {
        Question *question = userdata;

        if (planned) {
                GVariant *shown = vsm_placing_to_variant(planned);
                const char *id = keep_plan(manager, question->caller, g_steal_pointer(&question->options), planned);

                vsm_answer_values(question->answer, g_variant_new_string(id), shown, NULL);
        } else
                vsm_answer_error(question->answer, error);

        vsm_answer_free(question->answer);
        vsm_evacuation_options_free(question->options);
        g_free(question);
}

int vsm_method_plan_evacuation(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmManager *manager = userdata;
        g_autoptr(VsmEvacuationOptions) options = NULL;
        g_autoptr(GError) e = NULL;
        VsmPlacing *plan;
        Question *question;
        uid_t caller;
        int r;

        options = read_options(call, &e);
        if (options && options->plan_id)
                (void) refuse(&e, VSM_ERROR_INVALID_PARAMETER, "Options: PlanID is for Evacuate.");
        if (e)
                return vsm_bus_fail(error, e);

        if (vsm_bus_caller(call, &caller) < 0)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_ACCESS_DENIED),
                                        "The caller has left the bus.");
        r = authorize(manager, call, options, caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (check(manager, options, &e) && vsm_planning_count(manager) >= PLANNINGS_MAX)
                (void) refuse(&e, VSM_ERROR_LIMITS_EXCEEDED, "%i plans are being made already.", PLANNINGS_MAX);
        if (e)
                return vsm_bus_fail(error, e);

        plan = vsm_placing_new(vsm_evacuation_uuids(manager, options->systems));
        plan->fallback = options->fallback;
        plan->deadline = options->deadline;
        plan->link_rate = manager->evacuations->rate;
        plan->max_rate = manager->settings.max_bandwidth;
        vsm_placing_add_hosts(plan, manager, options->destinations);

        question = g_new0(Question, 1);
        question->caller = caller;
        question->options = g_steal_pointer(&options);
        question->answer = vsm_answer_new(manager, call, "The plan was not ready within 20 s; libvirt here answers "
                                          "too slowly.");
        (void) vsm_planning_start(manager, plan, PLANNING_USEC, planned, question);
        return 1;
}

/* ---- Evacuate ---- */

typedef struct Start {
        sd_bus_message *call;           /* NULL: the service itself */
        uid_t caller;
        VsmEvacuationOptions *options;
        VsmPlacing *planned;            /* NULL: a plan is made first */
        bool was_draining, goes_on;
} Start;

static void start_free(Start *start) {
        sd_bus_message_unref(start->call);
        vsm_evacuation_options_free(start->options);
        vsm_placing_free(start->planned);
        g_free(start);
}

static void undrained(VsmManager *manager, const GError *error, void *userdata) {
        if (error)
                vsm_log(LOG_ERR, "The host goes on draining, though nothing leaves it: %s", error->message);
}

/* Nothing was started, so nothing is changed. */
static void refused(VsmJob *job, const GError *error) {
        if (!job->evacuation->was_draining)
                vsm_draining_set(job->manager, false, false, undrained, NULL);
}

static void begin(VsmJob *job) {
        VsmLogContext context = { .job = job->number, .caller = job->owner, .caller_uid = job->owner_uid };

        vsm_log_full(LOG_NOTICE, &context, "Job %" PRIu64 ": this host is to be emptied, asked for by %s.", job->number,
                     job->owner);

        /* those that left in an earlier draining are at home where they are; not those that a bring-back was to fetch
         * and did not, as the host went down again, or had no room */
        if (!job->evacuation->goes_on)
                vsm_evacuation_away_forget(job->manager, NULL);
        vsm_evacuation_run_begin(job);
}

static void drained(VsmManager *manager, const GError *error, void *userdata) {
        Start *start = userdata;
        VsmJob *job;

        vsm_evacuation_starting(manager, false);
        if (error) {
                if (start->call)
                        vsm_bus_reply_error(start->call, error);
                else
                        vsm_log(LOG_ERR, "The evacuation cannot begin: %s", error->message);
                start_free(start);
                return;
        }

        job = vsm_evacuation_job_new(manager, VSM_JOB_TYPE_EVACUATION,
                                     vsm_evacuation_options_to_variant(start->options));
        job->begin = begin;
        job->refused = refused;
        job->cancel = vsm_evacuation_run_cancel;
        job->evacuation->was_draining = start->was_draining;
        job->evacuation->goes_on = start->goes_on;
        job->evacuation->run = vsm_evacuation_run_new(job, g_steal_pointer(&start->options),
                                                      g_steal_pointer(&start->planned), NULL);
        vsm_job_accept(job, start->call, NULL, NULL, start->caller);
        start_free(start);
}

static bool may_start(VsmManager *manager, GError **error) {
        if (vsm_service_state_enabled(manager) == VSM_ENABLED_STATE_DISABLED)
                return refuse(error, VSM_ERROR_INVALID_STATE, "The migration service is disabled on this host.");
        if (!manager->settings.enable_migration)
                return refuse(error, VSM_ERROR_INVALID_STATE,
                              "The setting EnableVirtualSystemMigration of this host is off.");

        return vsm_evacuation_check_idle(manager, error);
}

/* What was asked about then, with the time and the draining of now. */
static bool take_plan(VsmManager *manager, VsmEvacuationOptions **options, uid_t caller, VsmPlacing **ret,
                      GError **error) {
        VsmEvacuationOptions *asked = *options;
        ShownPlan *plan;

        if (!asked->plan_id)
                return true;

        plan = find_plan(manager, asked->plan_id, caller, error);
        if (!plan)
                return false;

        *options = g_steal_pointer(&plan->options);
        (*options)->keep_draining = asked->keep_draining;
        if (asked->deadline > 0)
                (*options)->deadline = asked->deadline;
        *ret = g_steal_pointer(&plan->planned);
        (void) g_ptr_array_remove(manager->evacuations->plans, plan);
        vsm_evacuation_options_free(asked);
        return true;
}

/* call NULL: the service itself. Takes options, also when it fails. */
static bool start(VsmManager *manager, sd_bus_message *call, uid_t caller, VsmEvacuationOptions *options,
                  GError **error) {
        VsmPlacing *planned = NULL;
        Start *start;

        if (!check(manager, options, error) || !may_start(manager, error) ||
            !take_plan(manager, &options, caller, &planned, error)) {
                vsm_evacuation_options_free(options);
                return false;
        }

        start = g_new0(Start, 1);
        start->call = call ? sd_bus_message_ref(call) : NULL;
        start->caller = caller;
        start->options = options;
        start->planned = planned;
        start->was_draining = vsm_draining(manager);
        start->goes_on = start->was_draining && !vsm_logind_take_drain(manager);
        vsm_evacuation_starting(manager, true);
        vsm_draining_set(manager, true, options->keep_draining, drained, start);
        return true;
}

int vsm_method_evacuate(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmManager *manager = userdata;
        g_autoptr(VsmEvacuationOptions) options = NULL;
        g_autoptr(GError) e = NULL;
        uid_t caller;
        int r;

        options = read_options(call, &e);
        if (!options)
                return vsm_bus_fail(error, e);

        if (vsm_bus_caller(call, &caller) < 0)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_ACCESS_DENIED),
                                        "The caller has left the bus.");
        r = authorize(manager, call, options, caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = vsm_job_check_limits(manager, caller, error);
        if (r < 0)
                return r;
        if (!start(manager, call, caller, g_steal_pointer(&options), &e))
                return vsm_bus_fail(error, e);

        return 1;
}

bool vsm_evacuation_start(VsmManager *manager, VsmEvacuationOptions *options, GError **error) {
        return start(manager, NULL, 0, options, error);
}
