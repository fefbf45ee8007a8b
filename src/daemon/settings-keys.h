/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/key.h"
#include "daemon/settings-data.h"

/* The one table of the service's settings (contract, section 3.1). Lands in VsmSettingsData. Pure; any
 * thread. */

extern const VsmKey *const vsm_keys_settings;

/* Is this setting the same in both? */
bool vsm_settings_same(const VsmKey *key, const VsmSettingsData *a, const VsmSettingsData *b);
