/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/virt/virt.h"

/* URIs, made here and nowhere else. Pure: any thread. */

/* True for an IPv4 or IPv6 text without zone or brackets. */
bool vsm_uri_is_address(const char *text);

/* The port of libvirt's control connection: the destination's, else the scheme's. */
uint16_t vsm_uri_control_port(const VsmDestination *destination);

/* libvirt's connection URI, without a query part: that could name programs to run. With X.509 and
 * SSH it holds the host as it was given, for the certificate or the host key is checked against
 * that; with neither it holds the address that answered. g_free() it. */
char* vsm_uri_control(const VsmDestination *destination, const char *address, GError **error);

/* libvirt could not connect to that address, as it says in message, so no byte has moved. It connects to a port of
 * its own choice there, which something on the way may not let through although the control port is open. */
bool vsm_uri_is_no_connection(const char *message, const char *address);

/* Where the memory goes: tcp://address, no port and no path, libvirt appends the port. */
char* vsm_uri_migration(const char *address, GError **error);
