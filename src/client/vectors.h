/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* CIM's compatibility vectors, and the rule by which a system's are compared with a host's. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct VsmVector {
        uint32_t id;
        uint32_t operation;
        uint64_t info;
} VsmVector;

typedef enum {
        VSM_COMPARE_EQUAL                       = 0,
        VSM_COMPARE_SUPERSET                    = 1,
        VSM_COMPARE_SUBSET                      = 2,
        VSM_COMPARE_DISJOINT                    = 3,
        VSM_COMPARE_GREATER_THAN                = 4,
        VSM_COMPARE_GREATER_THAN_OR_EQUAL       = 5,
        VSM_COMPARE_LESS_THAN                   = 6,
        VSM_COMPARE_LESS_THAN_OR_EQUAL          = 7,
        VSM_COMPARE_MULTIPLE                    = 8,
        VSM_COMPARE_DIVISIBLE                   = 9,
} VsmCompareOperation;

/* Whether the system's value passes against the host's. Nothing is a multiple of 0, and nobody knows what an
 * unknown operation wants: both fail. */
bool vsm_vector_passes(uint32_t operation, uint64_t system, uint64_t host);

/* The host's vector with that id, NULL when it has none. */
const VsmVector* vsm_vectors_find(const VsmVector *vectors, size_t n, uint32_t id);

/* Whether one vector of a system passes on a host: one that the host does not have does not. */
bool vsm_vectors_pass(const VsmVector *vector, const VsmVector *host, size_t n_host);

/* "subset", "unknown" */
const char* vsm_compare_operation_to_string(uint32_t operation);
