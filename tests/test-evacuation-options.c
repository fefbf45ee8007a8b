/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options of PlanEvacuation, Evacuate and BringBack: what is right arrives, what is wrong is named. */

#include <string.h>

#include "daemon/evacuation-options.h"
#include "shared/error.h"

#define UUID "C5B4E0A1-7E7B-4B53-9D6D-0E4C3C5F7A11"

static GVariant* parse(const char *text) {
        g_autoptr(GError) error = NULL;
        GVariant *dict = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);

        g_assert_no_error(error);
        return dict;
}

static void test_all(void) {
        g_autoptr(GVariant) dict = parse("{'Destinations': <['B.Example.', '::FFFF:192.0.2.1']>,"
                                         " 'Systems': <[objectpath '/a/b', '/a/c']>, 'Deadline': <uint32 7>,"
                                         " 'Fallback': <['live', 'save']>, 'KeepDraining': <true>}");
        g_autoptr(GError) error = NULL;
        g_autoptr(VsmEvacuationOptions) options = vsm_evacuation_options_new(dict, &error);
        g_autoptr(VsmEvacuationOptions) again = NULL;
        g_autoptr(GVariant) stored = NULL, restored = NULL;

        g_assert_no_error(error);
        g_assert_true(g_strv_equal((const char *const *) options->destinations,
                                   (const char *const []) { "b.example", "192.0.2.1", NULL }));
        g_assert_true(g_strv_equal((const char *const *) options->systems,
                                   (const char *const []) { "/a/b", "/a/c", NULL }));
        g_assert_cmpuint(options->deadline, ==, 7);
        g_assert_cmpuint(options->fallback.n, ==, 2);
        g_assert_cmpuint(options->fallback.methods[1], ==, VSM_METHOD_SAVE);
        g_assert_true(options->keep_draining);
        g_assert_null(options->plan_id);

        stored = vsm_evacuation_options_to_variant(options);
        again = vsm_evacuation_options_new(stored, &error);
        g_assert_no_error(error);
        restored = vsm_evacuation_options_to_variant(again);
        g_assert_cmpvariant(restored, stored);
}

/* Null of a caller who sends every key is as if it were not there. */
static void test_nothing(void) {
        static const char *const texts[] = {
                "{}",
                "{'Destinations': <@as []>, 'Systems': <@ao []>, 'Deadline': <uint64 0>, 'Fallback': <@as []>,"
                " 'PlanID': <''>, 'KeepDraining': <false>}",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_autoptr(GVariant) dict = parse(texts[i]), stored = NULL;
                g_autoptr(GError) error = NULL;
                g_autoptr(VsmEvacuationOptions) options = vsm_evacuation_options_new(dict, &error);

                g_assert_no_error(error);
                g_assert_null(options->destinations);
                g_assert_null(options->systems);
                g_assert_cmpuint(options->deadline, ==, 0);
                g_assert_cmpuint(options->fallback.n, ==, 0);
                g_assert_null(options->plan_id);
                g_assert_false(options->keep_draining);

                stored = vsm_evacuation_options_to_variant(options);
                g_assert_cmpuint(g_variant_n_children(stored), ==, 0);
        }
}

