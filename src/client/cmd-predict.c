/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl predict: how long a migration would take, and whether it would come to an end. */

#include <glib/gi18n.h>
#include <inttypes.h>

#include "client/agent.h"
#include "client/message.h"
#include "client/output.h"
#include "client/request.h"
#include "client/text.h"
#include "client/verbs.h"
#include "client/words.h"

static JsonObject* ask(
                VsmClient *client,
                const VsmRequest *request,
                const char *vm,
                const char *host,
                GError **error) {

        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        g_autofree char *system = NULL;

        system = vsm_client_find_system(client, vm, error);
        if (!system)
                return NULL;

        call = vsm_request_new_call(request, client, VSM_INTERFACE_MANAGER, "Predict", system, host, error);
        if (!call)
                return NULL;

        vsm_agent_open(client);
        reply = vsm_client_call(client, call, error);
        return reply ? vsm_message_read_object(reply, error) : NULL;
}

static void add_rate(VsmTable *table, const char *name, uint64_t rate, const char *source) {
        g_autofree char *text = vsm_text_bytes(rate);

        if (rate > 0)
                vsm_table_fieldf(table, name, *source ? "%s/s (%s)" : "%s/s", text, source);
}

static void print_prediction(JsonObject *prediction) {
        g_autoptr(VsmTable) table = vsm_table_new_fields();
        g_autofree char *duration = vsm_text_duration(vsm_object_get_uint(prediction, "Duration"));
        g_autofree char *least = vsm_text_duration(vsm_object_get_uint(prediction, "DurationMin"));
        g_autofree char *most = vsm_text_duration(vsm_object_get_uint(prediction, "DurationMax"));
        g_autofree char *bytes = vsm_text_bytes(vsm_object_get_uint(prediction, "Bytes"));
        g_autofree char *pause = vsm_text_duration(vsm_object_get_uint(prediction, "Downtime") * 1000);
        g_autofree char *longest = vsm_text_duration(vsm_object_get_uint(prediction, "DowntimeMax") * 1000);

        vsm_table_fieldf(table, _("Time"), _("%s (%s to %s)"), duration, least, most);
        vsm_table_fieldf(table, _("Pause"), _("%s, at most %s"), pause, longest);
        vsm_table_fieldf(table, _("To send"), "%s", bytes);
        vsm_table_field(table, _("Comes to an end"),
                        vsm_word_yes_no(vsm_object_get_bool(prediction, "Converges")));
        vsm_table_field(table, _("Method"), vsm_word(vsm_object_get_string(prediction, "Method")));
        add_rate(table, _("Dirty rate"), vsm_object_get_uint(prediction, "DirtyRate"), "");
        add_rate(table, _("Link"), vsm_object_get_uint(prediction, "LinkRate"),
                 vsm_object_get_string(prediction, "LinkRateSource"));
        vsm_table_fieldf(table, _("Confidence"), "%" PRIu64 "%%",
                         vsm_object_get_uint(prediction, "Confidence"));
        vsm_table_print(table);
}

int vsm_verb_predict(VsmClient *client, int argc, char **argv) {
        g_autoptr(JsonObject) prediction = NULL;
        g_auto(VsmRequest) request = {};
        GError *error = NULL;

        if (!vsm_request_parse(&request, client, NULL, &argc, &argv, &error))
                return vsm_client_fail(client, error);

        prediction = ask(client, &request, argv[1], vsm_request_get_host(argc, argv), &error);
        if (!prediction)
                return vsm_client_fail(client, error);

        if (client->json)
                vsm_output_json_object(prediction, /* pretty= */ true);
        else
                print_prediction(prediction);

        return VSM_EXIT_SUCCESS;
}
