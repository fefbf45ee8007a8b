/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Workers, several at once. */

#include "daemon/virt/directory-pool.h"
#include "daemon/virt/pool.h"
#include "daemon/virt/xml.h"
#include "shared/error.h"

static GMutex lock;
static GHashTable *users; /* directory -> number of those who have it open */

static virStoragePoolPtr find_directory(virConnectPtr connection, const char *directory) {
        g_autoptr(GPtrArray) pools = vsm_pools_list(connection, NULL, NULL);

        for (guint i = 0; pools && i < pools->len; i++) {
                const VsmPool *pool = g_ptr_array_index(pools, i);

                if (pool->kind == VSM_POOL_FILES && g_strcmp0(pool->target, directory) == 0)
                        return virStoragePoolLookupByName(connection, pool->name);
        }

        return NULL;
}

static char *directory_to_xml(const char *directory) {
        g_autoptr(xmlDoc) doc = xmlNewDoc(BAD_CAST "1.0");
        xmlNode *root = xmlNewDocNode(doc, NULL, BAD_CAST "pool", NULL);
        g_autofree char *uuid = g_uuid_string_random(), *name = g_strconcat(VSM_POOL_PREFIX, uuid, NULL);

        xmlDocSetRootElement(doc, root);
        xmlNewProp(root, BAD_CAST "type", BAD_CAST "dir");
        vsm_xml_add(root, "name", name);
        vsm_xml_add(vsm_xml_add(root, "target", NULL), "path", directory);
        return vsm_xml_to_text(doc);
}

/* lock is held */
static virStoragePoolPtr open_directory(virConnectPtr connection, const char *directory, GError **error) {
        /* one that an earlier daemon left, or that somebody made meanwhile: libvirt takes no second one */
        virStoragePoolPtr pool = find_directory(connection, directory);

        if (!pool) {
                g_autofree char *xml = directory_to_xml(directory);

                pool = virStoragePoolCreateXML(connection, xml, 0);
        }

        if (!pool)
                vsm_virt_error(error, "libvirt cannot use the directory '%s'", directory);
        return pool;
}

static virStoragePoolPtr open_active(virConnectPtr connection, const char *name, GError **error) {
        g_autoptr(virStoragePool) pool = virStoragePoolLookupByName(connection, name);

        if (!pool && virGetLastErrorCode() != VIR_ERR_NO_STORAGE_POOL) {
                vsm_virt_error(error, "Cannot look up the storage pool '%s'", name);
                return NULL;
        }

        if (!pool || virStoragePoolIsActive(pool) != 1) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "There is no active storage pool '%s'", name);
                return NULL;
        }

        return g_steal_pointer(&pool);
}

virStoragePoolPtr vsm_pool_open(virConnectPtr connection, const char *name, GError **error) {
        virStoragePoolPtr pool;
        unsigned n;

        if (*name != '/')
                return open_active(connection, name, error);

        g_mutex_lock(&lock);
        if (!users)
                users = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        pool = open_directory(connection, name, error);
        if (pool) {
                n = GPOINTER_TO_UINT(g_hash_table_lookup(users, name));
                g_hash_table_insert(users, g_strdup(name), GUINT_TO_POINTER(n + 1));
        }

        g_mutex_unlock(&lock);
        return pool;
}

void vsm_pool_close(virStoragePoolPtr pool, const char *name) {
        unsigned n;

        if (!pool)
                return;

        if (*name == '/') {
                g_mutex_lock(&lock);
                n = GPOINTER_TO_UINT(g_hash_table_lookup(users, name)) - 1;
                if (n > 0)
                        g_hash_table_insert(users, g_strdup(name), GUINT_TO_POINTER(n));
                else
                        g_hash_table_remove(users, name);

                /* only ours; files in it stay */
                if (n == 0 && vsm_pool_is_passing(virStoragePoolGetName(pool)))
                        (void) virStoragePoolDestroy(pool);
                g_mutex_unlock(&lock);
        }

        virStoragePoolFree(pool);
}
