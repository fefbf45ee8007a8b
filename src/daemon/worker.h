/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

/* Work that can wait, away from the bus thread, and its way back.
 *
 * A task is a heap struct with VsmTask as its first member. It belongs to one thread at a time:
 * pushing gives it away, done() gets it back on the bus thread, free() ends it. It holds copies and
 * numbers, never pointers to objects of the bus: done() looks those up again. So nothing needs a
 * lock. (GTask and g_idle_add() would call back on libvirt's event thread, which owns GLib's default
 * main context.) */

typedef struct VsmWorker VsmWorker;
typedef struct VsmTask VsmTask;

struct VsmTask {
        void (*run)(VsmTask *task);                     /* on a worker; NULL for what is only posted */
        void (*done)(VsmTask *task, void *userdata);    /* on the bus thread; NULL if nobody cares */
        void (*free)(VsmTask *task);                    /* on the bus thread, or at shut-down; NULL = g_free */
        GError *error;                                  /* of run(); freed with the task */
        VsmWorker *worker;                              /* set by push */
};

typedef enum {
        VSM_LANE_SHORT,         /* libvirt calls of milliseconds, look-ups; VSM_WORKER_SHORT threads */
        VSM_LANE_LONG,          /* one thread for each running migration */
        VSM_LANE_CHECK,         /* checks: each may wait seconds for another host */
        VSM_LANE_STORE,         /* the disk; one thread, in the order of the pushes */
        _VSM_LANE_MAX,
} VsmLane;

#define VSM_WORKER_SHORT 4

/* userdata is handed to each done(). Bus thread. */
VsmWorker* vsm_worker_new(sd_event *event, void *userdata, GError **error);

/* Waits for the store lane, drops what is queued in the others and leaves running ones alone: the
 * process ends. done() is not called any more. */
void vsm_worker_stop(VsmWorker *worker);

/* Bus thread. Takes the task. */
void vsm_worker_push(VsmWorker *worker, VsmLane lane, VsmTask *task);

/* Any thread: done() will be called on the bus thread, in the order of posting. Takes the task. */
void vsm_worker_post(VsmWorker *worker, VsmTask *task);

/* Bus thread: tasks pushed and not yet done. */
unsigned vsm_worker_pending(VsmWorker *worker, VsmLane lane);

#define vsm_task_new(type, run_func, done_func, free_func) \
        ((type*) vsm_task_init((VsmTask*) g_new0(type, 1), run_func, done_func, free_func))
VsmTask* vsm_task_init(VsmTask *task, void (*run)(VsmTask*), void (*done)(VsmTask*, void*), void (*free_func)(VsmTask*));
