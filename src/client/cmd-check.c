/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl check: whether a system could be migrated to a host, and everything that speaks against it. */

#include <glib/gi18n.h>

#include "client/agent.h"
#include "client/message.h"
#include "client/output.h"
#include "client/reasons.h"
#include "client/request.h"
#include "client/text.h"
#include "client/verbs.h"

static bool ask(
                VsmClient *client,
                const VsmRequest *request,
                const char *vm,
                const char *host,
                bool *ret_migratable,
                JsonArray **ret_reasons,
                GError **error) {

        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        g_autofree char *system = NULL;
        int r, migratable;

        system = vsm_client_find_system(client, vm, error);
        if (!system)
                return false;

        call = vsm_request_new_call(request, client, VSM_INTERFACE_SERVICE,
                                    "CheckVirtualSystemIsMigratableToHost", system, host, error);
        if (!call)
                return false;

        vsm_agent_open(client);
        reply = vsm_client_call(client, call, error);
        if (!reply)
                return false;

        r = sd_bus_message_read(reply, "ub", NULL, &migratable);
        if (r < 0)
                return vsm_error_set_errno(error, r, _("The service's answer cannot be read"));

        *ret_reasons = vsm_message_read_array(reply, error);
        *ret_migratable = migratable;
        return *ret_reasons;
}

static void print_verdict(const char *vm, const char *host, bool migratable, JsonArray *reasons) {
        g_autofree char *text = vsm_reasons_format(reasons), *name = vsm_text_escape(vm);
        g_autofree char *destination = vsm_text_escape(host);

        if (migratable)
                g_print(_("%s can be migrated to %s.\n"), name, destination);
        else
                g_print(_("%s cannot be migrated to %s:\n"), name, destination);

        g_print("%s", text);
}

static void print_json(bool migratable, JsonArray *reasons) {
        g_autoptr(JsonObject) verdict = json_object_new();

        json_object_set_boolean_member(verdict, "IsMigratable", migratable);
        json_object_set_array_member(verdict, "Reasons", json_array_ref(reasons));
        vsm_output_json_object(verdict, /* pretty= */ true);
}

int vsm_verb_check(VsmClient *client, int argc, char **argv) {
        g_auto(VsmRequest) request = {};
        g_autoptr(JsonArray) reasons = NULL;
        GError *error = NULL;
        bool migratable = false;

        if (!vsm_request_parse(&request, client, NULL, &argc, &argv, &error))
                return vsm_client_fail(client, error);

        if (!ask(client, &request, argv[1], argv[2], &migratable, &reasons, &error))
                return vsm_client_fail(client, error);

        if (client->json)
                print_json(migratable, reasons);
        else
                print_verdict(argv[1], argv[2], migratable, reasons);

        return migratable ? VSM_EXIT_SUCCESS : VSM_EXIT_NOT_MIGRATABLE;
}
