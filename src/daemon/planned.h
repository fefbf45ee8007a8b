/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager.h"

/* A planned system: a definition that a Staged move from another host has placed here, and that cannot run
 * until a move into it takes our mark off. It is no System meanwhile. Bus thread only. */

typedef struct VsmPlannedSystem VsmPlannedSystem;

int vsm_planned_system_register(VsmManager *manager);

/* What a look at a domain with the mark gave; info NULL: there is none with it any more. Says what changed,
 * adds and removes the object. Takes info. */
void vsm_planned_system_apply(VsmManager *manager, const char *uuid, VsmDomainInfo *info);

void vsm_planned_system_free(VsmPlannedSystem *planned);
