/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The bus connection and its queue of PropertiesChanged. Everything that objects say goes through
 * here, so that one burst is one signal and an order once given is kept. Bus thread only. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bus.h"
#include "daemon/log.h"
#include "shared/cleanup.h"
#include "shared/error.h"
#include "shared/names.h"

#define DEFAULT_SYSTEM_BUS "unix:path=/run/dbus/system_bus_socket"

struct VsmBus {
        sd_bus *bus;
        sd_event *event;
        sd_event_source *flush;
        GPtrArray *pending; /* of Change, oldest first */

        void (*named)(void *userdata);
        void *named_userdata;
};

/* what is to be said of one interface of one object */
typedef struct Change {
        char *path;
        const char *interface;  /* static */
        GPtrArray *properties;  /* static strings, no double ones */
} Change;

static void change_free(void *p) {
        Change *change = p;

        g_ptr_array_unref(change->properties);
        g_free(change->path);
        g_free(change);
}

static void change_emit(VsmBus *bus, Change *change) {
        int r;

        g_ptr_array_add(change->properties, NULL);
        r = sd_bus_emit_properties_changed_strv(bus->bus, change->path, change->interface,
                                                (char**) change->properties->pdata);
        if (r < 0)
                vsm_log(LOG_DEBUG, "Cannot emit changes of %s: %s", change->path, g_strerror(-r));
}

void vsm_bus_flush(VsmBus *bus, const char *path) {
        guint i = 0;

        while (i < bus->pending->len) {
                Change *change = bus->pending->pdata[i];

                if (path && !g_str_equal(change->path, path)) {
                        i++;
                        continue;
                }

                change = g_ptr_array_steal_index(bus->pending, i);
                change_emit(bus, change);
                change_free(change);
        }
}

static int on_flush(sd_event_source *source, void *userdata) {
        vsm_bus_flush(userdata, NULL);
        return 0;
}

static Change* change_find(VsmBus *bus, const char *path, const char *interface) {
        for (guint i = 0; i < bus->pending->len; i++) {
                Change *change = bus->pending->pdata[i];

                if (g_str_equal(change->interface, interface) && g_str_equal(change->path, path))
                        return change;
        }

        return NULL;
}

void vsm_bus_changed(VsmBus *bus, const char *path, const char *interface, const char *property) {
        Change *change = change_find(bus, path, interface);

        if (!change) {
                change = g_new(Change, 1);
                *change = (Change) { g_strdup(path), interface, g_ptr_array_new() };
                g_ptr_array_add(bus->pending, change);
        }

        if (!g_ptr_array_find(change->properties, property, NULL))
                g_ptr_array_add(change->properties, (char*) property);

        (void) sd_event_source_set_enabled(bus->flush, SD_EVENT_ONESHOT);
}

void vsm_bus_added(VsmBus *bus, const char *path) {
        int r = sd_bus_emit_object_added(bus->bus, path);

        if (r < 0)
                vsm_log(LOG_WARNING, "Cannot announce %s: %s", path, g_strerror(-r));
}

void vsm_bus_removed(VsmBus *bus, const char *path) {
        int r;

        vsm_bus_flush(bus, path);
        r = sd_bus_emit_object_removed(bus->bus, path);
        if (r < 0)
                vsm_log(LOG_WARNING, "Cannot announce the end of %s: %s", path, g_strerror(-r));
}

static int on_named(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        VsmBus *bus = userdata;
        uint32_t code = 0;

        /* A daemon without its name serves nobody: leave, loudly, rather than run nameless. */
        if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "u", &code) < 0 ||
            (code != 1 && code != 4)) {
                const sd_bus_error *e = sd_bus_message_get_error(reply);

                vsm_log(LOG_ERR, "Cannot have the bus name " VSM_BUS_NAME ": %s",
                        e && e->message ? e->message : "somebody else has it");
                return sd_event_exit(bus->event, EXIT_FAILURE);
        }

        bus->named(bus->named_userdata);
        return 1;
}

int vsm_bus_request_name(VsmBus *bus, void (*func)(void *userdata), void *userdata) {
        bus->named = func;
        bus->named_userdata = userdata;

        /* DBUS_NAME_FLAG_DO_NOT_QUEUE: the second of two daemons is to fail, not to wait */
        return sd_bus_call_method_async(bus->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                        "org.freedesktop.DBus", "RequestName", on_named, bus, "su",
                                        VSM_BUS_NAME, (uint32_t) 4);
}

static int connect_bus(VsmBus *bus) {
        const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS");
        int r;

        r = sd_bus_new(&bus->bus);
        if (r >= 0)
                r = sd_bus_set_description(bus->bus, "vsmd");
        if (r >= 0)
                r = sd_bus_set_address(bus->bus, address ?: DEFAULT_SYSTEM_BUS);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus->bus, true);
        if (r >= 0)
                r = sd_bus_negotiate_fds(bus->bus, false);
        if (r >= 0)
                r = sd_bus_start(bus->bus);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(bus->bus, true);
        if (r >= 0)
                r = sd_bus_attach_event(bus->bus, bus->event, SD_EVENT_PRIORITY_NORMAL);

        return r;
}

VsmBus* vsm_bus_new(sd_event *event, GError **error) {
        VsmBus *bus = g_new0(VsmBus, 1);
        int r;

        bus->event = sd_event_ref(event);
        bus->pending = g_ptr_array_new_with_free_func(change_free);

        r = connect_bus(bus);
        if (r >= 0)
                r = sd_event_add_defer(event, &bus->flush, on_flush, bus);
        if (r >= 0)
                r = sd_event_source_set_priority(bus->flush, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_event_source_set_enabled(bus->flush, SD_EVENT_OFF);
        if (r < 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "Cannot connect to the system bus: %s",
                            g_strerror(-r));
                vsm_bus_free(bus);
                return NULL;
        }

        return bus;
}

void vsm_bus_free(VsmBus *bus) {
        if (!bus)
                return;

        if (bus->bus)
                vsm_bus_flush(bus, NULL);

        sd_event_source_disable_unref(bus->flush);
        sd_bus_flush_close_unref(bus->bus);
        sd_event_unref(bus->event);
        g_ptr_array_unref(bus->pending);
        g_free(bus);
}

sd_bus* vsm_bus_get(VsmBus *bus) {
        return bus->bus;
}

int vsm_bus_fail(sd_bus_error *e, const GError *error) {
        return sd_bus_error_set(e, vsm_error_to_bus_name(vsm_error_code(error)), error->message);
}

void vsm_bus_reply_error(sd_bus_message *call, const GError *error) {
        g_auto(sd_bus_error) e = SD_BUS_ERROR_NULL;

        (void) vsm_bus_fail(&e, error);
        (void) sd_bus_reply_method_error(call, &e);
}

int vsm_bus_caller(sd_bus_message *call, uid_t *ret) {
        g_autoptr(sd_bus_creds) creds = NULL;
        int r;

        r = sd_bus_query_sender_creds(call, SD_BUS_CREDS_EUID, &creds);
        if (r < 0)
                return r;

        /* what was read from /proc may be of another process by now: it decides nothing */
        if (sd_bus_creds_get_augmented_mask(creds) & SD_BUS_CREDS_EUID)
                return -EPERM;

        return sd_bus_creds_get_euid(creds, ret);
}

const char* vsm_bus_path_tail(const char *path, const char *kind) {
        size_t n = strlen(kind);

        if (strncmp(path, kind, n) != 0 || path[n] != '/' || path[n + 1] == 0)
                return NULL;

        return path + n + 1;
}
