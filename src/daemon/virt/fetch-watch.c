/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is asked of the other host, and said to it, while its libvirt sends a guest home: over a second connection, for
 * a host answers five calls of one at a time. Workers; one asks at a time. */

#include "daemon/virt/fetch-private.h"

#define DIAL_USEC (5 * G_USEC_PER_SEC)

void vsm_fetch_set_address(VsmFetch *fetch, const char *address) {
        G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fetch->lock);

        g_free(fetch->address);
        fetch->address = g_strdup(address);
}

/* Under the lock. NULL without error when nothing was dialled yet. */
static virConnectPtr second(VsmFetch *fetch, GError **error) {
        if (fetch->second && virConnectIsAlive(vsm_peer_connection(fetch->second)) != 1)
                g_clear_pointer(&fetch->second, vsm_peer_free);

        if (!fetch->second && fetch->address)
                fetch->second = vsm_peer_open_at(fetch->options.from, fetch->address, DIAL_USEC, NULL, error);

        return fetch->second ? vsm_peer_connection(fetch->second) : NULL;
}

bool vsm_fetch_sample(VsmFetch *fetch, VsmTransferStats *ret, GError **error) {
        G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fetch->lock);
        virConnectPtr connection;

        *ret = (VsmTransferStats) {};
        if (!g_atomic_int_get(&fetch->calling))
                return true;

        connection = second(fetch, error);
        return connection && vsm_stats_look(connection, fetch->options.uuid, ret, error);
}

bool vsm_fetch_abort(VsmFetch *fetch, GError **error) {
        G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fetch->lock);
        virConnectPtr connection;
        bool running;

        /* Not ours would be another's: somebody may migrate it by hand. */
        if (!g_atomic_int_get(&fetch->calling))
                return true;

        connection = second(fetch, error);
        return connection && vsm_stats_abort(connection, fetch->options.uuid, &running, error);
}

/* True when the other host's CPUs own the guest and go on owning it, as in move.c: after QEMU there took the abort, a
 * guest that is not handed over will not be. */
static bool make_sure_of_owner(VsmFetch *fetch, bool *ret_running, GError **error) {
        G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fetch->lock);
        virConnectPtr connection = second(fetch, error);
        VsmSide side;

        if (!connection || !vsm_stats_abort(connection, fetch->options.uuid, ret_running, error))
                return false;

        if (!*ret_running)
                return true;

        if (!vsm_side_look(connection, fetch->options.uuid, VSM_HOST_HERE, &side, NULL, error))
                return false;

        if (side != VSM_SIDE_RUNNING && side != VSM_SIDE_PAUSED) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "The system is %s on host '%s': the copy here may be the one that counts",
                            vsm_side_to_string(side), fetch->options.from->host);
                return false;
        }

        return true;
}

bool vsm_fetch_kill_incoming(VsmFetch *fetch, GError **error) {
        g_autoptr(VsmPeer) here = NULL;
        bool running;

        if (!g_atomic_int_get(&fetch->calling))
                return true;

        here = vsm_peer_here(fetch->virt, fetch->options.home->host, error);
        if (!here || !make_sure_of_owner(fetch, &running, error))
                return false;

        /* No job any more: settling does the rest. */
        return !running || vsm_peer_destroy_incoming(here, fetch->options.uuid, error);
}
