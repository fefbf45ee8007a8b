/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A guest is shut down here and started there (MigrationType Restart). All that can be prepared is, while it
 * runs; it may be started there only after our mark was taken off, so what fails before is started again here
 * without asking. */

#include "daemon/virt/move-place.h"
#include "daemon/virt/patience.h"
#include "daemon/virt/undo.h"
#include "daemon/virt/way-out.h"
#include "shared/error.h"

#define SHUT_DOWN_USEC          (5 * 60 * G_USEC_PER_SEC)
#define SHUT_DOWN_LATE_USEC     (60 * G_USEC_PER_SEC) /* nobody wants it any more, but the guest was asked */

static bool look_here(VsmMove *move, VsmSettle *settle, VsmSide *ret, GError **error) {
        return vsm_settle_need_source(settle, error) &&
                vsm_side_look(settle->source, move->options.uuid, VSM_HOST_HERE, ret, NULL, error);
}

typedef struct Look {
        VsmMove *move;
        VsmSettle *settle;
} Look;

static bool look(void *userdata, VsmSide *ret, GError **error) {
        Look *look = userdata;

        return look_here(look->move, look->settle, ret, error);
}

static bool wait_off(VsmMove *move, VsmSettle *settle, int64_t until, VsmCancel *cancel, GError **error) {
        return vsm_side_wait_off(look, &(Look) { move, settle }, until, cancel, error);
}

static bool shut_down(VsmMove *move, VsmSettle *settle, virDomainPtr domain, GError **error) {
        if (!vsm_move_check_cancelled(move, error) || !vsm_move_check_idle(move, domain, settle, error) ||
            !vsm_move_write(move, VSM_EFFECT_SHUT_DOWN, false, move->options.uuid, NULL, error) ||
            !vsm_shutdown_ask(domain, error))
                return false;

        return wait_off(move, settle, g_get_monotonic_time() + SHUT_DOWN_USEC, move->cancel, error);
}

static bool start_there(VsmMove *move, VsmSettle *settle, GError **error) {
        g_autoptr(virDomain) domain = vsm_domain_find(vsm_peer_connection(settle->peer), move->options.uuid, error);
        VsmSide here;

        if (!domain || !look_here(move, settle, &here, error))
                return false;

        /* the last moment in which it may have been started here by somebody */
        if (!vsm_side_is_off(here)) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, "It was started here meanwhile: it is %s",
                            vsm_side_to_string(here));
                return false;
        }

        if (virDomainCreate(domain) < 0) {
                vsm_virt_error_as(error, VSM_ERROR_FAILED, "Host '%s' cannot start it",
                                  vsm_peer_host(settle->peer));
                return false;
        }

        return true;
}

static bool restart(
                VsmMove *move,
                VsmSettle *settle,
                virDomainPtr domain,
                const VsmMoveHooks *hooks,
                GError **error) {

        if ((settle->facts->autostart &&
             !vsm_domain_set_autostart(settle->source, move->options.uuid, false, error)) ||
            !vsm_place_make(move, settle, error) || !vsm_place_check_disks(move, settle, domain, error) ||
            !shut_down(move, settle, domain, error))
                return false;

        if (hooks && hooks->started)
                hooks->started(hooks->userdata);

        if (!vsm_move_copy_off(move, settle->source, vsm_peer_connection(settle->peer), error) ||
            !vsm_snapshots_copy(move, settle, error))
                return false;

        if (hooks && hooks->handing_over && !hooks->handing_over(hooks->userdata))
                return vsm_move_check_cancelled(move, error);

        return vsm_move_check_unchanged(move, settle->source, error) &&
                vsm_place_take_into_use(move, settle, error) && start_there(move, settle, error);
}

/* ---- how it ends ---- */

/* It was asked to shut down and may do so at any moment: then it is to be started again, not later. As long
 * as the mark was not taken off it cannot run there, so nobody has to be asked. */
static void start_again(VsmMove *move, VsmSettle *settle) {
        VsmSide here = VSM_SIDE_UNKNOWN;

        if (!vsm_place_has(move, VSM_EFFECT_SHUT_DOWN))
                return;

        (void) wait_off(move, settle, g_get_monotonic_time() + SHUT_DOWN_LATE_USEC, NULL, NULL);
        if (vsm_place_has(move, VSM_EFFECT_UNMARKED) || !look_here(move, settle, &here, NULL) ||
            (here != VSM_SIDE_OFF && here != VSM_SIDE_OFF_MIGRATED))
                return;

        {
                g_autoptr(virDomain) domain = vsm_domain_find(settle->source, move->options.uuid, NULL);

                /* when it does not work, it is tried again with all else that is taken back */
                if (domain)
                        (void) virDomainCreate(domain);
        }
}

