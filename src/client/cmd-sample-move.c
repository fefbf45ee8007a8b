/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The words of the Hyper-V sample that move a system, or ask whether one could be moved. They speak to the
 * service of SOURCE, and leave the transport to its settings. */

#include <glib/gi18n.h>

#include "client/agent.h"
#include "client/follow.h"
#include "client/message.h"
#include "client/migrate.h"
#include "client/site.h"
#include "client/verbs.h"
#include "client/verdict.h"
#include "shared/enums.h"

/* A name of no importance: that there is one is what the service is asked about. */
#define NEW_DATA_ROOT "/NewDataRoot"

/* SOURCE, DESTINATION and VM, as they came. */
typedef struct Words {
        const char *source;
        const char *destination;
        const char *vm;
        char *host;                     /* DESTINATION without a user for ssh */
} Words;

static void words_done(Words *words) {
        g_clear_pointer(&words->host, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Words, words_done)

static bool parse(VsmClient *client, Words *words, int argc, char **argv, GError **error) {
        if (!vsm_client_parse(client, NULL, &argc, &argv, 3, 3, error))
                return false;

        *words = (Words) {
                .source = argv[1],
                .destination = argv[2],
                .vm = argv[3],
                .host = vsm_site_host(argv[2]),
        };
        return true;
}

/* A live migration, with one setting more if there is one. */
static bool build(VsmRequest *request, const char *setting, GError **error) {
        const char *const settings[] = { setting, NULL };

        request->type = g_strdup("live");
        request->settings = g_strdupv((char**) settings);
        return vsm_request_build(request, error);
}

static int migrate(VsmClient *client, const Words *words, const VsmRequest *request) {
        GError *error = NULL;

        if (!vsm_site_select(client, words->source, &error))
                return vsm_client_fail(client, error);

        return vsm_migrate_run(client, request, words->vm, words->host, /* wait= */ true);
}

static int migrate_with(VsmClient *client, const char *setting, int argc, char **argv) {
        g_auto(VsmRequest) request = {};
        g_auto(Words) words = {};
        GError *error = NULL;

        if (!parse(client, &words, argc, argv, &error) || !build(&request, setting, &error))
                return vsm_client_fail(client, error);

        return migrate(client, &words, &request);
}

int vsm_word_simple(VsmClient *client, int argc, char **argv) {
        return migrate_with(client, NULL, argc, argv);
}

int vsm_word_compression(VsmClient *client, int argc, char **argv) {
        return migrate_with(client, "EnableCompression=yes", argc, argv);
}

int vsm_word_new_root(VsmClient *client, int argc, char **argv) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
        g_auto(VsmRequest) request = {};
        g_auto(Words) words = {};
        GError *error = NULL;

        if (!parse(client, &words, argc, argv, &error) || !build(&request, NULL, &error))
                return vsm_client_fail(client, error);

        g_variant_dict_insert(&dict, "ConfigurationDataRoot", "s", NEW_DATA_ROOT);
        g_variant_unref(request.system);
        request.system = g_variant_ref_sink(g_variant_dict_end(&dict));

        return migrate(client, &words, &request);
}

int vsm_word_smb(VsmClient *client, int argc, char **argv) {
        g_auto(Words) words = {};
        GError *error = NULL;

        if (!parse(client, &words, argc, argv, &error))
                return vsm_client_fail(client, error);

        g_set_error_literal(&error, VSM_ERROR, VSM_ERROR_NOT_SUPPORTED,
                            _("QEMU does not send the memory of a system over SMB. "
                              "'vm-simple' moves it by the transport of the service"));
        return vsm_client_fail(client, error);
}

/* ---- vm-simple-with-ip ---- */

