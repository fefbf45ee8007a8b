/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/changes.h"
#include "daemon/compat.h"
#include "daemon/effect.h"
#include "daemon/settings-data.h"
#include "daemon/subnet.h"

/* The whole face of libvirt to the rest of the daemon. No vir* type, flag or constant passes it.
 *
 * Threads: everything here that is marked "blocks" is for a worker, never for the bus thread. The
 * event callback runs on libvirt's event thread or a worker: it copies what it needs and goes. Structs are
 * plain data, owned by who holds them. Errors are in VSM_ERROR; libvirt's own text stands at the
 * end of the message, for GetErrorEx, and never in a property.
 *
 * Units: bytes, bytes per second, milliseconds where a name says so, microseconds for times. */

#define VSM_UUID_SIZE 37 /* with the final NUL; lower case, dashes */

/* ---- systems ---- */

typedef enum {
        VSM_DOMAIN_OFF,
        VSM_DOMAIN_RUNNING,
        VSM_DOMAIN_PAUSED,              /* by somebody */
        VSM_DOMAIN_HANDED_OVER,         /* paused by libvirt for the last pass, or for post-copy, at the source */
        VSM_DOMAIN_INCOMING,            /* at the destination, prepared, its CPUs have not run yet */
        VSM_DOMAIN_POST_COPY_FAILED,    /* paused or running, and its memory is in two places */
        VSM_DOMAIN_SAVED,               /* off with a saved image */
        VSM_DOMAIN_ASLEEP,              /* suspended to memory by the guest itself (S3); QEMU is there */
        VSM_DOMAIN_STARTING,            /* no CPU has run yet; also an incoming one before its event */
        VSM_DOMAIN_STOPPING,
        VSM_DOMAIN_CRASHED,
} VsmDomainState;

/* for printf, with the system's name; without the final dot */
#define VSM_GUEST_ASLEEP_TEXT \
        "System '%s' has suspended itself to memory (S3), which QEMU does not carry to another host: wake it first " \
        "(virsh dompmwakeup)"

typedef struct VsmDomainInfo {
        char uuid[VSM_UUID_SIZE];
        char *name;
        char *description;              /* title, else description, else "" */
        VsmDomainState state;
        bool persistent;
        bool autostart;
        uint64_t memory;                /* bytes; the maximum */
        unsigned cpus;
        GVariant *policy;               /* a{sv}, of our metadata; never NULL */
        char *planned_source;           /* host that a planned system comes from; NULL = it is none */
} VsmDomainInfo;

void vsm_domain_info_free(VsmDomainInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmDomainInfo, vsm_domain_info_free)

/* ---- this host's libvirt ---- */

typedef struct VsmVirt VsmVirt;

typedef struct VsmVirtHost {
        uint64_t libvirt_version;       /* major*1000000 + minor*1000 + release, as libvirt counts */
        uint64_t hypervisor_version;
        char *hostname;
} VsmVirtHost;

typedef enum {
        VSM_VIRT_DISCONNECTED,          /* libvirtd has gone; vsm_virt_connect() again */
        VSM_VIRT_DOMAIN_CHANGED,        /* look at it again (it may be gone) */
        VSM_VIRT_DOMAIN_INCOMING,       /* changed, and it arrives from another host */
        VSM_VIRT_DOMAIN_HANDED_OVER,    /* changed: the source's CPUs were stopped by a migration */
        VSM_VIRT_DOMAIN_POST_COPY,      /* the same, and the other host's run while memory still moves */
        VSM_VIRT_DOMAIN_CRASHED,        /* changed, and it was a crash; a QEMU that died is only CHANGED:
                                         * libvirt says the same when an incoming one is given up */
        VSM_VIRT_MIGRATION_ITERATION,   /* a pass over the memory began; see iteration */
        VSM_VIRT_NETWORKS_CHANGED,      /* libvirt's own virtual networks: bridges came or went */
} VsmVirtEventType;

typedef struct VsmVirtEvent {
        VsmVirtEventType type;
        char uuid[VSM_UUID_SIZE];       /* "" where no domain is concerned */
        int iteration;
} VsmVirtEvent;

typedef void (*VsmVirtEventFunc)(const VsmVirtEvent *event, void *userdata);

/* Starts the event thread; once in a process, signals blocked before. uri NULL means
 * qemu:///system. Does not connect. */
VsmVirt* vsm_virt_new(const char *uri, VsmVirtEventFunc func, void *userdata, GError **error);

