/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "shared/conf-file.h"
#include "shared/method.h"
#include "shared/shutdown-kind.h"

/* What becomes of the guests when the host goes down: the group [Evacuation] of vsmd.conf. Read by the service, which
 * begins when logind says so, and by the client, which a unit calls when it is stopped. Any thread. */

typedef enum {
        VSM_SHUTDOWN_EVACUATE,          /* they go elsewhere, as Fallback has it */
        VSM_SHUTDOWN_SAVE,
        VSM_SHUTDOWN_SHUTDOWN,
        VSM_SHUTDOWN_LEAVE,             /* to whoever cares for guests at shutdown */
} VsmShutdownAction;

typedef struct VsmShutdownPolicy {
        VsmShutdownAction actions[_VSM_SHUTDOWN_MAX];   /* by kind; that of none is leave */
        VsmChain fallback;              /* n 0 = the service's default */
        bool bring_back;                /* after the next boot */
} VsmShutdownPolicy;

/* Everything is evacuated, nothing is brought back. */
VsmShutdownPolicy vsm_shutdown_policy_default(void);

/* One line of [Evacuation]; what is wrong with it, as a VsmConfFunc has it. */
char* vsm_shutdown_policy_take(VsmShutdownPolicy *policy, const VsmConfLine *line);

/* Waits for the disk. Of FILE and DIR only that group; complaints are the service's to make. */
VsmShutdownPolicy vsm_shutdown_policy_read(const char *file, const char *directory);

/* The guests move whichever way it goes down. */
bool vsm_shutdown_policy_always_evacuates(const VsmShutdownPolicy *policy);

/* The chain by which an evacuation of this kind goes; n 0 = the service's default. */
VsmChain vsm_shutdown_policy_chain(const VsmShutdownPolicy *policy, VsmShutdownKind kind);
