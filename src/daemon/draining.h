/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager.h"

/* Manager.Draining: EnabledState 9, with guests of other hosts refused by libvirt's hook, from Evacuate until
 * BringBack, another requested state, or the next boot. Written down before it is acted on. Bus thread only. */

bool vsm_draining(VsmManager *manager);

typedef void (*VsmDrained)(VsmManager *manager, const GError *error, void *userdata);

/* keep: also after the next boot. done is called when it is written down and the hook's file is as it has to be, or with
 * what failed; nothing is changed then. Ending it gives the service the state back that it
 * had before. */
void vsm_draining_set(VsmManager *manager, bool draining, bool keep, VsmDrained done, void *userdata);

/* ---- for service-state.c ---- */

/* It has begun or ended. */
void vsm_draining_changed(VsmManager *manager);

/* At start, when the facts are there: one that does not outlive its boot ends. */
bool vsm_draining_load(VsmManager *manager, GError **error);
