/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Watches one job to its end, for a person or a script.
 *
 *      following --^C, on a terminal--> asking --c--> following, the service cancels
 *          |                              | \--Enter--> following
 *          |                              \--b, ^C--> left
 *          |--^C of an evacuation, on a terminal--> following, no more are started; the next: those that move
 *          |     are cancelled; the next: left
 *          |--^C elsewhere, SIGTERM, SIGHUP--> left: the migration goes on
 *          |--the service leaves the bus--> following, when it is back: same job, same path
 *          \--final JobState--> ended, the result is told
 *
 * One thread only. */

#include <errno.h>
#include <glib/gi18n.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <termios.h>
#include <unistd.h>

#include "client/children.h"
#include "client/ending.h"
#include "client/follow.h"
#include "client/message.h"
#include "client/mirror.h"
#include "client/outcome.h"
#include "client/progress.h"
#include "client/text.h"
#include "shared/enums.h"

/* RequestedState of CIM_ConcreteJob.RequestStateChange */
#define REQUEST_TERMINATE       4
#define REQUEST_KILL            5

struct VsmFollow {
        VsmClient *client;
        sd_event *event;
        VsmMirror *mirror;
        VsmProgress *progress;
        VsmChildren *children;          /* of an evacuation */
        unsigned interrupts;            /* of an evacuation */
        int fd;                         /* where progress and remarks go */
        char *path;
        bool loaded;
        sd_event_source *answer;        /* while we ask */
        sd_bus_slot *cancel;            /* while the service is asked to cancel */

        enum {
                FOLLOW_RUNNING,
                FOLLOW_ENDED,
                FOLLOW_LEFT,            /* the user wants it so */
                FOLLOW_UNKNOWN,         /* the end cannot be seen any more */
        } state;
};

/* A remark between two states of the bar. */
static void say(VsmFollow *f, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void say(VsmFollow *f, const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);

        vsm_progress_hide(f->progress);
        if (f->fd == STDERR_FILENO)
                g_printerr("%s", text);
        else
                g_print("%s", text);
}

static const char* job_number(VsmFollow *f) {
        return strrchr(f->path, '/') + 1;
}

static VsmProgressState current(VsmFollow *f);

/* Else it is a check, a quiesce, ...: libvirt has no part in that. */
static bool is_migration(VsmFollow *f) {
        JsonObject *job = current(f).job;

        return !job || vsm_outcome_is_migration(job);
}

static void leave(VsmFollow *f, int state) {
        if (f->state == FOLLOW_RUNNING)
                f->state = state;

        (void) sd_event_exit(f->event, 0);
}

static VsmProgressState current(VsmFollow *f) {
        VsmProgressState state = {
                .job = vsm_mirror_get(f->mirror, f->path, VSM_INTERFACE_JOB),
                .transfer = vsm_mirror_get(f->mirror, f->path, VSM_INTERFACE_TRANSFER),
                .evacuation = vsm_mirror_get(f->mirror, f->path, VSM_INTERFACE_EVACUATION),
        };

        state.system = vsm_mirror_get(f->mirror, vsm_object_get_string(state.job, "VirtualSystem"),
                                      VSM_INTERFACE_SYSTEM);
        return state;
}

static void say_of_child(const char *text, void *userdata) {
        say(userdata, "%s", text);
}

/* Who they are is asked when the parent is seen, and each time it says that they are others now. */
static void see_children(VsmFollow *f) {
        VsmProgressStyle style = f->client->json ? VSM_PROGRESS_NONE : VSM_PROGRESS_LINES;

        if (!current(f).evacuation)
                return;

        if (!f->children)
                f->children = vsm_children_new(f->client, f->mirror, f->path, f->fd,
                                               vsm_progress_is_bar(f->progress) ? VSM_PROGRESS_BAR : style,
                                               say_of_child, f);
        vsm_children_refresh(f->children);
}

/* Shows what is, and notices the end. */
static void update(VsmFollow *f) {
        g_autofree char *running = f->children ? vsm_children_format_running(f->children) : NULL;
        VsmProgressState state = current(f);

        state.running = running;
        if (!state.job)
                return;

        if (vsm_job_state_is_final((uint16_t) vsm_object_get_uint(state.job, "JobState"))) {
                leave(f, FOLLOW_ENDED);
                return;
        }

        /* not while there is a question on the screen */
        if (!f->answer)
                vsm_progress_update(f->progress, &state, (uint64_t) g_get_monotonic_time());
}

static void on_gone(VsmFollow *f) {
        say(f, _("Job %s is not there any more, and its end was not seen. "
                 "'vsmctl list' tells whether the system is still here.\n"), job_number(f));
        leave(f, FOLLOW_UNKNOWN);
}

static bool is_ours(VsmFollow *f, const char *path) {
        VsmProgressState state = current(f);

        return g_str_equal(path, f->path) ||
                g_str_equal(path, vsm_object_get_string(state.job, "VirtualSystem"));
}

