/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What all verbs share: options, the bus, calls, looking things up. Errors are in failure.c.
 * One thread only. */

#include "config.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <inttypes.h>
#include <string.h>

#include "client/agent.h"
#include "client/common.h"
#include "client/message.h"
#include "client/pager.h"
#include "client/site.h"
#include "client/text.h"

void vsm_client_done(VsmClient *client) {
        vsm_pager_close(client);
        vsm_agent_close(client);
        client->bus = sd_bus_flush_close_unref(client->bus);
        g_clear_pointer(&client->host, g_free);
}

void vsm_client_add_options(VsmClient *client, GOptionContext *context) {
        const GOptionEntry entries[] = {
                { "host", 'H', 0, G_OPTION_ARG_FILENAME, &client->host,
                  N_("Talk to the service of another host, through ssh"), N_("[USER@]HOST") },
                { "json", 0, 0, G_OPTION_ARG_NONE, &client->json,
                  N_("Print JSON"), NULL },
                { "no-pager", 0, 0, G_OPTION_ARG_NONE, &client->no_pager,
                  N_("Do not pipe output into a pager"), NULL },
                { "no-ask-password", 0, 0, G_OPTION_ARG_NONE, &client->no_ask_password,
                  N_("Do not ask for a password"), NULL },
                {}
        };

        g_option_context_add_main_entries(context, entries, GETTEXT_PACKAGE);
}

bool vsm_client_parse(
                VsmClient *client,
                const GOptionEntry *entries,
                int *argc,
                char ***argv,
                int min,
                int max,
                GError **error) {

        g_autoptr(GOptionContext) context = NULL;
        g_autofree char *name = g_strdup_printf("vsmctl %s", client->verb->name);
        g_autofree char *usage = g_strchomp(g_strdup_printf("%s %s", name, client->verb->arguments));
        g_autoptr(GError) e = NULL;

        /* for the first line of --help */
        g_set_prgname(name);

        context = g_option_context_new(client->verb->arguments);
        g_option_context_set_summary(context, _(client->verb->summary));
        if (entries)
                g_option_context_add_main_entries(context, entries, GETTEXT_PACKAGE);
        vsm_client_add_options(client, context);

        if (!g_option_context_parse(context, argc, argv, &e)) {
                g_set_error_literal(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE, e->message);
                return false;
        }

        if (*argc - 1 >= min && *argc - 1 <= max)
                return true;

        g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                    *argc - 1 < min ? _("Something is missing. The form is: %s") :
                                      _("That is too much. The form is: %s"),
                    usage);
        return false;
}

void vsm_client_set_no_verb(GError **error, const char *name, const char *const *names) {
        const char *nearest = vsm_text_nearest(name, names);

        if (nearest)
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("There is no verb '%s'. Did you mean '%s'?"), name, nearest);
        else
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE, _("There is no verb '%s'"),
                            name);
}

static const VsmVerb* find_sub(const VsmClient *client, const VsmVerb *subs, const char *word,
                               GError **error) {
        g_autofree char *name = g_strdup_printf("%s %s", client->verb->name, word);
        g_autoptr(GPtrArray) names = g_ptr_array_new();

        for (const VsmVerb *sub = subs; sub->name; sub++) {
                if (g_str_equal(sub->name, name))
                        return sub;
                g_ptr_array_add(names, (void*) sub->name);
        }
        g_ptr_array_add(names, NULL);

        vsm_client_set_no_verb(error, name, (const char *const *) names->pdata);
        return NULL;
}

static char* format_subs(const VsmVerb *verb, const VsmVerb *subs) {
        g_autoptr(GString) out = g_string_new(NULL);

        g_string_append_printf(out, "%s\n", _(verb->summary));
        for (; subs->name; subs++)
                g_string_append_printf(out, "\n  %s%s%s\n      %s", subs->name, *subs->arguments ? " " : "",
                                       subs->arguments, _(subs->summary));

        return g_string_free(g_steal_pointer(&out), FALSE);
}

