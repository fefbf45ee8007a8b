/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plan of a move in a table. What the service knows besides (which pool fits, what is in the way) comes from
 * its check. */

#include <glib/gi18n.h>

#include "client/output.h"
#include "client/plan.h"
#include "client/words.h"
#include "shared/enums.h"

static void line_free(void *p) {
        VsmPlanLine *line = p;

        g_free(line->what);
        g_free(line->which);
        g_free(line->to);
        g_free(line);
}

static void G_GNUC_PRINTF(4, 5) add(GPtrArray *plan, const char *what, const char *which, const char *format, ...) {
        VsmPlanLine *line = g_new0(VsmPlanLine, 1);
        va_list ap;

        va_start(ap, format);
        line->to = g_strdup_vprintf(format, ap);
        va_end(ap);

        line->what = g_strdup(what);
        line->which = g_strdup(which);
        g_ptr_array_add(plan, line);
}

static void add_system(GPtrArray *plan, const VsmRequest *request, const char *vm, const char *host) {
        uint16_t type = vsm_request_get_type(request);
        const char *word = vsm_word(vsm_migration_type_to_string(type)), *name = vm;

        (void) g_variant_lookup(request->system, "ElementName", "&s", &name);

        if (type == VSM_MIGRATION_TYPE_STORAGE)
                add(plan, "system", vm, _("stays on this host (%s)"), word);
        else if (g_str_equal(name, vm))
                add(plan, "system", vm, "%s (%s)", host, word);
        else
                /* Translators: host, new name, kind of migration */
                add(plan, "system", vm, _("%s, as %s (%s)"), host, name, word);
}

static void add_resource(GPtrArray *plan, const VsmRequest *request, GVariant *resource) {
        bool here = vsm_request_get_type(request) == VSM_MIGRATION_TYPE_STORAGE;
        g_autofree const char **paths = NULL, **connections = NULL;
        const char *id = "", *pool = NULL;

        (void) g_variant_lookup(resource, "InstanceID", "&s", &id);
        (void) g_variant_lookup(resource, "PoolID", "&s", &pool);
        (void) g_variant_lookup(resource, "HostResource", "^a&s", &paths);
        (void) g_variant_lookup(resource, "Connection", "^a&s", &connections);

        if (connections && connections[0])
                add(plan, "network", id, "%s", connections[0]);
        else if (paths && paths[0] && *paths[0] && pool)
                add(plan, "disk", id, _("%s, in pool %s"), paths[0], pool);
        else if (paths && paths[0] && *paths[0])
                add(plan, "disk", id, "%s", paths[0]);
        else if (pool)
                add(plan, "disk", id, _("pool %s"), pool);
        else
                add(plan, "disk", id, "%s", here ? _("a pool of this host that fits") :
                                                   _("a pool of the destination that fits"));
}

static bool has_disks(const VsmRequest *request) {
        for (size_t i = 0; i < g_variant_n_children(request->resources); i++) {
                g_autoptr(GVariant) resource = g_variant_get_child_value(request->resources, i);

                if (!g_variant_lookup(resource, "Connection", "as", NULL))
                        return true;
        }

        return false;
}

static bool moves_disks(uint16_t type) {
        return type == VSM_MIGRATION_TYPE_STORAGE || type == VSM_MIGRATION_TYPE_SYSTEM_AND_STORAGE ||
                type == VSM_MIGRATION_TYPE_STORAGE_DEEP_CHECK;
}

static bool flag(const VsmRequest *request, const char *key, bool otherwise) {
        gboolean value = otherwise;

        (void) g_variant_lookup(request->migration, key, "b", &value);
        return value;
}

static void add_disks(GPtrArray *plan, const VsmRequest *request) {
        bool here = vsm_request_get_type(request) == VSM_MIGRATION_TYPE_STORAGE;
        bool disks = has_disks(request);

        for (size_t i = 0; i < g_variant_n_children(request->resources); i++) {
                g_autoptr(GVariant) resource = g_variant_get_child_value(request->resources, i);

                add_resource(plan, request, resource);
        }

        if (!disks && moves_disks(vsm_request_get_type(request)))
                add(plan, "disk", "*", "%s", here ? _("a pool of this host that fits") :
                                                    _("a pool of the destination that fits"));
        if (!disks && !moves_disks(vsm_request_get_type(request)))
                return;

        add(plan, "source", "*", "%s",
            !flag(request, "RetainVhdCopiesOnSource", true) && !flag(request, "AvoidRemovingVHDs", false) ?
            _("removed once the move is verified") : _("stays as it is"));
}

static void add_volumes(GPtrArray *plan, const VsmRequest *request) {
        g_autoptr(GVariant) list = g_variant_lookup_value(request->migration, "UnmanagedVhds",
                                                          G_VARIANT_TYPE("aa{sv}"));

        for (size_t i = 0; list && i < g_variant_n_children(list); i++) {
                g_autoptr(GVariant) volume = g_variant_get_child_value(list, i);
                const char *source = "", *path = "";

                (void) g_variant_lookup(volume, "VhdSourcePath", "&s", &source);
                (void) g_variant_lookup(volume, "VhdDestinationPath", "&s", &path);
                add(plan, "volume", source, "%s", path);
        }
}

GPtrArray* vsm_plan_new(const VsmRequest *request, const char *vm, const char *host) {
        GPtrArray *plan = g_ptr_array_new_with_free_func(line_free);
        const char *description, *planned;
        gboolean autostart;

        add_system(plan, request, vm, host);
        if (g_variant_lookup(request->migration, "DestinationPlannedVirtualSystemId", "&s", &planned))
                add(plan, "planned", planned, "%s", _("merged with it"));
        if (g_variant_lookup(request->system, "Description", "&s", &description))
                add(plan, "description", vm, "%s", description);
        if (g_variant_lookup(request->system, "AutomaticStart", "b", &autostart))
                add(plan, "autostart", vm, "%s", vsm_word_yes_no(autostart));
        add_disks(plan, request);
        add_volumes(plan, request);
        return plan;
}

bool vsm_plan_is_special(const VsmRequest *request) {
        return vsm_request_get_type(request) != VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM ||
                g_variant_n_children(request->system) > 0 || g_variant_n_children(request->resources) > 0;
}

/* Never read: here xgettext finds the first column. */
G_GNUC_UNUSED static const char *const keywords[] = {
        N_("system"), N_("planned"), N_("description"), N_("autostart"), N_("disk"), N_("source"), N_("network"),
        N_("volume"),
};

void vsm_plan_print(GPtrArray *plan) {
        const char *const headings[] = { _("WHAT"), _("WHICH"), _("TO"), NULL };
        g_autoptr(VsmTable) table = vsm_table_new(headings);

        for (guint i = 0; i < plan->len; i++) {
                const VsmPlanLine *line = plan->pdata[i];

                vsm_table_add(table, vsm_word(line->what));
                vsm_table_add(table, line->which);
                vsm_table_add(table, line->to);
        }

        vsm_table_print(table);
}

JsonArray* vsm_plan_to_json(GPtrArray *plan) {
        JsonArray *array = json_array_new();

        for (guint i = 0; i < plan->len; i++) {
                const VsmPlanLine *line = plan->pdata[i];
                JsonObject *object = json_object_new();

                json_object_set_string_member(object, "What", line->what);
                json_object_set_string_member(object, "Which", line->which);
                json_object_set_string_member(object, "To", line->to);
                json_array_add_object_element(array, object);
        }

        return array;
}
