/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Where the features of x86 processors stand in the answers of the CPUID instruction, and where those
 * stand in CIM's compatibility vectors. Pure. Any thread. */

/* VectorId: 1 and 2 are Hyper-V's, from 32769 on ours */
#define VSM_VECTOR_FEATURES             UINT32_C(1)
#define VSM_VECTOR_XSAVE                UINT32_C(2)
#define VSM_VECTOR_EXTENDED             UINT32_C(32769)
#define VSM_VECTOR_EXTENDED_2           UINT32_C(32770)
#define VSM_VECTOR_AMD                  UINT32_C(32771)
#define VSM_VECTOR_AMD_2                UINT32_C(32772)

/* Msvm_CompatibilityVector.CompareOperation: all bits of the guest are bits of the host */
#define VSM_COMPARE_SUBSET              UINT32_C(2)

/* One register of one answer. */
typedef struct VsmCpuidRegister {
        uint32_t vector;
        unsigned shift;                 /* of its lowest bit in the vector: 0 or 32 */
        uint32_t leaf;                  /* EAX when asking */
        uint32_t subleaf;               /* ECX when asking */
        const char *name;               /* eax, ebx, ecx, edx */
        const char *features[32];       /* by bit, as libvirt names them; NULL: it does not */
} VsmCpuidRegister;

/* In the order of their vectors, ended by a NULL name. */
const VsmCpuidRegister* vsm_cpuid_registers(void);

/* False when the feature has no bit in any vector. */
bool vsm_cpuid_find(const char *feature, uint32_t *ret_vector, unsigned *ret_bit);
