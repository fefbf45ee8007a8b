/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From what guests need and hosts have to the numbers of plan.h, and from its plan to the bus. Any thread; what is
 * planned belongs to one at a time. */

#include "daemon/evacuation-internal.h"
#include "daemon/host.h"
#include "daemon/policy-rules.h"
#include "daemon/reason.h"

#define MIB (UINT64_C(1024) * 1024)

/* Of a destination's memory stays free: its own services and QEMU's overhead live there. */
#define KEEP_MIN        (256 * MIB)
#define KEEP_SHARE      20                              /* one part of so many */

void vsm_placing_host_free(VsmPlacingHost *host) {
        g_free(host->name);
        g_strfreev(host->names);
        g_clear_pointer(&host->facts, vsm_host_facts_free);
        g_clear_pointer(&host->reasons, g_variant_unref);
        g_free(host);
}

VsmPlacing* vsm_placing_new(char **uuids) {
        VsmPlacing *planned = g_new0(VsmPlacing, 1);

        planned->uuids = uuids;
        planned->levels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        planned->against = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                                 (GDestroyNotify) g_variant_unref);
        planned->checked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        planned->hosts = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_placing_host_free);
        planned->guests = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_guest_facts_free);
        planned->chains = g_array_new(FALSE, FALSE, sizeof(VsmChain));
        return planned;
}

void vsm_placing_free(VsmPlacing *planned) {
        if (!planned)
                return;

        g_strfreev(planned->uuids);
        g_hash_table_unref(planned->levels);
        g_hash_table_unref(planned->against);
        g_hash_table_unref(planned->checked);
        g_ptr_array_unref(planned->hosts);
        g_ptr_array_unref(planned->guests);
        g_array_unref(planned->chains);
        g_clear_pointer(&planned->plan, vsm_plan_free);
        g_free(planned);
}

void vsm_placing_add_against(VsmPlacing *planned, const char *uuid, const char *host, GVariant *reasons) {
        for (guint i = 0; i < planned->hosts->len; i++) {
                const VsmPlacingHost *h = planned->hosts->pdata[i];

                if (!host || g_str_equal(h->name, host))
                        g_hash_table_replace(planned->against, g_strconcat(uuid, " ", h->name, NULL),
                                             g_variant_ref(reasons));
        }
}

static VsmPlacingHost* planned_host_new(const VsmHostData *data) {
        VsmPlacingHost *host = g_new0(VsmPlacingHost, 1);
        g_autoptr(GStrvBuilder) names = g_strv_builder_new();

        g_strv_builder_add(names, data->name);
        g_strv_builder_addv(names, (const char**) data->addresses);
        host->name = g_strdup(data->name);
        host->names = g_strv_builder_end(names);
        host->priority = data->priority;
        host->limit = data->memory_limit;
        return host;
}

void vsm_placing_add_hosts(VsmPlacing *planned, VsmManager *manager, char **names) {
        GPtrArray *all = vsm_hosts_all(manager);

        for (guint i = 0; i < all->len; i++) {
                const VsmHostData *data = vsm_host_data(all->pdata[i]);

                if (names ? g_strv_contains((const char *const *) names, data->name) : data->enabled)
                        g_ptr_array_add(planned->hosts, planned_host_new(data));
        }
}

/* ---- what a policy says ---- */

VsmChain vsm_placing_chain(GVariant *policy, const VsmChain *fallback) {
        g_autofree const char **words = NULL;
        VsmChain chain = fallback->n > 0 ? *fallback : vsm_chain_default();
        VsmChain own;

        if (policy && g_variant_lookup(policy, "Fallback", "^a&s", &words) && words[0] &&
            vsm_chain_parse((const char *const *) words, &own, NULL) && own.n > 0)
                chain = own;

        /* at the end of any chain the guest is left alone */
        if (chain.methods[chain.n - 1] != VSM_METHOD_LEAVE && chain.n < _VSM_METHOD_MAX)
                chain.methods[chain.n++] = VSM_METHOD_LEAVE;
        return chain;
}

