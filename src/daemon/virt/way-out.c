/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The ways out of a host that are no move: a guest's memory goes to disk, or the guest shuts down. Neither destroys
 * anything. Workers. */

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/virt/patience.h"
#include "daemon/virt/way-out.h"
#include "shared/error.h"

#define POLL_USEC       (G_USEC_PER_SEC / 4)
#define ABORT_USEC      (G_USEC_PER_SEC / 2)

/* ---- shutting down ---- */

bool vsm_side_is_off(VsmSide side) {
        return side == VSM_SIDE_OFF || side == VSM_SIDE_OFF_MIGRATED || side == VSM_SIDE_ABSENT;
}

bool vsm_shutdown_ask(virDomainPtr domain, GError **error) {
        /* without flags libvirt asks the agent, and presses the power button where there is none */
        if (virDomainShutdownFlags(domain, 0) >= 0)
                return true;

        vsm_virt_error(error, "libvirt cannot ask it to shut down");
        return false;
}

/* There is an event for it, but it goes to the connection for short calls. */
bool vsm_side_wait_off(VsmSideFunc look, void *userdata, int64_t until, VsmCancel *cancel, GError **error) {
        for (;;) {
                g_autoptr(GError) local = NULL;
                VsmSide side = VSM_SIDE_UNKNOWN;

                if (look(userdata, &side, &local) && vsm_side_is_off(side))
                        return true;

                if (g_get_monotonic_time() > until) {
                        if (local)
                                g_propagate_error(error, g_steal_pointer(&local));
                        else
                                g_set_error(error, VSM_ERROR, VSM_ERROR_TIMEOUT,
                                            "It was asked to shut down, and does not: it is %s",
                                            vsm_side_to_string(side));
                        return false;
                }

                if (!vsm_wait_sleep(POLL_USEC, cancel)) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_CANCELLED,
                                    "Cancelled after it was asked to shut down, which it may do yet");
                        return false;
                }
        }
}

typedef struct Shutdown {
        VsmVirt *virt;
        VsmCancel *cancel;              /* may be NULL */
        char uuid[VSM_UUID_SIZE];
        int64_t until;
} Shutdown;

static void shutdown_free(void *userdata) {
        Shutdown *shutdown = userdata;

        vsm_cancel_unref(shutdown->cancel);
        g_free(shutdown);
}

/* Its own connection may break while it waits, and that is no answer. */
static bool look(void *userdata, VsmSide *ret, GError **error) {
        Shutdown *shutdown = userdata;
        g_autoptr(virConnect) connection = vsm_virt_ref_connection(shutdown->virt, error);

        return connection && vsm_side_look(connection, shutdown->uuid, VSM_HOST_HERE, ret, NULL, error);
}

static bool ask(Shutdown *shutdown, GError **error) {
        g_autoptr(virConnect) connection = vsm_virt_open_own(shutdown->virt, error);
        g_autoptr(virDomain) domain = connection ? vsm_domain_find(connection, shutdown->uuid, error) : NULL;
        VsmSide side;

        if (!domain)
                return false;

        side = vsm_side_of(domain, VSM_HOST_HERE);
        if (vsm_side_is_off(side) || side == VSM_SIDE_STOPPING)
                return true;

        /* a paused one would not notice */
        if (side != VSM_SIDE_RUNNING) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "It cannot be asked to shut down: it is %s", vsm_side_to_string(side));
                return false;
        }

        return vsm_shutdown_ask(domain, error);
}

static void* shutdown_thread(void *input, GError **error) {
        Shutdown *shutdown = input;

        return ask(shutdown, error) && vsm_side_wait_off(look, shutdown, shutdown->until, shutdown->cancel, error) ?
                shutdown : NULL;
}

bool vsm_virt_shutdown(VsmVirt *virt, const char *uuid, uint64_t deadline, VsmCancel *cancel, GError **error) {
        int64_t until = g_get_monotonic_time() + (int64_t) deadline;
        Shutdown *shutdown = g_new0(Shutdown, 1);

        shutdown->virt = virt;
        shutdown->cancel = cancel ? vsm_cancel_ref(cancel) : NULL;
        shutdown->until = until;
        g_strlcpy(shutdown->uuid, uuid, sizeof shutdown->uuid);

        /* an agent that answers to nothing holds libvirt's call: so that the deadline is one all the same */
        return vsm_patience_run(&(VsmPatience) {
                                        .what = "libvirt here",
                                        .host = uuid,
                                        .func = shutdown_thread,
                                        .input = shutdown,
                                        .input_free = shutdown_free,
                                }, until + POLL_USEC, cancel, error);
}

