/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A running guest, by libvirt's peer-to-peer call. The long lane. */

#include <string.h>

#include "daemon/virt/check.h"
#include "daemon/virt/move-private.h"
#include "daemon/virt/params.h"
#include "daemon/virt/uri.h"
#include "shared/enums.h"
#include "shared/error.h"
#include "shared/names.h"

/* It stays with the guest's QEMU for ever if nobody takes it back. */
bool vsm_move_tell_downtime(VsmMove *move, virDomainPtr domain, unsigned ms, GError **error) {
        unsigned long long now = 0;
        unsigned last;

        if (virDomainMigrateGetMaxDowntime(domain, &now, 0) < 0)
                now = 0;

        last = vsm_move_record_downtime(move, ms, (unsigned) now);
        if (virDomainMigrateSetMaxDowntime(domain, ms, 0) >= 0)
                return true;

        vsm_virt_error(error, "libvirt does not take %u ms as the longest pause", ms);

        /* the one before is in force; where there was none, QEMU is asked at the end which one it has */
        if (last > 0)
                (void) vsm_move_record_downtime(move, last, 0);
        return false;
}

/* The first change that is made. After this, whatever happens goes through settle. */
static bool change_here(VsmMove *move, VsmSettle *settle, virDomainPtr domain, GError **error) {
        if (settle->facts->autostart && !vsm_settle_set_autostart(settle, false, error))
                return false;

        return move->options.max_downtime == 0 ||
                vsm_move_tell_downtime(move, domain, move->options.max_downtime, error);
}

/* One call. True when libvirt says that it went well. */
static bool call_once(
                VsmMove *move,
                VsmSettle *settle,
                virDomainPtr domain,
                const VsmMoveParams *params,
                GError **error) {

        g_autofree char *uri = NULL;

        uri = vsm_uri_control(move->options.destination, settle->facts->address, error);
        if (!uri || !vsm_move_check_cancelled(move, error))
                return false;

        if (virDomainMigrateToURI3(domain, uri, params->params, params->n_params, params->flags) >= 0)
                return true;

        vsm_virt_error(error, "The migration failed");
        return false;
}

/* All is as it was before the call, so another one may be made. */
static bool is_untouched(VsmMove *move, VsmSettle *settle, virDomainPtr domain, const VsmMoveFacts *facts) {
        VsmSide side;

        return vsm_side_look(settle->source, move->options.uuid, VSM_HOST_HERE, &side, NULL, NULL) &&
                side == (facts->paused ? VSM_SIDE_PAUSED : VSM_SIDE_RUNNING) &&
                vsm_move_check_idle(move, domain, settle, NULL);
}

/* Goes over to the next address at which the destination can be reached, once it is sure that all is
 * as it was before the call. */
static bool next_address(
                VsmMove *move,
                VsmSettle *settle,
                virDomainPtr domain,
                char **avoid,
                VsmMoveFacts *facts,
                VsmMoveParams *params,
                const VsmMoveHooks *hooks) {

        g_autoptr(VsmPeer) peer = NULL;
        g_autoptr(GError) error = NULL;

        if (!is_untouched(move, settle, domain, facts))
                return false;

        peer = vsm_peer_open_next(move->options.destination, avoid, VSM_MOVE_DIAL_USEC, move->cancel, &error);
        if (!peer)
                return false;

        vsm_peer_free(settle->peer);
        settle->peer = g_steal_pointer(&peer);
        if (!vsm_move_check_there(move, settle, &error))
                return false;

        g_free(facts->address);
        facts->address = g_strdup(vsm_peer_address(settle->peer));
        vsm_move_params_clear(params);
        return vsm_move_params_build(&move->options, &move->there, facts->persistent || move->planned_xml,
                                     facts->address, params, &error) &&
                (!hooks || !hooks->prepared || hooks->prepared(facts, hooks->userdata, &error));
}

/* One of the hosts cannot do post-copy, which libvirt says before anything moves. True when it may be called again,
 * without it. */
static bool leave_post_copy_out(
                VsmMove *move,
                VsmSettle *settle,
                virDomainPtr domain,
                const VsmMoveFacts *facts,
                VsmMoveParams *params,
                GError *refusal) {

        const char *host = move->options.destination->host;

        if (move->options.post_copy == VSM_POST_COPY_NEVER || !vsm_post_copy_is_refusal(refusal) ||
            !is_untouched(move, settle, domain, facts))
                return false;

        if (move->options.post_copy == VSM_POST_COPY_NOW) {
                vsm_reasons_add(move->reasons, "post-copy-not-possible", host, refusal->message, settle->name, host,
                                NULL);
                refusal->code = VSM_ERROR_INCOMPATIBLE_PARAMETERS;
                return false;
        }

        vsm_reasons_add(move->reasons, "post-copy-left-out", host, NULL, settle->name, host, NULL);
        g_atomic_int_set(&move->may_post_copy, 0);
        move->options.post_copy = VSM_POST_COPY_NEVER;
        vsm_move_params_clear(params);
        return vsm_move_params_build(&move->options, &move->there, facts->persistent || move->planned_xml,
                                     facts->address, params, NULL);
}

