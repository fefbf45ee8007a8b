/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl jobs, job and cancel: what runs, one of them in full, and the end of it. */

#include <glib/gi18n.h>
#include <inttypes.h>

#include "client/agent.h"
#include "client/follow.h"
#include "client/job-fields.h"
#include "client/message.h"
#include "client/objects.h"
#include "client/outcome.h"
#include "client/output.h"
#include "client/pager.h"
#include "client/reasons.h"
#include "client/text.h"
#include "client/verbs.h"
#include "client/words.h"
#include "shared/enums.h"

/* RequestedState of CIM_ConcreteJob.RequestStateChange */
#define REQUEST_TERMINATE       4
#define REQUEST_KILL            5

/* ---- jobs ---- */

static void add_job(VsmTable *table, JsonObject *job, uint64_t now) {
        uint64_t duration = vsm_outcome_duration(job, now);
        g_autofree char *elapsed = vsm_text_duration(duration);
        uint16_t type = (uint16_t) vsm_object_get_uint(job, "JobType");
        uint16_t state = (uint16_t) vsm_object_get_uint(job, "JobState");

        vsm_table_add(table, vsm_objects_number(vsm_object_get_string(job, "Path")));
        vsm_table_add(table, vsm_word(vsm_job_type_to_string(type)));
        vsm_table_add(table, vsm_object_get_string(job, "ElementName"));
        vsm_table_add(table, vsm_object_get_string(job, "DestinationHost"));
        vsm_table_add(table, vsm_word(vsm_job_state_to_string(state)));
        vsm_table_addf(table, "%" PRIu64 "%%", vsm_object_get_uint(job, "PercentComplete"));
        vsm_table_add(table, duration > 0 ? elapsed : NULL);
        vsm_table_add(table, vsm_object_get_string(job, "Owner"));
}

static void print_jobs(VsmClient *client, GPtrArray *jobs) {
        const char *const headings[] = {
                /* Translators: a '>' in front means: aligned to the right */
                _(">JOB"), _("TASK"), _("SYSTEM"), _("DESTINATION"), _("STATE"), _(">DONE"), _(">TIME"),
                _("OWNER"), NULL
        };
        g_autoptr(VsmTable) table = vsm_table_new(headings);

        if (jobs->len == 0) {
                g_print(_("There are no jobs.\n"));
                return;
        }

        for (guint i = 0; i < jobs->len; i++)
                add_job(table, g_ptr_array_index(jobs, i), (uint64_t) g_get_real_time());

        vsm_pager_print(client, table);
}

int vsm_verb_jobs(VsmClient *client, int argc, char **argv) {
        g_autoptr(JsonObject) objects = NULL;
        g_autoptr(GPtrArray) jobs = NULL;
        GError *error = NULL;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 0, 0, &error))
                return vsm_client_fail(client, error);

        objects = vsm_client_get_objects(client, &error);
        if (!objects)
                return vsm_client_fail(client, error);

        jobs = vsm_objects_select(objects, VSM_INTERFACE_JOB);
        vsm_objects_sort_by_number(jobs);

        if (client->json)
                vsm_objects_print_json(jobs);
        else
                print_jobs(client, jobs);

        return VSM_EXIT_SUCCESS;
}

/* ---- job N ---- */

static JsonObject* find(VsmClient *client, const char *path, GError **error) {
        g_autoptr(JsonObject) objects = vsm_client_get_objects(client, error);
        JsonObject *job;

        if (!objects)
                return NULL;

        job = vsm_objects_find(objects, path, VSM_INTERFACE_JOB);
        if (!job)
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_NO_OBJECT, _("There is no job %s"),
                            vsm_objects_number(path));

        return job;
}

/* What only the owner and administrators may see. That others may not is no failure of this verb. */
static void add_private(VsmClient *client, const char *path, JsonObject *job) {
        uint64_t state = vsm_object_get_uint(job, "JobState");
        g_autoptr(JsonObject) request = NULL;
        g_autoptr(JsonArray) reasons = NULL;

        request = vsm_client_get_request(client, path, NULL);
        if (request)
                json_object_set_object_member(job, "Request", g_steal_pointer(&request));

        if (state == VSM_JOB_STATE_EXCEPTION || state == VSM_JOB_STATE_COMPLETED_WITH_WARNINGS) {
                reasons = vsm_client_get_reasons(client, path, NULL);
                if (reasons)
                        json_object_set_array_member(job, "Errors", g_steal_pointer(&reasons));
        }
}

