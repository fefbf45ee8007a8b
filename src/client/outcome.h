/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How a job ended, in words. Pure. */

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

/* One sentence for a job in a final state: "web runs on hostb now: 7.2 s, 512.3 MiB sent, paused 212 ms". */
char* vsm_outcome_format(JsonObject *job, JsonObject *transfer);

/* What a person can do after a failure, one thing in a line; reasons may be NULL. */
char* vsm_outcome_format_advice(JsonObject *job, JsonArray *reasons, const char *command);

/* Whether it moves a system or its disks. */
bool vsm_outcome_is_migration(JsonObject *job);

/* What a job does, as in "migration of web to hostb". */
char* vsm_outcome_format_task(JsonObject *job);

/* From its start to its end, or to now (wall clock) while it runs. 0 when it has not started. */
uint64_t vsm_outcome_duration(JsonObject *job, uint64_t now);
