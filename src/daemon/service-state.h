/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/job.h"

/* Whether the service takes migrations: EnabledState and what belongs to it (contract, section 3). Written
 * down before it is acted on, and kept across restarts. Bus thread only.
 *
 *      2 Enabled       new ones are taken, and started while there is room
 *      3 Disabled      new ones are refused, queued ones wait, running ones go on
 *      9 Quiesce       the same; a job lasts until the last running one has ended
 */

VsmServiceState* vsm_service_state_new(void);
void vsm_service_state_free(VsmServiceState *state);

/* At start: what the store keeps; then, when objects can be on the bus, the job of a quiesce. */
bool vsm_service_state_load(VsmManager *manager, GError **error);
void vsm_service_state_start(VsmManager *manager);

uint16_t vsm_service_state_enabled(VsmManager *manager);
uint16_t vsm_service_state_requested(VsmManager *manager);
uint16_t vsm_service_state_transitioning(VsmManager *manager);
uint64_t vsm_service_state_changed(VsmManager *manager);

/* What can be asked for; returns how many of the three. */
size_t vsm_service_state_available(VsmManager *manager, uint16_t ret[3]);

/* Call after a migration has ended, and when those of an earlier run are taken up: a quiesce may be
 * complete. */
void vsm_service_state_look(VsmManager *manager);

int vsm_method_request_state_change(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_method_start_service(sd_bus_message *call, void *userdata, sd_bus_error *error);
int vsm_method_stop_service(sd_bus_message *call, void *userdata, sd_bus_error *error);
