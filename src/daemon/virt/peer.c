/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A control connection to another host's libvirt, and what is asked and done there. libvirt's
 * keepalive, which runs on the event thread, ends a call to a host that froze. Workers. */

#include "daemon/virt/dial.h"
#include "daemon/virt/patience.h"
#include "daemon/virt/peer.h"
#include "daemon/virt/uri.h"
#include "shared/error.h"

#define HANDSHAKE_USEC          (10 * G_USEC_PER_SEC)   /* after something accepted the connection */
#define KEEPALIVE_INTERVAL      5                       /* s; five unanswered ones end it after 30 s */
#define KEEPALIVE_COUNT         5

struct VsmPeer {
        virConnectPtr connection;
        char *host;
        char *address;
};

void vsm_peer_free(VsmPeer *peer) {
        if (!peer)
                return;

        if (peer->connection)
                virConnectClose(peer->connection);
        g_free(peer->host);
        g_free(peer->address);
        g_free(peer);
}

const char* vsm_peer_address(VsmPeer *peer) {
        return peer->address;
}

const char* vsm_peer_host(VsmPeer *peer) {
        return peer->host;
}

virConnectPtr vsm_peer_connection(VsmPeer *peer) {
        return peer->connection;
}

virConnectPtr vsm_peer_ref_connection(VsmPeer *peer) {
        (void) virConnectRef(peer->connection);
        return peer->connection;
}

VsmPeer* vsm_peer_here(VsmVirt *virt, const char *host, GError **error) {
        virConnectPtr connection = vsm_virt_open_own(virt, error);
        VsmPeer *peer;

        if (!connection)
                return NULL;

        peer = g_new0(VsmPeer, 1);
        peer->connection = connection;
        peer->host = g_strdup(host);
        return peer;
}

static void connection_free(void *connection) {
        virConnectClose(connection);
}

static void* open_thread(void *input, GError **error) {
        g_autoptr(virConnect) connection = NULL;

        /* No callback for credentials: nobody is there to type a password. */
        connection = virConnectOpenAuth(input, NULL, 0);
        if (!connection) {
                vsm_virt_error_as(error, VSM_ERROR_FAILED, "its libvirt refused the connection");
                return NULL;
        }

        if (virConnectSetKeepAlive(connection, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT) < 0) {
                vsm_virt_error_as(error, VSM_ERROR_FAILED, "its libvirt cannot be watched");
                return NULL;
        }

        return g_steal_pointer(&connection);
}

static VsmPeer* open_address(
                const VsmDestination *destination,
                const char *address,
                int64_t deadline,
                VsmCancel *cancel,
                GError **error) {

        g_autofree char *uri = NULL, *what = NULL;
        g_autoptr(VsmPeer) peer = NULL;
        g_autoptr(GError) local = NULL;

        uri = vsm_uri_control(destination, address, error);
        if (!uri)
                return NULL;

        peer = g_new0(VsmPeer, 1);
        peer->host = g_strdup(destination->host);
        peer->address = g_strdup(address);

        what = g_strdup_printf("its libvirt at %s", address);
        peer->connection = vsm_patience_run(
                        &(VsmPatience) {
                                .what = what,
                                .host = destination->host,
                                .func = open_thread,
                                .input = g_steal_pointer(&uri),
                                .input_free = g_free,
                                .result_free = connection_free,
                        },
                        deadline, cancel, &local);
        if (!peer->connection) {
                g_propagate_prefixed_error(error, g_steal_pointer(&local), "Host '%s': ", destination->host);
                return NULL;
        }

        return g_steal_pointer(&peer);
}

VsmPeer* vsm_peer_open(
                const VsmDestination *destination,
                uint64_t deadline,
                VsmCancel *cancel,
                GError **error) {

        int64_t until = g_get_monotonic_time() + (int64_t) deadline;
        g_autofree char *address = NULL;

        address = vsm_dial(destination, NULL, until, cancel, error);
        if (!address)
                return NULL;

        return open_address(destination, address, until, cancel, error);
}

