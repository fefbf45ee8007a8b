/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/* Appends a value of any type without file descriptors; negative errno. */
int vsm_bus_append_variant(sd_bus_message *message, GVariant *value);
