/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A destination from a command line, as the dictionary that AddHost wants (dbus-api, section 5). Pure. */

#include "client/host-arg.h"
#include "client/settings-arg.h"

void vsm_host_arguments_done(VsmHostArguments *arguments) {
        g_clear_pointer(&arguments->addresses, g_strfreev);
        g_clear_pointer(&arguments->authentication, g_free);
        g_clear_pointer(&arguments->port, g_free);
        g_clear_pointer(&arguments->priority, g_free);
        g_clear_pointer(&arguments->memory_limit, g_free);
}

static void add(GPtrArray *assignments, const char *key, const char *value) {
        if (value)
                g_ptr_array_add(assignments, g_strdup_printf("%s=%s", key, value));
}

/* An option is an assignment in short: so units, words and refusals are those of all settings. */
GVariant* vsm_host_build(const VsmHostArguments *arguments, const char *name, GError **error) {
        g_autoptr(GPtrArray) assignments = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *addresses = NULL;

        if (arguments->addresses)
                addresses = g_strjoinv(",", arguments->addresses);

        add(assignments, "Name", name);
        add(assignments, "Addresses", addresses);
        add(assignments, "AuthenticationType", arguments->authentication);
        add(assignments, "Port", arguments->port);
        add(assignments, "VerifiesClients", arguments->verifies_clients ? "yes" : NULL);
        add(assignments, "Enabled", arguments->disabled ? "no" : NULL);
        add(assignments, "Priority", arguments->priority);
        add(assignments, "MemoryLimit", arguments->memory_limit);
        g_ptr_array_add(assignments, NULL);

        return vsm_settings_parse(vsm_host_keys, (const char *const *) assignments->pdata, error);
}
