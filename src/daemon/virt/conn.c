/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection to this host's libvirt: one, shared by all short calls and the only one with
 * events. A VsmVirt lives as long as the process, so callbacks may hold it.
 * Workers; closed() is the event thread; vsm_virt_is_connected() and the references any thread. */

#include "daemon/virt/internal.h"
#include "shared/error.h"

#define URI_DEFAULT "qemu:///system"

/* One connection with what hangs on it. */
typedef struct Link {
        virConnectPtr connection;
        VsmEvents *events;
        bool closed;            /* under virt->lock */
} Link;

struct VsmVirt {
        char *uri;
        VsmVirtEventFunc func;
        void *userdata;

        GMutex connecting;      /* one vsm_virt_connect() at a time; held while that waits */
        GMutex lock;            /* for what follows, and their closed; never held over a call of libvirt */
        Link *link;             /* the shared one; put only by who holds connecting */
        Link *coming;           /* one that is being made */
};

void vsm_virt_emit(VsmVirt *virt, VsmVirtEventType type, const char *uuid, int iteration) {
        VsmVirtEvent event = {
                .type = type,
                .iteration = iteration,
        };

        if (uuid)
                g_strlcpy(event.uuid, uuid, sizeof event.uuid);

        virt->func(&event, virt->userdata);
}

/* Event thread, with libvirt's lock on the connection's close callback held: the connection cannot
 * be closed from here. The next vsm_virt_connect() does it. userdata is no Link, as when libvirt
 * would let go of that differs between its drivers. */
static void closed(virConnectPtr connection, int reason, void *userdata) {
        VsmVirt *virt = userdata;
        bool shared;

        g_mutex_lock(&virt->lock);

        shared = virt->link && virt->link->connection == connection;
        if (shared)
                virt->link->closed = true;
        else if (virt->coming && virt->coming->connection == connection)
                virt->coming->closed = true;

        g_mutex_unlock(&virt->lock);

        if (shared)
                vsm_virt_emit(virt, VSM_VIRT_DISCONNECTED, NULL, 0);
}

static void link_drop(Link *link) {
        if (!link)
                return;

        /* Both hold the connection. With a broken one they fail after having forgotten us, without
         * waiting: that is all that is wanted. */
        vsm_events_free(link->events);
        (void) virConnectUnregisterCloseCallback(link->connection, closed);
        virConnectClose(link->connection);
        g_free(link);
}

static virConnectPtr open_connection(VsmVirt *virt, GError **error) {
        virConnectPtr connection;

        /* No keepalive of ours: the socket is local and closes with libvirtd. (libvirtd pings us all
         * the same, every 5 s: keepalive_interval in its own configuration.) */
        connection = virConnectOpen(virt->uri);
        if (!connection)
                vsm_virt_error_as(error, VSM_ERROR_SYSTEM_NOT_AVAILABLE, "Cannot connect to libvirt");

        return connection;
}

static Link* link_new(VsmVirt *virt, GError **error) {
        virConnectPtr connection;
        Link *link;

        connection = open_connection(virt, error);
        if (!connection)
                return NULL;

        link = g_new0(Link, 1);
        link->connection = connection;
        return link;
}

static bool link_watch(Link *link, VsmVirt *virt, GError **error) {
        if (virConnectRegisterCloseCallback(link->connection, closed, virt, NULL) < 0) {
                vsm_virt_error(error, "Cannot watch the connection to libvirt");
                return false;
        }

        link->events = vsm_events_register(virt, link->connection, error);
        return link->events;
}

static bool host_read(virConnectPtr connection, VsmVirtHost *ret, GError **error) {
        g_autofree char *hostname = NULL;
        unsigned long libvirt_version, hypervisor_version;

        if (virConnectGetLibVersion(connection, &libvirt_version) < 0) {
                vsm_virt_error(error, "Cannot read libvirt's version");
                return false;
        }

        hostname = virConnectGetHostname(connection);
        if (!hostname) {
                vsm_virt_error(error, "Cannot read libvirt's host name");
                return false;
        }

        /* A host without an emulator is no reason to have no connection. */
        if (virConnectGetVersion(connection, &hypervisor_version) < 0)
                hypervisor_version = 0;

        *ret = (VsmVirtHost) {
                .libvirt_version = libvirt_version,
                .hypervisor_version = hypervisor_version,
                .hostname = g_steal_pointer(&hostname),
        };
        return true;
}

static void set_links(VsmVirt *virt, Link *link, Link *coming) {
        g_mutex_lock(&virt->lock);
        virt->link = link;
        virt->coming = coming;
        g_mutex_unlock(&virt->lock);
}

/* Makes the coming one the shared one. Not when it has broken meanwhile: nothing would tell of it. */
static bool take_coming(VsmVirt *virt) {
        g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&virt->lock);

        if (virt->coming->closed)
                return false;

        virt->link = g_steal_pointer(&virt->coming);
        return true;
}

static bool connect_link(VsmVirt *virt, Link *link, VsmVirtHost *ret, GError **error) {
        VsmVirtHost host;

        if (!link_watch(link, virt, error) || !host_read(link->connection, &host, error))
                return false;

        if (!take_coming(virt)) {
                vsm_virt_host_clear(&host);
                g_set_error(error, VSM_ERROR, VSM_ERROR_SYSTEM_NOT_AVAILABLE,
                            "The connection to libvirt closed at once");
                return false;
        }

        *ret = host;
        return true;
}

bool vsm_virt_connect(VsmVirt *virt, VsmVirtHost *ret, GError **error) {
        g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&virt->connecting);
        Link *former = virt->link, *link;

        set_links(virt, NULL, NULL);
        link_drop(former);

        link = link_new(virt, error);
        if (!link)
                return false;

        set_links(virt, NULL, link);
        if (!connect_link(virt, link, ret, error)) {
                set_links(virt, NULL, NULL);
                link_drop(link);
                return false;
        }

        return true;
}

void vsm_virt_host_clear(VsmVirtHost *host) {
        g_clear_pointer(&host->hostname, g_free);
        *host = (VsmVirtHost) { 0 };
}

bool vsm_virt_is_connected(VsmVirt *virt) {
        g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&virt->lock);

        return virt->link && !virt->link->closed;
}

virConnectPtr vsm_virt_ref_connection(VsmVirt *virt, GError **error) {
        g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&virt->lock);

        if (!virt->link || virt->link->closed) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_SYSTEM_NOT_AVAILABLE, "libvirt does not answer");
                return NULL;
        }

        (void) virConnectRef(virt->link->connection); /* counts, no more */
        return virt->link->connection;
}

virConnectPtr vsm_virt_open_own(VsmVirt *virt, GError **error) {
        return open_connection(virt, error);
}

VsmVirt* vsm_virt_new(const char *uri, VsmVirtEventFunc func, void *userdata, GError **error) {
        VsmVirt *virt;

        g_assert(func);

        if (!vsm_loop_start(error))
                return NULL;

        virt = g_new0(VsmVirt, 1);
        virt->uri = g_strdup(uri ?: URI_DEFAULT);
        virt->func = func;
        virt->userdata = userdata;
        g_mutex_init(&virt->connecting);
        g_mutex_init(&virt->lock);
        return virt;
}
