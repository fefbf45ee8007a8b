/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Disks go elsewhere on this host, their guest stays (MigrationType Storage). A running guest's QEMU copies
 * them while it writes, and changes over to all copies at the end; those of one that is off are copied by
 * libvirt, and its definition follows. The long lane. */

#include "daemon/virt/block-copy.h"
#include "daemon/virt/move-private.h"
#include "daemon/virt/patience.h"
#include "daemon/virt/side.h"
#include "shared/error.h"

#define POLL_USEC       (G_USEC_PER_SEC / 4)

/* Nothing is changed in here, but for the owner's journal at its end. */
static virDomainPtr prepare(
                VsmMove *move,
                VsmSettle *settle,
                VsmMoveFacts *facts,
                bool *ret_active,
                const VsmMoveHooks *hooks,
                GError **error) {

        VsmReasons *reasons = move->reasons;
        g_autoptr(virDomain) domain = NULL;
        g_autofree char *host = NULL;
        VsmDiskPlanInput input = { .options = &move->options };

        domain = vsm_move_look_any(move, settle, facts, ret_active, error);
        if (!domain)
                return NULL;

        host = virConnectGetHostname(settle->source);
        input.host = host ?: "localhost";
        input.domain = domain;
        input.here = input.there = settle->source;
        move->plan = vsm_disk_plan_new(&input, reasons, error);
        if (!move->plan || !vsm_move_refuse(reasons, error) ||
            !vsm_move_check_cancelled(move, error))
                return NULL;

        facts->disk_bytes = vsm_disk_plan_capacity(move->plan);
        if (hooks && hooks->prepared && !hooks->prepared(facts, hooks->userdata, error))
                return NULL;

        return g_steal_pointer(&domain);
}

/* ---- of a running guest ---- */

/* Of what all of them may use together; 0 = no limit. */
static uint64_t share_of(VsmMove *move, unsigned copies) {
        uint64_t limit = vsm_move_bandwidth(move);

        return limit > 0 ? MAX(limit / MAX(copies, 1), 1) : 0;
}

static bool write_copy(VsmMove *move, const VsmDiskStep *step, GError **error) {
        g_autofree char *detail = vsm_effect_copy_detail(step->target, step->to->path);

        return vsm_move_write(move, VSM_EFFECT_BLOCK_COPY, false, move->options.uuid, detail, error);
}

static bool begin_copies(VsmMove *move, virDomainPtr domain, uint64_t share, GError **error) {
        for (guint i = 0; i < move->plan->disks->len; i++) {
                const VsmDiskStep *step = move->plan->disks->pdata[i];

                if (step->kind != VSM_DISK_COPY)
                        continue;

                if (!vsm_move_check_cancelled(move, error) || !write_copy(move, step, error) ||
                    !vsm_block_copy_begin(domain, step, move->plan->incremental, share, error))
                        return false;
        }

        return true;
}

/* done: bytes of what was copied before. */
static bool look_at_copies(
                VsmMove *move,
                virDomainPtr domain,
                uint64_t done,
                unsigned *ret_copying,
                GError **error) {

        VsmTransferStats stats = { .active = true, .disk_total = done, .disk_processed = done };

        *ret_copying = 0;
        for (guint i = 0; i < move->plan->disks->len; i++) {
                const VsmDiskStep *step = move->plan->disks->pdata[i];
                bool ready = true;

                if (step->kind == VSM_DISK_COPY && !vsm_block_copy_look(domain, step, &stats, &ready, error))
                        return false;
                *ret_copying += !ready;
        }

        vsm_move_set_stats(move, &stats);
        return true;
}

static bool limit_copies(VsmMove *move, virDomainPtr domain, uint64_t share, GError **error) {
        for (guint i = 0; i < move->plan->disks->len; i++) {
                const VsmDiskStep *step = move->plan->disks->pdata[i];

                if (step->kind == VSM_DISK_COPY && !vsm_block_copy_limit(domain, step, share, error))
                        return false;
        }

        return true;
}

