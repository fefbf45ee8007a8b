/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which files of a host its domains refer to. Every absolute path in a definition counts, wherever it
 * stands: a kernel or a console's log is as bad a thing to overwrite as a disk. A file may have several
 * names, by symbolic links above all. Workers. */

#include <string.h>
#include <sys/stat.h>

#include "daemon/virt/definition.h"
#include "daemon/virt/volume.h"
#include "daemon/virt/xml.h"
#include "shared/error.h"

#define DEPTH_MAX 64  /* of elements */
#define CHAIN_MAX 256 /* of images; libvirt follows 200 */

typedef struct Uses {
        virConnectPtr connection;
        bool local;        /* it is this host's */
        GHashTable *paths; /* path -> name of the domain */
        const char *name;  /* of the one that is read */
} Uses;

/* Those of others have a host in their URI. */
static bool is_local(virConnectPtr connection) {
        char *text = virConnectGetURI(connection);
        g_autoptr(GUri) uri = text ? g_uri_parse(text, G_URI_FLAGS_NONE, NULL) : NULL;
        const char *host = uri ? g_uri_get_host(uri) : NULL;

        free(text);
        return uri && (!host || !*host);
}

static bool add_path(Uses *uses, const char *path) {
        char *trimmed = vsm_path_trim(path);

        if (g_hash_table_contains(uses->paths, trimmed)) {
                g_free(trimmed);
                return false;
        }

        return g_hash_table_insert(uses->paths, trimmed, g_strdup(uses->name));
}

/* Where a name of this host leads, when no pool knows it by that. NULL: nowhere else, or it cannot be seen. */
static char *real_path(const Uses *uses, const char *path) {
        char *real = uses->local ? realpath(path, NULL) : NULL;

        if (real && strcmp(real, path) == 0)
                g_clear_pointer(&real, free);
        return real;
}

/* What a stored definition does not tell: on what its images are based. */
static bool add_image(Uses *uses, const char *path, GError **error) {
        g_autofree char *next = g_strdup(path);

        for (unsigned i = 0; next && i < CHAIN_MAX; i++) {
                g_autoptr(VsmVolume) volume = NULL;
                g_autoptr(GError) local = NULL;
                char *below;

                (void) add_path(uses, next);
                if (!vsm_volume_look(uses->connection, next, &volume, &local)) {
                        /* a socket or a folder has nothing below it */
                        if (local->code == VSM_ERROR_INCOMPATIBLE_PARAMETERS)
                                return true;

                        g_propagate_error(error, g_steal_pointer(&local));
                        return false;
                }

                if (volume)
                        (void) add_path(uses, volume->path);
                below = volume ? g_steal_pointer(&volume->backing) : real_path(uses, next);
                g_free(next);
                next = below;
        }

        return true;
}

static bool add_volume(Uses *uses, const char *pool_name, const char *name, GError **error) {
        g_autoptr(virStoragePool) pool = virStoragePoolLookupByName(uses->connection, pool_name);
        g_autoptr(virStorageVol) volume = pool ? virStorageVolLookupByName(pool, name) : NULL;
        g_autofree char *path = volume ? virStorageVolGetPath(volume) : NULL;

        /* in a pool that is not active nothing is made or removed by us either */
        return !path || add_image(uses, path, error);
}

static bool read_element(Uses *uses, const xmlNode *node, unsigned depth, GError **error) {
        g_autofree char *pool = vsm_xml_attribute(node, "pool"), *volume = vsm_xml_attribute(node, "volume");
        bool is_source = vsm_xml_is(node, "source");

        if (depth > DEPTH_MAX || vsm_xml_is(node, "metadata"))
                return true;

        for (const xmlAttr *attribute = node->properties; attribute; attribute = attribute->next) {
                g_autofree char *value = vsm_xml_attribute(node, (const char *) attribute->name);
                bool is_image = is_source && (xmlStrEqual(attribute->name, BAD_CAST "file") ||
                                              xmlStrEqual(attribute->name, BAD_CAST "dev"));

                if (!value || *value != '/')
                        continue;
                if (!is_image)
                        (void) add_path(uses, value);
                else if (!add_image(uses, value, error))
                        return false;
        }

        if (pool && volume && !add_volume(uses, pool, volume, error))
                return false;

        for (const xmlNode *child = node->children; child; child = child->next) {
                if (child->type == XML_ELEMENT_NODE && !read_element(uses, child, depth + 1, error))
                        return false;
                if (child->type == XML_TEXT_NODE && child->content && *child->content == '/')
                        (void) add_path(uses, (const char *) child->content);
        }

        return true;
}

