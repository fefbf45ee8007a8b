/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A system's MigrationPolicy, a{sv} (contract, section 3): its keys, and what they mean for one migration. What is
 * kept in a domain's metadata may have been written by others: hosts in it are read as a caller's are. Pure; any
 * thread. */

#define VSM_POLICY_HOSTS_MAX    256
#define VSM_PRIORITY_DEFAULT    100     /* of a migration (contract, section 5) */

/* Of SetMigrationPolicy: each key known, once, in range. A new a{sv} (full reference) without Nulls, or
 * VSM_ERROR_INVALID_PARAMETER that names the key. */
GVariant* vsm_policy_read(GVariant *dict, GError **error);

/* The keys that the second has otherwise than the first, those that it lacks among them, "Priority,AllowedHosts": the
 * detail "settings" for polkit, as who may change one key may not take the others away with it. g_free() it. */
char* vsm_policy_changes(GVariant *before, GVariant *after);

/* Whether AllowedHosts has one of these (canonical names and addresses of one host), or there is no such list. */
bool vsm_policy_allows(GVariant *policy, const char *const *names);

/* AllowedHosts as text, "hostb, hostc". g_free() it. */
char* vsm_policy_hosts_to_text(GVariant *policy);

/* Priority, 100 when it has none: lower is sooner. */
uint16_t vsm_policy_priority(GVariant *policy);

/* What a request leaves to the policy, put into its MigrationSettingData, which was found right: Priority, and
 * MaximumDowntime where live is true. A full reference. */
GVariant* vsm_policy_fill_in(GVariant *policy, GVariant *migration, bool live);
