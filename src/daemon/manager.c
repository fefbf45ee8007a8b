/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Puts the daemon together, starts it in the right order, and follows libvirt: connected, lost, found
 * again. Bus thread, but for on_virt_event(), which says so. */

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>
#include <time.h>
#include <unistd.h>

#include "daemon/evacuation-recover.h"
#include "daemon/evacuation.h"
#include "daemon/host.h"
#include "daemon/job-keep.h"
#include "daemon/job.h"
#include "daemon/log.h"
#include "daemon/logind.h"
#include "daemon/move.h"
#include "daemon/network.h"
#include "daemon/planned.h"
#include "daemon/queue.h"
#include "daemon/refuse.h"
#include "daemon/rollback.h"
#include "daemon/service-state.h"
#include "daemon/service.h"
#include "daemon/settings.h"
#include "daemon/system-watch.h"
#include "daemon/system.h"
#include "shared/cleanup.h"
#include "shared/error.h"

/* libvirt's first answer is waited for before we take our name, but not for ever */
#define START_LIMIT_USEC        (UINT64_C(3) * G_USEC_PER_SEC)

/* between attempts to find libvirt again; the first comes at once (its socket starts it) */
#define RECONNECT_MIN_USEC      (UINT64_C(500) * 1000)
#define RECONNECT_MAX_USEC      (UINT64_C(5) * G_USEC_PER_SEC)

static void connect_libvirt(VsmManager *manager);

uint64_t vsm_now_realtime(void) {
        return (uint64_t) g_get_real_time();
}

uint64_t vsm_realtime_since(uint64_t then) {
        uint64_t now = vsm_now_realtime();

        return now > then ? now - then : 0;
}

uint64_t vsm_now_monotonic(void) {
        return (uint64_t) g_get_monotonic_time();
}

void vsm_manager_update_status(VsmManager *manager) {
        (void) sd_notifyf(false, "STATUS=%s%u running, %u queued, %u systems.",
                          manager->libvirt_up ? "" : "libvirt does not answer; ",
                          vsm_service_running(manager), vsm_queue_length(manager->queue),
                          g_hash_table_size(manager->systems));
        vsm_logind_update(manager);
}

/* ---- the bus name ---- */

static void on_named(void *userdata) {
        VsmManager *manager = userdata;

        vsm_manager_update_status(manager);
        (void) sd_notify(false, "READY=1");
        vsm_log(LOG_DEBUG, "Ready.");
}

static void take_name(VsmManager *manager) {
        if (manager->named)
                return;

        manager->named = true;
        manager->start_limit = sd_event_source_disable_unref(manager->start_limit);
        if (vsm_bus_request_name(manager->bus, on_named, manager) < 0)
                (void) sd_event_exit(manager->event, EXIT_FAILURE);
}

static int on_start_limit(sd_event_source *source, uint64_t usec, void *userdata) {
        vsm_log(LOG_WARNING, "libvirt does not answer yet; going on without it.");
        take_name(userdata);
        return 0;
}

/* ---- libvirt comes and goes ---- */

static void set_libvirt_up(VsmManager *manager, bool up) {
        if (manager->libvirt_up == up)
                return;

        manager->libvirt_up = up;
        if (!up) {
                manager->host.libvirt_version = manager->host.hypervisor_version = 0;
                vsm_lookup_libvirt_changed(manager);
        }
        vsm_log(up ? LOG_INFO : LOG_WARNING, up ? "Connected to libvirt." : "The connection to libvirt is lost.");
        vsm_service_libvirt_changed(manager);
        vsm_manager_update_status(manager);
}

static int on_reconnect(sd_event_source *source, uint64_t usec, void *userdata) {
        connect_libvirt(userdata);
        return 0;
}

static void reconnect_later(VsmManager *manager) {
        uint64_t delay = MIN(RECONNECT_MIN_USEC << MIN(manager->reconnect_tries, 8), RECONNECT_MAX_USEC);

        manager->reconnect_tries++;
        manager->reconnect = sd_event_source_disable_unref(manager->reconnect);
        if (sd_event_add_time_relative(manager->event, &manager->reconnect, CLOCK_MONOTONIC, delay, delay / 4,
                                       on_reconnect, manager) < 0)
                (void) sd_event_exit(manager->event, EXIT_FAILURE);
}

