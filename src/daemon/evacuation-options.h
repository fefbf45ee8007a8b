/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/method.h"

/* Options of PlanEvacuation, Evacuate and BringBack, checked for their form. Pure; any thread. */

typedef struct VsmEvacuationOptions {
        char **destinations;            /* names of Hosts, canonical; NULL = all enabled ones */
        char **systems;                 /* object paths (Evacuate), UUIDs (BringBack); NULL = all */
        uint64_t deadline;              /* µs, length; 0 = none */
        VsmChain fallback;              /* n 0 = none was given */
        char *plan_id;                  /* NULL = none */
        bool keep_draining;             /* the host drains also after its next boot */
} VsmEvacuationOptions;

void vsm_evacuation_options_free(VsmEvacuationOptions *options);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmEvacuationOptions, vsm_evacuation_options_free)

/* a{sv}; VSM_ERROR_INVALID_PARAMETER names the key. With PlanID only Deadline and KeepDraining may stand beside:
 * VSM_ERROR_INCOMPATIBLE_PARAMETERS else. */
VsmEvacuationOptions* vsm_evacuation_options_new(GVariant *dict, GError **error);
VsmEvacuationOptions* vsm_bring_back_options_new(GVariant *dict, GError **error);

/* For the store, and back. */
GVariant* vsm_evacuation_options_to_variant(const VsmEvacuationOptions *options);
