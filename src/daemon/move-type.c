/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Pure: any thread. */

#include <stddef.h>

#include "daemon/move-type.h"
#include "shared/enums.h"

/* the first is what an unknown one is taken for */
static const VsmMoveType types[] = {
        { .type = VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM, .guest = VSM_GUEST_ACTIVE,
          .job = VSM_JOB_TYPE_MOVE_SYSTEM, .check = VSM_JOB_TYPE_CHECK_SYSTEM, .memory = true,
          .counts_system = true, .runs_on = true, .has_state = true },
        { .type = VSM_MIGRATION_TYPE_STORAGE, .guest = VSM_GUEST_ANY,
          .job = VSM_JOB_TYPE_MOVE_STORAGE, .check = VSM_JOB_TYPE_CHECK_STORAGE,
          .takes_disks = true, .takes_volumes = true, .counts_storage = true, .has_state = true },
        { .type = VSM_MIGRATION_TYPE_STAGED, .guest = VSM_GUEST_ANY,
          .job = VSM_JOB_TYPE_STAGED, .check = VSM_JOB_TYPE_CHECK_SYSTEM,
          .takes_disks = true, .counts_system = true },
        { .type = VSM_MIGRATION_TYPE_SYSTEM_AND_STORAGE, .guest = VSM_GUEST_ACTIVE,
          .job = VSM_JOB_TYPE_MOVE_SYSTEM_AND_STORAGE, .check = VSM_JOB_TYPE_CHECK_SYSTEM_AND_STORAGE,
          .memory = true, .takes_disks = true, .takes_volumes = true,
          .counts_system = true, .counts_storage = true, .runs_on = true, .has_state = true },
        { .type = VSM_MIGRATION_TYPE_STORAGE_DEEP_CHECK, .guest = VSM_GUEST_ANY,
          .check = VSM_JOB_TYPE_CHECK_STORAGE_MIGRATION,
          .takes_disks = true, .takes_volumes = true },
        { .type = VSM_MIGRATION_TYPE_RESUME, .guest = VSM_GUEST_ACTIVE,
          .job = VSM_JOB_TYPE_MOVE_SYSTEM, .check = VSM_JOB_TYPE_CHECK_SYSTEM, .memory = true,
          .counts_system = true, .runs_on = true, .has_state = true },
        { .type = VSM_MIGRATION_TYPE_RESTART, .guest = VSM_GUEST_ACTIVE,
          .job = VSM_JOB_TYPE_MOVE_SYSTEM, .check = VSM_JOB_TYPE_CHECK_SYSTEM,
          .takes_disks = true, .takes_volumes = true,
          .counts_system = true, .runs_on = true, .has_state = true },
        { .type = VSM_MIGRATION_TYPE_OTHER, .guest = VSM_GUEST_OFF,
          .job = VSM_JOB_TYPE_MOVE_SYSTEM, .check = VSM_JOB_TYPE_CHECK_SYSTEM,
          .takes_disks = true, .takes_volumes = true, .counts_system = true, .has_state = true },
        {}
};

const VsmMoveType* vsm_move_type(uint16_t type) {
        for (const VsmMoveType *t = types; t->type > 0; t++)
                if (t->type == type)
                        return t;

        return types;
}

bool vsm_job_type_moves(uint16_t job_type) {
        for (const VsmMoveType *t = types; t->type > 0; t++)
                if (job_type > 0 && t->job == job_type)
                        return true;

        return false;
}

const char* vsm_move_type_stayed(uint16_t type) {
        switch (type) {
        case VSM_MIGRATION_TYPE_STORAGE:
                return "the disks stay where they were";
        case VSM_MIGRATION_TYPE_STAGED:
                return "nothing was left at the destination";
        case VSM_MIGRATION_TYPE_OTHER:
                return "the system stays here";
        default:
                return "the guest runs on here";
        }
}

const char* vsm_move_type_moved(uint16_t type) {
        switch (type) {
        case VSM_MIGRATION_TYPE_STORAGE:
                return "the disks of %s are moved";
        case VSM_MIGRATION_TYPE_STAGED:
                return "%s is planned on %s now";
        case VSM_MIGRATION_TYPE_OTHER:
                return "%s is on %s now, switched off";
        default:
                return "%s runs on %s now";
        }
}