static void on_listed(VsmManager *manager, bool listed) {
        /* who does not know the systems does not say of any job what became of it */
        if (!listed && manager->libvirt_up) {
                set_libvirt_up(manager, false);
                reconnect_later(manager);
        }
        if (!manager->libvirt_up) {
                take_name(manager);
                return;
        }

        /* systems that left while nobody watched do not come back with an old state */
        g_hash_table_remove_all(manager->stored_states);
        vsm_service_addresses_changed(manager);
        vsm_job_keep_show_all(manager);
        vsm_move_recover_all(manager);
        vsm_evacuation_recover(manager);
        vsm_rollback_run(manager);
        vsm_manager_update_status(manager);
        take_name(manager);

        /* the start has left holes all over the heap, and what comes now may be days of nothing */
        (void) malloc_trim(0);
}

typedef struct ConnectTask {
        VsmTask task;
        VsmVirt *virt;
        VsmVirtHost host;
} ConnectTask;

static void connect_run(VsmTask *task) {
        ConnectTask *t = (ConnectTask*) task;

        (void) vsm_virt_connect(t->virt, &t->host, &task->error);
}

static void connect_done(VsmTask *task, void *userdata) {
        ConnectTask *t = (ConnectTask*) task;
        VsmManager *manager = userdata;

        manager->connecting = false;
        if (task->error) {
                if (manager->reconnect_tries == 0)
                        vsm_log(LOG_WARNING, "%s", task->error->message);
                set_libvirt_up(manager, false);
                reconnect_later(manager);
                take_name(manager);
                return;
        }

        /* the loss may have been told before this was */
        if (!vsm_virt_is_connected(manager->virt)) {
                reconnect_later(manager);
                return;
        }

        manager->reconnect_tries = 0;
        vsm_virt_host_clear(&manager->host);
        manager->host = t->host;
        t->host = (VsmVirtHost) {};
        set_libvirt_up(manager, true);
        vsm_lookup_libvirt_changed(manager);
        vsm_system_watch_all(manager, on_listed);
}

static void connect_free(VsmTask *task) {
        vsm_virt_host_clear(&((ConnectTask*) task)->host);
        g_free(task);
}

static void connect_libvirt(VsmManager *manager) {
        ConnectTask *t;

        if (manager->connecting)
                return;

        manager->connecting = true;
        t = vsm_task_new(ConnectTask, connect_run, connect_done, connect_free);
        t->virt = manager->virt;
        vsm_worker_push(manager->worker, VSM_LANE_SHORT, &t->task);
}

/* ---- events of libvirt ---- */

typedef struct EventTask {
        VsmTask task;
        VsmVirtEvent event;
} EventTask;

static void event_done(VsmTask *task, void *userdata) {
        const VsmVirtEvent *event = &((EventTask*) task)->event;
        VsmManager *manager = userdata;

        switch (event->type) {
        case VSM_VIRT_DISCONNECTED:
                set_libvirt_up(manager, false);
                connect_libvirt(manager);
                break;
        case VSM_VIRT_MIGRATION_ITERATION:
                vsm_move_job_on_iteration(manager, event->uuid, event->iteration);
                break;
        case VSM_VIRT_NETWORKS_CHANGED:
                vsm_network_bridges_changed(manager);
                break;
        case VSM_VIRT_DOMAIN_POST_COPY:
                vsm_move_job_on_post_copy(manager, event->uuid);
                vsm_system_watch_one(manager, event->uuid, false, false);
                break;
        case VSM_VIRT_DOMAIN_HANDED_OVER:
                vsm_move_job_on_handed_over(manager, event->uuid);
                /* fall through */
        default:
                vsm_system_watch_one(manager, event->uuid, event->type == VSM_VIRT_DOMAIN_INCOMING,
                                     event->type == VSM_VIRT_DOMAIN_CRASHED);
                break;
        }
}

/* libvirt's event thread, or a worker. */
static void on_virt_event(const VsmVirtEvent *event, void *userdata) {
        VsmManager *manager = userdata;
        EventTask *t = vsm_task_new(EventTask, NULL, event_done, NULL);

        t->event = *event;
        vsm_worker_post(manager->worker, &t->task);
}

static void on_addresses_changed(void *userdata) {
        vsm_service_addresses_changed(userdata);
}

/* ---- starting ---- */

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        vsm_settings_reload(userdata);
        vsm_hosts_reload(userdata);
        return 0;
}

static int on_host_name(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        vsm_service_host_name_changed(userdata);
        return 0;
}

