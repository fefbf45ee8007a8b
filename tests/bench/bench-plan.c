/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Planning of 1000 guests to 100 hosts: the bars are a second, and 1.05 of the bound. */

#include <stdio.h>

#include "plan-fleet.h"

static void run(uint32_t seed, unsigned kind) {
        g_autoptr(Fleet) fleet = fleet_new(seed, kind);
        gint64 start = g_get_monotonic_time(), took = 0;
        g_autoptr(VsmPlan) plan = vsm_plan_make(fleet_input(fleet));
        size_t moves = 0;

        took = g_get_monotonic_time() - start;
        for (size_t i = 0; i < plan->n; i++)
                moves += plan->entries[i].host != VSM_PLAN_NO_HOST;

        printf("seed %u, kind %u: %zu of %zu move; planned in %.3f s (bar 1.000); makespan %.0f s, of the bound "
               "%.3f (bar 1.050)\n", seed, kind, moves, plan->n, took / 1e6, plan->makespan / 1e6,
               (double) plan->makespan / plan->bound);
}

int main(void) {
        for (unsigned kind = 0; kind < FLEET_KINDS; kind++)
                for (uint32_t seed = 0; seed < 3; seed++)
                        run(FLEET_SEED + seed, kind);

        return 0;
}
