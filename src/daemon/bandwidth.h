/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/job.h"

/* MaximumBandwidth: what all migrations together may use, shared equally by those that run. A job's own
 * Bandwidth holds where it is less. Bus thread only. Bytes/s, 0 = no limit. */

/* What a job may use now. */
uint64_t vsm_bandwidth_share(const VsmJob *job);

/* The same with another wish than the one it was started with. */
uint64_t vsm_bandwidth_limit(VsmManager *manager, uint64_t wish);

/* Something began, ended, or the setting changed: tells libvirt of each migration whose share is another. */
void vsm_bandwidth_rebalance(VsmManager *manager);

/* Memory begins to move: what was told before is said again, as libvirt's own call has overwritten it. */
void vsm_bandwidth_transfer_begins(VsmJob *job);
