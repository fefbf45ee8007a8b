/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl list: all systems of this host with their state of migration. */

#include <glib/gi18n.h>

#include "client/message.h"
#include "client/objects.h"
#include "client/output.h"
#include "client/pager.h"
#include "client/verbs.h"

static void add_system(VsmTable *table, JsonObject *objects, JsonObject *system) {
        g_autofree char *migration = vsm_system_format_migration(objects, system);

        vsm_table_add(table, vsm_object_get_string(system, "ElementName"));
        vsm_table_add(table, vsm_object_get_string(system, "Name"));
        vsm_table_add(table, vsm_system_state_word(system));
        vsm_table_add(table, migration);
        vsm_table_add(table, vsm_system_destination(objects, system));
}

static void print_systems(VsmClient *client, JsonObject *objects, GPtrArray *systems) {
        const char *const headings[] = {
                _("NAME"), _("UUID"), _("STATE"), _("MIGRATION"), _("DESTINATION"), NULL
        };
        g_autoptr(VsmTable) table = vsm_table_new(headings);

        if (systems->len == 0) {
                g_print(_("There are no virtual systems on this host.\n"));
                return;
        }

        for (guint i = 0; i < systems->len; i++)
                add_system(table, objects, g_ptr_array_index(systems, i));

        vsm_pager_print(client, table);
}

int vsm_verb_list(VsmClient *client, int argc, char **argv) {
        g_autoptr(JsonObject) objects = NULL;
        g_autoptr(GPtrArray) systems = NULL;
        GError *error = NULL;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 0, 0, &error))
                return vsm_client_fail(client, error);

        objects = vsm_client_get_objects(client, &error);
        if (!objects)
                return vsm_client_fail(client, error);

        systems = vsm_objects_select(objects, VSM_INTERFACE_SYSTEM);
        vsm_objects_sort_by_name(systems);

        if (client->json)
                vsm_objects_print_json(systems);
        else
                print_systems(client, objects, systems);

        return VSM_EXIT_SUCCESS;
}
