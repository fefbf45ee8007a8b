/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The single acts of settling a move, on this host and on the other. Each looks once more before it
 * does what cannot be undone. Workers. */

#include "daemon/virt/patience.h"
#include "daemon/virt/settle.h"
#include "shared/error.h"

#define DIAL_USEC               (5 * G_USEC_PER_SEC)
#define AUTOSTART_TRIES         3

/* The address to which it was sent: a name may have got another one since. The move's own cancel is not
 * heeded here, the truth is wanted after a cancel as well. */
static VsmPeer* open_at(const VsmDestination *destination, const char *address, GError **error) {
        return address ? vsm_peer_open_at(destination, address, DIAL_USEC, NULL, error) :
                vsm_peer_open_dialled(destination, DIAL_USEC, NULL, error);
}

bool vsm_settle_need_source(VsmSettle *settle, GError **error) {
        if (settle->source && virConnectIsAlive(settle->source) != 1) {
                g_clear_pointer(&settle->source, virConnectClose);
                settle->lost_source = true;
        }

        if (!settle->source && settle->from) {
                g_autoptr(VsmPeer) peer = open_at(settle->from, settle->facts->address, error);

                settle->source = peer ? vsm_peer_ref_connection(peer) : NULL;
        } else if (!settle->source)
                settle->source = vsm_virt_open_own(settle->virt, error);

        return settle->source;
}

bool vsm_settle_need_peer(VsmSettle *settle, GError **error) {
        const VsmDestination *destination = settle->options->destination;

        if (settle->peer && virConnectIsAlive(vsm_peer_connection(settle->peer)) != 1)
                g_clear_pointer(&settle->peer, vsm_peer_free);

        if (settle->peer)
                return true;

        settle->peer = settle->from ? vsm_peer_here(settle->virt, destination->host, error) :
                open_at(destination, settle->facts->address, error);
        return settle->peer;
}

static bool restore_downtime(VsmSettle *settle, GError **error) {
        unsigned long long now = 0, former = settle->former_downtime ?: VSM_DOWNTIME_DEFAULT_MS;
        g_autoptr(virDomain) domain = NULL;

        if (settle->downtime == 0)
                return true;

        if (!vsm_domain_lookup(settle->source, settle->options->uuid, &domain, error))
                return false;

        /* Off or gone: the next QEMU starts with its default. Changed by somebody: his is kept. */
        if (!domain || virDomainIsActive(domain) != 1 ||
            virDomainMigrateGetMaxDowntime(domain, &now, 0) < 0 || now != settle->downtime)
                return true;

        if (virDomainMigrateSetMaxDowntime(domain, former, 0) < 0) {
                vsm_virt_error(error, "Its longest pause in migrations could not be set back to %llu "
                                      "ms", former);
                return false;
        }

        return true;
}

bool vsm_settle_set_autostart(VsmSettle *settle, bool autostart, GError **error) {
        if (!vsm_domain_set_autostart(settle->source, settle->options->uuid, autostart, error))
                return false;

        vsm_virt_emit(settle->virt, VSM_VIRT_DOMAIN_CHANGED, settle->options->uuid, 0);
        return true;
}

bool vsm_settle_restore_here(VsmSettle *settle, GError **error) {
        bool ok = false;

        /* It is set before the rest is tried: a source without its mark does not start at boot. */
        for (unsigned i = 0; settle->facts->autostart && !ok; i++) {
                g_autoptr(GError) local = NULL;

                ok = vsm_settle_need_source(settle, &local) &&
                        vsm_settle_set_autostart(settle, true, &local);
                if (ok)
                        break;

                if (i + 1 >= AUTOSTART_TRIES) {
                        g_propagate_prefixed_error(error, g_steal_pointer(&local),
                                                   "Its autostart mark could not be put back here, set it "
                                                   "by hand: ");
                        return false;
                }

                (void) vsm_wait_sleep(G_USEC_PER_SEC, NULL);
        }

        return vsm_settle_need_source(settle, error) && restore_downtime(settle, error);
}

/* The definition here goes last. Nothing that it refers to goes with it:
 * - MANAGED_SAVE is not given. A guest that ran has no saved image; should there be one all the
 *   same, libvirt refuses, and a person decides about it.
 * - SNAPSHOTS_METADATA, CHECKPOINTS_METADATA are not given, for the same reason: libvirt does not
 *   send them, so removing them would lose them. Where we sent what is told of snapshots, it goes.
 * - KEEP_NVRAM: on shared storage it is the very file that the guest uses there, and without the
 *   flag libvirt refuses to undefine a guest with UEFI.
 * - KEEP_TPM: the same for the state of its TPM, which libvirt would remove silently. */
