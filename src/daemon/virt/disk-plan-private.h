/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/disk-plan.h"
#include "daemon/virt/pool.h"

/* What disk-plan.c, disk-plan-source.c and disk-plan-place.c share while a plan is made. Workers. */

typedef struct VsmDiskPlanner {
        const VsmDiskPlanInput *input;
        VsmDiskPlan *plan;
        VsmReasons *reasons;
        GPtrArray *pools;         /* there, with what is left of their room */
        GHashTable *uses;         /* there; read when it is first needed */
        GPtrArray *planned_disks; /* of the planned system there; NULL = none */
        VsmPlanned *planned;
        bool local; /* here is there */
} VsmDiskPlanner;

/* What stands for it where people are told: the target, or the path of a volume. */
const char *vsm_disk_step_name(const VsmDiskStep *step);

/* MiB, rounded up. g_free() it. */
char *vsm_disk_plan_mib(uint64_t bytes);

/* The image as libvirt here knows it: path, volume, size, what it is based on. disk NULL: step->from_path is
 * a volume that goes along. False with error when a host does not answer. */
bool vsm_disk_plan_source(VsmDiskPlanner *planner, const VsmDisk *disk, VsmDiskStep *step, GError **error);

/* Where it goes. path, pool: as wished, NULL = any. */
bool vsm_disk_plan_place(VsmDiskPlanner *planner, VsmDiskStep *step, const char *path, const char *pool,
                         GError **error);
