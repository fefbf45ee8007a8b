/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

/* The connection to the bus, the one place that emits PropertiesChanged, and the way from a GError
 * to a D-Bus error. Bus thread only. */

typedef struct VsmBus VsmBus;

/* Connects to the system bus (DBUS_SYSTEM_BUS_ADDRESS is honoured), refuses file descriptors,
 * attaches to the loop. When the bus goes away the loop exits with a failure, and systemd starts us
 * again: what runs is adopted then. */
VsmBus* vsm_bus_new(sd_event *event, GError **error);
void vsm_bus_free(VsmBus *bus);
sd_bus* vsm_bus_get(VsmBus *bus);

/* Asks for our name; when it is refused the loop exits. func is called once it is ours. */
int vsm_bus_request_name(VsmBus *bus, void (*func)(void *userdata), void *userdata);

/* A property has a new value. Emitted once per burst, at idle priority; property must be static. */
void vsm_bus_changed(VsmBus *bus, const char *path, const char *interface, const char *property);

/* Emits now what is pending for one object; NULL = for all, in the order in which they first changed. */
void vsm_bus_flush(VsmBus *bus, const char *path);

/* An object has come; an object is about to go (it must still be found), which flushes it first. */
void vsm_bus_added(VsmBus *bus, const char *path);
void vsm_bus_removed(VsmBus *bus, const char *path);

/* Fills e from error, which keeps its owner; returns what a handler returns. */
int vsm_bus_fail(sd_bus_error *e, const GError *error);

/* Replies with error; for calls that are answered later. */
void vsm_bus_reply_error(sd_bus_message *call, const GError *error);

/* The caller's uid, from the bus and nowhere else; negative errno when he has gone. */
int vsm_bus_caller(sd_bus_message *call, uid_t *ret);

/* "/…/<kind>/<last>"; kind is one of VSM_OBJECT_PATH_*. NULL when path is not of that kind.
 * The result points into path. */
const char* vsm_bus_path_tail(const char *path, const char *kind);
