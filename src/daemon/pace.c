/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One move owns the link, the next is set up and held: see pace.h. A second destination gets one of its own after
 * a trial: what goes through with one is measured, then with two; less than a clear gain, and the second is held
 * again. Measured is only while as many transfer as are to, so that starts and ends do not count; the measure
 * may span several moves. Nothing here calls anybody. */

#include <string.h>

#include "daemon/pace.h"

#define SECOND ((uint64_t) G_USEC_PER_SEC)

#define STALL_TIME (3 * SECOND)         /* without a byte: does not own the link any more */
#define MEASURE_TIME (3 * SECOND / 2)
#define TRIAL_TIME (3 * SECOND / 4)     /* three samples of each: a trial in vain costs bytes */
#define SETTLE_TIME (SECOND / 4)        /* streams that begin need a moment to have their share */
#define TRIAL_PAUSE (60 * SECOND)       /* after a trial that brought nothing; then twice that, and so on */
#define TRIAL_PAUSE_MAX (960 * SECOND)
#define GAIN_NUM 115                    /* what a second lane has to bring, in percent of what was */
#define SLACK_NUM 85                    /* of what a trial in vain had: below, other lanes move, and it is repeated */
#define SLACK_TIMES 3                   /* in a row: a switch-over makes one measure low, seldom the next ones too */
#define NARROW_NUM 65                   /* in percent of the same: no switch-over does that */
#define IDLE_PERCENT 50                 /* of what the link has shown: who uses less leaves room for another */
#define LEAD_NUM 115                    /* in percent of the longest set-up, and */
#define LEAD_MARGIN (SECOND / 10)       /* that much: a link that lies idle costs more than what is sent twice */
#define RATE_WINDOW (2 * SECOND)
#define RATE_SAMPLES 64
#define SAMPLE_GAP (SECOND / 20)

typedef struct Seen {
        uint64_t processed;
        uint64_t progress;              /* when a byte was seen last, or the move was first seen, or released */
        uint64_t released;              /* number of the release; 0 = started so */
        uint64_t since, since_bytes;    /* of the window of its own rate */
        uint64_t rate;                  /* bytes/s of the last full window; 0 = not known */
        uint64_t got;                   /* bytes at this look */
        uint64_t first;                 /* seen */
        uint64_t owned;                 /* since when it transfers and is not held; 0 = not yet */
        bool ready, through;            /* it was set up; it came to its last pass */
        uint64_t counted;               /* when bytes were seen last in a measure; 0 = the next only begin one */
        bool held, alive;
} Seen;

typedef struct Sample {
        uint64_t time, total;
} Sample;

struct VsmPace {
        unsigned limit;
        GHashTable *seen;               /* job -> Seen */
        unsigned width;                 /* so many at a time own the link, the one on trial with them */
        bool trial;
        uint64_t next_trial, pause, releases;

        uint64_t now, total;            /* bytes of all */
        unsigned owning;                /* since the last look */
        uint64_t measured, bytes;       /* while as many owned the link as are to */
        uint64_t settled;               /* no measure before */
        uint64_t base;                  /* bytes/s before the trial; 0 = not known */
        uint64_t failed;                /* bytes/s in the last trial, if it was in vain */
        unsigned low;                   /* measures in a row that were clearly below that */
        uint64_t peak;                  /* most that was ever seen */

        uint64_t setup;                 /* the longest */
        double shortest;                /* µs a byte of memory: of the quickest, to its last pass; 0 = not known */
        uint64_t wake;

        Sample samples[RATE_SAMPLES];
        unsigned n_samples;
};

VsmPace* vsm_pace_new(unsigned limit) {
        VsmPace *pace = g_new0(VsmPace, 1);

        pace->limit = limit;
        pace->seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
        pace->width = 1;
        pace->pause = TRIAL_PAUSE;
        return pace;
}

void vsm_pace_free(VsmPace *pace) {
        if (!pace)
                return;

        g_hash_table_unref(pace->seen);
        g_free(pace);
}

void vsm_pace_set_limit(VsmPace *pace, unsigned limit) {
        pace->limit = limit;
}

uint64_t vsm_pace_in_vain(const VsmPace *pace) {
        return pace->failed;
}

void vsm_pace_set_in_vain(VsmPace *pace, uint64_t rate, uint64_t now) {
        pace->failed = rate;
        pace->next_trial = rate > 0 ? now + pace->pause : 0;
}

uint64_t vsm_pace_wake(const VsmPace *pace) {
        return pace->wake;
}

/* ---- what is seen ---- */

static uint64_t per_second(uint64_t bytes, uint64_t time) {
        return time > 0 ? (uint64_t) ((double) bytes * G_USEC_PER_SEC / time) : 0;
}

static Seen* seen_get(const VsmPace *pace, uint64_t job) {
        return g_hash_table_lookup(pace->seen, &job);
}

