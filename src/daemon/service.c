/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The object of the service: its state, its counters and the list of addresses on which this host
 * takes migrations. Values that Hyper-V fixes are fixed here too; the rest is true. Bus thread only. */

#include <errno.h>
#include <string.h>
#include <limits.h>
#include <unistd.h>

#include "daemon/check-job.h"
#include "daemon/draining.h"
#include "daemon/move-type.h"
#include "daemon/network.h"
#include "daemon/refuse.h"
#include "daemon/service-state.h"
#include "daemon/service.h"
#include "daemon/settings.h"
#include "shared/cleanup.h"
#include "shared/enums.h"
#include "shared/error.h"
#include "shared/names.h"

#define CAPTION "Virtual System Migration Service"

struct VsmService {
        uint32_t active_migrations;
        uint32_t active_storage;
        uint32_t running;                       /* of both, each once */
        char *host_name;
        char **listener;                        /* addresses, in order */
};

static void changed(VsmManager *manager, const char *property) {
        vsm_bus_changed(manager->bus, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE, property);
}

/* ---- properties ---- */

#define GETTER(name, signature, ...)                                                                    \
        static int property_get_##name(sd_bus *bus, const char *path, const char *interface,            \
                                       const char *property, sd_bus_message *reply, void *userdata,     \
                                       sd_bus_error *error) {                                           \
                VsmManager *manager = userdata;                                                         \
                                                                                                        \
                (void) manager;                                                                         \
                return sd_bus_message_append(reply, signature, __VA_ARGS__);                            \
        }

GETTER(caption, "s", CAPTION)
GETTER(null_string, "s", "")
GETTER(null_number, "q", 0)
GETTER(install_date, "t", manager->install_date)
GETTER(operational_status, "aq", 1, manager->libvirt_up ? 2 : 13)
GETTER(status_descriptions, "as", 1, manager->libvirt_up ? "OK" : "Lost connection to libvirt")
GETTER(status, "s", manager->libvirt_up ? "OK" : "Lost Comm")
GETTER(health_state, "q", manager->libvirt_up ? 5 : 20)
GETTER(communication_status, "q", manager->libvirt_up ? 2 : 3)
GETTER(operating_status, "q", vsm_draining(manager) ? VSM_OPERATING_STATUS_SERVICING :
       VSM_OPERATING_STATUS_IN_SERVICE)
GETTER(primary_status, "q", manager->libvirt_up ? 1 : 3)
GETTER(enabled_state, "q", vsm_service_state_enabled(manager))
GETTER(requested_state, "q", vsm_service_state_requested(manager))
GETTER(enabled_default, "q", VSM_ENABLED_STATE_ENABLED)
GETTER(time_of_last_state_change, "t", vsm_service_state_changed(manager))
GETTER(transitioning_to_state, "q", vsm_service_state_transitioning(manager))
GETTER(system_creation_class_name, "s", "Msvm_ComputerSystem")
GETTER(system_name, "s", manager->service->host_name)
GETTER(creation_class_name, "s", "Msvm_VirtualSystemMigrationService")
GETTER(name, "s", "migrationwmi")
GETTER(started, "b", vsm_service_state_enabled(manager) != VSM_ENABLED_STATE_DISABLED)
GETTER(active_migrations, "u", manager->service->active_migrations)
GETTER(active_storage, "u", manager->service->active_storage)

static int property_get_available_states(sd_bus *bus, const char *path, const char *interface,
                                         const char *property, sd_bus_message *reply, void *userdata,
                                         sd_bus_error *error) {
        uint16_t others[3];
        size_t n = vsm_service_state_available(userdata, others);

        return sd_bus_message_append_array(reply, 'q', others, n * sizeof others[0]);
}

static int property_get_listener(sd_bus *bus, const char *path, const char *interface, const char *property,
                                 sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const VsmManager *manager = userdata;

        return sd_bus_message_append_strv(reply, manager->service->listener);
}

#define CONST  SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGE SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define METHOD(name, in, in_names, out, out_names, handler)                                             \
        SD_BUS_METHOD_WITH_NAMES(name, in, in_names, out, out_names, handler, SD_BUS_VTABLE_UNPRIVILEGED)

