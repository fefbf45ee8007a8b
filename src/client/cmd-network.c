/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl network: the subnets over which migrations travel. */

#include <glib/gi18n.h>
#include <libintl.h>
#include <string.h>

#include "client/message.h"
#include "client/networks.h"
#include "client/objects.h"
#include "client/output.h"
#include "client/verbs.h"

static int list(VsmClient *client, int argc, char **argv) {
        g_autoptr(GPtrArray) networks = NULL;
        GError *error = NULL;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 0, 0, &error))
                return vsm_client_fail(client, error);

        networks = vsm_networks_get(client, &error);
        if (!networks)
                return vsm_client_fail(client, error);

        if (client->json)
                vsm_objects_print_json(networks);
        else
                vsm_networks_print(client, networks);

        return VSM_EXIT_SUCCESS;
}

/* What is there afterwards: one network of them all. */
static int show_if(VsmClient *client, bool (*is_it)(JsonObject *network, const char *what), const char *what) {
        g_autoptr(GPtrArray) networks = NULL;
        GError *error = NULL;

        networks = vsm_networks_get(client, &error);
        if (!networks)
                return vsm_client_fail(client, error);

        for (guint i = networks->len; i > 0; i--)
                if (!is_it(g_ptr_array_index(networks, i - 1), what))
                        g_ptr_array_remove_index(networks, i - 1);

        if (client->json)
                vsm_objects_print_json(networks);
        else
                vsm_networks_print(client, networks);

        return VSM_EXIT_SUCCESS;
}

/* before: a line for each path. Numbers are never used again, so what is in none of them is new. */
static bool is_new(JsonObject *network, const char *before) {
        g_autofree char *line = g_strdup_printf("%s\n", vsm_object_get_string(network, "Path"));

        return !strstr(before, line);
}

static bool has_path(JsonObject *network, const char *path) {
        return g_str_equal(vsm_object_get_string(network, "Path"), path);
}

static char* join_paths(GPtrArray *networks) {
        g_autoptr(GString) out = g_string_new(NULL);

        for (guint i = 0; i < networks->len; i++)
                g_string_append_printf(out, "%s\n",
                                       vsm_object_get_string(g_ptr_array_index(networks, i), "Path"));

        return g_string_free(g_steal_pointer(&out), FALSE);
}

#define METRIC_ENTRY(a)                                                                         \
        { "metric", 'm', 0, G_OPTION_ARG_FILENAME, &(a).metric, N_("Lower is preferred"), N_("N") }
#define TAG_ENTRY(a)                                                                            \
        { "tag", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &(a).tags,                                  \
          N_("Who has set it; can be given more than once"), N_("TAG") }

static int add(VsmClient *client, int argc, char **argv) {
        g_auto(VsmNetworkArguments) arguments = {};
        const GOptionEntry entries[] = { METRIC_ENTRY(arguments), TAG_ENTRY(arguments), {} };
        g_autoptr(GPtrArray) networks = NULL;
        g_autoptr(GVariant) network = NULL;
        g_autofree char *before = NULL;
        GError *error = NULL;
        int status;

        if (!vsm_client_parse(client, entries, &argc, &argv, 1, 1, &error))
                return vsm_client_fail(client, error);

        arguments.subnet = g_strdup(argv[1]);
        network = vsm_network_build(&arguments, &error);
        if (!network)
                return vsm_client_fail(client, error);

        networks = vsm_networks_get(client, &error);
        if (!networks)
                return vsm_client_fail(client, error);

        before = join_paths(networks);
        status = vsm_networks_add(client, network);
        return status == VSM_EXIT_SUCCESS ? show_if(client, is_new, before) : status;
}

static int modify(VsmClient *client, int argc, char **argv) {
        g_auto(VsmNetworkArguments) arguments = {};
        const GOptionEntry entries[] = {
                METRIC_ENTRY(arguments),
                { "subnet", 0, 0, G_OPTION_ARG_FILENAME, &arguments.subnet, N_("Another subnet"),
                  N_("SUBNET/PREFIX") },
                TAG_ENTRY(arguments),
                {}
        };
        g_autoptr(JsonObject) properties = NULL;
        g_autoptr(GVariant) network = NULL;
        g_autofree char *path = NULL;
        GError *error = NULL;
        int status;

        if (!vsm_client_parse(client, entries, &argc, &argv, 1, 1, &error))
                return vsm_client_fail(client, error);

        if (!arguments.metric && !arguments.subnet && !arguments.tags) {
                g_set_error_literal(&error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                                    _("What is to be changed? Give --metric, --subnet or --tag"));
                return vsm_client_fail(client, error);
        }

        path = vsm_network_path(argv[1], &error);
        if (!path)
                return vsm_client_fail(client, error);

        /* what is wrong with the options is said before anybody is asked */
        network = vsm_network_build(&arguments, &error);
        if (!network)
                return vsm_client_fail(client, error);
        g_clear_pointer(&network, g_variant_unref);

        properties = vsm_client_get_properties(client, path, VSM_INTERFACE_NETWORK, &error);
        if (!properties)
                return vsm_client_fail(client, error);

        network = vsm_network_change(&arguments, properties, &error);
        if (!network)
                return vsm_client_fail(client, error);

        status = vsm_networks_modify(client, network);
        return status == VSM_EXIT_SUCCESS ? show_if(client, has_path, path) : status;
}

static int remove_some(VsmClient *client, int argc, char **argv) {
        g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(JsonObject) removed = NULL;
        g_autoptr(JsonArray) array = NULL;
        GError *error = NULL;
        int status;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 1, G_MAXINT, &error))
                return vsm_client_fail(client, error);

        array = json_array_new();
        for (int i = 1; i < argc; i++) {
                char *path = vsm_network_path(argv[i], &error);

                if (!path)
                        return vsm_client_fail(client, error);

                g_ptr_array_add(paths, path);
                json_array_add_string_element(array, path);
        }
        g_ptr_array_add(paths, NULL);

        status = vsm_networks_remove(client, (const char *const *) paths->pdata);
        if (status != VSM_EXIT_SUCCESS)
                return status;

        if (client->json) {
                removed = json_object_new();
                json_object_set_array_member(removed, "Removed", g_steal_pointer(&array));
                vsm_output_json_object(removed, /* pretty= */ true);
        } else
                g_print(ngettext("%d network is removed.\n", "%d networks are removed.\n",
                                 (unsigned long) argc - 1), argc - 1);

        return VSM_EXIT_SUCCESS;
}

int vsm_verb_network(VsmClient *client, int argc, char **argv) {
        static const VsmVerb subs[] = {
                { "network list",   "",              N_("List the migration networks"),      list        },
                { "network add",    "SUBNET/PREFIX", N_("Add a migration network"),          add         },
                { "network modify", "N",             N_("Change a migration network"),       modify      },
                { "network remove", "N…",            N_("Remove migration networks"),        remove_some },
                {}
        };

        return vsm_client_run_sub(client, subs, /* has_default= */ true, argc, argv);
}