static bool read_text(Uses *uses, virDomainPtr domain, unsigned flags, GError **error) {
        g_autofree char *xml = virDomainGetXMLDesc(domain, flags);
        g_autoptr(xmlDoc) doc = NULL;

        if (!xml) {
                if (virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
                        return true;

                vsm_virt_error(error, "Cannot read which volumes system '%s' uses", uses->name);
                return false;
        }

        doc = vsm_xml_parse(xml, VSM_DEFINITION_MAX, error);
        return doc && read_element(uses, xmlDocGetRootElement(doc), 0, error);
}

/* What it uses now, and what it would use when it is started anew. */
static bool read_domain(Uses *uses, virDomainPtr domain, const char *except_uuid, GError **error) {
        char uuid[VIR_UUID_STRING_BUFLEN];

        if (virDomainGetUUIDString(domain, uuid) >= 0 && except_uuid &&
            g_ascii_strcasecmp(uuid, except_uuid) == 0)
                return true;

        uses->name = virDomainGetName(domain);
        return read_text(uses, domain, 0, error) && read_text(uses, domain, VIR_DOMAIN_XML_INACTIVE, error);
}

GHashTable *vsm_uses_read(virConnectPtr connection, const char *except_uuid, GError **error) {
        g_autoptr(GHashTable) paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        Uses uses = {.connection = connection, .local = is_local(connection), .paths = paths};
        virDomainPtr *domains = NULL;
        bool ok = true;
        int n;

        n = virConnectListAllDomains(connection, &domains, 0);
        if (n < 0) {
                vsm_virt_error(error, "Cannot list the systems that may use a volume");
                return NULL;
        }

        for (int i = 0; i < n; i++) {
                ok = ok && read_domain(&uses, domains[i], except_uuid, error);
                virDomainFree(domains[i]);
        }

        free(domains);
        return ok ? g_steal_pointer(&paths) : NULL;
}

/* Not everything can be looked at: another host's, what is behind a folder that this process may not enter, or
 * in /dev and /tmp, of which it has its own. There a folder on the way may be a link, and then the last part
 * is the same; a name that a pool has is no such way. */
static bool may_be_same(virConnectPtr connection, bool local, const char *path, const char *used, bool *ret,
                        GError **error) {
        g_autoptr(VsmVolume) volume = NULL;
        g_autoptr(GError) problem = NULL;
        struct stat one, other;

        *ret = false;
        if (local && stat(path, &one) >= 0 && stat(used, &other) >= 0) {
                *ret = one.st_dev == other.st_dev && one.st_ino == other.st_ino;
                return true;
        }

        if (g_strcmp0(strrchr(path, '/'), strrchr(used, '/')) != 0)
                return true;

        if (vsm_volume_look(connection, used, &volume, &problem)) {
                *ret = !volume;
                return true;
        }

        /* a socket or a folder is no volume */
        if (problem->code == VSM_ERROR_INCOMPATIBLE_PARAMETERS)
                return true;

        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
}

bool vsm_uses_find(GHashTable *uses, virConnectPtr connection, const char *path, const char **ret_by,
                   GError **error) {
        g_autofree char *trimmed = vsm_path_trim(path);
        bool local = is_local(connection), same = false;
        gpointer used, by;
        GHashTableIter iter;

        *ret_by = g_hash_table_lookup(uses, trimmed);
        g_hash_table_iter_init(&iter, uses);
        while (!*ret_by && g_hash_table_iter_next(&iter, &used, &by)) {
                if (!may_be_same(connection, local, trimmed, used, &same, error))
                        return false;
                if (same)
                        *ret_by = by;
        }

        return true;
}

bool vsm_volume_in_use(virConnectPtr connection, const char *path, const char *except_uuid, bool *ret,
                       char **ret_by, GError **error) {
        g_autoptr(GHashTable) uses = vsm_uses_read(connection, except_uuid, error);
        const char *by;

        if (!uses || !vsm_uses_find(uses, connection, path, &by, error))
                return false;

        *ret = by;
        if (ret_by)
                *ret_by = g_strdup(by);
        return true;
}

/* ---- who writes ---- */

static bool writes(virDomainPtr domain, const VsmVolume *volume, bool *ret, GError **error) {
        g_autofree char *xml = virDomainGetXMLDesc(domain, 0);
        g_autoptr(GPtrArray) disks = NULL;

        if (!xml) {
                if (virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
                        return true;

                vsm_virt_error(error, "Cannot read whether a system writes to '%s'", volume->path);
                return false;
        }

        disks = vsm_disks_from_xml(xml, error);
        for (guint i = 0; disks && i < disks->len; i++) {
                const VsmDisk *disk = g_ptr_array_index(disks, i);

                if (!disk->readonly && (g_strcmp0(disk->source.path, volume->path) == 0 ||
                                        (g_strcmp0(disk->source.pool, volume->pool) == 0 &&
                                         g_strcmp0(disk->source.volume, volume->name) == 0)))
                        *ret = true;
        }

        return disks;
}

bool vsm_volume_is_written(virConnectPtr connection, const VsmVolume *volume, bool *ret, char **ret_by,
                           GError **error) {
        virDomainPtr *domains = NULL;
        bool ok = true;
        int n;

        *ret = false;
        *ret_by = NULL;
        n = virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
        if (n < 0) {
                vsm_virt_error(error, "Cannot list the systems that may use a volume");
                return false;
        }

        for (int i = 0; i < n; i++) {
                if (ok && !*ret) {
                        ok = writes(domains[i], volume, ret, error);
                        if (*ret)
                                *ret_by = g_strdup(virDomainGetName(domains[i]));
                }
                virDomainFree(domains[i]);
        }

        free(domains);
        return ok;
}
