/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Transfer.SetParameters: bandwidth and pause of a migration while it runs. libvirt is asked on a worker.
 * Bus thread only. */

#include "daemon/answer.h"
#include "daemon/bandwidth.h"
#include "daemon/move-internal.h"
#include "daemon/move-type.h"
#include "shared/cleanup.h"

VsmRequest* vsm_move_parameters_parse(VsmJob *job, GVariant *parameters, GError **error) {
        static const char *const keys[] = { "Bandwidth", "BandwidthUnit", "MaximumDowntime", NULL };
        g_autoptr(GVariant) none = g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0));
        g_autoptr(GVariant) nothing = g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0));
        g_autoptr(GVariant) complete = NULL;
        g_autoptr(VsmRequest) wish = NULL;
        g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
        GVariantIter iter;
        const char *key;

        g_variant_iter_init(&iter, parameters);
        while (g_variant_iter_next(&iter, "{&sv}", &key, NULL))
                if (!g_strv_contains(keys, key)) {
                        g_autofree char *safe = g_strescape(key, NULL);

                        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                                    "'%.64s' cannot be changed while a migration runs; Bandwidth, BandwidthUnit and "
                                    "MaximumDowntime can.", safe);
                        return NULL;
                }

        /* the same table of keys and the same arithmetic as for the request itself */
        g_variant_builder_add(&builder, "{sv}", "MigrationType", g_variant_new_uint16(job->request->migration_type));
        for (size_t i = 0; i < g_variant_n_children(parameters); i++) {
                g_autoptr(GVariant) entry = g_variant_get_child_value(parameters, i);

                g_variant_builder_add_value(&builder, entry);
        }
        complete = g_variant_ref_sink(g_variant_builder_end(&builder));
        wish = vsm_request_new(job->request->destination, complete, none, nothing, error);
        /* the job has its transport, and the settings of the day may not go with it */
        if (!wish || !vsm_request_resolve_bandwidth(wish, &job->manager->settings, error))
                return NULL;

        return g_steal_pointer(&wish);
}

typedef struct ParametersTask {
        VsmTask task;
        VsmMove *run;
        bool set_bandwidth;
        uint64_t bandwidth;
        unsigned max_downtime;
        uint64_t job;
        VsmAnswer *answer;              /* bus thread only */
} ParametersTask;

static void parameters_run(VsmTask *task) {
        ParametersTask *t = (ParametersTask*) task;

        if (t->set_bandwidth && !vsm_move_set_bandwidth(t->run, t->bandwidth, &task->error))
                return;
        if (t->max_downtime > 0)
                (void) vsm_move_set_max_downtime(t->run, t->max_downtime, &task->error);
}

static void parameters_done(VsmTask *task, void *userdata) {
        ParametersTask *t = (ParametersTask*) task;
        VsmJob *job = vsm_job_find(userdata, t->job);

        if (job && job->move)
                job->move->setting = false;
        if (task->error)
                vsm_answer_error(t->answer, task->error);
        else
                vsm_answer_done(t->answer);
}

static void parameters_free(VsmTask *task) {
        vsm_move_unref(((ParametersTask*) task)->run);
        vsm_answer_free(((ParametersTask*) task)->answer);
        g_free(task);
}

bool vsm_move_job_set_parameters(VsmJob *job, VsmRequest *wish, sd_bus_message *call, GError **error) {
        ParametersTask *t;

        if (!job->move->begun || job->move->returned || job->move->cancel) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "Parameters can be changed only while memory is moving.");
                return false;
        }

        if (wish->max_downtime > 0 && !vsm_move_type(job->request->migration_type)->memory) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "MaximumDowntime cannot be changed: no memory is moved.");
                return false;
        }

        /* the owner is not asked for anything: one call at a time is what he can keep busy */
        if (job->move->setting) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_LIMITS_EXCEEDED,
                            "Parameters of this job are being changed; wait for that answer.");
                return false;
        }

        t = vsm_task_new(ParametersTask, parameters_run, parameters_done, parameters_free);
        t->run = vsm_move_ref(job->move->run);
        t->set_bandwidth = wish->bandwidth > 0;
        if (t->set_bandwidth) {
                /* kept as the job's own wish; what all may use together is still shared */
                job->request->bandwidth = wish->bandwidth;
                t->bandwidth = job->move->bandwidth = vsm_bandwidth_share(job);
        }
        t->max_downtime = wish->max_downtime;
        if (wish->max_downtime > 0)
                job->request->max_downtime = wish->max_downtime;
        t->job = job->number;
        t->answer = vsm_answer_new(job->manager, call, "libvirt on this host did not take the parameters within 20 s; it "
                                   "may do so yet.");
        job->move->setting = true;
        vsm_worker_push(job->manager->worker, VSM_LANE_SHORT, &t->task);
        return true;
}