static VsmMoveOutcome stay(VsmMove *move, VsmSettle *settle, const GError *cause, GError **error) {
        VsmMoveOutcome outcome;

        start_again(move, settle);
        outcome = vsm_place_stayed(move, settle, cause, error);
        return vsm_place_has(move, VSM_EFFECT_SHUT_DOWN) ? VSM_MOVE_LOST : outcome;
}

static VsmMoveOutcome twice(VsmMove *move, VsmSettle *settle, GError **error) {
        (void) vsm_settle_suspend_here(settle, NULL);
        g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                    "System '%s' runs on host '%s', and was started here as well", settle->name ?: move->options.uuid,
                    move->options.destination->host);
        return VSM_MOVE_TWICE;
}

/* What it wrote there is nowhere else: here it would start from older disks, so neither it nor its autostart mark
 * comes back by itself, and nothing of what is there is taken back. */
static bool has_run_there(VsmMove *move, VsmSettle *settle) {
        g_autoptr(virDomain) domain = NULL;

        return settle->peer &&
                vsm_domain_lookup(vsm_peer_connection(settle->peer), move->options.uuid, &domain, NULL) && domain &&
                vsm_side_has_run(domain);
}

static VsmMoveOutcome lost(VsmMove *move, VsmSettle *settle, const GError *cause, GError **error) {
        g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                    "System '%s' has run on host '%s' and is off again there, where its newer disks are; it is not "
                    "started again here: %s", settle->name ?: move->options.uuid, move->options.destination->host,
                    cause->message);
        return VSM_MOVE_LOST;
}

static VsmMoveOutcome settle_restart(VsmMove *move, VsmSettle *settle, const GError *cause, GError **error) {
        VsmSide here = VSM_SIDE_UNKNOWN, there;

        if (!vsm_place_has(move, VSM_EFFECT_UNMARKED))
                return stay(move, settle, cause, error);

        there = vsm_place_ask(move, settle, NULL);
        if (there == VSM_SIDE_UNKNOWN)
                return vsm_place_unknown(move, settle, cause, error);
        if (vsm_side_is_off(there) && has_run_there(move, settle))
                return lost(move, settle, cause, error);
        if (vsm_side_is_off(there))
                return stay(move, settle, cause, error);

        if (look_here(move, settle, &here, NULL) && here == VSM_SIDE_RUNNING)
                return twice(move, settle, error);

        return vsm_place_moved(move, settle, error);
}

VsmMoveOutcome vsm_move_run_restart(
                VsmMove *move,
                const VsmMoveHooks *hooks,
                VsmTransferStats *ret_stats,
                GError **error) {

        g_auto(VsmMoveFacts) facts = {};
        g_auto(VsmSettle) settle = { .virt = move->virt, .options = &move->options, .facts = &facts };
        g_autoptr(virDomain) domain = NULL;
        g_autoptr(GError) cause = NULL;
        bool ok;

        domain = vsm_place_prepare(move, &settle, &facts, hooks, error);
        if (!domain)
                return settle.busy ? VSM_MOVE_BUSY : VSM_MOVE_STAYED;

        ok = restart(move, &settle, domain, hooks, &cause);

        if (hooks && hooks->returned)
                hooks->returned(hooks->userdata);

        /* that it was started is one thing, that it runs another */
        vsm_move_get_stats(move, ret_stats);
        if (ok)
                g_set_error(&cause, VSM_ERROR, VSM_ERROR_FAILED, "it was started there, and does not run");
        return settle_restart(move, &settle, cause, error);
}

VsmMoveOutcome vsm_move_resume_restart(VsmMove *move, const VsmMoveFacts *facts, GError **error) {
        g_auto(VsmSettle) settle = { .virt = move->virt, .options = &move->options, .facts = facts };
        g_autoptr(GError) cause = g_error_new(VSM_ERROR, VSM_ERROR_FAILED,
                                              "the service was restarted while it was moved");

        return settle_restart(move, &settle, cause, error);
}
