/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "daemon/virt/side.h"
#include "daemon/virt/virt.h"

/* What to do about a guest of which two hosts know something, once no migration job of it runs on
 * this host any more. Pure: any thread. */

typedef struct VsmSettleView {
        VsmSide here;
        VsmSide there;
        bool call_ok;                   /* libvirt's call reported success */
        bool was_paused;                /* by somebody, before it began */
        bool interrupted;               /* this host's CPUs may have been stopped for the hand-over since it
                                         * began: only then can the copy there ever have run */
        bool stopped;                   /* certainly stopped for the hand-over: the copy there may run */
        bool held;                      /* paused here by us, until the other host can be asked */
        bool defined_there_before;      /* known to have been defined there, and off, before it began */
} VsmSettleView;

typedef enum {
        VSM_STEP_ASK_AGAIN,             /* a little later; with patience at its end, see otherwise */
        VSM_STEP_CLEAN_THERE,           /* the incoming copy goes, by itself or by us; then look again */
        VSM_STEP_HOLD_HERE,             /* pause it here, then ask on */
        VSM_STEP_RESUME_HERE,           /* then look again */
        VSM_STEP_REMOVE_HERE,           /* destroy the copy that was sent; then look again */
        VSM_STEP_SUSPEND_HERE,          /* final */
        VSM_STEP_TIDY_MOVED,            /* final: autostart there, definition here */
        VSM_STEP_TIDY_STAYED,           /* final: autostart and downtime given back here */
        VSM_STEP_LEAVE,                 /* final: touch nothing */
        _VSM_STEP_MAX,
} VsmSettleStep;

typedef struct VsmSettleVerdict {
        VsmSettleStep step;
        VsmSettleStep otherwise;        /* a final one, for when step does not lead on in time */
        VsmMoveOutcome outcome;         /* of the final step */
        const char *why;                /* static; completes "system 'x', host 'y': "
                                                             "…"; NULL = nothing to say */
} VsmSettleVerdict;

VsmSettleVerdict vsm_settle_decide(const VsmSettleView *view);