/* How long it took to be set up, and then to come to its last pass. */
static void look_at_times(VsmPace *pace, Seen *seen, const VsmPaceMove *move, uint64_t now) {
        if (move->transferring && !seen->ready) {
                seen->ready = true;
                pace->setup = MAX(pace->setup, now - seen->first);
        }
        if (move->transferring && !move->held && seen->owned == 0)
                seen->owned = now;

        if (move->last_pass && !seen->through) {
                seen->through = true;
                if (seen->owned > 0 && move->memory > 0) {
                        double taken = (double) (now - seen->owned) / (double) move->memory;

                        pace->shortest = pace->shortest > 0 ? MIN(pace->shortest, taken) : taken;
                }
        }
}

/* alone: nobody else takes of the link, so what it takes is what it can. */
static void look_at_one(VsmPace *pace, const VsmPaceMove *move, bool alone, uint64_t now) {
        Seen *seen = seen_get(pace, move->job);

        if (!seen) {
                seen = g_new0(Seen, 1);
                *seen = (Seen) { .processed = move->processed, .progress = now, .since = now, .held = move->held,
                                 .first = now };
                g_hash_table_insert(pace->seen, g_memdup2(&move->job, sizeof(move->job)), seen);
        }

        seen->alive = true;
        seen->got = move->processed > seen->processed ? move->processed - seen->processed : 0;
        if (seen->got > 0) {
                pace->total += seen->got;
                seen->since_bytes += seen->got;
                seen->progress = now;
        }

        if (seen->held != move->held) {
                seen->held = move->held;
                seen->progress = now;
                seen->rate = 0;
        }

        if (!alone || seen->held || !move->transferring) {
                seen->since = now;
                seen->since_bytes = 0;
        } else if (now - seen->since >= MEASURE_TIME) {
                seen->rate = per_second(seen->since_bytes, now - seen->since);
                seen->since = now;
                seen->since_bytes = 0;
        }

        seen->processed = move->processed;
        look_at_times(pace, seen, move, now);
}

static gboolean is_gone(gpointer key, gpointer value, gpointer userdata) {
        Seen *seen = value;
        bool gone = !seen->alive;

        (void) key;
        (void) userdata;
        seen->alive = false;
        return gone;
}

/* Has the link to itself, or will as soon as it is set up. One in its last pass needs it no more; one that stalls, or
 * that takes little of it, does not keep others from it. */
static bool owns(const VsmPace *pace, const VsmPaceMove *move, uint64_t now) {
        const Seen *seen = seen_get(pace, move->job);

        if (move->held || move->last_pass)
                return false;

        if (now - seen->progress >= STALL_TIME)
                return false;

        return seen->rate == 0 || pace->width > 1 || seen->rate >= pace->peak / 100 * IDLE_PERCENT;
}

static unsigned count_owners(const VsmPace *pace, const VsmPaceMove *moves, size_t n_moves, uint64_t now,
                             bool transferring) {
        unsigned n = 0;

        for (size_t i = 0; i < n_moves; i++)
                n += owns(pace, &moves[i], now) && (!transferring || moves[i].transferring);

        return n;
}

static void measure_reset(VsmPace *pace, uint64_t now) {
        pace->measured = pace->bytes = 0;
        pace->settled = now + SETTLE_TIME;
}

static void take_sample(VsmPace *pace, uint64_t now) {
        if (pace->n_samples > 0 && now - pace->samples[pace->n_samples - 1].time < SAMPLE_GAP)
                return;

        while (pace->n_samples == RATE_SAMPLES ||
               (pace->n_samples > 2 && now - pace->samples[1].time >= RATE_WINDOW))
                memmove(pace->samples, pace->samples + 1, --pace->n_samples * sizeof(Sample));

        pace->samples[pace->n_samples++] = (Sample) { now, pace->total };
}

uint64_t vsm_pace_rate(const VsmPace *pace) {
        const Sample *first = pace->samples, *last = first + pace->n_samples - 1;

        return pace->n_samples < 2 ? 0 : per_second(last->total - first->total, last->time - first->time);
}

/* Bytes are known at samples, a few times a second and of each move at its own moments. So only what lies between two
 * of them counts, and only the time between them. */
static void measure_one(VsmPace *pace, const VsmPaceMove *move, bool steady, uint64_t now) {
        Seen *seen = seen_get(pace, move->job);

        if (!steady || move->held)
                seen->counted = 0;
        else if (seen->got > 0) {
                if (seen->counted > 0) {
                        pace->bytes += seen->got;
                        if (owns(pace, move, now))
                                pace->measured += (now - seen->counted) / pace->width;
                }
                seen->counted = now;
        }
}

