/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table that decides who has a guest: a function for each state here, a case for each state
 * there. Never two writers; never the last copy removed; what is not certain is left to a person.
 * Pure: any thread. */

#include "daemon/virt/decide.h"

#define HALF_LOST "it is gone here, before all of its memory was on the other host, where it waits for the rest for " \
                  "ever: destroy it there, look at its disks, and start it anew"

static VsmSettleVerdict done(VsmSettleStep step, VsmMoveOutcome outcome, const char *why) {
        return (VsmSettleVerdict) { .step = step, .otherwise = step, .outcome = outcome, .why = why };
}

static VsmSettleVerdict first(
                VsmSettleStep step,
                VsmSettleStep otherwise,
                VsmMoveOutcome outcome,
                const char *why) {

        return (VsmSettleVerdict) { .step = step, .otherwise = otherwise, .outcome = outcome, .why = why };
}

static VsmSettleVerdict decide_running(const VsmSettleView *view) {
        switch (view->there) {

        case VSM_SIDE_ABSENT:
        case VSM_SIDE_OFF:
        case VSM_SIDE_OFF_MIGRATED:
                return done(VSM_STEP_TIDY_STAYED, VSM_MOVE_STAYED, NULL);

        case VSM_SIDE_INCOMING:
                return first(VSM_STEP_CLEAN_THERE, VSM_STEP_TIDY_STAYED, VSM_MOVE_STAYED,
                             "it runs here; an incomplete copy is left on the other host and must be "
                             "destroyed there");

        case VSM_SIDE_UNKNOWN:
                /* A guest that was never stopped here cannot have been started there, and libvirt
                 * there removes the copy as soon as it misses us. */
                if (!view->interrupted)
                        return done(VSM_STEP_TIDY_STAYED, VSM_MOVE_STAYED, NULL);

                /* One that was stopped, and that libvirt here has resumed since it heard nothing, may
                 * be running there as well: two writers are worse than a guest that waits. One that
                 * was paused before arrives paused. */
                if (view->stopped && !view->was_paused)
                        return first(VSM_STEP_HOLD_HERE, VSM_STEP_TIDY_STAYED, VSM_MOVE_STAYED,
                                     "it runs here and could not be paused, and the other host could not "
                                     "be asked whether a copy runs there too");

                return first(VSM_STEP_ASK_AGAIN, VSM_STEP_TIDY_STAYED, VSM_MOVE_STAYED,
                             "it runs here, but the other host could not be asked whether a copy runs "
                             "there too");

        case VSM_SIDE_PAUSED:
                /* Sent while paused, and resumed here since: the copy there has not run. */
                if (view->was_paused)
                        return done(VSM_STEP_TIDY_STAYED, VSM_MOVE_STAYED,
                                    "it runs here; a paused copy is left on the other host and must be "
                                    "destroyed there");

                return done(VSM_STEP_SUSPEND_HERE, VSM_MOVE_TWICE,
                            "it runs here and has run on the other host, where it is paused now; the copy "
                            "here was paused too: destroy one of them");

        case VSM_SIDE_CRASHED:
                return done(VSM_STEP_SUSPEND_HERE, VSM_MOVE_TWICE,
                            "it runs here and has crashed on the other host; the copy here was paused: "
                            "look at its disks, then destroy one of them");

        default:
                return done(VSM_STEP_SUSPEND_HERE, VSM_MOVE_TWICE,
                            "it ran on both hosts; the copy here was paused: destroy one of them");
        }
}

/* Paused here by us, since it may run there. */
static VsmSettleVerdict decide_held(const VsmSettleView *view) {
        switch (view->there) {

        case VSM_SIDE_OFF:
        case VSM_SIDE_OFF_MIGRATED:
                if (!view->defined_there_before || view->there == VSM_SIDE_OFF_MIGRATED)
                        return done(VSM_STEP_LEAVE, VSM_MOVE_UNKNOWN,
                                    "it was paused here, and it is off on the other host, where it may "
                                    "have run: resume it here only if it did not");
                /* fall through */
        case VSM_SIDE_ABSENT:
                return first(VSM_STEP_RESUME_HERE, VSM_STEP_LEAVE, VSM_MOVE_UNKNOWN,
                             "it was paused here until the other host could be asked, and could not be "
                             "resumed: resume it");

        case VSM_SIDE_INCOMING:
                return first(VSM_STEP_CLEAN_THERE, VSM_STEP_LEAVE, VSM_MOVE_UNKNOWN,
                             "it was paused here, and the incomplete copy on the other host could not be "
                             "removed: destroy that, then resume it here");

        case VSM_SIDE_UNKNOWN:
        case VSM_SIDE_STOPPING:
                return first(VSM_STEP_ASK_AGAIN, VSM_STEP_LEAVE, VSM_MOVE_UNKNOWN,
                             "it had been handed over and may run on the other host, which could not be "
                             "asked; so it was paused here: resume it only if it does not run there");

        default:
                return done(VSM_STEP_LEAVE, VSM_MOVE_TWICE,
                            "it ran on both hosts for a while; the copy here was paused: destroy one of them");
        }
}

