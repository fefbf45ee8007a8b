/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* CIM's compatibility vectors, and the rule by which a system's are compared with a host's
 * (cim-migration-api, 3.8). Pure. */

#include "client/vectors.h"

static const char *const operations[] = {
        [VSM_COMPARE_EQUAL]                     = "equal",
        [VSM_COMPARE_SUPERSET]                  = "superset",
        [VSM_COMPARE_SUBSET]                    = "subset",
        [VSM_COMPARE_DISJOINT]                  = "disjoint",
        [VSM_COMPARE_GREATER_THAN]              = "greater",
        [VSM_COMPARE_GREATER_THAN_OR_EQUAL]     = "greater-or-equal",
        [VSM_COMPARE_LESS_THAN]                 = "less",
        [VSM_COMPARE_LESS_THAN_OR_EQUAL]        = "less-or-equal",
        [VSM_COMPARE_MULTIPLE]                  = "multiple",
        [VSM_COMPARE_DIVISIBLE]                 = "divisor",
};

bool vsm_vector_passes(uint32_t operation, uint64_t system, uint64_t host) {
        switch (operation) {
        case VSM_COMPARE_EQUAL:
                return system == host;
        case VSM_COMPARE_SUPERSET:
                return (system & host) == host;
        case VSM_COMPARE_SUBSET:
                return (system & host) == system;
        case VSM_COMPARE_DISJOINT:
                return (system & host) == 0;
        case VSM_COMPARE_GREATER_THAN:
                return system > host;
        case VSM_COMPARE_GREATER_THAN_OR_EQUAL:
                return system >= host;
        case VSM_COMPARE_LESS_THAN:
                return system < host;
        case VSM_COMPARE_LESS_THAN_OR_EQUAL:
                return system <= host;
        case VSM_COMPARE_MULTIPLE:
                return host != 0 && system % host == 0;
        case VSM_COMPARE_DIVISIBLE:
                return system != 0 && host % system == 0;
        default:
                return false;
        }
}

const VsmVector* vsm_vectors_find(const VsmVector *vectors, size_t n, uint32_t id) {
        for (size_t i = 0; i < n; i++)
                if (vectors[i].id == id)
                        return &vectors[i];

        return NULL;
}

bool vsm_vectors_pass(const VsmVector *vector, const VsmVector *host, size_t n_host) {
        const VsmVector *other = vsm_vectors_find(host, n_host, vector->id);

        return other && vsm_vector_passes(vector->operation, vector->info, other->info);
}

const char* vsm_compare_operation_to_string(uint32_t operation) {
        return operation < sizeof(operations) / sizeof(operations[0]) ? operations[operation] : "unknown";
}
