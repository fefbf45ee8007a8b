/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The truth about a guest that two hosts may have: waits until libvirt here is through with it, asks
 * both hosts until the answers decide (decide.c), and does what follows (tidy.c). Workers. */

#include "daemon/virt/patience.h"
#include "daemon/virt/settle.h"
#include "shared/error.h"

#define LOOK_USEC       G_USEC_PER_SEC          /* between two looks */
#define ASK_USEC        (60 * G_USEC_PER_SEC)   /* patience with a host that does not tell */
#define HOLD_USEC       (10 * 60 * G_USEC_PER_SEC) /* the same, while the guest is paused for it */
#define CLEAN_USEC      (10 * G_USEC_PER_SEC)   /* for libvirt there to remove the copy by itself */
#define SUSPEND_TRIES   5
#define CLEAN_END_USEC  (60 * G_USEC_PER_SEC)   /* for all that; destroying a frozen QEMU takes 15 s */

void vsm_settle_clear(VsmSettle *settle) {
        g_clear_pointer(&settle->source, virConnectClose);
        g_clear_pointer(&settle->peer, vsm_peer_free);
        g_clear_pointer(&settle->peer_error, g_free);
        g_clear_pointer(&settle->name, g_free);
}

/* The job may still run when our connection broke, or when an earlier process began it. */
void vsm_settle_wait_for_job(VsmSettle *settle) {
        int64_t patience = g_get_monotonic_time() + ASK_USEC;

        for (;;) {
                g_autoptr(virDomain) domain = NULL;
                bool job = false, known;

                known = vsm_settle_need_source(settle, NULL) &&
                        vsm_domain_lookup(settle->source, settle->options->uuid, &domain, NULL) &&
                        (!domain || vsm_side_has_job(domain, &job, NULL));

                /* A job in post-copy may stay as it is for ever: who waits for that one knows more of it. */
                if (known && (!job || vsm_side_of(domain, VSM_HOST_HERE) == VSM_SIDE_POST_COPY))
                        return;

                if (known)
                        patience = g_get_monotonic_time() + ASK_USEC;
                else if (g_get_monotonic_time() > patience)
                        return;

                (void) vsm_wait_sleep(LOOK_USEC, NULL);
        }
}

/* Certain, as against "interrupted": seen as an event, or told by a reason to run that it had not before. */
static bool was_stopped(const VsmSettle *settle, int reason) {
        if (settle->handed_over && g_atomic_int_get(settle->handed_over))
                return true;

        return settle->running_reason >= 0 &&
                settle->running_reason != VIR_DOMAIN_RUNNING_MIGRATION_CANCELED &&
                reason == VIR_DOMAIN_RUNNING_MIGRATION_CANCELED;
}

static void look(VsmSettle *settle, VsmSettleView *ret) {
        const char *uuid = settle->options->uuid;
        g_autoptr(GError) error = NULL;
        int reason = -1;

        *ret = (VsmSettleView) {
                .call_ok = settle->call_ok,
                .was_paused = settle->facts->paused,
                .defined_there_before = settle->defined_there_before,
                .held = settle->held,
        };

        if (vsm_settle_need_source(settle, NULL))
                (void) vsm_side_look(settle->source, uuid, VSM_HOST_HERE, &ret->here, &reason, NULL);

        /* libvirt gives a guest another reason to run when it resumes it after a hand-over that failed;
         * a libvirtd that was restarted knows nothing of before. */
        ret->interrupted = settle->lost_source || settle->running_reason < 0 ||
                settle->running_reason == VIR_DOMAIN_RUNNING_MIGRATION_CANCELED ||
                reason != settle->running_reason;
        ret->stopped = was_stopped(settle, reason);

        /* The connection was there and is not: before a new one is tried for seconds, hold what may be
         * running twice. */
        if (settle->peer && virConnectIsAlive(vsm_peer_connection(settle->peer)) != 1)
                g_clear_pointer(&settle->peer, vsm_peer_free);
        if (!settle->peer && settle->had_peer && !settle->held && ret->stopped &&
            ret->here == VSM_SIDE_RUNNING && !settle->facts->paused)
                return;

        if (!vsm_settle_need_peer(settle, &error) ||
            !vsm_side_look(vsm_peer_connection(settle->peer), uuid, VSM_HOST_THERE, &ret->there, NULL,
                           &error)) {
                /* Whatever broke it, the next look has a new one. */
                g_clear_pointer(&settle->peer, vsm_peer_free);
                g_free(settle->peer_error);
                settle->peer_error = g_strdup(error->message);
        }
}

static bool act(VsmSettle *settle, VsmSettleStep step, GError **error) {
        switch (step) {

        case VSM_STEP_CLEAN_THERE:
                return vsm_settle_need_peer(settle, error) &&
                        vsm_peer_destroy_incoming(settle->peer, settle->options->uuid, error);

        case VSM_STEP_HOLD_HERE:
                if (!vsm_settle_suspend_here(settle, error))
                        return false;
                settle->held = true;
                return true;

        case VSM_STEP_RESUME_HERE:
                return vsm_settle_resume_here(settle, error);

        case VSM_STEP_REMOVE_HERE:
                return vsm_settle_remove_here(settle, error);

        case VSM_STEP_SUSPEND_HERE:
                return vsm_settle_suspend_here(settle, error);

        case VSM_STEP_TIDY_MOVED:
                return vsm_settle_finish_moved(settle, error);

        case VSM_STEP_TIDY_STAYED:
                return vsm_settle_restore_here(settle, error);

        default:
                return true;
        }
}

