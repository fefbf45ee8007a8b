/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The words of the Hyper-V sample that change the service of a host. */

#include <glib/gi18n.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "client/agent.h"
#include "client/follow.h"
#include "client/message.h"
#include "client/networks.h"
#include "client/objects.h"
#include "client/output.h"
#include "client/settings-arg.h"
#include "client/site.h"
#include "client/verbs.h"

static bool parse(VsmClient *client, int argc, char **argv, GError **error) {
        return vsm_client_parse(client, NULL, &argc, &argv, 1, 1, error) &&
                vsm_site_select(client, argv[1], error);
}

/* ---- settings ---- */

static void print_service(JsonObject *service, JsonObject *settings) {
        static const char *const counters[] = {
                "ActiveVirtualSystemMigrationCount", "ActiveStorageMigrationCount",
        };
        static const char *const shown[] = {
                "EnableVirtualSystemMigration", "MaximumActiveVirtualSystemMigration",
                "MaximumActiveStorageMigration", "EnableCompression", "EnableSmbTransport",
        };
        g_autoptr(VsmTable) table = vsm_table_new_fields();

        for (size_t i = 0; i < G_N_ELEMENTS(counters); i++)
                vsm_table_fieldf(table, counters[i], "%" PRIu64, vsm_object_get_uint(service, counters[i]));

        for (size_t i = 0; i < G_N_ELEMENTS(shown); i++) {
                const VsmSettingKey *key = vsm_settings_find(vsm_service_setting_keys, shown[i]);
                g_autofree char *value = vsm_settings_format(key, json_object_get_member(settings, shown[i]));

                vsm_table_field(table, shown[i], value);
        }

        vsm_table_print(table);
}

static bool show(VsmClient *client, bool last, GError **error) {
        g_autoptr(JsonObject) service = NULL, settings = NULL;

        service = vsm_client_get_properties(client, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE, error);
        if (service)
                settings = vsm_client_get_properties(client, VSM_OBJECT_PATH, VSM_INTERFACE_SETTINGS, error);
        if (!settings)
                return false;

        if (!client->json)
                print_service(service, settings);
        else if (last)
                vsm_output_json_object(settings, /* pretty= */ true);

        return true;
}

/* What is, the change, what is then. */
static int modify(VsmClient *client, const char *const *assignments, int argc, char **argv) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(GVariant) changes = NULL;
        GError *error = NULL;
        int status;

        if (!parse(client, argc, argv, &error) || !show(client, /* last= */ false, &error))
                return vsm_client_fail(client, error);

        changes = vsm_settings_parse(vsm_service_setting_keys, assignments, &error);
        if (!changes)
                return vsm_client_fail(client, error);

        vsm_agent_open(client);
        reply = vsm_client_call_value(client, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE, "ModifyServiceSettings",
                                      changes, &error);
        if (!reply)
                return vsm_client_fail(client, error);

        status = vsm_follow_answer(client, reply);
        if (status != VSM_EXIT_SUCCESS)
                return status;

        if (!client->json)
                g_print(_("\nChanged:\n"));
        if (!show(client, /* last= */ true, &error))
                return vsm_client_fail(client, error);

        return VSM_EXIT_SUCCESS;
}

int vsm_word_modify_service(VsmClient *client, int argc, char **argv) {
        static const char *const assignments[] = {
                "EnableVirtualSystemMigration=yes",
                "MaximumActiveVirtualSystemMigration=4",
                "MaximumActiveStorageMigration=5",
                NULL
        };

        return modify(client, assignments, argc, argv);
}

int vsm_word_enable_compression(VsmClient *client, int argc, char **argv) {
        static const char *const assignments[] = { "EnableCompression=yes", NULL };

        return modify(client, assignments, argc, argv);
}

int vsm_word_enable_smb(VsmClient *client, int argc, char **argv) {
        static const char *const assignments[] = { "EnableSmbTransport=yes", NULL };

        return modify(client, assignments, argc, argv);
}

