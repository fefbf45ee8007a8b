/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/evacuation-record.h"

/* Who can be brought home, out of what the last evacuation left behind. May wait for the disk: workers. */

/* Those that went to another host, and those that were saved or shut down here and have no host (""), as VsmAway.
 * systems: UUIDs, NULL = all. VSM_ERROR_INVALID_PARAMETER names one that is none of them. */
GPtrArray* vsm_bring_back_record_read(VsmStore *store, char **systems, GError **error);

/* A bring-back is to fetch them (VsmAway): they stay away until they are home. Only from the store lane. */
bool vsm_bring_back_record_call(VsmStore *store, GPtrArray *coming, GError **error);

/* It is not away any more. Only from the store lane: what is read is written back. */
bool vsm_bring_back_record_forget(VsmStore *store, const char *uuid, GError **error);

/* The same in a record that was read: it does not sleep here any more. False when it did not. */
bool vsm_bring_back_record_wake(VsmEvacuationRecord *record, const char *uuid);

/* False: it is on this host, and sleeps. */
bool vsm_away_moved(const VsmAway *away);
