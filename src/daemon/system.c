/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The object of a virtual system: what is known of its domain, its MigrationState, and the rule that
 * it outlives its domain while a job of it runs. Bus thread only. */

#include <errno.h>
#include <string.h>

#include "daemon/bus-variant.h"
#include "daemon/job.h"
#include "daemon/log.h"
#include "daemon/system-write.h"
#include "daemon/system.h"
#include "shared/cleanup.h"
#include "shared/names.h"

/* claimed, while the store has not given the job its number yet */
#define JOB_NUMBER_PENDING UINT64_MAX

struct VsmSystem {
        VsmManager *manager;
        char uuid[VSM_UUID_SIZE];       /* the key of the table: info is replaced */
        VsmDomainInfo *info;
        char *path;

        VsmMigrationState migration_state;
        uint32_t reason;
        uint32_t progress;
        uint64_t job;           /* current or last, 0 = none */
        uint64_t active_job;    /* 0 = none */

        bool incoming;          /* arrives from another host, has not run here yet */
        bool crashed;
        bool gone;              /* the domain has left while a job of it runs */
        VsmDomainInfo *held;    /* what the domain looks like since the hand-over began */
};

static void changed(VsmSystem *system, const char *property) {
        vsm_bus_changed(system->manager->bus, system->path, VSM_INTERFACE_SYSTEM, property);
}

/* ---- the states that are derived ---- */

static uint16_t enabled_state(const VsmSystem *system) {
        switch (system->info->state) {
        case VSM_DOMAIN_RUNNING:
                return VSM_ENABLED_STATE_ENABLED;
        case VSM_DOMAIN_HANDED_OVER:
                /* a pause of milliseconds that a migration makes is not the guest's state */
                return system->incoming ? VSM_ENABLED_STATE_PAUSED : VSM_ENABLED_STATE_ENABLED;
        case VSM_DOMAIN_PAUSED:
        case VSM_DOMAIN_INCOMING:
        case VSM_DOMAIN_POST_COPY_FAILED:
                return VSM_ENABLED_STATE_PAUSED;
        case VSM_DOMAIN_SAVED:
        case VSM_DOMAIN_ASLEEP:
                return VSM_ENABLED_STATE_SUSPENDED;
        case VSM_DOMAIN_STARTING:
                return VSM_ENABLED_STATE_STARTING;
        case VSM_DOMAIN_STOPPING:
                return VSM_ENABLED_STATE_STOPPING;
        default:
                return VSM_ENABLED_STATE_DISABLED;
        }
}

static bool is_crashed(const VsmSystem *system) {
        return system->info->state == VSM_DOMAIN_CRASHED ||
                (system->crashed && system->info->state == VSM_DOMAIN_OFF);
}

static bool moves_storage_only(const VsmSystem *system) {
        const VsmJob *job = vsm_job_find(system->manager, system->job);

        return job && job->type == VSM_JOB_TYPE_MOVE_STORAGE;
}

static uint16_t operating_status(const VsmSystem *system) {
        if (vsm_migration_state_is_active(system->migration_state))
                return moves_storage_only(system) ? VSM_OPERATING_STATUS_MIGRATING :
                        VSM_OPERATING_STATUS_EMIGRATING;
        if (system->incoming)
                return VSM_OPERATING_STATUS_IMMIGRATING;

        return VSM_OPERATING_STATUS_UNKNOWN;
}

/* ---- properties ---- */

#define GETTER(name, signature, expression)                                                             \
        static int property_get_##name(sd_bus *bus, const char *path, const char *interface,            \
                                       const char *property, sd_bus_message *reply, void *userdata,     \
                                       sd_bus_error *error) {                                           \
                const VsmSystem *system = userdata;                                                     \
                                                                                                        \
                return sd_bus_message_append(reply, signature, expression);                             \
        }

GETTER(name, "s", system->uuid)
GETTER(element_name, "s", system->info->name)
GETTER(description, "s", system->info->description)
GETTER(enabled_state, "q", enabled_state(system))
GETTER(operating_status, "q", operating_status(system))
GETTER(health_state, "q", is_crashed(system) ? 25 : 5)
GETTER(migration_state, "u", (uint32_t) system->migration_state)
GETTER(reason, "u", system->reason)
GETTER(progress, "u", system->progress)
GETTER(persistent, "b", (int) system->info->persistent)
GETTER(autostart, "b", (int) system->info->autostart)
GETTER(memory, "t", system->info->memory)
GETTER(cpus, "u", (uint32_t) system->info->cpus)

