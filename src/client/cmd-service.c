/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl service: whether the service takes new migrations, and changing that. */

#include <glib/gi18n.h>
#include <inttypes.h>

#include "client/agent.h"
#include "client/follow.h"
#include "client/message.h"
#include "client/objects.h"
#include "client/output.h"
#include "client/settings-arg.h"
#include "client/text.h"
#include "client/verbs.h"
#include "client/words.h"
#include "shared/enums.h"

static const char* state_word(JsonObject *service, const char *name) {
        uint64_t state = vsm_object_get_uint(service, name);

        return vsm_word(vsm_enabled_state_to_string((uint16_t) MIN(state, G_MAXUINT16)));
}

/* 0 until somebody asked, 5 when it goes nowhere, 12 where nobody can */
static bool is_state(JsonObject *service, const char *name) {
        uint64_t state = vsm_object_get_uint(service, name);

        return state == VSM_ENABLED_STATE_ENABLED || state == VSM_ENABLED_STATE_DISABLED ||
                state == VSM_ENABLED_STATE_QUIESCE;
}

static char* available_states(JsonObject *service) {
        JsonArray *states = vsm_object_get_array(service, "AvailableRequestedStates");
        g_autoptr(GString) out = g_string_new(NULL);

        for (guint i = 0; states && i < json_array_get_length(states); i++) {
                uint16_t state = (uint16_t) json_array_get_int_element(states, i);

                g_string_append_printf(out, "%s%s", i > 0 ? ", " : "",
                                       vsm_word(vsm_enabled_state_to_string(state)));
        }

        return g_string_free(g_steal_pointer(&out), FALSE);
}

static void print_service(JsonObject *service, JsonObject *manager) {
        g_autoptr(VsmTable) table = vsm_table_new_fields();
        g_autofree char *since = vsm_text_time(vsm_object_get_uint(service, "TimeOfLastStateChange"));
        g_autofree char *available = available_states(service);

        vsm_table_field(table, _("State"), state_word(service, "EnabledState"));
        if (vsm_object_get_uint(service, "TimeOfLastStateChange") > 0)
                vsm_table_field(table, _("Since"), since);
        if (vsm_object_get_bool(manager, "Draining"))
                vsm_table_field(table, _("Draining"), _("yes"));
        if (is_state(service, "RequestedState"))
                vsm_table_field(table, _("Last request"), state_word(service, "RequestedState"));
        if (is_state(service, "TransitioningToState"))
                vsm_table_field(table, _("On its way to"), state_word(service, "TransitioningToState"));
        vsm_table_field(table, _("Can go to"), available);
        vsm_table_fieldf(table, _("Running"), "%" PRIu64,
                         vsm_object_get_uint(service, "ActiveVirtualSystemMigrationCount") +
                         vsm_object_get_uint(service, "ActiveStorageMigrationCount"));
        vsm_table_fieldf(table, _("Queued"), "%" PRIu64, vsm_object_get_uint(manager, "QueuedJobs"));
        vsm_table_print(table);
}

static int show(VsmClient *client) {
        g_autoptr(JsonObject) service = NULL, manager = NULL;
        GError *error = NULL;

        service = vsm_client_get_properties(client, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE, &error);
        if (!service)
                return vsm_client_fail(client, error);

        manager = vsm_client_get_properties(client, VSM_OBJECT_PATH, VSM_INTERFACE_MANAGER, &error);
        if (!manager)
                return vsm_client_fail(client, error);

        if (client->json)
                vsm_output_json_object(service, /* pretty= */ true);
        else
                print_service(service, manager);

        return VSM_EXIT_SUCCESS;
}

static int status(VsmClient *client, int argc, char **argv) {
        GError *error = NULL;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 0, 0, &error))
                return vsm_client_fail(client, error);

        return show(client);
}

static int call(VsmClient *client, int argc, char **argv, const char *member) {
        g_autoptr(sd_bus_message) reply = NULL;
        GError *error = NULL;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 0, 0, &error))
                return vsm_client_fail(client, error);

        if (!vsm_client_connect(client, &error))
                return vsm_client_fail(client, error);

        vsm_agent_open(client);
        reply = vsm_client_call_method(client, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE, member, &error, "");
        if (!reply)
                return vsm_client_fail(client, error);

        return show(client);
}

static int start(VsmClient *client, int argc, char **argv) {
        return call(client, argc, argv, "StartService");
}

static int stop(VsmClient *client, int argc, char **argv) {
        return call(client, argc, argv, "StopService");
}

static int tell_started(VsmClient *client, const char *job) {
        g_autofree char *command = vsm_client_command(client);

        if (client->json) {
                g_autoptr(JsonObject) object = json_object_new();

                json_object_set_string_member(object, "Job", job);
                vsm_output_json_object(object, /* pretty= */ true);
        } else
                g_print(_("No new migrations are taken. Job %s ends with the last one that runs; "
                          "'%s job %s' shows how it goes.\n"),
                        vsm_objects_number(job), command, vsm_objects_number(job));

        return VSM_EXIT_SUCCESS;
}

static int request_quiesce(VsmClient *client, uint64_t timeout, bool wait) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(VsmFollow) follow = NULL;
        GError *error = NULL;
        const char *job;
        int r;

        if (wait)
                follow = vsm_follow_new(client, &error);
        if (wait ? !follow : !vsm_client_connect(client, &error))
                return vsm_client_fail(client, error);

        vsm_agent_open(client);
        reply = vsm_client_call_method(client, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE, "RequestStateChange",
                                       &error, "qt", VSM_ENABLED_STATE_QUIESCE, timeout);
        if (!reply)
                return vsm_client_fail(client, error);

        r = sd_bus_message_read(reply, "uo", NULL, &job);
        if (r < 0) {
                vsm_error_set_errno(&error, r, _("The service's answer cannot be read"));
                return vsm_client_fail(client, error);
        }

        /* nothing ran */
        if (g_str_equal(job, "/"))
                return show(client);

        return wait ? vsm_follow_run(follow, job) : tell_started(client, job);
}

static int quiesce(VsmClient *client, int argc, char **argv) {
        g_autofree char *arg_timeout = NULL;
        gboolean no_wait = false;
        const GOptionEntry entries[] = {
                { "timeout", 't', 0, G_OPTION_ARG_FILENAME, &arg_timeout,
                  N_("Stop waiting after this time, as in 5min"), N_("TIME") },
                { "no-wait", 0, 0, G_OPTION_ARG_NONE, &no_wait, N_("Do not wait for the end"), NULL },
                {}
        };
        uint64_t timeout = 0;
        GError *error = NULL;

        if (!vsm_client_parse(client, entries, &argc, &argv, 0, 0, &error))
                return vsm_client_fail(client, error);

        if (arg_timeout && !vsm_settings_parse_time_option("--timeout", arg_timeout, &timeout, &error))
                return vsm_client_fail(client, error);

        return request_quiesce(client, timeout, !no_wait);
}

int vsm_verb_service(VsmClient *client, int argc, char **argv) {
        static const VsmVerb subs[] = {
                { "service status",  "", N_("Show whether new migrations are taken"),               status  },
                { "service start",   "", N_("Take new migrations"),                                 start   },
                { "service stop",    "", N_("Take no new migrations; those that run go on"),        stop    },
                { "service quiesce", "", N_("Take no new migrations, and wait for those that run"), quiesce },
                {}
        };

        return vsm_client_run_sub(client, subs, /* has_default= */ true, argc, argv);
}
