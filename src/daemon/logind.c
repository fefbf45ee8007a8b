/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See logind.h. Of systemd two things are looked at: whether vsm-evacuate.service is active, which is how an
 * administrator says that guests are to leave before the host goes down; and the time that this unit may take.
 *
 * The way down: PrepareForShutdown comes while everything still runs, and logind waits for those who hold a delay lock
 * (InhibitDelayMaxSec=, 5 s as a rule). It does not say whether the host powers off or boots again. So guests begin to
 * leave here only if they leave in every case; else the unit decides when it is stopped, and it is what waits in both. */

#include <fcntl.h>
#include <unistd.h>

#include "daemon/draining.h"
#include "daemon/evacuation.h"
#include "daemon/log.h"
#include "daemon/logind.h"
#include "daemon/service.h"
#include "daemon/settings.h"
#include "shared/cleanup.h"
#include "shared/names.h"
#include "shared/shutdown-kind.h"

#define LOGIND_NAME      "org.freedesktop.login1"
#define LOGIND_PATH      "/org/freedesktop/login1"
#define LOGIND_INTERFACE LOGIND_NAME ".Manager"

#define SYSTEMD_NAME      "org.freedesktop.systemd1"
#define SYSTEMD_PATH      "/org/freedesktop/systemd1"
#define SYSTEMD_INTERFACE SYSTEMD_NAME ".Manager"
#define SYSTEMD_UNIT      SYSTEMD_NAME ".Unit"
#define SYSTEMD_SERVICE   SYSTEMD_NAME ".Service"
#define BARRIER_PATH      SYSTEMD_PATH "/unit/vsm_2devacuate_2eservice"

#define PROPERTIES       "org.freedesktop.DBus.Properties"

/* JobTimeoutSec= of poweroff.target and reboot.target on Debian 12 */
#define TARGET_LIMIT_USEC (UINT64_C(30) * 60 * G_USEC_PER_SEC)

/* logind keeps it for as long as the descriptor is open. */
typedef struct Lock {
        const char *what, *why, *mode;
        int fd;
        sd_bus_slot *asked;
        bool told;                      /* that it was refused: once */
} Lock;

typedef enum {
        LEAVING_NOT,
        LEAVING_WAITS,                  /* for the end of a bring-back */
        LEAVING_STARTS,
        LEAVING_RUNS,
        LEAVING_CALLED_OFF,             /* while it started */
} Leaving;

struct VsmLogind {
        VsmManager *manager;
        sd_bus *bus;                    /* its own: that of the service takes no descriptors, and a lock is one */
        Lock block, sleep, delay;       /* logind asks polkit about one thing at a time */
        sd_bus_slot *limit;             /* the unit's time is asked for */
        bool barrier;                   /* vsm-evacuate.service is active */
        bool going_down;
        bool drained;                   /* by ourselves, on the way down */
        bool fresh;                     /* the same, and no evacuation was begun since */
        bool ours;                      /* the evacuation was begun by ourselves, on the way down */
        Leaving leaving;
        uint64_t unit_limit;            /* µs */
};

/* ---- locks ---- */

static void lock_drop(Lock *lock) {
        lock->asked = sd_bus_slot_unref(lock->asked);
        if (lock->fd >= 0)
                (void) close(lock->fd);
        lock->fd = -1;
}

static int on_lock(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Lock *lock = userdata;
        int fd, r;

        lock->asked = sd_bus_slot_unref(lock->asked);
        if (sd_bus_message_is_method_error(reply, NULL)) {
                if (!lock->told)
                        vsm_log(LOG_NOTICE, "logind gives no %s lock for %s: %s", lock->mode, lock->what,
                                sd_bus_message_get_error(reply)->message);
                lock->told = true;
                return 1;
        }

        r = sd_bus_message_read(reply, "h", &fd);
        if (r < 0)
                return r;

        /* the message has it, and takes it along */
        lock->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return 1;
}

static void lock_want(VsmLogind *logind, Lock *lock, bool wanted) {
        if (!wanted) {
                lock_drop(lock);
                return;
        }

        if (lock->fd >= 0 || lock->asked)
                return;

        if (sd_bus_call_method_async(logind->bus, &lock->asked, LOGIND_NAME, LOGIND_PATH, LOGIND_INTERFACE, "Inhibit",
                                     on_lock, lock, "ssss", lock->what, "Virtual System Migration Service", lock->why,
                                     lock->mode) < 0)
                vsm_log(LOG_NOTICE, "Cannot ask logind for an inhibitor lock.");
}

