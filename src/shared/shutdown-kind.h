/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which way the system goes down, as systemd's queue of jobs tells (Manager.ListJobs). Pure; any thread. */

typedef enum {
        VSM_SHUTDOWN_NONE,              /* it does not: a restart, stop, upgrade, rescue mode */
        VSM_SHUTDOWN_POWER_OFF,
        VSM_SHUTDOWN_REBOOT,
        VSM_SHUTDOWN_HALT,
        VSM_SHUTDOWN_KEXEC,
        _VSM_SHUTDOWN_MAX,
} VsmShutdownKind;

/* The head of a job in ListJobs. Borrowed. */
typedef struct VsmSystemdJob {
        const char *unit;
        const char *type;               /* "start", "stop", ... */
} VsmSystemdJob;

VsmShutdownKind vsm_shutdown_kind(const VsmSystemdJob *jobs, size_t n);

/* "power-off", "reboot", "halt", "kexec"; "none" */
const char* vsm_shutdown_kind_to_string(VsmShutdownKind kind);

/* systemd's target that has a kind; NULL for none. */
const char* vsm_shutdown_kind_target(VsmShutdownKind kind);

/* How long the guests may take, of the limits of the unit that waits for them (TimeoutStopUSec) and of the target
 * (JobTimeoutUSec, after which systemd cuts everything); µs, UINT64_MAX = no limit. A part is kept for those who clean up
 * after us. 0 = no limit. */
uint64_t vsm_shutdown_time(uint64_t unit, uint64_t target);
