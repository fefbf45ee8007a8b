/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Pure; any thread. Bytes per second of the link that the text of a libvirt interface tells, its own or that of what
 * lies below it (a bridge, a bond); 0 when it tells none, or is no such text. *ret_has_address: whether the interface
 * has this numeric address. */
uint64_t vsm_link_rate_from_xml(const char *xml, const char *address, bool *ret_has_address);
