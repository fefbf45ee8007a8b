/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/job.h"

/* Jobs that are accepted and wait for their turn: by priority (lower is sooner), then by number, while
 * fewer than MaximumActiveVirtualSystemMigration run, and for those that move disks fewer than
 * MaximumActiveStorageMigration, and never more than 15 in all; all of them while the service is not enabled
 * and while libvirt is away, those of running systems while EnableVirtualSystemMigration is off. Bus thread
 * only. */

VsmQueue* vsm_queue_new(VsmManager *manager);
void vsm_queue_free(VsmQueue *queue);

void vsm_queue_add(VsmQueue *queue, VsmJob *job);

/* false when it was not in it. */
bool vsm_queue_remove(VsmQueue *queue, VsmJob *job);

/* Starts as many as may run now. Call after anything that makes room, or lets them. */
void vsm_queue_run(VsmQueue *queue);

unsigned vsm_queue_length(VsmQueue *queue);
