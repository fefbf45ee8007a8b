/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/disk-plan.h"

/* What a guest has beside its definition and the disks that are copied: its other disks, its firmware's
 * variables, its TPM, its snapshots. libvirt's migration takes some of that along, or refuses; where only
 * the definition goes (Restart and Other) it has to be right there without. Workers. */

typedef struct VsmBelongings {
        virDomainPtr domain; /* here */
        virConnectPtr here;
        virConnectPtr there;
        const char *host; /* of there */
        const char *xml;  /* the definition that goes */
        const VsmDiskPlan *plan;
        bool renamed; /* has another name there */
} VsmBelongings;

/* Blocks. With reasons all that is wrong becomes reasons, and it is false only when something could not be
 * found out; without, false with error for the first thing that is wrong. */
bool vsm_belongings_check(const VsmBelongings *belongings, VsmReasons *reasons, GError **error);
