/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a volume is: libvirt's description of it. Workers. */

#include <string.h>

#include "daemon/virt/volume.h"
#include "daemon/virt/xml.h"
#include "shared/error.h"

#define VOLUME_XML_MAX (1024 * 1024)

void vsm_volume_free(VsmVolume *volume) {
        if (!volume)
                return;

        g_free(volume->path);
        g_free(volume->pool);
        g_free(volume->name);
        g_free(volume->format);
        g_free(volume->backing);
        g_free(volume->backing_format);
        g_free(volume->mode);
        g_free(volume->owner);
        g_free(volume->group);
        g_free(volume->label);
        g_free(volume->compat);
        g_free(volume->cluster_size);
        g_free(volume);
}

static char *child_content(const xmlNode *parent, const char *name) {
        return parent ? vsm_xml_content(vsm_xml_child(parent, name, NULL)) : NULL;
}

/* libvirt tells sizes in bytes. */
static uint64_t child_number(const xmlNode *parent, const char *name) {
        g_autofree char *text = child_content(parent, name);
        guint64 number;

        return text && g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &number, NULL) ? number : 0;
}

/* "1341933637.273190990" in µs */
static int64_t child_time(const xmlNode *parent, const char *name) {
        g_autofree char *text = child_content(parent, name);
        char *end = NULL;
        gint64 seconds = text ? g_ascii_strtoll(text, &end, 10) : 0;

        if (seconds <= 0 || !end)
                return 0;

        return seconds * G_USEC_PER_SEC +
               (*end == '.' ? (int64_t) (g_ascii_strtod(end, NULL) * G_USEC_PER_SEC) : 0);
}

static char *child_type(const xmlNode *parent) {
        return parent ? vsm_xml_attribute(vsm_xml_child(parent, "format", NULL), "type") : NULL;
}

static void read_target(const xmlNode *target, VsmVolume *volume) {
        const xmlNode *permissions = vsm_xml_child(target, "permissions", NULL);

        volume->path = child_content(target, "path");
        volume->format = child_type(target);
        volume->compat = child_content(target, "compat");
        volume->cluster_size = child_content(target, "clusterSize");
        volume->mode = child_content(permissions, "mode");
        volume->owner = child_content(permissions, "owner");
        volume->group = child_content(permissions, "group");
        volume->label = child_content(permissions, "label");
        volume->changed = child_time(vsm_xml_child(target, "timestamps", NULL), "mtime");
}

VsmVolume *vsm_volume_from_xml(const char *xml, GError **error) {
        g_autoptr(xmlDoc) doc = vsm_xml_parse(xml, VOLUME_XML_MAX, error);
        g_autoptr(VsmVolume) volume = g_new0(VsmVolume, 1);
        const xmlNode *root, *target, *backing;

        if (!doc)
                return NULL;

        root = xmlDocGetRootElement(doc);
        target = vsm_xml_is(root, "volume") ? vsm_xml_child(root, "target", NULL) : NULL;
        if (target)
                read_target(target, volume);
        volume->name = child_content(root, "name");
        if (!volume->path || !volume->name) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "A storage volume's description is none");
                return NULL;
        }

        volume->block = vsm_xml_attribute_is(root, "type", "block");
        volume->capacity = child_number(root, "capacity");
        volume->allocation = child_number(root, "allocation");
        volume->physical = child_number(root, "physical");
        if (!volume->format)
                volume->format = g_strdup("raw");

        backing = vsm_xml_child(root, "backingStore", NULL);
        volume->backing = child_content(backing, "path");
        volume->backing_format = child_type(backing);

        return g_steal_pointer(&volume);
}

static bool describe(virStorageVolPtr handle, const char *path, VsmVolume **ret, GError **error) {
        g_autoptr(virStoragePool) pool = NULL;
        g_autofree char *xml = NULL;
        virStorageVolInfo info;

        if (virStorageVolGetInfo(handle, &info) < 0 || !(xml = virStorageVolGetXMLDesc(handle, 0)) ||
            !(pool = virStoragePoolLookupByVolume(handle))) {
                /* it is in the pool's list, and not in its folder any more */
                if (virGetLastErrorCode() == VIR_ERR_NO_STORAGE_VOL)
                        return true;

                vsm_virt_error(error, "Cannot look at the storage volume '%s'", path);
                return false;
        }

        if (info.type != VIR_STORAGE_VOL_FILE && info.type != VIR_STORAGE_VOL_BLOCK) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "'%s' is neither a regular file nor a block device", path);
                return false;
        }

        *ret = vsm_volume_from_xml(xml, error);
        if (!*ret)
                return false;

        (*ret)->pool = g_strdup(virStoragePoolGetName(pool));
        return true;
}

bool vsm_volume_look(virConnectPtr connection, const char *path, VsmVolume **ret, GError **error) {
        g_autoptr(virStorageVol) handle = virStorageVolLookupByPath(connection, path);

        *ret = NULL;
        if (handle)
                return describe(handle, path, ret, error);

        if (virGetLastErrorCode() == VIR_ERR_NO_STORAGE_VOL || virGetLastErrorCode() == VIR_ERR_NO_SUPPORT)
                return true;

        vsm_virt_error(error, "Cannot look up the storage volume '%s'", path);
        return false;
}

/* libvirt looks at a file anew whenever it is asked for it, at a logical volume only when its pool is refreshed:
 * its device was changed last when somebody who could write to it closed it. */
static bool refresh_logical(virConnectPtr connection, const VsmVolume *volume) {
        g_autoptr(VsmPool) description = volume->block ? vsm_pool_look(connection, volume->pool) : NULL;
        g_autoptr(virStoragePool) pool = NULL;

        if (!description || description->kind != VSM_POOL_LOGICAL)
                return false;

        pool = virStoragePoolLookupByName(connection, volume->pool);
        return pool && virStoragePoolRefresh(pool, 0) >= 0;
}

bool vsm_volume_changed(virConnectPtr connection, const char *path, int64_t *ret, GError **error) {
        g_autoptr(VsmVolume) volume = NULL;

        if (!vsm_volume_look(connection, path, &volume, error))
                return false;

        if (volume && refresh_logical(connection, volume)) {
                g_clear_pointer(&volume, vsm_volume_free);
                if (!vsm_volume_look(connection, path, &volume, error))
                        return false;
        }

        if (!volume) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS, "There is no volume '%s' any more",
                            path);
                return false;
        }

        *ret = volume->changed;
        return true;
}
