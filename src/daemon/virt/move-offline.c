/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A guest that is off goes to another host with its definition (MigrationType Other). It counts there from the
 * moment in which our mark is taken off: what fails before is taken back, and what comes after is only tidying
 * up. The ends are those of a Restart as well. */

#include "daemon/virt/mark.h"
#include "daemon/virt/move-place.h"
#include "daemon/virt/patience.h"
#include "shared/enums.h"
#include "shared/error.h"

#define ASK_USEC        (60 * G_USEC_PER_SEC)
#define LOOK_USEC       G_USEC_PER_SEC

bool vsm_place_has(const VsmMove *move, VsmEffectKind kind) {
        for (guint i = 0; i < move->effects->len; i++)
                if (((VsmEffect *) move->effects->pdata[i])->kind == kind)
                        return true;

        return false;
}

static VsmSide look_there(VsmMove *move, VsmSettle *settle, bool *ret_mark, GError **error) {
        g_autoptr(VsmPlanned) planned = NULL;
        g_autoptr(virDomain) domain = NULL;
        VsmSide side;

        if (!vsm_settle_need_peer(settle, error) ||
            !vsm_domain_lookup(vsm_peer_connection(settle->peer), move->options.uuid, &domain, error))
                return VSM_SIDE_UNKNOWN;
        if (!domain)
                return VSM_SIDE_ABSENT;

        side = vsm_side_of(domain, VSM_HOST_THERE);
        if (!ret_mark || (side != VSM_SIDE_OFF && side != VSM_SIDE_OFF_MIGRATED))
                return side;

        if (!vsm_mark_read(domain, &planned, error))
                return VSM_SIDE_UNKNOWN;

        *ret_mark = planned;
        return side;
}

VsmSide vsm_place_ask(VsmMove *move, VsmSettle *settle, bool *ret_mark) {
        int64_t patience = g_get_monotonic_time() + ASK_USEC;

        for (;;) {
                g_autoptr(GError) error = NULL;
                VsmSide side = look_there(move, settle, ret_mark, &error);

                if (side != VSM_SIDE_UNKNOWN && side != VSM_SIDE_INCOMING && side != VSM_SIDE_STOPPING)
                        return side;

                if (error) {
                        /* whatever broke it, the next look has a new one */
                        g_clear_pointer(&settle->peer, vsm_peer_free);
                        g_free(settle->peer_error);
                        settle->peer_error = g_strdup(error->message);
                }

                if (g_get_monotonic_time() > patience)
                        return VSM_SIDE_UNKNOWN;
                (void) vsm_wait_sleep(LOOK_USEC, NULL);
        }
}

/* ---- ends ---- */

/* Worth repeating while a connection is broken, and safe to repeat. */
static bool tidy(VsmSettle *settle, GError **error) {
        int64_t patience = g_get_monotonic_time() + ASK_USEC;

        for (;;) {
                g_autoptr(GError) local = NULL;

                if (vsm_settle_finish_moved(settle, &local))
                        return true;

                if (g_get_monotonic_time() > patience ||
                    (vsm_settle_need_source(settle, NULL) && vsm_settle_need_peer(settle, NULL))) {
                        g_propagate_error(error, g_steal_pointer(&local));
                        return false;
                }

                (void) vsm_wait_sleep(LOOK_USEC, NULL);
        }
}

VsmMoveOutcome vsm_place_moved(VsmMove *move, VsmSettle *settle, GError **error) {
        VsmMoveOutcome outcome = VSM_MOVE_MOVED;
        g_autoptr(GError) left = NULL;

        settle->snapshots_there = true;
        if (!tidy(settle, error))
                outcome = VSM_MOVE_MOVED_UNVERIFIED;

        if (vsm_move_finish_effects(move, settle, outcome, &left))
                return outcome;

        if (error && *error)
                g_prefix_error(error, "%s; ", left->message);
        else
                g_propagate_error(error, g_steal_pointer(&left));
        return VSM_MOVE_MOVED_UNVERIFIED;
}

static const char* name_of(const VsmMove *move, const VsmSettle *settle) {
        return settle->name ?: move->options.uuid;
}

static void report(VsmSettle *settle, const char *text, const GError *cause, GError **error) {
        int code = cause->code;

        /* what is not available may be the other host's libvirt */
        if (code == VSM_ERROR_SYSTEM_NOT_AVAILABLE && settle->source && virConnectIsAlive(settle->source) == 1)
                code = VSM_ERROR_FAILED;

        g_set_error(error, VSM_ERROR, code, "%s: %s", text, cause->message);
        if (error && settle->peer_error && !settle->peer) {
                char *message = g_strdup_printf("%s (asked again: %s)", (*error)->message, settle->peer_error);

                g_free((*error)->message);
                (*error)->message = message;
        }
}

