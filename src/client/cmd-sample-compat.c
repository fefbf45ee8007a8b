/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The words of the Hyper-V sample that compare: a blob that only the services understand, and vectors that can
 * be compared here. */

#include <glib/gi18n.h>
#include <inttypes.h>

#include "client/blob.h"
#include "client/output.h"
#include "client/site.h"
#include "client/vectors.h"
#include "client/verbs.h"
#include "client/verdict.h"

/* ---- checkcompatibility ---- */

int vsm_word_check_compatibility(VsmClient *client, int argc, char **argv) {
        g_autoptr(JsonArray) reasons = NULL;
        g_autoptr(GBytes) blob = NULL;
        g_autofree char *host = NULL;
        VsmClient destination = {};
        GError *error = NULL;
        bool compatible = false;
        int status;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 2, 3, &error))
                return vsm_client_fail(client, error);

        if (vsm_site_select(client, argv[1], &error))
                blob = vsm_blob_get(client, argc > 3 ? argv[3] : NULL, &error);
        if (!blob)
                return vsm_client_fail(client, error);

        host = vsm_site_host(argv[2]);
        if (vsm_site_open_other(&destination, client, argv[2], &error) &&
            vsm_blob_check(&destination, blob, &compatible, &reasons, &error))
                status = vsm_verdict_print_compatible(client, host, compatible, reasons);
        else
                status = vsm_client_fail(&destination, error);

        vsm_client_done(&destination);
        return status;
}

/* ---- compare-compatibility-vectors ---- */

static GArray* get_vectors(VsmClient *client, const char *path, GError **error) {
        g_autoptr(GArray) vectors = g_array_new(FALSE, FALSE, sizeof(VsmVector));
        g_autoptr(sd_bus_message) reply = NULL;
        VsmVector vector;
        int r;

        reply = vsm_client_call_method(client, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE,
                                       "GetSystemCompatibilityVectors", error, "o", path);
        if (!reply)
                return NULL;

        r = sd_bus_message_read(reply, "u", NULL);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "(uut)");
        while (r >= 0) {
                r = sd_bus_message_read(reply, "(uut)", &vector.id, &vector.operation, &vector.info);
                if (r <= 0)
                        break;
                g_array_append_val(vectors, vector);
        }
        if (r < 0) {
                vsm_error_set_errno(error, r, _("The service's answer cannot be read"));
                return NULL;
        }

        return g_steal_pointer(&vectors);
}

/* Those that do not pass. */
static GArray* compare(const GArray *system, const GArray *host) {
        GArray *failing = g_array_new(FALSE, FALSE, sizeof(VsmVector));

        for (guint i = 0; i < system->len; i++) {
                VsmVector *vector = &g_array_index(system, VsmVector, i);

                if (!vsm_vectors_pass(vector, (const VsmVector*) (const void*) host->data, host->len))
                        g_array_append_vals(failing, vector, 1);
        }

        return failing;
}

static const VsmVector* find_host(const GArray *host, uint32_t id) {
        return vsm_vectors_find((const VsmVector*) (const void*) host->data, host->len, id);
}

static void print_failing(const GArray *failing, const GArray *host) {
        for (guint i = 0; i < failing->len; i++) {
                const VsmVector *vector = &g_array_index(failing, VsmVector, i);
                const VsmVector *other = find_host(host, vector->id);
                const char *operation = vsm_compare_operation_to_string(vector->operation);

                if (other)
                        g_print(_("  vector %" PRIu32 ": system 0x%016" PRIx64 ", host 0x%016" PRIx64
                                  " (%s)\n"),
                                vector->id, vector->info, other->info, operation);
                else
                        g_print(_("  vector %" PRIu32 ": system 0x%016" PRIx64 ", the host has none (%s)\n"),
                                vector->id, vector->info, operation);
        }
}

/* As text: the numbers of JSON are not wide enough for the highest bit. */
static void set_info(JsonObject *object, const char *name, uint64_t info) {
        g_autofree char *text = g_strdup_printf("0x%016" PRIx64, info);

        json_object_set_string_member(object, name, text);
}

static void print_json(bool compatible, const GArray *failing, const GArray *host) {
        g_autoptr(JsonObject) object = json_object_new();
        JsonArray *array = json_array_new();

        for (guint i = 0; i < failing->len; i++) {
                const VsmVector *vector = &g_array_index(failing, VsmVector, i);
                const VsmVector *other = find_host(host, vector->id);
                JsonObject *entry = json_object_new();

                json_object_set_int_member(entry, "VectorId", vector->id);
                json_object_set_int_member(entry, "CompareOperation", vector->operation);
                set_info(entry, "System", vector->info);
                if (other)
                        set_info(entry, "Host", other->info);
                json_array_add_object_element(array, entry);
        }

        json_object_set_boolean_member(object, "IsCompatible", compatible);
        json_object_set_array_member(object, "Failing", array);
        vsm_output_json_object(object, /* pretty= */ true);
}

int vsm_word_compare_vectors(VsmClient *client, int argc, char **argv) {
        g_autoptr(GArray) system = NULL, host = NULL, failing = NULL;
        g_autofree char *path = NULL;
        GError *error = NULL;
        bool compatible;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 2, 2, &error))
                return vsm_client_fail(client, error);

        if (vsm_site_select(client, argv[1], &error))
                path = vsm_client_find_system(client, argv[2], &error);
        if (path)
                system = get_vectors(client, path, &error);
        if (system)
                host = get_vectors(client, VSM_OBJECT_PATH, &error);
        if (!host)
                return vsm_client_fail(client, error);

        /* a system that needs nothing is one of which nothing is known */
        failing = compare(system, host);
        compatible = system->len > 0 && failing->len == 0;

        if (client->json)
                print_json(compatible, failing, host);
        else if (compatible)
                g_print(_("All vectors of the system are compatible with the host.\n"));
        else if (system->len == 0)
                g_print(_("The system has no vectors: it does not count as compatible.\n"));
        else
                g_print(_("The system is not compatible with the host:\n"));
        if (!client->json)
                print_failing(failing, host);

        return compatible ? VSM_EXIT_SUCCESS : VSM_EXIT_NOT_MIGRATABLE;
}
