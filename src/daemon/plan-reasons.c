/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Why a plan is as it is, guest by guest, in the words of reason.h. Pure. */

#include "daemon/plan-private.h"
#include "daemon/reason.h"

#define MIB (1024 * 1024)

/* Of one that moves, what stands against other hosts is told of this many: a plan is one message on the bus. */
#define OBJECTIONS_MAX 8

static char* mib(double bytes) {
        return g_strdup_printf("%.0f", bytes / MIB);
}

static bool chain_has_before(const VsmPlanGuest *guest, VsmMethod wanted, VsmMethod before) {
        for (size_t i = 0; i < guest->chain.n && guest->chain.methods[i] != before; i++)
                if (guest->chain.methods[i] == wanted)
                        return true;

        return false;
}

static void add_rates(VsmReasons *reasons, const char *code, const VsmPlanCase *c, size_t guest, size_t host) {
        const VsmPlanGuest *g = &c->input->guests[guest];
        g_autofree char *dirty = mib(g->dirty_rate), *rate = mib(c->rate[host]);

        vsm_reasons_add(reasons, code, c->input->hosts[host].name, NULL, g->name, dirty, rate, NULL);
}

/* ---- of those that move ---- */

static void add_choice(VsmReasons *reasons, const VsmPlanCase *c, size_t guest, size_t host) {
        const char *name = c->input->hosts[host].name;
        g_autofree char *many = NULL;
        size_t others = 0, worse = 0;

        for (size_t h = 0; h < c->m; h++)
                if (h != host && c->possible[VSM_PLAN_PAIR(c, guest, h)]) {
                        others++;
                        worse += c->rank[h] > c->rank[host];
                }

        many = g_strdup_printf("%zu", others + 1);
        if (others == 0)
                vsm_reasons_add(reasons, "plan-only-host", name, NULL, name, NULL);
        else if (worse == others)
                vsm_reasons_add(reasons, "plan-preferred", name, NULL, name, NULL);
        else
                vsm_reasons_add(reasons, "plan-chosen", name, NULL, name, many, NULL);
}

static void add_method(VsmReasons *reasons, const VsmPlanCase *c, size_t guest, const VsmPlanSlot *slot) {
        const VsmPlanGuest *g = &c->input->guests[guest];
        VsmMethod wanted = c->method[VSM_PLAN_PAIR(c, guest, slot->host)];

        if (!vsm_plan_ends(g, c->rate[slot->host], slot->method))
                add_rates(reasons, "plan-slowed-down", c, guest, slot->host);
        else if (chain_has_before(g, VSM_METHOD_LIVE, wanted))
                add_rates(reasons, "plan-not-live", c, guest, slot->host);

        if (slot->method != wanted)
                vsm_reasons_add(reasons, "plan-quicker", "", NULL, g->name, vsm_method_to_string(wanted), NULL);
}

/* ---- of those that stay ---- */

static void add_no_room(VsmReasons *reasons, const VsmPlanCase *c, const VsmPlanRoom *room, size_t guest,
                        size_t host) {

        const VsmPlanGuest *g = &c->input->guests[guest];
        const char *name = c->input->hosts[host].name;
        const uint64_t *left = vsm_plan_room_of(c, room, guest, host);
        uint64_t bytes = left ? *left : 0;

        if (c->group[guest] > 0 && room->groups[host * c->n_groups + c->group[guest]]) {
                vsm_reasons_add(reasons, "anti-affinity", name, NULL, name, g->group, NULL);
        } else if (g->page_size > 0) {
                g_autofree char *has = g_strdup_printf("%" G_GUINT64_FORMAT, bytes / g->page_size);
                g_autofree char *needs = g_strdup_printf("%" G_GUINT64_FORMAT,
                                                         g->memory / g->page_size + (g->memory % g->page_size > 0));
                g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, g->page_size / 1024);

                vsm_reasons_add(reasons, "not-enough-huge-pages", name, NULL, name, has, needs, size, NULL);
        } else {
                g_autofree char *has = mib(bytes), *needs = mib(g->memory);

                vsm_reasons_add(reasons, "not-enough-memory", name, NULL, name, has, needs, NULL);
        }
}

/* Hosts that nothing is wrong with, but that have no room left, and hosts whose link is too slow for it. */
static void add_hosts(VsmReasons *reasons, const VsmPlanCase *c, const VsmPlanRoom *room, size_t guest,
                      bool *ret_too_slow) {

        size_t slow = 0, full = 0;

        for (size_t i = 0; i < c->m; i++) {
                size_t host = c->host_order[i], pair = VSM_PLAN_PAIR(c, guest, host);

                if (c->objection[pair])
                        continue;

                if (c->possible[pair]) {
                        add_no_room(reasons, c, room, guest, host);
                        full++;
                } else if (slow++ == 0)
                        add_rates(reasons, "plan-not-live", c, guest, host);
        }

        *ret_too_slow = slow > 0 && full == 0;
}

static void add_stay(VsmReasons *reasons, VsmReasons *of_hosts, const VsmPlanCase *c, const VsmPlanRoom *room,
                     size_t guest, const VsmPlanSlot *slot, VsmMethod method) {

        const VsmPlanGuest *g = &c->input->guests[guest];
        bool too_slow = false;

        if (!vsm_method_moves(g->chain.methods[0])) {
                vsm_reasons_add(reasons, "plan-policy", "", NULL, g->name,
                                vsm_method_to_string(g->chain.methods[0]), NULL);
        } else if (slot->late) {
                vsm_reasons_add(reasons, "deadline-too-short", "", NULL, g->name, NULL);
        } else {
                add_hosts(of_hosts, c, room, guest, &too_slow);
                if (!too_slow)
                        vsm_reasons_add(reasons, "no-destination", "", NULL, g->name, NULL);
        }

        if (method != VSM_METHOD_SAVE && chain_has_before(g, VSM_METHOD_SAVE, method))
                vsm_reasons_add(reasons, "no-time-to-save", "", NULL, g->name, NULL);
}

/* ---- both ---- */

static void append(GVariantBuilder *builder, GVariant *list) {
        for (size_t i = 0; i < g_variant_n_children(list); i++) {
                g_autoptr(GVariant) reason = g_variant_get_child_value(list, i);

                g_variant_builder_add_value(builder, reason);
        }
}

static void append_reasons(GVariantBuilder *builder, VsmReasons *reasons) {
        g_autoptr(GVariant) list = vsm_reasons_to_variant(reasons);

        append(builder, list);
}

GVariant* vsm_plan_reasons(const VsmPlanCase *c, const VsmPlanRoom *room, size_t guest, const VsmPlanSlot *slot,
                           VsmMethod method) {

        g_autoptr(VsmReasons) reasons = vsm_reasons_new(), of_hosts = vsm_reasons_new();
        size_t told = 0, max = slot->host == VSM_PLAN_NO_HOST ? c->m : OBJECTIONS_MAX;
        GVariantBuilder builder;

        if (slot->host == VSM_PLAN_NO_HOST) {
                add_stay(reasons, of_hosts, c, room, guest, slot, method);
        } else {
                add_choice(reasons, c, guest, slot->host);
                add_method(reasons, c, guest, slot);
        }

        g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
        append_reasons(&builder, reasons);
        append_reasons(&builder, of_hosts);

        for (size_t i = 0; i < c->m && told < max; i++) {
                GVariant *objection = c->objection[VSM_PLAN_PAIR(c, guest, c->host_order[i])];

                if (objection) {
                        append(&builder, objection);
                        told++;
                }
        }

        return g_variant_ref_sink(g_variant_builder_end(&builder));
}
