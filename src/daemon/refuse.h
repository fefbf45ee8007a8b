/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager.h"

/* The file that libvirt's hook for incoming guests looks at: while it is there, none comes in, whoever
 * sends it, and its one sentence is what the sender is told. It outlives the daemon: what it says holds
 * also while nobody runs. Bus thread, but for vsm_refuse_write(). */

/* What to tell those who want in, in this case; NULL: let them in. To be freed. */
char* vsm_refuse_sentence(VsmManager *manager, bool enable_migration, bool draining);

/* Makes the file say this, or takes it away (NULL). Has reached the disk when it returns true. Workers, on
 * the store lane, so that the last one counts. */
bool vsm_refuse_write(const char *directory, const char *sentence, GError **error);

/* Makes the file true, soon: at start, and after whatever it depends on. */
void vsm_refuse_update(VsmManager *manager);
