/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/disk-plan.h"
#include "daemon/virt/params.h"
#include "daemon/reason.h"
#include "daemon/virt/settle.h"

/* What the files of a move share. The long lane.
 *
 *      move.c          of whatever kind: who runs it, what others may ask
 *      move-live.c     a running guest, by libvirt's peer-to-peer call
 *      post-copy.c     the same, once it is in two halves
 *      move-look.c     what must be so before it, on both hosts
 *      move-disks.c    what is different there: disks, networks, name
 *      move-effects.c  what is done on the way, and taken back
 *      move-copy.c     volumes, byte for byte
 *      move-storage.c  disks alone, on this host
 *      move-place.c    what is not moved while it runs: Staged, Restart, Other
 *      move-merge.c    into what was Staged before */

#define VSM_MOVE_DIAL_USEC (5 * G_USEC_PER_SEC)

struct VsmMove {
        gint n_ref;
        VsmVirt *virt;
        VsmMoveOptions options;
        VsmCancel *cancel;
        VsmReasons *reasons;            /* what stood against it before libvirt's call */
        gint calling;                   /* libvirt may be running a job for us */
        gint handed_over;               /* this host's CPUs were seen to stop for it */
        gint may_post_copy;             /* libvirt was given leave for it */

        const VsmJournal *outer;        /* the job's; NULL = none */
        VsmJournal journal;             /* ours, which remembers what it has written */
        GPtrArray *effects;             /* VsmEffect: done, neither taken back nor made final */

        VsmDiskPlan *plan;              /* NULL = no disk moves */
        VsmMoveDefinition there;        /* borrows from those below */
        char *live_xml, *stored_xml;
        char *planned_xml;              /* of the planned system there that it becomes; NULL = none */
        char **disks;
        bool begun, over;               /* its owner was told that what takes long has begun, has ended */
        bool suspend;                   /* it is paused by us for the move (Resume) */
        bool apart;                     /* not all of its disks are at their old places, or not all at their new ones */

        GMutex lock;                    /* of what follows; kinds that libvirt has no job for tell the first here */
        VsmTransferStats stats;
        uint64_t copied;                /* bytes that went byte for byte; libvirt's job knows nothing of them */
        uint64_t bandwidth;             /* bytes/s, all disks together, 0 = no limit; the last that was asked for */
        unsigned downtime;              /* ms, the longest pause that we told QEMU last; 0 = none */
        unsigned former_downtime;       /* ms, what it had before; 0 = not known */
};

/* Any thread. */
void vsm_move_set_stats(VsmMove *move, const VsmTransferStats *stats);
void vsm_move_get_stats(VsmMove *move, VsmTransferStats *ret);
void vsm_move_set_copied(VsmMove *move, uint64_t bytes);
uint64_t vsm_move_copied(VsmMove *move);

/* Any thread. To what libvirt's job has done. */
void vsm_move_add_copied(VsmMove *move, VsmTransferStats *stats);

/* Any thread. Bytes/s that what is copied without libvirt's job may use, 0 = no limit. */
uint64_t vsm_move_bandwidth(VsmMove *move);

/* Any thread. Before QEMU is told of it, so that it is given back whatever happens then. now: what QEMU has, 0 = not
 * known; what is not ours is what is given back. Returns the one that was told before, 0 = none. */
unsigned vsm_move_record_downtime(VsmMove *move, unsigned ms, unsigned now);
void vsm_move_recorded_downtime(VsmMove *move, unsigned *ret_ms, unsigned *ret_former);

/* False when somebody does not want it any more. */
bool vsm_move_check_cancelled(VsmMove *move, GError **error);

/* Blocks. False when libvirt runs a job of it; settle->busy then. */
bool vsm_move_check_idle(VsmMove *move, virDomainPtr domain, VsmSettle *settle, GError **error);

/* Blocks. What it looks like here. */
virDomainPtr vsm_move_look_here(VsmMove *move, VsmSettle *settle, VsmMoveFacts *facts, GError **error);

/* Blocks. The same of one that may be off as well. */
virDomainPtr vsm_move_look_any(
                VsmMove *move,
                VsmSettle *settle,
                VsmMoveFacts *facts,
                bool *ret_active,
                GError **error);

/* Blocks. Name and UUID must be free there. */
bool vsm_move_check_there(VsmMove *move, VsmSettle *settle, GError **error);

/* ---- move-disks.c ---- */

/* Blocks. Decides what is to be different there, and where its disks go. Changes nothing; error holds all
 * reasons against it. */
bool vsm_move_plan(VsmMove *move, VsmSettle *settle, virDomainPtr domain, bool persistent, GError **error);

/* Blocks. Makes what the guest needs there, and what else comes before libvirt's call; each written down. */
bool vsm_move_make(VsmMove *move, VsmSettle *settle, virDomainPtr domain, GError **error);

