/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One move of one guest, of whatever kind: its life, who runs it, and what others may ask of it meanwhile.
 * vsm_move_run() and vsm_move_resume() belong to the long lane, vsm_move_abort() and
 * vsm_move_kill_incoming() to the short one while those run; references and vsm_move_cancel() any thread. */

#include "daemon/virt/move-private.h"
#include "shared/enums.h"
#include "shared/error.h"

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

void vsm_move_facts_clear(VsmMoveFacts *facts) {
        g_clear_pointer(&facts->address, g_free);
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

void vsm_move_add_reason(VsmMove *move, const char *code, const char *first, const char *second, const char *third) {
        vsm_reasons_add(move->reasons, code, first, NULL, first, second, third, NULL);
}

void vsm_move_handed_over(VsmMove *move) {
        g_atomic_int_set(&move->handed_over, 1);
}

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
                return vsm_move_run_live(move, hooks, ret_stats, error);
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
                return vsm_move_resume_live(move, facts, ret_stats, error);
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

void vsm_move_set_copied(VsmMove *move, uint64_t bytes) {
        g_mutex_lock(&move->lock);
        move->copied = bytes;
        g_mutex_unlock(&move->lock);
}

static uint64_t get_locked(VsmMove *move, const uint64_t *number) {
        uint64_t value;

        g_mutex_lock(&move->lock);
        value = *number;
        g_mutex_unlock(&move->lock);
        return value;
}

uint64_t vsm_move_copied(VsmMove *move) {
        return get_locked(move, &move->copied);
}

void vsm_move_add_copied(VsmMove *move, VsmTransferStats *stats) {
        uint64_t bytes = vsm_move_copied(move);

        stats->disk_total += bytes;
        stats->disk_processed += bytes;
}

bool vsm_move_may_post_copy(VsmMove *move) {
        return g_atomic_int_get(&move->may_post_copy);
}

bool vsm_move_start_post_copy(VsmMove *move, GError **error) {
        /* too late to take back afterwards */
        return vsm_move_check_cancelled(move, error) &&
                vsm_virt_start_post_copy(move->virt, move->options.uuid, error);
}

uint64_t vsm_move_bandwidth(VsmMove *move) {
        return get_locked(move, &move->bandwidth);
}

/* libvirt knows the limit of a migration; that of what is copied otherwise is kept by the thread that sees to it,
 * which may do so before libvirt has any job. */
bool vsm_move_set_bandwidth(VsmMove *move, uint64_t bandwidth, GError **error) {
        g_mutex_lock(&move->lock);
        move->bandwidth = bandwidth;
        g_mutex_unlock(&move->lock);

        /* who copies looks at it all the time; and what a guest's QEMU is told without a migration stays with it */
        if (!g_atomic_int_get(&move->calling))
                return true;

        return vsm_virt_set_bandwidth(move->virt, move->options.uuid, bandwidth, error);
}

unsigned vsm_move_record_downtime(VsmMove *move, unsigned ms, unsigned now) {
        unsigned last;

        g_mutex_lock(&move->lock);
        last = move->downtime;
        if (now > 0 && now != last)
                move->former_downtime = now;
        move->downtime = ms;
        g_mutex_unlock(&move->lock);

        return last;
}

void vsm_move_recorded_downtime(VsmMove *move, unsigned *ret_ms, unsigned *ret_former) {
        g_mutex_lock(&move->lock);
        *ret_ms = move->downtime;
        *ret_former = move->former_downtime;
        g_mutex_unlock(&move->lock);
}

bool vsm_move_set_max_downtime(VsmMove *move, unsigned ms, GError **error) {
        g_autoptr(virConnect) connection = vsm_virt_ref_connection(move->virt, error);
        g_autoptr(virDomain) domain = NULL;

        domain = connection ? vsm_domain_find(connection, move->options.uuid, error) : NULL;
        if (!domain)
                return false;

        /* what is set after that, nobody would take back */
        if (!g_atomic_int_get(&move->calling)) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "Parameters can be changed only while memory is moving.");
                return false;
        }

        return vsm_move_tell_downtime(move, domain, ms, error);
}

bool vsm_move_sample(VsmMove *move, VsmTransferStats *ret, GError **error) {
        vsm_move_get_stats(move, ret);
        if (ret->active)
                return true;
        if (!vsm_virt_sample(move->virt, move->options.uuid, ret, error))
                return false;

        vsm_move_add_copied(move, ret);
        return true;
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
        peer = vsm_peer_open_dialled(move->options.destination, VSM_MOVE_DIAL_USEC, NULL, error);
        if (!peer || !make_sure_of_owner(move, &running, error))
                return false;

        /* No job any more: settling does the rest. */
        if (!running)
                return true;

        return vsm_peer_destroy_incoming(peer, move->options.uuid, error);
}
