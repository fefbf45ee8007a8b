/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who can be brought home, out of what an evacuation left behind, and that one is forgotten. One thread. */

#include <string.h>

#include "daemon/bring-back-record.h"
#include "shared/error.h"
#include "store-place.h"

static void add_away(VsmStore *store, const char *uuid, const char *host) {
        VsmAway *away = vsm_away_new(uuid, "name", host, NULL);

        g_assert_true(vsm_evacuation_record_add_away(store, away, NULL));
        vsm_away_free(away);
}

static void add_leaver(VsmEvacuationRecord *record, const char *uuid, VsmLeaving end) {
        VsmLeaver *leaver = vsm_leaver_new(uuid, "name");

        leaver->end = end;
        g_ptr_array_add(record->leavers, leaver);
}

/* "u-1@h2 u-2@", in their order */
static char* read_all(VsmStore *store, char **systems) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) all = vsm_bring_back_record_read(store, systems, &error);
        GString *text = g_string_new(NULL);

        g_assert_no_error(error);
        for (guint i = 0; i < all->len; i++) {
                const VsmAway *away = all->pdata[i];

                g_string_append_printf(text, "%s%s@%s", text->len > 0 ? " " : "", away->uuid, away->host);
                g_assert_cmpint(vsm_away_moved(away), ==, away->host[0] != '\0');
        }

        return g_string_free(text, FALSE);
}

static void assert_all(VsmStore *store, char **systems, const char *wanted) {
        g_autofree char *text = read_all(store, systems);

        g_assert_cmpstr(text, ==, wanted);
}

static void test_record(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);
        g_autoptr(VsmEvacuationRecord) record = vsm_evacuation_record_new();
        g_autofree char *text = NULL;
        char *wanted[] = { (char*) "u-4", (char*) "u-1", NULL }, *wrong[] = { (char*) "u-1", (char*) "u-3", NULL };
        g_autoptr(GPtrArray) none = NULL;
        g_autoptr(GError) error = NULL;

        assert_all(store, NULL, "");

        add_away(store, "u-1", "h2");
        add_away(store, "u-2", "h3");
        add_leaver(record, "u-1", VSM_LEAVING_MOVED);
        add_leaver(record, "u-2", VSM_LEAVING_SAVED);   /* in an earlier one; it went to h3 since */
        add_leaver(record, "u-3", VSM_LEAVING_STAYED);
        add_leaver(record, "u-4", VSM_LEAVING_SAVED);
        add_leaver(record, "u-5", VSM_LEAVING_SHUT_DOWN);
        add_leaver(record, "u-6", VSM_LEAVING_GONE);
        text = vsm_evacuation_record_to_text(record);
        g_assert_true(vsm_evacuation_record_write(store, text, NULL));
        assert_all(store, NULL, "u-1@h2 u-2@h3 u-4@ u-5@");
        assert_all(store, wanted, "u-1@h2 u-4@");

        none = vsm_bring_back_record_read(store, wrong, &error);
        g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
        g_assert_nonnull(strstr(error->message, "u-3"));
        g_assert_null(none);
}

static bool is_called(VsmStore *store, const char *uuid) {
        g_autoptr(GPtrArray) all = vsm_evacuation_record_away(store, NULL);

        for (guint i = 0; i < all->len; i++) {
                const VsmAway *away = all->pdata[i];

                if (g_str_equal(away->uuid, uuid))
                        return away->called;
        }

        return false;
}

static void test_call(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);
        g_autoptr(VsmEvacuationRecord) record = vsm_evacuation_record_new(), empty = vsm_evacuation_record_new();
        g_autofree char *text = NULL, *nothing = NULL;
        char *wanted[] = { (char*) "u-1", (char*) "u-4", NULL };
        g_autoptr(GPtrArray) coming = NULL;

        add_away(store, "u-1", "h2");
        add_away(store, "u-2", "h3");
        add_leaver(record, "u-4", VSM_LEAVING_SAVED);
        text = vsm_evacuation_record_to_text(record);
        g_assert_true(vsm_evacuation_record_write(store, text, NULL));

        coming = vsm_bring_back_record_read(store, wanted, NULL);
        g_assert_true(vsm_bring_back_record_call(store, coming, NULL));
        g_assert_true(is_called(store, "u-1"));
        g_assert_true(is_called(store, "u-4"));
        g_assert_false(is_called(store, "u-2"));

        /* also when the next evacuation has its record in place of this one */
        nothing = vsm_evacuation_record_to_text(empty);
        g_assert_true(vsm_evacuation_record_write(store, nothing, NULL));
        assert_all(store, NULL, "u-1@h2 u-2@h3 u-4@");

        /* who leaves again has not been called again */
        add_away(store, "u-1", "h3");
        g_assert_false(is_called(store, "u-1"));
}

static void test_forget(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);
        g_autoptr(VsmEvacuationRecord) record = vsm_evacuation_record_new(), again = NULL;
        g_autofree char *text = NULL;

        /* one that is not there is no error, with and without a record */
        g_assert_true(vsm_bring_back_record_forget(store, "u-9", NULL));

        add_away(store, "u-1", "h2");
        add_away(store, "u-2", "h3");
        add_leaver(record, "u-1", VSM_LEAVING_MOVED);
        add_leaver(record, "u-4", VSM_LEAVING_SAVED);
        text = vsm_evacuation_record_to_text(record);
        g_assert_true(vsm_evacuation_record_write(store, text, NULL));

        g_assert_true(vsm_bring_back_record_forget(store, "u-9", NULL));
        assert_all(store, NULL, "u-1@h2 u-2@h3 u-4@");
        g_assert_true(vsm_bring_back_record_forget(store, "u-1", NULL));
        assert_all(store, NULL, "u-2@h3 u-4@");
        g_assert_true(vsm_bring_back_record_forget(store, "u-4", NULL));
        assert_all(store, NULL, "u-2@h3");

        again = vsm_evacuation_record_read(store, NULL);
        g_assert_cmpint(((const VsmLeaver*) again->leavers->pdata[0])->end, ==, VSM_LEAVING_MOVED);
        g_assert_cmpint(((const VsmLeaver*) again->leavers->pdata[1])->end, ==, VSM_LEAVING_GONE);
        g_assert_false(vsm_bring_back_record_wake(again, "u-4"));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add("/bring-back-record/read", Place, NULL, place_set_up, test_record, place_tear_down);
        g_test_add("/bring-back-record/call", Place, NULL, place_set_up, test_call, place_tear_down);
        g_test_add("/bring-back-record/forget", Place, NULL, place_set_up, test_forget, place_tear_down);
        return g_test_run();
}