/* ---- saving ---- */

static bool is_being_saved(virDomainPtr domain) {
        virDomainJobOperation operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
        VsmTransferStats stats;

        return vsm_stats_read(domain, false, &stats, &operation, NULL) && operation == VIR_DOMAIN_JOB_OPERATION_SAVE;
}

/* Aborts libvirt's job when it is cancelled: its call cannot be. */
typedef struct Watch {
        virDomainPtr domain;
        VsmCancel *cancel;
        int ended;                      /* an eventfd: the call has come back */
} Watch;

static void* watch_thread(void *userdata) {
        Watch *watch = userdata;
        int64_t until = G_MAXINT64;
        VsmCancel *cancel = watch->cancel;

        while (vsm_wait_fd(watch->ended, POLLIN, until, cancel) != VSM_WAIT_READY) {
                /* not somebody else's job; and ours may not have begun yet, or be at its end */
                if (is_being_saved(watch->domain))
                        (void) virDomainAbortJob(watch->domain);

                cancel = NULL;
                until = g_get_monotonic_time() + ABORT_USEC;
        }

        return NULL;
}

static bool save(virDomainPtr domain, VsmCancel *cancel, GError **error) {
        Watch watch = { domain, cancel, eventfd(0, EFD_CLOEXEC) };
        GThread *thread = watch.ended >= 0 ? g_thread_try_new("vsm-save", watch_thread, &watch, NULL) : NULL;
        bool ok = false;

        if (!thread) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "No thread or descriptor is left");
                goto end;
        }

        /* without a flag, what was paused is paused when it is started again */
        ok = virDomainManagedSave(domain, 0) >= 0;
        if (!ok && vsm_cancel_fired(cancel))
                vsm_virt_error_as(error, VSM_ERROR_CANCELLED, "Saving was cancelled");
        else if (!ok)
                vsm_virt_error(error, "libvirt cannot save it");

        (void) eventfd_write(watch.ended, 1);
        (void) g_thread_join(thread);

end:
        if (watch.ended >= 0)
                close(watch.ended);
        return ok;
}

/* Begun by an earlier run of the daemon, or by somebody else: then it counts if it ends where a start finds it. */
static bool wait_for_save(virDomainPtr domain, VsmCancel *cancel, GError **error) {
        bool job = true, cancelled = false;
        int active, saved;

        while (job) {
                if (!vsm_wait_sleep(POLL_USEC, cancelled ? NULL : cancel)) {
                        cancelled = true;
                        (void) virDomainAbortJob(domain);
                }
                if (!vsm_side_has_job(domain, &job, error))
                        return false;
        }

        active = virDomainIsActive(domain);
        saved = active == 0 ? virDomainHasManagedSaveImage(domain, 0) : 0;
        if (saved > 0)
                return true;

        if (active < 0 || saved < 0)
                vsm_virt_error(error, "libvirt does not tell what became of the save that it was at");
        else if (cancelled)
                g_set_error(error, VSM_ERROR, VSM_ERROR_CANCELLED, "Saving was cancelled");
        else
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, active > 0 ? "A save that had been begun failed" :
                            "It has been saved to a file that libvirt does not look for when it is started");
        return false;
}

bool vsm_virt_save(VsmVirt *virt, const char *uuid, VsmCancel *cancel, GError **error) {
        g_autoptr(virConnect) connection = vsm_virt_open_own(virt, error);
        g_autoptr(virDomain) domain = connection ? vsm_domain_find(connection, uuid, error) : NULL;
        bool job;
        int persistent;

        if (!domain || !vsm_side_has_job(domain, &job, error))
                return false;

        if (vsm_cancel_fired(cancel)) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_CANCELLED, "Saving was cancelled before it began");
                return false;
        }

        if (job && is_being_saved(domain))
                return wait_for_save(domain, cancel, error);

        /* libvirt would wait for it, without a word */
        if (job) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_SYSTEM_IN_USE,
                            "libvirt is already running a job of the system (a migration, a save, a backup, ...)");
                return false;
        }

        persistent = virDomainIsPersistent(domain);
        if (persistent < 0) {
                vsm_virt_error(error, "libvirt does not tell whether it is persistent");
                return false;
        }
        if (persistent == 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "It is transient: there is no definition by which a saved image would be found");
                return false;
        }

        return save(domain, cancel, error);
}
