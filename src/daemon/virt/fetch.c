/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One guest that comes home: the libvirt of the host where it is migrates it to this one, peer to peer, so it goes on
 * without us. The same truth is looked for afterwards as after a move, with the two hosts in each other's place. The
 * long lane. */

#include "daemon/virt/fetch-private.h"
#include "daemon/virt/params.h"
#include "daemon/virt/uri.h"
#include "shared/enums.h"

static void options_clear(VsmFetchOptions *options) {
        vsm_destination_free(options->from);
        vsm_destination_free(options->home);
}

VsmFetch* vsm_fetch_new(VsmVirt *virt, const VsmFetchOptions *options) {
        VsmFetch *fetch = g_new0(VsmFetch, 1);

        fetch->n_ref = 1;
        fetch->virt = virt;
        fetch->options = *options;
        fetch->options.from = vsm_destination_copy(options->from);
        fetch->options.home = vsm_destination_copy(options->home);
        fetch->move = (VsmMoveOptions) {
                .destination = fetch->options.home,
                .type = VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM,
                .changes = vsm_changes_new(),
                .bandwidth = options->bandwidth,
                .compression = options->compression,
                .throttling = true,
        };
        g_strlcpy(fetch->move.uuid, options->uuid, sizeof fetch->move.uuid);
        fetch->cancel = vsm_cancel_new();
        fetch->reasons = vsm_reasons_new();
        g_mutex_init(&fetch->lock);
        return fetch;
}

VsmFetch* vsm_fetch_ref(VsmFetch *fetch) {
        g_atomic_int_inc(&fetch->n_ref);
        return fetch;
}

void vsm_fetch_unref(VsmFetch *fetch) {
        if (!fetch || !g_atomic_int_dec_and_test(&fetch->n_ref))
                return;

        options_clear(&fetch->options);
        vsm_changes_free(fetch->move.changes);
        vsm_cancel_unref(fetch->cancel);
        vsm_reasons_unref(fetch->reasons);
        vsm_peer_free(fetch->second);
        g_free(fetch->address);
        g_mutex_clear(&fetch->lock);
        g_free(fetch);
}

GVariant* vsm_fetch_reasons(VsmFetch *fetch) {
        return vsm_reasons_to_variant(fetch->reasons);
}

void vsm_fetch_cancel(VsmFetch *fetch) {
        vsm_cancel_fire(fetch->cancel);
}

bool vsm_fetch_is_cancelled(VsmFetch *fetch) {
        return vsm_cancel_fired(fetch->cancel);
}

bool vsm_fetch_check_cancelled(VsmFetch *fetch, GError **error) {
        if (!vsm_cancel_fired(fetch->cancel))
                return true;

        g_set_error(error, VSM_ERROR, VSM_ERROR_CANCELLED, "The migration was cancelled before it began");
        return false;
}

/* One call. True when libvirt there says that it went well. */
static bool call_once(
                VsmFetch *fetch,
                virDomainPtr domain,
                const VsmMoveFacts *facts,
                const char *address,
                GError **error) {

        g_auto(VsmMoveParams) params = {};
        g_autofree char *uri = NULL;

        if (!vsm_move_params_build(&fetch->move, NULL, facts->persistent, address, &params, error))
                return false;

        uri = vsm_uri_control(fetch->options.home, address, error);
        if (!uri || !vsm_fetch_check_cancelled(fetch, error))
                return false;

        if (virDomainMigrateToURI3(domain, uri, params.params, params.n_params, params.flags) >= 0)
                return true;

        /* not available would be this host's libvirt */
        vsm_virt_error(error, "The migration failed");
        if (error && g_error_matches(*error, VSM_ERROR, VSM_ERROR_SYSTEM_NOT_AVAILABLE))
                (*error)->code = VSM_ERROR_FAILED;
        return false;
}

/* Whether it is there as it was before the call, so that another one may be made. */
static bool is_as_before(VsmFetch *fetch, VsmSettle *settle, virDomainPtr domain) {
        VsmSide side;
        bool job = true;

        return vsm_side_look(settle->source, fetch->options.uuid, VSM_HOST_HERE, &side, NULL, NULL) &&
                side == (settle->facts->paused ? VSM_SIDE_PAUSED : VSM_SIDE_RUNNING) &&
                vsm_side_has_job(domain, &job, NULL) && !job;
}

