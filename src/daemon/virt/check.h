/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/reason.h"
#include "daemon/virt/check-needs.h"
#include "daemon/virt/internal.h"
#include "daemon/virt/peer.h"

/* What a check function gets, and where it puts what it finds. One question = one function in a table
 * of check.c. They run one after the other, each in a thread of its own with a time limit: one that
 * did not come back goes on by itself, and the next one is asked meanwhile. So nothing of this changes
 * once the questions of a table are asked, and reasons has its own lock. */

typedef struct VsmCheck {
        gint n_ref;
        VsmReasons *reasons;
        VsmMoveOptions options;         /* its destination is our own */
        VsmNeeds *needs;                /* of the definition; nothing when that could not be read */

        virConnectPtr source;           /* of its own */
        virDomainPtr domain;
        char *name;
        bool persistent;
        char *xml;                      /* its definition, NULL when that could not be read */
        char **copied;                  /* targets of disks that go along; NULL = none */

        VsmPeer *peer;                  /* NULL for the checks of the source */
        virConnectPtr there;            /* borrowed from peer */
        const char *host;               /* of the destination */
} VsmCheck;

VsmCheck* vsm_check_new(const VsmMoveOptions *options);
VsmCheck* vsm_check_ref(VsmCheck *check);
void vsm_check_unref(VsmCheck *check);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmCheck, vsm_check_unref)

/* The half of a check that needs no destination, for who has to know a guest alone (guest-facts.c). Both block; the
 * first opens a connection of the check's own and reads the definition. deadline: of g_get_monotonic_time(). */
bool vsm_check_open_source(VsmCheck *check, VsmVirt *virt, GError **error);
void vsm_check_ask_source(VsmCheck *check, int64_t deadline, VsmCancel *cancel);

/* False with error when the question could not be asked: that becomes not-verifiable. */
typedef struct VsmCheckFunc {
        const char *question;           /* "whether …", for not-verifiable */
        bool (*func)(VsmCheck *check, GError **error);
} VsmCheckFunc;

/* For one of several things in a question: not-verifiable, with "whether …". libvirt_text may be NULL. */
void vsm_check_not_verifiable(
                VsmCheck *check,
                const char *source,
                const char *libvirt_text,
                const char *format,
                ...) G_GNUC_PRINTF(4, 5);

/* The same, with what libvirt said last in this thread. */
void vsm_check_not_told(VsmCheck *check, const char *source, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* ---- of the definition alone ---- */

bool vsm_check_host_devices(VsmCheck *check, GError **error);           /* check-devices.c */
bool vsm_check_virtiofs(VsmCheck *check, GError **error);
bool vsm_check_transient_disks(VsmCheck *check, GError **error);        /* check-storage.c */

/* ---- of the source; no job of the domain may run, for libvirt would wait for it ---- */

bool vsm_check_awake(VsmCheck *check, GError **error);                  /* check-source.c */
bool vsm_check_snapshots(VsmCheck *check, GError **error);              /* check-source.c */
bool vsm_check_checkpoints(VsmCheck *check, GError **error);
bool vsm_check_block_jobs(VsmCheck *check, GError **error);             /* check-storage.c */

/* Whether libvirt here would begin. After those above: it says one thing only. */
bool vsm_check_dry_run(VsmCheck *check, GError **error);                /* check-source.c */

/* ---- of the destination ---- */

bool vsm_check_same_host(VsmCheck *check, GError **error);              /* check-destination.c */
bool vsm_check_name(VsmCheck *check, GError **error);
bool vsm_check_uuid(VsmCheck *check, GError **error);
bool vsm_check_libvirt_version(VsmCheck *check, GError **error);
bool vsm_check_hypervisor_version(VsmCheck *check, GError **error);
bool vsm_check_post_copy(VsmCheck *check, GError **error);

/* CPU, machine type, emulator, firmware: what the guest needs and is offered here, against there. */
bool vsm_check_compat(VsmCheck *check, GError **error);                 /* check-compat.c */

/* Whether libvirt there would make a command line of it. After those that name what it may lack. */
bool vsm_check_definition(VsmCheck *check, GError **error);

bool vsm_check_memory(VsmCheck *check, GError **error);                 /* check-memory.c */
bool vsm_check_huge_pages(VsmCheck *check, GError **error);
bool vsm_check_pinning(VsmCheck *check, GError **error);
bool vsm_check_networks(VsmCheck *check, GError **error);               /* check-network.c */
bool vsm_check_links(VsmCheck *check, GError **error);
bool vsm_check_addresses(VsmCheck *check, GError **error);
bool vsm_check_files(VsmCheck *check, GError **error);                  /* check-storage.c */
bool vsm_check_volumes(VsmCheck *check, GError **error);
bool vsm_check_disk_plan(VsmCheck *check, GError **error);              /* check-disk-plan.c */
bool vsm_check_interface_plan(VsmCheck *check, GError **error);
bool vsm_check_other_storage(VsmCheck *check, GError **error);
bool vsm_check_locks(VsmCheck *check, GError **error);
bool vsm_check_tpm(VsmCheck *check, GError **error);                    /* check-devices.c */
bool vsm_check_secrets(VsmCheck *check, GError **error);
bool vsm_check_lent_devices(VsmCheck *check, GError **error);
bool vsm_check_paths(VsmCheck *check, GError **error);
bool vsm_check_unknown(VsmCheck *check, GError **error);
bool vsm_check_tls(VsmCheck *check, GError **error);                    /* check-tls.c */
bool vsm_check_ports(VsmCheck *check, GError **error);

/* ---- check-tls.c: pure ---- */

/* What is wrong with a certificate, in words that complete "its TLS certificate is not accepted: …", when
 * that is what these of libvirt and GnuTLS say; NULL when they speak of something else. Static text. */
const char* vsm_tls_fault(const char *text);

/* ---- for moves as well ---- */

/* Why a control connection could not be made, as a reason. */
void vsm_check_unreachable(VsmReasons *reasons, const VsmDestination *destination, const GError *error);
