/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/job.h"

/* Those that the last evacuation took away from this host come home; those that it saved or shut down here start again.
 * A parent job (JobType 32769) with Job.Evacuation, and a child for each guest that moves. Bus thread only.
 *
 *      bring-back.c            from the call to the job; taken up after a restart
 *      bring-back-look.c       where they are, and what they need
 *      bring-back-run.c        one guest after the other
 *      bring-back-end.c        the end, and what is told of it all
 *      bring-back-plan.c       which is the next (pure)
 *      bring-back-record.c     who is away (pure)
 *      fetch-job.c             the child */

void vsm_bring_back_free(VsmBringBack *back);

/* At start. Those that have no end, and their children, are taken out of unfinished (VsmStoredJob) and go on. */
void vsm_bring_back_recover_all(VsmManager *manager, GPtrArray *unfinished);