static bool call_libvirt(
                VsmFetch *fetch,
                VsmSettle *settle,
                virDomainPtr domain,
                const VsmMoveHooks *hooks,
                VsmTransferStats *ret_stats,
                GError **error) {

        g_autoptr(GPtrArray) avoid = g_ptr_array_new_null_terminated(0, g_free, true);
        g_autoptr(GError) local = NULL;
        bool ok;

        g_atomic_int_set(&fetch->calling, 1);
        if (hooks && hooks->started)
                hooks->started(hooks->userdata);

        for (;;) {
                g_autoptr(GError) failure = NULL;
                g_autofree char *address = NULL;

                address = vsm_fetch_choose_address(fetch, settle->facts->address, (char**) avoid->pdata, &failure);
                ok = address && call_once(fetch, domain, settle->facts, address, &failure);
                if (ok)
                        break;

                /* the first failure says more than that nothing else is left */
                if (!local)
                        local = g_steal_pointer(&failure);
                if (!address || vsm_cancel_fired(fetch->cancel) ||
                    !vsm_uri_is_no_connection(failure ? failure->message : local->message, address) ||
                    !is_as_before(fetch, settle, domain))
                        break;

                g_ptr_array_add(avoid, g_steal_pointer(&address));
        }

        if (hooks && hooks->returned)
                hooks->returned(hooks->userdata);
        g_atomic_int_set(&fetch->calling, 0);

        if (ok) {
                (void) vsm_stats_read(domain, true, ret_stats, NULL, NULL);
                return true;
        }

        if (virConnectIsAlive(settle->source) == 1) {
                bool job;

                settle->busy = vsm_side_has_job(domain, &job, NULL) && job;
        }

        g_propagate_error(error, g_steal_pointer(&local));
        return false;
}

static VsmMoveOutcome settle_all(VsmFetch *fetch, VsmSettle *settle, const GError *cause, GError **error) {
        VsmMoveOutcome outcome;

        /* it has lost its mark, on a way that another version or another hand took */
        fetch->move.changes->autostart = settle->facts->autostart || fetch->options.autostart;
        outcome = vsm_settle_run(settle, cause, error);

        /* libvirt 9 has no event for the mark */
        vsm_virt_emit(fetch->virt, VSM_VIRT_DOMAIN_CHANGED, fetch->options.uuid, 0);
        return outcome;
}

static VsmSettle settle_of(VsmFetch *fetch, const VsmMoveFacts *facts) {
        return (VsmSettle) {
                .virt = fetch->virt,
                .options = &fetch->move,
                .facts = facts,
                .from = fetch->options.from,
                .running_reason = -1,
        };
}

VsmMoveOutcome vsm_fetch_run(VsmFetch *fetch, const VsmMoveHooks *hooks, VsmTransferStats *ret_stats, GError **error) {
        g_auto(VsmMoveFacts) facts = {};
        g_auto(VsmSettle) settle = settle_of(fetch, &facts);
        g_autoptr(virDomain) domain = NULL;
        g_autoptr(GError) cause = NULL;
        VsmMoveOutcome outcome;

        *ret_stats = (VsmTransferStats) {};
        if (!vsm_fetch_look(fetch, &settle, &facts, &domain, &outcome, error))
                return outcome;

        if (hooks && hooks->prepared && !hooks->prepared(&facts, hooks->userdata, error))
                return VSM_MOVE_STAYED;

        /* The first change that is made: after it, whatever happens is settled. */
        settle.call_ok = (!facts.autostart || vsm_settle_set_autostart(&settle, false, &cause)) &&
                call_libvirt(fetch, &settle, domain, hooks, ret_stats, &cause);
        return settle_all(fetch, &settle, cause, error);
}

VsmMoveOutcome vsm_fetch_resume(
                VsmFetch *fetch,
                const VsmMoveFacts *facts,
                VsmTransferStats *ret_stats,
                GError **error) {

        g_auto(VsmSettle) settle = settle_of(fetch, facts);
        g_autoptr(GError) cause = NULL;

        *ret_stats = (VsmTransferStats) {};
        vsm_fetch_set_address(fetch, facts->address);

        g_atomic_int_set(&fetch->calling, 1);
        vsm_settle_wait_for_job(&settle);
        g_atomic_int_set(&fetch->calling, 0);

        if (vsm_cancel_fired(fetch->cancel))
                g_set_error(&cause, VSM_ERROR, VSM_ERROR_CANCELLED, "The migration was cancelled");

        return settle_all(fetch, &settle, cause, error);
}
