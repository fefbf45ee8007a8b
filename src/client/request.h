/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The five arguments of checks and migrations, from a command line. */

#include "client/common.h"

typedef struct VsmRequest {
        /* as the options left them */
        char *type;
        char *name;
        char *description;
        char *planned;
        gboolean autostart, no_autostart;
        char **settings;
        char **disks;
        char **networks;

        /* as they are sent */
        GVariant *migration;            /* a{sv} */
        GVariant *system;               /* a{sv} */
        GVariant *resources;            /* aa{sv} */
} VsmRequest;

void vsm_request_done(VsmRequest *request);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VsmRequest, vsm_request_done)

/* --type, --set, --disk, --network and the others into request, and the verb's own entries (may be NULL); two
 * arguments, VM and HOST, are wanted, of a move of storage only the first. */
bool vsm_request_parse(
                VsmRequest *request,
                VsmClient *client,
                const GOptionEntry *entries,
                int *argc,
                char ***argv,
                GError **error);

/* The second half of the former, which needs no command line: options to setting data. */
bool vsm_request_build(VsmRequest *request, GError **error);

/* VSM_MIGRATION_TYPE_* that is asked for. */
uint16_t vsm_request_get_type(const VsmRequest *request);

/* HOST of a command line that vsm_request_parse() took: "" when the system stays where it is. */
const char* vsm_request_get_host(int argc, char **argv);

/* A call of the service's with the five arguments in it. */
sd_bus_message* vsm_request_new_call(
                const VsmRequest *request,
                VsmClient *client,
                const char *interface,
                const char *member,
                const char *system,
                const char *host,
                GError **error);