static VsmChain rest_of_chain(const VsmPlacing *planned, const VsmGuestFacts *guest) {
        VsmChain all = vsm_placing_chain(guest->policy, &planned->fallback), rest = {};
        size_t level = GPOINTER_TO_SIZE(g_hash_table_lookup(planned->levels, guest->uuid));

        /* of one that is asleep an image has it awake, and it does not hear that it is to shut down */
        for (size_t i = MIN(level, all.n - 1); i < all.n; i++)
                if (!guest->asleep || vsm_method_moves(all.methods[i]) || all.methods[i] == VSM_METHOD_LEAVE)
                        rest.methods[rest.n++] = all.methods[i];

        return rest;
}

/* ---- what stands against a guest at a host ---- */

typedef struct Place {
        VsmPlacing *planned;
        GVariant **found;               /* guests x hosts */
        bool *looked;
} Place;

static GVariant* find_against(VsmPlacing *planned, const VsmGuestFacts *guest, const VsmPlacingHost *host) {
        g_autofree char *key = g_strconcat(guest->uuid, " ", host->name, NULL);
        GVariant *known = g_hash_table_lookup(planned->against, key);
        g_autoptr(VsmReasons) reasons = NULL;
        g_autoptr(GVariant) all = NULL;

        if (known)
                return g_variant_ref(known);
        if (host->reasons)
                return g_variant_ref(host->reasons);
        if (guest->reasons && vsm_reasons_variant_has_error(guest->reasons))
                return g_variant_ref(guest->reasons);

        reasons = vsm_reasons_new();
        if (guest->asleep)
                vsm_reasons_add(reasons, "guest-asleep", guest->name, NULL, guest->name, NULL);
        if (!vsm_policy_allows(guest->policy, (const char *const *) host->names))
                vsm_reasons_add(reasons, "host-not-allowed", host->name, NULL, guest->name, host->name, NULL);
        if (guest->compat && host->facts->compat)
                vsm_compat_compare(guest->compat, host->facts->compat, host->name, reasons);

        all = vsm_reasons_to_variant(reasons);
        return vsm_reasons_variant_has_error(all) ? g_steal_pointer(&all) : NULL;
}

static GVariant* objection(size_t guest, size_t host, void *userdata) {
        Place *place = userdata;
        VsmPlacing *planned = place->planned;
        size_t pair = guest * planned->hosts->len + host;

        if (!place->looked[pair]) {
                place->looked[pair] = true;
                place->found[pair] = find_against(planned, planned->guests->pdata[guest], planned->hosts->pdata[host]);
        }

        return place->found[pair];
}

/* ---- numbers ---- */

static uint64_t less(uint64_t a, uint64_t b) {
        return a > b ? a - b : 0;
}

/* What went there may not have arrived yet, and what has arrived may still grow into its memory: the tighter of what
 * is free now and of what was free at first counts. */
static uint64_t memory_for_guests(const VsmPlacingHost *host) {
        const VsmHostFacts *facts = host->facts;
        uint64_t keep, first;

        if (!facts)
                return 0;

        keep = MAX(KEEP_MIN, facts->memory_total / KEEP_SHARE);
        first = less(host->first > 0 ? host->first : facts->memory, keep);
        if (host->limit > 0)
                first = MIN(first, host->limit);

        return MIN(less(facts->memory, keep + host->coming), less(first, host->given));
}

static VsmPlanPages* pages_of(const VsmHostFacts *facts) {
        guint n = facts && facts->pages ? facts->pages->len : 0;
        VsmPlanPages *pages = g_new0(VsmPlanPages, n + 1);

        for (guint i = 0; i < n; i++) {
                const VsmHostPages *p = &g_array_index(facts->pages, VsmHostPages, i);

                pages[i] = (VsmPlanPages) { p->size, p->available };
        }

        return pages;
}

