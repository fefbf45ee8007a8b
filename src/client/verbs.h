/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verbs of vsmctl. A new one: its function here and in a cmd-*.c, its line in the table of main.c. */

#include "client/common.h"

/* Each parses its own options, does its work, tells the user, and returns an exit status. argv[0] is the
 * verb. */
int vsm_verb_list(VsmClient *client, int argc, char **argv);
int vsm_verb_status(VsmClient *client, int argc, char **argv);
int vsm_verb_check(VsmClient *client, int argc, char **argv);
int vsm_verb_migrate(VsmClient *client, int argc, char **argv);
int vsm_verb_jobs(VsmClient *client, int argc, char **argv);
int vsm_verb_job(VsmClient *client, int argc, char **argv);
int vsm_verb_cancel(VsmClient *client, int argc, char **argv);
int vsm_verb_watch(VsmClient *client, int argc, char **argv);
int vsm_verb_reset(VsmClient *client, int argc, char **argv);
