/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Planned systems of this host: definitions with our mark. Reading the mark as the look at a domain needs
 * it, and removing one of them with what was made for it. Workers. */

#include "daemon/log.h"
#include "daemon/virt/mark.h"
#include "daemon/virt/planned.h"
#include "daemon/virt/volume.h"
#include "daemon/virt/xml.h"
#include "shared/error.h"
#include "shared/names.h"

/* What lies beside it was not made by placing it, and stays. Snapshots that somebody took of it are
 * nothing without the disks that go. */
#define UNDEFINE_FLAGS                                                                                      \
        (VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | VIR_DOMAIN_UNDEFINE_KEEP_TPM |                                    \
         VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA)

char *vsm_planned_source_from_metadata(const char *xml) {
        g_autoptr(xmlDoc) doc = vsm_xml_parse(xml, VSM_DEFINITION_MAX, NULL);
        const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;

        /* libvirt takes the namespace off */
        if (!root || !vsm_xml_is(root, VSM_METADATA_PLANNED_ELEMENT))
                return NULL;

        return vsm_xml_attribute(root, "source") ?: g_strdup("");
}

char *vsm_planned_source(virDomainPtr domain) {
        g_autofree char *xml = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT,
                                                    VSM_METADATA_PLANNED_URI, VIR_DOMAIN_AFFECT_CURRENT);

        return xml ? vsm_planned_source_from_metadata(xml) : NULL;
}

/* ---- removing ---- */

static bool refuse(const char *uuid, const char *why, GError **error) {
        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, "Planned system %s %s", uuid, why);
        return false;
}

/* Still planned, and never used? */
static bool look(virDomainPtr domain, const char *uuid, VsmPlanned **ret, GError **error) {
        int active, saved;

        active = virDomainIsActive(domain);
        saved = active < 0 ? -1 : virDomainHasManagedSaveImage(domain, 0);
        if (saved < 0) {
                vsm_virt_error(error, "Cannot look at planned system %s", uuid);
                return false;
        }

        if (active > 0)
                return refuse(uuid, "runs, or is just arriving", error);
        if (saved > 0)
                return refuse(uuid, "has a saved state: it was used", error);
        if (!vsm_mark_read(domain, ret, error)) {
                g_prefix_error(error, "Cannot look at planned system %s: ", uuid);
                return false;
        }
        if (!*ret)
                return refuse(uuid, "is not a planned one any more", error);

        return true;
}

static void tell(const char *uuid, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void tell(const char *uuid, const char *format, ...) {
        VsmLogContext context = {.system = uuid, .caller_uid = -1};
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        vsm_log_full(LOG_NOTICE, &context, "%s", text);
}

/* Whether the volume can be asked about at all: in a pool that is not active nothing is seen, and what is
 * not seen would be left behind for ever. *ret_skip: it is not ours to remove. */
static bool look_at_pool(virConnectPtr connection, const VsmPlannedVolume *volume, bool *ret_skip,
                         GError **error) {
        g_autoptr(virStoragePool) pool = NULL;
        int active;

        /* What a Staged move makes, it makes in pools: directories are known to the host itself only, and
         * nobody may name one in a mark. */
        *ret_skip = *volume->pool == '/';
        if (*ret_skip || !*volume->pool)
                return true;

        pool = virStoragePoolLookupByName(connection, volume->pool);
        *ret_skip = !pool && virGetLastErrorCode() == VIR_ERR_NO_STORAGE_POOL;
        if (*ret_skip)
                return true;

        active = pool ? virStoragePoolIsActive(pool) : -1;
        if (active < 0)
                vsm_virt_error(error, "libvirt does not tell of the storage pool '%s'", volume->pool);
        else if (active == 0)
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "The storage pool '%s' is not active; a volume of the planned system is in it",
                            volume->pool);

        return active == 1;
}

/* All of them are looked at before the first one goes: a refusal leaves everything as it was. */
static bool choose(virConnectPtr connection, const VsmPlanned *planned, const char *uuid, GPtrArray *ret,
                   GError **error) {
        for (guint i = 0; i < planned->volumes->len; i++) {
                VsmPlannedVolume *volume = g_ptr_array_index(planned->volumes, i);
                bool skip;

                if (!look_at_pool(connection, volume, &skip, error))
                        return false;

                if (skip)
                        tell(uuid, "Volume '%s' is kept: this host has no pool '%s'.", volume->path,
                             volume->pool);
                else
                        g_ptr_array_add(ret, volume);
        }

        return true;
}

static bool remove_volume(virConnectPtr connection, const VsmPlannedVolume *volume, const char *uuid,
                          GError **error) {
        g_autoptr(GError) local = NULL;

        if (vsm_volume_remove(connection, volume->path, volume->pool, uuid, &local)) {
                tell(uuid, "Volume '%s' was removed.", volume->path);
                return true;
        }

        /* somebody else's by now */
        if (local->code == VSM_ERROR_SYSTEM_IN_USE || local->code == VSM_ERROR_INCOMPATIBLE_PARAMETERS) {
                tell(uuid, "Volume '%s' is kept: %s.", volume->path, local->message);
                return true;
        }

        g_propagate_error(error, g_steal_pointer(&local));
        return false;
}

static bool undefine(virDomainPtr domain, const char *uuid, GError **error) {
        if (virDomainUndefineFlags(domain, UNDEFINE_FLAGS) >= 0 ||
            virGetLastErrorCode() == VIR_ERR_NO_DOMAIN) {
                tell(uuid, "The planned system was removed.");
                return true;
        }

        vsm_virt_error(error, "Cannot remove the definition of planned system %s", uuid);
        return false;
}

/* The definition last: as long as it is there it says what is still to be removed, and libvirt's hook
 * keeps it from being started. */
static bool destroy(virConnectPtr connection, virDomainPtr domain, const char *uuid, GError **error) {
        g_autoptr(VsmPlanned) planned = NULL, still = NULL;
        g_autoptr(GPtrArray) volumes = g_ptr_array_new();

        if (!look(domain, uuid, &planned, error) || !choose(connection, planned, uuid, volumes, error))
                return false;

        for (guint i = 0; i < volumes->len; i++)
                if (!remove_volume(connection, g_ptr_array_index(volumes, i), uuid, error))
                        return false;

        return look(domain, uuid, &still, error) && undefine(domain, uuid, error);
}

bool vsm_virt_destroy_planned(VsmVirt *virt, const char *uuid, GError **error) {
        g_autoptr(virConnect) connection = vsm_virt_open_own(virt, error);
        g_autoptr(virDomain) domain = NULL;

        if (!connection)
                return false;

        domain = vsm_domain_find(connection, uuid, error);
        return domain && destroy(connection, domain, uuid, error);
}
