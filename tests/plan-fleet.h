/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/plan.h"

/* Generated fleets for the test and the benchmark of planning: 1000 guests of one host to 100 hosts, the same for the
 * same seed. The largest guest takes less than a twentieth of the bound, memory gets 70 % full, a tenth of the guests
 * is in groups, one pair of twenty has something against it. */

#define FLEET_GUESTS 1000
#define FLEET_HOSTS 100
#define FLEET_SEED 20261128
#define FLEET_KINDS 3

typedef struct Fleet Fleet;

/* kind 0: the link of the source is the narrowest; 1: a third of the hosts has a fifth of it; 2: all have. */
Fleet* fleet_new(uint32_t seed, unsigned kind);
void fleet_free(Fleet *fleet);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fleet, fleet_free)

VsmPlanInput* fleet_input(Fleet *fleet);

/* How often a pair was asked about at most. */
unsigned fleet_most_asked(const Fleet *fleet);
