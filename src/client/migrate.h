/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Starting a migration and watching it: for "migrate", and for the words of the sample that do the same. */

#include "client/common.h"
#include "client/request.h"

/* Asks for a job with one of the methods that take the five arguments; its path. */
char* vsm_migrate_start(
                VsmClient *client,
                const VsmRequest *request,
                const char *member,
                const char *system,
                const char *host,
                GError **error);

/* Whether it can be done, and all reasons. */
bool vsm_check_ask(
                VsmClient *client,
                const VsmRequest *request,
                const char *vm,
                const char *host,
                bool *ret_migratable,
                JsonArray **ret_reasons,
                GError **error);

/* For words of the sample: the addresses at which the service of DESTINATION listens, with commas between them;
 * else NULL, what was wrong has been told, and the exit status is returned. */
int vsm_sample_get_addresses(VsmClient *client, const char *destination, char **ret);

/* All of it, with what there is to tell; the exit status. */
int vsm_migrate_run(
                VsmClient *client,
                const VsmRequest *request,
                const char *vm,
                const char *host,
                bool wait);