static int property_get_operational_status(sd_bus *bus, const char *path, const char *interface,
                                           const char *property, sd_bus_message *reply, void *userdata,
                                           sd_bus_error *error) {
        const VsmSystem *system = userdata;

        if (is_crashed(system))
                return sd_bus_message_append(reply, "aq", 1, 6);
        if (vsm_migration_state_is_active(system->migration_state))
                return sd_bus_message_append(reply, "aq", 2, 2, 32774);

        return sd_bus_message_append(reply, "aq", 1, 2);
}

static int property_get_migration_job(sd_bus *bus, const char *path, const char *interface,
                                      const char *property, sd_bus_message *reply, void *userdata,
                                      sd_bus_error *error) {
        const VsmSystem *system = userdata;
        char job[sizeof(VSM_OBJECT_PATH_JOB) + 24] = "/";

        if (system->job > 0)
                g_snprintf(job, sizeof job, VSM_OBJECT_PATH_JOB "/%" PRIu64, system->job);

        return sd_bus_message_append(reply, "o", job);
}

static int property_get_policy(sd_bus *bus, const char *path, const char *interface, const char *property,
                               sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const VsmSystem *system = userdata;

        return vsm_bus_append_variant(reply, system->info->policy);
}

#define CONST  SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGE SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", property_get_name, 0, CONST),
        SD_BUS_PROPERTY("ElementName", "s", property_get_element_name, 0, CHANGE),
        SD_BUS_PROPERTY("Description", "s", property_get_description, 0, CHANGE),
        SD_BUS_PROPERTY("EnabledState", "q", property_get_enabled_state, 0, CHANGE),
        SD_BUS_PROPERTY("OperationalStatus", "aq", property_get_operational_status, 0, CHANGE),
        SD_BUS_PROPERTY("OperatingStatus", "q", property_get_operating_status, 0, CHANGE),
        SD_BUS_PROPERTY("HealthState", "q", property_get_health_state, 0, CHANGE),
        /* writes never get here: see system-write.c */
        SD_BUS_WRITABLE_PROPERTY("MigrationState", "u", property_get_migration_state,
                                 vsm_system_write_unreachable, 0, CHANGE | SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("MigrationFailureReason", "u", property_get_reason, 0, CHANGE),
        SD_BUS_PROPERTY("MigrationProgress", "u", property_get_progress, 0, CHANGE),
        SD_BUS_PROPERTY("MigrationJob", "o", property_get_migration_job, 0, CHANGE),
        SD_BUS_PROPERTY("Persistent", "b", property_get_persistent, 0, CHANGE),
        SD_BUS_PROPERTY("Autostart", "b", property_get_autostart, 0, CHANGE),
        SD_BUS_PROPERTY("MemorySize", "t", property_get_memory, 0, CHANGE),
        SD_BUS_PROPERTY("NumberOfProcessors", "u", property_get_cpus, 0, CHANGE),
        SD_BUS_PROPERTY("MigrationPolicy", "a{sv}", property_get_policy, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_VTABLE_END
};

/* ---- the tree ---- */

static int find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                sd_bus_error *error) {
        VsmSystem *system = vsm_system_find_path(userdata, path);

        if (!system)
                return 0;

        *ret = system;
        return 1;
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error) {
        VsmManager *manager = userdata;
        GHashTableIter iter;
        VsmSystem *system;
        char **paths;
        size_t n = 0;

        paths = g_new0(char*, g_hash_table_size(manager->systems) + 1);
        g_hash_table_iter_init(&iter, manager->systems);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &system))
                paths[n++] = g_strdup(system->path);

        *ret = paths;
        return 0;
}

int vsm_system_register(VsmManager *manager) {
        sd_bus *bus = vsm_bus_get(manager->bus);
        int r;

        /* before the vtable, so that writes are taken before it sees them */
        r = sd_bus_add_fallback(bus, NULL, VSM_OBJECT_PATH_SYSTEM, vsm_system_write, manager);
        if (r < 0)
                return r;

        r = sd_bus_add_fallback_vtable(bus, NULL, VSM_OBJECT_PATH_SYSTEM, VSM_INTERFACE_SYSTEM, vtable, find,
                                       manager);
        if (r < 0)
                return r;

        return sd_bus_add_node_enumerator(bus, NULL, VSM_OBJECT_PATH_SYSTEM, enumerate, manager);
}

/* ---- look-up ---- */

