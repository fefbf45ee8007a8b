/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Pure: any thread. */

#include "daemon/changes.h"

static void disk_free(void *p) {
        VsmDiskWish *wish = p;

        g_free(wish->target);
        g_free(wish->path);
        g_free(wish->pool);
        g_free(wish);
}

static void network_free(void *p) {
        VsmNetworkWish *wish = p;

        g_free(wish->mac);
        g_free(wish->name);
        g_free(wish);
}

static void volume_free(void *p) {
        VsmVolumeWish *wish = p;

        g_free(wish->source);
        g_free(wish->path);
        g_free(wish);
}

VsmDiskWish* vsm_disk_wish_new(const char *target, const char *path, const char *pool) {
        VsmDiskWish *wish = g_new0(VsmDiskWish, 1);

        wish->target = g_strdup(target);
        wish->path = path && *path ? g_strdup(path) : NULL;
        wish->pool = pool && *pool ? g_strdup(pool) : NULL;
        return wish;
}

VsmNetworkWish* vsm_network_wish_new(const char *mac, const char *name) {
        VsmNetworkWish *wish = g_new0(VsmNetworkWish, 1);

        wish->mac = g_ascii_strdown(mac, -1);
        wish->name = g_strdup(name);
        return wish;
}

VsmVolumeWish* vsm_volume_wish_new(const char *source, const char *path) {
        VsmVolumeWish *wish = g_new0(VsmVolumeWish, 1);

        wish->source = g_strdup(source);
        wish->path = g_strdup(path);
        return wish;
}

void vsm_changes_add_disk(VsmChanges *changes, VsmDiskWish *wish) {
        if (!changes->disks)
                changes->disks = g_ptr_array_new_with_free_func(disk_free);

        g_ptr_array_add(changes->disks, wish);
}

VsmChanges* vsm_changes_new(void) {
        VsmChanges *changes = g_new0(VsmChanges, 1);

        changes->autostart = -1;
        changes->networks = g_ptr_array_new_with_free_func(network_free);
        changes->volumes = g_ptr_array_new_with_free_func(volume_free);
        return changes;
}

static void* copy_disk(const void *p, void *userdata G_GNUC_UNUSED) {
        const VsmDiskWish *wish = p;

        return vsm_disk_wish_new(wish->target, wish->path, wish->pool);
}

static void* copy_network(const void *p, void *userdata G_GNUC_UNUSED) {
        const VsmNetworkWish *wish = p;

        return vsm_network_wish_new(wish->mac, wish->name);
}

static void* copy_volume(const void *p, void *userdata G_GNUC_UNUSED) {
        const VsmVolumeWish *wish = p;

        return vsm_volume_wish_new(wish->source, wish->path);
}

static GPtrArray* copy_array(GPtrArray *array, GCopyFunc copy, GDestroyNotify element_free) {
        GPtrArray *result;

        if (!array)
                return NULL;

        result = g_ptr_array_copy(array, copy, NULL);
        g_ptr_array_set_free_func(result, element_free);
        return result;
}

VsmChanges* vsm_changes_copy(const VsmChanges *changes) {
        VsmChanges *copy;

        if (!changes)
                return NULL;

        copy = g_memdup2(changes, sizeof *changes);
        copy->name = g_strdup(changes->name);
        copy->description = g_strdup(changes->description);
        copy->planned = g_strdup(changes->planned);
        copy->disks = copy_array(changes->disks, copy_disk, disk_free);
        copy->networks = copy_array(changes->networks, copy_network, network_free);
        copy->volumes = copy_array(changes->volumes, copy_volume, volume_free);
        return copy;
}

void vsm_changes_free(VsmChanges *changes) {
        if (!changes)
                return;

        g_free(changes->name);
        g_free(changes->description);
        g_free(changes->planned);
        g_clear_pointer(&changes->disks, g_ptr_array_unref);
        g_clear_pointer(&changes->networks, g_ptr_array_unref);
        g_clear_pointer(&changes->volumes, g_ptr_array_unref);
        g_free(changes);
}

bool vsm_changes_touch_definition(const VsmChanges *changes) {
        return changes->name || changes->description || changes->networks->len > 0;
}

static void append_path(GString *out, GHashTable *seen, const char *path) {
        if (!path || !g_hash_table_add(seen, (void*) path))
                return;

        if (out->len > 0)
                g_string_append_c(out, '\n');
        g_string_append(out, path);
}

char* vsm_changes_format_paths(const VsmChanges *changes) {
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
        g_autoptr(GString) out = g_string_new(NULL);

        for (guint i = 0; changes->disks && i < changes->disks->len; i++)
                append_path(out, seen, ((const VsmDiskWish*) changes->disks->pdata[i])->path);

        for (guint i = 0; i < changes->volumes->len; i++) {
                const VsmVolumeWish *wish = changes->volumes->pdata[i];

                append_path(out, seen, wish->source);
                append_path(out, seen, wish->path);
        }

        return out->len > 0 ? g_string_free(g_steal_pointer(&out), FALSE) : NULL;
}
