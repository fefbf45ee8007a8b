/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service does not wait long for libvirt when it starts, and libvirt may take its time: with many pools, say, of
 * which one does not answer. */

#include "client/at-boot.h"
#include "client/message.h"
#include "client/objects.h"

#define WAIT_USEC       (5 * 60 * G_USEC_PER_SEC)
#define ASK_USEC        (10 * G_USEC_PER_SEC)   /* when nothing is heard: the service may have been restarted */
#define COMMUNICATION_OK 2                      /* CIM_ManagedSystemElement.CommunicationStatus */

/* only there to wake who waits */
static int on_changed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return 0;
}

static bool libvirt_answers(VsmClient *client) {
        g_autoptr(JsonObject) service = vsm_client_get_properties(client, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE, NULL);

        return service && vsm_object_get_uint(service, "CommunicationStatus") == COMMUNICATION_OK;
}

void vsm_at_boot_wait(VsmClient *client) {
        int64_t end = g_get_monotonic_time() + WAIT_USEC;
        sd_bus_slot *slot = NULL;

        /* what is wrong with the bus is told by the call that follows */
        if (!vsm_client_connect(client, NULL) ||
            sd_bus_match_signal(client->bus, &slot, VSM_BUS_NAME, VSM_OBJECT_PATH, "org.freedesktop.DBus.Properties",
                                "PropertiesChanged", on_changed, NULL) < 0)
                return;

        while (!libvirt_answers(client) && g_get_monotonic_time() < end) {
                int r = sd_bus_process(client->bus, NULL);

                if (r == 0)
                        r = sd_bus_wait(client->bus, ASK_USEC);
                if (r < 0)
                        break;
        }

        sd_bus_slot_unref(slot);
}