VsmMoveOutcome vsm_place_stayed(VsmMove *move, VsmSettle *settle, const GError *cause, GError **error) {
        g_autoptr(GError) left = NULL, mark = NULL;
        g_autofree char *text = g_strdup_printf("System '%s' stays on this host and was not moved to '%s'",
                                                name_of(move, settle), move->options.destination->host);

        (void) vsm_move_finish_effects(move, settle, VSM_MOVE_STAYED, &left);
        if (move->options.type != VSM_MIGRATION_TYPE_STAGED)
                (void) vsm_settle_restore_here(settle, &mark);

        report(settle, text, cause, error);
        if (mark)
                g_prefix_error(error, "%s; ", mark->message);
        if (left)
                g_prefix_error(error, "%s; ", left->message);
        return VSM_MOVE_STAYED;
}

/* Its autostart mark stays off: it may be there. */
VsmMoveOutcome vsm_place_unknown(VsmMove *move, VsmSettle *settle, const GError *cause, GError **error) {
        g_autofree char *text =
                g_strdup_printf("It is not known whether system '%s' has arrived on host '%s'; what was done is taken "
                                "back when that host can be asked, and says that it has not",
                                name_of(move, settle), move->options.destination->host);
        g_autoptr(GError) local = NULL;

        report(settle, text, cause, error);

        /* as in vsm_move_finish_effects(): who takes back later goes by the journal alone */
        if (move->options.changes && move->options.changes->keep_copies)
                vsm_move_forget(move, VSM_EFFECT_VOLUME);
        if (!move->journal.decide(false, move, &local))
                g_prefix_error(error, "%s; ", local->message);
        return VSM_MOVE_UNKNOWN;
}

/* ---- Other ---- */

static bool check_off(VsmMove *move, VsmSettle *settle, GError **error) {
        VsmSide side;

        if (!vsm_side_look(settle->source, move->options.uuid, VSM_HOST_HERE, &side, NULL, error))
                return false;

        if (side != VSM_SIDE_OFF && side != VSM_SIDE_OFF_MIGRATED) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "The system was started here while it was moved: it is %s", vsm_side_to_string(side));
                return false;
        }

        return true;
}

static bool move_off(
                VsmMove *move,
                VsmSettle *settle,
                virDomainPtr domain,
                const VsmMoveHooks *hooks,
                GError **error) {

        if ((settle->facts->autostart &&
             !vsm_domain_set_autostart(settle->source, move->options.uuid, false, error)) ||
            !vsm_place_make(move, settle, error) || !vsm_place_check_disks(move, settle, domain, error) ||
            !vsm_move_copy_off(move, settle->source, vsm_peer_connection(settle->peer), error) ||
            !vsm_snapshots_copy(move, settle, error))
                return false;

        if (hooks && hooks->handing_over && !hooks->handing_over(hooks->userdata))
                return vsm_move_check_cancelled(move, error);

        return check_off(move, settle, error) && vsm_move_check_unchanged(move, settle->source, error) &&
                vsm_place_take_into_use(move, settle, error);
}

/* It failed, or nobody knows: was the mark taken off? */
static VsmMoveOutcome settle_offline(VsmMove *move, VsmSettle *settle, const GError *cause, GError **error) {
        bool mark = false;
        VsmSide there;

        if (!vsm_place_has(move, VSM_EFFECT_UNMARKED))
                return vsm_place_stayed(move, settle, cause, error);

        there = vsm_place_ask(move, settle, &mark);
        if (there == VSM_SIDE_UNKNOWN)
                return vsm_place_unknown(move, settle, cause, error);

        return there == VSM_SIDE_ABSENT || mark ? vsm_place_stayed(move, settle, cause, error) :
                                                  vsm_place_moved(move, settle, error);
}

VsmMoveOutcome vsm_move_run_offline(
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

        if (hooks && hooks->started)
                hooks->started(hooks->userdata);

        ok = move_off(move, &settle, domain, hooks, &cause);

        if (hooks && hooks->returned)
                hooks->returned(hooks->userdata);

        vsm_move_get_stats(move, ret_stats);
        return ok ? vsm_place_moved(move, &settle, error) : settle_offline(move, &settle, cause, error);
}

VsmMoveOutcome vsm_move_resume_offline(VsmMove *move, const VsmMoveFacts *facts, GError **error) {
        g_auto(VsmSettle) settle = { .virt = move->virt, .options = &move->options, .facts = facts };
        g_autoptr(GError) cause = g_error_new(VSM_ERROR, VSM_ERROR_FAILED,
                                              "the service was restarted while it was moved");

        return settle_offline(move, &settle, cause, error);
}
