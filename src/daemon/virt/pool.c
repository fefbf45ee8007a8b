/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Storage pools, and which paths are allowed. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/virt/pool.h"
#include "daemon/virt/xml.h"
#include "shared/error.h"

#define POOL_XML_MAX (1024 * 1024)

void vsm_pool_free(VsmPool *pool) {
        if (!pool)
                return;

        g_free(pool->name);
        g_free(pool->type);
        g_free(pool->target);
        g_free(pool);
}

static void pool_free(void *p) {
        vsm_pool_free(p);
}

static VsmPoolKind kind_of(const char *type) {
        static const struct {
                const char *type;
                VsmPoolKind kind;
        } kinds[] = {
                        {"dir", VSM_POOL_FILES},       {"fs", VSM_POOL_FILES},    {"netfs", VSM_POOL_FILES},
                        {"logical", VSM_POOL_LOGICAL}, {"disk", VSM_POOL_FIXED},  {"iscsi", VSM_POOL_FIXED},
                        {"scsi", VSM_POOL_FIXED},      {"mpath", VSM_POOL_FIXED}, {"zfs", VSM_POOL_FIXED},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
                if (g_strcmp0(type, kinds[i].type) == 0)
                        return kinds[i].kind;

        return VSM_POOL_OTHER;
}

char *vsm_path_trim(const char *path) {
        g_auto(GStrv) parts = g_strsplit(path, "/", -1);
        GString *text = g_string_new(NULL);

        for (char **part = parts; *part; part++)
                if (**part)
                        g_string_append_printf(text, "/%s", *part);

        return g_string_free(text, FALSE);
}

VsmPool *vsm_pool_from_xml(const char *xml, GError **error) {
        g_autoptr(xmlDoc) doc = vsm_xml_parse(xml, POOL_XML_MAX, error);
        g_autofree char *name = NULL, *path = NULL, *available = NULL;
        const xmlNode *root, *target;
        VsmPool *pool;

        if (!doc)
                return NULL;

        root = xmlDocGetRootElement(doc);
        name = vsm_xml_content(vsm_xml_child(root, "name", NULL));
        if (!vsm_xml_is(root, "pool") || !name) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "A storage pool's description is none");
                return NULL;
        }

        target = vsm_xml_child(root, "target", NULL);
        path = target ? vsm_xml_content(vsm_xml_child(target, "path", NULL)) : NULL;
        available = vsm_xml_content(vsm_xml_child(root, "available", NULL));

        pool = g_new0(VsmPool, 1);
        pool->name = g_steal_pointer(&name);
        pool->type = vsm_xml_attribute(root, "type");
        pool->kind = path ? kind_of(pool->type) : VSM_POOL_OTHER;
        pool->target = path ? vsm_path_trim(path) : NULL;
        if (!available || !g_ascii_string_to_unsigned(available, 10, 0, G_MAXUINT64, &pool->available, NULL))
                pool->available = 0;

        return pool;
}

static int compare_names(const void *a, const void *b) {
        const VsmPool *one = *(VsmPool *const *) a, *other = *(VsmPool *const *) b;

        return strcmp(one->name, other->name);
}

static void add_directory(GPtrArray *pools, const char *directory) {
        VsmPool *pool = g_new0(VsmPool, 1);
        struct statvfs st;

        *pool = (VsmPool){
                        .name = vsm_path_trim(directory),
                        .kind = VSM_POOL_FILES,
                        .type = g_strdup("dir"),
                        .target = vsm_path_trim(directory),
                        .configured = true,
        };

        /* one that this process cannot see into may have any room: libvirt will tell */
        if (statvfs(directory, &st) == 0)
                pool->available = (uint64_t) st.f_bavail * st.f_frsize;
        else
                pool->available = errno == ENOENT ? 0 : G_MAXUINT64;

        g_ptr_array_add(pools, pool);
}

GPtrArray *vsm_pools_list(virConnectPtr connection, char **directories, GError **error) {
        g_autoptr(GPtrArray) pools = g_ptr_array_new_with_free_func(pool_free);
        virStoragePoolPtr *list = NULL;
        int n;

        n = virConnectListAllStoragePools(connection, &list, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE);
        if (n < 0 && virGetLastErrorCode() != VIR_ERR_NO_SUPPORT) {
                vsm_virt_error(error, "Cannot list the storage pools");
                return NULL;
        }

        for (int i = 0; i < n; i++) {
                g_autofree char *xml = virStoragePoolGetXMLDesc(list[i], 0);
                VsmPool *pool = xml ? vsm_pool_from_xml(xml, NULL) : NULL;

                /* one that went meanwhile is none */
                if (pool)
                        g_ptr_array_add(pools, pool);
                virStoragePoolFree(list[i]);
        }

        free(list);
        g_ptr_array_sort(pools, compare_names);
        for (char **directory = directories; directory && *directory; directory++)
                add_directory(pools, *directory);

        return g_steal_pointer(&pools);
}

VsmPool *vsm_pool_look(virConnectPtr connection, const char *name) {
        g_autoptr(virStoragePool) pool = virStoragePoolLookupByName(connection, name);
        g_autofree char *xml = pool ? virStoragePoolGetXMLDesc(pool, 0) : NULL;

        return xml ? vsm_pool_from_xml(xml, NULL) : NULL;
}

