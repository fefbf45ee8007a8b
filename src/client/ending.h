/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Telling how a job ended that was followed. */

#include "client/common.h"
#include "client/progress.h"

/* On stdout, or on stderr when it failed; all of it as JSON where that is wanted. state: as it was seen last. The exit
 * status: success only if the job was one, and no system of an evacuation is left over. */
int vsm_ending_tell(VsmClient *client, const char *path, const VsmProgressState *state);
