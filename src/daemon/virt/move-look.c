/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What must be so on both hosts before a guest is moved; nothing is changed here. The long lane. */

#include "daemon/virt/mark.h"
#include "daemon/virt/move-private.h"
#include "shared/error.h"

bool vsm_move_check_cancelled(VsmMove *move, GError **error) {
        if (!vsm_cancel_fired(move->cancel))
                return true;

        g_set_error(error, VSM_ERROR, VSM_ERROR_CANCELLED, "The migration was cancelled before it began");
        return false;
}

bool vsm_move_check_idle(VsmMove *move, virDomainPtr domain, VsmSettle *settle, GError **error) {
        virDomainJobOperation operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
        VsmTransferStats stats;
        bool job;

        if (!vsm_side_has_job(domain, &job, error))
                return false;

        if (job) {
                settle->busy = true;
                (void) vsm_stats_read(domain, false, &stats, &operation, NULL);
                vsm_reasons_add(move->reasons, operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT ||
                                operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN ?
                                "migration-running" : "job-running", settle->name, NULL, settle->name, NULL);
                g_set_error(error, VSM_ERROR, VSM_ERROR_SYSTEM_IN_USE,
                            "libvirt is already running a job of system '%s' (a migration, a save, a "
                            "backup, ...): "
                            "wait until it has ended", settle->name);
                return false;
        }

        return true;
}

/* What it looks like here. */
static virDomainPtr look(
                VsmMove *move,
                VsmSettle *settle,
                VsmMoveFacts *facts,
                VsmSide *ret_side,
                VsmDomainInfo **ret_info,
                GError **error) {

        g_autoptr(virDomain) domain = NULL;
        g_autoptr(VsmDomainInfo) info = NULL;

        if (!vsm_settle_need_source(settle, error))
                return NULL;

        domain = vsm_domain_find(settle->source, move->options.uuid, error);
        if (!domain)
                return NULL;

        settle->name = g_strdup(virDomainGetName(domain));
        if (!vsm_move_check_idle(move, domain, settle, error) ||
            !vsm_side_look(settle->source, move->options.uuid, VSM_HOST_HERE, ret_side,
                           &settle->running_reason, error) ||
            !vsm_domain_snapshot(domain, &info, error))
                return NULL;

        if (info) {
                facts->persistent = info->persistent;
                facts->autostart = info->persistent && info->autostart;
                facts->paused = *ret_side == VSM_SIDE_PAUSED;
        }

        *ret_info = g_steal_pointer(&info);
        return g_steal_pointer(&domain);
}

static bool is_active(VsmSide side) {
        return side == VSM_SIDE_RUNNING || side == VSM_SIDE_PAUSED;
}

static virDomainPtr wrong_state(VsmMove *move, VsmSettle *settle, VsmSide side, const VsmDomainInfo *info, const char *wanted,
                                GError **error) {
        vsm_reasons_add(move->reasons, "not-running", settle->name, NULL, settle->name, NULL);
        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, "System '%s' is %s: %s", settle->name,
                    info ? vsm_side_to_string(side) : "gone", wanted);
        return NULL;
}

static virDomainPtr asleep(VsmMove *move, VsmSettle *settle, GError **error) {
        vsm_reasons_add(move->reasons, "guest-asleep", settle->name, NULL, settle->name, NULL);
        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, VSM_GUEST_ASLEEP_TEXT, settle->name);
        return NULL;
}

virDomainPtr vsm_move_look_here(VsmMove *move, VsmSettle *settle, VsmMoveFacts *facts, GError **error) {
        g_autoptr(virDomain) domain = NULL;
        g_autoptr(VsmDomainInfo) info = NULL;
        VsmSide side;

        domain = look(move, settle, facts, &side, &info, error);
        if (!domain)
                return NULL;

        if (!info || !is_active(side))
                return wrong_state(move, settle, side, info, "only one that runs or is paused can be migrated", error);
        if (info->state == VSM_DOMAIN_ASLEEP)
                return asleep(move, settle, error);

        return g_steal_pointer(&domain);
}