#define FIVE "osa{sv}a{sv}aa{sv}"
#define FIVE_TO_HOST                                                                                    \
        SD_BUS_PARAM(ComputerSystem) SD_BUS_PARAM(DestinationHost) SD_BUS_PARAM(MigrationSettingData)   \
        SD_BUS_PARAM(NewSystemSettingData) SD_BUS_PARAM(NewResourceSettingData)
#define FIVE_PRIME "ooa{sv}a{sv}aa{sv}"
#define FIVE_TO_SYSTEM                                                                                  \
        SD_BUS_PARAM(ComputerSystem) SD_BUS_PARAM(DestinationSystem) SD_BUS_PARAM(MigrationSettingData) \
        SD_BUS_PARAM(NewSystemSettingData) SD_BUS_PARAM(NewResourceSettingData)
#define RETURN     SD_BUS_PARAM(ReturnValue)
#define RETURN_JOB RETURN SD_BUS_PARAM(Job)

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),

        METHOD("AddNetworkSettings", "aa{sv}", SD_BUS_PARAM(NetworkSettings), "uo", RETURN_JOB,
               vsm_method_add_network_settings),
        METHOD("CheckSystemCompatibilityInfo", "ay", SD_BUS_PARAM(CompatibilityInfo), "uaa{sv}",
               RETURN SD_BUS_PARAM(Reasons), vsm_method_check_compatibility_info),
        METHOD("CheckVirtualSystemIsMigratable", FIVE, FIVE_TO_HOST, "uo", RETURN_JOB,
               vsm_method_check_migratable),
        METHOD("CheckVirtualSystemIsMigratableToHost", FIVE, FIVE_TO_HOST, "ubaa{sv}",
               RETURN SD_BUS_PARAM(IsMigratable) SD_BUS_PARAM(Reasons), vsm_method_check_to_host),
        METHOD("CheckVirtualSystemIsMigratableToSystem", FIVE_PRIME, FIVE_TO_SYSTEM, "ubaa{sv}",
               RETURN SD_BUS_PARAM(IsMigratable) SD_BUS_PARAM(Reasons), vsm_method_check_to_host),
        METHOD("GetSystemCompatibilityInfo", "o", SD_BUS_PARAM(ComputerSystem), "uay",
               RETURN SD_BUS_PARAM(CompatibilityInfo), vsm_method_get_compatibility_info),
        METHOD("GetSystemCompatibilityVectors", "o", SD_BUS_PARAM(ComputerSystem), "ua(uut)",
               RETURN SD_BUS_PARAM(CompatibilityVectors), vsm_method_get_compatibility_vectors),
        METHOD("MigrateVirtualSystemToHost", FIVE, FIVE_TO_HOST, "uo", RETURN_JOB, vsm_method_migrate_to_host),
        METHOD("MigrateVirtualSystemToSystem", FIVE_PRIME, FIVE_TO_SYSTEM, "uoo",
               RETURN SD_BUS_PARAM(NewComputerSystem) SD_BUS_PARAM(Job), vsm_method_migrate_to_host),
        METHOD("ModifyNetworkSettings", "aa{sv}", SD_BUS_PARAM(NetworkSettings), "uo", RETURN_JOB,
               vsm_method_modify_network_settings),
        METHOD("ModifyServiceSettings", "a{sv}", SD_BUS_PARAM(ServiceSettingData), "uo", RETURN_JOB,
               vsm_method_modify_service_settings),
        METHOD("RemoveNetworkSettings", "ao", SD_BUS_PARAM(NetworkSettings), "uo", RETURN_JOB,
               vsm_method_remove_network_settings),
        METHOD("RequestStateChange", "qt", SD_BUS_PARAM(RequestedState) SD_BUS_PARAM(TimeoutPeriod), "uo",
               RETURN_JOB, vsm_method_request_state_change),
        METHOD("StartService", NULL,, "u", RETURN, vsm_method_start_service),
        METHOD("StopService", NULL,, "u", RETURN, vsm_method_stop_service),

        SD_BUS_PROPERTY("InstanceID", "s", property_get_null_string, 0, CONST),
        SD_BUS_PROPERTY("Caption", "s", property_get_caption, 0, CONST),
        SD_BUS_PROPERTY("Description", "s", property_get_caption, 0, CONST),
        SD_BUS_PROPERTY("ElementName", "s", property_get_caption, 0, CONST),
        SD_BUS_PROPERTY("InstallDate", "t", property_get_install_date, 0, CHANGE),
        SD_BUS_PROPERTY("OperationalStatus", "aq", property_get_operational_status, 0, CHANGE),
        SD_BUS_PROPERTY("StatusDescriptions", "as", property_get_status_descriptions, 0, CHANGE),
        SD_BUS_PROPERTY("Status", "s", property_get_status, 0, CHANGE),
        SD_BUS_PROPERTY("HealthState", "q", property_get_health_state, 0, CHANGE),
        SD_BUS_PROPERTY("CommunicationStatus", "q", property_get_communication_status, 0, CHANGE),
        SD_BUS_PROPERTY("DetailedStatus", "q", property_get_null_number, 0, CHANGE),
        SD_BUS_PROPERTY("OperatingStatus", "q", property_get_operating_status, 0, CHANGE),
        SD_BUS_PROPERTY("PrimaryStatus", "q", property_get_primary_status, 0, CHANGE),
        SD_BUS_PROPERTY("EnabledState", "q", property_get_enabled_state, 0, CHANGE),
        SD_BUS_PROPERTY("OtherEnabledState", "s", property_get_null_string, 0, CHANGE),
        SD_BUS_PROPERTY("RequestedState", "q", property_get_requested_state, 0, CHANGE),
        SD_BUS_PROPERTY("EnabledDefault", "q", property_get_enabled_default, 0, CHANGE),
        SD_BUS_PROPERTY("TimeOfLastStateChange", "t", property_get_time_of_last_state_change, 0, CHANGE),
        SD_BUS_PROPERTY("AvailableRequestedStates", "aq", property_get_available_states, 0, CHANGE),
        SD_BUS_PROPERTY("TransitioningToState", "q", property_get_transitioning_to_state, 0, CHANGE),
        SD_BUS_PROPERTY("SystemCreationClassName", "s", property_get_system_creation_class_name, 0, CONST),
        SD_BUS_PROPERTY("SystemName", "s", property_get_system_name, 0, CHANGE),
        SD_BUS_PROPERTY("CreationClassName", "s", property_get_creation_class_name, 0, CONST),
        SD_BUS_PROPERTY("Name", "s", property_get_name, 0, CONST),
        SD_BUS_PROPERTY("PrimaryOwnerName", "s", property_get_null_string, 0, CONST),
        SD_BUS_PROPERTY("PrimaryOwnerContact", "s", property_get_null_string, 0, CONST),
        SD_BUS_PROPERTY("StartMode", "s", property_get_null_string, 0, CHANGE),
        SD_BUS_PROPERTY("Started", "b", property_get_started, 0, CHANGE),
        SD_BUS_PROPERTY("ActiveVirtualSystemMigrationCount", "u", property_get_active_migrations, 0, CHANGE),
        SD_BUS_PROPERTY("ActiveStorageMigrationCount", "u", property_get_active_storage, 0, CHANGE),
        SD_BUS_PROPERTY("MigrationServiceListenerIPAddressList", "as", property_get_listener, 0, CHANGE),
        SD_BUS_VTABLE_END
};

