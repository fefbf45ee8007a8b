/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libxml/tree.h>

#include "daemon/virt/definition.h"

/* What definition.c and definition-change.c share. Pure: any thread. */

xmlDoc *vsm_definition_parse(const char *xml, GError **error);

/* for (node = NULL; (node = vsm_definition_next(doc, "disk", node));) */
xmlNode *vsm_definition_next(const xmlDoc *doc, const char *name, const xmlNode *after);

/* g_free() them; NULL when there is none. */
char *vsm_definition_disk_target(const xmlNode *disk);
char *vsm_definition_interface_mac(const xmlNode *interface);

/* Our mark; NULL when there is none. */
xmlNode *vsm_definition_planned(const xmlDoc *doc);
