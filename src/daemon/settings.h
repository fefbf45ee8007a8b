/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager.h"
#include "shared/shutdown-policy.h"

/* The service's settings on the bus, and what they are made of: the configuration files, and over them
 * what ModifyServiceSettings has set. manager->settings is the outcome. Bus thread only.
 *
 *      settings.c              the object, and the two layers
 *      settings-modify.c       ModifyServiceSettings
 *      settings-keys.c, -file.c  what is a setting at all; pure */

/* At start: reads the files; then what the store keeps. */
VsmSettings* vsm_settings_new(VsmManager *manager, const char *configuration, const char *drop_ins);
bool vsm_settings_load(VsmManager *manager, GError **error);
void vsm_settings_free(VsmSettings *settings);

int vsm_settings_register(VsmManager *manager);

/* Below which disks may be put, besides in pools. Borrowed until the loop goes on. */
char** vsm_settings_directories(VsmManager *manager);

/* What becomes of the guests when the host goes down. Borrowed until the loop goes on. */
const VsmShutdownPolicy* vsm_settings_shutdown_policy(VsmManager *manager);

/* SIGHUP: the files again. */
void vsm_settings_reload(VsmManager *manager);

/* A wish of vsm_settings_parse() is to be written down: returns what of it is to be. That is what differs
 * from what holds, so that who sends a whole instance back does not pin what he did not change: the files
 * go on to decide about that. end: it is written down, and holds from here on; NULL: it could not be. */
GVariant* vsm_settings_begin(VsmManager *manager, GVariant *wish);
void vsm_settings_end(VsmManager *manager, GVariant *wish);

int vsm_method_modify_service_settings(sd_bus_message *call, void *userdata, sd_bus_error *error);