/* False, with all that stands against it in one error. */
bool vsm_move_refuse(VsmReasons *reasons, GError **error);

/* What the copied ones (VsmDiskStep) are copied from goes when the guest was verified, and not before. */
bool vsm_move_write_source_volumes(VsmMove *move, GPtrArray *steps, GError **error);

/* ---- move-live.c: as vsm_move_run() and vsm_move_resume() ---- */

VsmMoveOutcome vsm_move_run_live(VsmMove *move, const VsmMoveHooks *hooks, VsmTransferStats *ret_stats, GError **error);
VsmMoveOutcome vsm_move_resume_live(
                VsmMove *move,
                const VsmMoveFacts *facts,
                VsmTransferStats *ret_stats,
                GError **error);

/* Blocks. The longest pause: written down, and then told QEMU. */
bool vsm_move_tell_downtime(VsmMove *move, virDomainPtr domain, unsigned ms, GError **error);

/* ---- post-copy.c ---- */

/* Of a call that failed before anything moved: one of the hosts cannot do post-copy. */
bool vsm_post_copy_is_refusal(const GError *error);

/* Blocks, as long as half of the guest is here and half of it there, which may be days. Whatever libvirt's call came back
 * with; returns at once when there is no such thing. */
void vsm_post_copy_see_through(VsmMove *move, VsmSettle *settle, const VsmMoveFacts *facts);

/* ---- move-storage.c: all as vsm_move_run() and vsm_move_resume() ---- */

VsmMoveOutcome vsm_move_run_storage(
                VsmMove *move,
                const VsmMoveHooks *hooks,
                VsmTransferStats *ret_stats,
                GError **error);

VsmMoveOutcome vsm_move_resume_storage(
                VsmMove *move,
                const VsmMoveFacts *facts,
                VsmTransferStats *ret_stats,
                GError **error);

/* ---- move-copy.c ---- */

/* Blocks, hours maybe. The volumes that go along (UnmanagedVhds). */
bool vsm_move_copy_volumes(VsmMove *move, virConnectPtr from, virConnectPtr to, GError **error);

/* Blocks, hours maybe. These, and the disks of a guest that is off. */
bool vsm_move_copy_off(VsmMove *move, virConnectPtr from, virConnectPtr to, GError **error);

/* Blocks. Are the disks that were copied as they were when the copying of each began? Of a guest that was started
 * and is off again nothing else is left to be seen; its copies are torn. */
bool vsm_move_check_unchanged(VsmMove *move, virConnectPtr from, GError **error);

/* ---- move-offline.c, move-restart.c, move-staged.c: the same; see move-place.h ---- */

VsmMoveOutcome vsm_move_run_offline(VsmMove *move, const VsmMoveHooks *hooks, VsmTransferStats *ret_stats, GError **error);
VsmMoveOutcome vsm_move_resume_offline(VsmMove *move, const VsmMoveFacts *facts, GError **error);
VsmMoveOutcome vsm_move_run_restart(VsmMove *move, const VsmMoveHooks *hooks, VsmTransferStats *ret_stats, GError **error);
VsmMoveOutcome vsm_move_resume_restart(VsmMove *move, const VsmMoveFacts *facts, GError **error);
VsmMoveOutcome vsm_move_run_staged(VsmMove *move, const VsmMoveHooks *hooks, GError **error);
VsmMoveOutcome vsm_move_resume_staged(VsmMove *move, const VsmMoveFacts *facts, GError **error);

/* ---- move-merge.c ---- */

/* Blocks. What is different about the planned system there becomes a wish, where the request has none. False
 * when it is none, is another's, or was changed in a way that a guest that runs cannot follow. */
bool vsm_move_merge_planned(VsmMove *move, VsmSettle *settle, virDomainPtr domain, GError **error);

/* The definition that is stored there in the end: as it was edited there, with the wishes. NULL with error. */
char* vsm_move_merge_definition(VsmMove *move, VsmSettle *settle, GPtrArray *interfaces, GError **error);

/* ---- move-effects.c ---- */

void vsm_move_use_journal(VsmMove *move, const VsmMoveHooks *hooks);

/* Before the act. False: do not do it. */
bool vsm_move_write(VsmMove *move, VsmEffectKind kind, bool there, const char *object, const char *detail,
                    GError **error);

/* Not acted on any more, in neither direction: it is left for a person, or is what was wanted. */
void vsm_move_forget(VsmMove *move, VsmEffectKind kind);

/* Where one of these is after a restart is asked of the hosts only when what was done on its behalf says so. */
bool vsm_move_asks_effects(uint16_t type);

/* Blocks. Takes back, or makes final, what was done, as the outcome says; what is not possible now is left
 * in the journal for later, and is the error. */
bool vsm_move_finish_effects(VsmMove *move, VsmSettle *settle, VsmMoveOutcome outcome, GError **error);
