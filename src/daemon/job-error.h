/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/job.h"

/* After the reasons that it has: one for its end. detail (NULL = none) has libvirt's own words. */
void vsm_job_add_reason(VsmJob *job, VsmJobState state, VsmError code, const char *sentence, const GError *detail);
