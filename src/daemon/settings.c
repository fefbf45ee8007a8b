/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service's settings on the bus (Msvm_VirtualSystemMigrationServiceSettingData). Read-only as
 * properties: ModifyServiceSettings changes them. Bus thread only. */

#include "daemon/service.h"
#include "shared/names.h"

#define GETTER(name, signature, expression)                                                             \
        static int property_get_##name(sd_bus *bus, const char *path, const char *interface,            \
                                       const char *property, sd_bus_message *reply, void *userdata,     \
                                       sd_bus_error *error) {                                           \
                const VsmSettingsData *settings = &((VsmManager*) userdata)->settings;                  \
                                                                                                        \
                (void) settings;                                                                        \
                return sd_bus_message_append(reply, signature, expression);                             \
        }

GETTER(instance_id, "s", "org.example:MigrationServiceSettingData")
GETTER(caption, "s", "Migration Service Setting Data")
GETTER(description, "s", "Virtual System Migration Service Setting Data")
GETTER(enable_migration, "b", (int) settings->enable_migration)
GETTER(max_migrations, "u", settings->max_migrations)
GETTER(max_storage, "u", settings->max_storage)
GETTER(authentication, "u", settings->authentication)
GETTER(default_transport, "q", settings->default_transport)
GETTER(default_post_copy, "s", settings->default_post_copy)
GETTER(compression, "b", (int) settings->compression)
GETTER(smb, "b", (int) settings->smb)
GETTER(max_bandwidth, "t", settings->max_bandwidth)
GETTER(stall_timeout, "t", settings->stall_timeout)
GETTER(history_limit, "u", settings->history_limit)

#define CONST  SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGE SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("InstanceID", "s", property_get_instance_id, 0, CONST),
        SD_BUS_PROPERTY("Caption", "s", property_get_caption, 0, CONST),
        SD_BUS_PROPERTY("Description", "s", property_get_description, 0, CONST),
        SD_BUS_PROPERTY("ElementName", "s", property_get_caption, 0, CONST),
        SD_BUS_PROPERTY("EnableVirtualSystemMigration", "b", property_get_enable_migration, 0, CHANGE),
        SD_BUS_PROPERTY("MaximumActiveVirtualSystemMigration", "u", property_get_max_migrations, 0, CHANGE),
        SD_BUS_PROPERTY("MaximumActiveStorageMigration", "u", property_get_max_storage, 0, CHANGE),
        SD_BUS_PROPERTY("AuthenticationType", "u", property_get_authentication, 0, CHANGE),
        SD_BUS_PROPERTY("DefaultTransportType", "q", property_get_default_transport, 0, CHANGE),
        SD_BUS_PROPERTY("DefaultPostCopy", "s", property_get_default_post_copy, 0, CHANGE),
        SD_BUS_PROPERTY("EnableCompression", "b", property_get_compression, 0, CHANGE),
        SD_BUS_PROPERTY("EnableSmbTransport", "b", property_get_smb, 0, CHANGE),
        SD_BUS_PROPERTY("MaximumBandwidth", "t", property_get_max_bandwidth, 0, CHANGE),
        SD_BUS_PROPERTY("StallTimeout", "t", property_get_stall_timeout, 0, CHANGE),
        SD_BUS_PROPERTY("HistoryLimit", "u", property_get_history_limit, 0, CHANGE),
        SD_BUS_VTABLE_END
};

int vsm_settings_register(VsmManager *manager) {
        return sd_bus_add_object_vtable(vsm_bus_get(manager->bus), NULL, VSM_OBJECT_PATH,
                                        VSM_INTERFACE_SETTINGS, vtable, manager);
}
