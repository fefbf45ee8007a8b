/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmd: options, signals, and off we go. No logic. */

#include "config.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/log.h"
#include "daemon/manager.h"

static const char *arg_libvirt_uri;
static const char *arg_configuration = SYSCONFDIR "/vsmd/vsmd.conf";
static const char *arg_state_directory;
static gboolean arg_version;
static gboolean arg_debug;

static const GOptionEntry entries[] = {
        { "libvirt-uri", 0, 0, G_OPTION_ARG_STRING, &arg_libvirt_uri,
          "This host's libvirt (default: qemu:///system)", "URI" },
        { "config", 0, 0, G_OPTION_ARG_FILENAME, &arg_configuration,
          "Configuration file; drop-ins are in FILE.d", "FILE" },
        { "state-directory", 0, 0, G_OPTION_ARG_FILENAME, &arg_state_directory,
          "Where state is kept (default: $STATE_DIRECTORY, else " VSM_STATEDIR ")", "DIR" },
        { "debug", 0, 0, G_OPTION_ARG_NONE, &arg_debug, "Log more", NULL },
        { "version", 0, 0, G_OPTION_ARG_NONE, &arg_version, "Show the version", NULL },
        {}
};

/* -1 = go on */
static int parse_arguments(int argc, char **argv) {
        g_autoptr(GOptionContext) context = g_option_context_new(NULL);
        g_autoptr(GError) error = NULL;

        g_option_context_set_summary(context, "The virtual system migration service. It is started by the system "
                                              "bus or by systemd; see vsmd(8).");
        g_option_context_add_main_entries(context, entries, NULL);
        if (!g_option_context_parse(context, &argc, &argv, &error)) {
                fprintf(stderr, "%s\n", error->message);
                return 2;
        }
        if (argc > 1) {
                fprintf(stderr, "vsmd takes no arguments.\n");
                return 2;
        }
        if (arg_version) {
                printf("vsmd %s\n", PACKAGE_VERSION);
                return EXIT_SUCCESS;
        }

        return -1;
}

/* Before any thread starts: they inherit the mask, and sd-event wants the signals for itself. */
static void block_signals(void) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        (void) signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv) {
        g_autofree char *drop_ins = NULL;
        g_autoptr(GError) error = NULL;
        VsmManager *manager;
        int r;

        /* no setlocale(): what it says is English everywhere, libvirt's part of it included */
        r = parse_arguments(argc, argv);
        if (r >= 0)
                return r;

        block_signals();
        /* a heap for each short-lived thread would only spread what is idle */
        (void) mallopt(M_ARENA_MAX, 1);
        if (arg_debug)
                vsm_log_set_level(LOG_DEBUG);

        if (!arg_state_directory)
                arg_state_directory = g_getenv("STATE_DIRECTORY") ?: VSM_STATEDIR;
        drop_ins = g_strconcat(arg_configuration, ".d", NULL);

        manager = vsm_manager_new(&(VsmManagerOptions) {
                .libvirt_uri = arg_libvirt_uri,
                .configuration = arg_configuration,
                .drop_ins = drop_ins,
                .state_directory = arg_state_directory,
        }, &error);
        if (!manager) {
                vsm_log(LOG_ERR, "Cannot start: %s", error->message);
                return EXIT_FAILURE;
        }

        r = vsm_manager_run(manager);
        vsm_manager_free(manager);
        return r;
}
