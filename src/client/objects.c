/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Finding one's way in what GetManagedObjects returns: path -> interface -> property.
 * Pure, except that one function prints. */

#include <glib/gi18n.h>
#include <string.h>

#include "client/message.h"
#include "client/objects.h"
#include "client/output.h"
#include "client/words.h"
#include "shared/enums.h"
#include "shared/names.h"

/* Interfaces of the same object that are shown within the first one. */
static const struct {
        const char *interface;
        const char *member;
} nested[] = {
        { VSM_INTERFACE_TRANSFER,   "Transfer"   },
        { VSM_INTERFACE_EVACUATION, "Evacuation" },
};

JsonObject* vsm_objects_find(JsonObject *objects, const char *path, const char *interface) {
        JsonObject *object = vsm_object_get_object(objects, path);
        JsonObject *properties = vsm_object_get_object(object, interface);
        g_autoptr(JsonObject) found = NULL;
        g_autoptr(GList) names = NULL;

        if (!properties)
                return NULL;

        found = json_object_new();
        json_object_set_string_member(found, "Path", path);

        names = json_object_get_members(properties);
        for (GList *l = names; l; l = l->next)
                json_object_set_member(found, l->data, json_object_dup_member(properties, l->data));

        for (size_t i = 0; i < G_N_ELEMENTS(nested); i++) {
                JsonObject *other = vsm_object_get_object(object, nested[i].interface);

                if (other)
                        json_object_set_object_member(found, nested[i].member, json_object_ref(other));
        }

        return g_steal_pointer(&found);
}

GPtrArray* vsm_objects_select(JsonObject *objects, const char *interface) {
        g_autoptr(GPtrArray) selected = g_ptr_array_new_with_free_func((GDestroyNotify) json_object_unref);
        g_autoptr(GList) paths = json_object_get_members(objects);

        for (GList *l = paths; l; l = l->next) {
                JsonObject *found = vsm_objects_find(objects, l->data, interface);

                if (found)
                        g_ptr_array_add(selected, found);
        }

        return g_steal_pointer(&selected);
}

static int compare_names(const void *a, const void *b) {
        JsonObject *const *x = a, *const *y = b;

        return g_utf8_collate(vsm_object_get_string(*x, "ElementName"),
                              vsm_object_get_string(*y, "ElementName"));
}

void vsm_objects_sort_by_name(GPtrArray *systems) {
        g_ptr_array_sort(systems, compare_names);
}

const char* vsm_objects_number(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static int compare_numbers(const void *a, const void *b) {
        JsonObject *const *x = a, *const *y = b;
        uint64_t m = g_ascii_strtoull(vsm_objects_number(vsm_object_get_string(*x, "Path")), NULL, 10);
        uint64_t n = g_ascii_strtoull(vsm_objects_number(vsm_object_get_string(*y, "Path")), NULL, 10);

        return m < n ? -1 : m > n;
}

void vsm_objects_sort_by_number(GPtrArray *jobs) {
        g_ptr_array_sort(jobs, compare_numbers);
}

void vsm_objects_print_json(GPtrArray *selected) {
        g_autoptr(JsonArray) array = json_array_new();

        for (guint i = 0; i < selected->len; i++)
                json_array_add_object_element(array, json_object_ref(g_ptr_array_index(selected, i)));

        vsm_output_json_array(array);
}

#define HEALTH_STATE_CRASHED 25

const char* vsm_system_state_word(JsonObject *system) {
        switch (vsm_object_get_uint(system, "EnabledState")) {
        case VSM_ENABLED_STATE_ENABLED:
                return _("running");
        case VSM_ENABLED_STATE_DISABLED:
                return vsm_object_get_uint(system, "HealthState") == HEALTH_STATE_CRASHED ? _("crashed")
                                                                                          : _("off");
        case VSM_ENABLED_STATE_PAUSED:
                return _("paused");
        case VSM_ENABLED_STATE_SUSPENDED:
                return _("saved");
        case VSM_ENABLED_STATE_STARTING:
                return _("starting");
        case VSM_ENABLED_STATE_STOPPING:
                return _("stopping");
        default:
                return _("unknown");
        }
}

char* vsm_system_format_migration(JsonObject *objects, JsonObject *system) {
        uint32_t state = (uint32_t) vsm_object_get_uint(system, "MigrationState");
        const char *path = vsm_object_get_string(system, "MigrationJob");
        const char *word = vsm_word(vsm_migration_state_to_string(state));
        g_autoptr(GString) out = g_string_new(NULL);

        if (state == VSM_MIGRATION_STATE_NONE)
                return g_strdup("");

        g_string_append(out, word);
        if (vsm_migration_state_is_active(state))
                g_string_append_printf(out, " %u%%",
                                       (unsigned) vsm_object_get_uint(system, "MigrationProgress"));
        if (vsm_object_get_object(objects, path))
                g_string_append_printf(out, _(" (job %s)"), vsm_objects_number(path));

        return g_string_free(g_steal_pointer(&out), FALSE);
}

const char* vsm_system_destination(JsonObject *objects, JsonObject *system) {
        const char *path = vsm_object_get_string(system, "MigrationJob");
        JsonObject *job = vsm_object_get_object(vsm_object_get_object(objects, path), VSM_INTERFACE_JOB);

        if (vsm_object_get_uint(system, "MigrationState") == VSM_MIGRATION_STATE_NONE)
                return "";

        return vsm_object_get_string(job, "DestinationHost");
}
