/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/reason.h"
#include "daemon/virt/definition.h"
#include "daemon/virt/internal.h"
#include "daemon/virt/volume.h"

/* Where each disk of a system goes in a move, decided before anything is changed. Workers: making a plan and
 * executing it block.
 *
 * Which disks are copied: for Storage, VirtualSystemAndStorage and the deep check those that are named, or
 * all that a guest can write to and shares with nobody when none is; for VirtualSystem none (one that is
 * named is on shared storage which has another path there); for all other types those that are named. */

typedef enum {
        VSM_DISK_COPY,     /* to a volume that is made (or overwritten) for it */
        VSM_DISK_SHARED,   /* stays: the other host has the same under the same path */
        VSM_DISK_LEFT_OUT, /* not copied: read-only, a CD-ROM, a floppy, empty */
} VsmDiskKind;

typedef struct VsmDiskStep {
        VsmDiskKind kind;
        char *target;        /* NULL for a volume that belongs to no disk (UnmanagedVhds) */
        VsmLayer from_layer; /* as the definition says */
        VsmVolume *from;     /* as a volume here; NULL when no pool has it (then only a running
                              * guest's QEMU can copy it, and it is never removed) */
        char *from_path;     /* NULL only for what is not copied and has none */
        char *from_format;
        uint64_t capacity, allocation; /* bytes that a guest sees, and that it takes */
        bool based;                    /* on another image */
        int64_t begun; /* its last change when its copying began, as VsmVolume's; 0 = is not told, or not begun */

        char *encryption, *secret; /* as in VsmDisk */

        /* Where it will be: of COPY always, of SHARED when it has another path there. Path, pool, name,
         * block, format, capacity, backing as they will be. With an error among the reasons it may be NULL.
         */
        VsmVolume *to;
        bool exists; /* it is there already, and is overwritten */
        bool fixed;  /* and not made anew, but used as it is */
        bool made;   /* by vsm_disk_plan_execute() */
} VsmDiskStep;

typedef struct VsmDiskPlan {
        GPtrArray *disks;   /* VsmDiskStep, in the order of the definition */
        GPtrArray *volumes; /* VsmDiskStep, all COPY: volumes that go along */
        bool incremental;   /* only the uppermost images are copied, what they are based on is
                             * there: VIR_MIGRATE_NON_SHARED_INC */
        char *planned;      /* UUID of the planned system there, whose volumes are ours; or NULL */
        bool off;           /* the guest is: by vsm_volume_copy(), not by its QEMU */
} VsmDiskPlan;

typedef struct VsmDiskPlanInput {
        const VsmMoveOptions *options;
        virDomainPtr domain; /* here */
        virConnectPtr here;
        virConnectPtr there; /* the same as here for a Storage move */
        const char *host;    /* of there, for reasons */
        bool restart;        /* it runs, and will be off when it is copied */
} VsmDiskPlanInput;

/* Changes nothing. All that stands against it is in reasons, with errors among them the plan is only for
 * looking at. NULL with error when a host does not answer. */
VsmDiskPlan *vsm_disk_plan_new(const VsmDiskPlanInput *input, VsmReasons *reasons, GError **error);
void vsm_disk_plan_free(VsmDiskPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmDiskPlan, vsm_disk_plan_free)

/* Makes the volumes there, each written down before. there_is_other: the journal's "there" (false for a
 * Storage move). What was made before one fails is left for the rollback. VSM_ERROR_CANCELLED between two.
 */
bool vsm_disk_plan_execute(VsmDiskPlan *plan, virConnectPtr there, bool there_is_other,
                           const VsmJournal *journal, VsmCancel *cancel, GError **error);

/* Whether its folder is on a file system that several hosts can have; otherwise: when that is not told. */
bool vsm_path_is_on_network(const char *path, bool otherwise);

/* Whether a block device has a name that means the same device of a network on every host that has it. Pure. */
bool vsm_path_is_network_device(const char *path);

/* Blocks. The path behind a pool and a volume of that host. g_free() it; NULL when it is not to be had. */
char *vsm_layer_find(virConnectPtr connection, const VsmLayer *layer);

/* ---- pure, from the plan ---- */

/* Targets of the disks that are copied, for libvirt's migrate_disks. g_strfreev() it. */
char **vsm_disk_plan_targets(const VsmDiskPlan *plan);

VsmDiskStep *vsm_disk_plan_find(const VsmDiskPlan *plan, const char *target);

/* The same before there is a plan: of the disks in a definition those that would be copied. */
char **vsm_disk_plan_copied(const char *xml, const VsmMoveOptions *options, GError **error);

/* Sums over what is copied: bytes in use, and bytes that guests see. */
uint64_t vsm_disk_plan_allocation(const VsmDiskPlan *plan);
uint64_t vsm_disk_plan_capacity(const VsmDiskPlan *plan);

/* The definition as it is to be there. xml: live (migratable) or stored text of the domain. stored: disks
 * that it does not have, or has elsewhere than the running guest, are passed over. interfaces as in
 * VsmDefinitionChange (vsm_interface_plan()); name NULL = as it is. plan may be NULL: no disk moves. */
char *vsm_disk_plan_definition(const VsmDiskPlan *plan, const char *xml, bool stored, const char *name,
                               const char *description, GPtrArray *interfaces, const VsmPlanned *planned,
                               GError **error);
