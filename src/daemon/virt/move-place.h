/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/move-private.h"

/* What moves that place a definition share: Staged, Restart and Other. The definition is placed with our mark
 * first, so that nobody takes it for one that can be used; the mark goes when all is there. The long lane. */

/* ---- move-place.c ---- */

/* Blocks. Looks at both hosts and decides what goes where. Changes nothing, but for the owner's journal at its
 * end. */
virDomainPtr vsm_place_prepare(
                VsmMove *move,
                VsmSettle *settle,
                VsmMoveFacts *facts,
                const VsmMoveHooks *hooks,
                GError **error);

/* Blocks. What the guest needs there, and then its definition; each written down. */
bool vsm_place_make(VsmMove *move, VsmSettle *settle, GError **error);

/* Blocks. Are the disks there that are not copied? */
bool vsm_place_check_disks(VsmMove *move, VsmSettle *settle, virDomainPtr domain, GError **error);

/* Blocks. The mark goes: from here on it counts there. */
bool vsm_place_take_into_use(VsmMove *move, VsmSettle *settle, GError **error);

/* ---- move-offline.c ---- */

/* Was such an act written down? */
bool vsm_place_has(const VsmMove *move, VsmEffectKind kind);

/* Blocks. What the other host has; asks for a minute, also while it is on its way to something else. *ret_mark
 * (may be NULL) is for one that is off: it bears our mark. VSM_SIDE_UNKNOWN: it does not tell. */
VsmSide vsm_place_ask(VsmMove *move, VsmSettle *settle, bool *ret_mark);

/* The two ends, and neither: what was done is taken back once the other host can be asked. */
VsmMoveOutcome vsm_place_moved(VsmMove *move, VsmSettle *settle, GError **error);
VsmMoveOutcome vsm_place_stayed(VsmMove *move, VsmSettle *settle, const GError *cause, GError **error);
VsmMoveOutcome vsm_place_unknown(VsmMove *move, VsmSettle *settle, const GError *cause, GError **error);

/* ---- move-snapshots.c ---- */

/* Blocks. False when it has snapshots that would not be right there. */
bool vsm_snapshots_check(virDomainPtr domain, const VsmDiskPlan *plan, bool renamed, GError **error);

/* Blocks. Tells the other host of all of them. */
bool vsm_snapshots_copy(VsmMove *move, VsmSettle *settle, GError **error);