/* Until each copy is as new as the disk. What one that is does not need any more, the others get. */
static bool follow_copies(VsmMove *move, virDomainPtr domain, uint64_t done, uint64_t share, GError **error) {
        for (;;) {
                unsigned copying;

                if (!look_at_copies(move, domain, done, &copying, error))
                        return false;

                if (copying > 0 && share_of(move, copying) != share) {
                        share = share_of(move, copying);
                        if (!limit_copies(move, domain, share, error))
                                return false;
                }

                if (copying == 0 || !vsm_wait_sleep(POLL_USEC, move->cancel))
                        return vsm_move_check_cancelled(move, error);
        }
}

/* Those before n go back: by copying what the guest has written since. */
static void take_back(VsmMove *move, virDomainPtr domain, guint n, GError **error) {
        while (n-- > 0) {
                const VsmDiskStep *step = move->plan->disks->pdata[n];
                g_autoptr(GError) local = NULL;

                if (step->kind != VSM_DISK_COPY ||
                    vsm_block_copy_return(domain, step, move->plan->incremental, &local))
                        continue;

                move->apart = true;
                g_prefix_error(error, "Disk '%s' is at its new place and could not be taken back (%s): ",
                               step->target, local->message);
        }
}

static bool write_halt(VsmMove *move, virDomainPtr domain, GError **error) {
        for (guint i = 0; i < move->plan->disks->len; i++) {
                const VsmDiskStep *step = move->plan->disks->pdata[i];
                bool halts = false;

                if (step->kind == VSM_DISK_COPY && !vsm_block_copy_halts(domain, step->target, &halts, error))
                        return false;
                if (halts)
                        return vsm_move_write(move, VSM_EFFECT_HALTED, false, move->options.uuid, NULL, error);
        }

        return true;
}

static bool change_over(VsmMove *move, virDomainPtr domain, GError **error) {
        for (guint i = 0; i < move->plan->disks->len; i++) {
                const VsmDiskStep *step = move->plan->disks->pdata[i];

                if (step->kind == VSM_DISK_COPY && !vsm_block_copy_pivot(domain, step, error)) {
                        take_back(move, domain, i, error);
                        return false;
                }
        }

        return true;
}

/* libvirt changes the stored definition with the running one where both say the same of a disk; what it left
 * is done here. */
static bool change_definition(VsmMove *move, virDomainPtr domain, GError **error) {
        g_autofree char *changed = NULL, *text = NULL;
        g_autoptr(virDomain) defined = NULL;
        char *xml;

        xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
        if (!xml) {
                vsm_virt_error(error, "libvirt does not tell the stored definition");
                return false;
        }

        text = g_strdup(xml);
        free(xml);
        changed = vsm_disk_plan_definition(move->plan, text, /* stored = */ true, NULL, NULL, NULL, NULL, error);
        if (!changed)
                return false;
        if (g_str_equal(changed, text))
                return true;

        defined = virDomainDefineXML(virDomainGetConnect(domain), changed);
        if (!defined)
                vsm_virt_error(error, "The stored definition could not be changed");
        return defined;
}

/* All of them, and what is stored, or none. */
static bool follow(VsmMove *move, virDomainPtr domain, const VsmMoveFacts *facts, GError **error) {
        if (!change_over(move, domain, error))
                return false;

        /* with the old places it would start from old disks */
        if (facts->persistent && !change_definition(move, domain, error)) {
                take_back(move, domain, move->plan->disks->len, error);
                return false;
        }

        return true;
}

static bool move_running(
                VsmMove *move,
                virDomainPtr domain,
                const VsmMoveFacts *facts,
                uint64_t done,
                const VsmMoveHooks *hooks,
                GError **error) {

        g_auto(GStrv) targets = vsm_disk_plan_targets(move->plan);
        uint64_t share = share_of(move, g_strv_length(targets));
        bool ok;

        if (!begin_copies(move, domain, share, error) || !follow_copies(move, domain, done, share, error))
                return false;

        if (hooks && hooks->handing_over && !hooks->handing_over(hooks->userdata))
                return vsm_move_check_cancelled(move, error);

        ok = write_halt(move, domain, error) && follow(move, domain, facts, error);

        /* whoever pauses it from now on wants it so */
        if (vsm_side_of(domain, VSM_HOST_HERE) == VSM_SIDE_RUNNING)
                vsm_move_forget(move, VSM_EFFECT_HALTED);
        return ok;
}

/* ---- of one that is off ---- */

