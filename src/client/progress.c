/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How far a job is: a bar that is redrawn in place on a terminal, lines elsewhere.
 * What a bar and a line say is decided by pure functions; only the end of the file writes. */

#include <glib/gi18n.h>
#include <unistd.h>

#include "client/message.h"
#include "client/output.h"
#include "client/progress.h"
#include "client/text.h"
#include "client/words.h"
#include "shared/enums.h"

#define MIN_BAR         10
#define MAX_BAR         30

/* some terminals begin a new line after the last column, and a "^C" shall not push the bar into one */
#define RIGHT_MARGIN    3

/* lines of one and the same phase */
#define LINE_INTERVAL   (5 * G_USEC_PER_SEC)

struct VsmProgress {
        int fd;
        VsmProgressStyle style;
        bool drawn;

        /* the last line */
        char *state;
        char *phase;
        uint64_t said_at;
        bool migrating;                 /* an active MigrationState was seen */
};

static uint64_t job_state(const VsmProgressState *state) {
        return vsm_object_get_uint(state->job, "JobState");
}

/* "3 of 8 done" and, where it is so, "3 of 8 done, 1 failed" */
static char* format_count(const VsmProgressState *state) {
        unsigned done = (unsigned) vsm_object_get_uint(state->evacuation, "Done");
        unsigned all = (unsigned) vsm_object_get_uint(state->evacuation, "Total");
        unsigned failed = (unsigned) vsm_object_get_uint(state->evacuation, "Failed");

        return failed > 0 ? g_strdup_printf(_("%u of %u done, %u failed"), done, all, failed) :
                            g_strdup_printf(_("%u of %u done"), done, all);
}

static const char* phase_word(const VsmProgressState *state) {
        if (job_state(state) == VSM_JOB_STATE_SHUTTING_DOWN)
                return vsm_word("cancelling");

        return vsm_word(vsm_object_get_string(state->transfer, "Phase"));
}

static uint64_t percent(const VsmProgressState *state) {
        return MIN(vsm_object_get_uint(state->job, "PercentComplete"), 100);
}

/* Memory and disks travel together, so they are one number for a person. */
static uint64_t processed(const VsmProgressState *state) {
        return vsm_object_get_uint(state->transfer, "MemoryProcessed") +
                vsm_object_get_uint(state->transfer, "DiskProcessed");
}

static uint64_t total(const VsmProgressState *state) {
        return vsm_object_get_uint(state->transfer, "MemoryTotal") +
                vsm_object_get_uint(state->transfer, "DiskTotal");
}

/* A guest that writes a lot makes us send more than it has. So "of" is said only while it is true. */
static char* format_amount(const VsmProgressState *state) {
        g_autofree char *sent = vsm_text_bytes_short(processed(state)),
                        *all = vsm_text_bytes_short(total(state));

        if (processed(state) > total(state))
                return g_strdup(sent);

        return g_strdup_printf("%s/%s", sent, all);
}

/* The details in the order in which they are given up when there is no room. */
static GPtrArray* bar_details(const VsmProgressState *state) {
        g_autoptr(GPtrArray) details = g_ptr_array_new_with_free_func(g_free);
        uint64_t rate = vsm_object_get_uint(state->transfer, "Bandwidth");
        uint64_t dirty = vsm_object_get_uint(state->transfer, "DirtyRate");
        uint64_t left = vsm_object_get_uint(state->transfer, "EstimatedTimeRemaining");

        if (total(state) > 0)
                g_ptr_array_add(details, format_amount(state));

        if (rate > 0) {
                g_autofree char *bytes = vsm_text_bytes_short(rate);

                g_ptr_array_add(details, g_strdup_printf("%s/s", bytes));
        }

        if (left > 0) {
                g_autofree char *time = vsm_text_duration(left);

                /* Translators: time left, as in "3 min 12 s left" */
                g_ptr_array_add(details, g_strdup_printf(_("%s left"), time));
        }

        if (dirty > 0) {
                g_autofree char *bytes = vsm_text_bytes_short(dirty);

                /* Translators: how fast the guest writes to its memory, as in "dirty 12.3M/s". Short. */
                g_ptr_array_add(details, g_strdup_printf(_("dirty %s/s"), bytes));
        }

        return g_steal_pointer(&details);
}

