/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Our metadata in a domain's definition, and reading of XML in general. The form is
 *
 *     <vsm:policy xmlns:vsm="urn:..." priority="10" group="db" fallback="live,save" maximum-downtime="300">
 *       <host>hostb</host>
 *     </vsm:policy>
 *
 * libvirt takes the namespace off when it hands an element out, and wants none when it is given one;
 * in a whole definition the children may or may not have it.
 * Pure. Any thread. */

#include <libxml/parser.h>
#include <string.h>

#include "daemon/virt/internal.h"
#include "shared/error.h"
#include "shared/method.h"
#include "shared/names.h"

#define POLICY_MAX (64 * 1024)
#define LIST_MAX   256
#define STRING_MAX (4 * 1024)

static gpointer init_parser(gpointer userdata) {
        xmlInitParser();
        return NULL;
}

xmlDoc* vsm_xml_parse(const char *text, size_t limit, GError **error) {
        static GOnce once = G_ONCE_INIT;
        g_autoptr(xmlDoc) doc = NULL;
        size_t length;

        g_once(&once, init_parser, NULL);

        length = strnlen(text, limit + 1);
        if (length > limit || length > INT_MAX) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "XML is longer than %zu bytes", limit);
                return NULL;
        }

        /* Nothing is loaded and nothing substituted: no NOENT, DTDLOAD, DTDATTR, XINCLUDE, HUGE. */
        doc = xmlReadMemory(
                        text, (int) length, NULL, NULL,
                        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
        if (!doc || !xmlDocGetRootElement(doc)) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "XML cannot be parsed");
                return NULL;
        }

        /* With its own entities even reading one node's text could grow without bound. */
        if (doc->intSubset) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "XML has a document type declaration");
                return NULL;
        }

        return g_steal_pointer(&doc);
}

static bool node_is(const xmlNode *node, const char *name, const char *namespace) {
        if (node->type != XML_ELEMENT_NODE || !xmlStrEqual(node->name, BAD_CAST name))
                return false;

        if (!namespace)
                return !node->ns;

        return node->ns && xmlStrEqual(node->ns->href, BAD_CAST namespace);
}

xmlNode* vsm_xml_child(const xmlNode *parent, const char *name, const char *namespace) {
        for (xmlNode *child = parent->children; child; child = child->next)
                if (node_is(child, name, namespace))
                        return child;

        return NULL;
}

static bool is_ours(const xmlNode *node, const char *name) {
        return node_is(node, name, NULL) || node_is(node, name, VSM_METADATA_POLICY_URI);
}

/* A string of the document that may be kept, without blanks round it. */
static char* take_string(xmlChar *string) {
        char *result;

        if (!string)
                return NULL;

        result = g_strstrip(g_strdup((const char *) string));
        xmlFree(string);

        if (strlen(result) > STRING_MAX)
                g_clear_pointer(&result, g_free);

        return result;
}

static char* get_string(const xmlNode *node, const char *name) {
        return take_string(xmlGetNoNsProp(node, BAD_CAST name));
}

static bool get_number(const xmlNode *node, const char *name, uint64_t max, uint64_t *ret) {
        g_autofree char *string = get_string(node, name);

        return string && g_ascii_string_to_unsigned(string, 10, 0, max, ret, NULL);
}

static char** get_fallback(const xmlNode *node) {
        g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *string = get_string(node, "fallback");
        g_auto(GStrv) parts = string ? g_strsplit(string, ",", LIST_MAX) : NULL;
        VsmMethod method;

        for (char **part = parts; part && *part; part++)
                if (vsm_method_from_string(g_strstrip(*part), &method))
                        g_ptr_array_add(words, g_strdup(*part));

        if (words->len == 0)
                return NULL;

        g_ptr_array_add(words, NULL);
        return (char **) g_ptr_array_free(g_steal_pointer(&words), false);
}

/* A host that cannot be understood stays in the list as "": a list that forbids must not become
 * one that allows. */
static char** get_hosts(const xmlNode *node) {
        g_autoptr(GPtrArray) hosts = g_ptr_array_new_with_free_func(g_free);

        for (const xmlNode *child = node->children; child && hosts->len < LIST_MAX; child = child->next)
                if (is_ours(child, "host"))
                        g_ptr_array_add(hosts, take_string(xmlNodeGetContent(child)) ?: g_strdup(""));

        if (hosts->len == 0)
                return NULL;

        g_ptr_array_add(hosts, NULL);
        return (char **) g_ptr_array_free(g_steal_pointer(&hosts), false);
}