static void measure(VsmPace *pace, const VsmPaceMove *moves, size_t n_moves, uint64_t now) {
        unsigned owning = count_owners(pace, moves, n_moves, now, true);
        bool steady = owning == pace->width && pace->owning == pace->width && pace->now >= pace->settled;

        for (size_t i = 0; i < n_moves; i++)
                measure_one(pace, &moves[i], steady, now);
        if (owning != pace->owning)
                pace->settled = now + (pace->trial ? SETTLE_TIME : 0);

        pace->owning = owning;
        pace->now = now;
        if (pace->measured < (pace->trial ? TRIAL_TIME : MEASURE_TIME))
                return;

        pace->peak = MAX(pace->peak, per_second(pace->bytes, pace->measured));
        if (!pace->trial) {
                pace->base = per_second(pace->bytes, pace->measured);
                if (pace->base < pace->failed / 100 * NARROW_NUM)
                        pace->low = SLACK_TIMES;
                else
                        pace->low = pace->base < pace->failed / 100 * SLACK_NUM ? pace->low + 1 : 0;
                measure_reset(pace, now);
        }
}

static void look(VsmPace *pace, const VsmPaceMove *moves, size_t n_moves, uint64_t now) {
        unsigned transferring = 0;

        for (size_t i = 0; i < n_moves; i++)
                transferring += moves[i].transferring && !moves[i].held;
        for (size_t i = 0; i < n_moves; i++)
                look_at_one(pace, &moves[i], transferring == 1, now);
        g_hash_table_foreach_remove(pace->seen, is_gone, NULL);

        measure(pace, moves, n_moves, now);
        take_sample(pace, now);
}

/* ---- what is to be done ---- */

/* Moves at one step, and who waits. */
typedef struct View {
        const VsmPaceMove *moves;
        size_t n_moves;
        const unsigned *waiting;
        size_t n_lanes;
        unsigned next_lane;
        uint64_t now;
} View;

static bool lane_owned(const VsmPace *pace, const View *view, unsigned lane) {
        for (size_t i = 0; i < view->n_moves; i++)
                if (view->moves[i].lane == lane && owns(pace, &view->moves[i], view->now))
                        return true;

        return false;
}

static bool lane_held(const View *view, unsigned lane) {
        for (size_t i = 0; i < view->n_moves; i++)
                if (view->moves[i].lane == lane && view->moves[i].held)
                        return true;

        return false;
}

static unsigned count_held(const View *view) {
        unsigned n = 0;

        for (size_t i = 0; i < view->n_moves; i++)
                n += view->moves[i].held;

        return n;
}

/* Whether it could still turn out that a second lane brings more. */
static bool may_try(const VsmPace *pace, const View *view) {
        if (pace->trial || view->n_lanes <= pace->width)
                return false;

        return view->now >= pace->next_trial || pace->low >= SLACK_TIMES;
}

/* The next by the plan, if its lane will do, else the lane with most to come. n_lanes: none. */
static unsigned choose_lane(const VsmPace *pace, const View *view, bool avoid_owned, bool avoid_held) {
        unsigned best = (unsigned) view->n_lanes;

        for (unsigned lane = 0; lane < view->n_lanes; lane++) {
                if (view->waiting[lane] == 0 || (avoid_owned && lane_owned(pace, view, lane)) ||
                    (avoid_held && lane_held(view, lane)))
                        continue;

                if (lane == view->next_lane)
                        return lane;
                if (best == view->n_lanes || view->waiting[lane] > view->waiting[best])
                        best = lane;
        }

        return best;
}

/* The first that is held, on a lane that nobody owns; ready: only one that is set up. */
static const VsmPaceMove* choose_held(const VsmPace *pace, const View *view, bool ready) {
        for (size_t i = 0; i < view->n_moves; i++)
                if (view->moves[i].held && (!ready || view->moves[i].transferring) &&
                    !lane_owned(pace, view, view->moves[i].lane))
                        return &view->moves[i];

        return NULL;
}

static VsmPaceStep release(VsmPace *pace, const VsmPaceMove *move) {
        seen_get(pace, move->job)->released = ++pace->releases;
        return (VsmPaceStep) { .what = VSM_PACE_RELEASE, .lane = move->lane, .job = move->job };
}

static VsmPaceStep start(const View *view, unsigned lane, bool held) {
        if (lane == view->n_lanes)
                return (VsmPaceStep) { .what = VSM_PACE_NOTHING };

        return (VsmPaceStep) { .what = VSM_PACE_START, .lane = lane, .held = held };
}

static VsmPaceStep fill(VsmPace *pace, const View *view) {
        const VsmPaceMove *held = choose_held(pace, view, false);

        if (held)
                return release(pace, held);
        if (view->n_moves >= pace->limit)
                return (VsmPaceStep) { .what = VSM_PACE_NOTHING };

        return start(view, choose_lane(pace, view, true, false), false);
}