/* ---- modifynetworks ---- */

#define SUBNET  "192.168.1.0"
#define LENGTH  24

static VsmNetworkArguments arguments_new(const char *metric) {
        const char *const tags[] = { "org.example:UserManaged", NULL };

        return (VsmNetworkArguments) {
                .subnet = g_strdup_printf("%s/%d", SUBNET, LENGTH),
                .metric = g_strdup(metric),
                .tags = g_strdupv((char**) tags),
        };
}

/* Time to look at it, for a person. */
static void wait_for_enter(const VsmClient *client) {
        int c;

        if (client->json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
                return;

        g_print(_("Press ENTER to go on. "));
        do
                c = getchar();
        while (c != '\n' && c != EOF);
}

static GPtrArray* list(VsmClient *client, const char *heading, GError **error) {
        g_autoptr(GPtrArray) networks = vsm_networks_get(client, error);

        if (networks && !client->json) {
                g_print("%s\n", heading);
                vsm_networks_print(client, networks);
        }

        return g_steal_pointer(&networks);
}

/* The one that was added, found again among all. */
static JsonObject* find(VsmClient *client, const char *heading, GError **error) {
        g_autoptr(GPtrArray) networks = list(client, heading, error);
        JsonObject *network;

        if (!networks)
                return NULL;

        network = vsm_networks_find(networks, SUBNET, LENGTH);
        if (!network) {
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_OTHER,
                            _("The network %s/%d is not there"), SUBNET, LENGTH);
                return NULL;
        }

        return json_object_ref(network);
}

static int add(VsmClient *client) {
        g_auto(VsmNetworkArguments) arguments = arguments_new("100");
        g_autoptr(GVariant) network = NULL;
        GError *error = NULL;

        network = vsm_network_build(&arguments, &error);
        return network ? vsm_networks_add(client, network) : vsm_client_fail(client, error);
}

static int change(VsmClient *client) {
        g_auto(VsmNetworkArguments) arguments = arguments_new("200");
        g_autoptr(JsonObject) present = NULL;
        g_autoptr(GVariant) network = NULL;
        GError *error = NULL;

        present = find(client, _("\nAdded:"), &error);
        if (!present)
                return vsm_client_fail(client, error);

        wait_for_enter(client);
        network = vsm_network_change(&arguments, present, &error);
        return network ? vsm_networks_modify(client, network) : vsm_client_fail(client, error);
}

static int remove_again(VsmClient *client, const char *heading) {
        const char *paths[] = { NULL, NULL };
        g_autoptr(JsonObject) present = NULL;
        GError *error = NULL;

        present = find(client, heading, &error);
        if (!present)
                return vsm_client_fail(client, error);

        wait_for_enter(client);
        paths[0] = vsm_object_get_string(present, "Path");
        return vsm_networks_remove(client, paths);
}

int vsm_word_modify_networks(VsmClient *client, int argc, char **argv) {
        g_autoptr(GPtrArray) before = NULL, after = NULL;
        GError *error = NULL;
        int status;

        if (!parse(client, argc, argv, &error))
                return vsm_client_fail(client, error);

        /* a pager and a question would want the same keys */
        client->no_pager = true;

        before = list(client, _("Migration networks:"), &error);
        if (!before)
                return vsm_client_fail(client, error);

        wait_for_enter(client);
        status = add(client);
        if (status != VSM_EXIT_SUCCESS)
                return status;

        /* from here on there is something that has to go again, whatever happens */
        status = change(client);
        if (status != VSM_EXIT_SUCCESS) {
                (void) remove_again(client, _("\nNot changed:"));
                return status;
        }

        status = remove_again(client, _("\nChanged:"));
        if (status != VSM_EXIT_SUCCESS)
                return status;

        after = list(client, _("\nRemoved:"), &error);
        if (!after)
                return vsm_client_fail(client, error);

        if (client->json)
                vsm_objects_print_json(after);

        return VSM_EXIT_SUCCESS;
}