/* Blocks. Opens the shared connection for short calls (an earlier one is dropped) and registers
 * the events on it. Events may come before this returns. */
bool vsm_virt_connect(VsmVirt *virt, VsmVirtHost *ret, GError **error);
void vsm_virt_host_clear(VsmVirtHost *host);

/* Any thread, does not wait. After vsm_virt_connect() came back: an event of the disconnection may
 * have overtaken it on its way to the bus thread. */
bool vsm_virt_is_connected(VsmVirt *virt);

/* Blocks. All domains, as VsmDomainInfo. */
GPtrArray* vsm_virt_list(VsmVirt *virt, GError **error);

/* Blocks. One; *ret is NULL, and the result true, when there is no such domain. */
bool vsm_virt_look(VsmVirt *virt, const char *uuid, VsmDomainInfo **ret, GError **error);

/* Blocks. Names of the bridges of libvirt's own virtual networks (virbr0, ...), NULL-terminated. */
char** vsm_virt_bridges(VsmVirt *virt, GError **error);

/* Blocks. Puts the autostart mark. */
bool vsm_virt_set_autostart(VsmVirt *virt, const char *uuid, bool autostart, GError **error);

/* Blocks. Puts our policy into the domain's metadata, live and in its definition; policy is a
 * checked a{sv} of the contract's keys, an empty one removes it. VSM_ERROR_INVALID_STATE while libvirt runs a
 * job of the domain, a migration above all. */
bool vsm_virt_set_policy(VsmVirt *virt, const char *uuid, GVariant *policy, GError **error);

/* Blocks, as long as libvirt needs to remove its volumes. Removes a planned system: the volumes that were made
 * for it, unless somebody else uses them by now, then its definition; what another call left is finished.
 * VSM_ERROR_INVALID_STATE, and nothing is changed, when it runs, was used, or bears our mark no more. */
bool vsm_virt_destroy_planned(VsmVirt *virt, const char *uuid, GError **error);

/* ---- a migration that runs, seen from this host ---- */

typedef struct VsmTransferStats {
        bool active;                    /* an outgoing migration job runs */
        uint64_t memory_total, memory_processed, memory_remaining;
        uint64_t disk_total, disk_processed, disk_remaining;
        uint64_t bandwidth;             /* bytes/s */
        uint64_t dirty_rate;            /* bytes/s: libvirt's pages/s times the page size */
        unsigned iteration;             /* as QEMU counts: not reset between migrations of one QEMU */
        unsigned downtime;              /* ms; expected while it runs, real in the completed ones */
        unsigned throttle;              /* percent, of auto-converge */
        bool post_copy;                 /* the other host's CPUs run, and the rest of the memory follows */
} VsmTransferStats;

/* Blocks, a few ms; seconds while libvirt ends the domain's QEMU. Statistics of the running job. No
 * job, and no such domain, is not an error: active is false then. After a failed post-copy libvirt's
 * job, and so active, stays until somebody resumes or destroys it. */
bool vsm_virt_sample(VsmVirt *virt, const char *uuid, VsmTransferStats *ret, GError **error);

/* Blocks. Asks libvirt to abort the job of the domain. *ret_running says whether there was one. */
bool vsm_virt_abort(VsmVirt *virt, const char *uuid, bool *ret_running, GError **error);

/* Blocks. bandwidth in bytes/s, rounded up to MiB/s, 0 = no limit. */
bool vsm_virt_set_bandwidth(VsmVirt *virt, const char *uuid, uint64_t bandwidth, GError **error);

/* What a hypervisor has for the longest pause until it is told another. */
#define VSM_DOWNTIME_DEFAULT_MS 300

/* Blocks. From here on the guest runs there, and memory that it misses is fetched. Only while its memory
 * moves, in a migration that was begun with leave for it. */
bool vsm_virt_start_post_copy(VsmVirt *virt, const char *uuid, GError **error);

/* ---- another host ---- */

/* How to reach it. Made on the bus thread from a request, read-only afterwards. */
typedef struct VsmDestination {
        char *host;                     /* checked and canonical, from request.c: name, IPv4 or IPv6 text */
        uint32_t authentication;        /* VSM_AUTHENTICATION_* */
        uint16_t port;                  /* 0 = the scheme's */
        uint16_t transport;             /* VSM_TRANSPORT_*, resolved */
        char **addresses;               /* wanted, in order; NULL = those of the host in the subnets */
        char **host_addresses;          /* of its Host, as good as looked up; NULL = what host resolves to */
        GArray *subnets;                /* VsmSubnet: for migrations; NULL = any address will do */
        GArray *sources;                /* VsmSubnet: addresses to send from, prefixes of their links */
        char **own_addresses;           /* this host's: never a destination */
} VsmDestination;

