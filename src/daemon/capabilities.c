/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What this service can do, for those who ask before they try
 * (Msvm_VirtualSystemMigrationCapabilities). Nothing here changes while it runs. Bus thread only. */

#include "daemon/service.h"
#include "shared/enums.h"
#include "shared/names.h"

#define GETTER(name, signature, ...)                                                                    \
        static int property_get_##name(sd_bus *bus, const char *path, const char *interface,            \
                                       const char *property, sd_bus_message *reply, void *userdata,     \
                                       sd_bus_error *error) {                                           \
                return sd_bus_message_append(reply, signature, __VA_ARGS__);                            \
        }

GETTER(instance_id, "s", "org.example:MigrationCapabilities")
GETTER(caption, "s", "Migration Capabilities")
GETTER(description, "s", "Virtual System Migration Capabilities")

/* CIM: 2 and 3 MigrateVirtualSystemTo{Host,System}, 4 and 5 CheckVirtualSystemIsMigratableTo{Host,System},
 * 32768 CheckVirtualSystemIsMigratable */
GETTER(synchronous, "aq", 2, 4, 5)
GETTER(asynchronous, "aq", 3, 2, 3, 32768)

/* domain name, IPv4, IPv6 */
GETTER(host_formats, "aq", 3, 2, 3, 4)

/* those that this version carries out; the last of the types for checks only */
GETTER(migration_types, "aq", 9,
       VSM_MIGRATION_TYPE_OTHER, VSM_MIGRATION_TYPE_LIVE, VSM_MIGRATION_TYPE_RESUME, VSM_MIGRATION_TYPE_RESTART,
       VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM, VSM_MIGRATION_TYPE_STORAGE, VSM_MIGRATION_TYPE_STAGED,
       VSM_MIGRATION_TYPE_SYSTEM_AND_STORAGE, VSM_MIGRATION_TYPE_STORAGE_DEEP_CHECK)
GETTER(transport_types, "aq", 4, VSM_TRANSPORT_SSH, VSM_TRANSPORT_TLS, VSM_TRANSPORT_TLS_STRICT, VSM_TRANSPORT_TCP)

#define CONST SD_BUS_VTABLE_PROPERTY_CONST

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("InstanceID", "s", property_get_instance_id, 0, CONST),
        SD_BUS_PROPERTY("Caption", "s", property_get_caption, 0, CONST),
        SD_BUS_PROPERTY("Description", "s", property_get_description, 0, CONST),
        SD_BUS_PROPERTY("ElementName", "s", property_get_caption, 0, CONST),
        SD_BUS_PROPERTY("SynchronousMethodsSupported", "aq", property_get_synchronous, 0, CONST),
        SD_BUS_PROPERTY("AsynchronousMethodsSupported", "aq", property_get_asynchronous, 0, CONST),
        SD_BUS_PROPERTY("DestinationHostFormatsSupported", "aq", property_get_host_formats, 0, CONST),
        SD_BUS_PROPERTY("MigrationTypesSupported", "aq", property_get_migration_types, 0, CONST),
        SD_BUS_PROPERTY("TransportTypesSupported", "aq", property_get_transport_types, 0, CONST),
        SD_BUS_VTABLE_END
};

int vsm_capabilities_register(VsmManager *manager) {
        return sd_bus_add_object_vtable(vsm_bus_get(manager->bus), NULL, VSM_OBJECT_PATH,
                                        VSM_INTERFACE_CAPABILITIES, vtable, manager);
}
