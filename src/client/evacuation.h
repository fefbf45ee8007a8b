/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The plan of an evacuation and what is left over after it, in words. Pure. */

#include <json-glib/json-glib.h>
#include <stddef.h>

/* A table by order, then why each system goes where it goes, or stays; at most so many columns, 0 = as wide as
 * it wants. plan: entries of PlanEvacuation. */
char* vsm_evacuation_format_plan(JsonArray *plan, size_t width);

/* "3 of 4 systems have left this host", from the properties of the job and of its Evacuation. */
char* vsm_evacuation_format_count(JsonObject *job, JsonObject *evacuation);

/* Each system that stayed, why, and what can be done; "" when none did. */
char* vsm_evacuation_format_leftovers(JsonObject *job, JsonArray *leftovers, const char *command);