static VsmSettleVerdict decide_paused(const VsmSettleView *view) {
        if (view->held)
                return decide_held(view);

        switch (view->there) {

        case VSM_SIDE_ABSENT:
        case VSM_SIDE_OFF:
        case VSM_SIDE_OFF_MIGRATED:
                return done(VSM_STEP_TIDY_STAYED, VSM_MOVE_STAYED, NULL);

        case VSM_SIDE_INCOMING:
                return first(VSM_STEP_CLEAN_THERE, VSM_STEP_TIDY_STAYED, VSM_MOVE_STAYED,
                             "it is paused here; an incomplete copy is left on the other host and must be "
                             "destroyed there");

        case VSM_SIDE_UNKNOWN:
                if (view->was_paused)
                        return first(VSM_STEP_ASK_AGAIN, VSM_STEP_TIDY_STAYED, VSM_MOVE_STAYED,
                                     "it is paused here as before, but the other host could not be asked "
                                     "for a copy");

                return first(VSM_STEP_ASK_AGAIN, VSM_STEP_LEAVE, VSM_MOVE_UNKNOWN,
                             "it is paused here, and the other host could not be asked whether it runs "
                             "there");

        case VSM_SIDE_PAUSED:
                return done(VSM_STEP_LEAVE, VSM_MOVE_TWICE,
                            "it is paused on both hosts: destroy one of them");

        default:
                return done(VSM_STEP_LEAVE, VSM_MOVE_TWICE,
                            "it is on both hosts, the copy here being paused: destroy one of them");
        }
}

/* It is here alone, and paused: as somebody wanted it, or by the migration that failed. */
static VsmSettleVerdict paused_again(const VsmSettleView *view) {
        if (view->was_paused)
                return done(VSM_STEP_TIDY_STAYED, VSM_MOVE_STAYED, NULL);

        return first(VSM_STEP_RESUME_HERE, VSM_STEP_LEAVE, VSM_MOVE_UNKNOWN,
                     "it is paused here after a failed migration and could not be resumed: resume it");
}

/* Sent completely, and libvirt here does not know what became of it. */
static VsmSettleVerdict decide_handed_over(const VsmSettleView *view) {
        switch (view->there) {

        case VSM_SIDE_ABSENT:
                return paused_again(view);

        case VSM_SIDE_OFF:
        case VSM_SIDE_OFF_MIGRATED:
                /* libvirt there defines a guest before it starts its CPUs. So a definition that was
                 * not there before may mean that it ran there, and was shut down since: its disks
                 * would then be newer than the memory here. */
                if (!view->defined_there_before || view->there == VSM_SIDE_OFF_MIGRATED)
                        return done(VSM_STEP_LEAVE, VSM_MOVE_UNKNOWN,
                                    "it is paused here and off on the other host, where it may have run: "
                                    "resume it here only if it did not, else destroy it here");

                return paused_again(view);

        case VSM_SIDE_RUNNING:
        case VSM_SIDE_HANDED_OVER:
                return first(VSM_STEP_REMOVE_HERE, VSM_STEP_LEAVE, VSM_MOVE_MOVED_UNVERIFIED,
                             "it runs on the other host, but the paused copy here could not be removed: "
                             "destroy it");

        case VSM_SIDE_PAUSED:
                if (view->was_paused)
                        return first(VSM_STEP_REMOVE_HERE, VSM_STEP_LEAVE, VSM_MOVE_MOVED_UNVERIFIED,
                                     "it is on the other host, but the paused copy here could not be "
                                     "removed: destroy it");

                return done(VSM_STEP_LEAVE, VSM_MOVE_MOVED_UNVERIFIED,
                            "it was started on the other host and is paused there: resume it there, then "
                            "destroy the paused copy here");

        case VSM_SIDE_INCOMING:
                return first(VSM_STEP_CLEAN_THERE, VSM_STEP_LEAVE, VSM_MOVE_UNKNOWN,
                             "it is paused here, and the incomplete copy on the other host could not be "
                             "removed: destroy that, then resume it here");

        case VSM_SIDE_STOPPING:
        case VSM_SIDE_UNKNOWN:
                return first(VSM_STEP_ASK_AGAIN, VSM_STEP_LEAVE, VSM_MOVE_UNKNOWN,
                             "it was handed over and is paused here, and the other host could not be asked "
                             "whether it runs there: resume it here only if it does not");

        default:
                return done(VSM_STEP_LEAVE, VSM_MOVE_UNKNOWN,
                            "it was handed over and failed on the other host; the copy here is paused: "
                            "look at both");
        }
}

