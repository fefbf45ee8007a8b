/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All of one job for a person. */

#include <json-glib/json-glib.h>

/* A job as vsm_objects_find() returns it. */
void vsm_job_print(JsonObject *job);
