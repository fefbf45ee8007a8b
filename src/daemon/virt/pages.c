/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which pages a host has, and how many of them are free. Workers; vsm_pages_from_xml() is pure. */

#include "daemon/virt/check-needs.h"
#include "daemon/virt/pages.h"
#include "shared/error.h"

#define CAPABILITIES_MAX (4U << 20)     /* bytes; a large host has some 100 KiB */
#define NODES_MAX        1024

static int compare_sizes(const void *a, const void *b) {
        unsigned x = *(const unsigned *) a, y = *(const unsigned *) b;

        return x < y ? -1 : x > y;
}

GArray* vsm_pages_from_xml(const char *capabilities, GError **error) {
        g_autoptr(GArray) sizes = g_array_new(false, false, sizeof(unsigned));
        g_autoptr(xmlDoc) doc = NULL;
        const xmlNode *node;

        doc = vsm_xml_parse(capabilities, CAPABILITIES_MAX, error);
        if (!doc)
                return NULL;

        node = vsm_xml_child(xmlDocGetRootElement(doc), "host", NULL);
        node = node ? vsm_xml_child(node, "cpu", NULL) : NULL;
        for (node = node ? node->children : NULL; node; node = node->next) {
                g_autofree char *text = NULL;
                unsigned size;

                if (!vsm_needs_is(node, "pages") || !vsm_needs_attribute_is(node, "unit", "KiB"))
                        continue;

                text = vsm_needs_attribute(node, "size");
                size = text ? (unsigned) g_ascii_strtoull(text, NULL, 10) : 0;
                if (size > 0)
                        g_array_append_val(sizes, size);
        }

        g_array_sort(sizes, compare_sizes);
        return g_steal_pointer(&sizes);
}

GArray* vsm_pages_sizes(virConnectPtr connection, GError **error) {
        g_autofree char *text = virConnectGetCapabilities(connection);

        if (!text) {
                vsm_virt_error_as(error, VSM_ERROR_FAILED, "A host does not tell its capabilities");
                return NULL;
        }

        return vsm_pages_from_xml(text, error);
}

bool vsm_pages_free(virConnectPtr connection, unsigned size, uint64_t *ret, GError **error) {
        virNodeInfo info;
        uint64_t sum = 0;

        if (virNodeGetInfo(connection, &info) < 0)
                goto fail;

        for (unsigned cell = 0; cell < MIN(info.nodes, NODES_MAX); cell++) {
                unsigned long long n = 0;

                if (virNodeGetFreePages(connection, 1, &size, (int) cell, 1, &n, 0) < 0)
                        goto fail;

                sum += n;
        }

        *ret = sum;
        return true;

fail:
        vsm_virt_error_as(error, VSM_ERROR_FAILED, "A host does not tell how many huge pages are free");
        return false;
}
