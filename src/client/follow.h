/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Watches one job to its end, for a person or a script. */

#include "client/common.h"

typedef struct VsmFollow VsmFollow;

/* To be made before the job is started, so that nothing of it is missed. */
VsmFollow* vsm_follow_new(VsmClient *client, GError **error);
void vsm_follow_free(VsmFollow *follow);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmFollow, vsm_follow_free)

/* The first half: shows progress until the end of the job has been seen. False when it has not, for one
 * because the user does not want to see more; why has been said, and the exit status is
 * VSM_EXIT_FAILED. */
bool vsm_follow_wait(VsmFollow *follow, const char *job_path);

/* After it: the job, borrowed, and what stands against it, new or NULL. */
JsonObject* vsm_follow_get_job(VsmFollow *follow);
JsonArray* vsm_follow_get_reasons(VsmFollow *follow);

/* Tells the result as vsm_follow_run() does, and returns the exit status. */
int vsm_follow_tell(VsmFollow *follow);

/* The answer "uo" of a call that is either done, then this returns success at once, or a job, which is
 * followed as below. */
int vsm_follow_answer(VsmClient *client, sd_bus_message *reply);

/* Shows progress until the job has ended or the user does not want to see more, tells the result, and
 * returns the exit status: success only when success was seen. From here on SIGINT, SIGTERM, SIGHUP and
 * SIGWINCH are blocked. */
int vsm_follow_run(VsmFollow *follow, const char *job_path);
