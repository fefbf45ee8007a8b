/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is done about a guest that writes faster than its memory can be sent: nothing but telling, the switch to
 * post-copy, or giving up. What is so is decided in converge.c, by passes over the memory. Bus thread only; libvirt
 * is asked on workers. */

#include "daemon/answer.h"
#include "daemon/log.h"
#include "daemon/move-internal.h"
#include "daemon/move-type.h"
#include "shared/cleanup.h"
#include "shared/enums.h"

/* "now" is after the first pass: what the guest does not write to any more is there then, so that it waits for fewer
 * pages over the link, and a link or host that fails in the longest pass still costs nothing. */
#define PASSES_BEFORE_NOW       1

/* without an end in sight, and no means to bring it about */
#define PASSES_BEFORE_BLACKOUT  5

static bool may_post_copy(const VsmJob *job) {
        return job->move->run && vsm_move_may_post_copy(job->move->run);
}

static bool asks_for(const VsmJob *job, const char *post_copy) {
        return g_strcmp0(job->request->post_copy, post_copy) == 0;
}

/* ---- the switch ---- */

typedef struct SwitchTask {
        VsmTask task;
        VsmMove *run;
        uint64_t job;
        VsmAnswer *answer;              /* bus thread only; NULL = nobody asked */
} SwitchTask;

static void switch_run(VsmTask *task) {
        (void) vsm_move_start_post_copy(((SwitchTask*) task)->run, &task->error);
}

static void switch_done(VsmTask *task, void *userdata) {
        SwitchTask *t = (SwitchTask*) task;
        VsmJob *job = vsm_job_find(userdata, t->job);

        if (task->error) {
                /* it may be in its last pass, or have ended: its event, or the next pass, tells */
                vsm_log(LOG_NOTICE, "Job %" PRIu64 ": %s", t->job, task->error->message);
                if (job && job->move)
                        job->move->switching = false;
        }

        if (!t->answer)
                return;

        /* libvirt's words for "not at this moment" are many */
        if (task->error) {
                g_autoptr(GError) error = g_error_new_literal(VSM_ERROR, VSM_ERROR_INVALID_STATE,
                                                              "It could not be switched to post-copy: it does not move "
                                                              "its memory at this moment, or has ended.");

                vsm_answer_error(t->answer, error);
        } else
                vsm_answer_done(t->answer);
}

static void switch_free(VsmTask *task) {
        SwitchTask *t = (SwitchTask*) task;

        vsm_move_unref(t->run);
        vsm_answer_free(t->answer);
        g_free(t);
}

static void switch_over(VsmJob *job, sd_bus_message *call) {
        SwitchTask *t = vsm_task_new(SwitchTask, switch_run, switch_done, switch_free);

        /* what is acted on is told, whenever the next numbers are */
        vsm_job_set_verdict(job, vsm_verdict_to_string(VSM_VERDICT_SWITCHING));

        t->run = vsm_move_ref(job->move->run);
        t->job = job->number;
        if (call)
                t->answer = vsm_answer_new(job->manager, call, "libvirt on this host did not switch within 20 s; it may do "
                                           "so yet.");
        job->move->switching = true;
        vsm_worker_push(job->manager->worker, VSM_LANE_SHORT, &t->task);
}

bool vsm_move_job_start_post_copy(VsmJob *job, sd_bus_message *call, GError **error) {
        const char *why = NULL;

        if (asks_for(job, "never") || (job->move->begun && !may_post_copy(job)))
                why = "This migration was not begun with leave for post-copy: its PostCopy is \"never\", or one of the "
                      "hosts cannot do it.";
        else if (job->post_copy || job->move->switching)
                why = "It is in post-copy already, or about to be.";
        else if (job->phase != VSM_PHASE_MEMORY || job->move->returned || job->move->cancel)
                why = "A migration can be switched to post-copy only while its memory is moving.";

        if (why) {
                g_set_error_literal(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, why);
                return false;
        }

        switch_over(job, call);
        return true;
}

/* ---- what passes tell ---- */

static unsigned longest_pause(const VsmJob *job) {
        return job->request->max_downtime ?: VSM_DOWNTIME_DEFAULT_MS;
}

static void give_up_for_blackout(VsmJob *job) {
        vsm_job_set_verdict(job, vsm_verdict_to_string(VSM_VERDICT_IMPOSSIBLE));
        vsm_move_job_give_up(job, VSM_ERROR_FAILED,
                             "The guest writes faster than its memory can be sent, and could be moved only with a "
                             "pause that is longer than MaximumDowntime, so the migration was given up");
        job->move->blackout |= job->move->give_up;
}

