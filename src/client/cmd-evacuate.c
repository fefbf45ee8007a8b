/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl evacuate and bring-back: all systems leave this host, by a plan that is shown first, and come home. */

#include <glib/gi18n.h>
#include <stdio.h>
#include <unistd.h>

#include "client/agent.h"
#include "client/at-boot.h"
#include "client/at-shutdown.h"
#include "client/evacuate-arg.h"
#include "client/evacuation.h"
#include "client/follow.h"
#include "client/message.h"
#include "client/objects.h"
#include "client/output.h"
#include "client/text.h"
#include "client/verbs.h"
#include "shared/enums.h"

static sd_bus_message* call_manager(VsmClient *client, const char *member, GVariant *options, GError **error) {
        vsm_agent_open(client);
        return vsm_client_call_value(client, VSM_OBJECT_PATH, VSM_INTERFACE_MANAGER, member, options, error);
}

/* ---- the plan ---- */

typedef struct Plan {
        char *id;
        JsonArray *entries;
} Plan;

static void plan_done(Plan *plan) {
        g_clear_pointer(&plan->id, g_free);
        g_clear_pointer(&plan->entries, json_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Plan, plan_done)

/* "--to a b" is as good as "--to a --to b". */
static void add_hosts(VsmEvacuateArguments *arguments, char **more) {
        g_autoptr(GStrvBuilder) hosts = g_strv_builder_new();

        if (!arguments->to)
                return;

        g_strv_builder_addv(hosts, (const char**) arguments->to);
        g_strv_builder_addv(hosts, (const char**) more);
        g_strfreev(arguments->to);
        arguments->to = g_strv_builder_end(hosts);
}

static bool find_systems(VsmClient *client, char **systems, char ***ret, GError **error) {
        g_autoptr(GStrvBuilder) paths = g_strv_builder_new();

        for (char **system = systems; system && *system; system++) {
                g_autofree char *path = vsm_client_find_system(client, *system, error);

                if (!path)
                        return false;
                g_strv_builder_add(paths, path);
        }

        *ret = systems ? g_strv_builder_end(paths) : NULL;
        return true;
}

static bool make_plan(VsmClient *client, const VsmEvacuateArguments *arguments, Plan *ret, GError **error) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(GVariant) options = NULL;
        g_auto(GStrv) paths = NULL;
        const char *id;
        int r;

        /* what is wrong with the command line, before anybody is asked */
        options = vsm_evacuate_build(arguments, NULL, error);
        if (!options || !find_systems(client, arguments->systems, &paths, error))
                return false;

        g_variant_unref(options);
        options = vsm_evacuate_build(arguments, (const char *const *) paths, error);
        if (!options)
                return false;

        reply = call_manager(client, "PlanEvacuation", options, error);
        if (!reply)
                return false;

        r = sd_bus_message_read(reply, "s", &id);
        if (r < 0)
                return vsm_error_set_errno(error, r, _("The service's answer cannot be read"));

        ret->id = g_strdup(id);
        ret->entries = vsm_message_read_array(reply, error);
        return ret->entries;
}

static void print_plan(const Plan *plan) {
        g_autofree char *text = vsm_evacuation_format_plan(plan->entries, vsm_output_width(STDOUT_FILENO));

        g_print("%s", text);
        (void) fflush(stdout);
}

static int show_plan(VsmClient *client, const VsmEvacuateArguments *arguments) {
        g_autofree char *command = vsm_client_command(client), *id = NULL;
        GError *error = NULL;
        g_auto(Plan) plan = {};

        if (!make_plan(client, arguments, &plan, &error))
                return vsm_client_fail(client, error);

        if (client->json) {
                g_autoptr(JsonObject) object = json_object_new();

                json_object_set_string_member(object, "PlanID", plan.id);
                json_object_set_array_member(object, "Plan", json_array_ref(plan.entries));
                vsm_output_json_object(object, /* pretty= */ true);
                return VSM_EXIT_SUCCESS;
        }

        id = vsm_text_shell(plan.id);
        print_plan(&plan);
        g_print(_("\n'%s evacuate --plan-id %s' does exactly this.\n"), command, id);
        return VSM_EXIT_SUCCESS;
}

