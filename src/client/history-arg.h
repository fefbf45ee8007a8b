/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What part of the history is wanted, from a command line. Pure. */

#include "client/common.h"

/* As the options left them; NULL is not given. */
typedef struct VsmHistoryArguments {
        char *system;
        char *to;
        char *since;
        char *until;
        char *state;
        char *limit;
        char *offset;
} VsmHistoryArguments;

void vsm_history_arguments_done(VsmHistoryArguments *arguments);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VsmHistoryArguments, vsm_history_arguments_done)

/* a{sv} for ListHistory; now: wall clock in microseconds. Not floating. */
GVariant* vsm_history_build(const VsmHistoryArguments *arguments, uint64_t now, GError **error);

/* A moment in microseconds: "2026-01-31", "2026-01-31 23:15", "2026-01-31T23:15:00Z", "today", "yesterday",
 * "now", "@1769900000" (seconds since the epoch), or so long before now: "2h", "3d ago". Local time where no
 * zone is given. */
bool vsm_history_parse_time(const char *text, uint64_t now, uint64_t *ret);
