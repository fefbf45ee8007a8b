/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What each MigrationType is, in one table (contract, section 5; CIM 3.1.1 and 3.5.1). Pure. */

typedef enum {
        VSM_GUEST_ANY,
        VSM_GUEST_ACTIVE,               /* running, or paused */
        VSM_GUEST_OFF,
} VsmGuestNeed;

typedef struct VsmMoveType {
        uint16_t type;                  /* VSM_MIGRATION_TYPE_* */
        uint16_t job;                   /* VSM_JOB_TYPE_* of its job, 0 = none: for checks only */
        uint16_t check;                 /* the same of its check */
        VsmGuestNeed guest;
        bool memory;                    /* goes along, with a guest that is running or paused */
        bool takes_disks;               /* places for disks may be named */
        bool takes_volumes;             /* UnmanagedVhds may go along */
        bool counts_system;             /* in ActiveVirtualSystemMigrationCount */
        bool counts_storage;            /* in ActiveStorageMigrationCount */
        bool runs_on;                   /* what EnableVirtualSystemMigration is about: a running system leaves */
        bool has_state;                 /* MigrationState tells of it */
} VsmMoveType;

/* Never NULL: an unknown one is as VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM. */
const VsmMoveType* vsm_move_type(uint16_t type);

/* What is true after one that did not succeed, and after one that did; "the guest runs on here", "%s runs on
 * %s now" (the system's name, the destination's). Static. */
const char* vsm_move_type_stayed(uint16_t type);
const char* vsm_move_type_moved(uint16_t type);

/* A job of this VSM_JOB_TYPE_* moves something. */
bool vsm_job_type_moves(uint16_t job_type);
