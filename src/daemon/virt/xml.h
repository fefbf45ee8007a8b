/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <libxml/tree.h>
#include <stdbool.h>

/* Reading and writing XML as it stands, for what goes back to libvirt. (check-needs.h has the same for what
 * is shown to people.) Parsing is vsm_xml_parse() in internal.h. Pure: any thread. */

#define VSM_DEFINITION_MAX (8U << 20) /* bytes; libvirt's own limit for a text is 4 MiB */

/* NULL when there is none, or it is empty. g_free() it. node may be NULL. */
char *vsm_xml_attribute(const xmlNode *node, const char *name);
char *vsm_xml_content(const xmlNode *node);
bool vsm_xml_attribute_is(const xmlNode *node, const char *name, const char *value);

/* An element of that name, in no namespace. */
bool vsm_xml_is(const xmlNode *node, const char *name);

/* The first child element of that name in no namespace goes, if there is one. */
void vsm_xml_remove_child(xmlNode *parent, const char *name);

/* <name>text</name>, escaped, at the end of parent. */
xmlNode *vsm_xml_add(xmlNode *parent, const char *name, const char *text);
void vsm_xml_add_number(xmlNode *parent, const char *name, uint64_t number);

/* The root element as text. g_free() it. */
char *vsm_xml_to_text(xmlDoc *doc);
