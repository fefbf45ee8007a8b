/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/internal.h"

/* What one host has of a system, as much as is needed to decide who owns its memory. */

typedef enum {
        VSM_SIDE_UNKNOWN,               /* could not be asked */
        VSM_SIDE_ABSENT,                /* knows no such system */
        VSM_SIDE_OFF,                   /* defined, not running */
        VSM_SIDE_OFF_MIGRATED,          /* the same, and libvirt says that it was sent away */
        VSM_SIDE_RUNNING,
        VSM_SIDE_PAUSED,                /* by somebody, an I/O error, ...: anybody may resume it */
        VSM_SIDE_HANDED_OVER,           /* sent, paused for the last pass */
        VSM_SIDE_INCOMING,              /* being received, its CPUs have not run */
        VSM_SIDE_POST_COPY,             /* here: sent in part, while it runs there; there: that failed. Its memory
                                         * is on both hosts, and neither is worth anything alone */
        VSM_SIDE_CRASHED,
        VSM_SIDE_STOPPING,
        _VSM_SIDE_MAX,
} VsmSide;

typedef enum {
        VSM_HOST_HERE,
        VSM_HOST_THERE,
} VsmHost;

/* Any thread; static text that completes "the system is …". */
const char* vsm_side_to_string(VsmSide side);

/* Pure: from libvirt's state and reason. outgoing: libvirt runs a migration away from that host. */
VsmSide vsm_side_from_state(int state, int reason, VsmHost host, bool outgoing);

/* Blocks. Never fails: unknown is an answer. Does not need the domain's QEMU. */
VsmSide vsm_side_of(virDomainPtr domain, VsmHost host);

/* Blocks. The same by UUID; *ret_reason (may be NULL) is libvirt's number for the reason. False with
 * error, and VSM_SIDE_UNKNOWN, when the host does not tell. */
bool vsm_side_look(
                virConnectPtr connection,
                const char *uuid,
                VsmHost host,
                VsmSide *ret,
                int *ret_reason,
                GError **error);

/* Blocks. It is off and has run, as far as libvirt there remembers: what it wrote is on its disks there, and nowhere
 * else. A libvirt that was started anew since remembers nothing. */
bool vsm_side_has_run(virDomainPtr domain);

/* Blocks. Whether libvirt runs a job of the domain (a migration, a save, a dump, ...). */
bool vsm_side_has_job(virDomainPtr domain, bool *ret, GError **error);
