/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/side.h"

/* Asking a guest to shut down, and waiting until it has; also for moves that shut one down first. Workers. */

/* Blocks, some seconds at most: by its agent, and by ACPI where that does not answer. Never destroys it. */
bool vsm_shutdown_ask(virDomainPtr domain, GError **error);

bool vsm_side_is_off(VsmSide side);

typedef bool (*VsmSideFunc)(void *userdata, VsmSide *ret, GError **error);

/* Blocks until look says that it is off, until a point of g_get_monotonic_time() at most: VSM_ERROR_TIMEOUT then, or
 * what look failed with last. VSM_ERROR_CANCELLED when cancel (may be NULL) fires. */
bool vsm_side_wait_off(VsmSideFunc look, void *userdata, int64_t until, VsmCancel *cancel, GError **error);
