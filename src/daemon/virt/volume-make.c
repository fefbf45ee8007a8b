/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Making and removing volumes. Workers. */

#include <string.h>

#include "daemon/virt/directory-pool.h"
#include "daemon/virt/volume.h"
#include "daemon/virt/xml.h"
#include "shared/error.h"

/* ---- what libvirt is told ---- */

static void put_format(xmlNode *parent, const char *format) {
        xmlNewProp(vsm_xml_add(parent, "format", NULL), BAD_CAST "type", BAD_CAST format);
}

/* The label is left to that host: that of a running guest's image names this guest's process here. */
static void put_permissions(xmlNode *target, const VsmVolume *like) {
        xmlNode *node;

        if (!like->mode && !like->owner && !like->group)
                return;

        node = vsm_xml_add(target, "permissions", NULL);
        if (like->mode)
                vsm_xml_add(node, "mode", like->mode);
        if (like->owner)
                vsm_xml_add(node, "owner", like->owner);
        if (like->group)
                vsm_xml_add(node, "group", like->group);
}

static void put_encryption(xmlNode *target, const VsmVolumeNew *wanted) {
        xmlNode *node = vsm_xml_add(target, "encryption", NULL), *secret;

        xmlNewProp(node, BAD_CAST "format", BAD_CAST wanted->encryption);
        if (!wanted->secret)
                return;

        secret = vsm_xml_add(node, "secret", NULL);
        xmlNewProp(secret, BAD_CAST "type", BAD_CAST "passphrase");
        xmlNewProp(secret, BAD_CAST "uuid", BAD_CAST wanted->secret);
}

char *vsm_volume_new_to_xml(const VsmVolumeNew *wanted) {
        g_autoptr(xmlDoc) doc = xmlNewDoc(BAD_CAST "1.0");
        xmlNode *root = xmlNewDocNode(doc, NULL, BAD_CAST "volume", NULL), *target, *backing;
        const VsmVolume *like = wanted->like;

        xmlDocSetRootElement(doc, root);
        vsm_xml_add(root, "name", wanted->name);
        vsm_xml_add_number(root, "capacity", wanted->capacity);
        vsm_xml_add_number(root, "allocation", 0); /* it grows; a logical volume has it all in any case */

        target = vsm_xml_add(root, "target", NULL);
        put_format(target, wanted->format);
        if (like)
                put_permissions(target, like);
        if (strcmp(wanted->format, "qcow2") == 0) {
                /* libvirt tells the old form by telling none, and makes that when it is told none */
                if (!like || like->compat)
                        vsm_xml_add(target, "compat", like ? like->compat : "1.1");
                if (like && like->cluster_size)
                        vsm_xml_add(target, "clusterSize", like->cluster_size);
        }
        if (wanted->encryption)
                put_encryption(target, wanted);

        if (wanted->backing) {
                backing = vsm_xml_add(root, "backingStore", NULL);
                vsm_xml_add(backing, "path", wanted->backing);
                put_format(backing, wanted->backing_format ?: "raw");
        }

        return vsm_xml_to_text(doc);
}

/* ---- making ---- */

/* The pool's list may be older than its folder. */
static bool exists(virStoragePoolPtr pool, const char *name) {
        g_autoptr(virStorageVol) before = virStorageVolLookupByName(pool, name), after = NULL;

        if (!before)
                return false;

        (void) virStoragePoolRefresh(pool, 0);
        after = virStorageVolLookupByName(pool, name);
        return after;
}

/* When libvirt refuses, it has made nothing, and whatever is there is somebody else's: nothing may be
 * removed by what is written down. When it went away meanwhile, nobody knows, and that stays. */
static void forget(virConnectPtr connection, const VsmJournal *journal, const VsmEffect *effect) {
        g_autoptr(GError) error = NULL;

        if (!journal || virConnectIsAlive(connection) != 1)
                return;

        if (!journal->forget(effect->id, journal->userdata, &error))
                g_warning("Cannot forget that '%s' was to be made: %s", effect->object, error->message);
}

