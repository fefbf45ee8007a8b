/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl: the table of verbs, the options before the verb, and nothing else. */

#include "config.h"

#include <glib/gi18n.h>
#include <libintl.h>
#include <locale.h>

#include "client/common.h"
#include "client/text.h"
#include "client/verbs.h"

static int verb_help(VsmClient *client, int argc, char **argv);

static const VsmVerb verbs[] = {
        { "list", "",
          N_("List the virtual systems of this host"), vsm_verb_list },
        { "status", "[VM]",
          N_("Show the service, or one system"), vsm_verb_status },
        { "check", "VM HOST",
          N_("Tell whether a system can be migrated, and why not"), vsm_verb_check },
        { "predict", "VM HOST",
          N_("Tell how long a migration would take"), vsm_verb_predict },
        { "migrate", "VM HOST",
          N_("Migrate a system and show the progress"), vsm_verb_migrate },
        { "evacuate", "[--plan]",
          N_("Move all systems to other hosts"), vsm_verb_evacuate },
        { "bring-back", "[VM…]",
          N_("Bring home what an evacuation moved away"), vsm_verb_bring_back },
        { "jobs", "",
          N_("List the jobs"), vsm_verb_jobs },
        { "job", "N",
          N_("Show a job, or follow it to its end"), vsm_verb_job },
        { "cancel", "N",
          N_("Cancel a job"), vsm_verb_cancel },
        { "watch", "",
          N_("Print what happens, as it happens"), vsm_verb_watch },
        { "history", "",
          N_("List the migrations that have ended"), vsm_verb_history },
        { "reset", "VM",
          N_("Take the mark of a failed migration off a system"), vsm_verb_reset },
        { "settings", "[KEY=VALUE…]",
          N_("Show or change the settings of the service"), vsm_verb_settings },
        { "network", "[VERB]",
          N_("List, add, modify, remove migration networks"), vsm_verb_network },
        { "host", "[VERB]",
          N_("List, add, remove known destinations"), vsm_verb_host },
        { "service", "[VERB]",
          N_("Show, start, stop, quiesce the service"), vsm_verb_service },
        { "policy", "VM [KEY=VALUE…]",
          N_("Show or change the policy of a system"), vsm_verb_policy },
        { "compat", "VERB",
          N_("Export or check compatibility information"), vsm_verb_compat },
        { "help", "[VERB…]",
          N_("Show this help, or that of a verb"), verb_help },
        {}
};

/* Those of the Hyper-V sample, with its arguments. As there, upper and lower case do not count. */
static const VsmVerb words[] = {
        { "vm-simple",                     "SOURCE DESTINATION VM",
          N_("Migrate a system"), vsm_word_simple },
        { "vm-simple-with-ip",             "SOURCE DESTINATION VM",
          N_("The same, to the addresses at which the destination listens"), vsm_word_with_ip },
        { "vm-simple-with-new-root",       "SOURCE DESTINATION VM",
          N_("The same, with another place for its configuration"), vsm_word_new_root },
        { "vm-simple-check",               "SOURCE DESTINATION VM",
          N_("Tell whether it could be migrated"), vsm_word_check },
        { "vm-detailed",                   "SOURCE DESTINATION VM",
          N_("Stage, repair and migrate a system"), vsm_word_detailed },
        { "vm-compression",                "SOURCE DESTINATION VM",
          N_("Migrate a system with compression"), vsm_word_compression },
        { "vm-smb",                        "SOURCE DESTINATION VM",
          N_("Migrate a system over SMB"), vsm_word_smb },
        { "vm-and-storage-simple",         "SOURCE DESTINATION VM",
          N_("Migrate a system and its disks"), vsm_word_system_and_storage_simple },
        { "vm-and-storage",                "SOURCE DESTINATION VM LOCATION",
          N_("The same, the disks to another place"), vsm_word_system_and_storage },
        { "storage-simple",                "HOST VM LOCATION",
          N_("Move the disks of a system"), vsm_word_storage_simple },
        { "storage-simple-with-pool",      "HOST VM POOL PATH",
          N_("The same, into a pool"), vsm_word_storage_with_pool },
        { "checkcompatibility",            "SOURCE DESTINATION [VM]",
          N_("Tell whether two hosts, or a system and a host, are compatible"),
          vsm_word_check_compatibility },
        { "compare-compatibility-vectors", "HOST VM",
          N_("Compare what a system needs with what its host has"), vsm_word_compare_vectors },
        { "modifyservice",                 "HOST",
          N_("Show settings of a service, and change some"), vsm_word_modify_service },
        { "modifynetworks",                "HOST",
          N_("Add, change and remove a migration network"), vsm_word_modify_networks },
        { "enablecompression",             "HOST",
          N_("Make a service compress what it sends"), vsm_word_enable_compression },
        { "enablesmb",                     "HOST",
          N_("Make a service use SMB"), vsm_word_enable_smb },
        {}
};