VsmSystem* vsm_system_find(VsmManager *manager, const char *uuid) {
        return g_hash_table_lookup(manager->systems, uuid);
}

VsmSystem* vsm_system_find_path(VsmManager *manager, const char *path) {
        const char *tail = vsm_bus_path_tail(path, VSM_OBJECT_PATH_SYSTEM);
        char uuid[VSM_UUID_SIZE];

        if (!tail || strlen(tail) != sizeof uuid - 1 || strchr(tail, '-'))
                return NULL;

        memcpy(uuid, tail, sizeof uuid);
        return vsm_system_find(manager, g_strdelimit(uuid, "_", '-'));
}

VsmSystem* vsm_system_find_name(VsmManager *manager, const char *name) {
        GHashTableIter iter;
        VsmSystem *system;

        g_hash_table_iter_init(&iter, manager->systems);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &system))
                if (g_str_equal(system->info->name, name))
                        return system;

        return NULL;
}

const char* vsm_system_uuid(const VsmSystem *system) {
        return system->uuid;
}

const char* vsm_system_name(const VsmSystem *system) {
        return system->info->name;
}

const char* vsm_system_path(const VsmSystem *system) {
        return system->path;
}

bool vsm_system_is_active(const VsmSystem *system) {
        return enabled_state(system) == VSM_ENABLED_STATE_ENABLED ||
                system->info->state == VSM_DOMAIN_PAUSED || system->info->state == VSM_DOMAIN_ASLEEP;
}

bool vsm_system_is_asleep(const VsmSystem *system) {
        return system->info->state == VSM_DOMAIN_ASLEEP;
}

bool vsm_system_is_paused(const VsmSystem *system) {
        return system->info->state == VSM_DOMAIN_PAUSED;
}

bool vsm_system_autostart(const VsmSystem *system) {
        return system->info->autostart;
}

bool vsm_system_is_incoming(const VsmSystem *system) {
        return system->incoming;
}

bool vsm_system_is_handed_over(const VsmSystem *system) {
        return system->info->state == VSM_DOMAIN_HANDED_OVER && !system->incoming;
}

GVariant* vsm_system_policy(const VsmSystem *system) {
        return system->info->policy;
}

uint64_t vsm_system_memory(const VsmSystem *system) {
        return system->info->memory;
}

uint64_t vsm_system_active_job(const VsmSystem *system) {
        return system->active_job;
}

VsmMigrationState vsm_system_migration_state(const VsmSystem *system) {
        return system->migration_state;
}

/* ---- migration ---- */

static void store_state(VsmSystem *system, VsmMigrationState state, uint32_t reason) {
        bool was = vsm_migration_state_is_active(system->migration_state);

        if (system->migration_state == state && system->reason == reason)
                return;

        if (system->migration_state != state)
                changed(system, "MigrationState");
        if (system->reason != reason)
                changed(system, "MigrationFailureReason");
        if (vsm_migration_state_is_active(state) != was) {
                changed(system, "OperatingStatus");
                changed(system, "OperationalStatus");
        }

        system->migration_state = state;
        system->reason = reason;
        vsm_bus_flush(system->manager->bus, system->path);
}

void vsm_system_set_migration(VsmSystem *system, VsmMigrationState state, uint32_t reason) {
        /* nobody who watches may miss a step, also when libvirt reported nothing between */
        if (system->migration_state == VSM_MIGRATION_STATE_SETUP && state == VSM_MIGRATION_STATE_MOVE)
                store_state(system, VSM_MIGRATION_STATE_DATA_TRANSFER, 0);

        store_state(system, state, reason);
}

void vsm_system_set_progress(VsmSystem *system, unsigned percent) {
        if (system->progress == percent)
                return;

        system->progress = percent;
        changed(system, "MigrationProgress");
}

void vsm_system_set_job(VsmSystem *system, uint64_t job) {
        system->job = job;
        if (system->active_job > 0)
                system->active_job = job;
        changed(system, "MigrationJob");
}

void vsm_system_claim(VsmSystem *system) {
        system->active_job = JOB_NUMBER_PENDING;
}

static void take_info(VsmSystem *system, VsmDomainInfo *info);

static void system_remove(VsmSystem *system) {
        VsmManager *manager = system->manager;
        char uuid[VSM_UUID_SIZE];

        g_strlcpy(uuid, system->uuid, sizeof uuid);
        vsm_bus_removed(manager->bus, system->path);
        (void) g_hash_table_remove(manager->systems, system->uuid);
        vsm_job_system_changed(manager, uuid);
}

