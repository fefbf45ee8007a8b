/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The guest's disks: what of them keeps it here, and whether the other host has them. Nothing is refreshed
 * there: a check changes nothing. Workers. */

#include <string.h>

#include "daemon/virt/check.h"
#include "shared/error.h"

/* ---- here ---- */

bool vsm_check_transient_disks(VsmCheck *check, GError **error) {
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_DISK, need));)
                if (strcmp(need->detail, "transient") == 0)
                        vsm_reasons_add(check->reasons, "transient-disk", need->name, NULL, check->name, NULL);

        return true;
}

bool vsm_check_block_jobs(VsmCheck *check, GError **error) {
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_DISK, need));) {
                virDomainBlockJobInfo info;

                /* For an empty drive this fails. What it cannot tell for others, the dry run finds. */
                if (virDomainGetBlockJobInfo(check->domain, need->name, &info, 0) > 0)
                        vsm_reasons_add(check->reasons, "block-job-running", need->name, NULL, check->name, NULL);
        }

        return true;
}

/* ---- there ---- */

/* It goes along: what has to be there for that is the plan's to say. */
static bool is_copied(const VsmCheck *check, const VsmNeed *need) {
        return check->copied && need->device && g_strv_contains((const char *const *) check->copied, need->device);
}

/* A volume of an active pool there, as that pool was last refreshed. */
static void check_path(VsmCheck *check, const VsmNeed *need, const char *what) {
        g_autoptr(virStorageVol) volume = NULL;

        if (is_copied(check, need))
                return;

        volume = virStorageVolLookupByPath(check->there, need->name);
        if (volume)
                return;

        if (virGetLastErrorCode() == VIR_ERR_NO_STORAGE_VOL)
                vsm_check_not_verifiable(check, need->device, NULL,
                                         "whether host '%s' has the %s '%s': it is in no storage pool there",
                                         check->host, what, need->name);
        else
                vsm_check_not_told(check, need->device, "whether host '%s' has the %s '%s'", check->host, what,
                                   need->name);
}

bool vsm_check_files(VsmCheck *check, GError **error) {
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_FILE, need));)
                check_path(check, need, "file");
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_BLOCK, need));)
                check_path(check, need, "block device");

        return true;
}

static void check_volume(VsmCheck *check, const VsmNeed *need) {
        g_autoptr(virStoragePool) pool = virStoragePoolLookupByName(check->there, need->name);
        g_autoptr(virStorageVol) volume = NULL;
        int active = pool ? virStoragePoolIsActive(pool) : 0;

        if (active < 0 || (!pool && virGetLastErrorCode() != VIR_ERR_NO_STORAGE_POOL)) {
                vsm_check_not_told(check, need->device, "whether host '%s' has the storage pool '%s'",
                                   check->host, need->name);
                return;
        }

        if (active == 0) {
                vsm_reasons_add(check->reasons, "pool-missing", need->device, NULL, check->host, need->name, NULL);
                return;
        }

        if (!need->detail)
                return;

        volume = virStorageVolLookupByName(pool, need->detail);
        if (volume)
                return;

        if (virGetLastErrorCode() == VIR_ERR_NO_STORAGE_VOL)
                /* the list of volumes from which it would be started there */
                vsm_reasons_add(check->reasons, "volume-missing", need->device, NULL, check->host, need->detail,
                                need->name, NULL);
        else
                vsm_check_not_told(check, need->device, "whether host '%s' has the volume '%s' in '%s'",
                                   check->host, need->detail, need->name);
}

bool vsm_check_volumes(VsmCheck *check, GError **error) {
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_VOLUME, need));)
                if (!is_copied(check, need))
                        check_volume(check, need);

        return true;
}

bool vsm_check_other_storage(VsmCheck *check, GError **error) {
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_STORAGE, need));)
                vsm_check_not_verifiable(check, need->device, NULL, "whether host '%s' reaches the storage '%s'",
                                         check->host, need->name);

        return true;
}

/* libvirt tells nobody which lock manager its hosts use. Without one, a guest that ran twice would
 * write twice. */
bool vsm_check_locks(VsmCheck *check, GError **error) {
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_DISK, need));) {
                if (strcmp(need->detail, "rw") != 0 && strcmp(need->detail, "shared") != 0)
                        continue;

                vsm_check_not_verifiable(check, check->host, NULL,
                                         "whether both hosts lock disks that are in use (lock_manager in "
                                         "qemu.conf)");
                break;
        }

        return true;
}
