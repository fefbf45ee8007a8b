/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Statistics of a migration as libvirt gives them, and the small orders to a running one.
 * Workers: all but vsm_stats_from_params() wait for libvirt. */

#include "daemon/virt/internal.h"
#include "shared/error.h"

#define MIB (UINT64_C(1) << 20)

/* libvirt's own word for "no limit": what it has before anybody set one. 0 would mean 0. */
#define SPEED_UNLIMITED ((unsigned long) (INT64_MAX / (int64_t) MIB))

static uint64_t get_ull(virTypedParameterPtr params, int n_params, const char *name) {
        unsigned long long value = 0;

        (void) virTypedParamsGetULLong(params, n_params, name, &value);
        return value;
}

static int get_int(virTypedParameterPtr params, int n_params, const char *name) {
        int value = 0;

        (void) virTypedParamsGetInt(params, n_params, name, &value);
        return value;
}

void vsm_stats_from_params(virTypedParameterPtr params, int n_params, VsmTransferStats *ret) {
        uint64_t downtime, pages, page_size;
        int throttle;

        downtime = get_ull(params, n_params, VIR_DOMAIN_JOB_DOWNTIME);
        throttle = get_int(params, n_params, VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE);

        *ret = (VsmTransferStats) {
                .memory_total = get_ull(params, n_params, VIR_DOMAIN_JOB_MEMORY_TOTAL),
                .memory_processed = get_ull(params, n_params, VIR_DOMAIN_JOB_MEMORY_PROCESSED),
                .memory_remaining = get_ull(params, n_params, VIR_DOMAIN_JOB_MEMORY_REMAINING),
                .disk_total = get_ull(params, n_params, VIR_DOMAIN_JOB_DISK_TOTAL),
                .disk_processed = get_ull(params, n_params, VIR_DOMAIN_JOB_DISK_PROCESSED),
                .disk_remaining = get_ull(params, n_params, VIR_DOMAIN_JOB_DISK_REMAINING),
                .bandwidth = get_ull(params, n_params, VIR_DOMAIN_JOB_MEMORY_BPS),
                .iteration = (unsigned) get_ull(params, n_params, VIR_DOMAIN_JOB_MEMORY_ITERATION),
                .downtime = (unsigned) MIN(downtime, UINT_MAX),
                .throttle = (unsigned) MAX(throttle, 0),
        };

        /* The memory does not move yet: then it is the disks that do. QEMU's mirrors give no rate. */
        if (ret->bandwidth == 0)
                ret->bandwidth = get_ull(params, n_params, VIR_DOMAIN_JOB_DISK_BPS);

        pages = get_ull(params, n_params, VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE);
        page_size = get_ull(params, n_params, VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE);
        ret->dirty_rate = page_size > 0 && pages <= UINT64_MAX / page_size ? pages * page_size : 0;
}

/* A domain that has gone or is off has no job; nor has the receiving side one that could be asked. */
static bool error_is_no_job(int code) {
        return code == VIR_ERR_NO_DOMAIN ||
                code == VIR_ERR_OPERATION_INVALID ||
                code == VIR_ERR_OPERATION_UNSUPPORTED;
}

/* Which half of it this is: libvirt's job does not say. What is written meanwhile is written there. */
static void read_mode(virDomainPtr domain, VsmTransferStats *stats) {
        int state = VIR_DOMAIN_NOSTATE, reason = 0;

        if (virDomainGetState(domain, &state, &reason, 0) < 0 || state != VIR_DOMAIN_PAUSED)
                return;

        stats->post_copy = reason == VIR_DOMAIN_PAUSED_POSTCOPY || reason == VIR_DOMAIN_PAUSED_POSTCOPY_FAILED;
        if (stats->post_copy)
                stats->dirty_rate = 0;
}