/* When the first of those who own the link will be through, if it is as quick as the quickest. */
static uint64_t soonest_end(const VsmPace *pace, const View *view) {
        uint64_t end = UINT64_MAX;

        for (size_t i = 0; i < view->n_moves; i++) {
                const VsmPaceMove *move = &view->moves[i];
                const Seen *seen = seen_get(pace, move->job);

                /* one that has come to its last pass once, and is not through, will be at any moment */
                if (owns(pace, move, view->now) && !seen->through)
                        end = MIN(end, seen->owned + (uint64_t) (pace->shortest * (double) move->memory));
        }

        return end;
}

/* There is time left until the next one has to be begun to be there in time. */
static bool is_early(VsmPace *pace, const View *view) {
        uint64_t lead = pace->setup / 100 * LEAD_NUM + LEAD_MARGIN, end;

        if (pace->setup == 0 || pace->shortest == 0)
                return false;

        end = soonest_end(pace, view);
        if (end == UINT64_MAX || end < view->now + lead)
                return false;

        pace->wake = end - lead + 1;
        return true;
}

static VsmPaceStep prepare(VsmPace *pace, const View *view) {
        unsigned lane = 0;

        if (pace->trial || view->n_moves >= pace->limit || count_held(view) >= pace->width)
                return (VsmPaceStep) { .what = VSM_PACE_NOTHING };

        /* setting up costs processor time on both hosts: not while nobody uses the link yet */
        if (count_owners(pace, view->moves, view->n_moves, view->now, true) == 0)
                return (VsmPaceStep) { .what = VSM_PACE_NOTHING };

        /* one for a lane that is still to be tried, else what the plan says; of several lanes each has its own */
        lane = may_try(pace, view) ? choose_lane(pace, view, true, true) : (unsigned) view->n_lanes;
        if (lane == view->n_lanes) {
                if (is_early(pace, view))
                        return (VsmPaceStep) { .what = VSM_PACE_NOTHING };

                lane = choose_lane(pace, view, false, pace->width > 1);
        }

        return start(view, lane, true);
}

static bool try_begin(VsmPace *pace, const View *view, VsmPaceStep *ret) {
        const VsmPaceMove *held = NULL;

        if (!may_try(pace, view) || pace->base == 0)
                return false;

        held = choose_held(pace, view, true);
        if (!held)
                return false;

        *ret = release(pace, held);
        pace->trial = true;
        pace->width++;
        measure_reset(pace, view->now);
        return true;
}

static const VsmPaceMove* last_released(const VsmPace *pace, const View *view) {
        const VsmPaceMove *last = NULL;
        uint64_t number = 0;

        for (size_t i = 0; i < view->n_moves; i++) {
                const Seen *seen = seen_get(pace, view->moves[i].job);

                if (seen->released >= number && owns(pace, &view->moves[i], view->now)) {
                        number = seen->released;
                        last = &view->moves[i];
                }
        }

        return last;
}

/* true: the trial is over, and one has to be held again. */
static bool try_end(VsmPace *pace, const View *view, VsmPaceStep *ret) {
        uint64_t rate = per_second(pace->bytes, pace->measured);
        const VsmPaceMove *last = NULL;

        if (!pace->trial || pace->measured < TRIAL_TIME)
                return false;

        pace->trial = false;
        pace->low = 0;
        measure_reset(pace, view->now);
        if (rate > pace->base / 100 * GAIN_NUM) {
                pace->base = rate;
                pace->failed = 0;
                return false;
        }

        pace->width--;
        pace->failed = rate;
        pace->next_trial = view->now + pace->pause;
        pace->pause = MIN(pace->pause * 2, TRIAL_PAUSE_MAX);
        last = last_released(pace, view);
        if (!last || count_owners(pace, view->moves, view->n_moves, view->now, false) <= pace->width)
                return false;

        *ret = (VsmPaceStep) { .what = VSM_PACE_HOLD, .lane = last->lane, .job = last->job };
        return true;
}

VsmPaceStep vsm_pace_next(VsmPace *pace, const VsmPaceMove *moves, size_t n_moves, const unsigned *waiting,
                          size_t n_lanes, unsigned next_lane, uint64_t now) {

        const View view = {
                .moves = moves, .n_moves = n_moves, .waiting = waiting, .n_lanes = n_lanes, .next_lane = next_lane,
                .now = now,
        };
        VsmPaceStep step = {};

        pace->wake = 0;
        look(pace, moves, n_moves, now);

        if (try_end(pace, &view, &step))
                return step;

        if (count_owners(pace, moves, n_moves, now, false) < pace->width) {
                step = fill(pace, &view);
                if (step.what != VSM_PACE_NOTHING)
                        return step;
        }

        if (try_begin(pace, &view, &step))
                return step;

        return prepare(pace, &view);
}
