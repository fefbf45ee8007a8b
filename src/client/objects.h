/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Finding one's way in what GetManagedObjects returns: path -> interface -> property. Pure. */

#include <glib.h>
#include <json-glib/json-glib.h>

/* All objects with that interface: its properties, with Path as one more and, for jobs, Transfer and
 * Evacuation as objects within. An array of new JsonObjects that owns them. */
GPtrArray* vsm_objects_select(JsonObject *objects, const char *interface);

/* The one with this path, NULL when there is none. */
JsonObject* vsm_objects_find(JsonObject *objects, const char *path, const char *interface);

void vsm_objects_sort_by_name(GPtrArray *systems);
void vsm_objects_sort_by_number(GPtrArray *jobs);

/* The last element of a path: the number of a job. */
const char* vsm_objects_number(const char *path);

void vsm_objects_print_json(GPtrArray *selected);

/* "running", "off", ... */
const char* vsm_system_state_word(JsonObject *system);

/* "data-transfer 43% (job 7)", "" when there is nothing to say. */
char* vsm_system_format_migration(JsonObject *objects, JsonObject *system);

/* Where it goes, or would have gone; "" when it does not go anywhere. */
const char* vsm_system_destination(JsonObject *objects, JsonObject *system);
