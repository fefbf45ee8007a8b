/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a request will do, line by line, as far as it says: before it is asked for. Pure, but for printing. */

#include "client/request.h"

typedef struct VsmPlanLine {
        char *what;                     /* "system", "disk", "network", "volume": for JSON */
        char *which;
        char *to;                       /* in the user's language */
} VsmPlanLine;

/* VsmPlanLine. host is "" for a move on this host. */
GPtrArray* vsm_plan_new(const VsmRequest *request, const char *vm, const char *host);

/* Worth a table: more than a system that moves as it is. */
bool vsm_plan_is_special(const VsmRequest *request);

void vsm_plan_print(GPtrArray *plan);
JsonArray* vsm_plan_to_json(GPtrArray *plan);