static void act_on(VsmJob *job, VsmVerdict verdict) {
        VsmMoveJob *move = job->move;

        if (move->cancel || move->returned || move->switching || job->phase != VSM_PHASE_MEMORY)
                return;

        if (may_post_copy(job) &&
            (verdict == VSM_VERDICT_SWITCHING ||
             (asks_for(job, "now") && vsm_converge_passes(&move->converge) >= PASSES_BEFORE_NOW)))
                switch_over(job, NULL);
        else if (job->request->cancel_if_blackout && verdict == VSM_VERDICT_IMPOSSIBLE &&
                 vsm_converge_stalled(&move->converge) >= PASSES_BEFORE_BLACKOUT)
                give_up_for_blackout(job);
}

const char* vsm_move_converge(VsmJob *job, const VsmTransferStats *stats, bool moving, uint64_t now) {
        const VsmConvergeMeans means = {
                .post_copy = may_post_copy(job),
                .throttling = job->request->throttling,
        };
        const VsmConvergeSample sample = {
                .when = now, .iteration = stats->iteration, .processed = stats->memory_processed,
                .remaining = stats->memory_remaining, .throttle = stats->throttle,
        };
        VsmVerdict verdict = VSM_VERDICT_UNKNOWN;

        /* the last word stays when it ends, and when libvirt knows nothing of the memory any more */
        if (job->move->cancel || (job->move->converge.seen && stats->memory_total == 0))
                return job->verdict;

        /* once it runs there, what is left only becomes less */
        if (stats->post_copy)
                verdict = VSM_VERDICT_CONVERGING;
        else if (stats->memory_total > 0 && stats->iteration > 0) {
                verdict = vsm_converge_take(&job->move->converge, &sample, &means);
                act_on(job, verdict);
                if (job->move->switching)
                        verdict = VSM_VERDICT_SWITCHING;
        }

        return vsm_verdict_to_string(moving ? verdict : VSM_VERDICT_STALLED);
}

/* ---- the pause itself ---- */

/* QEMU pauses a guest when it expects to be through in time, and does not look at the clock then. Until libvirt's call
 * is back it may be taken back; if that comes too late, it has moved, and both hosts say so. QEMU 7.2 hears of it before
 * and after its last pass only: while it sends that, its monitor does not answer (measured: a link that was cut in the
 * middle; libvirt gives up asking after 30 s). */
static int on_blackout(sd_event_source *source, uint64_t usec, void *userdata) {
        VsmJob *job = userdata;
        VsmMoveJob *move = job->move;

        if (move->returned || move->cancel || job->post_copy)
                return 0;

        move->give_up = move->blackout = true;
        move->give_up_code = VSM_ERROR_FAILED;
        move->give_up_sentence = "The guest stood still for longer than MaximumDowntime when it was handed over, so "
                                 "the migration was given up";
        vsm_move_watch_look(job);
        return 0;
}

void vsm_move_blackout_begins(VsmJob *job) {
        /* the other kinds are stopped for as long as it takes */
        if (!job->request->cancel_if_blackout || job->move->blackout_end ||
            !vsm_move_type(job->request->migration_type)->memory)
                return;

        if (sd_event_add_time_relative(job->manager->event, &job->move->blackout_end, CLOCK_MONOTONIC,
                                       (uint64_t) longest_pause(job) * 1000, 1000, on_blackout, job) < 0)
                vsm_log(LOG_WARNING, "Cannot limit the pause of job %" PRIu64 ".", job->number);
}

void vsm_move_blackout_ends(VsmJob *job, VsmMoveOutcome outcome, const VsmTransferStats *stats) {
        g_autofree char *real = NULL, *limit = NULL;

        if (!job->request->cancel_if_blackout)
                return;

        limit = g_strdup_printf("%u", longest_pause(job));
        real = g_strdup_printf("%u", stats->downtime);
        if (outcome == VSM_MOVE_STAYED && job->move->blackout)
                vsm_move_add_reason(job->move->run, "blackout-too-long", job->system_name, limit, NULL);
        else if (outcome == VSM_MOVE_MOVED && stats->downtime > longest_pause(job))
                vsm_move_add_reason(job->move->run, "blackout-longer", job->system_name, real, limit);
}
