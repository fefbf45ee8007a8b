/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl migrate: starts a migration and, unless told otherwise, watches it to its end. */

#include <glib/gi18n.h>

#include "client/agent.h"
#include "client/follow.h"
#include "client/migrate.h"
#include "client/objects.h"
#include "client/output.h"
#include "client/request.h"
#include "client/text.h"
#include "client/verbs.h"

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
        } else if (g_str_equal(job, "/"))
                g_print(_("The migration of %s to %s is done.\n"), name, destination);
        else
                g_print(_("The migration of %s to %s is job %s now. '%s job %s' shows how it goes.\n"),
                        name, destination, vsm_objects_number(job), command, vsm_objects_number(job));

        return VSM_EXIT_SUCCESS;
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

        job = vsm_migrate_start(client, request, "MigrateVirtualSystemToHost", system, host, &error);
        if (!job)
                return vsm_client_fail(client, error);

        /* completed at once: the contract has no job then */
        if (!wait || g_str_equal(job, "/"))
                return tell_started(client, vm, host, job);

        return vsm_follow_run(follow, job);
}

int vsm_verb_migrate(VsmClient *client, int argc, char **argv) {
        gboolean no_wait = false;
        const GOptionEntry entries[] = {
                { "no-wait", 0, 0, G_OPTION_ARG_NONE, &no_wait, N_("Do not wait for the end"), NULL },
                {}
        };
        g_auto(VsmRequest) request = {};
        GError *error = NULL;

        if (!vsm_request_parse(&request, client, entries, &argc, &argv, &error))
                return vsm_client_fail(client, error);

        return vsm_migrate_run(client, &request, argv[1], argv[2], !no_wait);
}