int vsm_service_register(VsmManager *manager) {
        sd_bus *bus = vsm_bus_get(manager->bus);
        int r;

        r = sd_bus_add_object_manager(bus, NULL, VSM_OBJECT_PATH);
        if (r < 0)
                return r;

        return sd_bus_add_object_vtable(bus, NULL, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE, vtable, manager);
}

/* ---- what the rest of the daemon says ---- */

void vsm_service_libvirt_changed(VsmManager *manager) {
        static const char *const properties[] = {
                "OperationalStatus", "StatusDescriptions", "Status", "HealthState", "CommunicationStatus",
                "PrimaryStatus",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(properties); i++)
                changed(manager, properties[i]);
}

void vsm_service_addresses_changed(VsmManager *manager) {
        VsmService *service = manager->service;
        char **list = vsm_network_listener_list(manager);

        if (service->listener &&
            g_strv_equal((const char* const*) list, (const char* const*) service->listener)) {
                g_strfreev(list);
                return;
        }

        g_strfreev(service->listener);
        service->listener = list;
        changed(manager, "MigrationServiceListenerIPAddressList");
}

void vsm_service_host_name_changed(VsmManager *manager) {
        VsmService *service = manager->service;
        char name[HOST_NAME_MAX + 1] = "";

        (void) gethostname(name, sizeof name - 1);
        if (g_strcmp0(service->host_name, name) == 0)
                return;

        g_free(service->host_name);
        service->host_name = g_utf8_make_valid(name, -1);
        changed(manager, "SystemName");

        /* it stands in what others are told */
        if (manager->worker && (!manager->settings.enable_migration || vsm_draining(manager)))
                vsm_refuse_update(manager);
}

