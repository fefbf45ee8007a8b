/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verbs of vsmctl. A new one: its function here and in a cmd-*.c, its line in a table of main.c. */

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
int vsm_verb_settings(VsmClient *client, int argc, char **argv);
int vsm_verb_network(VsmClient *client, int argc, char **argv);
int vsm_verb_host(VsmClient *client, int argc, char **argv);
int vsm_verb_service(VsmClient *client, int argc, char **argv);
int vsm_verb_policy(VsmClient *client, int argc, char **argv);
int vsm_verb_compat(VsmClient *client, int argc, char **argv);
int vsm_verb_history(VsmClient *client, int argc, char **argv);
int vsm_verb_predict(VsmClient *client, int argc, char **argv);
int vsm_verb_evacuate(VsmClient *client, int argc, char **argv);
int vsm_verb_bring_back(VsmClient *client, int argc, char **argv);

/* The words of the Hyper-V sample. */
int vsm_word_simple(VsmClient *client, int argc, char **argv);
int vsm_word_with_ip(VsmClient *client, int argc, char **argv);
int vsm_word_new_root(VsmClient *client, int argc, char **argv);
int vsm_word_check(VsmClient *client, int argc, char **argv);
int vsm_word_compression(VsmClient *client, int argc, char **argv);
int vsm_word_smb(VsmClient *client, int argc, char **argv);
int vsm_word_check_compatibility(VsmClient *client, int argc, char **argv);
int vsm_word_compare_vectors(VsmClient *client, int argc, char **argv);
int vsm_word_modify_service(VsmClient *client, int argc, char **argv);
int vsm_word_modify_networks(VsmClient *client, int argc, char **argv);
int vsm_word_enable_compression(VsmClient *client, int argc, char **argv);
int vsm_word_enable_smb(VsmClient *client, int argc, char **argv);
int vsm_word_detailed(VsmClient *client, int argc, char **argv);
int vsm_word_system_and_storage_simple(VsmClient *client, int argc, char **argv);
int vsm_word_system_and_storage(VsmClient *client, int argc, char **argv);
int vsm_word_storage_simple(VsmClient *client, int argc, char **argv);
int vsm_word_storage_with_pool(VsmClient *client, int argc, char **argv);