#define UNDEFINE_FLAGS (VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | VIR_DOMAIN_UNDEFINE_KEEP_TPM)

static bool undefine_here(VsmSettle *settle, GError **error) {
        g_autoptr(virDomain) domain = NULL;
        int active;

        if (!vsm_settle_need_source(settle, error) ||
            !vsm_domain_lookup(settle->source, settle->options->uuid, &domain, error))
                return false;

        if (!domain)
                return true;

        active = virDomainIsActive(domain);
        if (active == 1) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "It runs here again: its definition here is kept");
                return false;
        }

        if (active < 0 ||
            virDomainUndefineFlags(domain, UNDEFINE_FLAGS |
                                   (settle->snapshots_there ? VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA : 0)) < 0) {
                if (virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
                        return true;

                vsm_virt_error(error, "Its definition could not be removed here, undefine it by hand");
                return false;
        }

        return true;
}

bool vsm_settle_finish_moved(VsmSettle *settle, GError **error) {
        g_autoptr(VsmDomainInfo) info = NULL;
        g_autoptr(GError) autostart_error = NULL;
        const VsmChanges *changes = settle->options->changes;
        const char *uuid = settle->options->uuid;
        bool autostart;

        if (!vsm_settle_need_peer(settle, error) || !vsm_peer_look(settle->peer, uuid, &info, error))
                return false;

        if (!info) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                            "It was on host '%s', but is not any more: its definition here is kept",
                            vsm_peer_host(settle->peer));
                return false;
        }

        if (settle->facts->persistent && !info->persistent) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                            "Host '%s' has no permanent definition of it: the one here is kept",
                            vsm_peer_host(settle->peer));
                return false;
        }

        /* Also off: an old definition there may have had the mark, and the guest's own is what counts, or what
         * was asked for. */
        autostart = changes && changes->autostart >= 0 ? changes->autostart : settle->facts->autostart;
        if (info->persistent && info->autostart != autostart)
                (void) vsm_peer_set_autostart(settle->peer, uuid, autostart, &autostart_error);

        if (!undefine_here(settle, error))
                return false;

        if (autostart_error) {
                g_propagate_prefixed_error(error, g_steal_pointer(&autostart_error),
                                           "Its autostart mark could not be put there, set it by hand: ");
                return false;
        }

        return true;
}

static virDomainPtr find_here(VsmSettle *settle, VsmSide expected, GError **error) {
        g_autoptr(virDomain) domain = NULL;
        VsmSide side;

        if (!vsm_settle_need_source(settle, error))
                return NULL;

        domain = vsm_domain_find(settle->source, settle->options->uuid, error);
        if (!domain)
                return NULL;

        side = vsm_side_of(domain, VSM_HOST_HERE);
        if (side != expected) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, "It changed meanwhile: it is %s here",
                            vsm_side_to_string(side));
                return NULL;
        }

        return g_steal_pointer(&domain);
}

bool vsm_settle_resume_here(VsmSettle *settle, GError **error) {
        g_autoptr(virDomain) domain =
                find_here(settle, settle->held ? VSM_SIDE_PAUSED : VSM_SIDE_HANDED_OVER, error);

        if (!domain)
                return false;

        if (virDomainResume(domain) < 0) {
                vsm_virt_error(error, "It could not be resumed here");
                return false;
        }

        settle->held = false;
        return true;
}

bool vsm_settle_suspend_here(VsmSettle *settle, GError **error) {
        g_autoptr(virDomain) domain = find_here(settle, VSM_SIDE_RUNNING, error);

        if (!domain)
                return false;

        if (virDomainSuspend(domain) < 0) {
                vsm_virt_error(error, "It could not be paused here");
                return false;
        }

        return true;
}

bool vsm_settle_remove_here(VsmSettle *settle, GError **error) {
        g_autoptr(virDomain) domain = find_here(settle, VSM_SIDE_HANDED_OVER, error);

        if (!domain)
                return false;

        if (virDomainDestroy(domain) < 0) {
                vsm_virt_error(error, "The copy that was sent could not be removed here");
                return false;
        }

        return true;
}
