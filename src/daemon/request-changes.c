/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is to be different where a system goes: from the dicts of a request to VsmChanges, and what of it does
 * not go together. Whether the host that it is about can do it is found out by the worker that asks it.
 * Pure: any thread. */

#include <string.h>

#include "daemon/move-type.h"
#include "daemon/request-private.h"
#include "shared/enums.h"

#define RESOURCE "NewResourceSettingData"

/* CIM_ResourceAllocationSettingData.ResourceType */
static bool is_network(uint16_t type) {
        return type == 10 || type == 33;
}

static bool is_mac(const char *text) {
        if (strlen(text) != 17)
                return false;

        for (size_t i = 0; i < 17; i++)
                if (i % 3 == 2 ? text[i] != ':' : !g_ascii_isxdigit(text[i]))
                        return false;

        return true;
}

static bool is_target(const char *text) {
        size_t length = strlen(text);

        if (g_str_equal(text, VSM_DISK_WISH_ALL))
                return true;

        for (const char *p = text; *p; p++)
                if (!g_ascii_isalnum(*p))
                        return false;

        return length > 0 && length <= 32;
}

/* The one element of a list, or NULL. */
static char* first_of(GVariant *dict, const char *key) {
        g_auto(GStrv) list = NULL;

        if (!g_variant_lookup(dict, key, "^as", &list) || !list[0])
                return NULL;

        return g_strdup(list[0]);
}

/* ---- form ---- */

static bool check_key_of(GVariant *dict, size_t i, const char *key, const char *of, GError **error) {
        if (vsm_request_dict_has(dict, key))
                return INVALID(error, RESOURCE "[%zu]: %s is a key of a %s.", i, key, of);

        return true;
}

static bool read_network(VsmChanges *changes, GVariant *dict, size_t i, const char *id, GError **error) {
        g_autofree char *name = first_of(dict, "Connection");

        if (!check_key_of(dict, i, "HostResource", "disk", error) || !check_key_of(dict, i, "PoolID", "disk", error))
                return false;
        if (!is_mac(id))
                return INVALID(error, RESOURCE "[%zu]: InstanceID must be the interface's MAC address with "
                               "ResourceType 10 or 33 (network).", i);
        if (!name)
                return INVALID(error, RESOURCE "[%zu]: Connection is missing.", i);

        for (guint j = 0; j < changes->networks->len; j++) {
                const VsmNetworkWish *other = changes->networks->pdata[j];

                if (g_ascii_strcasecmp(other->mac, id) == 0)
                        return INVALID(error, RESOURCE "[%zu]: InstanceID is that of an earlier one.", i);
        }

        g_ptr_array_add(changes->networks, vsm_network_wish_new(id, name));
        return true;
}

/* Where the files of all disks go is a directory; where one goes is none. */
static bool check_disk_path(const char *target, const char *path, size_t i, GError **error) {
        if (path && !g_str_equal(target, VSM_DISK_WISH_ALL) && g_str_has_suffix(path, "/"))
                return INVALID(error, RESOURCE "[%zu]: HostResource must be the path of a file or block device, "
                               "without \"/\" at its end.", i);

        return true;
}

static bool read_disk(VsmChanges *changes, GVariant *dict, size_t i, const char *id, GError **error) {
        g_autofree char *path = first_of(dict, "HostResource"), *pool = NULL;

        (void) g_variant_lookup(dict, "PoolID", "s", &pool);

        if (!check_key_of(dict, i, "Connection", "network", error))
                return false;
        if (!is_target(id))
                return INVALID(error, RESOURCE "[%zu]: InstanceID must be the disk's target, as \"vda\", or \"*\" "
                               "for all that are not named, with ResourceType 17 or 31 (disk).", i);
        if (!check_disk_path(id, path, i, error))
                return false;

        for (guint j = 0; changes->disks && j < changes->disks->len; j++) {
                const VsmDiskWish *other = changes->disks->pdata[j];

                if (g_str_equal(other->target, id))
                        return INVALID(error, RESOURCE "[%zu]: InstanceID is that of an earlier one.", i);
        }

        /* a directory is one with and without it */
        if (path && strlen(path) > 1 && g_str_has_suffix(path, "/"))
                path[strlen(path) - 1] = '\0';

        vsm_changes_add_disk(changes, vsm_disk_wish_new(id, path, pool));
        return true;
}

static bool read_resources(VsmRequest *request, GError **error) {
        size_t n = g_variant_n_children(request->resources);

        for (size_t i = 0; i < n; i++) {
                g_autoptr(GVariant) dict = g_variant_get_child_value(request->resources, i);
                const char *id = NULL;
                uint16_t type = 0;
                bool ok;

                /* both are required by the table */
                (void) g_variant_lookup(dict, "ResourceType", "q", &type);
                (void) g_variant_lookup(dict, "InstanceID", "&s", &id);

                ok = is_network(type) ? read_network(request->changes, dict, i, id, error) :
                        read_disk(request->changes, dict, i, id, error);
                if (!ok)
                        return false;
        }

        return true;
}

