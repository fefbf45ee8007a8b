/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl compat: what a system needs, out of one service and into another. */

#include <glib/gi18n.h>
#include <unistd.h>

#include "client/blob.h"
#include "client/output.h"
#include "client/text.h"
#include "client/verbs.h"
#include "client/verdict.h"

/* Bytes have no place in JSON but as base64. */
static void print_json(GBytes *blob, const char *file) {
        g_autoptr(JsonObject) object = json_object_new();
        g_autofree char *text = g_base64_encode(g_bytes_get_data(blob, NULL), g_bytes_get_size(blob));

        if (file)
                json_object_set_string_member(object, "File", file);
        else
                json_object_set_string_member(object, "CompatibilityInfo", text);
        json_object_set_int_member(object, "Size", (int64_t) g_bytes_get_size(blob));
        vsm_output_json_object(object, /* pretty= */ true);
}

static int write_blob(const VsmClient *client, GBytes *blob, const char *file) {
        bool to_file = file && !g_str_equal(file, "-");
        GError *error = NULL;

        if (client->json && !to_file) {
                print_json(blob, NULL);
                return VSM_EXIT_SUCCESS;
        }

        if (!vsm_blob_write(blob, file ?: "-", &error))
                return vsm_client_fail(client, error);

        if (client->json)
                print_json(blob, file);
        else if (to_file) {
                g_autofree char *name = vsm_text_escape(file);
                g_autofree char *size = vsm_text_bytes(g_bytes_get_size(blob));

                g_print(_("%s of compatibility information are in %s.\n"), size, name);
        }

        return VSM_EXIT_SUCCESS;
}

static int export(VsmClient *client, int argc, char **argv) {
        g_autofree char *file = NULL;
        const GOptionEntry entries[] = {
                { "output", 'o', 0, G_OPTION_ARG_FILENAME, &file, N_("Write it to a file"), N_("FILE") },
                {}
        };
        g_autoptr(GBytes) blob = NULL;
        GError *error = NULL;

        if (!vsm_client_parse(client, entries, &argc, &argv, 0, 1, &error))
                return vsm_client_fail(client, error);

        if (!client->json && (!file || g_str_equal(file, "-")) && isatty(STDOUT_FILENO)) {
                /* said before the service is asked, by who says it */
                g_autoptr(GBytes) none = g_bytes_new(NULL, 0);

                (void) vsm_blob_write(none, "-", &error);
                return vsm_client_fail(client, error);
        }

        blob = vsm_blob_get(client, argv[1], &error);
        if (!blob)
                return vsm_client_fail(client, error);

        return write_blob(client, blob, file);
}

static int check(VsmClient *client, int argc, char **argv) {
        g_autoptr(JsonArray) reasons = NULL;
        g_autoptr(GBytes) blob = NULL;
        GError *error = NULL;
        bool compatible;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 1, 1, &error))
                return vsm_client_fail(client, error);

        blob = vsm_blob_read(argv[1], &error);
        if (!blob)
                return vsm_client_fail(client, error);

        if (!vsm_blob_check(client, blob, &compatible, &reasons, &error))
                return vsm_client_fail(client, error);

        return vsm_verdict_print_compatible(client, client->host, compatible, reasons);
}

int vsm_verb_compat(VsmClient *client, int argc, char **argv) {
        static const VsmVerb subs[] = {
                { "compat export", "[VM]", N_("Write what a system needs, or what this host is"), export },
                { "compat check",  "FILE", N_("Tell whether this host is compatible with that"),  check  },
                {}
        };

        return vsm_client_run_sub(client, subs, /* has_default= */ false, argc, argv);
}
