/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One move of one guest, from the first look at it to the last. vsm_move_run() and
 * vsm_move_resume() belong to the long lane, vsm_move_abort() and vsm_move_kill_incoming() to the
 * short one while those run; references and vsm_move_cancel() any thread. */

#include "daemon/virt/check.h"
#include "daemon/virt/move-private.h"
#include "daemon/virt/params.h"
#include "daemon/virt/patience.h"
#include "daemon/virt/uri.h"
#include "shared/enums.h"
#include "shared/error.h"
#include "shared/names.h"

#define DIAL_USEC (5 * G_USEC_PER_SEC)

VsmMove* vsm_move_new(VsmVirt *virt, const VsmMoveOptions *options) {
        VsmMove *move = g_new0(VsmMove, 1);

        move->n_ref = 1;
        move->virt = virt;
        vsm_move_options_copy(&move->options, options);
        if (!move->options.changes)
                move->options.changes = vsm_changes_new();
        move->cancel = vsm_cancel_new();
        move->effects = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_effect_free);
        g_mutex_init(&move->lock);
        move->bandwidth = move->options.bandwidth;
        vsm_move_use_journal(move, NULL);
        move->reasons = vsm_reasons_new();
        return move;
}

VsmMove* vsm_move_ref(VsmMove *move) {
        g_atomic_int_inc(&move->n_ref);
        return move;
}

void vsm_move_unref(VsmMove *move) {
        if (!move || !g_atomic_int_dec_and_test(&move->n_ref))
                return;

        vsm_move_options_clear(&move->options);
        vsm_cancel_unref(move->cancel);
        g_ptr_array_unref(move->effects);
        vsm_disk_plan_free(move->plan);
        g_free(move->live_xml);
        g_free(move->stored_xml);
        g_free(move->planned_xml);
        g_strfreev(move->disks);
        g_mutex_clear(&move->lock);
        vsm_reasons_unref(move->reasons);
        g_free(move);
}

void vsm_move_cancel(VsmMove *move) {
        vsm_cancel_fire(move->cancel);
}

bool vsm_move_is_cancelled(VsmMove *move) {
        return vsm_cancel_fired(move->cancel);
}

GVariant* vsm_move_reasons(VsmMove *move) {
        return vsm_reasons_to_variant(move->reasons);
}

void vsm_move_handed_over(VsmMove *move) {
        g_atomic_int_set(&move->handed_over, 1);
}

