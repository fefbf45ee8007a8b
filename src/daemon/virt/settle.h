/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/decide.h"
#include "daemon/virt/internal.h"
#include "daemon/virt/peer.h"

/* Finding out where a guest is, and giving everything its place: after libvirt's call, whatever it
 * returned, and after a restart of the daemon. Workers; blocks for minutes if need be. */

typedef struct VsmSettle {
        VsmVirt *virt;
        const VsmMoveOptions *options;
        const VsmMoveFacts *facts;
        const VsmDestination *from;     /* the source is that host, and the other one is this host; NULL = this
                                         * host is the source. "Here" is the source in all that follows */
        char *name;                     /* of the guest, for messages; NULL = its UUID */

        bool call_ok;
        bool busy;                      /* libvirt refused, as somebody else's job of it ran */
        int running_reason;             /* libvirt's, before the call; -1 = not known */
        bool defined_there_before;
        const gint *handed_over;        /* atomic: this host's CPUs were seen to stop; NULL = nobody looked */
        bool held;                      /* it was paused here by us */
        bool had_peer;                  /* the other host could be asked once */
        unsigned downtime;              /* ms, that we set last; 0 = none, else give the one below back when it stays */
        unsigned former_downtime;       /* ms; 0 = not known, then QEMU's default */

        virConnectPtr source;           /* owned; opened anew when it breaks; NULL = not open */
        VsmPeer *peer;                  /* the same */
        char *peer_error;               /* why the other host could not be asked last */
        bool lost_source;               /* libvirt here went away meanwhile */
        bool snapshots_there;           /* what is told of them here goes with the definition */
} VsmSettle;

void vsm_move_facts_clear(VsmMoveFacts *facts);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VsmMoveFacts, vsm_move_facts_clear)

/* Frees what is owned. */
void vsm_settle_clear(VsmSettle *settle);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VsmSettle, vsm_settle_clear)

/* Blocks until libvirt here runs no job of the guest but one in post-copy, or does not answer for a minute. */
void vsm_settle_wait_for_job(VsmSettle *settle);

/* cause: what libvirt's call failed with, NULL when it did not or when it is not known. error is
 * set in every outcome but VSM_MOVE_MOVED. */
VsmMoveOutcome vsm_settle_run(VsmSettle *settle, const GError *cause, GError **error);

/* ---- tidy.c: what is done once it is clear who has it; each ends with true or an error ---- */

/* Opens what is not open (or has broken). */
bool vsm_settle_need_source(VsmSettle *settle, GError **error);
bool vsm_settle_need_peer(VsmSettle *settle, GError **error);

/* The mark of the definition here. The source is open. libvirt 9 has no event for it, so this makes one. */
bool vsm_settle_set_autostart(VsmSettle *settle, bool autostart, GError **error);

/* Takes the changes back that were made here for the move. */
bool vsm_settle_restore_here(VsmSettle *settle, GError **error);

/* It is there: verifies that, puts autostart there and then removes the definition here. */
bool vsm_settle_finish_moved(VsmSettle *settle, GError **error);

bool vsm_settle_resume_here(VsmSettle *settle, GError **error);
bool vsm_settle_suspend_here(VsmSettle *settle, GError **error);
bool vsm_settle_remove_here(VsmSettle *settle, GError **error);