bool vsm_stats_read(
                virDomainPtr domain,
                bool completed,
                VsmTransferStats *ret,
                virDomainJobOperation *ret_operation,
                GError **error) {

        virDomainJobOperation operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
        virTypedParameterPtr params = NULL;
        VsmTransferStats stats = { 0 };
        int type, n_params = 0, r;

        /* Without KEEP the first reader would take the final numbers from all others. */
        r = virDomainGetJobStats(
                        domain, &type, &params, &n_params,
                        completed ? VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED :
                                    0);
        if (r < 0 && !error_is_no_job(virGetLastErrorCode())) {
                vsm_virt_error(error, "Cannot read the migration's statistics");
                return false;
        }

        if (r >= 0 && type != VIR_DOMAIN_JOB_NONE) {
                operation = get_int(params, n_params, VIR_DOMAIN_JOB_OPERATION);
                vsm_stats_from_params(params, n_params, &stats);
                stats.active = !completed && operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT;
        }

        virTypedParamsFree(params, n_params);

        if (stats.active)
                read_mode(domain, &stats);

        *ret = stats;
        if (ret_operation)
                *ret_operation = operation;
        return true;
}

bool vsm_stats_look(virConnectPtr connection, const char *uuid, VsmTransferStats *ret, GError **error) {
        g_autoptr(virDomain) domain = NULL;

        if (!vsm_domain_lookup(connection, uuid, &domain, error))
                return false;

        if (!domain) {
                *ret = (VsmTransferStats) { 0 };
                return true;
        }

        return vsm_stats_read(domain, false, ret, NULL, error);
}

bool vsm_virt_sample(VsmVirt *virt, const char *uuid, VsmTransferStats *ret, GError **error) {
        g_autoptr(virConnect) connection = vsm_virt_ref_connection(virt, error);

        return connection && vsm_stats_look(connection, uuid, ret, error);
}

bool vsm_stats_abort(virConnectPtr connection, const char *uuid, bool *ret_running, GError **error) {
        g_autoptr(virDomain) domain = NULL;
        VsmTransferStats stats = { 0 };

        if (!vsm_domain_lookup(connection, uuid, &domain, error))
                return false;

        /* virDomainAbortJob() takes whatever runs, the administrator's save included. */
        if (domain && !vsm_stats_read(domain, false, &stats, NULL, error))
                return false;

        if (!stats.active) {
                *ret_running = false;
                return true;
        }

        if (virDomainAbortJob(domain) < 0) {
                int code = virGetLastErrorCode();

                vsm_virt_error(error, "Cannot abort the migration");

                /* It may have ended since. Else it is one that cannot be aborted: post-copy. */
                if (!error_is_no_job(code) ||
                    !vsm_stats_read(domain, false, &stats, NULL, NULL) ||
                    stats.active)
                        return false;

                g_clear_error(error);
                *ret_running = false;
                return true;
        }

        *ret_running = true;
        return true;
}

bool vsm_virt_abort(VsmVirt *virt, const char *uuid, bool *ret_running, GError **error) {
        g_autoptr(virConnect) connection = vsm_virt_ref_connection(virt, error);

        return connection && vsm_stats_abort(connection, uuid, ret_running, error);
}

bool vsm_virt_set_bandwidth(VsmVirt *virt, const char *uuid, uint64_t bandwidth, GError **error) {
        g_autoptr(virConnect) connection = NULL;
        g_autoptr(virDomain) domain = NULL;
        unsigned long speed;

        connection = vsm_virt_ref_connection(virt, error);
        if (!connection)
                return false;

        domain = vsm_domain_find(connection, uuid, error);
        if (!domain)
                return false;

        speed = bandwidth == 0 ? SPEED_UNLIMITED : MIN((bandwidth - 1) / MIB + 1, SPEED_UNLIMITED);
        if (virDomainMigrateSetMaxSpeed(domain, speed, 0) < 0) {
                vsm_virt_error(error, "Cannot limit the migration's bandwidth");
                return false;
        }

        /* Its second half has a limit of its own; one that cannot have a second half is refused, which is no loss. */
        (void) virDomainMigrateSetMaxSpeed(domain, bandwidth == 0 ? 0 : speed, VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY);
        return true;
}

bool vsm_virt_start_post_copy(VsmVirt *virt, const char *uuid, GError **error) {
        g_autoptr(virConnect) connection = NULL;
        g_autoptr(virDomain) domain = NULL;

        connection = vsm_virt_ref_connection(virt, error);
        if (!connection)
                return false;

        domain = vsm_domain_find(connection, uuid, error);
        if (!domain)
                return false;

        if (virDomainMigrateStartPostCopy(domain, 0) < 0) {
                vsm_virt_error(error, "Cannot switch the migration to post-copy");
                return false;
        }

        return true;
}
