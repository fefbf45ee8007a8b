/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/quote.h"

/* Tables of the keys that an embedded instance (a{sv}) may have, and the one reader that holds a
 * dict against such a table (contract, section 1). Pure; any thread. */

/* Where a value lands in the caller's struct, beside the dict that is returned. */
typedef enum {
        VSM_LAND_NOWHERE,               /* only in the dict */
        VSM_LAND_BOOL,
        VSM_LAND_TRISTATE,              /* int: 0 or 1, what was there before when absent */
        VSM_LAND_UINT16,
        VSM_LAND_UINT32,
        VSM_LAND_UINT64,
        VSM_LAND_STRING,                /* char*, replaced */
        VSM_LAND_STRV,                  /* char**, replaced */
        VSM_LAND_CHARS8,                /* char[8]: words of 7 bytes at most */
} VsmKeyLanding;

typedef struct VsmKey VsmKey;

struct VsmKey {
        const char *name;               /* NULL ends a table */
        const char *type;               /* on the bus: b q u t s as ao aa{sv} */

        /* What would be right, to stand after "must be"; NULL for integers: made from the range. */
        const char *want;

        uint64_t min;
        uint64_t max;                   /* 0 = what the type holds */
        bool zero_counts;               /* 0 is a value as others, not Null */
        bool (*number)(uint64_t value); /* more than the range, or NULL */

        /* New canonical text, or NULL (with or without error) when it is wrong; for each string of
         * an array too. NULL = anything goes. */
        char* (*text)(const char *text, GError **error);

        unsigned elements_max;          /* of an array; 0 = the bus's limit */
        bool required;                  /* in each dict */
        const VsmKey *inner;            /* the table for aa{sv} */

        VsmKeyLanding landing;
        size_t offset;
};

/* At most this many keys in one table. */
#define VSM_KEYS_MAX 64

/* Checks a whole dict: each key known, once, of its type, in range. Returns a new a{sv} (full
 * reference) in canonical types and without Nulls, and lands the values in target (may be NULL, for
 * tables without landings). An error is VSM_ERROR_INVALID_PARAMETER that names where and the key;
 * target then is half filled. where: "MigrationSettingData". */
GVariant* vsm_keys_read(const VsmKey *keys, const char *where, GVariant *dict, void *target, GError **error);

/* The same for an aa{sv}: where gets the number of the dict, from 0. */
GVariant* vsm_keys_read_list(const VsmKey *keys, const char *where, GVariant *list, GError **error);

/* One key; nothing is written on error. A Null sets *ret to NULL and returns true. */
bool vsm_key_read(const VsmKey *key, const char *where, GVariant *value, void *target, GVariant **ret,
                  GError **error);

/* NULL with VSM_ERROR_INVALID_PARAMETER when there is none of that name. */
const VsmKey* vsm_key_find(const VsmKey *keys, const char *where, const char *name, GError **error);
