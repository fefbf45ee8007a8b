/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/internal.h"

/* A host's huge pages, which are set apart before and count as used memory. Local and remote connections alike;
 * workers. */

/* Blocks. KiB of each size of page that the host has, ordinary ones among them, rising; unsigned. */
GArray* vsm_pages_sizes(virConnectPtr connection, GError **error);

/* Blocks. How many of this size (KiB), which the host has, are free on all its nodes together. */
bool vsm_pages_free(virConnectPtr connection, unsigned size, uint64_t *ret, GError **error);

/* Pure: sizes from the text of a host's capabilities. */
GArray* vsm_pages_from_xml(const char *capabilities, GError **error);
