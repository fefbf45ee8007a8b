/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* KEY=VALUE of a command line, as the typed dictionary that the contract wants. Pure. */

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

/* A key that may be set: its D-Bus type ("b", "q", "u", "t", "s", "as", or "aa{sv}" for pairs of paths), and
 * what words its numbers have. */
typedef struct VsmSettingKey {
        const char *name;
        const char *type;
        enum {
                VSM_SETTING_PLAIN,
                VSM_SETTING_MIGRATION_TYPE,
                VSM_SETTING_TRANSPORT,
                VSM_SETTING_TIME,
                VSM_SETTING_VOLUMES,
                VSM_SETTING_AUTHENTICATION,
                VSM_SETTING_RATE,
                VSM_SETTING_SIZE,
        } kind;
} VsmSettingKey;

/* MigrationSettingData (dbus-api, section 5). A key without name ends it. */
extern const VsmSettingKey vsm_migration_setting_keys[];

/* ServiceSettingData (3.1), Policy and the keys of AddHost (3.3, 5) */
extern const VsmSettingKey vsm_service_setting_keys[];
extern const VsmSettingKey vsm_policy_keys[];
extern const VsmSettingKey vsm_host_keys[];

/* The dictionary a{sv} of so many KEY=VALUE, NULL at the end; assignments may be NULL. Not floating. An
 * unknown key (with the one that was probably meant), a value of the wrong type or out of range, or a key
 * given twice is a VSM_CLIENT_ERROR_USAGE. */
GVariant* vsm_settings_parse(const VsmSettingKey *keys, const char *const *assignments, GError **error);

/* "5min", "1.5h", "90s", "250ms", or a whole number of microseconds as the contract has them. */
bool vsm_settings_parse_time(const char *text, uint64_t *ret);

/* The same for an option, which is named in the error; a number without a unit is hardly meant there. */
bool vsm_settings_parse_time_option(const char *option, const char *text, uint64_t *ret, GError **error);

/* "64GiB", "1.5G", "200MB", or a whole number of bytes; and the same a second, also "200MiB/s", "10Gbit/s". */
bool vsm_settings_parse_size(const char *text, uint64_t *ret);
bool vsm_settings_parse_rate(const char *text, uint64_t *ret);

/* The key with this name, NULL when there is none. */
const VsmSettingKey* vsm_settings_find(const VsmSettingKey *keys, const char *name);

/* A value that came from the bus, as it can be typed: what comes out goes in again. "" for Null and for a node
 * of another type. */
char* vsm_settings_format(const VsmSettingKey *key, JsonNode *value);