/* Not here any more, and libvirt says (or it must be assumed) that it was sent away. */
static VsmSettleVerdict decide_gone(const VsmSettleView *view) {
        bool sent = view->call_ok || view->here == VSM_SIDE_OFF_MIGRATED;

        switch (view->there) {

        case VSM_SIDE_RUNNING:
        case VSM_SIDE_HANDED_OVER:
                return done(VSM_STEP_TIDY_MOVED, VSM_MOVE_MOVED, NULL);

        case VSM_SIDE_PAUSED:
                return view->was_paused ? done(VSM_STEP_TIDY_MOVED, VSM_MOVE_MOVED, NULL) :
                        done(VSM_STEP_TIDY_MOVED, VSM_MOVE_MOVED_UNVERIFIED,
                             "it arrived on the other host, but is paused there: see whether somebody "
                             "wanted that");

        case VSM_SIDE_STOPPING:
                return first(VSM_STEP_ASK_AGAIN, VSM_STEP_TIDY_MOVED, VSM_MOVE_MOVED_UNVERIFIED,
                             "it arrived on the other host and is shutting down there");

        case VSM_SIDE_OFF:
                return done(VSM_STEP_TIDY_MOVED, VSM_MOVE_LOST,
                            "it left this host and is off on the other one");

        case VSM_SIDE_OFF_MIGRATED:
                return done(VSM_STEP_TIDY_MOVED, VSM_MOVE_MOVED_UNVERIFIED,
                            "it arrived on the other host and has been sent on from there");

        case VSM_SIDE_CRASHED:
                return done(VSM_STEP_TIDY_MOVED, VSM_MOVE_LOST,
                            "it left this host and has crashed on the other one");

        case VSM_SIDE_ABSENT:
                return done(VSM_STEP_TIDY_STAYED, VSM_MOVE_LOST,
                            "it runs neither here nor on the other host");

        /* The only copy of its memory, maybe: not ours to destroy. */
        case VSM_SIDE_INCOMING:
                return first(VSM_STEP_ASK_AGAIN, VSM_STEP_LEAVE, VSM_MOVE_UNKNOWN,
                             "it is not here any more, and the other host has not started it: look at both");

        case VSM_SIDE_UNKNOWN:
                return sent ? first(VSM_STEP_ASK_AGAIN, VSM_STEP_LEAVE, VSM_MOVE_MOVED_UNVERIFIED,
                                    "libvirt here says that it left, but the other host could not be "
                                    "asked: its definition here is kept") :
                        first(VSM_STEP_ASK_AGAIN, VSM_STEP_LEAVE, VSM_MOVE_UNKNOWN,
                              "it is not here any more, and the other host could not be asked whether it "
                              "runs there");

        /* All was sent, and libvirt there has yet to see it; or what had not been sent went with the guest here. */
        default:
                return first(VSM_STEP_ASK_AGAIN, VSM_STEP_LEAVE, sent ? VSM_MOVE_MOVED_UNVERIFIED :
                             VSM_MOVE_MEMORY_LOST, sent ?
                             "it is on the other host, but its post-copy migration failed: look at both" :
                             HALF_LOST);
        }
}

