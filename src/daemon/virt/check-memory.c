/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whether the other host has room for the guest's memory: ordinary memory, or huge pages, which are set
 * apart before and count as used. Workers. */

#include "daemon/virt/check.h"
#include "shared/error.h"

#define CAPABILITIES_MAX (4U << 20)     /* bytes; a large host has some 100 KiB */
#define NODES_MAX        1024

/* KiB; 0 with error */
static uint64_t needed_memory(VsmCheck *check, GError **error) {
        uint64_t needed = virDomainGetMaxMemory(check->domain);

        if (needed == 0)
                vsm_virt_error(error, "libvirt does not tell the system's memory");

        return needed;
}

bool vsm_check_memory(VsmCheck *check, GError **error) {
        uint64_t available, needed;

        /* The question after this one asks for those. */
        if (vsm_needs_has(check->needs, VSM_NEED_HUGE_PAGES))
                return true;

        needed = needed_memory(check, error);
        if (needed == 0 || !vsm_peer_available_memory(check->peer, &available, error))
                return false;

        if (available / 1024 < needed) {
                g_autofree char *has = g_strdup_printf("%" G_GUINT64_FORMAT, available / 1024 / 1024);
                g_autofree char *needs = g_strdup_printf("%" G_GUINT64_FORMAT, (needed + 1023) / 1024);

                vsm_reasons_add(check->reasons, "not-enough-memory", check->host, NULL,
                                check->host, has, needs, NULL);
        }

        return true;
}

/* ---- huge pages ---- */

/* *ret: whether that host has pages of this size (KiB) at all */
static bool has_size(virConnectPtr connection, unsigned size, bool *ret, GError **error) {
        g_autofree char *text = virConnectGetCapabilities(connection), *wanted = NULL;
        g_autoptr(xmlDoc) doc = NULL;
        const xmlNode *node;

        if (!text) {
                vsm_virt_error_as(error, VSM_ERROR_FAILED, "A host does not tell its capabilities");
                return false;
        }

        doc = vsm_xml_parse(text, CAPABILITIES_MAX, error);
        if (!doc)
                return false;

        *ret = false;
        wanted = g_strdup_printf("%u", size);
        node = vsm_xml_child(xmlDocGetRootElement(doc), "host", NULL);
        node = node ? vsm_xml_child(node, "cpu", NULL) : NULL;
        for (node = node ? node->children : NULL; node; node = node->next)
                if (vsm_needs_is(node, "pages") && vsm_needs_attribute_is(node, "unit", "KiB") &&
                    vsm_needs_attribute_is(node, "size", wanted))
                        *ret = true;

        return true;
}

/* KiB; 0 when it is not known: libvirt does not tell which one a host takes by itself. */
static unsigned size_of_pages(VsmCheck *check, const VsmNeed *need) {
        unsigned size = (unsigned) g_ascii_strtoull(need->name, NULL, 10);

        if (size > 0)
                return size;

        return g_strcmp0(check->needs->arch, "x86_64") == 0 ? 2048 : 0;
}

static bool count_free(virConnectPtr connection, unsigned size, uint64_t *ret, GError **error) {
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

bool vsm_check_huge_pages(VsmCheck *check, GError **error) {
        const VsmNeed *need = vsm_needs_next(check->needs, VSM_NEED_HUGE_PAGES, NULL);
        g_autofree char *has = NULL, *needs = NULL, *kib = NULL;
        uint64_t memory, n_free = 0, n_needed;
        bool known;
        unsigned size;

        if (!need)
                return true;

        size = size_of_pages(check, need);
        if (size == 0 || vsm_needs_next(check->needs, VSM_NEED_HUGE_PAGES, need)) {
                vsm_check_not_verifiable(check, check->host, NULL,
                                         "whether host '%s' has enough huge pages of the sizes that the system "
                                         "has", check->host);
                return true;
        }

        memory = needed_memory(check, error);
        if (memory == 0 || !has_size(check->there, size, &known, error) ||
            (known && !count_free(check->there, size, &n_free, error)))
                return false;

        n_needed = (memory + size - 1) / size;
        if (n_free >= n_needed)
                return true;

        has = g_strdup_printf("%" G_GUINT64_FORMAT, n_free);
        needs = g_strdup_printf("%" G_GUINT64_FORMAT, n_needed);
        kib = g_strdup_printf("%u", size);
        vsm_reasons_add(check->reasons, "not-enough-huge-pages", check->host, NULL,
                        check->host, has, needs, kib, NULL);
        return true;
}

/* ---- processors and nodes ---- */

bool vsm_check_pinning(VsmCheck *check, GError **error) {
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_PINNING, need));)
                vsm_check_not_verifiable(check, need->name, NULL,
                                         "whether host '%s' has the %s to which the system is bound, and has "
                                         "them free", check->host, need->name);

        return true;
}
