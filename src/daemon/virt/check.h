/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/check-reason.h"
#include "daemon/virt/internal.h"
#include "daemon/virt/peer.h"

/* What a check function gets, and where it puts what it finds. One question = one function in a table
 * of check-source.c or check-destination.c. They run one after the other in a worker's helper
 * thread; when the deadline comes, what was found until then is the answer. */

typedef struct VsmCheck {
        VsmReasons *reasons;
        const VsmMoveOptions *options;

        virConnectPtr source;           /* of its own */
        virDomainPtr domain;
        const char *name;
        bool persistent;

        VsmPeer *peer;                  /* NULL for the checks of the source */
        const char *host;               /* of the destination */
} VsmCheck;

/* False with error when the question could not be asked: that becomes not-verifiable. */
typedef struct VsmCheckFunc {
        const char *question;           /* "whether …", for not-verifiable */
        bool (*func)(VsmCheck *check, GError **error);
} VsmCheckFunc;

/* Both ended by a NULL func. */
extern const VsmCheckFunc vsm_check_source[];
extern const VsmCheckFunc vsm_check_destination[];