int vsm_client_run_sub(VsmClient *client, const VsmVerb *subs, bool has_default, int argc, char **argv) {
        g_autofree char *text = format_subs(client->verb, subs);
        g_autofree char *name = g_strdup_printf("vsmctl %s", client->verb->name);
        g_autoptr(GOptionContext) context = g_option_context_new(client->verb->arguments);
        g_autoptr(GError) e = NULL;
        GError *error = NULL;

        g_set_prgname(name);
        g_option_context_set_summary(context, text);
        vsm_client_add_options(client, context);
        g_option_context_set_strict_posix(context, TRUE);

        if (!g_option_context_parse(context, &argc, &argv, &e)) {
                g_set_error_literal(&error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE, e->message);
                return vsm_client_fail(client, error);
        }

        if (argc < 2 && has_default) {
                client->verb = subs;
                return subs->run(client, argc, argv);
        }

        if (argc < 2) {
                g_set_error(&error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("Something is missing. The form is: %s %s"), name, client->verb->arguments);
                return vsm_client_fail(client, error);
        }

        client->verb = find_sub(client, subs, argv[1], &error);
        if (!client->verb)
                return vsm_client_fail(client, error);

        return client->verb->run(client, argc - 1, argv + 1);
}

/* Without the wait, it would be the first call that fails, and nobody would see why. */
static int open_remote(const char *host, sd_bus **ret) {
        g_autofree char *target = vsm_site_ssh_target(host);
        g_autoptr(sd_bus) bus = NULL;
        const char *name;
        int r;

        if (!*target)
                return -EINVAL;

        r = sd_bus_open_system_remote(&bus, target);
        if (r < 0)
                return r;

        r = sd_bus_get_unique_name(bus, &name);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&bus);
        return 0;
}

static int open_bus(VsmClient *client, sd_bus **ret, GError **error) {
        int r;

        if (!client->host) {
                r = sd_bus_open_system(ret);
                if (r < 0)
                        g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_NO_BUS,
                                    _("Cannot connect to the system bus: %s"), g_strerror(-r));
                return r;
        }

        r = open_remote(client->host, ret);
        if (r == -EINVAL)
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("'%s' is not of the form [USER@]HOST"), client->host);
        else if (r < 0)
                /* why, has ssh said itself */
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_NO_BUS,
                            _("The bus of %s cannot be reached through ssh"), client->host);

        return r;
}

bool vsm_client_connect(VsmClient *client, GError **error) {
        g_autoptr(sd_bus) bus = NULL;
        int r;

        if (client->bus)
                return true;

        r = open_bus(client, &bus, error);
        if (r < 0)
                return false;

        /* The service answers in time or says that it cannot, and a question to a person takes as long as it
         * takes: a limit here could only make us miss the answer. */
        r = sd_bus_set_method_call_timeout(bus, UINT64_MAX);
        if (r < 0)
                return vsm_error_set_errno(error, r, _("Cannot connect to the system bus"));

        r = sd_bus_set_allow_interactive_authorization(bus, !client->no_ask_password);
        if (r < 0)
                return vsm_error_set_errno(error, r, _("Cannot connect to the system bus"));

        /* we still ask for the result when an event loop has ended */
        r = sd_bus_set_close_on_exit(bus, false);
        if (r < 0)
                return vsm_error_set_errno(error, r, _("Cannot connect to the system bus"));

        client->bus = g_steal_pointer(&bus);
        return true;
}

sd_bus_message* vsm_client_new_call(
                VsmClient *client,
                const char *path,
                const char *interface,
                const char *member,
                GError **error) {

        sd_bus_message *call = NULL;
        int r;

        if (!vsm_client_connect(client, error))
                return NULL;

        r = sd_bus_message_new_method_call(client->bus, &call, VSM_BUS_NAME, path, interface, member);
        if (r < 0)
                vsm_error_set_errno(error, r, _("The request cannot be written"));

        return call;
}

sd_bus_message* vsm_client_call(VsmClient *client, sd_bus_message *call, GError **error) {
        g_auto(sd_bus_error) e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_call(client->bus, call, UINT64_MAX, &e, &reply);
        if (r < 0)
                vsm_error_set_bus(error, &e, r);

        return reply;
}

sd_bus_message* vsm_client_call_method(
                VsmClient *client,
                const char *path,
                const char *interface,
                const char *member,
                GError **error,
                const char *types,
                ...) {

        g_autoptr(sd_bus_message) call = NULL;
        va_list ap;
        int r;

        call = vsm_client_new_call(client, path, interface, member, error);
        if (!call)
                return NULL;

        va_start(ap, types);
        r = sd_bus_message_appendv(call, types, ap);
        va_end(ap);
        if (r < 0) {
                vsm_error_set_errno(error, r, _("The request cannot be written"));
                return NULL;
        }

        return vsm_client_call(client, call, error);
}

