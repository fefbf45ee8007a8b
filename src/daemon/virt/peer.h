/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/internal.h"
#include "daemon/virt/side.h"

/* What the files of this folder may do with a control connection besides virt.h. */

/* Borrowed. Calls on it end by themselves when the peer freezes: keepalive closes it after 30 s. */
virConnectPtr vsm_peer_connection(VsmPeer *peer);
virConnectPtr vsm_peer_ref_connection(VsmPeer *peer);
const char* vsm_peer_host(VsmPeer *peer);

/* Blocks. This host in the place of another one: with a connection of its own, and without an address. host is
 * what messages call it. */
VsmPeer* vsm_peer_here(VsmVirt *virt, const char *host, GError **error);

/* Blocks. Like vsm_peer_open(), with a deadline for finding an address that answers only; libvirt's
 * handshake has its own 10 s after that. */
VsmPeer* vsm_peer_open_dialled(
                const VsmDestination *destination,
                uint64_t dial,
                VsmCancel *cancel,
                GError **error);

/* Blocks. The same, at another address than these. */
VsmPeer* vsm_peer_open_next(
                const VsmDestination *destination,
                char **avoid,
                uint64_t dial,
                VsmCancel *cancel,
                GError **error);

/* Blocks. The same, to the very address to which a guest was sent: asking afterwards must not end at
 * another address of a name, and needs no look-up. */
VsmPeer* vsm_peer_open_at(
                const VsmDestination *destination,
                const char *address,
                uint64_t dial,
                VsmCancel *cancel,
                GError **error);

/* Blocks. UUID of the domain of that name, "" when there is none. */
bool vsm_peer_look_name(
                VsmPeer *peer,
                const char *name,
                char ret_uuid[static VSM_UUID_SIZE],
                GError **error);

/* Blocks. Bytes that can be had there, as vsm_peer_available_memory() tells, and all that there are. */
bool vsm_peer_memory(VsmPeer *peer, uint64_t *ret_available, uint64_t *ret_total, GError **error);
