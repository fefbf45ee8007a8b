/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/internal.h"

/* Bytes read of the volume so far. Called from the copying thread, often. */
typedef void (*VsmCopyProgress)(uint64_t done, void *userdata);

/* Bytes/s that it may read now, 0 = no limit. Called as often. */
typedef uint64_t (*VsmCopyLimit)(void *userdata);

/* What happens beside the copying; each may be NULL. */
typedef struct VsmCopyHooks {
        VsmCopyProgress progress;
        VsmCopyLimit limit;
        void *userdata;
} VsmCopyHooks;

/* Blocks, hours maybe. Copies the content of a volume, of this host or another, to one that was made for
 * it there (by vsm_disk_plan_execute(), which makes it as long as this one is), byte for byte; what is a
 * hole in a file stays one. Nobody may write to it meanwhile: for systems that are off. Each end is a volume
 * of an active pool (for one below a directory of vsmd.conf: hold vsm_pool_open() of it meanwhile).
 * VSM_ERROR_CANCELLED when cancel fires; the volume is left half written then, for the rollback. */
bool vsm_volume_copy(virConnectPtr from, const char *path, virConnectPtr to, const char *to_path,
                     const VsmCopyHooks *hooks, VsmCancel *cancel, GError **error);