/* ---- the run ---- */

static int tell_started(VsmClient *client, const char *job) {
        g_autofree char *command = vsm_client_command(client);

        if (client->json) {
                g_autoptr(JsonObject) object = json_object_new();

                json_object_set_string_member(object, "Job", job);
                vsm_output_json_object(object, /* pretty= */ true);
        } else
                g_print(_("This is job %s now. '%s job --follow %s' shows how it goes.\n"),
                        vsm_objects_number(job), command, vsm_objects_number(job));

        return VSM_EXIT_SUCCESS;
}

/* Evacuate and BringBack: one argument, and a job that is followed. */
static int run(VsmClient *client, const char *member, GVariant *options, bool wait) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(VsmFollow) follow = NULL;
        g_autofree char *job = NULL;
        GError *error = NULL;
        const char *path;
        int r;

        /* before the job is there, so that nothing of it is missed */
        if (wait) {
                follow = vsm_follow_new(client, &error);
                if (!follow)
                        return vsm_client_fail(client, error);
        }

        reply = call_manager(client, member, options, &error);
        if (!reply)
                return vsm_client_fail(client, error);

        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0) {
                vsm_error_set_errno(&error, r, _("The service's answer cannot be read"));
                return vsm_client_fail(client, error);
        }

        job = g_strdup(path);
        return wait ? vsm_follow_run(follow, job) : tell_started(client, job);
}

/* Plans, shows the plan, and runs that one: what is seen is what is done. */
static int evacuate(VsmClient *client, const VsmEvacuateArguments *arguments, bool wait) {
        g_autoptr(GVariant) options = NULL;
        GError *error = NULL;
        g_auto(Plan) plan = {};

        if (!arguments->plan_id) {
                if (!make_plan(client, arguments, &plan, &error))
                        return vsm_client_fail(client, error);
                if (!client->json)
                        print_plan(&plan);
        }

        options = vsm_evacuate_build_run(arguments, arguments->plan_id ?: plan.id, &error);
        if (!options)
                return vsm_client_fail(client, error);

        return run(client, "Evacuate", options, wait);
}

/* ---- when the host goes down ---- */

/* The evacuation or bring-back that runs; NULL without error: none does. */
static char* find_running(VsmClient *client, uint64_t *ret_type, GError **error) {
        g_autoptr(JsonObject) objects = vsm_client_get_objects(client, error);
        g_autoptr(GPtrArray) jobs = NULL;

        if (!objects)
                return NULL;

        jobs = vsm_objects_select(objects, VSM_INTERFACE_JOB);
        for (guint i = 0; i < jobs->len; i++) {
                JsonObject *job = jobs->pdata[i];

                *ret_type = vsm_object_get_uint(job, "JobType");
                if ((*ret_type == VSM_JOB_TYPE_EVACUATION || *ret_type == VSM_JOB_TYPE_BRING_BACK) &&
                    !vsm_job_state_is_final((uint16_t) vsm_object_get_uint(job, "JobState")))
                        return g_strdup(vsm_object_get_string(job, "Path"));
        }

        return NULL;
}

/* Does all leave by that evacuation? Not if somebody has named systems, or has cancelled it; who cannot tell looks
 * again afterwards. */
static bool is_whole(VsmClient *client, const char *path) {
        g_autoptr(JsonObject) job = vsm_client_get_properties(client, path, VSM_INTERFACE_JOB, NULL);
        g_autoptr(JsonObject) request = job ? vsm_client_get_request(client, path, NULL) : NULL;

        return request && !json_object_has_member(request, "Systems") &&
                vsm_object_get_uint(job, "JobState") != VSM_JOB_STATE_SHUTTING_DOWN;
}

/* True: ret_status is what came of one that was under way, and that was all there is to do. The service has begun by
 * itself when the shutdown was announced, maybe; those that are on their way home would only have to leave again. */
