/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The pace of an evacuation while it runs: serial bytes, overlapped set-up. One move owns the link; the next is
 * prepared meanwhile and held at a token bandwidth, and released when the first comes to its last pass. More at once
 * makes guests that write send everything twice. What one writes while it is held is sent twice, too (QEMU clears
 * its log of a whole GiB with the first page of it): so it is prepared as late as what was seen of others allows.
 * Where the ends of the destinations are narrower than this host's, each destination is a lane of its own: that is
 * found out by trying a second lane and keeping it when more goes through. Pure: what is seen goes in, what is to be
 * done comes out; now is handed in. */

typedef struct VsmPace VsmPace;

/* Not more than limit moves at a time, held ones included (MaximumActiveVirtualSystemMigration). */
VsmPace* vsm_pace_new(unsigned limit);
void vsm_pace_free(VsmPace *pace);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmPace, vsm_pace_free)

void vsm_pace_set_limit(VsmPace *pace, unsigned limit);

/* What one move looks like at this moment. */
typedef struct VsmPaceMove {
        uint64_t job;
        unsigned lane;                  /* number of its destination */
        bool transferring;              /* its memory moves */
        bool last_pass;                 /* all but through, or switching over: no more need of the whole link */
        bool held;
        uint64_t processed;             /* bytes so far */
        uint64_t memory;                /* bytes, all of the guest's; 0 = not known */
} VsmPaceMove;

typedef struct VsmPaceStep {
        enum {
                VSM_PACE_NOTHING,
                VSM_PACE_START,         /* the next one of lane, held or not */
                VSM_PACE_RELEASE,       /* job */
                VSM_PACE_HOLD,          /* job: a second lane brought nothing */
        } what;
        unsigned lane;
        bool held;
        uint64_t job;
} VsmPaceStep;

/* One step; call again until it is nothing. waiting: how many are still to be started, for each lane, and which lane's
 * is the next by the plan's order. now: µs, monotonic. */
VsmPaceStep vsm_pace_next(VsmPace *pace, const VsmPaceMove *moves, size_t n_moves, const unsigned *waiting,
                          size_t n_lanes, unsigned next_lane, uint64_t now);

/* µs, monotonic: when the next step wants to be asked for at the latest, whatever happens; 0 = then. */
uint64_t vsm_pace_wake(const VsmPace *pace);

/* bytes/s that went through all lanes together lately; 0 = not known yet. */
uint64_t vsm_pace_rate(const VsmPace *pace);

/* bytes/s that a trial of one more lane had, in vain; 0 = there was none, or one brought something. The next evacuation
 * may be told: while as much goes through without, it does not try for a minute, whichever its destinations. */
uint64_t vsm_pace_in_vain(const VsmPace *pace);
void vsm_pace_set_in_vain(VsmPace *pace, uint64_t rate, uint64_t now);
