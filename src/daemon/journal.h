/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/effect.h"
#include "daemon/store.h"

/* What a job does, written into the store: the VsmJournal of virt. new and free: any thread; it is used
 * by one worker at a time, and store outlives it. */

VsmJournal* vsm_journal_new(VsmStore *store, uint64_t job);
void vsm_journal_free(VsmJournal *journal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmJournal, vsm_journal_free)
