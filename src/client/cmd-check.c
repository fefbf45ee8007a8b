/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl check: whether a system could be migrated to a host, and everything that speaks against it. */

#include <glib/gi18n.h>

#include "client/agent.h"
#include "client/message.h"
#include "client/migrate.h"
#include "client/request.h"
#include "client/verbs.h"
#include "client/verdict.h"

bool vsm_check_ask(
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

int vsm_verb_check(VsmClient *client, int argc, char **argv) {
        g_auto(VsmRequest) request = {};
        g_autoptr(JsonArray) reasons = NULL;
        GError *error = NULL;
        bool migratable = false;

        if (!vsm_request_parse(&request, client, NULL, &argc, &argv, &error))
                return vsm_client_fail(client, error);

        if (!vsm_check_ask(client, &request, argv[1], vsm_request_get_host(argc, argv), &migratable, &reasons, &error))
                return vsm_client_fail(client, error);

        return vsm_verdict_print(client, argv[1], vsm_request_get_host(argc, argv), migratable, reasons);
}
