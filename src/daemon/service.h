/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager.h"

/* The migration service itself, on the root object: 31 properties of
 * Msvm_VirtualSystemMigrationService, its settings and its capabilities. Bus thread only. */

VsmService* vsm_service_new(VsmManager *manager);
void vsm_service_free(VsmService *service);
int vsm_service_register(VsmManager *manager);

/* libvirt of this host came or went. */
void vsm_service_libvirt_changed(VsmManager *manager);

/* An address of this host, a subnet, or a bridge of libvirt's changed. */
void vsm_service_addresses_changed(VsmManager *manager);

/* The host's name changed, maybe. */
void vsm_service_host_name_changed(VsmManager *manager);

/* The number of running migrations of this MigrationType changed by this much. */
void vsm_service_count_migrations(VsmManager *manager, uint16_t type, int delta);
unsigned vsm_service_running(VsmManager *manager);      /* of all types */

/* What keeps one of this type from starting: its limits are those of the counters that it is in. */
typedef struct VsmServiceRoom {
        bool system, storage;
} VsmServiceRoom;

VsmServiceRoom vsm_service_room(VsmManager *manager);

/* This host's, as last heard of. Borrowed until the loop goes on. */
const char* vsm_service_host_name(VsmManager *manager);

/* false with VSM_ERROR_SYSTEM_NOT_AVAILABLE or VSM_ERROR_INVALID_STATE when no new migration is taken. */
bool vsm_service_accepts(VsmManager *manager, uint16_t type, GError **error);

/* May one of this type that was taken before start now? Else it waits. Those of an evacuation may while the host
 * drains. */
bool vsm_service_may_start(VsmManager *manager, uint16_t type, bool evacuates);

/* ---- method handlers, each in a file of its own ---- */
int vsm_method_migrate_to_host(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_method_check_to_host(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_method_check_compatibility_info(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_method_get_compatibility_info(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_method_get_compatibility_vectors(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_method_add_network_settings(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_method_modify_network_settings(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_method_remove_network_settings(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_method_add_host(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_method_set_policy(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_method_remove_host(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_method_predict(sd_bus_message *call, void *userdata, sd_bus_error *error);

/* ---- the other interfaces of the root ---- */
int vsm_capabilities_register(VsmManager *manager);     /* capabilities.c */
int vsm_lookup_register(VsmManager *manager);           /* lookup.c: Manager */
void vsm_lookup_libvirt_changed(VsmManager *manager);
void vsm_lookup_queue_changed(VsmManager *manager);
