/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Pure: any thread. */

#include "daemon/virt/internal.h"
#include "daemon/virt/xml.h"

static char *take(xmlChar *text) {
        char *copy = text && *text ? g_strdup((const char *) text) : NULL;

        xmlFree(text);
        return copy;
}

char *vsm_xml_attribute(const xmlNode *node, const char *name) {
        return node ? take(xmlGetNoNsProp((xmlNode *) node, BAD_CAST name)) : NULL;
}

char *vsm_xml_content(const xmlNode *node) {
        return node ? take(xmlNodeGetContent((xmlNode *) node)) : NULL;
}

bool vsm_xml_attribute_is(const xmlNode *node, const char *name, const char *value) {
        g_autofree char *text = vsm_xml_attribute(node, name);

        return g_strcmp0(text, value) == 0;
}

bool vsm_xml_is(const xmlNode *node, const char *name) {
        return node->type == XML_ELEMENT_NODE && !node->ns && xmlStrEqual(node->name, BAD_CAST name);
}

void vsm_xml_remove_child(xmlNode *parent, const char *name) {
        xmlNode *child = vsm_xml_child(parent, name, NULL);

        if (!child)
                return;

        xmlUnlinkNode(child);
        xmlFreeNode(child);
}

xmlNode *vsm_xml_add(xmlNode *parent, const char *name, const char *text) {
        return xmlNewTextChild(parent, NULL, BAD_CAST name, BAD_CAST text);
}

void vsm_xml_add_number(xmlNode *parent, const char *name, uint64_t number) {
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, number);

        vsm_xml_add(parent, name, text);
}

char *vsm_xml_to_text(xmlDoc *doc) {
        xmlBuffer *buffer = xmlBufferCreate();
        char *text;

        xmlNodeDump(buffer, doc, xmlDocGetRootElement(doc), 0, 0);
        text = g_strdup((const char *) xmlBufferContent(buffer));
        xmlBufferFree(buffer);
        return text;
}