VsmDestination* vsm_destination_copy(const VsmDestination *destination);
void vsm_destination_free(VsmDestination *destination);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmDestination, vsm_destination_free)

/* Can be cancelled from another thread: wakes whoever waits in a dial. */
typedef struct VsmCancel VsmCancel;
VsmCancel* vsm_cancel_new(void);
VsmCancel* vsm_cancel_ref(VsmCancel *cancel);
void vsm_cancel_unref(VsmCancel *cancel);
void vsm_cancel_fire(VsmCancel *cancel);
bool vsm_cancel_fired(VsmCancel *cancel);
int vsm_cancel_fd(VsmCancel *cancel); /* readable once fired */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmCancel, vsm_cancel_unref)

/* A control connection to another host's libvirt, with the credentials of this process. */
typedef struct VsmPeer VsmPeer;

/* Blocks, but never longer than the deadline (µs from now): name look-up, a TCP connect to the
 * control port of each address in turn, libvirt's own handshake. What does not come back in time
 * is left to end by itself in a thread of its own. VSM_ERROR_CANCELLED when cancel fires. */
VsmPeer* vsm_peer_open(const VsmDestination *destination, uint64_t deadline, VsmCancel *cancel, GError **error);
void vsm_peer_free(VsmPeer *peer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmPeer, vsm_peer_free)

/* The numeric address that answered, for the migration's data too. Borrowed. */
const char* vsm_peer_address(VsmPeer *peer);

/* Blocks. As vsm_virt_look(), there. */
bool vsm_peer_look(VsmPeer *peer, const char *uuid, VsmDomainInfo **ret, GError **error);

/* Blocks. Destroys the guest there only if it is an incoming one whose CPUs never ran. */
bool vsm_peer_destroy_incoming(VsmPeer *peer, const char *uuid, GError **error);

/* Blocks. Bytes of memory that can be had there: free, buffers and caches. */
bool vsm_peer_available_memory(VsmPeer *peer, uint64_t *ret, GError **error);

bool vsm_peer_set_autostart(VsmPeer *peer, const char *uuid, bool autostart, GError **error);

/* Blocks, but never longer than the deadline (µs from now): whether its libvirt answers, and the
 * memory that can be had there. */
bool vsm_peer_probe(const VsmDestination *destination, uint64_t deadline, uint64_t *ret_memory, GError **error);

/* ---- moving ---- */

typedef enum {
        VSM_POST_COPY_NEVER,
        VSM_POST_COPY_AUTO,             /* where both hosts can; somebody else decides when */
        VSM_POST_COPY_NOW,              /* the same, and without it the move fails */
} VsmPostCopy;

typedef struct VsmMoveOptions {
        char uuid[VSM_UUID_SIZE];
        uint64_t job;                   /* whose move it is: number in our mark; 0 = of none */
        VsmDestination *destination;
        uint16_t type;                  /* VSM_MIGRATION_TYPE_*; 0 = VirtualSystem */
        VsmChanges *changes;            /* NULL = none */
        char **directories;             /* of this host, besides its pools, where disks may be put; NULL = none */
        uint64_t bandwidth;             /* bytes/s, 0 = no limit */
        bool compression;
        bool throttling;                /* auto-converge */
        uint16_t throttle_magnitude;    /* CIM's CPUCappingMagnitude: 0 normal, 1 low, 2 high */
        unsigned max_downtime;          /* ms, 0 = the hypervisor's */
        unsigned connections;           /* 0 = one */
        char *not_allowed;              /* AllowedHosts, where the destination is none of them; for checks; NULL = is */
        VsmPostCopy post_copy;
} VsmMoveOptions;

/* What copy holds is forgotten, not freed. */
void vsm_move_options_copy(VsmMoveOptions *copy, const VsmMoveOptions *options);
void vsm_move_options_clear(VsmMoveOptions *options);
void vsm_move_options_free(VsmMoveOptions *options);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmMoveOptions, vsm_move_options_free)

