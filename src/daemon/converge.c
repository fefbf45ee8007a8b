/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Pure: any thread, one at a time for each struct. */

#include <glib.h>

#include "daemon/converge.h"

#define STILL_USEC      (5 * G_USEC_PER_SEC)    /* without a byte: it stands still */
#define OUTAGE_USEC     (2 * G_USEC_PER_SEC)    /* the same: what this pass leaves tells nothing of the guest */

/* Two in a row: one alone may be a burst. */
#define STALLED_PASSES  2

/* In percent. What shrinks by less needs more than twenty passes to become a tenth. */
#define SHRINKS         90

/* QEMU takes no more than this from a guest. */
#define THROTTLE_MAX    99

static const char *const names[] = {
        [VSM_VERDICT_UNKNOWN]    = "unknown",
        [VSM_VERDICT_CONVERGING] = "converging",
        [VSM_VERDICT_STALLED]    = "stalled",
        [VSM_VERDICT_THROTTLING] = "throttling",
        [VSM_VERDICT_SWITCHING]  = "switching",
        [VSM_VERDICT_IMPOSSIBLE] = "impossible",
};

const char* vsm_verdict_to_string(VsmVerdict verdict) {
        return names[verdict];
}

unsigned vsm_converge_passes(const VsmConverge *converge) {
        return converge->seen ? converge->last.iteration - converge->first : 0;
}

unsigned vsm_converge_stalled(const VsmConverge *converge) {
        return converge->stalled;
}

/* A pass has begun: how does what it has to send compare with the one before? */
static void begin_pass(VsmConverge *converge, const VsmConvergeSample *sample) {
        uint64_t sent = sample->processed - MIN(converge->pass.processed, sample->processed);
        uint64_t before = converge->pass.remaining;
        bool first = converge->pass.iteration == converge->first;

        if (first && sample->iteration == converge->first + 1)
                before = MIN(before, sent);

        /* A link that stood still let the guest write more than it does in the time of a pass. To switch then would
         * tear it in two on a link that may go again: two good passes are waited for. */
        if (converge->outage)
                converge->stalled = converge->shrunk = 0;
        else if (sample->remaining / 100 * 100 >= before / 100 * SHRINKS) {
                converge->stalled++;
                converge->shrunk = 0;
        } else {
                converge->shrunk++;
                converge->stalled = 0;
        }

        converge->outage = false;
        converge->pass = *sample;
}

static VsmVerdict verdict_of(const VsmConverge *converge, const VsmConvergeMeans *means) {
        if (converge->last.when - converge->moved >= STILL_USEC)
                return VSM_VERDICT_STALLED;

        if (converge->stalled >= STALLED_PASSES) {
                if (means->post_copy)
                        return VSM_VERDICT_SWITCHING;
                return means->throttling && converge->last.throttle < THROTTLE_MAX ? VSM_VERDICT_THROTTLING :
                        VSM_VERDICT_IMPOSSIBLE;
        }

        if (converge->last.throttle > 0)
                return VSM_VERDICT_THROTTLING;
        if (converge->stalled > 0)
                return VSM_VERDICT_STALLED;

        return converge->shrunk > 0 ? VSM_VERDICT_CONVERGING : VSM_VERDICT_UNKNOWN;
}

VsmVerdict vsm_converge_take(VsmConverge *converge, const VsmConvergeSample *sample, const VsmConvergeMeans *means) {
        if (!converge->seen) {
                converge->seen = true;
                converge->first = sample->iteration;
                converge->pass = converge->last = *sample;
                converge->moved = sample->when;
        }

        if (sample->when - converge->moved >= OUTAGE_USEC)
                converge->outage = true;
        if (sample->processed != converge->last.processed)
                converge->moved = sample->when;

        if (sample->iteration > converge->pass.iteration)
                begin_pass(converge, sample);

        converge->last = *sample;
        return verdict_of(converge, means);
}
