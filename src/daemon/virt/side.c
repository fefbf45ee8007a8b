/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What one host has of a system: libvirt's states and reasons in the few words that matter when
 * two hosts know the same guest. Workers. */

#include "daemon/virt/side.h"

static const char *const names[_VSM_SIDE_MAX] = {
        [VSM_SIDE_UNKNOWN]          = "unknown",
        [VSM_SIDE_ABSENT]           = "not there",
        [VSM_SIDE_OFF]              = "off",
        [VSM_SIDE_OFF_MIGRATED]     = "off, having been sent away",
        [VSM_SIDE_RUNNING]          = "running",
        [VSM_SIDE_PAUSED]           = "paused",
        [VSM_SIDE_HANDED_OVER]      = "paused for its migration",
        [VSM_SIDE_INCOMING]         = "an incoming copy",
        [VSM_SIDE_POST_COPY] = "in post-copy, with its memory on two hosts",
        [VSM_SIDE_CRASHED]          = "crashed",
        [VSM_SIDE_STOPPING]         = "shutting down",
};

const char* vsm_side_to_string(VsmSide side) {
        return names[side < _VSM_SIDE_MAX ? side : VSM_SIDE_UNKNOWN];
}

static VsmSide side_from_paused(int reason, VsmHost host, bool outgoing) {
        switch (reason) {

        case VIR_DOMAIN_PAUSED_MIGRATION:
                return host == VSM_HOST_HERE || outgoing ? VSM_SIDE_HANDED_OVER : VSM_SIDE_INCOMING;

        /* Here it is half of a guest, of which the other half runs: neither to be resumed nor removed. There it is
         * one that leaves again. */
        case VIR_DOMAIN_PAUSED_POSTCOPY:
                return host == VSM_HOST_HERE ? VSM_SIDE_POST_COPY : VSM_SIDE_HANDED_OVER;

        case VIR_DOMAIN_PAUSED_POSTCOPY_FAILED:
                return VSM_SIDE_POST_COPY;

        /* The other host's QEMU is being started for us. Here nobody would migrate such a guest. */
        case VIR_DOMAIN_PAUSED_STARTING_UP:
                return host == VSM_HOST_THERE ? VSM_SIDE_INCOMING : VSM_SIDE_PAUSED;

        case VIR_DOMAIN_PAUSED_SHUTTING_DOWN:
                return VSM_SIDE_STOPPING;

        case VIR_DOMAIN_PAUSED_CRASHED:
                return VSM_SIDE_CRASHED;

        default:
                return VSM_SIDE_PAUSED;
        }
}

VsmSide vsm_side_from_state(int state, int reason, VsmHost host, bool outgoing) {
        switch (state) {

        case VIR_DOMAIN_RUNNING:
                return reason == VIR_DOMAIN_RUNNING_POSTCOPY_FAILED ? VSM_SIDE_POST_COPY :
                        VSM_SIDE_RUNNING;

        case VIR_DOMAIN_BLOCKED:
                return VSM_SIDE_RUNNING;

        case VIR_DOMAIN_PAUSED:
                return side_from_paused(reason, host, outgoing);

        case VIR_DOMAIN_PMSUSPENDED:
                return VSM_SIDE_PAUSED;

        case VIR_DOMAIN_SHUTDOWN:
                return VSM_SIDE_STOPPING;

        case VIR_DOMAIN_SHUTOFF:
                return reason == VIR_DOMAIN_SHUTOFF_MIGRATED ? VSM_SIDE_OFF_MIGRATED : VSM_SIDE_OFF;

        case VIR_DOMAIN_CRASHED:
                return VSM_SIDE_CRASHED;

        default:
                return VSM_SIDE_UNKNOWN;
        }
}

static VsmSide get_state(virDomainPtr domain, VsmHost host, int *ret_reason) {
        VsmTransferStats stats;
        virDomainJobOperation operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
        int state = VIR_DOMAIN_NOSTATE, reason = 0;

        if (virDomainGetState(domain, &state, &reason, 0) < 0)
                return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN ? VSM_SIDE_ABSENT : VSM_SIDE_UNKNOWN;

        /* There, "paused for a migration" may also be one that leaves it again. */
        if (host == VSM_HOST_THERE && state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_MIGRATION)
                (void) vsm_stats_read(domain, false, &stats, &operation, NULL);

        if (ret_reason)
                *ret_reason = reason;
        return vsm_side_from_state(state, reason, host, operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT);
}

VsmSide vsm_side_of(virDomainPtr domain, VsmHost host) {
        return get_state(domain, host, NULL);
}

bool vsm_side_look(
                virConnectPtr connection,
                const char *uuid,
                VsmHost host,
                VsmSide *ret,
                int *ret_reason,
                GError **error) {

        g_autoptr(virDomain) domain = NULL;

        *ret = VSM_SIDE_UNKNOWN;
        if (ret_reason)
                *ret_reason = -1;

        if (!vsm_domain_lookup(connection, uuid, &domain, error))
                return false;

        if (!domain) {
                *ret = VSM_SIDE_ABSENT;
                return true;
        }

        *ret = get_state(domain, host, ret_reason);
        if (*ret == VSM_SIDE_UNKNOWN) {
                vsm_virt_error(error, "Cannot read the state of the system");
                return false;
        }

        return true;
}

bool vsm_side_has_job(virDomainPtr domain, bool *ret, GError **error) {
        virDomainJobInfo info = {};

        if (virDomainGetJobInfo(domain, &info) < 0) {
                int code = virGetLastErrorCode();

                /* A guest that is off has no job, and one that has gone neither. */
                if (code != VIR_ERR_OPERATION_INVALID && code != VIR_ERR_NO_DOMAIN) {
                        vsm_virt_error(error, "Cannot ask libvirt for the system's job");
                        return false;
                }
        }

        *ret = info.type != VIR_DOMAIN_JOB_NONE;
        return true;
}

bool vsm_side_has_run(virDomainPtr domain) {
        int state, reason;

        if (virDomainGetState(domain, &state, &reason, 0) < 0 || state != VIR_DOMAIN_SHUTOFF)
                return false;

        /* not one that libvirt could not start, and not one that was never tried */
        return reason == VIR_DOMAIN_SHUTOFF_SHUTDOWN || reason == VIR_DOMAIN_SHUTOFF_DESTROYED ||
                reason == VIR_DOMAIN_SHUTOFF_CRASHED || reason == VIR_DOMAIN_SHUTOFF_SAVED;
}