/* The first change that is made. After this, whatever happens goes through settle. */
static bool change_here(VsmMove *move, VsmSettle *settle, virDomainPtr domain, GError **error) {
        unsigned long long former = 0;

        if (settle->facts->autostart && !vsm_settle_set_autostart(settle, false, error))
                return false;

        if (move->options.max_downtime == 0)
                return true;

        /* It stays with the guest's QEMU for ever if nobody takes it back. */
        settle->downtime_set = true;
        if (virDomainMigrateGetMaxDowntime(domain, &former, 0) >= 0)
                settle->downtime = (unsigned) former;

        if (virDomainMigrateSetMaxDowntime(domain, move->options.max_downtime, 0) < 0) {
                vsm_virt_error(error, "libvirt does not take %u ms as the longest "
                                      "pause", move->options.max_downtime);
                return false;
        }

        return true;
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
        VsmSide side;

        if (!vsm_side_look(settle->source, move->options.uuid, VSM_HOST_HERE, &side, NULL, &error) ||
            side != (facts->paused ? VSM_SIDE_PAUSED : VSM_SIDE_RUNNING) ||
            !vsm_move_check_idle(move, domain, settle, &error))
                return false;

        peer = vsm_peer_open_next(move->options.destination, avoid, DIAL_USEC, move->cancel, &error);
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

        g_atomic_int_set(&move->calling, 1);
        if (hooks && hooks->started)
                hooks->started(hooks->userdata);

        for (;;) {
                g_clear_error(&local);
                ok = call_once(move, settle, domain, params, &local);
                if (ok || !vsm_uri_is_no_connection(local->message, facts->address) || vsm_cancel_fired(move->cancel))
                        break;

                g_ptr_array_add(avoid, g_strdup(facts->address));
                if (!next_address(move, settle, domain, (char **) avoid->pdata, facts, params, hooks))
                        break;
        }

        if (hooks && hooks->returned)
                hooks->returned(hooks->userdata);
        g_atomic_int_set(&move->calling, 0);

        if (ok) {
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

        settle->peer = vsm_peer_open_dialled(move->options.destination, DIAL_USEC, move->cancel, &local);
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

void vsm_move_facts_clear(VsmMoveFacts *facts) {
        g_clear_pointer(&facts->address, g_free);
}

/* Where it is comes first; then what was made for it, or by it, follows. */
static VsmMoveOutcome settle_all(VsmMove *move, VsmSettle *settle, const GError *cause, GError **error) {
        g_autoptr(GError) left = NULL;
        VsmMoveOutcome outcome;

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

static VsmMoveOutcome run_live(
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
                call_libvirt(move, &settle, domain, &facts, &params, hooks, ret_stats, &cause);

        return settle_all(move, &settle, cause, error);
}

static VsmMoveOutcome resume_live(
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
                .downtime_set = move->options.max_downtime != 0,
        };
        VsmSide side = VSM_SIDE_UNKNOWN;
        g_autoptr(GError) cause = NULL;

        g_atomic_int_set(&move->calling, 1);
        vsm_settle_wait_for_job(&settle);
        g_atomic_int_set(&move->calling, 0);

        /* Its final numbers go with its definition. */
        if (vsm_settle_need_source(&settle, NULL))
                (void) vsm_side_look(settle.source, move->options.uuid, VSM_HOST_HERE, &side, NULL, NULL);

        if (side != VSM_SIDE_UNKNOWN && side != VSM_SIDE_ABSENT) {
                g_autoptr(virDomain) domain = vsm_domain_find(settle.source, move->options.uuid, NULL);

                if (domain)
                        settle.name = g_strdup(virDomainGetName(domain));
                if (domain && side == VSM_SIDE_OFF_MIGRATED)
                        (void) vsm_stats_read(domain, true, ret_stats, NULL, NULL);
        }

        if (vsm_cancel_fired(move->cancel))
                g_set_error(&cause, VSM_ERROR, VSM_ERROR_CANCELLED, "The migration was cancelled");

        return settle_all(move, &settle, cause, error);
}

/* ---- all kinds ---- */

VsmMoveOutcome vsm_move_run(
                VsmMove *move,
                const VsmMoveHooks *hooks,
                VsmTransferStats *ret_stats,
                GError **error) {

        *ret_stats = (VsmTransferStats) {};
        vsm_move_use_journal(move, hooks);

        switch (move->options.type) {
        case VSM_MIGRATION_TYPE_STORAGE:
                return vsm_move_run_storage(move, hooks, ret_stats, error);
        case VSM_MIGRATION_TYPE_OTHER:
                return vsm_move_run_offline(move, hooks, ret_stats, error);
        case VSM_MIGRATION_TYPE_RESTART:
                return vsm_move_run_restart(move, hooks, ret_stats, error);
        case VSM_MIGRATION_TYPE_STAGED:
                return vsm_move_run_staged(move, hooks, error);
        default:
                return run_live(move, hooks, ret_stats, error);
        }
}

VsmMoveOutcome vsm_move_resume(
                VsmMove *move,
                const VsmMoveFacts *facts,
                GPtrArray *effects,
                const VsmMoveHooks *hooks,
                VsmTransferStats *ret_stats,
                GError **error) {

        *ret_stats = (VsmTransferStats) {};
        vsm_move_use_journal(move, hooks);
        for (guint i = 0; effects && i < effects->len; i++)
                g_ptr_array_add(move->effects, vsm_effect_copy(effects->pdata[i]));

        if (!effects && vsm_move_asks_effects(move->options.type)) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                            "What was done for it cannot be read back, so it is not known how far it had come");
                return VSM_MOVE_UNKNOWN;
        }

        switch (move->options.type) {
        case VSM_MIGRATION_TYPE_STORAGE:
                return vsm_move_resume_storage(move, facts, ret_stats, error);
        case VSM_MIGRATION_TYPE_OTHER:
                return vsm_move_resume_offline(move, facts, error);
        case VSM_MIGRATION_TYPE_RESTART:
                return vsm_move_resume_restart(move, facts, error);
        case VSM_MIGRATION_TYPE_STAGED:
                return vsm_move_resume_staged(move, facts, error);
        default:
                return resume_live(move, facts, ret_stats, error);
        }
}

