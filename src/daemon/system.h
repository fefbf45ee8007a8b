/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager.h"
#include "shared/enums.h"

/* A virtual system: one libvirt domain of this host, with the cluster's MigrationState.
 * (Msvm_ComputerSystem, contract section 4.) Bus thread only.
 *
 *              request accepted            data           source stopped        verified
 *      0,4,5 ------------------> 1 Setup ------> 2 Data -----------------> 3 Move -------> 0
 *                                 |   cancelled   |                          |
 *                                 +--------+------+----> 4 Canceled          |
 *                                 |        |      failed                     |
 *                                 +--------+------+--------------------------+--> 5 Failure
 *
 * A system whose domain goes while a job of it runs stays until the job has said its last word. */

typedef struct VsmSystem VsmSystem;

int vsm_system_register(VsmManager *manager);

/* By UUID, by object path, by name. NULL when there is none. */
VsmSystem* vsm_system_find(VsmManager *manager, const char *uuid);
VsmSystem* vsm_system_find_path(VsmManager *manager, const char *path);
VsmSystem* vsm_system_find_name(VsmManager *manager, const char *name);

const char* vsm_system_uuid(const VsmSystem *system);
const char* vsm_system_name(const VsmSystem *system);
const char* vsm_system_path(const VsmSystem *system);
bool vsm_system_is_active(const VsmSystem *system); /* has a running, paused or sleeping guest */
bool vsm_system_is_asleep(const VsmSystem *system); /* by itself (S3) */
bool vsm_system_is_paused(const VsmSystem *system); /* by somebody */
bool vsm_system_autostart(const VsmSystem *system);
bool vsm_system_is_incoming(const VsmSystem *system);
bool vsm_system_is_handed_over(const VsmSystem *system); /* stopped here by a migration */
GVariant* vsm_system_policy(const VsmSystem *system); /* a{sv}, borrowed */
uint64_t vsm_system_memory(const VsmSystem *system); /* bytes */

/* 0 when none runs: jobs are known to each other by number. */
uint64_t vsm_system_active_job(const VsmSystem *system);

/* A job takes the system, before it has its number; its end releases it, and the system may go then. */
void vsm_system_claim(VsmSystem *system);
void vsm_system_release(VsmSystem *system);

/* What happened to the domain since the hand-over began and was not said yet; unless it has gone. */
void vsm_system_take_held(VsmSystem *system);
void vsm_system_drop_held(VsmSystem *system);

/* The migration's steps; each is emitted before the next is stored. Going from 1 to 3 passes 2. */
void vsm_system_set_migration(VsmSystem *system, VsmMigrationState state, uint32_t reason);
VsmMigrationState vsm_system_migration_state(const VsmSystem *system);
void vsm_system_set_progress(VsmSystem *system, unsigned percent);

/* MigrationJob: the number of the claiming job, or of the last one that there was. */
void vsm_system_set_job(VsmSystem *system, uint64_t job);

/* What a look at the domain gave; info NULL: there is none any more. Says what changed, adds and
 * removes the object. Takes info. */
void vsm_system_apply(VsmManager *manager, const char *uuid, VsmDomainInfo *info, bool incoming, bool crashed);

void vsm_system_free(VsmSystem *system);
