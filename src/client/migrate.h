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

/* All of it, with what there is to tell; the exit status. */
int vsm_migrate_run(
                VsmClient *client,
                const VsmRequest *request,
                const char *vm,
                const char *host,
                bool wait);
