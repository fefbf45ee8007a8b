/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager.h"

/* Follows libvirt's domains: looks at them on workers and hands the results to system.c in order.
 * Bus thread only. */

/* Something happened to the domain: look at it, once more if a look is on its way already, and once more
 * two seconds later: libvirt 9 has no event for the autostart mark, which often is set just after. */
void vsm_system_watch_one(VsmManager *manager, const char *uuid, bool incoming, bool crashed);

/* After (re)connecting: list all, add what is new, drop what has gone. done is called at the end; listed is false, and
 * nothing has changed, when libvirt did not tell. */
void vsm_system_watch_all(VsmManager *manager, void (*done)(VsmManager *manager, bool listed));