/* The final numbers go with the definition here. They are those of this move only if it was sent away. */
static void read_final_stats(VsmMove *move, VsmSettle *settle, VsmTransferStats *ret) {
        const char *uuid = move->options.uuid;
        g_autoptr(virDomain) domain = NULL;
        VsmSide side;

        if (!vsm_settle_need_source(settle, NULL) ||
            !vsm_side_look(settle->source, uuid, VSM_HOST_HERE, &side, NULL, NULL) || side == VSM_SIDE_ABSENT)
                return;

        domain = vsm_domain_find(settle->source, uuid, NULL);
        if (domain && !settle->name)
                settle->name = g_strdup(virDomainGetName(domain));
        if (domain && side == VSM_SIDE_OFF_MIGRATED)
                (void) vsm_stats_read(domain, true, ret, NULL, NULL);
}

static void begin(VsmMove *move, const VsmMoveHooks *hooks) {
        if (move->begun)
                return;

        move->begun = true;
        if (hooks && hooks->started)
                hooks->started(hooks->userdata);
}

static void finish(VsmMove *move, const VsmMoveHooks *hooks) {
        if (!move->begun || move->over)
                return;

        move->over = true;
        if (hooks && hooks->returned)
                hooks->returned(hooks->userdata);
}

/* Before the call: what is copied after it would hold up a guest that is there already. */
static bool copy_volumes(
                VsmMove *move,
                VsmSettle *settle,
                const VsmMoveFacts *facts,
                VsmMoveParams *params,
                const VsmMoveHooks *hooks,
                GError **error) {

        if (!move->plan || move->plan->volumes->len == 0)
                return true;

        begin(move, hooks);
        if (!vsm_move_copy_volumes(move, settle->source, vsm_peer_connection(settle->peer), error))
                return false;

        /* from now on libvirt's job is looked at, which is to keep to what was asked for meanwhile */
        vsm_move_set_stats(move, &(VsmTransferStats) {});
        move->options.bandwidth = vsm_move_bandwidth(move);
        vsm_move_params_clear(params);
        return vsm_move_params_build(&move->options, &move->there, facts->persistent || move->planned_xml,
                                     facts->address, params, error);
}

/* True when libvirt says that it went well. */
static bool call_libvirt(
                VsmMove *move,
                VsmSettle *settle,
                virDomainPtr domain,
                VsmMoveFacts *facts,
                VsmMoveParams *params,
                const VsmMoveHooks *hooks,
                VsmTransferStats *ret_stats,
                GError **error) {

        g_autoptr(GPtrArray) avoid = g_ptr_array_new_null_terminated(0, g_free, true);
        g_autoptr(GError) local = NULL;
        bool ok;

        if (!vsm_move_check_cancelled(move, error))
                return false;

        g_atomic_int_set(&move->may_post_copy, move->options.post_copy != VSM_POST_COPY_NEVER);
        g_atomic_int_set(&move->calling, 1);
        begin(move, hooks);

        for (;;) {
                g_clear_error(&local);
                ok = call_once(move, settle, domain, params, &local);
                if (!ok && leave_post_copy_out(move, settle, domain, facts, params, local))
                        continue;
                if (ok || !vsm_uri_is_no_connection(local->message, facts->address) || vsm_cancel_fired(move->cancel))
                        break;

                g_ptr_array_add(avoid, g_strdup(facts->address));
                if (!next_address(move, settle, domain, (char **) avoid->pdata, facts, params, hooks))
                        break;
        }

        if (!ok) {
                vsm_post_copy_see_through(move, settle, facts);
                read_final_stats(move, settle, ret_stats);
                ok = settle->call_ok;
        }

        finish(move, hooks);
        g_atomic_int_set(&move->calling, 0);

        if (ok) {
                if (!settle->call_ok)
                        (void) vsm_stats_read(domain, true, ret_stats, NULL, NULL);
                return true;
        }

        if (vsm_uri_is_no_connection(local->message, facts->address) && !vsm_cancel_fired(move->cancel))
                vsm_check_unreachable(move->reasons, move->options.destination, local);
        if (strstr(local->message, VSM_REFUSAL))
                vsm_reasons_add(move->reasons, "destination-refuses", move->options.destination->host, local->message,
                                move->options.destination->host, NULL);

        /* libvirtd here passes on what its own connection to the other host failed with. */
        if (virConnectIsAlive(settle->source) == 1) {
                bool job;

                if (local->code == VSM_ERROR_SYSTEM_NOT_AVAILABLE)
                        local->code = VSM_ERROR_FAILED;
                settle->busy = vsm_side_has_job(domain, &job, NULL) && job;
        }

        g_propagate_error(error, g_steal_pointer(&local));
        return false;
}