/* The names of those that move may be cut: the first ones are told better than none. */
static void append_running(GString *tail, const VsmProgressState *state, size_t width, size_t *used) {
        g_autofree char *text = NULL;
        size_t room;

        if (!state->running || !*state->running || *used + MIN_BAR + 2 >= width)
                return;

        room = MIN(width - *used - MIN_BAR - 2, vsm_text_width(state->running));
        text = vsm_text_fit(state->running, room);
        g_string_append_printf(tail, "  %s", text);
        *used += vsm_text_width(text) + 2;
}

char* vsm_progress_format_bar(const VsmProgressState *state, size_t width) {
        g_autoptr(GPtrArray) details = bar_details(state);
        g_autoptr(GString) out = g_string_new(NULL), tail = g_string_new(NULL);
        g_autofree char *phase = NULL;
        size_t used, bar, filled;

        phase = state->evacuation && job_state(state) != VSM_JOB_STATE_SHUTTING_DOWN ?
                format_count(state) : vsm_text_escape(phase_word(state));

        g_string_append_printf(out, "%s%*s", phase, (int) MAX(11 - (int) vsm_text_width(phase), 0), "");

        /* phase, two brackets, percent, one blank at each side of the bar, what stays free at the end */
        used = vsm_text_width(out->str) + 2 + 4 + 2 + RIGHT_MARGIN;
        for (guint i = 0; i < details->len; i++) {
                const char *detail = g_ptr_array_index(details, i);
                size_t w = vsm_text_width(detail) + 2;

                if (used + MIN_BAR + w > width)
                        break;
                g_string_append_printf(tail, "  %s", detail);
                used += w;
        }
        append_running(tail, state, width, &used);

        if (used + MIN_BAR > width) {
                g_autofree char *line = g_strdup_printf("%s %3u%%", phase, (unsigned) percent(state));

                return vsm_text_fit(line, width > RIGHT_MARGIN ? width - RIGHT_MARGIN : 0);
        }

        bar = MIN(width - used, MAX_BAR);
        filled = bar * percent(state) / 100;

        g_string_append(out, " [");
        for (size_t i = 0; i < bar; i++)
                g_string_append_c(out, i < filled ? '#' : '-');
        g_string_append_printf(out, "] %3u%%%s", (unsigned) percent(state), tail->str);

        return g_string_free(g_steal_pointer(&out), FALSE);
}

/* MigrationState's word, and the job's where there is none: the system's state does not move for a job that
 * only checks or stages, and it has not moved yet, or has ended already, a moment before the job. */
static const char* state_word(const VsmProgressState *state) {
        uint64_t migration = vsm_object_get_uint(state->system, "MigrationState"), job = job_state(state);
        uint64_t type = vsm_object_get_uint(state->job, "JobType");

        if (job != VSM_JOB_STATE_SHUTTING_DOWN) {
                if (vsm_migration_state_is_active((uint32_t) migration))
                        return vsm_migration_state_to_string((uint32_t) migration);

                if (job == VSM_JOB_STATE_NEW && type >= VSM_JOB_TYPE_MOVE_SYSTEM &&
                    type <= VSM_JOB_TYPE_MOVE_STORAGE)
                        return vsm_migration_state_to_string(VSM_MIGRATION_STATE_SETUP);
        }

        return vsm_job_state_to_string((uint16_t) job);
}

/* State and phase come in signals of their own. A phase of another state is one half of a change. */
static const char* fitting_phase(const VsmProgressState *state) {
        static const struct {
                const char *phase;
                uint32_t state;
        } phases[] = {
                { "queued",      VSM_MIGRATION_STATE_SETUP         },
                { "preparing",   VSM_MIGRATION_STATE_SETUP         },
                { "disks",       VSM_MIGRATION_STATE_DATA_TRANSFER },
                { "memory",      VSM_MIGRATION_STATE_DATA_TRANSFER },
                { "switch-over", VSM_MIGRATION_STATE_MOVE          },
                { "post-copy",   VSM_MIGRATION_STATE_MOVE          },
                { "finishing",   VSM_MIGRATION_STATE_MOVE          },
                { "done",        VSM_MIGRATION_STATE_MOVE          },
        };
        uint64_t migration = vsm_object_get_uint(state->system, "MigrationState");
        const char *phase = vsm_object_get_string(state->transfer, "Phase");

        for (size_t i = 0; i < G_N_ELEMENTS(phases); i++)
                if (g_str_equal(phases[i].phase, phase) &&
                    vsm_migration_state_is_active((uint32_t) migration) && phases[i].state != migration)
                        return "";

        return phase;
}