/* Ended here: shut down, destroyed or crashed while it was ours. */
static VsmSettleVerdict decide_off(const VsmSettleView *view) {
        switch (view->there) {

        case VSM_SIDE_ABSENT:
        case VSM_SIDE_OFF:
        case VSM_SIDE_OFF_MIGRATED:
        case VSM_SIDE_CRASHED:
                return done(VSM_STEP_TIDY_STAYED, VSM_MOVE_LOST, view->here == VSM_SIDE_CRASHED ?
                            "it crashed here during the migration" : "it was shut down here during the "
                                                                     "migration");

        case VSM_SIDE_INCOMING:
                return first(VSM_STEP_CLEAN_THERE, VSM_STEP_TIDY_STAYED, VSM_MOVE_LOST,
                             "it was shut down here during the migration; an incomplete copy is left on "
                             "the other host");

        case VSM_SIDE_UNKNOWN:
                return first(VSM_STEP_ASK_AGAIN, VSM_STEP_LEAVE, VSM_MOVE_UNKNOWN,
                             "it is off here, and the other host could not be asked whether it runs there");

        case VSM_SIDE_RUNNING:
        case VSM_SIDE_PAUSED:
        case VSM_SIDE_HANDED_OVER:
                if (view->here == VSM_SIDE_CRASHED)
                        return done(VSM_STEP_LEAVE, VSM_MOVE_MOVED_UNVERIFIED,
                                    "it is on the other host; the copy here crashed and is kept for "
                                    "inspection");
                return decide_gone(view);

        case VSM_SIDE_POST_COPY:
                return first(VSM_STEP_ASK_AGAIN, VSM_STEP_LEAVE, VSM_MOVE_MEMORY_LOST, HALF_LOST);

        default:
                return first(VSM_STEP_ASK_AGAIN, VSM_STEP_LEAVE, VSM_MOVE_UNKNOWN,
                             "it is off here and in no certain state on the other host: look at both");
        }
}

/* It was begun to be run there, and part of its memory is here still. */
static VsmSettleVerdict decide_post_copy(const VsmSettleView *view) {
        switch (view->there) {

        case VSM_SIDE_ABSENT:
        case VSM_SIDE_OFF:
        case VSM_SIDE_CRASHED:
                /* libvirt takes no change of it, not even of its autostart mark, before it is destroyed. */
                return done(VSM_STEP_LEAVE, VSM_MOVE_MEMORY_LOST,
                            "it ran on the other host already when it ended there, so the part of its memory that was "
                            "there is lost; what is paused here cannot go on and was not resumed: destroy it, look at "
                            "its disks, set its autostart mark again if it had one, and start it anew");

        default:
                return first(VSM_STEP_ASK_AGAIN, VSM_STEP_LEAVE, view->there == VSM_SIDE_RUNNING ?
                             VSM_MOVE_MOVED_UNVERIFIED : VSM_MOVE_UNKNOWN,
                             "its post-copy migration failed: its memory is on two hosts, do not resume it "
                             "here");
        }
}

VsmSettleVerdict vsm_settle_decide(const VsmSettleView *view) {
        bool there_runs = view->there == VSM_SIDE_RUNNING;

        switch (view->here) {

        case VSM_SIDE_RUNNING:
                return decide_running(view);

        case VSM_SIDE_PAUSED:
                return decide_paused(view);

        case VSM_SIDE_HANDED_OVER:
                return decide_handed_over(view);

        case VSM_SIDE_OFF_MIGRATED:
        case VSM_SIDE_ABSENT:
                return decide_gone(view);

        /* libvirt forgets why a guest is off when its host reboots: success is remembered by call_ok. */
        case VSM_SIDE_OFF:
                return view->call_ok ? decide_gone(view) : decide_off(view);

        case VSM_SIDE_CRASHED:
                return decide_off(view);

        case VSM_SIDE_POST_COPY:
                return decide_post_copy(view);

        case VSM_SIDE_UNKNOWN:
                return first(VSM_STEP_ASK_AGAIN, VSM_STEP_LEAVE,
                             there_runs && view->call_ok ? VSM_MOVE_MOVED_UNVERIFIED : VSM_MOVE_UNKNOWN,
                             there_runs ? "it runs on the other host, and libvirt here does not answer" :
                             "libvirt here does not answer, and it does not run on the other host");

        default:
                return first(VSM_STEP_ASK_AGAIN, VSM_STEP_LEAVE, VSM_MOVE_UNKNOWN,
                             "it is shutting down or arriving here: look at both hosts");
        }
}