static bool end_running(VsmClient *client, int *ret_status) {
        g_autoptr(VsmFollow) follow = NULL;
        g_autofree char *job = NULL;
        GError *error = NULL;
        uint64_t type = 0;
        bool whole = false;

        job = find_running(client, &type, &error);
        if (job)
                follow = vsm_follow_new(client, &error);
        if (follow && type == VSM_JOB_TYPE_EVACUATION)
                whole = is_whole(client, job);
        if (error) {
                *ret_status = vsm_client_fail(client, error);
                return true;
        }
        if (!job)
                return false;

        if (type == VSM_JOB_TYPE_BRING_BACK) {
                g_autoptr(sd_bus_message) reply = NULL;

                /* it may just have ended */
                reply = vsm_client_call_method(client, job, VSM_INTERFACE_JOB, "RequestStateChange", NULL, "qt",
                                               (uint16_t) 5, (uint64_t) 0);
        }

        *ret_status = vsm_follow_run(follow, job);
        return whole;
}

static GVariant* build_at_shutdown(const VsmAtShutdown *shutdown) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
        g_auto(GStrv) words = vsm_chain_to_strv(&shutdown->chain);

        if (shutdown->chain.n > 0)
                g_variant_dict_insert(&dict, "Fallback", "^as", words);
        if (shutdown->deadline > 0)
                g_variant_dict_insert(&dict, "Deadline", "t", shutdown->deadline);

        return g_variant_ref_sink(g_variant_dict_end(&dict));
}

/* For a unit that is stopped. No plan is shown first: time is short, and nobody is there to read it. */
static int at_shutdown(VsmClient *client) {
        g_autoptr(GVariant) options = NULL;
        GError *error = NULL;
        VsmAtShutdown shutdown;
        int64_t begun = g_get_monotonic_time();
        uint64_t gone;
        int status;

        if (!vsm_client_connect(client, &error) || !vsm_at_shutdown_decide(client->bus, &shutdown, &error))
                return vsm_client_fail(client, error);
        if (shutdown.kind == VSM_SHUTDOWN_NONE || shutdown.action == VSM_SHUTDOWN_LEAVE)
                return VSM_EXIT_SUCCESS;

        if (end_running(client, &status))
                return status;

        gone = (uint64_t) (g_get_monotonic_time() - begun);
        if (shutdown.deadline > 0)
                shutdown.deadline = shutdown.deadline > gone ? shutdown.deadline - gone : 1;

        options = build_at_shutdown(&shutdown);
        return run(client, "Evacuate", options, true);
}

static bool check_arguments(VsmEvacuateArguments *arguments, bool plan, char **more, GError **error) {
        if (*more && !arguments->to) {
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("'%s' is too much. Destinations stand after --to"), *more);
                return false;
        }

        add_hosts(arguments, more);
        if (arguments->plan_id && (plan || arguments->to || arguments->systems || arguments->fallback)) {
                g_set_error_literal(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                                    _("With --plan-id only --deadline, --keep-draining and --no-wait can be given: "
                                      "the plan says the rest"));
                return false;
        }

        return true;
}

int vsm_verb_evacuate(VsmClient *client, int argc, char **argv) {
        gboolean plan = false, no_wait = false, shutdown = false;
        g_auto(VsmEvacuateArguments) a = {};
        const GOptionEntry entries[] = {
                { "plan", 'n', 0, G_OPTION_ARG_NONE, &plan, N_("Only show the plan, with its reasons"), NULL },
                { "to", 't', 0, G_OPTION_ARG_STRING_ARRAY, &a.to, N_("Only to these hosts"), N_("HOST…") },
                { "system", 's', 0, G_OPTION_ARG_STRING_ARRAY, &a.systems, N_("Only this system"), "VM" },
                { "deadline", 'd', 0, G_OPTION_ARG_STRING, &a.deadline,
                  N_("Be through after this time, such as 20min"), N_("TIME") },
                { "fallback", 0, 0, G_OPTION_ARG_STRING, &a.fallback,
                  N_("What is tried, one after the other, as in live,save,leave"), N_("WORDS") },
                { "plan-id", 0, 0, G_OPTION_ARG_STRING, &a.plan_id, N_("Run the plan that was shown"), N_("ID") },
                { "keep-draining", 0, 0, G_OPTION_ARG_NONE, &a.keep_draining,
                  N_("Take no guests after the next boot either"), NULL },
                { "no-wait", 0, 0, G_OPTION_ARG_NONE, &no_wait, N_("Do not wait for the end"), NULL },
                { "at-shutdown", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &shutdown, NULL, NULL },
                {}
        };
        GError *error = NULL;

        if (!vsm_client_parse(client, entries, &argc, &argv, 0, G_MAXINT, &error) ||
            !check_arguments(&a, plan, argv + 1, &error))
                return vsm_client_fail(client, error);

        if (shutdown)
                return at_shutdown(client);

        return plan ? show_plan(client, &a) : evacuate(client, &a, !no_wait);
}

