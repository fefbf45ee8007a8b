/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What an evacuation shall do, from a command line. Pure. */

#include "client/common.h"

/* As the options left them; NULL is not given. */
typedef struct VsmEvacuateArguments {
        char **to;                      /* names of hosts */
        char **systems;                 /* as they were typed: the caller looks up their paths */
        char *deadline;
        char *fallback;
        char *plan_id;
        gboolean keep_draining;
} VsmEvacuateArguments;

void vsm_evacuate_arguments_done(VsmEvacuateArguments *arguments);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VsmEvacuateArguments, vsm_evacuate_arguments_done)

/* a{sv} for PlanEvacuation and Evacuate; paths: objects of arguments->systems, NULL = none. Not floating. */
GVariant* vsm_evacuate_build(const VsmEvacuateArguments *arguments, const char *const *paths, GError **error);

/* a{sv} to run exactly that plan: of the arguments only what may stand beside a PlanID. Not floating. */
GVariant* vsm_evacuate_build_run(const VsmEvacuateArguments *arguments, const char *plan_id, GError **error);
