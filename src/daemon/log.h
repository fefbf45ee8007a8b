/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <syslog.h>

/* The journal. Text from callers, guests and other hosts is escaped and cut here, so nobody can
 * write a line of his own. Any thread. */

#define vsm_log(priority, ...) vsm_log_full(priority, NULL, __VA_ARGS__)

/* What a message is about; any member may be NULL or 0. */
typedef struct VsmLogContext {
        uint64_t job;
        const char *system;             /* UUID */
        const char *system_name;
        const char *destination;
        const char *caller;             /* user name */
        int64_t caller_uid;             /* negative = nobody's */
} VsmLogContext;

void vsm_log_full(int priority, const VsmLogContext *context, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Messages above this are dropped; LOG_INFO at start. */
void vsm_log_set_level(int priority);
