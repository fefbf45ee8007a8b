/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt's events, turned into ours. Only what is said here is heard: libvirt 9 has no event for
 * the autostart mark, for a managed save image being removed, for processors that are switched on in
 * a running guest (virsh setvcpus), for the start or the phases of a job.
 * Callbacks are the event thread: they copy and go, and call nothing of libvirt that would wait. */

#include "daemon/virt/internal.h"
#include "shared/error.h"

static void emit(VsmVirt *virt, VsmVirtEventType type, virDomainPtr domain, int iteration) {
        char uuid[VIR_UUID_STRING_BUFLEN];

        G_STATIC_ASSERT(VIR_UUID_STRING_BUFLEN == VSM_UUID_SIZE);

        if (virDomainGetUUIDString(domain, uuid) < 0)
                return;

        vsm_virt_emit(virt, type, uuid, iteration);
}

/* A rename comes as UNDEFINED and DEFINED, both with the detail RENAMED and the same UUID. */
static VsmVirtEventType lifecycle_type(int event, int detail) {
        switch (event) {
        case VIR_DOMAIN_EVENT_STARTED:
                /* at prepare, long before it runs here */
                if (detail == VIR_DOMAIN_EVENT_STARTED_MIGRATED)
                        return VSM_VIRT_DOMAIN_INCOMING;
                break;

        case VIR_DOMAIN_EVENT_SUSPENDED:
                if (detail == VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED)
                        return VSM_VIRT_DOMAIN_HANDED_OVER;
                if (detail == VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY)
                        return VSM_VIRT_DOMAIN_POST_COPY;
                break;

        case VIR_DOMAIN_EVENT_STOPPED:
                if (detail == VIR_DOMAIN_EVENT_STOPPED_CRASHED)
                        return VSM_VIRT_DOMAIN_CRASHED;
                break;

        case VIR_DOMAIN_EVENT_CRASHED:
                /* the other detail, CRASHLOADED, is a guest that runs its own crash kernel */
                if (detail == VIR_DOMAIN_EVENT_CRASHED_PANICKED)
                        return VSM_VIRT_DOMAIN_CRASHED;
                break;

        default:
                break;
        }

        return VSM_VIRT_DOMAIN_CHANGED;
}

static int on_lifecycle(
                virConnectPtr connection,
                virDomainPtr domain,
                int event,
                int detail,
                void *userdata) {

        emit(userdata, lifecycle_type(event, detail), domain, 0);
        return 0;
}

static void on_iteration(virConnectPtr connection, virDomainPtr domain, int iteration, void *userdata) {
        emit(userdata, VSM_VIRT_MIGRATION_ITERATION, domain, iteration);
}

/* title, description and our policy */
static void on_metadata(
                virConnectPtr connection,
                virDomainPtr domain,
                int type,
                const char *uri,
                void *userdata) {

        emit(userdata, VSM_VIRT_DOMAIN_CHANGED, domain, 0);
}

/* memory or a processor that was plugged in */
static void on_device(virConnectPtr connection, virDomainPtr domain, const char *alias, void *userdata) {
        emit(userdata, VSM_VIRT_DOMAIN_CHANGED, domain, 0);
}

static void on_network(
                virConnectPtr connection,
                virNetworkPtr network,
                int event,
                int detail,
                void *userdata) {

        vsm_virt_emit(userdata, VSM_VIRT_NETWORKS_CHANGED, NULL, 0);
}

static const struct {
        int id;
        virConnectDomainEventGenericCallback callback;
} domain_events[] = {
        { VIR_DOMAIN_EVENT_ID_LIFECYCLE,           VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle) },
        { VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, VIR_DOMAIN_EVENT_CALLBACK(on_iteration) },
        { VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,     VIR_DOMAIN_EVENT_CALLBACK(on_metadata)  },
        { VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,        VIR_DOMAIN_EVENT_CALLBACK(on_device)    },
        { VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,      VIR_DOMAIN_EVENT_CALLBACK(on_device)    },
};

struct VsmEvents {
        virConnectPtr connection;
        int domain_ids[G_N_ELEMENTS(domain_events)];
        int network_id;
};

VsmEvents* vsm_events_register(VsmVirt *virt, virConnectPtr connection, GError **error) {
        g_autoptr(VsmEvents) events = g_new0(VsmEvents, 1);

        (void) virConnectRef(connection);
        events->connection = connection;
        events->network_id = -1;
        for (size_t i = 0; i < G_N_ELEMENTS(domain_events); i++)
                events->domain_ids[i] = -1;

        for (size_t i = 0; i < G_N_ELEMENTS(domain_events); i++) {
                events->domain_ids[i] = virConnectDomainEventRegisterAny(
                                connection, NULL, domain_events[i].id,
                                domain_events[i].callback, virt, NULL);
                if (events->domain_ids[i] < 0) {
                        vsm_virt_error(error, "Cannot register for libvirt's events");
                        return NULL;
                }
        }

        events->network_id = virConnectNetworkEventRegisterAny(
                        connection, NULL, VIR_NETWORK_EVENT_ID_LIFECYCLE,
                        VIR_NETWORK_EVENT_CALLBACK(on_network), virt, NULL);
        if (events->network_id < 0 && virGetLastErrorCode() != VIR_ERR_NO_SUPPORT) {
                vsm_virt_error(error, "Cannot register for libvirt's network events");
                return NULL;
        }

        return g_steal_pointer(&events);
}

void vsm_events_free(VsmEvents *events) {
        if (!events)
                return;

        if (events->network_id >= 0)
                (void) virConnectNetworkEventDeregisterAny(events->connection, events->network_id);

        for (size_t i = 0; i < G_N_ELEMENTS(domain_events); i++)
                if (events->domain_ids[i] >= 0)
                        (void) virConnectDomainEventDeregisterAny(
                                        events->connection, events->domain_ids[i]);

        virConnectClose(events->connection);
        g_free(events);
}
