/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt's event loop, in a thread of its own for as long as the process lives. libvirt's default
 * implementation is GLib's default main context: nobody else in the daemon may use that one.
 * vsm_loop_start() from any thread; the loop is the event thread. */

#include <pthread.h>
#include <signal.h>

#include "daemon/virt/internal.h"
#include "shared/error.h"

static void ignore_error(void *userdata, virErrorPtr error) {
        /* Without this libvirt writes each error to stderr. Whoever called gets it as a GError. */
}

static gpointer run(gpointer userdata) {
        while (virEventRunDefaultImpl() >= 0)
                ;

        /* Only without a registered implementation. Nothing of libvirt works any more then. */
        g_error("libvirt's event loop ended");
        return NULL;
}

static bool start(GError **error) {
        GThread *thread;
        sigset_t all, old;

        virSetErrorFunc(NULL, ignore_error);

        if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0) {
                vsm_virt_error_as(error, VSM_ERROR_FAILED, "Cannot initialize libvirt");
                return false;
        }

        /* Signals are for the bus thread's signalfd; a thread inherits the mask. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        thread = g_thread_try_new("virt-events", run, NULL, error);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (!thread)
                return false;

        g_thread_unref(thread); /* detached: it never ends */
        return true;
}

bool vsm_loop_start(GError **error) {
        static GMutex mutex;
        static bool started;
        g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&mutex);

        if (!started)
                started = start(error);

        return started;
}