static const VsmVerb* find_verb(const char *name, GError **error) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();

        for (const VsmVerb *verb = verbs; verb->name; verb++) {
                if (g_str_equal(verb->name, name))
                        return verb;
                g_ptr_array_add(names, (void*) verb->name);
        }

        for (const VsmVerb *word = words; word->name; word++) {
                if (g_ascii_strcasecmp(word->name, name) == 0)
                        return word;
                g_ptr_array_add(names, (void*) word->name);
        }
        g_ptr_array_add(names, NULL);

        vsm_client_set_no_verb(error, name, (const char *const *) names->pdata);
        return NULL;
}

static char* format_verbs(void) {
        g_autoptr(GString) out = g_string_new(_("Migrate virtual systems to other hosts.\n\nVerbs:"));

        for (const VsmVerb *verb = verbs; verb->name; verb++) {
                g_autofree char *call = g_strdup_printf("%s %s", verb->name, verb->arguments);

                /* "%-24s" counts bytes */
                g_string_append_printf(out, "\n  %s%*s %s", call, (int) MAX(24 - (int) vsm_text_width(call), 0),
                                       "", _(verb->summary));
        }

        g_string_append_printf(out, "\n\n%s", _("Words of the Hyper-V migration sample:"));
        for (const VsmVerb *word = words; word->name; word++)
                g_string_append_printf(out, "\n  %s %s", word->name, word->arguments);

        return g_string_free(g_steal_pointer(&out), FALSE);
}

static GOptionContext* new_context(VsmClient *client, gboolean *version) {
        g_autofree char *text = format_verbs();
        g_autoptr(GOptionContext) context = g_option_context_new(_("VERB …"));
        const GOptionEntry entries[] = {
                { "version", 0, 0, G_OPTION_ARG_NONE, version, N_("Show the version"), NULL },
                {}
        };

        g_option_context_set_summary(context, text);
        g_option_context_set_description(context, _("Exit status: 0 success, 1 failed, 2 wrong usage, "
                                                    "3 not migratable, 4 denied."));
        g_option_context_add_main_entries(context, entries, GETTEXT_PACKAGE);
        vsm_client_add_options(client, context);

        /* what stands after the verb is the verb's */
        g_option_context_set_strict_posix(context, TRUE);
        return g_steal_pointer(&context);
}

static int verb_help(VsmClient *client, int argc, char **argv) {
        g_autoptr(GOptionContext) context = NULL;
        g_autofree char *text = NULL;
        GError *error = NULL;
        const VsmVerb *verb;
        gboolean version;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 0, 2, &error))
                return vsm_client_fail(client, error);

        if (argc > 1) {
                char *help = (char*) "--help";
                char *arguments[] = { argv[1], argc > 2 ? argv[2] : help, argc > 2 ? help : NULL, NULL };

                verb = find_verb(argv[1], &error);
                if (!verb)
                        return vsm_client_fail(client, error);

                /* the verb knows its options, and nobody else does */
                client->verb = verb;
                return verb->run(client, argc, arguments);
        }

        context = new_context(client, &version);
        text = g_option_context_get_help(context, /* main_help= */ TRUE, NULL);
        g_print("%s", text);
        return VSM_EXIT_SUCCESS;
}

/* The bus takes nothing but UTF-8; so it is said here once for all arguments. */
static bool check_arguments(int argc, char **argv, GError **error) {
        for (int i = 1; i < argc; i++)
                if (!g_utf8_validate(argv[i], -1, NULL)) {
                        g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                                    _("Argument %d is not UTF-8: %s"), i, argv[i]);
                        return false;
                }

        return true;
}

static int run(VsmClient *client, int argc, char **argv) {
        g_autoptr(GOptionContext) context = NULL;
        g_autoptr(GError) e = NULL;
        gboolean version = false;
        GError *error = NULL;

        if (!check_arguments(argc, argv, &error))
                return vsm_client_fail(client, error);

        context = new_context(client, &version);
        if (!g_option_context_parse(context, &argc, &argv, &e)) {
                g_set_error_literal(&error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE, e->message);
                return vsm_client_fail(client, error);
        }

        if (version) {
                g_print("vsmctl %s\n", PACKAGE_VERSION);
                return VSM_EXIT_SUCCESS;
        }

        if (argc < 2) {
                g_set_error_literal(&error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                                    _("A verb is missing"));
                return vsm_client_fail(client, error);
        }

        client->verb = find_verb(argv[1], &error);
        if (!client->verb)
                return vsm_client_fail(client, error);

        return client->verb->run(client, argc - 1, argv + 1);
}

int main(int argc, char **argv) {
        VsmClient client = {};
        int status;

        (void) setlocale(LC_ALL, "");
        (void) bindtextdomain(GETTEXT_PACKAGE, LOCALEDIR);
        (void) bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
        (void) textdomain(GETTEXT_PACKAGE);

        status = run(&client, argc, argv);
        vsm_client_done(&client);
        return status;
}
