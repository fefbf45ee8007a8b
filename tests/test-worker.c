/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Handing tasks over to threads and back: nothing is lost, nothing is done twice, done() is on the
 * loop's thread, and the store lane keeps the order. */

#include <stdlib.h>

#include "daemon/worker.h"
#include "shared/cleanup.h"
#include "shared/error.h"

#define MANY 20000

typedef struct Fixture {
        sd_event *event;
        VsmWorker *worker;
        GThread *loop;
        unsigned done, expected;
        unsigned last;
        bool in_order;
} Fixture;

typedef struct NumberTask {
        VsmTask task;
        unsigned number;
        GThread *ran_on;
        int *freed;
} NumberTask;

static void run(VsmTask *task) {
        NumberTask *t = (NumberTask*) task;

        t->ran_on = g_thread_self();
        if (t->number % 7 == 0)
                g_set_error(&task->error, VSM_ERROR, VSM_ERROR_FAILED, "%u", t->number);
}

static void done(VsmTask *task, void *userdata) {
        NumberTask *t = (NumberTask*) task;
        Fixture *f = userdata;

        g_assert_true(g_thread_self() == f->loop);
        g_assert_true(!task->run || t->ran_on != f->loop);
        g_assert_true(!task->run || (task->error != NULL) == (t->number % 7 == 0));

        if (t->number < f->last)
                f->in_order = false;
        f->last = t->number;

        if (++f->done == f->expected)
                (void) sd_event_exit(f->event, 0);
}

static void number_free(VsmTask *task) {
        NumberTask *t = (NumberTask*) task;

        (*t->freed)++;
        g_free(t);
}

static void set_up(Fixture *f, gconstpointer data) {
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(sd_event_new(&f->event), >=, 0);
        f->worker = vsm_worker_new(f->event, f, &error);
        g_assert_no_error(error);
        f->loop = g_thread_self();
        f->in_order = true;
}

static void tear_down(Fixture *f, gconstpointer data) {
        vsm_worker_stop(f->worker);
        sd_event_unref(f->event);
}

static int too_late(sd_event_source *source, uint64_t usec, void *userdata) {
        g_error("the tasks did not come back");
        return 0;
}

static void run_loop(Fixture *f) {
        g_autoptr(sd_event_source) limit = NULL;

        g_assert_cmpint(sd_event_add_time_relative(f->event, &limit, CLOCK_MONOTONIC, 60 * G_USEC_PER_SEC, 0,
                                                   too_late, NULL), >=, 0);
        g_assert_cmpint(sd_event_loop(f->event), ==, 0);
}

static void push(Fixture *f, VsmLane lane, unsigned number, int *freed) {
        NumberTask *t = vsm_task_new(NumberTask, run, done, number_free);

        t->number = number;
        t->freed = freed;
        vsm_worker_push(f->worker, lane, &t->task);
}

static void test_all_come_back(Fixture *f, gconstpointer data) {
        int freed = 0;

        f->expected = MANY;
        for (unsigned i = 0; i < MANY; i++)
                push(f, i % 2 ? VSM_LANE_SHORT : VSM_LANE_LONG, i, &freed);

        run_loop(f);
        g_assert_cmpuint(f->done, ==, MANY);
        g_assert_cmpint(freed, ==, MANY);
        g_assert_cmpuint(vsm_worker_pending(f->worker, VSM_LANE_SHORT), ==, 0);
        g_assert_cmpuint(vsm_worker_pending(f->worker, VSM_LANE_LONG), ==, 0);
}

static void test_store_lane_keeps_order(Fixture *f, gconstpointer data) {
        int freed = 0;

        f->expected = MANY;
        for (unsigned i = 0; i < MANY; i++)
                push(f, VSM_LANE_STORE, i, &freed);

        run_loop(f);
        g_assert_true(f->in_order);
}

static void* post_many(void *data) {
        Fixture *f = data;
        static int freed;

        for (unsigned i = 0; i < MANY; i++) {
                NumberTask *t = vsm_task_new(NumberTask, NULL, done, number_free);

                t->number = i;
                t->freed = &freed;
                vsm_worker_post(f->worker, &t->task);
        }

        return NULL;
}

static void test_post_from_a_thread(Fixture *f, gconstpointer data) {
        GThread *thread;

        f->expected = MANY;
        thread = g_thread_new("poster", post_many, f);
        run_loop(f);
        g_thread_join(thread);
        g_assert_true(f->in_order);
}

static void block_run(VsmTask *task) {
        static GMutex never;

        g_mutex_lock(&never);
        g_mutex_lock(&never); /* as a call into a library that hangs */
}

static void test_a_stuck_lane_stops_no_other(Fixture *f, gconstpointer data) {
        int freed = 0;

        for (unsigned i = 0; i < VSM_WORKER_SHORT; i++)
                vsm_worker_push(f->worker, VSM_LANE_SHORT, &vsm_task_new(NumberTask, block_run, NULL, NULL)->task);

        f->expected = 10;
        for (unsigned i = 1; i <= 10; i++)
                push(f, VSM_LANE_STORE, i, &freed);

        run_loop(f);
        g_assert_cmpuint(vsm_worker_pending(f->worker, VSM_LANE_SHORT), ==, VSM_WORKER_SHORT);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

#define ADD(path, func) g_test_add(path, Fixture, NULL, set_up, func, tear_down)
        ADD("/worker/all-come-back", test_all_come_back);
        ADD("/worker/store-lane-keeps-order", test_store_lane_keeps_order);
        ADD("/worker/post-from-a-thread", test_post_from_a_thread);
        ADD("/worker/a-stuck-lane-stops-no-other", test_a_stuck_lane_stops_no_other); /* last: it stays stuck */

        return g_test_run();
}
