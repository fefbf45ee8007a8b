/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl host: the destinations that the service knows. */

#include <glib/gi18n.h>
#include <inttypes.h>

#include "client/agent.h"
#include "client/host-arg.h"
#include "client/message.h"
#include "client/objects.h"
#include "client/output.h"
#include "client/pager.h"
#include "client/settings-arg.h"
#include "client/text.h"
#include "client/verbs.h"
#include "client/words.h"

static int compare_names(const void *a, const void *b) {
        JsonObject *const *x = a, *const *y = b;

        return g_utf8_collate(vsm_object_get_string(*x, "Name"), vsm_object_get_string(*y, "Name"));
}

static GPtrArray* get_hosts(VsmClient *client, GError **error) {
        g_autoptr(JsonObject) objects = vsm_client_get_objects(client, error);
        g_autoptr(GPtrArray) hosts = NULL;

        if (!objects)
                return NULL;

        hosts = vsm_objects_select(objects, VSM_INTERFACE_HOST);
        g_ptr_array_sort(hosts, compare_names);
        return g_steal_pointer(&hosts);
}

static void add_host(VsmTable *table, JsonObject *host) {
        const VsmSettingKey *key = vsm_settings_find(vsm_host_keys, "AuthenticationType");
        g_autofree char *authentication = vsm_settings_format(key, json_object_get_member(host, key->name));
        g_autofree char *addresses = vsm_array_join(vsm_object_get_array(host, "Addresses"));
        g_autofree char *memory = vsm_text_bytes_short(vsm_object_get_uint(host, "FreeMemory"));

        vsm_table_add(table, vsm_object_get_string(host, "Name"));
        vsm_table_add(table, vsm_word(vsm_object_get_string(host, "State")));
        vsm_table_add(table, vsm_word_yes_no(vsm_object_get_bool(host, "Enabled")));
        vsm_table_addf(table, "%" PRIu64, vsm_object_get_uint(host, "Priority"));
        vsm_table_add(table, vsm_object_get_uint(host, "FreeMemory") > 0 ? memory : NULL);
        vsm_table_add(table, authentication);
        vsm_table_add(table, addresses);
}

static void print_hosts(VsmClient *client, GPtrArray *hosts) {
        const char *const headings[] = {
                /* Translators: a '>' in front means: aligned to the right. ENABLED: for evacuations */
                _("NAME"), _("STATE"), _("ENABLED"), _(">PRIORITY"), _(">FREE"), _("LOGIN"), _("ADDRESSES"),
                NULL
        };
        g_autoptr(VsmTable) table = vsm_table_new(headings);

        if (hosts->len == 0) {
                g_print(_("There are no known hosts.\n"));
                return;
        }

        for (guint i = 0; i < hosts->len; i++)
                add_host(table, g_ptr_array_index(hosts, i));

        vsm_pager_print(client, table);

        for (guint i = 0; i < hosts->len; i++) {
                JsonObject *host = g_ptr_array_index(hosts, i);
                g_autofree char *name = vsm_text_escape(vsm_object_get_string(host, "Name"));
                g_autofree char *why = vsm_text_escape(vsm_object_get_string(host, "LastError"));

                if (*why)
                        g_print("%s: %s\n", name, why);
        }
}

static int list(VsmClient *client, int argc, char **argv) {
        g_autoptr(GPtrArray) hosts = NULL;
        GError *error = NULL;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 0, 0, &error))
                return vsm_client_fail(client, error);

        hosts = get_hosts(client, &error);
        if (!hosts)
                return vsm_client_fail(client, error);

        if (client->json)
                vsm_objects_print_json(hosts);
        else
                print_hosts(client, hosts);

        return VSM_EXIT_SUCCESS;
}

static void print_path(const char *path) {
        g_autoptr(JsonObject) object = json_object_new();

        json_object_set_string_member(object, "Host", path);
        vsm_output_json_object(object, /* pretty= */ true);
}

