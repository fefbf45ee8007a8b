/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a check came to, with all reasons. */

#include "client/common.h"

/* Whether a system can be migrated to a host (or, host "", its disks moved): prints it and returns the exit
 * status. */
int vsm_verdict_print(
                const VsmClient *client,
                const char *vm,
                const char *host,
                bool migratable,
                JsonArray *reasons);

/* The same for compatibility information; host may be NULL for the one that was asked. */
int vsm_verdict_print_compatible(
                const VsmClient *client,
                const char *host,
                bool compatible,
                JsonArray *reasons);
