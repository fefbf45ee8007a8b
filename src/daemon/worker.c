/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Thread pools, one completion queue, and the eventfd that wakes the bus thread for it.
 * new, push, stop: bus thread. post: any thread. */

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/worker.h"
#include "shared/cleanup.h"
#include "shared/error.h"

/* Migrations are held far below this by the settings; recoveries come on top. */
#define LONG_THREADS_MAX 64
#define CHECK_THREADS_MAX 16

struct VsmWorker {
        void *userdata;
        GThreadPool *lanes[_VSM_LANE_MAX];
        GAsyncQueue *completed;
        int wake_fd;
        sd_event_source *wake;
        unsigned pending[_VSM_LANE_MAX];
};

typedef struct Ticket {
        VsmTask *task;
        VsmLane lane; /* _VSM_LANE_MAX for a post */
} Ticket;

VsmTask* vsm_task_init(VsmTask *task, void (*run)(VsmTask*), void (*done)(VsmTask*, void*), void (*free_func)(VsmTask*)) {
        task->run = run;
        task->done = done;
        task->free = free_func;
        return task;
}

static void task_free(VsmTask *task) {
        g_clear_error(&task->error);

        if (task->free)
                task->free(task);
        else
                g_free(task);
}

static void complete(VsmWorker *worker, VsmTask *task, VsmLane lane) {
        Ticket *ticket = g_new(Ticket, 1);

        *ticket = (Ticket) { task, lane };
        g_async_queue_push(worker->completed, ticket);

        /* after the push: the reader empties the queue whole, so one wake-up may serve many */
        (void) eventfd_write(worker->wake_fd, 1);
}

static void run_ticket(void *data, void *userdata) {
        g_autofree Ticket *ticket = data;
        VsmWorker *worker = userdata;

        ticket->task->run(ticket->task);
        complete(worker, ticket->task, ticket->lane);
}

static int on_wake(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        VsmWorker *worker = userdata;
        eventfd_t count;

        (void) eventfd_read(fd, &count);

        for (;;) {
                g_autofree Ticket *ticket = g_async_queue_try_pop(worker->completed);
                if (!ticket)
                        return 0;

                if (ticket->lane < _VSM_LANE_MAX)
                        worker->pending[ticket->lane]--;

                if (ticket->task->done)
                        ticket->task->done(ticket->task, worker->userdata);
                task_free(ticket->task);
        }
}

VsmWorker* vsm_worker_new(sd_event *event, void *userdata, GError **error) {
        static const int threads[_VSM_LANE_MAX] = {
                [VSM_LANE_SHORT] = VSM_WORKER_SHORT,
                [VSM_LANE_LONG]  = LONG_THREADS_MAX,
                [VSM_LANE_CHECK] = CHECK_THREADS_MAX,
                [VSM_LANE_STORE] = 1,
        };
        VsmWorker *worker = g_new0(VsmWorker, 1);
        int r;

        worker->userdata = userdata;
        worker->completed = g_async_queue_new();
        worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = worker->wake_fd < 0 ? -errno :
                sd_event_add_io(event, &worker->wake, worker->wake_fd, EPOLLIN, on_wake, worker);
        if (r < 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "Cannot set up the wake-up of the bus thread: %s",
                            g_strerror(-r));
                g_async_queue_unref(worker->completed);
                g_free(worker);
                return NULL;
        }

        (void) sd_event_source_set_description(worker->wake, "worker");

        /* not exclusive: threads that have nothing to do end after a while, and idle costs nothing */
        for (VsmLane lane = 0; lane < _VSM_LANE_MAX; lane++)
                worker->lanes[lane] = g_thread_pool_new(run_ticket, worker, threads[lane], FALSE, NULL);

        return worker;
}

void vsm_worker_push(VsmWorker *worker, VsmLane lane, VsmTask *task) {
        Ticket *ticket = g_new(Ticket, 1);

        *ticket = (Ticket) { task, lane };
        task->worker = worker;
        worker->pending[lane]++;
        (void) g_thread_pool_push(worker->lanes[lane], ticket, NULL);
}

void vsm_worker_post(VsmWorker *worker, VsmTask *task) {
        task->worker = worker;
        complete(worker, task, _VSM_LANE_MAX);
}

unsigned vsm_worker_pending(VsmWorker *worker, VsmLane lane) {
        return worker->pending[lane];
}

void vsm_worker_stop(VsmWorker *worker) {
        if (!worker)
                return;

        /* what was to be written is written; a thread inside libvirt cannot be waited for */
        g_thread_pool_free(g_steal_pointer(&worker->lanes[VSM_LANE_STORE]), FALSE, TRUE);
        g_thread_pool_free(g_steal_pointer(&worker->lanes[VSM_LANE_SHORT]), TRUE, FALSE);
        g_thread_pool_free(g_steal_pointer(&worker->lanes[VSM_LANE_LONG]), TRUE, FALSE);
        g_thread_pool_free(g_steal_pointer(&worker->lanes[VSM_LANE_CHECK]), TRUE, FALSE);

        worker->wake = sd_event_source_disable_unref(worker->wake);

        /* The struct stays: threads that outlive this call still complete into it. */
}
