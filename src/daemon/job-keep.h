/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/job.h"

/* A job that has ended stays on the bus for TimeBeforeRemoval, also when the daemon is restarted meanwhile.
 * Bus thread only. */

/* It has ended: what its object shows and the history does not keep is written down. */
void vsm_job_keep(VsmJob *job);

/* At start: those that ended before it, and have time left. Before new ones get numbers. */
void vsm_job_keep_show_all(VsmManager *manager);