/* The kernel wakes whoever polls this file when somebody sets the name; without it, it is not followed. */
static void follow_host_name(VsmManager *manager) {
        g_autoptr(sd_event_source) source = NULL;
        int fd = open("/proc/sys/kernel/hostname", O_RDONLY | O_CLOEXEC | O_NONBLOCK);

        if (fd < 0 || sd_event_add_io(manager->event, &source, fd, 0, on_host_name, manager) < 0) {
                vsm_log(LOG_NOTICE, "Changes of the host's name are not followed.");
                if (fd >= 0)
                        close(fd);
                return;
        }

        (void) sd_event_source_set_io_fd_own(source, true);

        /* the loop keeps it; our own reference must not switch it off when it goes */
        if (sd_event_source_set_floating(source, true) >= 0)
                (void) sd_event_source_unref(g_steal_pointer(&source));
}

static bool start_loop(VsmManager *manager, GError **error) {
        int r;

        r = sd_event_default(&manager->event);
        if (r >= 0)
                r = sd_event_set_watchdog(manager->event, true);
        if (r >= 0)
                r = sd_event_add_signal(manager->event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(manager->event, NULL, SIGINT, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(manager->event, NULL, SIGHUP, on_hangup, manager);
        if (r < 0)
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "Cannot set up the event loop: %s", g_strerror(-r));

        return r >= 0;
}

static bool open_store(VsmManager *manager, const char *directory, GError **error) {
        g_autofree char *set_aside = NULL;
        g_autoptr(GPtrArray) systems = NULL;
        g_autoptr(GError) e = NULL;

        manager->store = vsm_store_open(directory, &set_aside, error);
        if (!manager->store)
                return false;
        if (set_aside)
                vsm_log(LOG_ERR, "The state file was damaged; it was set aside as %s, and the service starts "
                        "with an empty one.", set_aside);

        manager->install_date = vsm_store_install_date(manager->store, vsm_now_realtime(), &e);
        if (e)
                vsm_log(LOG_WARNING, "Cannot read the date of installation: %s", e->message);

        manager->unfinished = vsm_store_jobs_unfinished(manager->store, error);
        manager->recent = manager->unfinished ?
                vsm_store_jobs_recent(manager->store, vsm_now_realtime() - VSM_JOB_RETENTION_USEC, error) : NULL;
        if (!manager->recent || !vsm_settings_load(manager, error) || !vsm_service_state_load(manager, error))
                return false;

        vsm_evacuations_load(manager);
        systems = vsm_store_systems(manager->store, error);
        if (!systems)
                return false;

        for (guint i = 0; i < systems->len; i++) {
                VsmStoredSystem *system = systems->pdata[i];

                g_hash_table_insert(manager->stored_states, system->uuid, system);
        }
        g_ptr_array_set_free_func(systems, NULL); /* the table has them now */

        return true;
}

static bool register_objects(VsmManager *manager, GError **error) {
        static int (*const registers[])(VsmManager *manager) = {
                vsm_service_register, vsm_settings_register, vsm_capabilities_register, vsm_lookup_register,
                vsm_system_register, vsm_job_register, vsm_network_register, vsm_host_register,
                vsm_planned_system_register, vsm_evacuation_register,
        };

        for (size_t i = 0; i < G_N_ELEMENTS(registers); i++) {
                int r = registers[i](manager);

                if (r < 0) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "Cannot register the objects: %s",
                                    g_strerror(-r));
                        return false;
                }
        }

        return true;
}

/* As the unit tells it: /proc does not show the boot of a container to a service in a sandbox. */
static char* read_boot_id(void) {
        const char *told = getenv("VSMD_BOOT_ID");
        sd_id128_t id = {};
        char text[SD_ID128_STRING_MAX];

        if (!told || sd_id128_from_string(told, &id) < 0)
                (void) sd_id128_get_boot(&id);
        return g_strdup(sd_id128_to_string(id, text));
}

static bool start_connections(VsmManager *manager, const VsmManagerOptions *options, GError **error) {
        manager->worker = vsm_worker_new(manager->event, manager, error);
        if (!manager->worker)
                return false;

        manager->bus = vsm_bus_new(manager->event, error);
        if (!manager->bus)
                return false;

        manager->polkit = vsm_polkit_new(vsm_bus_get(manager->bus));
        manager->addresses = vsm_addresses_new(manager->event, on_addresses_changed, manager, error);
        if (!manager->addresses)
                return false;

        manager->networks = vsm_networks_new(manager, error);
        if (!manager->networks)
                return false;

        manager->service = vsm_service_new(manager);
        follow_host_name(manager);
        manager->virt = vsm_virt_new(options->libvirt_uri, on_virt_event, manager, error);
        return manager->virt;
}

