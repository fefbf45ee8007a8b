/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/reason.h"
#include "daemon/virt/settle.h"

/* What move.c and move-look.c share. The long lane. */

struct VsmMove {
        gint n_ref;
        VsmVirt *virt;
        VsmMoveOptions options;
        VsmCancel *cancel;
        VsmReasons *reasons;            /* what stood against it before libvirt's call */
        gint calling;                   /* libvirt may be running a job for us */
        gint handed_over;               /* this host's CPUs were seen to stop for it */
};

/* False when somebody does not want it any more. */
bool vsm_move_check_cancelled(VsmMove *move, GError **error);

/* Blocks. False when libvirt runs a job of it; settle->busy then. */
bool vsm_move_check_idle(VsmMove *move, virDomainPtr domain, VsmSettle *settle, GError **error);

/* Blocks. What it looks like here. */
virDomainPtr vsm_move_look_here(VsmMove *move, VsmSettle *settle, VsmMoveFacts *facts, GError **error);

/* Blocks. Name and UUID must be free there. */
bool vsm_move_check_there(VsmMove *move, VsmSettle *settle, GError **error);
