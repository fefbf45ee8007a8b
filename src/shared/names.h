/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Names on the bus. Nothing else spells them. Any thread. */

#define VSM_BUS_NAME                    "org.example.VirtualSystemMigration"
#define VSM_OBJECT_PATH                 "/org/example/VirtualSystemMigration"
#define VSM_OBJECT_PATH_SYSTEM          VSM_OBJECT_PATH "/system"
#define VSM_OBJECT_PATH_JOB             VSM_OBJECT_PATH "/job"
#define VSM_OBJECT_PATH_NETWORK         VSM_OBJECT_PATH "/network"
#define VSM_OBJECT_PATH_HOST            VSM_OBJECT_PATH "/host"
#define VSM_OBJECT_PATH_PLANNED         VSM_OBJECT_PATH "/planned"

#define VSM_INTERFACE_SERVICE           VSM_BUS_NAME
#define VSM_INTERFACE_SETTINGS          VSM_BUS_NAME ".ServiceSettingData"
#define VSM_INTERFACE_CAPABILITIES      VSM_BUS_NAME ".Capabilities"
#define VSM_INTERFACE_MANAGER           VSM_BUS_NAME ".Manager"
#define VSM_INTERFACE_SYSTEM            VSM_BUS_NAME ".System"
#define VSM_INTERFACE_JOB               VSM_BUS_NAME ".Job"
#define VSM_INTERFACE_TRANSFER          VSM_BUS_NAME ".Job.Transfer"
#define VSM_INTERFACE_EVACUATION        VSM_BUS_NAME ".Job.Evacuation"
#define VSM_INTERFACE_NETWORK           VSM_BUS_NAME ".NetworkSettingData"
#define VSM_INTERFACE_HOST              VSM_BUS_NAME ".Host"
#define VSM_INTERFACE_PLANNED           VSM_BUS_NAME ".PlannedSystem"

#define VSM_ERROR_PREFIX                VSM_BUS_NAME ".Error."

/* polkit: actions are VSM_BUS_NAME "." plus one of these */
#define VSM_ACTION_QUERY                VSM_BUS_NAME ".query"
#define VSM_ACTION_CHECK                VSM_BUS_NAME ".check"
#define VSM_ACTION_INSPECT              VSM_BUS_NAME ".inspect"
#define VSM_ACTION_MIGRATE              VSM_BUS_NAME ".migrate"
#define VSM_ACTION_CANCEL               VSM_BUS_NAME ".cancel"
#define VSM_ACTION_RESET_STATE          VSM_BUS_NAME ".reset-state"
#define VSM_ACTION_EVACUATE             VSM_BUS_NAME ".evacuate"
#define VSM_ACTION_MODIFY_SETTINGS      VSM_BUS_NAME ".modify-settings"
#define VSM_ACTION_MANAGE_SERVICE       VSM_BUS_NAME ".manage-service"

/* our own metadata in a domain's definition */
#define VSM_METADATA_POLICY_URI         "urn:org.example.VirtualSystemMigration:policy:1"
#define VSM_METADATA_POLICY_ELEMENT     "policy"
#define VSM_METADATA_PLANNED_URI        "urn:org.example.VirtualSystemMigration:planned:1"
#define VSM_METADATA_PLANNED_ELEMENT    "planned"

/* Stands in each sentence with which libvirt's hook refuses guests of other hosts (libvirt's error at their source). */
#define VSM_REFUSAL                     "takes no guests"
