/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl migrate: starts a migration and, unless told otherwise, watches it to its end. */

#include <glib/gi18n.h>
#include <stdio.h>

#include "client/agent.h"
#include "client/follow.h"
#include "client/migrate.h"
#include "client/objects.h"
#include "client/output.h"
#include "client/plan.h"
#include "client/request.h"
#include "client/text.h"
#include "client/verbs.h"
#include "client/verdict.h"

char* vsm_migrate_start(
                VsmClient *client,
                const VsmRequest *request,
                const char *member,
                const char *system,
                const char *host,
                GError **error) {

        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        const char *job;
        int r;

        call = vsm_request_new_call(request, client, VSM_INTERFACE_SERVICE, member, system, host, error);
        if (!call)
                return NULL;

        vsm_agent_open(client);
        reply = vsm_client_call(client, call, error);
        if (!reply)
                return NULL;

        r = sd_bus_message_read(reply, "uo", NULL, &job);
        if (r < 0) {
                vsm_error_set_errno(error, r, _("The service's answer cannot be read"));
                return NULL;
        }

        return g_strdup(job);
}

static int tell_started(VsmClient *client, const char *vm, const char *host, const char *job) {
        g_autofree char *name = vsm_text_escape(vm), *destination = vsm_text_escape(host);
        g_autofree char *command = vsm_client_command(client);

        if (client->json) {
                g_autoptr(JsonObject) object = json_object_new();

                json_object_set_string_member(object, "Job", job);
                vsm_output_json_object(object, /* pretty= */ true);
        } else if (*host == '\0')
                g_print(_("Moving the disks of %s is job %s now. '%s job %s' shows how it goes.\n"),
                        name, vsm_objects_number(job), command, vsm_objects_number(job));
        else if (g_str_equal(job, "/"))
                g_print(_("The migration of %s to %s is done.\n"), name, destination);
        else
                g_print(_("The migration of %s to %s is job %s now. '%s job %s' shows how it goes.\n"),
                        name, destination, vsm_objects_number(job), command, vsm_objects_number(job));

        return VSM_EXIT_SUCCESS;
}

/* Where there is more to it than the name of a host, it is shown before it begins. */
static void tell_plan(const VsmClient *client, const VsmRequest *request, const char *vm, const char *host) {
        g_autoptr(GPtrArray) plan = NULL;

        if (client->json || !vsm_plan_is_special(request))
                return;

        plan = vsm_plan_new(request, vm, host);
        vsm_plan_print(plan);
        (void) fflush(stdout);
}

/* The plan, and the service's word on it; nothing is started. */
static int dry_run(VsmClient *client, const VsmRequest *request, const char *vm, const char *host) {
        g_autoptr(GPtrArray) plan = vsm_plan_new(request, vm, host);
        g_autoptr(JsonArray) reasons = NULL;
        GError *error = NULL;
        bool migratable = false;

        if (!vsm_check_ask(client, request, vm, host, &migratable, &reasons, &error))
                return vsm_client_fail(client, error);

        if (client->json) {
                g_autoptr(JsonObject) object = json_object_new();

                json_object_set_array_member(object, "Plan", vsm_plan_to_json(plan));
                json_object_set_boolean_member(object, "IsMigratable", migratable);
                json_object_set_array_member(object, "Reasons", json_array_ref(reasons));
                vsm_output_json_object(object, /* pretty= */ true);
                return migratable ? VSM_EXIT_SUCCESS : VSM_EXIT_NOT_MIGRATABLE;
        }

        vsm_plan_print(plan);
        return vsm_verdict_print(client, vm, host, migratable, reasons);
}

int vsm_migrate_run(
                VsmClient *client,
                const VsmRequest *request,
                const char *vm,
                const char *host,
                bool wait) {

        g_autofree char *system = NULL, *job = NULL;
        g_autoptr(VsmFollow) follow = NULL;
        GError *error = NULL;

        system = vsm_client_find_system(client, vm, &error);
        if (!system)
                return vsm_client_fail(client, error);

        /* before the job is there, so that nothing of it is missed */
        if (wait) {
                follow = vsm_follow_new(client, &error);
                if (!follow)
                        return vsm_client_fail(client, error);
        }

        tell_plan(client, request, vm, host);
        job = vsm_migrate_start(client, request, "MigrateVirtualSystemToHost", system, host, &error);
        if (!job)
                return vsm_client_fail(client, error);

        /* completed at once: the contract has no job then */
        if (!wait || g_str_equal(job, "/"))
                return tell_started(client, vm, host, job);

        return vsm_follow_run(follow, job);
}

int vsm_verb_migrate(VsmClient *client, int argc, char **argv) {
        gboolean no_wait = false, dry = false;
        const GOptionEntry entries[] = {
                { "no-wait", 0, 0, G_OPTION_ARG_NONE, &no_wait, N_("Do not wait for the end"), NULL },
                { "dry-run", 'n', 0, G_OPTION_ARG_NONE, &dry, N_("Only show the plan and what is in its way"), NULL },
                {}
        };
        g_auto(VsmRequest) request = {};
        GError *error = NULL;

        if (!vsm_request_parse(&request, client, entries, &argc, &argv, &error))
                return vsm_client_fail(client, error);

        if (dry)
                return dry_run(client, &request, argv[1], vsm_request_get_host(argc, argv));

        return vsm_migrate_run(client, &request, argv[1], vsm_request_get_host(argc, argv), !no_wait);
}
