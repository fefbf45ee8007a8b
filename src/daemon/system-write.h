/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

/* Writing MigrationState. Bus thread only. */

/* Takes org.freedesktop.DBus.Properties.Set of MigrationState before the vtable of the system;
 * userdata is the manager. Everything else passes. */
int vsm_system_write(sd_bus_message *call, void *userdata, sd_bus_error *error);

/* The vtable needs a setter to say "readwrite"; it is never called. */
int vsm_system_write_unreachable(sd_bus *bus, const char *path, const char *interface, const char *property,
                                 sd_bus_message *value, void *userdata, sd_bus_error *error);
