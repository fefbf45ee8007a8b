/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl reset: takes the mark of a failed or cancelled migration off a system. */

#include <glib/gi18n.h>

#include "client/agent.h"
#include "client/output.h"
#include "client/text.h"
#include "client/verbs.h"
#include "shared/enums.h"

int vsm_verb_reset(VsmClient *client, int argc, char **argv) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autofree char *system = NULL, *name = NULL;
        GError *error = NULL;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 1, 1, &error))
                return vsm_client_fail(client, error);

        system = vsm_client_find_system(client, argv[1], &error);
        if (!system)
                return vsm_client_fail(client, error);

        vsm_agent_open(client);
        reply = vsm_client_call_method(client, system, "org.freedesktop.DBus.Properties", "Set", &error,
                                       "ssv", VSM_INTERFACE_SYSTEM, "MigrationState", "u",
                                       (uint32_t) VSM_MIGRATION_STATE_NONE);
        if (!reply)
                return vsm_client_fail(client, error);

        name = vsm_text_escape(argv[1]);
        if (client->json) {
                g_autoptr(JsonObject) object = json_object_new();

                json_object_set_string_member(object, "System", system);
                vsm_output_json_object(object, /* pretty= */ true);
        } else
                g_print(_("The migration state of %s is reset.\n"), name);

        return VSM_EXIT_SUCCESS;
}
