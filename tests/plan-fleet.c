/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "plan-fleet.h"

#define GIB (UINT64_C(1) << 30)
#define LINK UINT64_C(1250000000)       /* 10 Gbit/s */
#define GROUPS 20

struct Fleet {
        VsmPlanInput input;
        VsmPlanGuest guests[FLEET_GUESTS];
        VsmPlanHost hosts[FLEET_HOSTS];
        VsmPlanPages pages[FLEET_HOSTS][2];
        const char *groups[FLEET_HOSTS][2];
        char names[FLEET_GUESTS + FLEET_HOSTS + GROUPS][16];
        bool refused[FLEET_GUESTS][FLEET_HOSTS];
        unsigned char asked[FLEET_GUESTS][FLEET_HOSTS];
        GVariant *objection;
};

static GVariant* objection(size_t guest, size_t host, void *userdata) {
        Fleet *fleet = userdata;

        fleet->asked[guest][host]++;
        return fleet->refused[guest][host] ? fleet->objection : NULL;
}

static void make_guests(Fleet *fleet, GRand *rand) {
        static const unsigned char sizes[] = { 1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 16, 32 };

        for (unsigned i = 0; i < FLEET_GUESTS; i++) {
                uint64_t memory = sizes[g_rand_int_range(rand, 0, G_N_ELEMENTS(sizes))] * GIB;

                fleet->guests[i] = (VsmPlanGuest) {
                        .uuid = fleet->names[i],
                        .name = fleet->names[i],
                        .memory = memory,
                        .resident = (uint64_t) (memory * g_rand_double_range(rand, 0.3, 1)),
                        .dirty_rate = i % 3 == 0 ? (uint64_t) (LINK * g_rand_double_range(rand, 0, 0.08)) : 0,
                        .page_size = i % 20 == 0 ? 2 << 20 : 0,
                        .priority = i % 10 == 0 ? 50 : 100,
                        .group = i % 10 == 1 ? fleet->names[FLEET_GUESTS + FLEET_HOSTS + i / 10 % GROUPS] : NULL,
                        .chain = vsm_chain_default(),
                };
                g_snprintf(fleet->names[i], sizeof(fleet->names[i]), "guest-%u", i);
        }
}

/* Hosts of three sizes, which together have ten sevenths of what is wanted. */
static void make_hosts(Fleet *fleet, unsigned kind) {
        double wanted = 0, wanted_pages = 0;

        for (unsigned i = 0; i < FLEET_GUESTS; i++)
                *(fleet->guests[i].page_size > 0 ? &wanted_pages : &wanted) += fleet->guests[i].memory;

        for (unsigned i = 0; i < FLEET_HOSTS; i++) {
                double share = (0.6 + 0.4 * (i % 3)) / FLEET_HOSTS;
                char *name = fleet->names[FLEET_GUESTS + i];

                g_snprintf(name, sizeof(fleet->names[0]), "host-%u", i);
                fleet->pages[i][0] = (VsmPlanPages) { 2 << 20, (uint64_t) (wanted_pages / 0.7 / (FLEET_HOSTS / 10)) };
                fleet->hosts[i] = (VsmPlanHost) {
                        .name = name,
                        .priority = 100,
                        .memory = (uint64_t) (wanted / 0.7 * share) + GIB,
                        .pages = i % 10 == 0 ? fleet->pages[i] : NULL,
                        .groups = fleet->groups[i],
                        .link_rate = kind == 2 || (kind == 1 && i % 3 == 0) ? LINK / 5 : 0,
                };
                if (i % 5 == 0)
                        fleet->groups[i][0] = fleet->names[FLEET_GUESTS + FLEET_HOSTS + i / 5];
        }
}

Fleet* fleet_new(uint32_t seed, unsigned kind) {
        GRand *rand = g_rand_new_with_seed(seed);
        Fleet *fleet = g_new0(Fleet, 1);

        for (unsigned i = 0; i < GROUPS; i++)
                g_snprintf(fleet->names[FLEET_GUESTS + FLEET_HOSTS + i], sizeof(fleet->names[0]), "group-%u", i);

        make_guests(fleet, rand);
        make_hosts(fleet, kind);
        for (unsigned i = 0; i < FLEET_GUESTS; i++)
                for (unsigned k = 0; k < FLEET_HOSTS; k++)
                        fleet->refused[i][k] = g_rand_int_range(rand, 0, 20) == 0;

        fleet->objection = g_variant_ref_sink(g_variant_new_parsed("[{'MessageID': <'cpu-feature-missing'>}]"));
        fleet->input = (VsmPlanInput) {
                .guests = fleet->guests, .n_guests = FLEET_GUESTS,
                .hosts = fleet->hosts, .n_hosts = FLEET_HOSTS,
                .objection = objection, .userdata = fleet,
                .link_rate = LINK, .setup = 800000, .disk_rate = 500000000,
        };
        g_rand_free(rand);
        return fleet;
}

void fleet_free(Fleet *fleet) {
        if (!fleet)
                return;

        g_variant_unref(fleet->objection);
        g_free(fleet);
}

VsmPlanInput* fleet_input(Fleet *fleet) {
        return &fleet->input;
}

unsigned fleet_most_asked(const Fleet *fleet) {
        unsigned most = 0;

        for (unsigned i = 0; i < FLEET_GUESTS; i++)
                for (unsigned k = 0; k < FLEET_HOSTS; k++)
                        most = MAX(most, fleet->asked[i][k]);

        return most;
}