static VsmPlanGuest guest_of(VsmPlacing *planned, const VsmGuestFacts *facts) {
        VsmPlanGuest guest = {
                .uuid = facts->uuid, .name = facts->name, .memory = facts->memory, .resident = facts->resident,
                .dirty_rate = facts->paused ? 0 : facts->dirty_rate, .page_size = facts->page_size,
                .priority = vsm_policy_priority(facts->policy), .chain = rest_of_chain(planned, facts),
        };

        (void) g_variant_lookup(facts->policy, "AntiAffinityGroup", "&s", &guest.group);
        g_array_append_val(planned->chains, guest.chain);
        return guest;
}

static VsmPlanHost host_of(VsmPlacingHost *host) {
        host->memory = memory_for_guests(host);
        return (VsmPlanHost) {
                .name = host->name, .priority = host->priority, .memory = host->memory,
                .pages = pages_of(host->facts),
                .groups = host->facts ? (const char *const *) host->facts->groups : NULL,
                .link_rate = host->facts ? host->facts->link_rate : 0,
        };
}

void vsm_placing_place(VsmPlacing *planned) {
        size_t n = planned->guests->len, m = planned->hosts->len;
        g_autofree VsmPlanGuest *guests = g_new0(VsmPlanGuest, n + 1);
        g_autofree VsmPlanHost *hosts = g_new0(VsmPlanHost, m + 1);
        g_autofree GVariant **found = g_new0(GVariant*, n * m + 1);
        g_autofree bool *looked = g_new0(bool, n * m + 1);
        Place place = { planned, found, looked };
        uint64_t rate = planned->link_rate > 0 ? planned->link_rate : VSM_PLACING_LINK_RATE;
        VsmPlanInput input = {
                .guests = guests, .n_guests = n, .hosts = hosts, .n_hosts = m,
                .objection = objection, .userdata = &place,
                .link_rate = planned->max_rate > 0 ? MIN(rate, planned->max_rate) : rate,
                .setup = VSM_PLACING_SETUP_USEC, .disk_rate = VSM_PLACING_DISK_RATE, .deadline = planned->deadline,
        };

        g_array_set_size(planned->chains, 0);
        for (size_t i = 0; i < n; i++)
                guests[i] = guest_of(planned, planned->guests->pdata[i]);
        for (size_t i = 0; i < m; i++)
                hosts[i] = host_of(planned->hosts->pdata[i]);

        g_clear_pointer(&planned->plan, vsm_plan_free);
        planned->plan = vsm_plan_make(&input);

        for (size_t i = 0; i < m; i++)
                g_free((VsmPlanPages*) hosts[i].pages);
        for (size_t i = 0; i < n * m; i++)
                g_clear_pointer(&found[i], g_variant_unref);
}

/* ---- on the bus ---- */

static GVariant* entry_of(const VsmPlacing *planned, const VsmPlanEntry *entry) {
        const VsmGuestFacts *guest = planned->guests->pdata[entry->guest];
        g_autofree char *path = vsm_evacuation_system_path(guest->uuid);
        const VsmPlacingHost *host = entry->host == VSM_PLAN_NO_HOST ? NULL : planned->hosts->pdata[entry->host];
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "System", "o", path);
        g_variant_dict_insert(&dict, "SystemName", "s", guest->name);
        g_variant_dict_insert(&dict, "DestinationHost", "s", host ? host->name : "");
        g_variant_dict_insert(&dict, "Method", "s", vsm_method_to_string(entry->method));
        g_variant_dict_insert(&dict, "Order", "u", (uint32_t) entry->order);
        g_variant_dict_insert(&dict, "Start", "t", entry->start);
        g_variant_dict_insert(&dict, "Duration", "t", entry->duration);
        g_variant_dict_insert(&dict, "Bytes", "t", entry->bytes);
        if (entry->reasons)
                g_variant_dict_insert_value(&dict, "Reasons", entry->reasons);
        else
                g_variant_dict_insert_value(&dict, "Reasons", g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0));
        return g_variant_dict_end(&dict);
}

GVariant* vsm_placing_to_variant(const VsmPlacing *planned) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
        for (size_t i = 0; i < planned->plan->n; i++)
                g_variant_builder_add_value(&builder, entry_of(planned, &planned->plan->entries[i]));

        return g_variant_builder_end(&builder);
}