/* ---- bring-back ---- */

/* One that was saved or shut down is still a system of this host, and maybe none of the history. */
static char* find_asleep(VsmClient *client, const char *system) {
        g_autofree char *path = vsm_client_find_system(client, system, NULL);
        g_autoptr(JsonObject) object = path ? vsm_client_get_properties(client, path, VSM_INTERFACE_SYSTEM, NULL) : NULL;

        return object ? g_strdup(vsm_object_get_string(object, "Name")) : NULL;
}

/* What is away is no object here, as a rule: who knows the name of such a system is the history. */
static char* find_away(VsmClient *client, const char *system, GError **error) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_auto(GVariantDict) filter = G_VARIANT_DICT_INIT(NULL);
        g_autoptr(JsonArray) entries = NULL;

        if (g_uuid_string_is_valid(system))
                return g_ascii_strdown(system, -1);

        g_variant_dict_insert(&filter, "System", "s", system);
        g_variant_dict_insert(&filter, "Limit", "u", UINT32_C(1));
        reply = call_manager(client, "ListHistory", g_variant_dict_end(&filter), error);
        if (!reply)
                return NULL;

        entries = vsm_message_read_array(reply, error);
        if (!entries)
                return NULL;

        if (json_array_get_length(entries) == 0) {
                char *asleep = find_asleep(client, system);

                if (asleep)
                        return asleep;

                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_NO_OBJECT,
                            _("No system '%s' has left this host"), system);
                return NULL;
        }

        return g_strdup(vsm_object_get_string(json_array_get_object_element(entries, 0), "System"));
}

static GVariant* build_bring_back(VsmClient *client, char **systems, GError **error) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
        g_autoptr(GPtrArray) uuids = g_ptr_array_new_with_free_func(g_free);

        for (char **system = systems; *system; system++) {
                char *uuid = find_away(client, *system, error);

                if (!uuid)
                        return NULL;
                g_ptr_array_add(uuids, uuid);
        }

        if (uuids->len > 0)
                g_variant_dict_insert_value(&dict, "Systems",
                                            g_variant_new_strv((const char *const *) uuids->pdata, uuids->len));
        return g_variant_ref_sink(g_variant_dict_end(&dict));
}

int vsm_verb_bring_back(VsmClient *client, int argc, char **argv) {
        gboolean no_wait = false, boot = false;
        const GOptionEntry entries[] = {
                { "no-wait", 0, 0, G_OPTION_ARG_NONE, &no_wait, N_("Do not wait for the end"), NULL },
                { "at-boot", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &boot, NULL, NULL },
                {}
        };
        g_autoptr(GVariant) options = NULL;
        GError *error = NULL;

        if (!vsm_client_parse(client, entries, &argc, &argv, 0, G_MAXINT, &error))
                return vsm_client_fail(client, error);

        /* for a unit that is always started */
        if (boot && !vsm_at_shutdown_policy().bring_back)
                return VSM_EXIT_SUCCESS;
        if (boot)
                vsm_at_boot_wait(client);

        options = build_bring_back(client, argv + 1, &error);
        if (!options)
                return vsm_client_fail(client, error);

        return run(client, "BringBack", options, !no_wait);
}