static void on_mirror(
                VsmMirror *mirror,
                VsmMirrorEvent event,
                const char *path,
                const char *interface,
                JsonObject *properties,
                void *userdata) {

        VsmFollow *f = userdata;

        /* signals of before the job was known, or after its end */
        if (!f->path || f->state != FOLLOW_RUNNING)
                return;

        switch (event) {
        case VSM_MIRROR_LOADED:
                /* The first answer was given before the job was started, then ADDED comes next. In a later
                 * one it has to be. */
                if (f->loaded && !current(f).job)
                        on_gone(f);
                f->loaded = true;
                see_children(f);
                update(f);
                break;
        case VSM_MIRROR_ADDED:
        case VSM_MIRROR_CHANGED:
                if (g_str_equal(path, f->path) && (!properties || json_object_has_member(properties, "Jobs")))
                        see_children(f);
                if (f->children)
                        vsm_children_update(f->children, path);
                if (f->children || is_ours(f, path))
                        update(f);
                break;
        case VSM_MIRROR_REMOVED:
                if (g_str_equal(path, f->path))
                        on_gone(f);
                break;
        case VSM_MIRROR_SERVICE_GONE:
                say(f, "%s", is_migration(f) ?
                    _("The service left the bus. The migration is done by libvirt and goes on; "
                      "waiting for the service to come back.\n") :
                    _("The service left the bus; waiting for it to come back.\n"));
                break;
        case VSM_MIRROR_SERVICE_BACK:
                say(f, _("The service is back.\n"));
                break;
        case VSM_MIRROR_LOST:
                say(f, _("The connection to the service is lost. What was started goes on without us.\n"));
                leave(f, FOLLOW_UNKNOWN);
                break;
        }
}

static int on_cancel_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        g_autofree char *message = NULL;
        VsmFollow *f = userdata;

        f->cancel = sd_bus_slot_unref(f->cancel);
        if (!e)
                return 0;

        /* too late to cancel, for one: the end will tell */
        message = vsm_text_escape(e->message);
        say(f, _("It cannot be cancelled: %s\n"), message);
        return 0;
}

static void cancel(VsmFollow *f, uint16_t request) {
        int r;

        f->cancel = sd_bus_slot_unref(f->cancel);
        r = sd_bus_call_method_async(f->client->bus, &f->cancel, VSM_BUS_NAME, f->path, VSM_INTERFACE_JOB,
                                     "RequestStateChange", on_cancel_reply, f, "qt", request, UINT64_C(0));
        if (r < 0)
                say(f, _("It cannot be cancelled: %s\n"), g_strerror(-r));
}

static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        VsmFollow *f = userdata;
        char line[256];
        ssize_t n;

        /* in the terminal's line mode this is one line, or nothing at its end */
        n = read(fd, line, sizeof(line));
        f->answer = sd_event_source_disable_unref(f->answer);

        if (n > 0 && g_ascii_tolower(line[0]) == 'c')
                cancel(f, REQUEST_TERMINATE);
        else if (n > 0 && g_ascii_tolower(line[0]) == 'b')
                leave(f, FOLLOW_LEFT);

        update(f);
        return 0;
}

static bool can_ask(VsmFollow *f) {
        return vsm_progress_is_bar(f->progress) && isatty(STDIN_FILENO);
}

/* Nobody's guest is in danger, so nothing is asked: the first one starts no more. */
static void interrupt_evacuation(VsmFollow *f) {
        switch (f->interrupts++) {
        case 0:
                say(f, _("No more systems are started; those that move go on. ^C once more cancels them, too.\n"));
                cancel(f, REQUEST_TERMINATE);
                break;
        case 1:
                say(f, _("Those that move are cancelled, too. ^C once more leaves it in the background.\n"));
                cancel(f, REQUEST_KILL);
                break;
        default:
                leave(f, FOLLOW_LEFT);
        }
}

static int on_interrupt(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        VsmFollow *f = userdata;

        if (f->children && vsm_progress_is_bar(f->progress)) {
                interrupt_evacuation(f);
                return 0;
        }

        /* the second one in a row */
        if (f->answer) {
                say(f, "\n");
                leave(f, FOLLOW_LEFT);
                return 0;
        }

        if (!can_ask(f) || sd_event_add_io(f->event, &f->answer, STDIN_FILENO, EPOLLIN, on_answer, f) < 0) {
                leave(f, FOLLOW_LEFT);
                return 0;
        }

        /* what was typed before the question is no answer to it */
        (void) tcflush(STDIN_FILENO, TCIFLUSH);
        say(f, "%s", is_migration(f) ?
            _("Cancel the migration (c), leave it in the background (b), go on (Enter)? ") :
            _("Cancel the job (c), leave it in the background (b), go on (Enter)? "));
        return 0;
}

static int on_terminate(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        leave(userdata, FOLLOW_LEFT);
        return 0;
}

static int on_resize(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        update(userdata);
        return 0;
}