void vsm_move_set_stats(VsmMove *move, const VsmTransferStats *stats) {
        g_mutex_lock(&move->lock);
        move->stats = *stats;
        g_mutex_unlock(&move->lock);
}

void vsm_move_get_stats(VsmMove *move, VsmTransferStats *ret) {
        g_mutex_lock(&move->lock);
        *ret = move->stats;
        g_mutex_unlock(&move->lock);
}

/* libvirt knows the limit of a migration; that of block copies is shared out by the thread that follows
 * them. */
bool vsm_move_set_bandwidth(VsmMove *move, uint64_t bandwidth, GError **error) {
        if (move->options.type != VSM_MIGRATION_TYPE_STORAGE)
                return vsm_virt_set_bandwidth(move->virt, move->options.uuid, bandwidth, error);

        g_mutex_lock(&move->lock);
        move->bandwidth = bandwidth;
        g_mutex_unlock(&move->lock);
        return true;
}

bool vsm_move_sample(VsmMove *move, VsmTransferStats *ret, GError **error) {
        vsm_move_get_stats(move, ret);
        return ret->active || vsm_virt_sample(move->virt, move->options.uuid, ret, error);
}

bool vsm_move_abort(VsmMove *move, GError **error) {
        bool running;

        /* Not ours would be another's: somebody may migrate it by hand. */
        if (!g_atomic_int_get(&move->calling))
                return true;

        return vsm_virt_abort(move->virt, move->options.uuid, &running, error);
}

/* True when this host's CPUs own the guest and go on owning it. QEMU does not complete a migration
 * that it was told to cancel, so after the abort was taken, a guest that is not handed over will
 * not be: between this answer and the destruction there nothing can change sides. */
static bool make_sure_of_owner(VsmMove *move, bool *ret_running, GError **error) {
        g_autoptr(virConnect) connection = NULL;
        VsmSide side;

        if (!vsm_virt_abort(move->virt, move->options.uuid, ret_running, error))
                return false;

        if (!*ret_running)
                return true;

        connection = vsm_virt_ref_connection(move->virt, error);
        if (!connection ||
            !vsm_side_look(connection, move->options.uuid, VSM_HOST_HERE, &side, NULL, error))
                return false;

        if (side != VSM_SIDE_RUNNING && side != VSM_SIDE_PAUSED) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "The system is %s here: the copy on the other host may be the one that counts",
                            vsm_side_to_string(side));
                return false;
        }

        return true;
}

bool vsm_move_kill_incoming(VsmMove *move, GError **error) {
        g_autoptr(VsmPeer) peer = NULL;
        bool running;

        if (!g_atomic_int_get(&move->calling))
                return true;

        /* Dial first, it takes time. The move's own cancel has fired by now. */
        peer = vsm_peer_open_dialled(move->options.destination, DIAL_USEC, NULL, error);
        if (!peer || !make_sure_of_owner(move, &running, error))
                return false;

        /* No job any more: settling does the rest. */
        if (!running)
                return true;

        return vsm_peer_destroy_incoming(peer, move->options.uuid, error);
}
