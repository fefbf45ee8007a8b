/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "daemon/job.h"

/* The methods of a job: cancelling it, reading why it failed and what was asked. userdata is the
 * VsmJob. Its owner needs no polkit question for them. Bus thread only. */

/* Whether this user may have one more. What a handler returns, with error filled in, or 0. */
int vsm_job_check_limits(VsmManager *manager, uid_t caller, sd_bus_error *error);

/* As vsm_polkit_check(), but the owner is not asked about where the contract says so. */
int vsm_job_authorize(VsmJob *job, sd_bus_message *call, sd_bus_error *error);

/* Answers with this one value; a floating one is taken. */
int vsm_job_reply(sd_bus_message *call, GVariant *value);

int vsm_job_method_request_state_change(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_job_method_kill(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_job_method_get_error(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_job_method_get_error_ex(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_job_method_get_request(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_job_method_set_parameters(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_job_method_start_post_copy(sd_bus_message *call, void *userdata, sd_bus_error *error);