/* nohup(1) has it ignored, but a blocked signal would reach us all the same */
static bool is_ignored(int number) {
        struct sigaction sa;

        return number == SIGHUP && sigaction(number, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN;
}

static int watch_signals(VsmFollow *f) {
        static const struct {
                int number;
                sd_event_signal_handler_t handler;
        } signals[] = {
                { SIGINT,   on_interrupt },
                { SIGTERM,  on_terminate },
                { SIGHUP,   on_terminate },
                { SIGWINCH, on_resize    },
        };
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
                if (!is_ignored(signals[i].number))
                        (void) sigaddset(&mask, signals[i].number);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;

        for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
                if (is_ignored(signals[i].number))
                        continue;

                r = sd_event_add_signal(f->event, NULL, signals[i].number, signals[i].handler, f);
                if (r < 0)
                        return r;
        }

        return 0;
}

VsmFollow* vsm_follow_new(VsmClient *client, GError **error) {
        g_autoptr(VsmFollow) f = g_new0(VsmFollow, 1);

        f->client = client;

        /* where JSON is wanted, stdout is for that alone, and a script's stderr for what went wrong */
        f->fd = client->json ? STDERR_FILENO : STDOUT_FILENO;
        f->progress = vsm_progress_new(f->fd, client->json ? VSM_PROGRESS_NONE : VSM_PROGRESS_LINES);

        f->mirror = vsm_mirror_new(client, on_mirror, f, error);
        if (!f->mirror)
                return NULL;

        return g_steal_pointer(&f);
}

void vsm_follow_free(VsmFollow *follow) {
        if (!follow)
                return;

        g_clear_pointer(&follow->children, vsm_children_free);
        g_clear_pointer(&follow->progress, vsm_progress_free);
        g_clear_pointer(&follow->mirror, vsm_mirror_free);
        sd_event_source_disable_unref(follow->answer);
        sd_bus_slot_unref(follow->cancel);
        if (follow->event) {
                (void) sd_bus_detach_event(follow->client->bus);
                sd_event_unref(follow->event);
        }
        g_free(follow->path);
        g_free(follow);
}

static void tell_left(VsmFollow *f) {
        g_autofree char *command = vsm_client_command(f->client);

        say(f, "%s", is_migration(f) ? _("The migration goes on in the background.\n") :
                                       _("The job goes on in the background.\n"));
        say(f, _("  %s job --follow %s    goes on watching it\n"
                 "  %s cancel %s          ends it\n"),
            command, job_number(f), command, job_number(f));
}

int vsm_follow_tell(VsmFollow *follow) {
        VsmProgressState state = current(follow);

        if (follow->children)
                vsm_children_finish(follow->children);

        vsm_progress_hide(follow->progress);
        return vsm_ending_tell(follow->client, follow->path, &state);
}

static int loop(VsmFollow *f) {
        int r;

        r = sd_event_default(&f->event);
        if (r < 0)
                return r;

        r = sd_bus_attach_event(f->client->bus, f->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;

        r = watch_signals(f);
        if (r < 0)
                return r;

        return sd_event_loop(f->event);
}

bool vsm_follow_wait(VsmFollow *follow, const char *job_path) {
        GError *error = NULL;
        int r;

        follow->path = g_strdup(job_path);

        r = loop(follow);
        if (r < 0) {
                vsm_error_set_errno(&error, r, _("Cannot watch the job"));
                (void) vsm_client_fail(follow->client, error);
                return false;
        }

        if (follow->state == FOLLOW_LEFT)
                tell_left(follow);
        vsm_progress_hide(follow->progress);
        return follow->state == FOLLOW_ENDED;
}

JsonObject* vsm_follow_get_job(VsmFollow *follow) {
        return current(follow).job;
}

JsonArray* vsm_follow_get_reasons(VsmFollow *follow) {
        return vsm_client_get_reasons(follow->client, follow->path, NULL);
}

int vsm_follow_run(VsmFollow *follow, const char *job_path) {
        return vsm_follow_wait(follow, job_path) ? vsm_follow_tell(follow) : VSM_EXIT_FAILED;
}

int vsm_follow_answer(VsmClient *client, sd_bus_message *reply) {
        g_autoptr(VsmFollow) follow = NULL;
        g_autofree char *job = NULL;
        GError *error = NULL;
        const char *path;
        int r;

        r = sd_bus_message_read(reply, "uo", NULL, &path);
        if (r < 0) {
                vsm_error_set_errno(&error, r, _("The service's answer cannot be read"));
                return vsm_client_fail(client, error);
        }

        if (g_str_equal(path, "/"))
                return VSM_EXIT_SUCCESS;

        /* finished jobs stay for a while, so nothing is lost by looking only now */
        job = g_strdup(path);
        follow = vsm_follow_new(client, &error);
        if (!follow)
                return vsm_client_fail(client, error);

        return vsm_follow_run(follow, job);
}
