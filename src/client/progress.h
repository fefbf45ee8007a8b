/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How far a job is: a bar that is redrawn in place on a terminal, lines elsewhere. */

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is shown, borrowed from whoever has it; all but the job may be NULL. */
typedef struct VsmProgressState {
        JsonObject *system;
        JsonObject *job;
        JsonObject *transfer;
        JsonObject *evacuation;
        const char *running;            /* of an evacuation: what moves at the moment, for the bar; escaped */
} VsmProgressState;

typedef enum {
        VSM_PROGRESS_NONE,
        VSM_PROGRESS_LINES,
        VSM_PROGRESS_BAR,
} VsmProgressStyle;

typedef struct VsmProgress VsmProgress;

/* fd is that of stdout or stderr, where it is written. The style is the bar if that is a terminal that can
 * redraw a line, and otherwise as told. */
VsmProgress* vsm_progress_new(int fd, VsmProgressStyle elsewhere);
void vsm_progress_free(VsmProgress *progress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmProgress, vsm_progress_free)

/* now: of a monotonic clock, in microseconds. */
void vsm_progress_update(VsmProgress *progress, const VsmProgressState *state, uint64_t now);

/* Takes the bar away, to make room for other text; the next update draws it again. */
void vsm_progress_hide(VsmProgress *progress);

bool vsm_progress_is_bar(const VsmProgress *progress);

/* The pure halves: a bar of less than so many columns, one line of text. */
char* vsm_progress_format_bar(const VsmProgressState *state, size_t width);
char* vsm_progress_format_line(const VsmProgressState *state);
