/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A known destination as data (contract, section 5, ….Host): from AddHost's dict, from the files of
 * hosts.d, and to and from the text that is kept. Pure but for reading the files; any thread. */

#define VSM_HOSTS_MAX 256

typedef struct VsmHostData {
        char *name;                     /* canonical: a name, IPv4 or IPv6 text */
        char **addresses;               /* the same, addresses only; never NULL */
        uint32_t authentication;        /* VSM_AUTHENTICATION_*; 0 = the service's */
        uint16_t port;                  /* 0 = the scheme's */
        bool verifies_clients;
        bool enabled;
        uint16_t priority;
        uint64_t memory_limit;          /* bytes, 0 = none */
} VsmHostData;

void vsm_host_data_free(VsmHostData *data);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmHostData, vsm_host_data_free)

/* a{sv} with the keys of AddHost. */
VsmHostData* vsm_host_data_read(GVariant *dict, GError **error);

char* vsm_host_data_to_text(const VsmHostData *data);
VsmHostData* vsm_host_data_from_text(const char *text, GError **error);

/* Is this (canonical) its name or one of its addresses? */
bool vsm_host_data_matches(const VsmHostData *data, const char *text);

/* Is there a name or address that would mean both? */
bool vsm_host_data_clashes(const VsmHostData *a, const VsmHostData *b);

/* All *.conf of a directory in the order of their names, each with one group [Host]; missing = none.
 * What is wrong is reported as sentences with file and line (NULL-terminated, never NULL), and that
 * host left out. As VsmHostData. */
GPtrArray* vsm_hosts_read(const char *directory, char ***ret_faults);
