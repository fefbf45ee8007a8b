/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/five.h"
#include "daemon/job.h"
#include "daemon/system.h"

/* CheckVirtualSystemIsMigratable: a check as a job, whose end is the verdict. It touches nothing of the
 * system, so it claims nothing and several may look at the same one. Bus thread only. */

/* Whether a check of this can be made at once. What a handler returns, with error filled in, or 0. */
int vsm_check_state(VsmManager *manager, const VsmFive *five, sd_bus_error *error);

int vsm_method_check_migratable(sd_bus_message *call, void *userdata, sd_bus_error *error);

/* One of an earlier run of the daemon, on the bus again: it ends. */
void vsm_check_job_interrupted(VsmJob *job);

void vsm_check_job_free(VsmCheckJob *check);
