/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* For the build with -fsanitize=thread alone: GLib's locks are futexes that ThreadSanitizer cannot see, and GLib
 * itself is not built with it. So every hand-over through GLib would be reported as a race. These functions stand
 * before GLib's, do the same through them, and tell ThreadSanitizer what they order: who takes a lock sees what was
 * done by who gave it back, who pops what was done by who pushed, and a pool's thread what was done by who gave it
 * work. What our own code does without them is still reported. */

#include <dlfcn.h>
#include <glib.h>
#include <stdlib.h>

/* Weak, and nothing of GLib called by its name below: meson links this into its own little checks too. */
__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);

/* Our own functions have the names of GLib's: the real ones are those that come next. */
#define REAL(name)                                                      \
        ({                                                              \
                static __typeof__(&name) real;                          \
                __typeof__(&name) p = __atomic_load_n(&real, __ATOMIC_RELAXED); \
                if (!p) {                                               \
                        p = (__typeof__(&name)) dlsym(RTLD_NEXT, #name); \
                        __atomic_store_n(&real, p, __ATOMIC_RELAXED);   \
                }                                                       \
                p;                                                      \
        })

#undef g_mutex_lock
#undef g_mutex_unlock

void g_mutex_lock(GMutex *mutex) {
        REAL(g_mutex_lock)(mutex);
        __tsan_acquire(mutex);
}

gboolean g_mutex_trylock(GMutex *mutex) {
        gboolean taken = REAL(g_mutex_trylock)(mutex);

        if (taken)
                __tsan_acquire(mutex);

        return taken;
}

void g_mutex_unlock(GMutex *mutex) {
        __tsan_release(mutex);
        REAL(g_mutex_unlock)(mutex);
}

/* A waiter gives the lock back meanwhile. */
void g_cond_wait(GCond *cond, GMutex *mutex) {
        __tsan_release(mutex);
        REAL(g_cond_wait)(cond, mutex);
        __tsan_acquire(mutex);
}

gboolean g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_time) {
        gboolean woken;

        __tsan_release(mutex);
        woken = REAL(g_cond_wait_until)(cond, mutex, end_time);
        __tsan_acquire(mutex);
        return woken;
}

void g_async_queue_push(GAsyncQueue *queue, gpointer data) {
        __tsan_release(data);
        REAL(g_async_queue_push)(queue, data);
}

gpointer g_async_queue_try_pop(GAsyncQueue *queue) {
        gpointer data = REAL(g_async_queue_try_pop)(queue);

        if (data)
                __tsan_acquire(data);

        return data;
}

gpointer g_async_queue_pop(GAsyncQueue *queue) {
        gpointer data = REAL(g_async_queue_pop)(queue);

        __tsan_acquire(data);
        return data;
}

/* ---- pools: what a thread does is done before g_thread_pool_free(wait) comes back ---- */

typedef struct Work {
        GFunc func;
        gpointer userdata;
} Work;

static void run(gpointer data, gpointer userdata) {
        Work *work = userdata;

        __tsan_acquire(data);
        work->func(data, work->userdata);
        __tsan_release(work->userdata);
}

GThreadPool* g_thread_pool_new(GFunc func, gpointer userdata, gint max, gboolean exclusive, GError **error) {
        Work *work = malloc(sizeof(Work));

        *work = (Work) { func, userdata };
        __tsan_release(work);
        return REAL(g_thread_pool_new)(run, work, max, exclusive, error);
}

gboolean g_thread_pool_push(GThreadPool *pool, gpointer data, GError **error) {
        __tsan_release(data);
        return REAL(g_thread_pool_push)(pool, data, error);
}

/* The Work stays: a thread may still be in it when nobody waits. */
void g_thread_pool_free(GThreadPool *pool, gboolean immediate, gboolean wait) {
        Work *work = pool->user_data;

        REAL(g_thread_pool_free)(pool, immediate, wait);
        if (wait)
                __tsan_acquire(work->userdata);
}