typedef enum {
        VSM_MOVE_MOVED,                 /* runs there (verified), gone here */
        VSM_MOVE_MOVED_UNVERIFIED,      /* runs there, but something of the tidying up failed: see error */
        VSM_MOVE_STAYED,                /* runs here as before: see error for why it did not go */
        VSM_MOVE_BUSY,                  /* stayed: somebody else's job of it was running */
        VSM_MOVE_LOST,                  /* runs on neither: shut down meanwhile, or worse; see error */
        VSM_MOVE_MEMORY_LOST,           /* in post-copy, and one of the two halves of its memory is gone: see error */
        VSM_MOVE_TWICE,                 /* ran on both: the copy here was paused; see error */
        VSM_MOVE_DISKS_APART,           /* runs here, some of its disks at their new places: see error */
        VSM_MOVE_UNKNOWN,               /* the other host could not be asked and ours does not run it */
} VsmMoveOutcome;

/* What the source looked like before libvirt's call; to be written down before it is made. */
typedef struct VsmMoveFacts {
        bool persistent;
        bool autostart;                 /* the mark was on, and is taken off */
        bool paused;                    /* by somebody: it stays paused there */
        char *address;                  /* of the destination, as dialled */
        uint64_t disk_bytes;            /* that are to be copied; not written down */
} VsmMoveFacts;

/* Called on the long lane's thread, in this order. */
typedef struct VsmMoveHooks {
        /* Write down what is about to be done. False (with error) stops the move before anything is. */
        bool (*prepared)(const VsmMoveFacts *facts, void *userdata, GError **error);
        /* libvirt's call begins. */
        void (*started)(void *userdata);
        /* What is not libvirt's migration job says when it changes over; false: it was cancelled before. */
        bool (*handing_over)(void *userdata);
        /* libvirt's call came back, both hosts are asked now. */
        void (*returned)(void *userdata);
        void *userdata;
        const VsmJournal *journal;      /* of the job; any time between; NULL = none is kept (tests) */
} VsmMoveHooks;

typedef struct VsmMove VsmMove;

VsmMove* vsm_move_new(VsmVirt *virt, const VsmMoveOptions *options);
VsmMove* vsm_move_ref(VsmMove *move);
void vsm_move_unref(VsmMove *move);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmMove, vsm_move_unref)

/* Blocks to the end of the migration, hours maybe: the long lane. Dials, checks that the name is
 * free, takes autostart off, calls libvirt, finds out what is true on both hosts, verifies, gives
 * autostart back where the guest is, removes the definition here. error is set in every outcome
 * but VSM_MOVE_MOVED. ret_stats are libvirt's final ones, all 0 when there are none. */
VsmMoveOutcome vsm_move_run(VsmMove *move, const VsmMoveHooks *hooks, VsmTransferStats *ret_stats, GError **error);

/* Any thread. What was found to stand against it before libvirt's call, as aa{sv} (CIM_Error dicts); a full
 * reference. Empty when nothing was, as when the call itself failed. */
GVariant* vsm_move_reasons(VsmMove *move);

/* Any thread. One more of the table of reasons, with what is filled in; nothing after the first NULL counts. */
void vsm_move_add_reason(VsmMove *move, const char *code, const char *first, const char *second, const char *third);

/* Any thread, returns at once: dials stop, a call not yet made is not made. A running libvirt job
 * needs vsm_move_abort() besides. */
void vsm_move_cancel(VsmMove *move);

/* Any thread. */
bool vsm_move_is_cancelled(VsmMove *move);

/* Any thread, returns at once: libvirt said that this host's CPUs were stopped for it. From then on the
 * guest may run there, and settling acts on that. */
void vsm_move_handed_over(VsmMove *move);

/* Any thread. Libvirt was given leave for post-copy: after started(), and until it turns out that it cannot. After a
 * restart of the daemon, as was asked for. */
bool vsm_move_may_post_copy(VsmMove *move);

/* Blocks, a few ms. Switches to post-copy; not if it was cancelled. */
bool vsm_move_start_post_copy(VsmMove *move, GError **error);

/* Blocks, a few ms. How far it is: vsm_virt_sample(), or what its own thread told last. */
bool vsm_move_sample(VsmMove *move, VsmTransferStats *ret, GError **error);

/* Blocks, a few ms. As vsm_virt_set_bandwidth(), whoever does the copying. */
bool vsm_move_set_bandwidth(VsmMove *move, uint64_t bandwidth, GError **error);

/* Blocks, a few ms. The longest pause, which is taken back when the guest stays. VSM_ERROR_INVALID_STATE once
 * libvirt's call is over. */
