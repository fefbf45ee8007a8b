/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/key.h"

/* The one table of the keys of a request (contract, section 5): names, types, ranges, and the
 * member of VsmRequest that a value lands in. Pure; any thread. */

extern const VsmKey vsm_keys_migration[];       /* lands in VsmRequest */
extern const VsmKey vsm_keys_system[];
extern const VsmKey vsm_keys_resource[];
extern const VsmKey vsm_keys_vhd[];

/* Bytes/s of an amount in a unit of the table, rounded up to whole MiB/s; 0 for amount 0.
 * total: what "percent" is of. */
uint64_t vsm_bandwidth_resolve(uint16_t amount, const char *unit, uint64_t total);
bool vsm_bandwidth_unit_is_percent(const char *unit);