static bool flag(GVariant *dict, const char *key, bool otherwise) {
        gboolean value = otherwise;

        (void) g_variant_lookup(dict, key, "b", &value);
        return value;
}

static void read_volumes(VsmRequest *request) {
        g_autoptr(GVariant) list = g_variant_lookup_value(request->accepted, "UnmanagedVhds", NULL);
        size_t n = list ? g_variant_n_children(list) : 0;

        for (size_t i = 0; i < n; i++) {
                g_autoptr(GVariant) dict = g_variant_get_child_value(list, i);
                const char *source = NULL, *path = NULL;

                (void) g_variant_lookup(dict, "VhdSourcePath", "&s", &source);
                (void) g_variant_lookup(dict, "VhdDestinationPath", "&s", &path);
                g_ptr_array_add(request->changes->volumes, vsm_volume_wish_new(source, path));
        }
}

bool vsm_request_read_changes(VsmRequest *request, GError **error) {
        VsmChanges *changes = request->changes = vsm_changes_new();
        bool avoid = flag(request->accepted, "AvoidRemovingVHDs", false);
        gboolean autostart;

        (void) g_variant_lookup(request->system, "ElementName", "s", &changes->name);
        (void) g_variant_lookup(request->system, "Description", "s", &changes->description);
        if (g_variant_lookup(request->system, "AutomaticStart", "b", &autostart))
                changes->autostart = autostart;

        changes->planned = g_strdup(request->planned_id);
        changes->keep_copies = avoid;
        changes->overwrite = flag(request->accepted, "AllowOverwriteExistingFile", false);
        changes->remove_source = !avoid && !flag(request->accepted, "RetainVhdCopiesOnSource", true);
        changes->remove_source_volumes = !avoid && flag(request->accepted, "RemoveSourceUnmanagedVhds", false);

        read_volumes(request);
        return read_resources(request, error);
}

/* ---- what does not go together ---- */

/* Places that are named: two things cannot be in one. */
static bool check_places(const VsmChanges *changes, GError **error) {
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

        for (guint i = 0; changes->disks && i < changes->disks->len; i++) {
                const VsmDiskWish *wish = changes->disks->pdata[i];

                if (wish->path && !g_str_equal(wish->target, VSM_DISK_WISH_ALL) &&
                    !g_hash_table_add(seen, wish->path))
                        return INCOMPATIBLE(error, "HostResource of disk %s is a place that another disk goes to.",
                                            wish->target);
        }

        for (guint i = 0; i < changes->volumes->len; i++) {
                const VsmVolumeWish *wish = changes->volumes->pdata[i];

                if (!g_hash_table_add(seen, wish->path))
                        return INCOMPATIBLE(error, "UnmanagedVhds[%u]: VhdDestinationPath is a place that another "
                                            "disk or volume goes to.", i);
        }

        return true;
}

/* Where the system stays on this host, its definition is not sent through a migration. */
static bool check_storage(const VsmRequest *request, GError **error) {
        for (size_t i = 0; i < g_variant_n_children(request->system); i++) {
                g_autoptr(GVariant) entry = g_variant_get_child_value(request->system, i);
                const char *key;

                g_variant_get_child(entry, 0, "&s", &key);
                return INCOMPATIBLE(error, "%s in NewSystemSettingData does not go with MigrationType 32769 "
                                    "(storage): the system itself stays as it is.", key);
        }

        if (request->changes->networks->len > 0)
                return INCOMPATIBLE(error, "A network in " RESOURCE " does not go with MigrationType 32769 "
                                    "(storage): the system itself stays as it is.");

        return true;
}

static bool takes_planned(uint16_t type) {
        return type == VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM || type == VSM_MIGRATION_TYPE_SYSTEM_AND_STORAGE ||
                type == VSM_MIGRATION_TYPE_STORAGE_DEEP_CHECK;
}

bool vsm_request_check_changes(const VsmRequest *request, GError **error) {
        const VsmMoveType *type = vsm_move_type(request->migration_type);
        const VsmChanges *changes = request->changes;
        const char *word = vsm_migration_type_to_string(request->migration_type);

        if (changes->disks && !type->takes_disks)
                return INCOMPATIBLE(error, "A disk in " RESOURCE " does not go with MigrationType %u (%s), which "
                                    "moves none; 32771 (live-and-storage) does.", request->migration_type, word);

        if (changes->volumes->len > 0 && !type->takes_volumes)
                return INCOMPATIBLE(error, "UnmanagedVhds does not go with MigrationType %u (%s), which copies no "
                                    "volumes.", request->migration_type, word);

        if (changes->planned && !takes_planned(request->migration_type))
                return INCOMPATIBLE(error, "DestinationPlannedVirtualSystemId does not go with MigrationType %u "
                                    "(%s), but with 32768 (live) and 32771 (live-and-storage).",
                                    request->migration_type, word);

        if (request->migration_type == VSM_MIGRATION_TYPE_STORAGE && !check_storage(request, error))
                return false;

        return check_places(changes, error);
}
