/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Sharing MaximumBandwidth. libvirt keeps a limit for each migration only, so the sum is kept by giving
 * each its part, and new parts whenever one begins or ends. Bus thread only; libvirt is told on workers. */

#include "daemon/bandwidth.h"
#include "daemon/log.h"
#include "daemon/move-internal.h"
#include "daemon/service.h"

uint64_t vsm_bandwidth_limit(VsmManager *manager, uint64_t wish) {
        uint64_t limit = manager->settings.max_bandwidth, part;

        if (limit == 0)
                return wish;

        /* libvirt counts in MiB/s, and 0 would be no limit */
        part = MAX(limit / MAX(vsm_service_running(manager), 1), VSM_SETTINGS_BANDWIDTH_MIN);
        return wish > 0 ? MIN(wish, part) : part;
}

uint64_t vsm_bandwidth_share(const VsmJob *job) {
        if (job->move && job->move->held)
                return VSM_SETTINGS_BANDWIDTH_MIN;

        return vsm_bandwidth_limit(job->manager, job->request->bandwidth);
}

typedef struct BandwidthTask {
        VsmTask task;
        VsmMove *run;
        uint64_t job, bandwidth;
} BandwidthTask;

static void bandwidth_run(VsmTask *task) {
        BandwidthTask *t = (BandwidthTask*) task;

        (void) vsm_move_set_bandwidth(t->run, t->bandwidth, &task->error);
}

static void bandwidth_done(VsmTask *task, void *userdata) {
        BandwidthTask *t = (BandwidthTask*) task;

        /* it may just have ended */
        if (task->error)
                vsm_log(LOG_DEBUG, "Job %" PRIu64 ": %s", t->job, task->error->message);
}

static void bandwidth_free(VsmTask *task) {
        vsm_move_unref(((BandwidthTask*) task)->run);
        g_free(task);
}

static void tell(VsmJob *job, uint64_t bandwidth) {
        BandwidthTask *t = vsm_task_new(BandwidthTask, bandwidth_run, bandwidth_done, bandwidth_free);

        t->run = vsm_move_ref(job->move->run);
        t->job = job->number;
        t->bandwidth = bandwidth;
        vsm_worker_push(job->manager->worker, VSM_LANE_SHORT, &t->task);
}

void vsm_bandwidth_transfer_begins(VsmJob *job) {
        if (job->move->bandwidth != job->move->bandwidth_begun)
                tell(job, job->move->bandwidth);
}

void vsm_bandwidth_rebalance(VsmManager *manager) {
        GHashTableIter iter;
        VsmJob *job;

        g_hash_table_iter_init(&iter, manager->jobs);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &job)) {
                uint64_t share;

                if (!job->move || !job->move->begun || job->move->returned || job->move->cancel)
                        continue;

                share = vsm_bandwidth_share(job);
                if (share == job->move->bandwidth)
                        continue;

                job->move->bandwidth = share;
                tell(job, share);
        }
}
