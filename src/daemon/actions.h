/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* Which polkit action each method (and the one writable property) needs. Deny by default: what is
 * not in the table is refused, and a test compares the table with the interfaces. Pure. */

typedef struct VsmMember {
        const char *interface;
        const char *member;
        const char *action;
        bool built;             /* false: answers NotSupported in this version */
} VsmMember;

/* NULL when it is not in the table. */
const VsmMember* vsm_member_find(const char *interface, const char *member);

/* All, ended by one without interface. */
const VsmMember* vsm_members(void);
