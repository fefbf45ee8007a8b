/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Watches one job to its end, for a person or a script. */

#include "client/common.h"

typedef struct VsmFollow VsmFollow;

/* To be made before the job is started, so that nothing of it is missed. */
VsmFollow* vsm_follow_new(VsmClient *client, GError **error);
void vsm_follow_free(VsmFollow *follow);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmFollow, vsm_follow_free)

/* Shows progress until the job has ended or the user does not want to see more, tells the result, and
 * returns the exit status: success only when success was seen. From here on SIGINT, SIGTERM, SIGHUP and
 * SIGWINCH are blocked. */
int vsm_follow_run(VsmFollow *follow, const char *job_path);
