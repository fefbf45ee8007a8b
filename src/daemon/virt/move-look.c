/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What must be so on both hosts before a guest is moved; nothing is changed here. The long lane. */

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
virDomainPtr vsm_move_look_here(VsmMove *move, VsmSettle *settle, VsmMoveFacts *facts, GError **error) {
        g_autoptr(virDomain) domain = NULL;
        g_autoptr(VsmDomainInfo) info = NULL;
        VsmSide side;

        if (!vsm_settle_need_source(settle, error))
                return NULL;

        domain = vsm_domain_find(settle->source, move->options.uuid, error);
        if (!domain)
                return NULL;

        settle->name = g_strdup(virDomainGetName(domain));
        if (!vsm_move_check_idle(move, domain, settle, error) ||
            !vsm_side_look(settle->source, move->options.uuid, VSM_HOST_HERE, &side,
                           &settle->running_reason, error) ||
            !vsm_domain_snapshot(domain, &info, error))
                return NULL;

        if (!info || (side != VSM_SIDE_RUNNING && side != VSM_SIDE_PAUSED)) {
                vsm_reasons_add(move->reasons, "not-running", settle->name, NULL, settle->name, NULL);
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "System '%s' is %s: only one that runs or is paused can be "
                            "migrated", settle->name,
                            info ? vsm_side_to_string(side) : "gone");
                return NULL;
        }

        facts->persistent = info->persistent;
        facts->autostart = info->persistent && info->autostart;
        facts->paused = side == VSM_SIDE_PAUSED;
        return g_steal_pointer(&domain);
}

/* Name and UUID must be free there. libvirt itself takes over a definition of the same name and UUID
 * that is off, as it is left by earlier migrations: so do we, but for one with a saved image, from
 * which the guest would start at its next boot there, over disks that are newer. */
bool vsm_move_check_there(VsmMove *move, VsmSettle *settle, GError **error) {
        const char *uuid = move->options.uuid, *host = vsm_peer_host(settle->peer);
        g_autoptr(VsmDomainInfo) info = NULL;
        char other[VSM_UUID_SIZE];

        if (!vsm_peer_look(settle->peer, uuid, &info, error) ||
            !vsm_peer_look_name(settle->peer, settle->name, other, error))
                return false;

        if (*other && g_ascii_strcasecmp(other, uuid) != 0) {
                vsm_reasons_add(move->reasons, "name-in-use", host, NULL, settle->name, host, other, NULL);
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "Host '%s' has another system with the name '%s' (UUID %s): rename one of them",
                            host, settle->name, other);
                return false;
        }

        if (!info)
                return true;

        settle->defined_there_before = true;

        if (g_strcmp0(info->name, settle->name) != 0) {
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
