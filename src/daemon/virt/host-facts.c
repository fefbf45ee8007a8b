/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an evacuation has to know of a destination, in one look that ends with its deadline. Workers; what reads XML is
 * pure. */

#include <string.h>

#include "daemon/request.h"
#include "daemon/virt/compat-read.h"
#include "daemon/virt/host-facts.h"
#include "daemon/virt/pages.h"
#include "daemon/virt/patience.h"
#include "daemon/virt/peer.h"
#include "daemon/virt/xml.h"
#include "shared/error.h"

#define INTERFACE_MAX   (256U << 10)    /* bytes of XML */
#define DEPTH_MAX       16              /* of elements */
#define MEGABIT         UINT64_C(125000)

void vsm_host_facts_free(VsmHostFacts *facts) {
        if (!facts)
                return;

        g_clear_pointer(&facts->pages, g_array_unref);
        g_strfreev(facts->groups);
        vsm_compat_free(facts->compat);
        g_free(facts->address);
        g_free(facts);
}

/* ---- the link ---- */

static void read_link(const xmlNode *node, const char *address, uint64_t *rate, bool *has_address, unsigned depth) {
        g_autofree char *speed = vsm_xml_is(node, "link") ? vsm_xml_attribute(node, "speed") : NULL;
        g_autofree char *own = vsm_xml_is(node, "ip") ? vsm_xml_attribute(node, "address") : NULL;
        g_autofree char *canonical = own ? vsm_address_parse(own) : NULL;
        uint64_t megabits;

        if (speed && g_ascii_string_to_unsigned(speed, 10, 1, UINT32_MAX, &megabits, NULL))
                *rate = MAX(*rate, megabits * MEGABIT);
        if (canonical && g_str_equal(canonical, address))
                *has_address = true;

        for (const xmlNode *child = depth < DEPTH_MAX ? node->children : NULL; child; child = child->next)
                if (child->type == XML_ELEMENT_NODE)
                        read_link(child, address, rate, has_address, depth + 1);
}

uint64_t vsm_link_rate_from_xml(const char *xml, const char *address, bool *ret_has_address) {
        g_autoptr(xmlDoc) doc = vsm_xml_parse(xml, INTERFACE_MAX, NULL);
        uint64_t rate = 0;

        *ret_has_address = false;
        if (doc && xmlDocGetRootElement(doc))
                read_link(xmlDocGetRootElement(doc), address, &rate, ret_has_address, 0);

        return rate;
}

/* libvirt's udev backend tells the speed and no address: then it is known only where all links are alike. A host
 * without this part of libvirt tells nothing. */
static uint64_t read_link_rate(virConnectPtr connection, const char *address) {
        virInterfacePtr *interfaces = NULL;
        uint64_t of_address = 0, common = 0;
        bool alike = true;

        if (virConnectListAllInterfaces(connection, &interfaces, VIR_CONNECT_LIST_INTERFACES_ACTIVE) < 0)
                return 0;

        for (virInterfacePtr *interface = interfaces; *interface; interface++) {
                g_autofree char *xml = virInterfaceGetXMLDesc(*interface, 0);
                bool has_address = false;
                uint64_t rate = xml ? vsm_link_rate_from_xml(xml, address, &has_address) : 0;

                if (has_address)
                        of_address = rate;
                if (rate > 0) {
                        alike = alike && (common == 0 || common == rate);
                        common = rate;
                }
                virInterfaceFree(*interface);
        }

        free(interfaces);
        return of_address > 0 ? of_address : alike ? common : 0;
}

/* ---- huge pages ---- */

static bool read_pages(virConnectPtr connection, VsmHostFacts *facts, GError **error) {
        g_autoptr(GArray) sizes = vsm_pages_sizes(connection, error);

        if (!sizes)
                return false;

        /* the smallest ones are the ordinary ones */
        facts->pages = g_array_new(false, false, sizeof(VsmHostPages));
        for (guint i = 1; i < sizes->len; i++) {
                unsigned size = g_array_index(sizes, unsigned, i);
                VsmHostPages pages = { .size = (uint64_t) size * 1024 };
                uint64_t n;

                if (!vsm_pages_free(connection, size, &n, error))
                        return false;

                pages.available = n * pages.size;
                g_array_append_val(facts->pages, pages);
        }

        return true;
}