virDomainPtr vsm_move_look_any(
                VsmMove *move,
                VsmSettle *settle,
                VsmMoveFacts *facts,
                bool *ret_active,
                GError **error) {

        g_autoptr(virDomain) domain = NULL;
        g_autoptr(VsmDomainInfo) info = NULL;
        VsmSide side;

        domain = look(move, settle, facts, &side, &info, error);
        if (!domain)
                return NULL;

        *ret_active = is_active(side);
        if (!info || (!*ret_active && side != VSM_SIDE_OFF && side != VSM_SIDE_OFF_MIGRATED))
                return wrong_state(move, settle, side, info, "wait until it runs, is paused or is off", error);
        if (!*ret_active && info->state == VSM_DOMAIN_SAVED) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "System '%s' has a saved image, which knows its disks by their places: start it, or "
                            "remove that image", settle->name);
                return NULL;
        }

        return g_steal_pointer(&domain);
}

/* What was placed there by a Staged move is not taken over by the way: it is named, and then must be there. */
static bool check_planned(VsmMove *move, VsmSettle *settle, const VsmDomainInfo *info, GError **error) {
        const char *wanted = move->options.changes ? move->options.changes->planned : NULL;
        const char *host = vsm_peer_host(settle->peer), *uuid = move->options.uuid;
        g_autoptr(VsmPlanned) planned = NULL;
        g_autoptr(virDomain) domain = NULL;

        if (wanted && g_ascii_strcasecmp(wanted, uuid) != 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "A system can be moved only into the planned one of its own UUID: that of '%s' is %s",
                            settle->name, uuid);
                return false;
        }

        if (info && (!vsm_domain_lookup(vsm_peer_connection(settle->peer), uuid, &domain, error) ||
                     (domain && !vsm_mark_read(domain, &planned, error)))) {
                g_prefix_error(error, "Host '%s': ", host);
                return false;
        }

        if (wanted && !planned)
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS, "Host '%s' has no planned system %s",
                            host, wanted);
        else if (planned && !wanted)
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "Host '%s' has a planned system of the UUID of '%s': name it in "
                            "DestinationPlannedVirtualSystemId, or destroy it there", host, settle->name);

        return (wanted != NULL) == (planned != NULL);
}

/* Name and UUID must be free there. libvirt itself takes over a definition of the same name and UUID
 * that is off, as it is left by earlier migrations: so do we, but for one with a saved image, from
 * which the guest would start at its next boot there, over disks that are newer. */
bool vsm_move_check_there(VsmMove *move, VsmSettle *settle, GError **error) {
        const VsmChanges *changes = move->options.changes;
        const char *uuid = move->options.uuid, *host = vsm_peer_host(settle->peer);
        const char *name = changes && changes->name ? changes->name : settle->name;
        g_autoptr(VsmDomainInfo) info = NULL;
        char other[VSM_UUID_SIZE];

        if (!vsm_peer_look(settle->peer, uuid, &info, error) || !check_planned(move, settle, info, error))
                return false;

        /* which may have been renamed */
        if (info && changes && changes->planned && !changes->name)
                name = info->name;
        if (!vsm_peer_look_name(settle->peer, name, other, error))
                return false;

        if (*other && g_ascii_strcasecmp(other, uuid) != 0) {
                vsm_reasons_add(move->reasons, "name-in-use", host, NULL, name, host, other, NULL);
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "Host '%s' has another system with the name '%s' (UUID %s): rename one of them",
                            host, name, other);
                return false;
        }

        if (!info)
                return true;

        settle->defined_there_before = true;

        if (g_strcmp0(info->name, name) != 0) {
                vsm_reasons_add(move->reasons, "uuid-in-use", host, NULL, settle->name, host, info->name, NULL);
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "Host '%s' has a system '%s' with the UUID of '%s': undefine it there",
                            host, info->name, settle->name);
                return false;
        }

        if (info->state == VSM_DOMAIN_OFF)
                return true;

        vsm_reasons_add(move->reasons, info->state == VSM_DOMAIN_SAVED ? "saved-image-there" : "uuid-in-use",
                        host, NULL, settle->name, host, info->name, NULL);
        if (info->state == VSM_DOMAIN_SAVED)
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "Host '%s' has a saved image of system '%s', from which it would start there: "
                            "remove that image", host, settle->name);
        else
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "System '%s' is active on host '%s' as well: look which one is right, and "
                            "destroy "
                            "the other", settle->name, host);
        return false;
}
