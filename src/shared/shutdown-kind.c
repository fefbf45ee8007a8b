/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <glib.h>

#include "shared/shutdown-kind.h"

/* The targets are started while shutdown.target is, and only then; shutdown.target itself says no kind. Their
 * services (systemd-poweroff.service, ...) do the last step and stand in the queue as well, and so they count: a
 * target without them would do nothing. */
static const struct {
        const char *word, *target;
} kinds[_VSM_SHUTDOWN_MAX] = {
        [VSM_SHUTDOWN_NONE]      = { "none",      NULL              },
        [VSM_SHUTDOWN_POWER_OFF] = { "power-off", "poweroff.target" },
        [VSM_SHUTDOWN_REBOOT]    = { "reboot",    "reboot.target"   },
        [VSM_SHUTDOWN_HALT]      = { "halt",      "halt.target"     },
        [VSM_SHUTDOWN_KEXEC]     = { "kexec",     "kexec.target"    },
};

VsmShutdownKind vsm_shutdown_kind(const VsmSystemdJob *jobs, size_t n) {
        for (size_t i = 0; i < n; i++) {
                /* one that is stopped is a shutdown that was taken back */
                if (!g_str_equal(jobs[i].type, "start"))
                        continue;

                for (int kind = VSM_SHUTDOWN_POWER_OFF; kind < _VSM_SHUTDOWN_MAX; kind++)
                        if (g_str_equal(jobs[i].unit, kinds[kind].target))
                                return (VsmShutdownKind) kind;
        }

        return VSM_SHUTDOWN_NONE;
}

/* for libvirt-guests, which asks what is left to shut down, and for unmounting */
#define RESERVE_USEC (UINT64_C(120) * G_USEC_PER_SEC)

uint64_t vsm_shutdown_time(uint64_t unit, uint64_t target) {
        uint64_t limit = MIN(unit, target);

        return limit == UINT64_MAX ? 0 : MAX(limit - MIN(RESERVE_USEC, limit / 4), 1);
}

const char* vsm_shutdown_kind_to_string(VsmShutdownKind kind) {
        return kinds[kind].word;
}

const char* vsm_shutdown_kind_target(VsmShutdownKind kind) {
        return kinds[kind].target;
}
