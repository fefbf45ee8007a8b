/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Numbers on the wire. They are CIM's (cim-migration-api), not ours: never renumber. Any thread.
 * Each family that people see has a function that gives its name, "unknown" for what is not in
 * the table; the names are English keywords, the client translates them. */

/* cluster's MigrationState */
typedef enum {
        VSM_MIGRATION_STATE_NONE                = 0,
        VSM_MIGRATION_STATE_SETUP               = 1,
        VSM_MIGRATION_STATE_DATA_TRANSFER       = 2,
        VSM_MIGRATION_STATE_MOVE                = 3,
        VSM_MIGRATION_STATE_CANCELED            = 4,
        VSM_MIGRATION_STATE_FAILURE             = 5,
} VsmMigrationState;

/* HRESULTs of MigrationFailureReason */
#define VSM_REASON_NONE                         UINT32_C(0)
#define VSM_REASON_BUSY                         UINT32_C(0x800700AA)
#define VSM_REASON_FAIL                         UINT32_C(0x80004005)

/* Msvm_MigrationJob.JobState */
typedef enum {
        VSM_JOB_STATE_NEW                       = 2,
        VSM_JOB_STATE_STARTING                  = 3,
        VSM_JOB_STATE_RUNNING                   = 4,
        VSM_JOB_STATE_SUSPENDED                 = 5,
        VSM_JOB_STATE_SHUTTING_DOWN             = 6,
        VSM_JOB_STATE_COMPLETED                 = 7,
        VSM_JOB_STATE_TERMINATED                = 8,
        VSM_JOB_STATE_KILLED                    = 9,
        VSM_JOB_STATE_EXCEPTION                 = 10,
        VSM_JOB_STATE_COMPLETED_WITH_WARNINGS   = 32768,
} VsmJobState;

/* Msvm_MigrationJob.JobType; from 32768 on ours */
typedef enum {
        VSM_JOB_TYPE_UNKNOWN                    = 0,
        VSM_JOB_TYPE_STAGED                     = 300,
        VSM_JOB_TYPE_CHECK_SYSTEM               = 301,
        VSM_JOB_TYPE_CHECK_SYSTEM_AND_STORAGE   = 302,
        VSM_JOB_TYPE_CHECK_STORAGE              = 303,
        VSM_JOB_TYPE_CHECK_STORAGE_MIGRATION    = 304,
        VSM_JOB_TYPE_MOVE_SYSTEM                = 305,
        VSM_JOB_TYPE_MOVE_SYSTEM_AND_STORAGE    = 306,
        VSM_JOB_TYPE_MOVE_STORAGE               = 307,
        VSM_JOB_TYPE_EVACUATION                 = 32768,
        VSM_JOB_TYPE_BRING_BACK                 = 32769,
        VSM_JOB_TYPE_QUIESCE                    = 32770,
} VsmJobType;

typedef enum {
        VSM_MIGRATION_TYPE_OTHER                = 1,
        VSM_MIGRATION_TYPE_LIVE                 = 2,
        VSM_MIGRATION_TYPE_RESUME               = 3,
        VSM_MIGRATION_TYPE_RESTART              = 4,
        VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM       = 32768,
        VSM_MIGRATION_TYPE_STORAGE              = 32769,
        VSM_MIGRATION_TYPE_STAGED               = 32770,
        VSM_MIGRATION_TYPE_SYSTEM_AND_STORAGE   = 32771,
        VSM_MIGRATION_TYPE_STORAGE_DEEP_CHECK   = 32772,
} VsmMigrationType;

typedef enum {
        VSM_TRANSPORT_OTHER                     = 1,
        VSM_TRANSPORT_SSH                       = 2,
        VSM_TRANSPORT_TLS                       = 3,
        VSM_TRANSPORT_TLS_STRICT                = 4,
        VSM_TRANSPORT_TCP                       = 5,
        VSM_TRANSPORT_IPC                       = 6,
        VSM_TRANSPORT_SMB                       = 32768,
} VsmTransport;

/* ServiceSettingData.AuthenticationType */
typedef enum {
        VSM_AUTHENTICATION_CREDSSP              = 0,
        VSM_AUTHENTICATION_KERBEROS             = 1,
        VSM_AUTHENTICATION_X509                 = 32768,
        VSM_AUTHENTICATION_SSH                  = 32769,
        VSM_AUTHENTICATION_NONE                 = 32770,
} VsmAuthentication;

/* EnabledState of a system (Msvm_ComputerSystem) and of the service (CIM) */
typedef enum {
        VSM_ENABLED_STATE_ENABLED               = 2,
        VSM_ENABLED_STATE_DISABLED              = 3,
        VSM_ENABLED_STATE_QUIESCE               = 9,
        VSM_ENABLED_STATE_PAUSED                = 32768,
        VSM_ENABLED_STATE_SUSPENDED             = 32769,
        VSM_ENABLED_STATE_STARTING              = 32770,
        VSM_ENABLED_STATE_STOPPING              = 32774,
} VsmEnabledState;

/* CIM_ManagedSystemElement.OperatingStatus */
typedef enum {
        VSM_OPERATING_STATUS_UNKNOWN            = 0,
        VSM_OPERATING_STATUS_SERVICING          = 2,
        VSM_OPERATING_STATUS_MIGRATING          = 9,
        VSM_OPERATING_STATUS_EMIGRATING         = 10,
        VSM_OPERATING_STATUS_IMMIGRATING        = 11,
        VSM_OPERATING_STATUS_IN_SERVICE         = 16,
} VsmOperatingStatus;

/* CIM_Error.PerceivedSeverity */
typedef enum {
        VSM_SEVERITY_INFORMATION                = 2,
        VSM_SEVERITY_WARNING                    = 3,
        VSM_SEVERITY_ERROR                      = 6,
} VsmSeverity;

/* ReturnValue of methods */
#define VSM_RETURN_COMPLETED                    UINT32_C(0)
#define VSM_RETURN_JOB_STARTED                  UINT32_C(4096)
#define VSM_RETURN_NOT_COMPATIBLE               UINT32_C(32784)

const char* vsm_migration_state_to_string(uint32_t state);
const char* vsm_job_state_to_string(uint16_t state);
const char* vsm_job_type_to_string(uint16_t type);

/* It has children: an evacuation, a bring-back. */
bool vsm_job_type_is_parent(uint16_t type);
const char* vsm_migration_type_to_string(uint16_t type);
const char* vsm_transport_to_string(uint16_t transport);
const char* vsm_enabled_state_to_string(uint16_t state);
const char* vsm_severity_to_string(uint16_t severity);

/* The other way, for command lines: false when the word is not known. */
bool vsm_migration_type_from_string(const char *s, uint16_t *ret);
bool vsm_transport_from_string(const char *s, uint16_t *ret);

/* 7, 8, 9, 10 and 32768: the job will not change any more. */
bool vsm_job_state_is_final(uint16_t state);
bool vsm_job_state_is_success(uint16_t state);

/* 1, 2 and 3 */
bool vsm_migration_state_is_active(uint32_t state);

/* How well a transport protects what it carries, in the contract's order 5 < 2 = 3 < 4; 0 for others. */
unsigned vsm_transport_strength(uint16_t transport);