static bool move_off(
                VsmMove *move,
                VsmSettle *settle,
                virDomainPtr domain,
                const VsmMoveHooks *hooks,
                GError **error) {

        if (!vsm_move_copy_off(move, settle->source, settle->source, error))
                return false;

        if (virDomainIsActive(domain) == 1) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "The system was started while its disks were copied");
                return false;
        }

        if (hooks && hooks->handing_over && !hooks->handing_over(hooks->userdata))
                return vsm_move_check_cancelled(move, error);

        return vsm_move_check_unchanged(move, settle->source, error) && change_definition(move, domain, error);
}

/* ---- both ---- */

static bool write_source_volumes(VsmMove *move, GError **error) {
        const VsmChanges *changes = move->options.changes;

        return (!changes->remove_source || vsm_move_write_source_volumes(move, move->plan->disks, error)) &&
                (!changes->remove_source_volumes ||
                 vsm_move_write_source_volumes(move, move->plan->volumes, error));
}

static bool run(
                VsmMove *move,
                VsmSettle *settle,
                virDomainPtr domain,
                bool active,
                const VsmMoveHooks *hooks,
                GError **error) {

        if (!write_source_volumes(move, error) ||
            !vsm_disk_plan_execute(move->plan, settle->source, /* there_is_other = */ false, &move->journal,
                                   move->cancel, error))
                return false;

        if (!active)
                return move_off(move, settle, domain, hooks, error);

        return vsm_move_copy_volumes(move, settle->source, settle->source, error) &&
                move_running(move, domain, settle->facts, vsm_move_copied(move), hooks, error);
}

static VsmMoveOutcome end(VsmMove *move, VsmSettle *settle, bool ok, GError **error) {
        VsmMoveOutcome outcome = ok ? VSM_MOVE_MOVED : VSM_MOVE_STAYED;
        g_autoptr(GError) left = NULL;

        if (!vsm_move_finish_effects(move, settle, outcome, &left)) {
                if (!ok)
                        g_prefix_error(error, "%s; ", left->message);
                else
                        g_propagate_error(error, g_steal_pointer(&left));
                outcome = ok ? VSM_MOVE_MOVED_UNVERIFIED : VSM_MOVE_STAYED;
        }

        return !ok && move->apart ? VSM_MOVE_DISKS_APART : outcome;
}

VsmMoveOutcome vsm_move_run_storage(
                VsmMove *move,
                const VsmMoveHooks *hooks,
                VsmTransferStats *ret_stats,
                GError **error) {

        g_auto(VsmMoveFacts) facts = {};
        g_auto(VsmSettle) settle = { .virt = move->virt, .options = &move->options, .facts = &facts };
        g_autoptr(virDomain) domain = NULL;
        bool active, ok;

        domain = prepare(move, &settle, &facts, &active, hooks, error);
        if (!domain)
                return settle.busy ? VSM_MOVE_BUSY : VSM_MOVE_STAYED;

        if (hooks && hooks->started)
                hooks->started(hooks->userdata);

        ok = run(move, &settle, domain, active, hooks, error);

        if (hooks && hooks->returned)
                hooks->returned(hooks->userdata);

        vsm_move_get_stats(move, ret_stats);
        return end(move, &settle, ok, error);
}

/* After a restart nobody watches the copies any more, so they are given up; but where the guest uses new
 * places already, it has moved. */
VsmMoveOutcome vsm_move_resume_storage(
                VsmMove *move,
                const VsmMoveFacts *facts,
                VsmTransferStats *ret_stats G_GNUC_UNUSED,
                GError **error) {

        g_auto(VsmSettle) settle = { .virt = move->virt, .options = &move->options, .facts = facts };
        VsmBlockCopyEnd found;

        if (!vsm_settle_need_source(&settle, error) ||
            !vsm_block_copy_is_over(settle.source, move->options.uuid, move->effects, &found, error))
                return VSM_MOVE_UNKNOWN;

        if (found == VSM_BLOCK_COPY_NONE)
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                            "The service was restarted while the disks were copied; they stay where they were");
        else if (found == VSM_BLOCK_COPY_SOME)
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                            "The service was restarted while the disks were changed over: not all of them are at "
                            "their new places, or the stored definition names the old ones; look at both "
                            "definitions before the system is started again");

        move->apart = found == VSM_BLOCK_COPY_SOME;
        return end(move, &settle, found == VSM_BLOCK_COPY_ALL, error);
}
