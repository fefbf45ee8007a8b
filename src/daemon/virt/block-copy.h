/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/disk-plan.h"
#include "daemon/virt/internal.h"

/* A disk of a running guest is copied by its QEMU, and changed over to the copy: libvirt's block copy. All of
 * it blocks, but not for as long as the copy takes. Workers. */

/* To a volume that was made for it. bandwidth: bytes/s, 0 = no limit. */
bool vsm_block_copy_begin(
                virDomainPtr domain,
                const VsmDiskStep *step,
                bool incremental,
                uint64_t bandwidth,
                GError **error);

/* While it copies. */
bool vsm_block_copy_limit(virDomainPtr domain, const VsmDiskStep *step, uint64_t bandwidth, GError **error);

/* Adds to stats; *ret_ready: the copy is as new as the disk. An error when the job
 * has gone. */
bool vsm_block_copy_look(
                virDomainPtr domain,
                const VsmDiskStep *step,
                VsmTransferStats *stats,
                bool *ret_ready,
                GError **error);

/* Whether the guest is paused while this disk changes over (some 50 ms), which VSM_EFFECT_HALTED has to say before.
 * Of one that does not run: no. */
bool vsm_block_copy_halts(virDomainPtr domain, const char *target, bool *ret, GError **error);

/* A guest that is paused for it and cannot be resumed stays so, without an error: that is left to the effect. */
bool vsm_block_copy_pivot(virDomainPtr domain, const VsmDiskStep *step, GError **error);

/* It was changed over and has to go back, with all that was written since: waits for that. */
bool vsm_block_copy_return(virDomainPtr domain, const VsmDiskStep *step, bool incremental, GError **error);

typedef enum {
        VSM_BLOCK_COPY_NONE,    /* all disks are where they were */
        VSM_BLOCK_COPY_SOME,
        VSM_BLOCK_COPY_ALL,     /* all are at their new places */
} VsmBlockCopyEnd;

/* Whether the system's disks are where these effects (VsmEffect) were to put them, in its running and its
 * stored definition. Where only some are, the others are made to follow, which may take its time. */
bool vsm_block_copy_is_over(
                virConnectPtr connection,
                const char *uuid,
                GPtrArray *effects,
                VsmBlockCopyEnd *ret,
                GError **error);
