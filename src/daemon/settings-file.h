/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "daemon/settings-data.h"
#include "shared/shutdown-policy.h"

/* The service's settings, as callers and as vsmd.conf and its drop-ins give them. Pure, but for reading
 * the files; at start and on SIGHUP. */

/* The contract's defaults. */
void vsm_settings_defaults(VsmSettingsData *ret);

/* Reads FILE and then each *.conf of DIR in the order of their names, group [Service], keys as in
 * ServiceSettingData. A missing file is no fault. Each unknown key or bad value is reported as a
 * sentence with file and line (NULL-terminated array, never NULL), and the default used. ret_directories:
 * those of [Storage] Directories=, never NULL. ret_shutdown: [Evacuation]. */
char** vsm_settings_read(
                const char *file,
                const char *directory,
                VsmSettingsData *ret,
                char ***ret_directories,
                VsmShutdownPolicy *ret_shutdown);

/* One setting by its name on the bus, from a GVariant of any integer type that fits; the rule of
 * ranges for the file and for ModifyServiceSettings alike. VSM_ERROR_INVALID_PARAMETER or
 * VSM_ERROR_NOT_SUPPORTED. */
gboolean vsm_settings_apply(VsmSettingsData *settings, const char *key, GVariant *value, GError **error);

/* The whole argument of ModifyServiceSettings, a{sv}: each key known, once, of its type, in range and
 * supported. Returns what it wishes, for vsm_settings_apply(), without Nulls and without the four fixed
 * properties, which have to be as they are. Errors as there. */
GVariant* vsm_settings_parse(GVariant *dict, GError **error);
