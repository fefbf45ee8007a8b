/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A wish to stop that wakes who waits: a flag with an eventfd, so that it can stand in a poll()
 * beside a socket or another thread's result. Any thread; references are counted. */

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/virt/virt.h"

struct VsmCancel {
        gint n_ref;
        gint fired;
        int fd;                         /* -1 when no descriptor was left: waits then look at fired */
};

VsmCancel* vsm_cancel_new(void) {
        VsmCancel *cancel = g_new0(VsmCancel, 1);

        cancel->n_ref = 1;
        cancel->fd = eventfd(0, EFD_CLOEXEC|EFD_NONBLOCK);
        return cancel;
}

VsmCancel* vsm_cancel_ref(VsmCancel *cancel) {
        g_atomic_int_inc(&cancel->n_ref);
        return cancel;
}

void vsm_cancel_unref(VsmCancel *cancel) {
        if (!cancel || !g_atomic_int_dec_and_test(&cancel->n_ref))
                return;

        if (cancel->fd >= 0)
                (void) close(cancel->fd);
        g_free(cancel);
}

void vsm_cancel_fire(VsmCancel *cancel) {
        ssize_t n;

        /* Never read back, so it stays readable for everybody who waits now or later. */
        if (!g_atomic_int_compare_and_exchange(&cancel->fired, 0, 1) || cancel->fd < 0)
                return;

        do
                n = write(cancel->fd, &(uint64_t) { 1 }, sizeof(uint64_t));
        while (n < 0 && errno == EINTR);
}

bool vsm_cancel_fired(VsmCancel *cancel) {
        return cancel && g_atomic_int_get(&cancel->fired) != 0;
}

int vsm_cancel_fd(VsmCancel *cancel) {
        return cancel ? cancel->fd : -1;
}
