/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/evacuation-options.h"
#include "daemon/job.h"

/* The evacuation of this host: a parent job, a child job for each guest that moves. Bus thread only.
 *
 *      evacuation.c            the parent job: accepted, run, ended; its interface Job.Evacuation
 *      evacuation-methods.c    PlanEvacuation and Evacuate
 *      evacuation-plan.c       facts of guests and hosts, collected on workers, into a plan (plan.h)
 *      evacuation-place.c      what stands against a guest at a host, and the plan as it is told
 *      evacuation-run.c        one that runs: looks at all guests, and does what is next
 *      evacuation-next.c       what is next: a plan, a start as pace.h says, who lies still
 *      evacuation-guest.c      one guest: its child job, elsewhere, down its chain, its end
 *      evacuation-events.c     what reaches it from outside
 *      evacuation-record.c     what outlives the process: plan, ends, who is away from home (pure)
 *      evacuation-recover.c    an evacuation of an earlier run of the daemon
 *      bring-back.c            those that are away come home
 */

typedef struct VsmEvacuation VsmEvacuation;

int vsm_evacuation_register(VsmManager *manager);

int vsm_method_plan_evacuation(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_method_evacuate(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_method_bring_back(sd_bus_message *call, void *userdata, sd_bus_error *error);

/* The same for the service itself, as root: at shutdown. False with error when one runs already, or nothing can be
 * started. Takes options. */
bool vsm_evacuation_start(VsmManager *manager, VsmEvacuationOptions *options, GError **error);

/* The evacuation or bring-back that runs; NULL = none. */
VsmJob* vsm_evacuation_running(VsmManager *manager);

/* A child job has ended (job->parent > 0): called after it has told its end. */
void vsm_evacuation_child_ended(VsmJob *child);

/* It could not be written down, and never was on the bus. */
void vsm_evacuation_child_refused(VsmJob *child, const GError *error);

/* A child's sample, hand-over or phase: the pace may change. */
void vsm_evacuation_child_moved(VsmJob *child);

/* A domain of this host appeared, started or went. */
void vsm_evacuation_systems_changed(VsmManager *manager);

/* At start, after those of single moves are taken up. */
void vsm_evacuation_recover(VsmManager *manager);
