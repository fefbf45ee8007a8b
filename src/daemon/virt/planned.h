/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/internal.h"

/* The mark on a definition that a Staged move has placed, as far as the look at a domain needs it; all of
 * it is VsmPlanned of definition.h. */

/* Blocks. Name of the host that it comes from, NULL = it bears no mark. An active domain is asked for what
 * it runs with: one that is being moved into its planned system runs without the mark, whose definition
 * has it to the end. g_free() it. */
char *vsm_planned_source(virDomainPtr domain);

/* The same from libvirt's text of the element, which has no namespace any more. Pure. */
char *vsm_planned_source_from_metadata(const char *xml);
