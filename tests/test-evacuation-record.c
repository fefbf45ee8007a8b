/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What of an evacuation outlives the process: text, and the store. One thread. */

#include "daemon/evacuation-record.h"
#include "store-place.h"

static void test_record(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmEvacuationRecord) in = vsm_evacuation_record_new(), out = NULL;
        g_autoptr(VsmStore) store = open_whole(place);
        g_autofree char *text = NULL;
        g_autoptr(GError) error = NULL;
        VsmLeaver *leaver = vsm_leaver_new("u-1", "g\303\274st'\"");

        g_assert_null(vsm_evacuation_record_read(store, &error));
        g_assert_no_error(error);

        in->job = UINT64_MAX;
        in->started = 5;
        g_clear_pointer(&in->options, g_variant_unref);
        in->options = g_variant_ref_sink(g_variant_new_parsed("{'Deadline': <uint64 7>}"));
        g_clear_pointer(&in->plan, g_variant_unref);
        in->plan = g_variant_ref_sink(g_variant_new_parsed("[{'Order': <uint32 1>}]"));
        leaver->end = VSM_LEAVING_SHUT_DOWN;
        leaver->stilling = VSM_LEAVING_SAVED;
        leaver->level = 4;
        leaver->autostart = true;
        leaver->running = false;
        g_ptr_array_add(in->leavers, leaver);
        g_ptr_array_add(in->leavers, vsm_leaver_new("u-2", "b"));
        g_strfreev(in->out);
        in->out = g_strsplit("h2 h3", " ", -1);

        text = vsm_evacuation_record_to_text(in);
        g_assert_true(vsm_evacuation_record_write(store, text, NULL));
        out = vsm_evacuation_record_read(store, &error);
        g_assert_no_error(error);

        g_assert_cmpuint(out->job, ==, UINT64_MAX);
        g_assert_cmpuint(out->started, ==, 5);
        g_assert_true(g_variant_equal(out->options, in->options));
        g_assert_true(g_variant_equal(out->plan, in->plan));
        g_assert_cmpuint(out->leavers->len, ==, 2);
        leaver = out->leavers->pdata[0];
        g_assert_cmpstr(leaver->uuid, ==, "u-1");
        g_assert_cmpstr(leaver->name, ==, "g\303\274st'\"");
        g_assert_cmpint(leaver->end, ==, VSM_LEAVING_SHUT_DOWN);
        g_assert_cmpint(leaver->stilling, ==, VSM_LEAVING_SAVED);
        g_assert_cmpuint(leaver->level, ==, 4);
        g_assert_true(leaver->autostart);
        g_assert_false(leaver->running);
        leaver = out->leavers->pdata[1];
        g_assert_cmpint(leaver->end, ==, VSM_LEAVING_WAITS);
        g_assert_cmpint(leaver->stilling, ==, VSM_LEAVING_WAITS);
        g_assert_cmpuint(g_variant_n_children(leaver->reasons), ==, 0);
        g_assert_cmpuint(g_strv_length(out->out), ==, 2);
        g_assert_cmpstr(out->out[1], ==, "h3");
}

static void add(VsmStore *store, const char *uuid, const char *host, bool autostart) {
        VsmAway *away = vsm_away_new(uuid, "name", host, NULL);
        g_autoptr(GError) error = NULL;

        away->since = 9;
        away->autostart = autostart;
        vsm_evacuation_record_add_away(store, away, &error);
        g_assert_no_error(error);
        vsm_away_free(away);
}

static void test_away(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);
        g_autoptr(GPtrArray) all = vsm_evacuation_record_away(store, NULL);
        const VsmAway *away;

        g_assert_cmpuint(all->len, ==, 0);

        add(store, "u-1", "h2", true);
        add(store, "u-2", "h2", false);
        add(store, "u-1", "h3", false);         /* it came home meanwhile, and left again */
        vsm_store_close(g_steal_pointer(&store));
        store = open_whole(place);

        g_ptr_array_unref(all);
        all = vsm_evacuation_record_away(store, NULL);
        g_assert_cmpuint(all->len, ==, 2);
        away = all->pdata[0];
        g_assert_cmpstr(away->uuid, ==, "u-2");
        away = all->pdata[1];
        g_assert_cmpstr(away->uuid, ==, "u-1");
        g_assert_cmpstr(away->host, ==, "h3");
        g_assert_cmpstr(away->address, ==, "");
        g_assert_cmpuint(away->since, ==, 9);
        g_assert_false(away->autostart);
        g_assert_true(away->running);

        g_ptr_array_set_size(all, 0);
        g_assert_true(vsm_evacuation_record_set_away(store, all, NULL));
        g_ptr_array_unref(all);
        all = vsm_evacuation_record_away(store, NULL);
        g_assert_cmpuint(all->len, ==, 0);
}

static void test_damage(void) {
        static const char *const bad[] = { "", "(", "()", "\377", "[('a', 'b')]" };

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_autoptr(GError) record = NULL, away = NULL;

                g_assert_null(vsm_evacuation_record_from_text(bad[i], &record));
                g_assert_nonnull(record);
                g_assert_null(vsm_away_from_text(bad[i], &away));
                g_assert_nonnull(away);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add("/evacuation-record/record", Place, NULL, place_set_up, test_record, place_tear_down);
        g_test_add("/evacuation-record/away", Place, NULL, place_set_up, test_away, place_tear_down);
        g_test_add_func("/evacuation-record/damage", test_damage);

        return g_test_run();
}
