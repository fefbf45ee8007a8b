/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager.h"

/* What ended jobs left to be taken back, or to be made final (effect.h): tried at start, whenever libvirt
 * is there again, when the other host answers again, and now and then until nothing waits any more. Bus
 * thread only. */

VsmRollback* vsm_rollback_new(VsmManager *manager);
void vsm_rollback_free(VsmRollback *rollback);

/* All that waits is tried now: libvirt and its systems are known (again). */
void vsm_rollback_run(VsmManager *manager);

/* A job has ended, maybe with something left: that is tried now. */
void vsm_rollback_look(VsmManager *manager);

/* That host answers: name is that of its Host. */
void vsm_rollback_host_up(VsmManager *manager, const char *name);
