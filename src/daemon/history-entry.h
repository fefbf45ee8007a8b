/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/store.h"

/* Manager.ListHistory: its Filter and its entries (contract, section 3.3). Pure; any thread. */

/* filter, a{sv}: a refusal is VSM_ERROR_INVALID_PARAMETER naming the key, and sets nothing. */
bool vsm_history_filter_parse(GVariant *dict, VsmHistoryFilter *ret, GError **error);
void vsm_history_filter_clear(VsmHistoryFilter *filter);

/* One entry, a{sv}, floating. this_host: for jobs that were not written down with their source. */
GVariant* vsm_history_entry(const VsmStoredJob *job, const char *this_host);