void vsm_system_take_held(VsmSystem *system) {
        if (system->held && !system->gone)
                take_info(system, g_steal_pointer(&system->held));
}

void vsm_system_drop_held(VsmSystem *system) {
        g_clear_pointer(&system->held, vsm_domain_info_free);
}

void vsm_system_release(VsmSystem *system) {
        system->active_job = 0;

        if (system->gone)
                system_remove(system);
}

/* ---- following the domain ---- */

static void take_info(VsmSystem *system, VsmDomainInfo *info) {
        g_autoptr(VsmDomainInfo) old = g_steal_pointer(&system->info);
        uint16_t old_enabled, old_operating;
        bool old_crashed;

        /* the derived ones are compared as they were */
        system->info = old;
        old_enabled = enabled_state(system);
        old_operating = operating_status(system);
        old_crashed = is_crashed(system);

        system->info = info;
        if (info->state == VSM_DOMAIN_INCOMING)
                system->incoming = true;
        else if (info->state != VSM_DOMAIN_HANDED_OVER)
                system->incoming = false;
        if (info->state == VSM_DOMAIN_RUNNING)
                system->crashed = false;

        if (!g_str_equal(old->name, info->name))
                changed(system, "ElementName");
        if (!g_str_equal(old->description, info->description))
                changed(system, "Description");
        if (old_enabled != enabled_state(system))
                changed(system, "EnabledState");
        if (old_operating != operating_status(system))
                changed(system, "OperatingStatus");
        if (old_crashed != is_crashed(system)) {
                changed(system, "OperationalStatus");
                changed(system, "HealthState");
        }
        if (old->persistent != info->persistent)
                changed(system, "Persistent");
        if (old->autostart != info->autostart)
                changed(system, "Autostart");
        if (old->memory != info->memory)
                changed(system, "MemorySize");
        if (old->cpus != info->cpus)
                changed(system, "NumberOfProcessors");
        if (!g_variant_equal(old->policy, info->policy))
                changed(system, "MigrationPolicy");
}

static VsmSystem* system_new(VsmManager *manager, VsmDomainInfo *info) {
        VsmSystem *system = g_new0(VsmSystem, 1);
        g_autofree char *label = g_strdup(info->uuid);
        VsmStoredSystem *stored = g_hash_table_lookup(manager->stored_states, info->uuid);

        system->manager = manager;
        g_strlcpy(system->uuid, info->uuid, sizeof system->uuid);
        system->info = info;
        system->path = g_strconcat(VSM_OBJECT_PATH_SYSTEM "/", g_strdelimit(label, "-", '_'), NULL);
        system->incoming = info->state == VSM_DOMAIN_INCOMING;

        if (stored) {
                system->migration_state = stored->migration_state;
                system->reason = stored->reason;
                (void) g_hash_table_remove(manager->stored_states, info->uuid);
        }

        g_hash_table_insert(manager->systems, system->uuid, system);
        return system;
}

void vsm_system_free(VsmSystem *system) {
        if (!system)
                return;

        vsm_domain_info_free(system->info);
        vsm_domain_info_free(system->held);
        g_free(system->path);
        g_free(system);
}

static void domain_gone(VsmSystem *system) {
        if (system->active_job > 0)
                system->gone = true;
        else
                system_remove(system);
}

void vsm_system_apply(VsmManager *manager, const char *uuid, VsmDomainInfo *info, bool incoming, bool crashed) {
        VsmSystem *system = vsm_system_find(manager, uuid);

        if (!info) {
                if (system)
                        domain_gone(system);
                return;
        }

        /* an event said that it arrives; libvirt's state alone does not always tell */
        if (incoming && (info->state == VSM_DOMAIN_HANDED_OVER || info->state == VSM_DOMAIN_STARTING))
                info->state = VSM_DOMAIN_INCOMING;

        if (!system) {
                system = system_new(manager, info);
                system->crashed = crashed;
                vsm_bus_added(manager->bus, system->path);
                vsm_job_system_changed(manager, uuid);
                return;
        }

        system->gone = false;
        if (crashed)
                system->crashed = true;

        /* From the hand-over on until the job has ended, what happens to the domain here is the
         * migration's doing; it is said when the job has said what became of it. */
        if (system->migration_state == VSM_MIGRATION_STATE_MOVE) {
                vsm_domain_info_free(system->held);
                system->held = info;
                return;
        }

        take_info(system, info);
}
