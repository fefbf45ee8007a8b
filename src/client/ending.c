/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Telling how a job ended that was followed. */

#include <glib/gi18n.h>

#include "client/ending.h"
#include "client/evacuation.h"
#include "client/message.h"
#include "client/outcome.h"
#include "client/output.h"
#include "client/reasons.h"
#include "shared/enums.h"

typedef struct Ending {
        JsonObject *job;                /* borrowed */
        JsonObject *transfer;
        JsonObject *evacuation;
        JsonArray *reasons;             /* NULL: none, or not shown to us */
        JsonArray *leftovers;           /* the same */
        bool success;
} Ending;

static void ending_done(Ending *ending) {
        g_clear_pointer(&ending->transfer, json_object_unref);
        g_clear_pointer(&ending->evacuation, json_object_unref);
        g_clear_pointer(&ending->reasons, json_array_unref);
        g_clear_pointer(&ending->leftovers, json_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Ending, ending_done)

/* The last numbers may come after the last state: they are of another interface. */
static JsonObject* get_last(VsmClient *client, const char *path, const char *interface, JsonObject *seen) {
        JsonObject *properties = seen ? vsm_client_get_properties(client, path, interface, NULL) : NULL;

        if (!properties && seen)
                properties = json_object_ref(seen);

        return properties;
}

static void ending_get(Ending *e, VsmClient *client, const char *path, const VsmProgressState *state) {
        uint16_t job_state = (uint16_t) vsm_object_get_uint(state->job, "JobState");

        e->job = state->job;
        e->success = vsm_job_state_is_success(job_state);
        e->transfer = get_last(client, path, VSM_INTERFACE_TRANSFER, state->transfer);
        e->evacuation = get_last(client, path, VSM_INTERFACE_EVACUATION, state->evacuation);

        if (job_state == VSM_JOB_STATE_EXCEPTION || job_state == VSM_JOB_STATE_COMPLETED_WITH_WARNINGS)
                e->reasons = vsm_client_get_reasons(client, path, NULL);
        if (e->evacuation)
                e->leftovers = vsm_client_get_leftovers(client, path, NULL);
}

static JsonArray* array_or_empty(JsonArray *array) {
        return array ? json_array_ref(array) : json_array_new();
}

static void print_json(const Ending *e, const char *path) {
        g_autoptr(JsonObject) all = json_object_new();
        g_autoptr(GList) names = json_object_get_members(e->job);

        json_object_set_string_member(all, "Path", path);
        for (GList *l = names; l; l = l->next)
                json_object_set_member(all, l->data, json_object_dup_member(e->job, l->data));
        if (e->transfer)
                json_object_set_object_member(all, "Transfer", json_object_ref(e->transfer));
        if (e->evacuation) {
                json_object_set_object_member(all, "Evacuation", json_object_ref(e->evacuation));
                json_object_set_array_member(all, "Leftovers", array_or_empty(e->leftovers));
        }
        json_object_set_array_member(all, "Errors", array_or_empty(e->reasons));

        vsm_output_json_object(all, /* pretty= */ true);
}

static void print_reasons(const Ending *e, const char *command) {
        g_autofree char *text = vsm_reasons_format(e->reasons), *advice = NULL;
        uint16_t state = (uint16_t) vsm_object_get_uint(e->job, "JobState");

        g_printerr("%s", text);
        if (state != VSM_JOB_STATE_EXCEPTION)
                return;

        advice = vsm_outcome_format_advice(e->job, e->reasons, command);
        if (*advice)
                g_printerr(_("What to do next:\n%s"), advice);
}

static void print_text(const Ending *e, const char *command) {
        g_autofree char *sentence = vsm_outcome_format(e->job, e->transfer), *leftovers = NULL, *count = NULL;

        if (e->success)
                g_print("%s\n", sentence);
        else
                g_printerr("%s\n", sentence);

        print_reasons(e, command);
        if (!e->evacuation)
                return;

        count = vsm_evacuation_format_count(e->job, e->evacuation);
        g_print("%s\n", count);
        leftovers = vsm_evacuation_format_leftovers(e->job, e->leftovers, command);
        g_printerr("%s", leftovers);
}

/* One that is told with information only is no failure: it had come home before, say. */
static bool is_left(JsonObject *leftover) {
        JsonArray *reasons = vsm_object_get_array(leftover, "Reasons");
        guint n = reasons ? json_array_get_length(reasons) : 0;

        for (guint i = 0; i < n; i++)
                if (vsm_object_get_uint(json_array_get_object_element(reasons, i), "PerceivedSeverity") !=
                    VSM_SEVERITY_INFORMATION)
                        return true;

        return n == 0;
}

static bool any_left(JsonArray *leftovers) {
        for (guint i = 0; leftovers && i < json_array_get_length(leftovers); i++)
                if (is_left(json_array_get_object_element(leftovers, i)))
                        return true;

        return false;
}

int vsm_ending_tell(VsmClient *client, const char *path, const VsmProgressState *state) {
        g_autofree char *command = vsm_client_command(client);
        g_auto(Ending) e = {};

        ending_get(&e, client, path, state);
        if (client->json)
                print_json(&e, path);
        else
                print_text(&e, command);

        return e.success && !any_left(e.leftovers) ? VSM_EXIT_SUCCESS : VSM_EXIT_FAILED;
}
