/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a unit is to do when it is stopped: only systemd knows whether the host goes down, and which way. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "shared/shutdown-policy.h"

typedef struct VsmAtShutdown {
        VsmShutdownKind kind;           /* none: a restart, stop or upgrade, and there is nothing to do */
        VsmShutdownAction action;
        VsmChain chain;                 /* n 0 = the service's default */
        uint64_t deadline;              /* µs that may be used; 0 = no limit */
} VsmAtShutdown;

/* Asks systemd on this bus, and reads vsmd.conf. Does not wait for anybody but systemd. */
bool vsm_at_shutdown_decide(sd_bus *bus, VsmAtShutdown *ret, GError **error);

/* [Evacuation] of vsmd.conf. */
VsmShutdownPolicy vsm_at_shutdown_policy(void);
