/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* libvirt's open and the resolver have no deadline and cannot be called back. So they run in a
 * thread each, which is left to itself when patience is over. Any thread but the bus thread. */

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/virt/patience.h"
#include "shared/error.h"

#define HANGING_MAX             64      /* threads, all hosts together */
#define HANGING_MAX_PER_HOST    4       /* so that one frozen host does not use them all up */
#define SLICE_MS                200     /* only without a descriptor for cancel */

/* Two own it: who waits, and the thread. The last one frees what nobody took. */
typedef struct Task {
        gint n_ref;
        int fd;
        char *host;
        VsmPatienceFunc func;
        void *input;
        GDestroyNotify input_free;
        void *result;
        GDestroyNotify result_free;
        GError *error;
        bool ended;                     /* the next two under lock */
        bool abandoned;
} Task;

static GMutex lock;
static GHashTable *hanging;             /* host → number of threads; under lock */
static unsigned n_hanging;              /* under lock */

/* Refuses more when too many that were given up still have not ended. */
static bool check_hanging(const char *host, GError **error) {
        G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
        unsigned n = hanging ? GPOINTER_TO_UINT(g_hash_table_lookup(hanging, host)) : 0;

        if (n < HANGING_MAX_PER_HOST && n_hanging < HANGING_MAX)
                return true;

        g_set_error(error, VSM_ERROR, VSM_ERROR_LIMITS_EXCEEDED,
                    "%u earlier attempts to reach host '%s' (%u to reach any host) still hang: "
                    "see whether its libvirt is frozen", n, host, n_hanging);
        return false;
}

/* Under lock. */
static void count_hanging(const char *host, int by) {
        unsigned n;

        if (!hanging)
                hanging = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        n = GPOINTER_TO_UINT(g_hash_table_lookup(hanging, host)) + by;
        if (n == 0)
                g_hash_table_remove(hanging, host);
        else
                g_hash_table_insert(hanging, g_strdup(host), GUINT_TO_POINTER(n));
        n_hanging += by;
}

/* Nobody waits any more. */
static void task_abandon(Task *task) {
        G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);

        if (task->ended)
                return;

        task->abandoned = true;
        count_hanging(task->host, 1);
}

static void task_end(Task *task) {
        G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);

        task->ended = true;
        if (task->abandoned)
                count_hanging(task->host, -1);
}

static void task_unref(Task *task) {
        if (!g_atomic_int_dec_and_test(&task->n_ref))
                return;

        if (task->result && task->result_free)
                task->result_free(task->result);
        if (task->input && task->input_free)
                task->input_free(task->input);
        g_clear_error(&task->error);
        if (task->fd >= 0)
                (void) close(task->fd);
        g_free(task->host);
        g_free(task);
}

static void* task_thread(void *userdata) {
        Task *task = userdata;
        ssize_t n;

        task->result = task->func(task->input, &task->error);
        task_end(task);

        do
                n = write(task->fd, &(uint64_t) { 1 }, sizeof(uint64_t));
        while (n < 0 && errno == EINTR);

        task_unref(task);
        return NULL;
}

VsmWait vsm_wait_fd(int fd, short events, int64_t deadline, VsmCancel *cancel) {
        for (;;) {
                struct pollfd fds[] = {
                        { .fd = fd,                     .events = events },
                        { .fd = vsm_cancel_fd(cancel),  .events = POLLIN },
                };
                int64_t left = deadline - g_get_monotonic_time();
                int timeout;

                if (vsm_cancel_fired(cancel))
                        return VSM_WAIT_CANCELLED;

                timeout = left <= 0 ? 0 : (int) MIN((left + 999) / 1000, G_MAXINT);
                if (cancel && vsm_cancel_fd(cancel) < 0)
                        timeout = MIN(timeout, SLICE_MS);

                if (poll(fds, G_N_ELEMENTS(fds), timeout) > 0 && fds[0].revents != 0)
                        return VSM_WAIT_READY;

                if (left <= 0)
                        return VSM_WAIT_DEADLINE;
        }
}

bool vsm_wait_sleep(uint64_t usec, VsmCancel *cancel) {
        return vsm_wait_fd(-1, 0, g_get_monotonic_time() + (int64_t) usec, cancel) == VSM_WAIT_DEADLINE;
}

static Task* task_start(const VsmPatience *patience, GError **error) {
        g_autoptr(GError) local = NULL;
        GThread *thread;
        Task *task;

        if (!check_hanging(patience->host, error)) {
                if (patience->input_free)
                        patience->input_free(patience->input);
                return NULL;
        }

        task = g_new(Task, 1);
        *task = (Task) {
                .n_ref = 2,
                .fd = eventfd(0, EFD_CLOEXEC),
                .host = g_strdup(patience->host),
                .func = patience->func,
                .input = patience->input,
                .input_free = patience->input_free,
                .result_free = patience->result_free,
        };

        thread = task->fd >= 0 ? g_thread_try_new("vsm-patience", task_thread, task, &local) : NULL;
        if (!thread) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "%s: no thread or descriptor is left: %s",
                            patience->what, local ? local->message : g_strerror(errno));
                task_unref(task);
                task_unref(task);
                return NULL;
        }

        g_thread_unref(thread);
        return task;
}

void* vsm_patience_run(const VsmPatience *patience, int64_t deadline, VsmCancel *cancel, GError **error) {
        Task *task = task_start(patience, error);
        void *result = NULL;
        uint64_t n;

        if (!task)
                return NULL;

        switch (vsm_wait_fd(task->fd, POLLIN, deadline, cancel)) {

        case VSM_WAIT_READY:
                (void) !read(task->fd, &n, sizeof(n));
                result = g_steal_pointer(&task->result);
                if (!result)
                        g_propagate_error(error, g_steal_pointer(&task->error));
                break;

        case VSM_WAIT_DEADLINE:
                task_abandon(task);
                g_set_error(error, VSM_ERROR, VSM_ERROR_TIMEOUT, "%s: no answer in time", patience->what);
                break;

        case VSM_WAIT_CANCELLED:
                task_abandon(task);
                g_set_error(error, VSM_ERROR, VSM_ERROR_CANCELLED, "%s: cancelled", patience->what);
                break;
        }

        task_unref(task);
        return result;
}
