/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/virt/virt.h"

/* Waiting that ends: by result, by deadline or by cancel, whichever is first. Any thread but the
 * bus thread. Deadlines are points of g_get_monotonic_time(). */

typedef enum {
        VSM_WAIT_READY,
        VSM_WAIT_DEADLINE,
        VSM_WAIT_CANCELLED,
} VsmWait;

/* Waits for a descriptor (-1: for none, so for the deadline only). cancel may be NULL. */
VsmWait vsm_wait_fd(int fd, short events, int64_t deadline, VsmCancel *cancel);

/* Sleeps. False when cancel fired before. */
bool vsm_wait_sleep(uint64_t usec, VsmCancel *cancel);

/* Runs in a thread of its own; NULL with error when it fails. */
typedef void* (*VsmPatienceFunc)(void *input, GError **error);

typedef struct VsmPatience {
        const char *what;               /* for messages: "Looking up host 'b'" */
        const char *host;               /* calls that hang are counted by it */
        VsmPatienceFunc func;
        void *input;                    /* taken over, also on failure */
        GDestroyNotify input_free;
        GDestroyNotify result_free;     /* of a result that comes too late */
} VsmPatience;

/* Blocks, but not longer than the deadline. What does not come back by then ends by itself, and its
 * result is freed where it ends. VSM_ERROR_TIMEOUT, VSM_ERROR_CANCELLED, VSM_ERROR_LIMITS_EXCEEDED
 * when too many earlier ones still hang, or func's own error. */
void* vsm_patience_run(const VsmPatience *patience, int64_t deadline, VsmCancel *cancel, GError **error);
