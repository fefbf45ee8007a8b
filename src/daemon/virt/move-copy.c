/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Volumes are copied byte for byte, by libvirt's storage calls: the disks of a guest that is off, and those that
 * belong to no disk (UnmanagedVhds), which nobody writes meanwhile. The long lane. */

#include "daemon/virt/directory-pool.h"
#include "daemon/virt/move-private.h"
#include "daemon/virt/volume-copy.h"
#include "shared/error.h"

typedef struct Progress {
        VsmMove *move;
        uint64_t before;                /* bytes of the volumes that were copied before this one */
        uint64_t total;                 /* of all that the move copies, in whatever way */
} Progress;

/* One copy after the other: each has all of it. */
static uint64_t limit_of(void *userdata) {
        const Progress *progress = userdata;

        return vsm_move_bandwidth(progress->move);
}

static void on_progress(uint64_t done, void *userdata) {
        const Progress *progress = userdata;
        VsmTransferStats stats = {
                .active = true,
                .disk_total = progress->total,
                .disk_processed = MIN(progress->before + done, progress->total),
        };

        stats.disk_remaining = stats.disk_total - stats.disk_processed;
        vsm_move_set_stats(progress->move, &stats);
}

/* A directory of the administrator's is a pool for as long as this takes. */
static bool copy_one(VsmDiskStep *step, virConnectPtr from, virConnectPtr to, Progress *progress,
                     GError **error) {
        const VsmCopyHooks hooks = { on_progress, limit_of, progress };
        virStoragePoolPtr pool = vsm_pool_open(to, step->to->pool, error);
        bool ok;

        if (!pool)
                return false;

        ok = vsm_volume_changed(from, step->from_path, &step->begun, error) &&
                vsm_volume_copy(from, step->from_path, to, step->to->path, &hooks, progress->move->cancel, error);
        vsm_pool_close(pool, step->to->pool);
        progress->before += step->capacity;
        return ok;
}

static bool copy_all(VsmMove *move, GPtrArray *steps, virConnectPtr from, virConnectPtr to, GError **error) {
        Progress progress = { move, vsm_move_copied(move), vsm_disk_plan_capacity(move->plan) };

        for (guint i = 0; i < steps->len; i++) {
                VsmDiskStep *step = steps->pdata[i];

                if (step->kind == VSM_DISK_COPY && !copy_one(step, from, to, &progress, error))
                        return false;
        }

        vsm_move_set_copied(move, progress.before);
        return true;
}

bool vsm_move_copy_volumes(VsmMove *move, virConnectPtr from, virConnectPtr to, GError **error) {
        return copy_all(move, move->plan->volumes, from, to, error);
}

bool vsm_move_copy_off(VsmMove *move, virConnectPtr from, virConnectPtr to, GError **error) {
        return vsm_move_copy_volumes(move, from, to, error) && copy_all(move, move->plan->disks, from, to, error);
}

bool vsm_move_check_unchanged(VsmMove *move, virConnectPtr from, GError **error) {
        for (guint i = 0; i < move->plan->disks->len; i++) {
                const VsmDiskStep *step = move->plan->disks->pdata[i];
                int64_t changed;

                if (step->begun == 0)
                        continue;
                if (!vsm_volume_changed(from, step->from_path, &changed, error))
                        return false;
                if (changed == step->begun)
                        continue;

                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "Disk '%s' was changed while the system's disks were copied: the system was started "
                            "meanwhile, or something else writes to '%s'", step->target, step->from_path);
                return false;
        }

        return true;
}