/* ---- the way down ---- */

static void let_go(VsmLogind *logind) {
        logind->leaving = LEAVING_NOT;
        lock_want(logind, &logind->delay, false);
}

static void on_drained(VsmManager *manager, const GError *error, void *userdata) {
        if (error)
                vsm_log(LOG_ERR, "Guests may still come in while the host goes down: %s", error->message);

        let_go(manager->logind);
}

static void drain(VsmLogind *logind) {
        logind->fresh = logind->drained;
        vsm_draining_set(logind->manager, true, false, on_drained, NULL);
}

static void evacuate(VsmLogind *logind) {
        VsmManager *manager = logind->manager;
        VsmEvacuationOptions *options = g_new0(VsmEvacuationOptions, 1);
        g_autoptr(GError) error = NULL;

        options->fallback = vsm_settings_shutdown_policy(manager)->fallback;
        options->deadline = vsm_shutdown_time(logind->unit_limit, TARGET_LIMIT_USEC);

        logind->leaving = LEAVING_STARTS;
        logind->ours = vsm_evacuation_start(manager, options, &error);
        if (logind->ours || vsm_evacuation_running(manager))
                return;

        /* the unit looks again when it is stopped; nobody comes in meanwhile */
        vsm_log(LOG_NOTICE, "The host goes down, and no evacuation is begun now: %s", error->message);
        drain(logind);
}

static void stop(VsmJob *job, bool kill) {
        if (job->cancel && job->cancellable)
                job->cancel(job, kill);
}

static void leave(VsmLogind *logind) {
        VsmManager *manager = logind->manager;
        VsmJob *job = vsm_evacuation_running(manager);

        logind->drained = !vsm_draining(manager);
        if (!vsm_shutdown_policy_always_evacuates(vsm_settings_shutdown_policy(manager)))
                drain(logind);
        else if (job && job->type == VSM_JOB_TYPE_BRING_BACK) {
                /* those that are on their way home would only have to leave again */
                logind->leaving = LEAVING_WAITS;
                stop(job, true);
        } else
                evacuate(logind);
}

static int on_limit(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        VsmLogind *logind = userdata;

        logind->limit = sd_bus_slot_unref(logind->limit);
        if (!sd_bus_message_is_method_error(reply, NULL) && sd_bus_message_enter_container(reply, 'v', "t") > 0)
                (void) sd_bus_message_read(reply, "t", &logind->unit_limit);

        if (logind->going_down)
                leave(logind);
        return 1;
}

static void go_down(VsmLogind *logind) {
        if (!logind->barrier)
                return;

        vsm_log(LOG_NOTICE, "The host goes down, and vsm-evacuate.service is active.");
        logind->unit_limit = UINT64_MAX;
        if (!logind->limit &&
            sd_bus_call_method_async(logind->bus, &logind->limit, SYSTEMD_NAME, BARRIER_PATH, PROPERTIES, "Get",
                                     on_limit, logind, "ss", SYSTEMD_SERVICE, "TimeoutStopUSec") < 0)
                leave(logind);
}

/* Somebody has taken the shutdown back. What is under way arrives; nobody else leaves, and this host takes guests
 * again; unless they were leaving before, as somebody wanted. */
static void stay_up(VsmLogind *logind) {
        VsmJob *job = vsm_evacuation_running(logind->manager);

        logind->limit = sd_bus_slot_unref(logind->limit);
        if (logind->leaving == LEAVING_STARTS && !job)
                logind->leaving = LEAVING_CALLED_OFF;
        else {
                if (logind->leaving != LEAVING_NOT && logind->ours && job)
                        stop(job, false);
                logind->leaving = LEAVING_NOT;
        }

        if (logind->drained)
                vsm_draining_set(logind->manager, false, false, NULL, NULL);
        logind->drained = logind->fresh = logind->ours = false;
}

static int on_prepare(sd_bus_message *signal, void *userdata, sd_bus_error *error) {
        VsmLogind *logind = userdata;
        bool was = logind->going_down;
        int start, r;

        r = sd_bus_message_read(signal, "b", &start);
        if (r < 0)
                return r;

        logind->going_down = start;
        if (start && !was)
                go_down(logind);
        else if (!start && was)
                stay_up(logind);

        vsm_logind_update(logind->manager);
        return 0;
}

/* ---- the unit ---- */

static void set_barrier(VsmLogind *logind, const char *state) {
        logind->barrier = g_strcmp0(state, "active") == 0;
        vsm_logind_update(logind->manager);
}

