/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/job.h"
#include "daemon/system.h"

/* A job that moves a virtual system: accepted, queued, run on the long lane, watched, cancelled, ended.
 *
 *      move-accept.c   from an authorized call to a job on the bus, in the queue
 *      move.c          from the queue to the end
 *      move-watch.c    progress, stalls, cancelling what does not want to
 *      move-parameters.c  bandwidth and pause while it runs
 *      move-end.c      from what both hosts said to the last states
 *      move-recover.c  jobs of an earlier run of the daemon
 *
 * Bus thread only. */

/* Of a job that goes; what still runs for it goes on to its end without it. */
void vsm_move_job_free(VsmMoveJob *move);

/* Everything is checked and allowed: writes the job down, then answers the call and queues it. Takes
 * request. */
void vsm_move_job_accept(VsmManager *manager, sd_bus_message *call, VsmSystem *system, VsmRequest *request,
                         uid_t caller);

/* The same of any job, which has its type and what it begins with; request, and job, are taken. A system
 * that is to be moved has been claimed. call NULL: nobody waits for an answer; system NULL: it is about none, and
 * has options in place of a request. */
void vsm_job_accept(VsmJob *job, sd_bus_message *call, VsmSystem *system, VsmRequest *request, uid_t caller);

/* A child of an evacuation: nobody is asked, the service's state does not count, and it may begin at a token
 * bandwidth (held). Takes request. */
VsmJob* vsm_move_job_accept_child(VsmJob *parent, VsmSystem *system, VsmRequest *request, bool held);

/* The job has its number and its object: MigrationState 1, its time limit, the queue. */
void vsm_move_job_enqueue(VsmJob *job, VsmSystem *system);

/* Its turn has come. */
void vsm_move_job_start(VsmJob *job);

/* MigrationState is 1 or 2, or it is being cancelled already. */
bool vsm_move_job_can_cancel(VsmJob *job);
void vsm_move_job_cancel(VsmJob *job, bool kill);

/* The same for a caller: written down first, so that it is kept up after a crash; then the call is answered
 * (4096, or InvalidState when it has become too late meanwhile), then it is done. delete: the object goes at its
 * end. */
void vsm_move_job_cancel_call(VsmJob *job, bool kill, bool delete, sd_bus_message *call);

/* libvirt's events about the system of the job, if it has one. */
void vsm_move_job_on_iteration(VsmManager *manager, const char *uuid, int iteration);
void vsm_move_job_on_handed_over(VsmManager *manager, const char *uuid);
void vsm_move_job_on_post_copy(VsmManager *manager, const char *uuid);

/* Transfer.StartPostCopy: the call is answered later. False with error: it is refused. */
bool vsm_move_job_start_post_copy(VsmJob *job, sd_bus_message *call, GError **error);

/* Transfer.SetParameters: form first, then what it does; answers the call. */
VsmRequest* vsm_move_parameters_parse(VsmJob *job, GVariant *parameters, GError **error);
bool vsm_move_job_set_parameters(VsmJob *job, VsmRequest *wish, sd_bus_message *call, GError **error);

/* Jobs that the store says were not at their end, once libvirt's systems are known. */
void vsm_move_recover_all(VsmManager *manager);

/* An orderly stop: how far they are is written down, so that nobody sees it fall. After a crash libvirt's next
 * numbers tell. The store lane writes it, which vsm_worker_stop() waits for. */
void vsm_move_keep_progress(VsmManager *manager);