sd_bus_message* vsm_client_call_value(
                VsmClient *client,
                const char *path,
                const char *interface,
                const char *member,
                GVariant *value,
                GError **error) {

        g_autoptr(GVariant) own = g_variant_ref_sink(value);
        g_autoptr(sd_bus_message) call = vsm_client_new_call(client, path, interface, member, error);

        if (!call || !vsm_message_append(call, own, error))
                return NULL;

        return vsm_client_call(client, call, error);
}

JsonObject* vsm_client_get_objects(VsmClient *client, GError **error) {
        g_autoptr(sd_bus_message) reply = NULL;

        reply = vsm_client_call_method(client, VSM_OBJECT_PATH, "org.freedesktop.DBus.ObjectManager",
                                       "GetManagedObjects", error, "");
        if (!reply)
                return NULL;

        return vsm_message_read_object(reply, error);
}

JsonObject* vsm_client_get_properties(
                VsmClient *client,
                const char *path,
                const char *interface,
                GError **error) {

        g_autoptr(sd_bus_message) reply = NULL;

        reply = vsm_client_call_method(client, path, "org.freedesktop.DBus.Properties", "GetAll", error, "s",
                                       interface);
        if (!reply)
                return NULL;

        return vsm_message_read_object(reply, error);
}

static sd_bus_message* call_without_question(
                VsmClient *client,
                const char *job_path,
                const char *interface,
                const char *member,
                GError **error) {

        g_autoptr(sd_bus_message) call = NULL;

        call = vsm_client_new_call(client, job_path, interface, member, error);
        if (!call)
                return NULL;

        (void) sd_bus_message_set_allow_interactive_authorization(call, false);
        return vsm_client_call(client, call, error);
}

JsonArray* vsm_client_get_reasons(VsmClient *client, const char *job_path, GError **error) {
        g_autoptr(sd_bus_message) reply = NULL;

        reply = call_without_question(client, job_path, VSM_INTERFACE_JOB, "GetErrorEx", error);
        return reply ? vsm_message_read_array(reply, error) : NULL;
}

JsonArray* vsm_client_get_leftovers(VsmClient *client, const char *job_path, GError **error) {
        g_autoptr(sd_bus_message) reply = NULL;

        reply = call_without_question(client, job_path, VSM_INTERFACE_EVACUATION, "GetLeftovers", error);
        return reply ? vsm_message_read_array(reply, error) : NULL;
}

JsonObject* vsm_client_get_request(VsmClient *client, const char *job_path, GError **error) {
        g_autoptr(sd_bus_message) reply = NULL;

        reply = call_without_question(client, job_path, VSM_INTERFACE_JOB, "GetRequest", error);
        return reply ? vsm_message_read_object(reply, error) : NULL;
}

char* vsm_client_find_system(VsmClient *client, const char *system, GError **error) {
        g_autoptr(sd_bus_message) reply = NULL;
        const char *path;
        int r;

        /* no name of a guest and no UUID begins like this */
        if (g_str_has_prefix(system, VSM_OBJECT_PATH_SYSTEM "/") && sd_bus_object_path_is_valid(system) > 0)
                return g_strdup(system);

        reply = vsm_client_call_method(client, VSM_OBJECT_PATH, VSM_INTERFACE_MANAGER, "GetSystem", error,
                                       "s", system);
        if (!reply)
                return NULL;

        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0) {
                vsm_error_set_errno(error, r, _("The service's answer cannot be read"));
                return NULL;
        }

        return g_strdup(path);
}

char* vsm_client_find_job(const char *job, GError **error) {
        uint64_t number;

        if (g_str_has_prefix(job, VSM_OBJECT_PATH_JOB "/"))
                job += strlen(VSM_OBJECT_PATH_JOB "/");

        if (!g_ascii_string_to_unsigned(job, 10, 0, G_MAXUINT64, &number, NULL)) {
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("'%s' is not the number of a job"), job);
                return NULL;
        }

        return g_strdup_printf(VSM_OBJECT_PATH_JOB "/%" PRIu64, number);
}

char* vsm_client_command(const VsmClient *client) {
        g_autofree char *host = NULL;

        if (!client->host)
                return g_strdup("vsmctl");

        host = vsm_text_shell(client->host);
        return g_strdup_printf("vsmctl -H %s", host);
}