VsmPeer* vsm_peer_open_next(
                const VsmDestination *destination,
                char **avoid,
                uint64_t dial,
                VsmCancel *cancel,
                GError **error) {

        int64_t now = g_get_monotonic_time();
        g_autofree char *address = NULL;

        address = vsm_dial(destination, avoid, now + (int64_t) dial, cancel, error);
        if (!address)
                return NULL;

        return open_address(destination, address, g_get_monotonic_time() + HANDSHAKE_USEC, cancel, error);
}

VsmPeer* vsm_peer_open_dialled(
                const VsmDestination *destination,
                uint64_t dial,
                VsmCancel *cancel,
                GError **error) {

        return vsm_peer_open_next(destination, NULL, dial, cancel, error);
}

VsmPeer* vsm_peer_open_at(
                const VsmDestination *destination,
                const char *address,
                uint64_t dial,
                VsmCancel *cancel,
                GError **error) {

        int64_t now = g_get_monotonic_time();
        g_autofree char *answered = NULL;
        char *addresses[] = { (char *) address, NULL };

        answered = vsm_dial_connect(addresses, vsm_uri_control_port(destination), now + (int64_t) dial,
                                    cancel, error);
        if (!answered) {
                g_prefix_error(error, "Host '%s': ", destination->host);
                return NULL;
        }

        return open_address(destination, address, g_get_monotonic_time() + HANDSHAKE_USEC, cancel, error);
}

/* "Not available" means this host's libvirt to everybody else: it must not be said of another's. */
static bool blame_peer(VsmPeer *peer, GError **error) {
        if (!error || !*error)
                return false;

        if (g_error_matches(*error, VSM_ERROR, VSM_ERROR_SYSTEM_NOT_AVAILABLE))
                (*error)->code = VSM_ERROR_FAILED;
        g_prefix_error(error, "Host '%s': ", peer->host);
        return false;
}

bool vsm_peer_look(VsmPeer *peer, const char *uuid, VsmDomainInfo **ret, GError **error) {
        return vsm_domain_look(peer->connection, uuid, ret, error) || blame_peer(peer, error);
}

bool vsm_peer_look_name(
                VsmPeer *peer,
                const char *name,
                char ret_uuid[static VSM_UUID_SIZE],
                GError **error) {

        g_autoptr(virDomain) domain = NULL;

        domain = virDomainLookupByName(peer->connection, name);
        if (!domain) {
                if (virGetLastErrorCode() == VIR_ERR_NO_DOMAIN) {
                        ret_uuid[0] = 0;
                        return true;
                }

                vsm_virt_error_as(error, VSM_ERROR_FAILED, "Host '%s' does not tell whether it has a system "
                                                           "'%s'",
                                  peer->host, name);
                return false;
        }

        if (virDomainGetUUIDString(domain, ret_uuid) < 0) {
                vsm_virt_error_as(error, VSM_ERROR_FAILED, "Host '%s' does not tell the UUID of its system "
                                                           "'%s'",
                                  peer->host, name);
                return false;
        }

        return true;
}

bool vsm_peer_set_autostart(VsmPeer *peer, const char *uuid, bool autostart, GError **error) {
        return vsm_domain_set_autostart(peer->connection, uuid, autostart, error) || blame_peer(peer, error);
}

bool vsm_peer_destroy_incoming(VsmPeer *peer, const char *uuid, GError **error) {
        g_autoptr(virDomain) domain = NULL;
        VsmSide side;

        if (!vsm_domain_lookup(peer->connection, uuid, &domain, error))
                return blame_peer(peer, error);

        if (!domain)
                return true;

        /* Asks only for what libvirtd knows itself: this QEMU may be frozen. */
        side = vsm_side_of(domain, VSM_HOST_THERE);
        if (side == VSM_SIDE_ABSENT || side == VSM_SIDE_OFF || side == VSM_SIDE_OFF_MIGRATED)
                return true;

        if (side != VSM_SIDE_INCOMING) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "The system on host '%s' is %s: it is not destroyed, for it may be the only "
                            "copy",
                            peer->host, vsm_side_to_string(side));
                return false;
        }

        if (virDomainDestroy(domain) < 0 && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN &&
            vsm_side_of(domain, VSM_HOST_THERE) == VSM_SIDE_INCOMING) {
                vsm_virt_error_as(error, VSM_ERROR_FAILED, "Host '%s' does not remove the incomplete copy "
                                                           "of the system",
                                  peer->host);
                return false;
        }

        return true;
}