/* Nothing is changed in here, but for the owner's journal at its end. */
static virDomainPtr prepare(
                VsmMove *move,
                VsmSettle *settle,
                VsmMoveFacts *facts,
                VsmMoveParams *params,
                const VsmMoveHooks *hooks,
                GError **error) {

        g_autoptr(virDomain) domain = NULL;
        g_autoptr(GError) local = NULL;

        domain = vsm_move_look_here(move, settle, facts, error);
        if (!domain)
                return NULL;

        settle->peer = vsm_peer_open_dialled(move->options.destination, VSM_MOVE_DIAL_USEC, move->cancel, &local);
        if (!settle->peer) {
                if (!g_error_matches(local, VSM_ERROR, VSM_ERROR_CANCELLED))
                        vsm_check_unreachable(move->reasons, move->options.destination, local);
                g_propagate_error(error, g_steal_pointer(&local));
                return NULL;
        }

        settle->had_peer = true;
        facts->address = g_strdup(vsm_peer_address(settle->peer));
        if (!vsm_move_check_there(move, settle, error) ||
            !vsm_move_plan(move, settle, domain, facts->persistent, error) ||
            !vsm_move_params_build(&move->options, &move->there, facts->persistent || move->planned_xml,
                                   facts->address, params, error) ||
            !vsm_move_check_cancelled(move, error) ||
            !vsm_move_check_idle(move, domain, settle, error))
                return NULL;

        /* From the beginning it counts as one that is paused: nothing can make it run twice. */
        move->suspend = move->options.type == VSM_MIGRATION_TYPE_RESUME && !facts->paused;
        facts->paused |= move->suspend;
        facts->disk_bytes = move->plan ? vsm_disk_plan_capacity(move->plan) : 0;

        if (hooks && hooks->prepared && !hooks->prepared(facts, hooks->userdata, error))
                return NULL;

        return g_steal_pointer(&domain);
}

/* Where it is comes first; then what was made for it, or by it, follows. */
static VsmMoveOutcome settle_all(VsmMove *move, VsmSettle *settle, const GError *cause, GError **error) {
        g_autoptr(GError) left = NULL;
        VsmMoveOutcome outcome;

        vsm_move_recorded_downtime(move, &settle->downtime, &settle->former_downtime);
        outcome = vsm_settle_run(settle, cause, error);
        if (vsm_move_finish_effects(move, settle, outcome, &left))
                return outcome;

        if (outcome == VSM_MOVE_MOVED) {
                g_propagate_error(error, g_steal_pointer(&left));
                return VSM_MOVE_MOVED_UNVERIFIED;
        }

        if (error && *error) {
                g_autofree char *message = g_strdup_printf("%s; %s", (*error)->message, left->message);

                g_free((*error)->message);
                (*error)->message = g_steal_pointer(&message);
        }

        return outcome;
}

VsmMoveOutcome vsm_move_run_live(
                VsmMove *move,
                const VsmMoveHooks *hooks,
                VsmTransferStats *ret_stats,
                GError **error) {

        g_auto(VsmMoveFacts) facts = {};
        g_auto(VsmMoveParams) params = {};
        g_auto(VsmSettle) settle = {
                .virt = move->virt,
                .options = &move->options,
                .facts = &facts,
                .running_reason = -1,
                .handed_over = &move->handed_over,
        };
        g_autoptr(virDomain) domain = NULL;
        g_autoptr(GError) cause = NULL;

        domain = prepare(move, &settle, &facts, &params, hooks, error);
        if (!domain)
                return settle.busy ? VSM_MOVE_BUSY : VSM_MOVE_STAYED;

        settle.call_ok = change_here(move, &settle, domain, &cause) &&
                vsm_move_make(move, &settle, domain, &cause) &&
                copy_volumes(move, &settle, &facts, &params, hooks, &cause) &&
                call_libvirt(move, &settle, domain, &facts, &params, hooks, ret_stats, &cause);
        finish(move, hooks);
        vsm_move_add_copied(move, ret_stats);

        return settle_all(move, &settle, cause, error);
}

VsmMoveOutcome vsm_move_resume_live(
                VsmMove *move,
                const VsmMoveFacts *facts,
                VsmTransferStats *ret_stats,
                GError **error) {

        g_auto(VsmSettle) settle = {
                .virt = move->virt,
                .options = &move->options,
                .facts = facts,
                .running_reason = -1,
                .handed_over = &move->handed_over,
        };
        g_autoptr(GError) cause = NULL;

        /* set by the earlier run of the daemon, which may have known what it was before */
        (void) vsm_move_record_downtime(move, move->options.max_downtime, 0);
        g_atomic_int_set(&move->may_post_copy, move->options.post_copy != VSM_POST_COPY_NEVER);
        g_atomic_int_set(&move->calling, 1);
        vsm_settle_wait_for_job(&settle);
        vsm_post_copy_see_through(move, &settle, facts);
        g_atomic_int_set(&move->calling, 0);

        read_final_stats(move, &settle, ret_stats);

        if (vsm_cancel_fired(move->cancel))
                g_set_error(&cause, VSM_ERROR, VSM_ERROR_CANCELLED, "The migration was cancelled");

        return settle_all(move, &settle, cause, error);
}
