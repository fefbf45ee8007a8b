/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/reason.h"
#include "daemon/virt/settle.h"

/* What the files of a fetch share.
 *
 *      fetch.c         the call of libvirt there, and what was true after it
 *      fetch-look.c    what must be so before it, on both hosts; the address to come to
 *      fetch-watch.c   what is asked and said while it runs */

struct VsmFetch {
        gint n_ref;
        VsmVirt *virt;
        VsmFetchOptions options;
        VsmMoveOptions move;            /* the same as the other host's libvirt has to see it; borrows home */
        VsmCancel *cancel;
        VsmReasons *reasons;            /* what stood against it before libvirt's call */
        gint calling;                   /* libvirt there may be running a job for us */

        GMutex lock;                    /* of what follows, and held while it is asked */
        char *address;                  /* of the other host, as dialled; NULL = not yet */
        VsmPeer *second;                /* its long call has the first */
};

/* Blocks. Opens both hosts and looks at the guest: changes nothing. settle gets the connections and the name. When
 * false, *ret_outcome says what is so. */
bool vsm_fetch_look(
                VsmFetch *fetch,
                VsmSettle *settle,
                VsmMoveFacts *facts,
                virDomainPtr *ret,
                VsmMoveOutcome *ret_outcome,
                GError **error);

/* Blocks. The first of this host's addresses, in their order and but for those to be avoided, from which the other
 * host can be reached: then it reaches that one as well. */
char* vsm_fetch_choose_address(VsmFetch *fetch, const char *there, char **avoid, GError **error);

/* Under the lock: from now on it is asked there. */
void vsm_fetch_set_address(VsmFetch *fetch, const char *address);

bool vsm_fetch_check_cancelled(VsmFetch *fetch, GError **error);
