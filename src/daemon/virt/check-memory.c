/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whether the other host has room for the guest's memory: ordinary memory, or huge pages, which are set
 * apart before and count as used. Workers. */

#include "daemon/virt/check.h"
#include "daemon/virt/pages.h"
#include "shared/error.h"

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

bool vsm_check_huge_pages(VsmCheck *check, GError **error) {
        const VsmNeed *need = vsm_needs_next(check->needs, VSM_NEED_HUGE_PAGES, NULL);
        g_autofree char *has = NULL, *needs = NULL, *kib = NULL;
        g_autoptr(GArray) sizes = NULL;
        uint64_t memory, n_free = 0, n_needed;
        unsigned size;

        if (!need)
                return true;

        size = vsm_needs_page_size(check->needs, need);
        if (size == 0 || vsm_needs_next(check->needs, VSM_NEED_HUGE_PAGES, need)) {
                vsm_check_not_verifiable(check, check->host, NULL,
                                         "whether host '%s' has enough huge pages of the sizes that the system "
                                         "has", check->host);
                return true;
        }

        memory = needed_memory(check, error);
        sizes = memory > 0 ? vsm_pages_sizes(check->there, error) : NULL;
        if (!sizes)
                return false;

        for (guint i = 0; i < sizes->len; i++)
                if (g_array_index(sizes, unsigned, i) == size && !vsm_pages_free(check->there, size, &n_free, error))
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