/* ---- guests ---- */

static int compare_text(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static bool read_groups(VsmPeer *peer, VsmHostFacts *facts, GError **error) {
        g_autoptr(GPtrArray) groups = g_ptr_array_new_with_free_func(g_free);
        virDomainPtr *domains = NULL;

        if (virConnectListAllDomains(vsm_peer_connection(peer), &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE) < 0) {
                vsm_virt_error_as(error, VSM_ERROR_FAILED, "Host '%s' does not tell which systems run there",
                                  vsm_peer_host(peer));
                return false;
        }

        for (virDomainPtr *domain = domains; *domain; domain++) {
                g_autoptr(GVariant) policy = vsm_domain_policy(*domain);
                const char *group;

                if (g_variant_lookup(policy, "AntiAffinityGroup", "&s", &group) &&
                    !g_ptr_array_find_with_equal_func(groups, group, g_str_equal, NULL))
                        g_ptr_array_add(groups, g_strdup(group));
                virDomainFree(*domain);
        }
        free(domains);

        g_ptr_array_sort(groups, compare_text);
        g_ptr_array_add(groups, NULL);
        facts->groups = (char**) g_ptr_array_free(g_steal_pointer(&groups), false);
        return true;
}

/* ---- all of it ---- */

typedef struct Look {
        VsmDestination *destination;
        GBytes *needs;                  /* as a blob: a copy for the thread; NULL = all */
        int64_t deadline;
        VsmCancel *cancel;
} Look;

static void look_free(void *userdata) {
        Look *look = userdata;

        vsm_destination_free(look->destination);
        g_clear_pointer(&look->needs, g_bytes_unref);
        vsm_cancel_unref(look->cancel);
        g_free(look);
}

static void* look_thread(void *input, GError **error) {
        Look *look = input;
        int64_t left = look->deadline - g_get_monotonic_time();
        g_autoptr(VsmHostFacts) facts = g_new0(VsmHostFacts, 1);
        g_autoptr(VsmCompat) needs = NULL;
        g_autoptr(VsmPeer) peer = NULL;
        virConnectPtr connection;

        if (look->needs) {
                size_t size;
                const void *data = g_bytes_get_data(look->needs, &size);

                needs = vsm_compat_decode(data, size, error);
                if (!needs)
                        return NULL;
        }

        peer = vsm_peer_open(look->destination, (uint64_t) MAX(left, 0), look->cancel, error);
        if (!peer)
                return NULL;

        connection = vsm_peer_connection(peer);
        facts->address = g_strdup(vsm_peer_address(peer));
        if (!vsm_peer_memory(peer, &facts->memory, &facts->memory_total, error) ||
            !read_pages(connection, facts, error) || !read_groups(peer, facts, error))
                return NULL;

        facts->compat = vsm_compat_read_host(connection, needs, error);
        if (!facts->compat) {
                g_prefix_error(error, "Host '%s': ", look->destination->host);
                return NULL;
        }

        facts->link_rate = read_link_rate(connection, facts->address);
        return g_steal_pointer(&facts);
}

static void facts_free(void *facts) {
        vsm_host_facts_free(facts);
}

VsmHostFacts* vsm_peer_facts(const VsmDestination *destination, const VsmCompat *needs, uint64_t deadline,
                             VsmCancel *cancel, GError **error) {

        int64_t until = g_get_monotonic_time() + (int64_t) deadline;
        g_autofree char *what = g_strdup_printf("Host '%s'", destination->host);
        g_autoptr(GBytes) blob = NULL;
        Look *look;

        if (needs) {
                blob = vsm_compat_encode(needs, error);
                if (!blob)
                        return NULL;
        }

        look = g_new(Look, 1);
        *look = (Look) {
                vsm_destination_copy(destination), g_steal_pointer(&blob), until,
                cancel ? vsm_cancel_ref(cancel) : NULL,
        };
        return vsm_patience_run(&(VsmPatience) {
                                        .what = what,
                                        .host = destination->host,
                                        .func = look_thread,
                                        .input = look,
                                        .input_free = look_free,
                                        .result_free = facts_free,
                                }, until, cancel, error);
}