/* Beside the main file, as its drop-ins are. */
static bool start_hosts(VsmManager *manager, const VsmManagerOptions *options, GError **error) {
        g_autofree char *folder = g_path_get_dirname(options->configuration);
        g_autofree char *directory = g_build_filename(folder, "hosts.d", NULL);

        manager->hosts = vsm_hosts_new(manager, directory, error);
        return manager->hosts;
}

VsmManager* vsm_manager_new(const VsmManagerOptions *options, GError **error) {
        VsmManager *manager = g_new0(VsmManager, 1);

        manager->systems = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                                 (GDestroyNotify) vsm_system_free);
        manager->planned = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                                 (GDestroyNotify) vsm_planned_system_free);
        manager->jobs = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, (GDestroyNotify) vsm_job_free);
        manager->refreshing = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        manager->looked_at_late = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        manager->stored_states = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                                       (GDestroyNotify) vsm_stored_system_free);
        manager->accepting = g_ptr_array_new();
        manager->queue = vsm_queue_new(manager);
        manager->rollback = vsm_rollback_new(manager);
        manager->evacuations = vsm_evacuations_new();
        manager->boot_id = read_boot_id();

        manager->state = vsm_service_state_new();
        manager->layers = vsm_settings_new(manager, options->configuration, options->drop_ins);
        manager->state_directory = g_strdup(options->state_directory);

        if (!start_loop(manager, error) ||
            !open_store(manager, options->state_directory, error) ||
            !start_connections(manager, options, error) ||
            !start_hosts(manager, options, error) ||
            !register_objects(manager, error)) {
                vsm_manager_free(manager);
                return NULL;
        }

        vsm_service_state_start(manager);
        vsm_refuse_update(manager);
        manager->logind = vsm_logind_new(manager);
        return manager;
}

int vsm_manager_run(VsmManager *manager) {
        int r;

        if (sd_event_add_time_relative(manager->event, &manager->start_limit, CLOCK_MONOTONIC, START_LIMIT_USEC,
                                       G_USEC_PER_SEC / 10, on_start_limit, manager) < 0)
                return EXIT_FAILURE;

        connect_libvirt(manager);
        r = sd_event_loop(manager->event);
        (void) sd_notify(false, "STOPPING=1");
        return r < 0 ? EXIT_FAILURE : r;
}

void vsm_manager_free(VsmManager *manager) {
        if (!manager)
                return;

        /* What runs is peer-to-peer: libvirt goes on with it, the store knows of it, and the next start
         * picks it up. libvirt's own handle stays, as its thread does. */
        if (manager->worker)
                vsm_move_keep_progress(manager);
        vsm_worker_stop(manager->worker);
        sd_event_source_disable_unref(manager->reconnect);
        sd_event_source_disable_unref(manager->start_limit);

        vsm_logind_free(g_steal_pointer(&manager->logind));
        vsm_polkit_free(manager->polkit);
        g_hash_table_unref(manager->jobs);
        g_hash_table_unref(manager->systems);
        g_hash_table_unref(manager->planned);
        g_hash_table_unref(manager->refreshing);
        sd_event_source_disable_unref(manager->late);
        g_hash_table_unref(manager->looked_at_late);
        g_hash_table_unref(manager->stored_states);
        vsm_queue_free(manager->queue);
        vsm_service_free(manager->service);
        vsm_service_state_free(manager->state);
        vsm_settings_free(manager->layers);
        vsm_networks_free(manager->networks);
        vsm_hosts_free(manager->hosts);
        vsm_rollback_free(manager->rollback);
        vsm_evacuations_free(manager->evacuations);
        vsm_addresses_free(manager->addresses);
        vsm_bus_free(manager->bus);
        vsm_store_close(manager->store);
        vsm_virt_host_clear(&manager->host);
        g_clear_pointer(&manager->unfinished, g_ptr_array_unref);
        g_clear_pointer(&manager->recent, g_ptr_array_unref);
        g_ptr_array_unref(manager->accepting);
        g_strfreev(manager->bridges);
        g_free(manager->boot_id);
        g_free(manager->state_directory);
        sd_event_unref(manager->event);
        g_free(manager);
}
