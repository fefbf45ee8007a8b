/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The service's settings as plain data (contract, section 3.1). Copied by value; any thread. */

typedef struct VsmSettingsData {
        bool enable_migration;
        uint32_t max_migrations;        /* 1..15 */
        uint32_t max_storage;           /* 1..15 */
        uint32_t authentication;        /* VSM_AUTHENTICATION_* */
        uint16_t default_transport;     /* VSM_TRANSPORT_*; also the floor */
        char default_post_copy[8];      /* "never", "auto", "now" */
        bool compression;
        bool smb;
        uint64_t max_bandwidth;         /* bytes/s, 0 = no limit */
        uint64_t stall_timeout;         /* µs */
        uint32_t history_limit;
} VsmSettingsData;

#define VSM_SETTINGS_MIGRATIONS_MAX 15  /* libvirtd has 20 workers */
#define VSM_SETTINGS_BANDWIDTH_MIN  (UINT64_C(1) << 20)

/* the fixed ones */
#define VSM_SETTINGS_INSTANCE_ID  "org.example:MigrationServiceSettingData"
#define VSM_SETTINGS_CAPTION      "Migration Service Setting Data"
#define VSM_SETTINGS_DESCRIPTION  "Virtual System Migration Service Setting Data"
#define VSM_SETTINGS_ELEMENT_NAME VSM_SETTINGS_CAPTION
