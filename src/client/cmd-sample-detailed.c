/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vm-detailed of the Hyper-V sample: the system is planned at the destination, checked against its plan there
 * until nothing is in the way any more, and then moved into it. */

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/migrate.h"
#include "client/site.h"
#include "client/verbs.h"
#include "client/verdict.h"

typedef struct Detailed {
        const char *vm;
        char *host;
        char *addresses;
        char *uuid;                     /* a planned system has that of the real one */
} Detailed;

static void detailed_done(Detailed *detailed) {
        g_clear_pointer(&detailed->host, g_free);
        g_clear_pointer(&detailed->addresses, g_free);
        g_clear_pointer(&detailed->uuid, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Detailed, detailed_done)

static bool build(VsmRequest *request, const Detailed *detailed, const char *type, bool planned, GError **error) {
        g_autofree char *addresses = g_strdup_printf("DestinationIPAddressList=%s", detailed->addresses);
        const char *const settings[] = { addresses, NULL };

        request->type = g_strdup(type);
        request->planned = planned ? g_strdup(detailed->uuid) : NULL;
        request->settings = g_strdupv((char**) settings);
        return vsm_request_build(request, error);
}

static char* find_uuid(VsmClient *client, const char *vm, GError **error) {
        g_autofree char *path = vsm_client_find_system(client, vm, error);

        return path ? g_strdelimit(g_path_get_basename(path), "_", '-') : NULL;
}

/* Whether the user has repaired something and wants it looked at again. */
static bool wants_again(const VsmClient *client) {
        char line[16];

        if (client->json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
                return false;

        g_print("%s", _("Press Enter to check once more, or ^D to leave it planned. "));
        (void) fflush(stdout);
        return fgets(line, sizeof line, stdin);
}

/* Until it can be moved; the exit status. */
static int check(VsmClient *client, const VsmRequest *request, const Detailed *detailed) {
        for (;;) {
                g_autoptr(JsonArray) reasons = NULL;
                GError *error = NULL;
                bool migratable;
                int status;

                if (!vsm_check_ask(client, request, detailed->vm, detailed->host, &migratable, &reasons, &error))
                        return vsm_client_fail(client, error);
                if (migratable)
                        return VSM_EXIT_SUCCESS;

                status = vsm_verdict_print(client, detailed->vm, detailed->host, migratable, reasons);
                if (!wants_again(client))
                        return status;
        }
}

static int run(VsmClient *client, const Detailed *detailed) {
        g_auto(VsmRequest) stage = {}, move = {};
        GError *error = NULL;
        int status;

        if (!build(&stage, detailed, "staged", false, &error) || !build(&move, detailed, "live", true, &error))
                return vsm_client_fail(client, error);

        status = vsm_migrate_run(client, &stage, detailed->vm, detailed->host, /* wait= */ true);
        if (status == VSM_EXIT_SUCCESS)
                status = check(client, &move, detailed);
        if (status != VSM_EXIT_SUCCESS)
                return status;

        return vsm_migrate_run(client, &move, detailed->vm, detailed->host, /* wait= */ true);
}

int vsm_word_detailed(VsmClient *client, int argc, char **argv) {
        g_auto(Detailed) detailed = {};
        GError *error = NULL;
        int status;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 3, 3, &error))
                return vsm_client_fail(client, error);

        detailed.vm = argv[3];
        detailed.host = vsm_site_host(argv[2]);
        status = vsm_sample_get_addresses(client, argv[2], &detailed.addresses);
        if (!detailed.addresses)
                return status;

        if (vsm_site_select(client, argv[1], &error))
                detailed.uuid = find_uuid(client, detailed.vm, &error);
        if (!detailed.uuid)
                return vsm_client_fail(client, error);

        return run(client, &detailed);
}