bool vsm_move_set_max_downtime(VsmMove *move, unsigned ms, GError **error);

/* Blocks, short lane. Aborts libvirt's job if it has begun; call again until run returns. */
bool vsm_move_abort(VsmMove *move, GError **error);

/* Blocks, short lane. The destination does not answer to the abort: destroys the guest there, after
 * making sure that this host's CPUs own it. */
bool vsm_move_kill_incoming(VsmMove *move, GError **error);

/* Blocks, as run does, after a restart of the daemon: a job that libvirt may still be running for
 * us (started by an earlier vsm_move_run()) is waited for, then the truth is found and the tidying
 * up done as run does it. facts and effects (VsmEffect; may be NULL) are those that were written down;
 * of hooks (may be NULL) only the journal is used. */
VsmMoveOutcome vsm_move_resume(
                VsmMove *move,
                const VsmMoveFacts *facts,
                GPtrArray *effects,
                const VsmMoveHooks *hooks,
                VsmTransferStats *ret_stats,
                GError **error);

/* ---- taking back ---- */

/* Blocks, minutes maybe: the long lane. For a job that has ended, or was not at its end when the daemon
 * was: takes back (last first) or makes final what its journal says, on this host and on the other, which
 * is dialled only if there is something to do. destination NULL: it has no other host; address: where
 * the effects are, so nothing is done at another one. What is done is forgotten in the journal and goes from
 * effects; error says what remains, and why. The verdict has been written down before. */
bool vsm_virt_finish_effects(
                VsmVirt *virt,
                const VsmDestination *destination,
                const char *address,
                const char *uuid,
                GPtrArray *effects,
                bool success,
                const VsmJournal *journal,
                GError **error);

/* ---- checking ---- */

/* Blocks, not longer than the deadline (µs from now) by much. All reasons found, as a GVariant of
 * type aa{sv} (CIM_Error dicts, contract section 2); NULL with error only when this host's libvirt
 * does not answer, the guest has gone, or the check was cancelled. */
GVariant* vsm_check_run(VsmVirt *virt, const VsmMoveOptions *options, uint64_t deadline, VsmCancel *cancel, GError **error);

/* Blocks. What a system needs of a host, in the state that it is in. */
VsmCompat* vsm_virt_compat_system(VsmVirt *virt, const char *uuid, GError **error);

/* Blocks. What this host offers; in full just for the platforms that only has, for all its own with NULL. */
VsmCompat* vsm_virt_compat_host(VsmVirt *virt, const VsmCompat *only, GError **error);

/* ---- planning, and the ways out that are no move ---- */

/* What an evacuation has to know of a guest. */
typedef struct VsmGuestFacts {
        char uuid[VSM_UUID_SIZE];
        char *name;
        uint64_t memory;                /* bytes that a destination has to have */
        uint64_t resident;              /* bytes in use, as libvirt and the balloon tell; memory when they do not */
        uint64_t dirty_rate;            /* bytes/s, of page sampling */
        bool dirty_rate_known;
        uint64_t page_size;             /* of huge pages; 0 = ordinary ones */
        bool paused;
        bool asleep;                    /* by itself (S3): it can neither move nor be saved */
        VsmCompat *compat;              /* what it needs; NULL when it cannot be told */
        GVariant *policy;               /* a{sv} */
        GVariant *reasons;              /* aa{sv}: what stands against any move of it (own disks, host devices, ...) */
} VsmGuestFacts;

void vsm_guest_facts_free(VsmGuestFacts *facts);

/* Blocks, not longer than the deadline (µs from now) by much. uuids NULL = all active ones; those that have gone are left
 * out. As VsmGuestFacts. */
GPtrArray* vsm_virt_guest_facts(VsmVirt *virt, const char *const *uuids, uint64_t deadline, VsmCancel *cancel,
                                GError **error);

/* What an evacuation has to know of a destination. */
typedef struct VsmHostPages {
        uint64_t size, available;       /* bytes */
} VsmHostPages;

typedef struct VsmHostFacts {
        uint64_t memory;                /* bytes that can be had there: free, buffers, caches */
        uint64_t memory_total;
        GArray *pages;                  /* VsmHostPages: huge ones */
        char **groups;                  /* AntiAffinityGroups of its active guests */
        VsmCompat *compat;              /* what it offers */
        char *address;                  /* as dialled */
        uint64_t link_rate;             /* bytes/s of the interface that has the address; 0 = not told */
} VsmHostFacts;

