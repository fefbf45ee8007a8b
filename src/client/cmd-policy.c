/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl policy: what migrations and evacuations have to respect for one system. The service takes a policy as
 * a whole, so what is not named stays because it is sent again. */

#include <glib/gi18n.h>
#include <string.h>

#include "client/agent.h"
#include "client/message.h"
#include "client/output.h"
#include "client/settings-arg.h"
#include "client/verbs.h"

static JsonObject* get_policy(VsmClient *client, const char *system, GError **error) {
        g_autoptr(JsonObject) properties = NULL;
        JsonObject *policy;

        properties = vsm_client_get_properties(client, system, VSM_INTERFACE_SYSTEM, error);
        if (!properties)
                return NULL;

        policy = vsm_object_get_object(properties, "MigrationPolicy");
        return policy ? json_object_ref(policy) : json_object_new();
}

static int show(VsmClient *client, const char *system) {
        g_autoptr(VsmTable) table = vsm_table_new_fields();
        g_autoptr(JsonObject) policy = NULL;
        GError *error = NULL;

        policy = get_policy(client, system, &error);
        if (!policy)
                return vsm_client_fail(client, error);

        if (client->json) {
                vsm_output_json_object(policy, /* pretty= */ true);
                return VSM_EXIT_SUCCESS;
        }

        if (json_object_get_size(policy) == 0)
                g_print(_("It has no policy.\n"));

        for (const VsmSettingKey *key = vsm_policy_keys; key->name; key++) {
                g_autofree char *value = vsm_settings_format(key, json_object_get_member(policy, key->name));

                vsm_table_field(table, key->name, value);
        }
        vsm_table_print(table);
        return VSM_EXIT_SUCCESS;
}

static bool is_named(const char *const *assignments, const char *key) {
        size_t len = strlen(key);

        for (; *assignments; assignments++)
                if (strncmp(*assignments, key, len) == 0 && (*assignments)[len] == '=')
                        return true;

        return false;
}

/* "KEY=" takes a key away. */
static bool is_removal(const char *assignment) {
        size_t len = strlen(assignment);

        return len > 1 && strchr(assignment, '=') == assignment + len - 1;
}

/* The keys of the policy that the command line does not name, in its language. */
static bool add_present(GPtrArray *all, JsonObject *policy, const char *const *assignments, GError **error) {
        g_autoptr(GList) names = json_object_get_members(policy);

        for (GList *l = names; l; l = l->next) {
                const VsmSettingKey *key = vsm_settings_find(vsm_policy_keys, l->data);
                g_autofree char *value = NULL;

                if (!key) {
                        g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_OTHER,
                                    _("The policy has a key '%s', which this vsmctl does not know"),
                                    (const char*) l->data);
                        return false;
                }

                value = vsm_settings_format(key, json_object_get_member(policy, key->name));
                if (!is_named(assignments, key->name))
                        g_ptr_array_add(all, g_strdup_printf("%s=%s", key->name, value));
        }

        return true;
}

static GVariant* build(JsonObject *policy, const char *const *assignments, GError **error) {
        g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);

        if (!add_present(all, policy, assignments, error))
                return NULL;

        for (; *assignments; assignments++)
                if (!is_removal(*assignments))
                        g_ptr_array_add(all, g_strdup(*assignments));
        g_ptr_array_add(all, NULL);

        return vsm_settings_parse(vsm_policy_keys, (const char *const *) all->pdata, error);
}

/* What is wrong with the command line, before anybody is asked. */
static bool check(const char *const *assignments, GError **error) {
        g_autoptr(JsonObject) none = json_object_new();
        g_autoptr(GVariant) policy = NULL;

        for (const char *const *assignment = assignments; *assignment; assignment++) {
                g_autofree char *name = g_strndup(*assignment, strcspn(*assignment, "="));

                if (is_removal(*assignment) && !vsm_settings_find(vsm_policy_keys, name)) {
                        g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                                    _("There is no setting '%s'"), name);
                        return false;
                }
        }

        policy = build(none, assignments, error);
        return policy;
}

static int change(VsmClient *client, const char *system, const char *const *assignments) {
        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        g_autoptr(JsonObject) present = NULL;
        g_autoptr(GVariant) policy = NULL;
        GError *error = NULL;
        int r;

        present = get_policy(client, system, &error);
        if (!present)
                return vsm_client_fail(client, error);

        policy = build(present, assignments, &error);
        if (!policy)
                return vsm_client_fail(client, error);

        call = vsm_client_new_call(client, VSM_OBJECT_PATH, VSM_INTERFACE_MANAGER, "SetMigrationPolicy",
                                   &error);
        if (!call)
                return vsm_client_fail(client, error);

        r = sd_bus_message_append(call, "o", system);
        if (r < 0)
                vsm_error_set_errno(&error, r, _("The request cannot be written"));
        if (r < 0 || !vsm_message_append(call, policy, &error))
                return vsm_client_fail(client, error);

        vsm_agent_open(client);
        reply = vsm_client_call(client, call, &error);
        if (!reply)
                return vsm_client_fail(client, error);

        return show(client, system);
}

int vsm_verb_policy(VsmClient *client, int argc, char **argv) {
        g_autofree char *system = NULL;
        GError *error = NULL;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 1, G_MAXINT, &error))
                return vsm_client_fail(client, error);

        if (!check((const char *const *) argv + 2, &error))
                return vsm_client_fail(client, error);

        system = vsm_client_find_system(client, argv[1], &error);
        if (!system)
                return vsm_client_fail(client, error);

        return argc > 2 ? change(client, system, (const char *const *) argv + 2) : show(client, system);
}