static bool step_is_final(const VsmSettleVerdict *verdict) {
        return verdict->step == verdict->otherwise;
}

/* Looks and acts until a verdict is final, or patience is over and its second best has to do. */
static VsmSettleVerdict find_verdict(VsmSettle *settle, GError **error) {
        int64_t start = g_get_monotonic_time(), cleaning = 0;
        VsmSettleView view = {}, last;

        for (;;) {
                VsmSettleVerdict verdict;
                int64_t now;
                bool same;

                last = view;
                look(settle, &view);
                same = view.here == last.here && view.there == last.there;
                verdict = vsm_settle_decide(&view);
                now = g_get_monotonic_time();

                if (step_is_final(&verdict))
                        return verdict;

                if (verdict.step == VSM_STEP_CLEAN_THERE && cleaning == 0)
                        cleaning = now;

                if (now - start > (settle->held ? HOLD_USEC :
                                   cleaning > 0 ? CLEAN_END_USEC + CLEAN_USEC : ASK_USEC)) {
                        verdict.step = verdict.otherwise;
                        return verdict;
                }

                /* What changes a guest is done only after two looks that agree: libvirt may be about
                 * to do it itself. */
                if (verdict.step == VSM_STEP_HOLD_HERE ||
                    (verdict.step == VSM_STEP_CLEAN_THERE && now - cleaning > CLEAN_USEC) ||
                    (verdict.step == VSM_STEP_RESUME_HERE && same) ||
                    (verdict.step == VSM_STEP_REMOVE_HERE && same)) {
                        g_clear_error(error);
                        (void) act(settle, verdict.step, error);
                }

                (void) vsm_wait_sleep(LOOK_USEC, NULL);
        }
}

/* One sentence of ours, then why, then what the other side or libvirt said. */
static void report(
                VsmSettle *settle,
                const VsmSettleVerdict *verdict,
                const GError *cause,
                const GError *failure,
                GError **error) {

        const char *name = settle->name ?: settle->options->uuid, *host = settle->options->destination->host;
        bool stayed = verdict->outcome == VSM_MOVE_STAYED || verdict->outcome == VSM_MOVE_BUSY;
        g_autoptr(GString) text = g_string_new(NULL);
        int code = VSM_ERROR_FAILED;

        /* all that is said after it speaks as the source would */
        if (settle->from)
                g_string_append_printf(text, "System '%s' %s host '%s'; as seen from there", name,
                                       stayed ? "was not brought home and stays on" : "was to come home from",
                                       settle->from->host);
        else if (stayed)
                g_string_append_printf(text, "System '%s' stays on this host and was not moved to "
                                             "'%s'", name, host);
        else
                g_string_append_printf(text, "Moving system '%s' to host '%s'", name, host);

        if (verdict->why)
                g_string_append_printf(text, ": %s", verdict->why);
        if (failure)
                g_string_append_printf(text, ": %s", failure->message);
        if (settle->lost_source)
                g_string_append(text, ": libvirt here went away meanwhile");

        if (cause) {
                g_string_append_printf(text, ": %s", cause->message);

                /* A cancel that left anything unsaid is not just a cancel. */
                if (verdict->outcome == VSM_MOVE_STAYED || cause->code != VSM_ERROR_CANCELLED)
                        code = cause->code;
        } else if (!verdict->why && !failure)
                g_string_append(text, ": the migration was ended while nobody watched it");

        if (settle->peer_error && !settle->peer)
                g_string_append_printf(text, " (asked again: %s)", settle->peer_error);

        g_set_error_literal(error, VSM_ERROR, code, text->str);
}

/* Two of them are worth repeating: tidying up after a move needs a link that may come back, and a
 * guest that runs twice must be paused. Both are safe to repeat. */
static bool act_finally(VsmSettle *settle, VsmSettleStep step, GError **error) {
        int64_t patience = g_get_monotonic_time() + ASK_USEC;

        for (unsigned i = 1;; i++) {
                g_autoptr(GError) local = NULL;
                bool again;

                if (act(settle, step, &local))
                        return true;

                again = (step == VSM_STEP_TIDY_MOVED && g_get_monotonic_time() < patience &&
                         !(vsm_settle_need_source(settle, NULL) && vsm_settle_need_peer(settle, NULL))) ||
                        (step == VSM_STEP_SUSPEND_HERE && i < SUSPEND_TRIES);
                if (!again) {
                        g_propagate_error(error, g_steal_pointer(&local));
                        return false;
                }

                (void) vsm_wait_sleep(LOOK_USEC, NULL);
        }
}

VsmMoveOutcome vsm_settle_run(VsmSettle *settle, const GError *cause, GError **error) {
        g_autoptr(GError) failure = NULL;
        VsmSettleVerdict verdict;
        bool restored;

        vsm_settle_wait_for_job(settle);
        verdict = find_verdict(settle, &failure);

        /* A step that failed in between counts only if it did not work out later. */
        if (step_is_final(&verdict) && verdict.step != VSM_STEP_LEAVE)
                g_clear_error(&failure);

        restored = act_finally(settle, verdict.step, failure ? NULL : &failure);
        if (!restored && verdict.outcome == VSM_MOVE_MOVED)
                verdict.outcome = VSM_MOVE_MOVED_UNVERIFIED;

        if (verdict.outcome == VSM_MOVE_MOVED)
                return VSM_MOVE_MOVED;

        if (verdict.outcome == VSM_MOVE_STAYED && settle->busy)
                verdict.outcome = VSM_MOVE_BUSY;

        report(settle, &verdict, cause, failure, error);
        return verdict.outcome;
}
