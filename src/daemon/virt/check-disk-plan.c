/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What would be different about the guest there: whether that can be done. The very plan that a move would
 * make is made, and thrown away. Workers. */

#include "daemon/virt/belongings.h"
#include "daemon/virt/check.h"
#include "daemon/virt/disk-plan.h"
#include "daemon/virt/interface-plan.h"
#include "shared/enums.h"
#include "shared/error.h"

#define PIECE 4096

/* So that what is free there, and what exists, is as it is now and not as it was when somebody looked. */
static void refresh_pools(VsmCheck *check) {
        virStoragePoolPtr *pools = NULL;
        int n = virConnectListAllStoragePools(check->there, &pools, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE);

        for (int i = 0; i < n; i++) {
                (void) virStoragePoolRefresh(pools[i], 0);
                virStoragePoolFree(pools[i]);
        }

        free(pools);
}

/* The first bytes of it. */
static bool can_read(VsmCheck *check, const char *path) {
        g_autoptr(virStorageVol) volume = virStorageVolLookupByPath(check->source, path);
        virStreamPtr stream = volume ? virStreamNew(check->source, 0) : NULL;
        char buffer[PIECE];
        int n = -1;

        if (stream && virStorageVolDownload(volume, stream, 0, sizeof buffer, 0) >= 0) {
                n = virStreamRecv(stream, buffer, sizeof buffer);
                if (n < 0 || virStreamFinish(stream) < 0)
                        (void) virStreamAbort(stream);
        }

        if (stream)
                virStreamFree(stream);
        return n >= 0;
}

static void check_content(VsmCheck *check, const VsmDiskPlan *plan) {
        for (guint i = 0; i < plan->disks->len; i++) {
                const VsmDiskStep *step = g_ptr_array_index(plan->disks, i);

                if (step->kind == VSM_DISK_COPY && step->from && !can_read(check, step->from->path))
                        vsm_reasons_add(check->reasons, "unreadable-volume", step->target, NULL,
                                        step->from->path, NULL);
        }
}

/* What libvirt's dry run says of the others. Of a Staged one nothing is taken into use yet. */
static bool check_belongings(VsmCheck *check, const VsmDiskPlan *plan, GError **error) {
        const char *name = check->options.changes ? check->options.changes->name : NULL;
        const VsmBelongings belongings = {
                        .domain = check->domain,
                        .here = check->source,
                        .there = check->there,
                        .host = check->host,
                        .xml = check->xml,
                        .plan = plan,
                        .renamed = name && g_strcmp0(name, check->name) != 0,
        };

        if (!check->xml || (check->options.type != VSM_MIGRATION_TYPE_RESTART &&
                            check->options.type != VSM_MIGRATION_TYPE_OTHER))
                return true;

        return vsm_belongings_check(&belongings, check->reasons, error);
}

bool vsm_check_disk_plan(VsmCheck *check, GError **error) {
        const VsmDiskPlanInput input = {
                        .options = &check->options,
                        .domain = check->domain,
                        .here = check->source,
                        .there = check->there,
                        .host = check->host,
                        .restart = check->options.type == VSM_MIGRATION_TYPE_RESTART,
        };
        bool deep = check->options.type == VSM_MIGRATION_TYPE_STORAGE_DEEP_CHECK;
        g_autoptr(VsmDiskPlan) plan = NULL;

        if (deep)
                refresh_pools(check);

        plan = vsm_disk_plan_new(&input, check->reasons, error);
        if (!plan)
                return false;

        if (deep)
                check_content(check, plan);
        return check_belongings(check, plan, error);
}

bool vsm_check_interface_plan(VsmCheck *check, GError **error) {
        g_autoptr(GPtrArray) places = NULL;

        if (!check->xml || !check->options.changes)
                return true;

        places = vsm_interface_plan(check->there, check->host, check->xml, check->options.changes,
                                    check->reasons, error);
        return places;
}
