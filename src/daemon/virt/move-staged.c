/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A definition is placed at another host, to be looked at, changed, and moved into later (MigrationType
 * Staged). The guest itself is not touched. */

#include "daemon/virt/mark.h"
#include "daemon/virt/move-place.h"
#include "shared/error.h"

/* The definition comes last: with it, all is there. */
static VsmMoveOutcome settle_staged(VsmMove *move, VsmSettle *settle, const GError *cause, GError **error) {
        bool mark = false;

        if (!vsm_place_has(move, VSM_EFFECT_DEFINITION) || vsm_place_ask(move, settle, &mark) == VSM_SIDE_UNKNOWN ||
            !mark)
                return vsm_place_stayed(move, settle, cause, error);

        return vsm_move_finish_effects(move, settle, VSM_MOVE_MOVED, error) ? VSM_MOVE_MOVED :
                                                                             VSM_MOVE_MOVED_UNVERIFIED;
}

VsmMoveOutcome vsm_move_run_staged(VsmMove *move, const VsmMoveHooks *hooks, GError **error) {
        g_auto(VsmMoveFacts) facts = {};
        g_auto(VsmSettle) settle = { .virt = move->virt, .options = &move->options, .facts = &facts };
        g_autoptr(virDomain) domain = NULL;
        g_autoptr(GError) cause = NULL;
        bool ok;

        domain = vsm_place_prepare(move, &settle, &facts, hooks, error);
        if (!domain)
                return settle.busy ? VSM_MOVE_BUSY : VSM_MOVE_STAYED;

        if (hooks && hooks->started)
                hooks->started(hooks->userdata);

        ok = vsm_place_make(move, &settle, &cause);

        if (hooks && hooks->returned)
                hooks->returned(hooks->userdata);

        if (!ok)
                return settle_staged(move, &settle, cause, error);

        return vsm_move_finish_effects(move, &settle, VSM_MOVE_MOVED, error) ? VSM_MOVE_MOVED :
                                                                              VSM_MOVE_MOVED_UNVERIFIED;
}

VsmMoveOutcome vsm_move_resume_staged(VsmMove *move, const VsmMoveFacts *facts, GError **error) {
        g_auto(VsmSettle) settle = { .virt = move->virt, .options = &move->options, .facts = facts };
        g_autoptr(GError) cause = g_error_new(VSM_ERROR, VSM_ERROR_FAILED,
                                              "the service was restarted while its definition was placed");

        return settle_staged(move, &settle, cause, error);
}
