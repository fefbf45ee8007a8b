/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager.h"

/* logind's and systemd's part: a block inhibitor while migrations run, and what is done when the system goes down.
 * Bus thread only; all calls are asynchronous.
 *
 *      logind.c                inhibitors, PrepareForShutdown
 *      shutdown-kind.c         which kind of going down a list of systemd's jobs means (pure, shared with the client)
 *      shutdown-policy.c       [Evacuation] of vsmd.conf (pure, shared with the client)
 */

/* NULL, and said so, when the bus does not let us. */
VsmLogind* vsm_logind_new(VsmManager *manager);
void vsm_logind_free(VsmLogind *logind);

/* What runs may have changed; part of vsm_manager_update_status(). */
void vsm_logind_update(VsmManager *manager);

/* True once when this host drains only because it goes down: an evacuation that begins then is the first one. */
bool vsm_logind_take_drain(VsmManager *manager);
