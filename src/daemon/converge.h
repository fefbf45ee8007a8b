/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Whether copying memory while it is written to comes to an end. Pure: samples in, a verdict out.
 *
 * Only passes over the memory are compared, not moments: within one the rest always falls, and what counts is how much
 * there is again when the next one begins. remaining(i) / remaining(i-1) is what the guest writes over what the link
 * takes. The first pass has all of the memory, most of it empty maybe: there it is what was sent that is compared. */

typedef enum {
        VSM_VERDICT_UNKNOWN,
        VSM_VERDICT_CONVERGING,         /* each pass leaves less than the one before */
        VSM_VERDICT_STALLED,            /* nothing moves, or a pass left as much as the one before */
        VSM_VERDICT_THROTTLING,         /* the guest is, or will be, slowed down for it */
        VSM_VERDICT_SWITCHING,          /* to post-copy */
        VSM_VERDICT_IMPOSSIBLE,         /* it does not end by itself, and nothing is allowed that would end it */
} VsmVerdict;

/* As on the bus. */
const char* vsm_verdict_to_string(VsmVerdict verdict);

/* What may be done when it does not. */
typedef struct VsmConvergeMeans {
        bool post_copy;
        bool throttling;
} VsmConvergeMeans;

typedef struct VsmConvergeSample {
        uint64_t when;                  /* µs, of a clock that never jumps */
        unsigned iteration;             /* a pass; QEMU does not begin at 1 after an earlier migration */
        uint64_t processed, remaining;  /* bytes */
        unsigned throttle;              /* percent */
} VsmConvergeSample;

typedef struct VsmConverge {
        bool seen;
        unsigned first;                 /* iteration that was seen first */
        VsmConvergeSample last;         /* the last sample */
        VsmConvergeSample pass;         /* the one that began the pass */
        uint64_t moved;                 /* when bytes were last seen to move */
        bool outage;                    /* the link did not move anything for a while in this pass */
        unsigned shrunk, stalled;       /* passes in a row */
} VsmConverge;

VsmVerdict vsm_converge_take(VsmConverge *converge, const VsmConvergeSample *sample, const VsmConvergeMeans *means);

/* How many passes over the memory have been completed since the first one was seen. */
unsigned vsm_converge_passes(const VsmConverge *converge);

/* How many passes in a row have left as much as the one before. */
unsigned vsm_converge_stalled(const VsmConverge *converge);
