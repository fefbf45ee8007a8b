/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Long output on a terminal goes through a pager: $PAGER, else less, else more.
 * An empty $PAGER means none. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/pager.h"

_Noreturn static void run_pager(pid_t parent, int input) {
        const char *pager = g_getenv("PAGER");

        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent || dup2(input, STDIN_FILENO) < 0)
                _exit(EXIT_FAILURE);

        /* F: not for what fits, R: colours, S: no folding, X: leave the text there. Secure, because who may
         * run us through sudo shall not get a root shell out of less. */
        (void) g_setenv("LESS", "FRSX", /* overwrite= */ FALSE);
        (void) g_setenv("LESSSECURE", "1", /* overwrite= */ FALSE);

        if (pager)
                execl("/bin/sh", "sh", "-c", pager, NULL);
        else {
                execlp("less", "less", NULL);
                execlp("more", "more", NULL);
        }
        execlp("cat", "cat", NULL);
        _exit(EXIT_FAILURE);
}

static void open_pager(VsmClient *client) {
        const char *pager = g_getenv("PAGER");
        pid_t self = getpid(), pid;
        int fds[2];

        if (client->pager || client->json || client->no_pager || !isatty(STDOUT_FILENO) ||
            (pager && (*pager == '\0' || g_str_equal(pager, "cat"))))
                return;

        (void) fflush(stdout);
        if (pipe(fds) < 0)
                return;

        pid = fork();
        if (pid == 0) {
                (void) close(fds[1]);
                run_pager(self, fds[0]);
        }

        (void) close(fds[0]);
        if (pid > 0) {
                /* ^C is for the pager now, and it may be left before it has read everything */
                (void) signal(SIGINT, SIG_IGN);
                (void) signal(SIGPIPE, SIG_IGN);
                (void) dup2(fds[1], STDOUT_FILENO);
                client->pager = pid;
        }

        (void) close(fds[1]);
}

void vsm_pager_print(VsmClient *client, const VsmTable *table) {
        /* afterwards stdout is a pipe and has no width */
        g_autofree char *text = vsm_table_format(table, vsm_output_width(STDOUT_FILENO));

        open_pager(client);
        g_print("%s", text);
}

void vsm_pager_close(VsmClient *client) {
        if (!client->pager)
                return;

        /* the end of its input */
        (void) fclose(stdout);
        while (waitpid(client->pager, NULL, 0) < 0 && errno == EINTR)
                ;

        client->pager = 0;
}
