/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/job.h"

/* Evacuations and bring-backs of an earlier run of the daemon. Bus thread only. */

VsmEvacuations* vsm_evacuations_new(void);
void vsm_evacuations_free(VsmEvacuations *evacuations);

/* At start. */
void vsm_evacuations_load(VsmManager *manager);

/* What the object of a parent shows besides. False: it cannot be read. */
bool vsm_evacuation_restore(VsmJob *job, const VsmStoredJob *stored);

/* It was not at its end: vsm_evacuation_recover() goes on with it. */
void vsm_evacuation_adopt(VsmJob *job, const VsmStoredJob *stored);

/* A child has ended whose evacuation does not run any more, as the host was started anew meanwhile: if it has arrived,
 * it is away, and comes back when those are called who are. */
void vsm_evacuation_late_child(const VsmJob *child);
