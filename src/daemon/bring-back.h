/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/job.h"

/* Those that the last evacuation took away from this host come home; those that it saved or shut down here start again.
 * A parent job (JobType 32769) with Job.Evacuation, and a child for each guest that moves. Bus thread only.
 *
 *      bring-back.c            accepted, begun, taken up after a restart
 *      bring-back-run.c        one guest after the other, and the end
 *      bring-back-look.c       where they are, and what they need
 *      bring-back-plan.c       which is the next (pure)
 *      fetch-job.c             the child */

typedef struct VsmBringBack VsmBringBack;

void vsm_bring_back_free(VsmBringBack *back);