static int on_barrier(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const char *state = NULL;

        /* not installed, or not loaded */
        if (!sd_bus_message_is_method_error(reply, NULL) && sd_bus_message_enter_container(reply, 'v', "s") > 0)
                (void) sd_bus_message_read(reply, "s", &state);

        set_barrier(userdata, state);
        return 1;
}

static void ask_barrier(VsmLogind *logind) {
        (void) sd_bus_call_method_async(logind->bus, NULL, SYSTEMD_NAME, BARRIER_PATH, PROPERTIES, "Get", on_barrier,
                                        logind, "ss", SYSTEMD_UNIT, "ActiveState");
}

/* Which property it was does not matter: they are few, and it is asked again. */
static int on_barrier_changed(sd_bus_message *signal, void *userdata, sd_bus_error *error) {
        VsmLogind *logind = userdata;

        /* when it stops because the host goes down, what is under way goes on */
        if (!logind->going_down)
                ask_barrier(logind);
        return 0;
}

/* ---- life ---- */

static void look_at_leaving(VsmLogind *logind, VsmJob *job) {
        if (logind->leaving == LEAVING_WAITS && !job)
                evacuate(logind);
        else if (logind->leaving == LEAVING_STARTS && job)
                logind->leaving = LEAVING_RUNS;
        else if (logind->leaving == LEAVING_RUNS && !job)
                let_go(logind);
        else if (logind->leaving == LEAVING_CALLED_OFF && job) {
                logind->leaving = LEAVING_NOT;
                stop(job, false);
        }
}

void vsm_logind_update(VsmManager *manager) {
        VsmLogind *logind = manager->logind;
        bool busy;

        if (!logind)
                return;

        /* on the way down it would hold up nothing but ourselves */
        busy = (vsm_service_running(manager) > 0 || vsm_evacuation_running(manager)) && !logind->going_down;
        lock_want(logind, &logind->block, busy);
        lock_want(logind, &logind->sleep, busy);

        look_at_leaving(logind, vsm_evacuation_running(manager));

        if (!logind->going_down)
                lock_want(logind, &logind->delay, logind->barrier);
}

bool vsm_logind_take_drain(VsmManager *manager) {
        VsmLogind *logind = manager->logind;
        bool fresh = logind && logind->fresh;

        if (logind)
                logind->fresh = false;
        return fresh;
}

static int follow(VsmLogind *logind) {
        int r;

        r = sd_bus_match_signal_async(logind->bus, NULL, LOGIND_NAME, LOGIND_PATH, LOGIND_INTERFACE,
                                      "PrepareForShutdown", on_prepare, NULL, logind);
        if (r >= 0)
                r = sd_bus_match_signal_async(logind->bus, NULL, SYSTEMD_NAME, BARRIER_PATH, PROPERTIES,
                                              "PropertiesChanged", on_barrier_changed, NULL, logind);
        /* without it systemd sends no signals of units */
        if (r >= 0)
                r = sd_bus_call_method_async(logind->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_INTERFACE,
                                             "Subscribe", NULL, NULL, NULL);
        return r;
}

VsmLogind* vsm_logind_new(VsmManager *manager) {
        VsmLogind *logind = g_new0(VsmLogind, 1);
        int r;

        logind->manager = manager;
        logind->block = (Lock) { "shutdown", "Virtual machines are being moved.", "block", -1 };
        logind->sleep = (Lock) { "sleep", "Virtual machines are being moved.", "block", -1 };
        logind->delay = (Lock) { "shutdown", "Virtual machines leave before the host goes down.", "delay", -1 };

        r = sd_bus_open_system_with_description(&logind->bus, "logind");
        if (r >= 0)
                r = sd_bus_attach_event(logind->bus, manager->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = follow(logind);
        if (r < 0) {
                vsm_log(LOG_WARNING, "logind and systemd cannot be followed: %s. Guests leave at shutdown only when "
                        "somebody evacuates them.", g_strerror(-r));
                vsm_logind_free(logind);
                return NULL;
        }

        ask_barrier(logind);
        return logind;
}

void vsm_logind_free(VsmLogind *logind) {
        if (!logind)
                return;

        lock_drop(&logind->block);
        lock_drop(&logind->sleep);
        lock_drop(&logind->delay);
        sd_bus_slot_unref(logind->limit);
        sd_bus_flush_close_unref(logind->bus);
        g_free(logind);
}
