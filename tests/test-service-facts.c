/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service's state through a store and back, whole and damaged. One thread. */

#include <glib/gstdio.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/service-facts.h"
#include "shared/enums.h"

typedef struct Place {
        char *directory;
        VsmStore *store;
} Place;

static void place_set_up(Place *place, const void *data G_GNUC_UNUSED) {
        place->directory = g_dir_make_tmp("vsm-test-store-XXXXXX", NULL);
        place->store = vsm_store_open(place->directory, NULL, NULL);
        g_assert_nonnull(place->store);
}

static void place_tear_down(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(GDir) dir = g_dir_open(place->directory, 0, NULL);
        const char *name = NULL;

        vsm_store_close(place->store);

        while ((name = g_dir_read_name(dir))) {
                g_autofree char *child = g_build_filename(place->directory, name, NULL);

                g_assert_cmpint(remove(child), ==, 0);
        }

        g_assert_cmpint(rmdir(place->directory), ==, 0);
        g_free(place->directory);
}

/* ret_fault NULL: there must be none. */
static VsmServiceFacts read_facts(Place *place, char **ret_fault) {
        g_autofree char *fault = NULL;
        g_autoptr(GError) error = NULL;
        VsmServiceFacts facts = {};

        vsm_service_facts_read(place->store, &facts, ret_fault ?: &fault, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(fault, ==, NULL);
        return facts;
}

static void test_round_trip(Place *place, const void *data G_GNUC_UNUSED) {
        VsmServiceFacts facts = {
                .enabled = VSM_ENABLED_STATE_QUIESCE, .requested = VSM_ENABLED_STATE_QUIESCE,
                .changed = UINT64_C(1800000000000000), .quiesce = 42, .submitted = 7, .deadline = 9,
                .owner_uid = 1000, .owner = (char*) "o'neill \"x\"",
        };
        VsmServiceFacts back = read_facts(place, NULL);

        /* nothing is kept yet */
        g_assert_cmpuint(back.enabled, ==, VSM_ENABLED_STATE_ENABLED);
        g_assert_cmpuint(back.requested, ==, 0);
        g_assert_cmpuint(back.changed, ==, 0);
        g_assert_cmpuint(back.quiesce, ==, 0);

        g_assert_true(vsm_service_facts_write(place->store, &facts, NULL));
        back = read_facts(place, NULL);
        g_assert_cmpuint(back.enabled, ==, facts.enabled);
        g_assert_cmpuint(back.requested, ==, facts.requested);
        g_assert_cmpuint(back.changed, ==, facts.changed);
        g_assert_cmpuint(back.quiesce, ==, 42);
        g_assert_cmpuint(back.submitted, ==, 7);
        g_assert_cmpuint(back.deadline, ==, 9);
        g_assert_cmpuint(back.owner_uid, ==, 1000);
        g_assert_cmpstr(back.owner, ==, facts.owner);
        vsm_service_facts_clear(&back);

        /* its end leaves nothing behind */
        facts.quiesce = 0;
        g_assert_true(vsm_service_facts_write(place->store, &facts, NULL));
        back = read_facts(place, NULL);
        g_assert_cmpuint(back.enabled, ==, VSM_ENABLED_STATE_QUIESCE);
        g_assert_cmpuint(back.quiesce, ==, 0);
        g_assert_null(back.owner);
}

static void test_damaged(Place *place, const void *data G_GNUC_UNUSED) {
        static const VsmStoredText bad[] = {
                { (char*) "EnabledState", (char*) "4" },     { (char*) "EnabledState", (char*) "" },
                { (char*) "EnabledState", (char*) "0" },     { (char*) "RequestedState", (char*) "x" },
                { (char*) "TimeOfLastStateChange", (char*) "-1" },
                { (char*) "Quiesce", (char*) "(1, 2)" },
        };
        VsmStoredText other = { (char*) "another", (char*) "one's" };

        g_assert_true(vsm_store_texts_change(place->store, VSM_STORE_FACT, &other, 1, NULL));
        (void) read_facts(place, NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                VsmStoredText remove_it = { bad[i].key, NULL };
                g_autofree char *fault = NULL;
                VsmServiceFacts facts;

                g_assert_true(vsm_store_texts_change(place->store, VSM_STORE_FACT, &bad[i], 1, NULL));
                facts = read_facts(place, &fault);
                g_assert_nonnull(fault);
                g_assert_true(g_str_has_prefix(fault, bad[i].key));
                g_assert_cmpuint(facts.enabled, ==, VSM_ENABLED_STATE_ENABLED);
                g_assert_cmpuint(facts.quiesce, ==, 0);
                g_assert_true(vsm_store_texts_change(place->store, VSM_STORE_FACT, &remove_it, 1, NULL));
        }
}

/* A job that waits for a state that is not: it would never end. */
static void test_quiesce_alone(Place *place, const void *data G_GNUC_UNUSED) {
        const VsmStoredText texts[] = {
                { (char*) "EnabledState", (char*) "3" },
                { (char*) "Quiesce", (char*) "(42, 7, 9, 0, 'root')" },
        };
        VsmServiceFacts facts;

        g_assert_true(vsm_store_texts_change(place->store, VSM_STORE_FACT, texts, 2, NULL));
        facts = read_facts(place, NULL);
        g_assert_cmpuint(facts.enabled, ==, VSM_ENABLED_STATE_DISABLED);
        g_assert_cmpuint(facts.quiesce, ==, 0);
        vsm_service_facts_clear(&facts);
}

/* It ends with the boot, unless it is to be kept; and it is nothing without its state. */
static void test_draining(Place *place, const void *data G_GNUC_UNUSED) {
        VsmServiceFacts facts = { .enabled = VSM_ENABLED_STATE_QUIESCE, .draining = true, .drain_boot_id = (char*) "one",
                                  .before_draining = VSM_ENABLED_STATE_DISABLED };
        VsmStoredText enabled = { (char*) "EnabledState", (char*) "2" };
        VsmServiceFacts back;

        g_assert_true(vsm_service_facts_write(place->store, &facts, NULL));
        back = read_facts(place, NULL);
        g_assert_true(back.draining);
        g_assert_false(back.keep_draining);
        g_assert_cmpuint(back.before_draining, ==, VSM_ENABLED_STATE_DISABLED);
        g_assert_true(vsm_service_facts_drain_holds(&back, "one"));
        g_assert_false(vsm_service_facts_drain_holds(&back, "two"));
        vsm_service_facts_clear(&back);

        facts.keep_draining = true;
        g_assert_true(vsm_service_facts_write(place->store, &facts, NULL));
        back = read_facts(place, NULL);
        g_assert_true(vsm_service_facts_drain_holds(&back, "two"));
        vsm_service_facts_clear(&back);

        g_assert_true(vsm_store_texts_change(place->store, VSM_STORE_FACT, &enabled, 1, NULL));
        back = read_facts(place, NULL);
        g_assert_false(back.draining);
        vsm_service_facts_clear(&back);

        facts.draining = false;
        g_assert_true(vsm_service_facts_write(place->store, &facts, NULL));
        back = read_facts(place, NULL);
        g_assert_false(back.draining);
        g_assert_null(back.drain_boot_id);
}

#define ADD(name, function) \
        g_test_add("/service-facts/" name, Place, NULL, place_set_up, function, place_tear_down)

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        ADD("round-trip", test_round_trip);
        ADD("damaged", test_damaged);
        ADD("quiesce-alone", test_quiesce_alone);
        ADD("draining", test_draining);

        return g_test_run();
}