/* ---- pure ---- */

bool vsm_pool_is_on_network(const VsmPool *pool) {
        static const char *const types[] = {"iscsi", "iscsi-direct", "scsi",  "mpath", "rbd",
                                            "gluster", "sheepdog",   "netfs", NULL};

        return pool->type && g_strv_contains(types, pool->type);
}

/* An administrator's pool may begin with the same word. */
bool vsm_pool_is_passing(const char *name) {
        return g_str_has_prefix(name, VSM_POOL_PREFIX) && g_uuid_string_is_valid(name + strlen(VSM_POOL_PREFIX));
}

VsmPool *vsm_pools_find(GPtrArray *pools, const char *name) {
        for (guint i = 0; i < pools->len; i++) {
                VsmPool *pool = g_ptr_array_index(pools, i);

                if (strcmp(pool->name, name) == 0 && !vsm_pool_is_passing(name))
                        return pool;
        }

        return NULL;
}

bool vsm_path_check(const char *path, GError **error) {
        g_auto(GStrv) parts = NULL;
        bool ok = *path == '/' && path[1] && strlen(path) < PATH_MAX && g_utf8_validate(path, -1, NULL);

        for (const char *p = path; ok && *p; p++)
                ok = !g_ascii_iscntrl(*p);

        parts = g_strsplit(ok ? path + 1 : "", "/", -1);
        for (char **part = parts; ok && *part; part++)
                ok = **part && strcmp(*part, ".") != 0 && strcmp(*part, "..") != 0;

        if (!ok)
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "A path must be absolute, without empty parts, '.' and '..'");
        return ok;
}

VsmPool *vsm_pools_find_path(GPtrArray *pools, const char *path, const char **ret_name) {
        const char *slash = strrchr(path, '/');
        size_t length = (size_t) (slash - path);

        *ret_name = slash + 1;

        for (guint i = 0; i < pools->len; i++) {
                VsmPool *pool = g_ptr_array_index(pools, i);

                if ((pool->kind == VSM_POOL_FILES || pool->kind == VSM_POOL_LOGICAL) && !pool->configured &&
                    !vsm_pool_is_passing(pool->name) && strlen(pool->target) == length &&
                    memcmp(pool->target, path, length) == 0)
                        return pool;
        }

        /* any depth below those that the administrator named */
        for (guint i = 0; i < pools->len; i++) {
                VsmPool *pool = g_ptr_array_index(pools, i);
                size_t its = pool->configured ? strlen(pool->target) : 0;

                if (pool->configured && its <= length && memcmp(pool->target, path, its) == 0 &&
                    path[its] == '/')
                        return pool;
        }

        return NULL;
}

uint64_t vsm_pool_needs(const VsmPool *pool, uint64_t allocation, uint64_t capacity) {
        return pool->kind == VSM_POOL_LOGICAL ? capacity : allocation;
}

VsmPool *vsm_pools_choose(GPtrArray *pools, const char *preferred, const char *except, uint64_t allocation,
                          uint64_t capacity) {
        VsmPool *best = NULL;

        for (guint i = 0; i < pools->len; i++) {
                VsmPool *pool = g_ptr_array_index(pools, i);

                if ((pool->kind != VSM_POOL_FILES && pool->kind != VSM_POOL_LOGICAL) || pool->configured ||
                    vsm_pool_is_passing(pool->name) || g_strcmp0(pool->name, except) == 0 ||
                    pool->available < vsm_pool_needs(pool, allocation, capacity))
                        continue;

                if (g_strcmp0(pool->name, preferred) == 0)
                        return pool;

                if (!best || pool->available > best->available)
                        best = pool;
        }

        return best;
}

/* ---- files ---- */

static bool refuse(const char *path, const char *why, GError **error) {
        g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS, "'%s' %s", path, why);
        return false;
}

/* Part by part, none of them followed: who can rename folders on the way cannot lead elsewhere meanwhile. To
 * be allowed to search a folder (mode 0711) is enough for O_PATH. */
bool vsm_path_look(const char *folder, const char *path, bool strict, bool *ret_exists, GError **error) {
        const char *below = path + strlen(folder);
        g_auto(GStrv) parts = g_strsplit(*below == '/' ? below + 1 : below, "/", -1);
        int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct stat st = {};
        bool seen = fd >= 0, absent = false;

        for (char **part = parts; seen && *part; part++) {
                int next = openat(fd, *part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
                int problem = errno;

                (void) close(fd);
                fd = next;
                seen = fd >= 0 && fstat(fd, &st) >= 0;
                absent = fd < 0 && problem == ENOENT && !part[1];
                if (seen && S_ISLNK(st.st_mode)) {
                        (void) close(fd);
                        return refuse(path, "is a symbolic link, or lies behind one", error);
                }
        }

        if (fd >= 0)
                (void) close(fd);
        if (ret_exists)
                *ret_exists = seen;
        if (strict && !seen && !absent)
                return refuse(path, "lies in a folder that is not there, or that this service may not enter", error);
        if (seen && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
                return refuse(path, "is neither a regular file nor a block device", error);

        return true;
}