static void print_private(JsonObject *job) {
        uint64_t state = vsm_object_get_uint(job, "JobState");
        JsonArray *reasons = vsm_object_get_array(job, "Errors");
        JsonObject *request = vsm_object_get_object(job, "Request");
        g_autofree char *text = NULL;

        if (request) {
                g_autoptr(VsmTable) table = vsm_table_new_fields();
                g_autoptr(GList) names = json_object_get_members(request);

                for (GList *l = names; l; l = l->next) {
                        g_autofree char *value = NULL;

                        value = json_to_string(json_object_get_member(request, l->data),
                                               /* pretty= */ FALSE);
                        vsm_table_field(table, l->data, value);
                }

                g_print(_("\nRequest:\n"));
                vsm_table_print(table);
        }

        if (reasons) {
                text = vsm_reasons_format(reasons);
                g_print(_("\nReasons:\n%s"), text);
        } else if (state == VSM_JOB_STATE_EXCEPTION)
                g_print(_("\nThe reasons are shown to the owner of the job and to administrators.\n"));
}

static int show(VsmClient *client, const char *path) {
        g_autoptr(JsonObject) job = NULL;
        GError *error = NULL;

        job = find(client, path, &error);
        if (!job)
                return vsm_client_fail(client, error);

        add_private(client, path, job);
        if (client->json)
                vsm_output_json_object(job, /* pretty= */ true);
        else {
                vsm_job_print(job);
                print_private(job);
        }

        return VSM_EXIT_SUCCESS;
}

static int follow(VsmClient *client, const char *path) {
        g_autoptr(VsmFollow) f = NULL;
        g_autoptr(JsonObject) job = NULL;
        GError *error = NULL;

        f = vsm_follow_new(client, &error);
        if (!f)
                return vsm_client_fail(client, error);

        /* after the subscription: what goes from here on is told by a signal */
        job = find(client, path, &error);
        if (!job)
                return vsm_client_fail(client, error);

        return vsm_follow_run(f, path);
}

int vsm_verb_job(VsmClient *client, int argc, char **argv) {
        gboolean arg_follow = false;
        const GOptionEntry entries[] = {
                { "follow", 'f', 0, G_OPTION_ARG_NONE, &arg_follow,
                  N_("Show its progress until it ends"), NULL },
                {}
        };
        g_autofree char *path = NULL;
        GError *error = NULL;

        if (!vsm_client_parse(client, entries, &argc, &argv, 1, 1, &error))
                return vsm_client_fail(client, error);

        path = vsm_client_find_job(argv[1], &error);
        if (!path)
                return vsm_client_fail(client, error);

        return arg_follow ? follow(client, path) : show(client, path);
}

/* ---- cancel N ---- */

static void tell_cancelled(VsmClient *client, const char *path, uint32_t value) {
        g_autofree char *command = vsm_client_command(client);

        if (client->json) {
                g_autoptr(JsonObject) object = json_object_new();

                json_object_set_string_member(object, "Job", path);
                json_object_set_int_member(object, "ReturnValue", value);
                vsm_output_json_object(object, /* pretty= */ true);
        } else if (value == VSM_RETURN_COMPLETED)
                g_print(_("Job %s was cancelled before.\n"), vsm_objects_number(path));
        else
                g_print(_("Job %s is being cancelled. '%s job %s' shows when that is done.\n"),
                        vsm_objects_number(path), command, vsm_objects_number(path));
}

int vsm_verb_cancel(VsmClient *client, int argc, char **argv) {
        gboolean force = false;
        const GOptionEntry entries[] = {
                { "force", 'f', 0, G_OPTION_ARG_NONE, &force,
                  N_("Also end the incoming guest at the destination at once"), NULL },
                {}
        };
        g_autoptr(sd_bus_message) reply = NULL;
        g_autofree char *path = NULL;
        GError *error = NULL;
        uint32_t value;
        int r;

        if (!vsm_client_parse(client, entries, &argc, &argv, 1, 1, &error))
                return vsm_client_fail(client, error);

        path = vsm_client_find_job(argv[1], &error);
        if (!path)
                return vsm_client_fail(client, error);

        vsm_agent_open(client);
        reply = vsm_client_call_method(client, path, VSM_INTERFACE_JOB, "RequestStateChange", &error, "qt",
                                       force ? REQUEST_KILL : REQUEST_TERMINATE, UINT64_C(0));
        if (!reply)
                return vsm_client_fail(client, error);

        r = sd_bus_message_read(reply, "u", &value);
        if (r < 0) {
                vsm_error_set_errno(&error, r, _("The service's answer cannot be read"));
                return vsm_client_fail(client, error);
        }

        tell_cancelled(client, path, value);
        return VSM_EXIT_SUCCESS;
}