static void test_wrong(void) {
        static const struct {
                const char *text, *named;
                VsmError code;
        } cases[] = {
                { "{'Destination': <'b'>}", "Destination\" is unknown", VSM_ERROR_INVALID_PARAMETER },
                { "{'Destinations': <'b'>}", "Destinations", VSM_ERROR_INVALID_PARAMETER },
                { "{'Destinations': <['b;c']>}", "Destinations", VSM_ERROR_INVALID_PARAMETER },
                { "{'Destinations': <['localhost']>}", "Destinations", VSM_ERROR_INVALID_PARAMETER },
                { "{'Destinations': <['b', 'B.']>}", "Destinations has \"b\" twice", VSM_ERROR_INVALID_PARAMETER },
                { "{'Systems': <['/a']>}", "Systems", VSM_ERROR_INVALID_PARAMETER },
                { "{'Systems': <[objectpath '/a', '/a']>}", "Systems has", VSM_ERROR_INVALID_PARAMETER },
                { "{'Deadline': <'7'>}", "Deadline", VSM_ERROR_INVALID_PARAMETER },
                { "{'Deadline': <-1>}", "Deadline", VSM_ERROR_INVALID_PARAMETER },
                { "{'Deadline': <uint64 18446744073709551615>}", "Deadline", VSM_ERROR_INVALID_PARAMETER },
                { "{'Deadline': <uint64 1>, 'Deadline': <uint64 1>}", "Deadline is given twice",
                  VSM_ERROR_INVALID_PARAMETER },
                { "{'Fallback': <['live', 'destroy']>}", "Fallback: \"destroy\"", VSM_ERROR_INVALID_PARAMETER },
                { "{'Fallback': <['live', 'live']>}", "Fallback: \"live\"", VSM_ERROR_INVALID_PARAMETER },
                { "{'PlanID': <'a b'>}", "PlanID", VSM_ERROR_INVALID_PARAMETER },
                { "{'KeepDraining': <1>}", "KeepDraining", VSM_ERROR_INVALID_PARAMETER },
                { "{'PlanID': <'a'>, 'Systems': <[objectpath '/a']>}", "Systems", VSM_ERROR_INCOMPATIBLE_PARAMETERS },
                { "{'PlanID': <'a'>, 'Destinations': <['b']>}", "Destinations", VSM_ERROR_INCOMPATIBLE_PARAMETERS },
                { "{'PlanID': <'a'>, 'Fallback': <['live']>}", "Fallback", VSM_ERROR_INCOMPATIBLE_PARAMETERS },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GVariant) dict = parse(cases[i].text);
                g_autoptr(GError) error = NULL;

                g_assert_null(vsm_evacuation_options_new(dict, &error));
                g_assert_error(error, VSM_ERROR, (int) cases[i].code);
                g_assert_nonnull(strstr(error->message, cases[i].named));
        }
}

static void test_many(void) {
        g_auto(GVariantBuilder) names = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_STRING_ARRAY);
        g_autoptr(GVariant) dict = NULL;
        g_autoptr(GError) error = NULL;
        GVariantDict options;

        for (unsigned i = 0; i < 257; i++)
                g_variant_builder_add_value(&names, g_variant_new_printf("h%u", i));

        g_variant_dict_init(&options, NULL);
        g_variant_dict_insert_value(&options, "Destinations", g_variant_builder_end(&names));
        dict = g_variant_ref_sink(g_variant_dict_end(&options));
        g_assert_null(vsm_evacuation_options_new(dict, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
        g_assert_nonnull(strstr(error->message, "at most 256"));
}

static void test_plan_id(void) {
        g_autoptr(GVariant) dict = parse("{'PlanID': <'4f-2'>, 'Deadline': <uint64 9>, 'KeepDraining': <true>}");
        g_autoptr(GError) error = NULL;
        g_autoptr(VsmEvacuationOptions) options = vsm_evacuation_options_new(dict, &error);

        g_assert_no_error(error);
        g_assert_cmpstr(options->plan_id, ==, "4f-2");
        g_assert_cmpuint(options->deadline, ==, 9);
}

static void test_bring_back(void) {
        g_autoptr(GVariant) dict = parse("{'Systems': <['" UUID "']>}"), wrong = NULL, other = NULL, stored = NULL;
        g_autoptr(GError) error = NULL;
        g_autoptr(VsmEvacuationOptions) options = vsm_bring_back_options_new(dict, &error), again = NULL;
        g_autofree char *lower = g_ascii_strdown(UUID, -1);

        g_assert_no_error(error);
        g_assert_cmpstr(options->systems[0], ==, lower);
        stored = vsm_evacuation_options_to_variant(options);
        again = vsm_bring_back_options_new(stored, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(again->systems[0], ==, lower);

        wrong = parse("{'Systems': <['guest1']>}");
        g_assert_null(vsm_bring_back_options_new(wrong, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
        g_clear_error(&error);

        other = parse("{'Deadline': <uint64 1>}");
        g_assert_null(vsm_bring_back_options_new(other, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/evacuation-options/all", test_all);
        g_test_add_func("/evacuation-options/nothing", test_nothing);
        g_test_add_func("/evacuation-options/wrong", test_wrong);
        g_test_add_func("/evacuation-options/many", test_many);
        g_test_add_func("/evacuation-options/plan-id", test_plan_id);
        g_test_add_func("/evacuation-options/bring-back", test_bring_back);
        return g_test_run();
}