char* vsm_progress_format_line(const VsmProgressState *state) {
        g_autofree char *name = vsm_text_escape(vsm_object_get_string(state->job, "ElementName"));
        g_autofree char *phase = vsm_text_escape(vsm_word(fitting_phase(state)));
        g_autoptr(GString) out = g_string_new(NULL);
        uint64_t rate = vsm_object_get_uint(state->transfer, "Bandwidth");
        uint64_t left = vsm_object_get_uint(state->transfer, "EstimatedTimeRemaining");

        if (state->evacuation)
                g_string_append_printf(out, "%s: ", vsm_word(vsm_job_type_to_string(
                                       (uint16_t) vsm_object_get_uint(state->job, "JobType"))));
        else if (*name)
                g_string_append_printf(out, "%s: ", name);
        g_string_append_printf(out, "%s", vsm_word(state_word(state)));
        if (*phase)
                g_string_append_printf(out, " (%s)", phase);
        g_string_append_printf(out, ", %u%%", (unsigned) percent(state));

        if (state->evacuation) {
                g_autofree char *count = format_count(state);

                g_string_append_printf(out, ", %s", count);
        }

        if (total(state) > 0) {
                g_autofree char *sent = vsm_text_bytes(processed(state)),
                                *all = vsm_text_bytes(total(state));

                if (processed(state) > total(state))
                        g_string_append_printf(out, ", %s", sent);
                else
                        /* Translators: "512.3 MiB of 1.0 GiB" */
                        g_string_append_printf(out, _(", %s of %s"), sent, all);
        }

        if (rate > 0) {
                g_autofree char *bytes = vsm_text_bytes(rate);

                g_string_append_printf(out, ", %s/s", bytes);
        }

        if (left > 0) {
                g_autofree char *time = vsm_text_duration(left);

                g_string_append(out, ", ");
                g_string_append_printf(out, _("%s left"), time);
        }

        return g_string_free(g_steal_pointer(&out), FALSE);
}

VsmProgress* vsm_progress_new(int fd, VsmProgressStyle elsewhere) {
        VsmProgress *progress = g_new0(VsmProgress, 1);
        const char *term = g_getenv("TERM");

        progress->fd = fd;
        progress->style = isatty(fd) && term && !g_str_equal(term, "dumb") ? VSM_PROGRESS_BAR : elsewhere;
        return progress;
}

void vsm_progress_free(VsmProgress *progress) {
        if (!progress)
                return;

        vsm_progress_hide(progress);
        g_free(progress->state);
        g_free(progress->phase);
        g_free(progress);
}

bool vsm_progress_is_bar(const VsmProgress *progress) {
        return progress->style == VSM_PROGRESS_BAR;
}

static void put(const VsmProgress *progress, const char *before, const char *text, const char *after) {
        if (progress->fd == STDERR_FILENO)
                g_printerr("%s%s%s", before, text, after);
        else
                g_print("%s%s%s", before, text, after);
}

static void update_lines(VsmProgress *progress, const VsmProgressState *state, uint64_t now) {
        const char *word = state_word(state), *phase = fitting_phase(state);
        bool active = vsm_migration_state_is_active(
                        (uint32_t) vsm_object_get_uint(state->system, "MigrationState"));
        g_autofree char *line = NULL;

        /* the system is through, the end of the job comes at once and says more */
        if (progress->migrating && !active && job_state(state) != VSM_JOB_STATE_SHUTTING_DOWN)
                return;
        progress->migrating |= active;

        if (g_strcmp0(word, progress->state) == 0 && (!*phase || g_strcmp0(phase, progress->phase) == 0) &&
            now - progress->said_at < LINE_INTERVAL)
                return;

        line = vsm_progress_format_line(state);
        put(progress, "", line, "\n");

        g_free(progress->state);
        progress->state = g_strdup(word);
        g_free(progress->phase);
        progress->phase = g_strdup(phase);
        progress->said_at = now;
}

void vsm_progress_update(VsmProgress *progress, const VsmProgressState *state, uint64_t now) {
        if (progress->style == VSM_PROGRESS_LINES)
                update_lines(progress, state, now);

        if (progress->style == VSM_PROGRESS_BAR) {
                g_autofree char *bar = vsm_progress_format_bar(state, vsm_output_width(progress->fd));

                put(progress, "\r", bar, "\x1b[K");
                progress->drawn = true;
        }
}

void vsm_progress_hide(VsmProgress *progress) {
        if (progress->drawn)
                put(progress, "\r", "", "\x1b[K");

        progress->drawn = false;
}