const char* vsm_service_host_name(VsmManager *manager) {
        return manager->service->host_name;
}

void vsm_service_count_migrations(VsmManager *manager, uint16_t type, int delta) {
        const VsmMoveType *kind = vsm_move_type(type);
        VsmService *service = manager->service;

        service->running += (uint32_t) delta;
        if (kind->counts_system) {
                service->active_migrations += (uint32_t) delta;
                changed(manager, "ActiveVirtualSystemMigrationCount");
        }
        if (kind->counts_storage) {
                service->active_storage += (uint32_t) delta;
                changed(manager, "ActiveStorageMigrationCount");
        }

        vsm_manager_update_status(manager);
}

unsigned vsm_service_running(VsmManager *manager) {
        return manager->service->running;
}

VsmServiceRoom vsm_service_room(VsmManager *manager) {
        const VsmService *service = manager->service;
        bool any = service->running < VSM_SETTINGS_MIGRATIONS_MAX;

        return (VsmServiceRoom) {
                .system = any && service->active_migrations < manager->settings.max_migrations,
                .storage = any && service->active_storage < manager->settings.max_storage,
        };
}

bool vsm_service_accepts(VsmManager *manager, uint16_t type, GError **error) {
        if (!manager->libvirt_up) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_SYSTEM_NOT_AVAILABLE,
                            "libvirt on this host does not answer; see 'systemctl status libvirtd'.");
                return false;
        }

        switch (vsm_service_state_enabled(manager)) {
        case VSM_ENABLED_STATE_ENABLED:
                break;
        case VSM_ENABLED_STATE_QUIESCE:
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, vsm_draining(manager) ?
                            "This host is being emptied and takes no new migrations; BringBack or StartService "
                            "ends that." :
                            "The migration service of this host is quiesced: it takes no new migrations.");
                return false;
        default:
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "The migration service is disabled on this host.");
                return false;
        }

        if (vsm_move_type(type)->runs_on && !manager->settings.enable_migration) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "The setting EnableVirtualSystemMigration of this host is off.");
                return false;
        }

        return true;
}

bool vsm_service_may_start(VsmManager *manager, uint16_t type, bool evacuates) {
        uint16_t enabled = vsm_service_state_enabled(manager);
        bool open = enabled == VSM_ENABLED_STATE_ENABLED || (evacuates && enabled == VSM_ENABLED_STATE_QUIESCE);

        /* without libvirt every one of them would only fail: they wait until it is back */
        return manager->libvirt_up && open &&
                (manager->settings.enable_migration || !vsm_move_type(type)->runs_on);
}

VsmService* vsm_service_new(VsmManager *manager) {
        VsmService *service = g_new0(VsmService, 1);

        manager->service = service;
        vsm_service_host_name_changed(manager);
        vsm_service_addresses_changed(manager);
        return service;
}

void vsm_service_free(VsmService *service) {
        if (!service)
                return;

        g_strfreev(service->listener);
        g_free(service->host_name);
        g_free(service);
}