static int add(VsmClient *client, int argc, char **argv) {
        g_auto(VsmHostArguments) arguments = {};
        const GOptionEntry entries[] = {
                { "address", 'a', 0, G_OPTION_ARG_FILENAME_ARRAY, &arguments.addresses,
                  N_("An address for the data of migrations; can be given more than once"),
                  N_("ADDRESS") },
                { "port", 'p', 0, G_OPTION_ARG_FILENAME, &arguments.port,
                  N_("Port of its libvirt, if not the usual one"), N_("N") },
                { "authentication", 0, 0, G_OPTION_ARG_FILENAME, &arguments.authentication,
                  N_("How its libvirt is reached: x509, ssh or none"), N_("TYPE") },
                { "verifies-clients", 0, 0, G_OPTION_ARG_NONE, &arguments.verifies_clients,
                  N_("It wants certificates from those who send it a guest"), NULL },
                { "priority", 0, 0, G_OPTION_ARG_FILENAME, &arguments.priority,
                  N_("Lower is chosen first"), N_("N") },
                { "memory-limit", 0, 0, G_OPTION_ARG_FILENAME, &arguments.memory_limit,
                  N_("How much of its memory may be used, as in 64GiB"), N_("SIZE") },
                { "disabled", 0, 0, G_OPTION_ARG_NONE, &arguments.disabled,
                  N_("Not to be chosen for evacuations"), NULL },
                {}
        };
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(GVariant) host = NULL;
        g_autofree char *name = NULL;
        GError *error = NULL;
        const char *path;
        int r;

        if (!vsm_client_parse(client, entries, &argc, &argv, 1, 1, &error))
                return vsm_client_fail(client, error);

        host = vsm_host_build(&arguments, argv[1], &error);
        if (!host)
                return vsm_client_fail(client, error);

        if (!vsm_client_connect(client, &error))
                return vsm_client_fail(client, error);

        vsm_agent_open(client);
        reply = vsm_client_call_value(client, VSM_OBJECT_PATH, VSM_INTERFACE_MANAGER, "AddHost", host, &error);
        if (!reply)
                return vsm_client_fail(client, error);

        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0) {
                vsm_error_set_errno(&error, r, _("The service's answer cannot be read"));
                return vsm_client_fail(client, error);
        }

        name = vsm_text_escape(argv[1]);
        if (client->json)
                print_path(path);
        else
                g_print(_("The host %s is known now.\n"), name);

        return VSM_EXIT_SUCCESS;
}

/* The path of the host with that name, or the path itself. */
static char* find(VsmClient *client, const char *name, GError **error) {
        g_autoptr(GPtrArray) hosts = NULL;

        if (g_str_has_prefix(name, VSM_OBJECT_PATH_HOST "/") && sd_bus_object_path_is_valid(name) > 0)
                return g_strdup(name);

        hosts = get_hosts(client, error);
        if (!hosts)
                return NULL;

        for (guint i = 0; i < hosts->len; i++) {
                JsonObject *host = g_ptr_array_index(hosts, i);

                if (g_ascii_strcasecmp(vsm_object_get_string(host, "Name"), name) == 0)
                        return g_strdup(vsm_object_get_string(host, "Path"));
        }

        g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_OTHER, _("There is no known host '%s'"), name);
        return NULL;
}

static int remove_one(VsmClient *client, int argc, char **argv) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autofree char *path = NULL, *name = NULL;
        GError *error = NULL;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 1, 1, &error))
                return vsm_client_fail(client, error);

        path = find(client, argv[1], &error);
        if (!path)
                return vsm_client_fail(client, error);

        vsm_agent_open(client);
        reply = vsm_client_call_method(client, VSM_OBJECT_PATH, VSM_INTERFACE_MANAGER, "RemoveHost", &error,
                                       "o", path);
        if (!reply)
                return vsm_client_fail(client, error);

        name = vsm_text_escape(argv[1]);
        if (client->json)
                print_path(path);
        else
                g_print(_("The host %s is forgotten.\n"), name);

        return VSM_EXIT_SUCCESS;
}

int vsm_verb_host(VsmClient *client, int argc, char **argv) {
        static const VsmVerb subs[] = {
                { "host list",   "",     N_("List the known destinations"),                 list       },
                { "host add",    "NAME", N_("Make a destination known, or change it"),      add        },
                { "host remove", "NAME", N_("Forget a destination"),                        remove_one },
                {}
        };

        return vsm_client_run_sub(client, subs, /* has_default= */ true, argc, argv);
}
