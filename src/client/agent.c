/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The password question on a terminal: pkttyagent as a child, as systemd's tools do it.
 * Never an error: without it polkit says what is missing. */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/agent.h"

/* root is allowed without a question; the agents of another host are that host's */
static bool is_useful(const VsmClient *client) {
        return !client->agent && !client->no_ask_password && !client->host && geteuid() != 0 &&
                isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

_Noreturn static void run_agent(pid_t parent, int notify_fd) {
        g_autofree char *process = g_strdup_printf("%d", (int) parent);
        g_autofree char *fd = g_strdup_printf("%d", notify_fd);

        /* should we be killed, nobody else would end it */
        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
                _exit(EXIT_FAILURE);

        /* it talks to the person, not into our output */
        if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
                _exit(EXIT_FAILURE);

        execlp("pkttyagent", "pkttyagent", "--process", process, "--notify-fd", fd, "--fallback", NULL);
        _exit(EXIT_FAILURE);
}

void vsm_agent_open(VsmClient *client) {
        struct pollfd pfd = { .events = POLLHUP };
        pid_t self = getpid(), pid;
        int fds[2];

        if (!is_useful(client))
                return;

        if (pipe(fds) < 0)
                return;

        pid = fork();
        if (pid == 0) {
                (void) close(fds[0]);
                run_agent(self, fds[1]);
        }

        (void) close(fds[1]);
        if (pid > 0) {
                client->agent = pid;

                /* the other end is closed when it is registered, and when it is not there or has failed */
                pfd.fd = fds[0];
                while (poll(&pfd, 1, -1) < 0 && errno == EINTR)
                        ;
        }

        (void) close(fds[0]);
}

void vsm_agent_close(VsmClient *client) {
        if (!client->agent)
                return;

        (void) kill(client->agent, SIGTERM);
        (void) kill(client->agent, SIGCONT);
        while (waitpid(client->agent, NULL, 0) < 0 && errno == EINTR)
                ;

        client->agent = 0;
}
