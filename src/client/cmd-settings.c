/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl settings: what the service is set to, and changing it. */

#include <glib/gi18n.h>

#include "client/agent.h"
#include "client/follow.h"
#include "client/message.h"
#include "client/output.h"
#include "client/pager.h"
#include "client/settings-arg.h"
#include "client/verbs.h"

static void add_setting(VsmTable *table, const VsmSettingKey *key, JsonObject *settings) {
        g_autofree char *value = vsm_settings_format(key, json_object_get_member(settings, key->name));

        vsm_table_add(table, key->name);
        if (key->kind == VSM_SETTING_RATE && vsm_object_get_uint(settings, key->name) == 0)
                vsm_table_addf(table, _("%s (no limit)"), value);
        else
                vsm_table_add(table, value);
}

/* Those of the keys that are in only, or all of them. What the service has no word for is left out. */
static void print_table(VsmClient *client, JsonObject *settings, GVariant *only) {
        const char *const headings[] = { _("SETTING"), _("VALUE"), NULL };
        g_autoptr(VsmTable) table = vsm_table_new(headings);

        for (const VsmSettingKey *key = vsm_service_setting_keys; key->name; key++) {
                g_autoptr(GVariant) value = only ? g_variant_lookup_value(only, key->name, NULL) : NULL;

                if ((value || !only) && json_object_has_member(settings, key->name))
                        add_setting(table, key, settings);
        }

        vsm_pager_print(client, table);
}

static int show(VsmClient *client, GVariant *only) {
        g_autoptr(JsonObject) settings = NULL;
        GError *error = NULL;

        settings = vsm_client_get_properties(client, VSM_OBJECT_PATH, VSM_INTERFACE_SETTINGS, &error);
        if (!settings)
                return vsm_client_fail(client, error);

        if (client->json)
                vsm_output_json_object(settings, /* pretty= */ true);
        else
                print_table(client, settings, only);

        return VSM_EXIT_SUCCESS;
}

static int change(VsmClient *client, GVariant *changes) {
        g_autoptr(sd_bus_message) reply = NULL;
        GError *error = NULL;
        int status;

        if (!vsm_client_connect(client, &error))
                return vsm_client_fail(client, error);

        vsm_agent_open(client);
        reply = vsm_client_call_value(client, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE, "ModifyServiceSettings",
                                      changes, &error);
        if (!reply)
                return vsm_client_fail(client, error);

        status = vsm_follow_answer(client, reply);
        return status == VSM_EXIT_SUCCESS ? show(client, changes) : status;
}

int vsm_verb_settings(VsmClient *client, int argc, char **argv) {
        g_autoptr(GVariant) changes = NULL;
        GError *error = NULL;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 0, G_MAXINT, &error))
                return vsm_client_fail(client, error);

        if (argc < 2)
                return show(client, NULL);

        changes = vsm_settings_parse(vsm_service_setting_keys, (const char *const *) argv + 1, &error);
        if (!changes)
                return vsm_client_fail(client, error);

        return change(client, changes);
}