/* The addresses at which the destination's own service listens, with commas between them. */
static char* get_addresses(VsmClient *destination, const char *host, GError **error) {
        g_autoptr(JsonObject) settings = NULL, service = NULL;
        JsonArray *addresses;

        settings = vsm_client_get_properties(destination, VSM_OBJECT_PATH, VSM_INTERFACE_SETTINGS, error);
        if (!settings)
                return NULL;

        if (!vsm_object_get_bool(settings, "EnableVirtualSystemMigration")) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            _("%s does not allow migrations of running systems"), host);
                return NULL;
        }

        service = vsm_client_get_properties(destination, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE, error);
        if (!service)
                return NULL;

        addresses = vsm_object_get_array(service, "MigrationServiceListenerIPAddressList");
        if (!addresses || json_array_get_length(addresses) == 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            _("%s has no address in its migration networks"), host);
                return NULL;
        }

        return vsm_array_join(addresses);
}

int vsm_sample_get_addresses(VsmClient *client, const char *destination, char **ret) {
        g_autofree char *host = vsm_site_host(destination), *addresses = NULL;
        int status = VSM_EXIT_SUCCESS;
        GError *error = NULL;
        VsmClient other = {};

        if (vsm_site_open_other(&other, client, destination, &error))
                addresses = get_addresses(&other, host, &error);
        if (!addresses)
                status = vsm_client_fail(&other, error);
        vsm_client_done(&other);

        *ret = g_steal_pointer(&addresses);
        return status;
}

int vsm_word_with_ip(VsmClient *client, int argc, char **argv) {
        g_autofree char *addresses = NULL, *setting = NULL;
        g_auto(VsmRequest) request = {};
        g_auto(Words) words = {};
        GError *error = NULL;
        int status;

        if (!parse(client, &words, argc, argv, &error))
                return vsm_client_fail(client, error);

        status = vsm_sample_get_addresses(client, words.destination, &addresses);
        if (!addresses)
                return status;

        setting = g_strdup_printf("DestinationIPAddressList=%s", addresses);
        if (!build(&request, setting, &error))
                return vsm_client_fail(client, error);

        return migrate(client, &words, &request);
}

/* ---- vm-simple-check ---- */

/* Cancelled, or ended by something else than what it found out: no verdict. */
static bool has_verdict(JsonObject *job, JsonArray *reasons) {
        uint64_t state = vsm_object_get_uint(job, "JobState");

        if (vsm_job_state_is_success((uint16_t) state))
                return true;

        return state == VSM_JOB_STATE_EXCEPTION && reasons && json_array_get_length(reasons) > 0;
}

static int tell_verdict(VsmClient *client, VsmFollow *follow, const Words *words) {
        g_autoptr(JsonArray) reasons = vsm_follow_get_reasons(follow);
        JsonObject *job = vsm_follow_get_job(follow);
        uint16_t state = (uint16_t) vsm_object_get_uint(job, "JobState");

        if (!has_verdict(job, reasons))
                return vsm_follow_tell(follow);

        return vsm_verdict_print(client, words->vm, words->host, vsm_job_state_is_success(state), reasons);
}

static int check(VsmClient *client, const Words *words, const VsmRequest *request) {
        g_autofree char *system = NULL, *job = NULL;
        g_autoptr(VsmFollow) follow = NULL;
        GError *error = NULL;

        if (!vsm_site_select(client, words->source, &error))
                return vsm_client_fail(client, error);

        system = vsm_client_find_system(client, words->vm, &error);
        if (!system)
                return vsm_client_fail(client, error);

        follow = vsm_follow_new(client, &error);
        if (!follow)
                return vsm_client_fail(client, error);

        job = vsm_migrate_start(client, request, "CheckVirtualSystemIsMigratable", system, words->host,
                                &error);
        if (!job)
                return vsm_client_fail(client, error);

        return vsm_follow_wait(follow, job) ? tell_verdict(client, follow, words) : VSM_EXIT_FAILED;
}

int vsm_word_check(VsmClient *client, int argc, char **argv) {
        g_auto(VsmRequest) request = {};
        g_auto(Words) words = {};
        GError *error = NULL;

        if (!parse(client, &words, argc, argv, &error) || !build(&request, NULL, &error))
                return vsm_client_fail(client, error);

        return check(client, &words, &request);
}