static bool create_in(virConnectPtr connection, virStoragePoolPtr pool, bool there,
                      const VsmVolumeNew *wanted, const VsmJournal *journal, GError **error) {
        g_autofree char *xml = vsm_volume_new_to_xml(wanted), *path = NULL;
        g_autoptr(VsmEffect) effect = vsm_effect_new(VSM_EFFECT_VOLUME, there, wanted->path, wanted->pool);
        g_autoptr(virStorageVol) volume = NULL;

        if (exists(pool, wanted->name)) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS, "'%s' exists already",
                            wanted->path);
                return false;
        }

        if (journal && !journal->write(effect, journal->userdata, error))
                return false;

        volume = virStorageVolCreateXML(pool, xml, 0);
        if (!volume) {
                vsm_virt_error(error, "Cannot make the volume '%s' in '%s'", wanted->name, wanted->pool);
                forget(connection, journal, effect);
                return false;
        }

        /* where the plan says? Else the rollback would look for it in vain. */
        path = virStorageVolGetPath(volume);
        if (g_strcmp0(path, wanted->path) == 0)
                return true;

        g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "The storage pool '%s' made '%s' instead of '%s'",
                    wanted->pool, path ?: "?", wanted->path);
        if (virStorageVolDelete(volume, 0) >= 0)
                forget(connection, journal, effect);
        return false;
}

bool vsm_volume_create(virConnectPtr connection, bool there, const VsmVolumeNew *wanted,
                       const VsmJournal *journal, GError **error) {
        virStoragePoolPtr pool = vsm_pool_open(connection, wanted->pool, error);
        bool ok;

        if (!pool)
                return false;

        ok = create_in(connection, pool, there, wanted, journal, error);
        vsm_pool_close(pool, wanted->pool);
        return ok;
}

/* ---- removing ---- */

/* *ret NULL, and true, when it has gone. */
static bool find_in(virStoragePoolPtr pool, const char *path, virStorageVolPtr *ret, GError **error) {
        const char *name = strrchr(path, '/') + 1;
        g_autoptr(virStorageVol) volume = NULL;
        g_autofree char *its = NULL;
        virStorageVolInfo info;

        *ret = NULL;
        volume = virStorageVolLookupByName(pool, name);
        if (!volume && virGetLastErrorCode() == VIR_ERR_NO_STORAGE_VOL) {
                /* made shortly before the pool's daemon went, maybe */
                (void) virStoragePoolRefresh(pool, 0);
                volume = virStorageVolLookupByName(pool, name);
        }

        if (!volume) {
                if (virGetLastErrorCode() == VIR_ERR_NO_STORAGE_VOL)
                        return true;

                vsm_virt_error(error, "Cannot look up the volume '%s'", path);
                return false;
        }

        its = virStorageVolGetPath(volume);
        if (g_strcmp0(its, path) != 0 || virStorageVolGetInfo(volume, &info) < 0 ||
            (info.type != VIR_STORAGE_VOL_FILE && info.type != VIR_STORAGE_VOL_BLOCK)) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "'%s' is no volume of the storage pool '%s'", path, virStoragePoolGetName(pool));
                return false;
        }

        *ret = g_steal_pointer(&volume);
        return true;
}

static bool remove_from(virConnectPtr connection, virStoragePoolPtr pool, const char *path,
                        const char *except_uuid, GError **error) {
        g_autoptr(virStorageVol) volume = NULL;
        g_autofree char *by = NULL;
        bool used;

        if (!find_in(pool, path, &volume, error))
                return false;
        if (!volume)
                return true;

        if (!vsm_volume_in_use(connection, path, except_uuid, &used, &by, error))
                return false;
        if (used) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_SYSTEM_IN_USE,
                            "'%s' is not removed: system '%s' uses it", path, by);
                return false;
        }

        if (virStorageVolDelete(volume, 0) >= 0 || virGetLastErrorCode() == VIR_ERR_NO_STORAGE_VOL)
                return true;

        vsm_virt_error(error, "Cannot remove the volume '%s'", path);
        return false;
}

bool vsm_volume_remove(virConnectPtr connection, const char *path, const char *pool_name,
                       const char *except_uuid, GError **error) {
        g_autoptr(VsmVolume) volume = NULL;
        virStoragePoolPtr pool;
        bool ok;

        if (!vsm_path_check(path, error))
                return false;

        if (!pool_name || !*pool_name) {
                if (!vsm_volume_look(connection, path, &volume, error))
                        return false;
                if (!volume)
                        return true;
                pool_name = volume->pool;
        }

        pool = vsm_pool_open(connection, pool_name, error);
        if (!pool)
                return false;

        ok = remove_from(connection, pool, path, except_uuid, error);
        vsm_pool_close(pool, pool_name);
        return ok;
}