void vsm_host_facts_free(VsmHostFacts *facts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmHostFacts, vsm_host_facts_free)

/* Blocks, not longer than the deadline. needs: the platforms that compat is asked for. */
VsmHostFacts* vsm_peer_facts(const VsmDestination *destination, const VsmCompat *needs, uint64_t deadline,
                             VsmCancel *cancel, GError **error);

/* Blocks, minutes maybe: the long lane. The guest's memory goes into libvirt's managed image, from which it goes on
 * when it is started. A transient guest has none: VSM_ERROR_INVALID_STATE. */
bool vsm_virt_save(VsmVirt *virt, const char *uuid, VsmCancel *cancel, GError **error);

/* Blocks, not longer than the deadline: asks the guest to shut down (agent, then ACPI) and waits for it. It is never
 * destroyed; VSM_ERROR_TIMEOUT when it still runs. */
bool vsm_virt_shutdown(VsmVirt *virt, const char *uuid, uint64_t deadline, VsmCancel *cancel, GError **error);

/* ---- coming home ---- */

/* Blocks. Bytes of memory that can be had on this host: free, buffers and caches. */
bool vsm_virt_available_memory(VsmVirt *virt, uint64_t *ret, GError **error);

/* Blocks, minutes maybe: the long lane. Starts a guest of this host that is off, from its saved image if it has one. One
 * that runs, or is paused, stays as it is. */
bool vsm_virt_start(VsmVirt *virt, const char *uuid, GError **error);

/* What became of a guest that left this host for that one. */
typedef enum {
        VSM_AWAY_GONE,                  /* not there any more: moved on, or removed */
        VSM_AWAY_OFF,                   /* there, and neither running nor paused */
        VSM_AWAY_BUSY,                  /* libvirt there runs a job of it */
        VSM_AWAY_ACTIVE,
} VsmAwayState;

/* Blocks. *ret_info is NULL when it is gone. */
bool vsm_peer_look_away(VsmPeer *peer, const char *uuid, VsmAwayState *ret, VsmDomainInfo **ret_info, GError **error);

typedef struct VsmFetchOptions {
        char uuid[VSM_UUID_SIZE];
        VsmDestination *from;           /* where it is */
        VsmDestination *home;           /* this host, as that one's libvirt has to call it; its addresses stand in addresses */
        bool autostart;                 /* the mark it had here before it left: it gets it back, if it has lost it */
        uint64_t bandwidth;             /* bytes/s, 0 = no limit */
        bool compression;
} VsmFetchOptions;

/* All, and what it points to, is copied. */
typedef struct VsmFetch VsmFetch;       /* as VsmMove: references, cancel and sample from any thread */

VsmFetch* vsm_fetch_new(VsmVirt *virt, const VsmFetchOptions *options);
VsmFetch* vsm_fetch_ref(VsmFetch *fetch);
void vsm_fetch_unref(VsmFetch *fetch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmFetch, vsm_fetch_unref)

/* Blocks to the end of it: the long lane. Opens the libvirt where the guest is and has that one migrate it to us, then
 * finds out what is true on both hosts. VSM_MOVE_MOVED: it runs here. VSM_MOVE_STAYED: there. VSM_MOVE_LOST: on neither,
 * as when somebody has moved it on. Of hooks, prepared, started and returned are called; the address in facts is that of
 * the host where it is. */
VsmMoveOutcome vsm_fetch_run(VsmFetch *fetch, const VsmMoveHooks *hooks, VsmTransferStats *ret_stats, GError **error);

/* Blocks, as run does, after a restart of the daemon: with the facts that were written down. */
VsmMoveOutcome vsm_fetch_resume(VsmFetch *fetch, const VsmMoveFacts *facts, VsmTransferStats *ret_stats, GError **error);

/* As those of VsmMove. */
GVariant* vsm_fetch_reasons(VsmFetch *fetch);
void vsm_fetch_cancel(VsmFetch *fetch);
bool vsm_fetch_is_cancelled(VsmFetch *fetch);

/* Block, seconds when the other host does not answer: over a connection of their own. As those of VsmMove. */
bool vsm_fetch_sample(VsmFetch *fetch, VsmTransferStats *ret, GError **error);
bool vsm_fetch_abort(VsmFetch *fetch, GError **error);
bool vsm_fetch_kill_incoming(VsmFetch *fetch, GError **error);