static void add(GVariantBuilder *builder, const char *key, GVariant *value) {
        g_variant_builder_add(builder, "{sv}", key, value);
}

static GVariant* new_strv(char **strings) {
        return g_variant_new_strv((const char* const*) strings, -1);
}

GVariant* vsm_policy_from_node(const xmlNode *node) {
        g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
        g_autofree char *group = get_string(node, "group");
        g_auto(GStrv) hosts = get_hosts(node), fallback = get_fallback(node);
        uint64_t number;

        if (get_number(node, "priority", UINT16_MAX, &number))
                add(&builder, "Priority", g_variant_new_uint16((uint16_t) number));

        if (hosts)
                add(&builder, "AllowedHosts", new_strv(hosts));

        if (group && *group)
                add(&builder, "AntiAffinityGroup", g_variant_new_string(group));

        if (fallback)
                add(&builder, "Fallback", new_strv(fallback));

        if (get_number(node, "maximum-downtime", UINT32_MAX, &number))
                add(&builder, "MaximumDowntime", g_variant_new_uint32((uint32_t) number));

        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

GVariant* vsm_policy_from_xml(const char *xml, GError **error) {
        g_autoptr(xmlDoc) doc = NULL;
        const xmlNode *root;

        doc = vsm_xml_parse(xml, POLICY_MAX, error);
        if (!doc)
                return NULL;

        root = xmlDocGetRootElement(doc);
        if (!is_ours(root, VSM_METADATA_POLICY_ELEMENT)) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "This is no migration policy");
                return NULL;
        }

        return vsm_policy_from_node(root);
}

static void put_number(xmlNode *node, const char *name, uint64_t number) {
        char text[sizeof("18446744073709551615")];

        g_snprintf(text, sizeof text, "%" G_GUINT64_FORMAT, number);
        xmlNewProp(node, BAD_CAST name, BAD_CAST text);
}

/* Through the tree: what is in a string comes out escaped, whatever it is. */
static void put_policy(xmlNode *node, GVariant *policy) {
        g_autoptr(GVariant) hosts = NULL;
        g_autofree const char **fallback = NULL;
        const char *group;
        uint16_t priority;
        uint32_t downtime;

        if (g_variant_lookup(policy, "Priority", "q", &priority))
                put_number(node, "priority", priority);

        if (g_variant_lookup(policy, "AntiAffinityGroup", "&s", &group) && *group)
                xmlNewProp(node, BAD_CAST "group", BAD_CAST group);

        if (g_variant_lookup(policy, "Fallback", "^a&s", &fallback) && *fallback) {
                g_autofree char *words = g_strjoinv(",", (char **) fallback);

                xmlNewProp(node, BAD_CAST "fallback", BAD_CAST words);
        }

        if (g_variant_lookup(policy, "MaximumDowntime", "u", &downtime))
                put_number(node, "maximum-downtime", downtime);

        hosts = g_variant_lookup_value(policy, "AllowedHosts", G_VARIANT_TYPE_STRING_ARRAY);
        for (size_t i = 0; hosts && i < g_variant_n_children(hosts); i++) {
                const char *host;

                g_variant_get_child(hosts, i, "&s", &host);
                xmlNewTextChild(node, NULL, BAD_CAST "host", BAD_CAST host);
        }
}

char* vsm_policy_to_xml(GVariant *policy) {
        g_autoptr(xmlDoc) doc = NULL;
        xmlBuffer *buffer;
        xmlNode *root;
        char *xml;

        doc = xmlNewDoc(BAD_CAST "1.0");
        root = xmlNewDocNode(doc, NULL, BAD_CAST VSM_METADATA_POLICY_ELEMENT, NULL);
        xmlDocSetRootElement(doc, root);
        put_policy(root, policy);

        buffer = xmlBufferCreate();
        xmlNodeDump(buffer, doc, root, 0, 0);
        xml = g_strdup((const char *) xmlBufferContent(buffer));
        xmlBufferFree(buffer);
        return xml;
}
