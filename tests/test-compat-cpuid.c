/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table of x86 features: sound in itself, and the same as libvirt's where that is installed. */

#include <glib.h>
#include <string.h>

#include "daemon/compat-cpuid.h"

#define MAP "/usr/share/libvirt/cpu_map/x86_features.xml"

static void test_unique(void) {
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
        uint32_t last = 0;

        for (const VsmCpuidRegister *r = vsm_cpuid_registers(); r->name; r++) {
                g_assert_cmpuint(r->vector, >=, last);
                g_assert_true(r->shift == 0 || r->shift == 32);
                last = r->vector;

                for (unsigned bit = 0; bit < 32; bit++) {
                        uint32_t vector = 0;
                        unsigned place = 0;

                        if (!r->features[bit])
                                continue;

                        g_assert_true(g_hash_table_add(seen, (char*) r->features[bit]));
                        g_assert_true(vsm_cpuid_find(r->features[bit], &vector, &place));
                        g_assert_cmpuint(vector, ==, r->vector);
                        g_assert_cmpuint(place, ==, r->shift + bit);
                }
        }
}

static void test_unknown(void) {
        uint32_t vector = 7;
        unsigned bit = 7;

        g_assert_false(vsm_cpuid_find("", &vector, &bit));
        g_assert_false(vsm_cpuid_find("no-such-feature", &vector, &bit));
        g_assert_false(vsm_cpuid_find("rdctl-no", &vector, &bit));
        g_assert_cmpuint(vector, ==, 7);
        g_assert_cmpuint(bit, ==, 7);
}

/* ---- against libvirt's map ---- */

typedef struct Reading {
        char *feature;          /* whose element is open */
        unsigned matched, missing;
} Reading;

static uint32_t number(const char **names, const char **values, const char *name) {
        for (; *names; names++, values++)
                if (strcmp(*names, name) == 0)
                        return (uint32_t) g_ascii_strtoull(*values, NULL, 0);

        return 0;
}

static const VsmCpuidRegister* find_register(uint32_t leaf, uint32_t subleaf, const char *name) {
        for (const VsmCpuidRegister *r = vsm_cpuid_registers(); r->name; r++)
                if (r->leaf == leaf && r->subleaf == subleaf && strcmp(r->name, name) == 0)
                        return r;

        return NULL;
}

static void take_cpuid(Reading *reading, const char **names, const char **values) {
        static const char *const all[] = { "eax", "ebx", "ecx", "edx" };
        uint32_t leaf = number(names, values, "eax_in"), subleaf = number(names, values, "ecx_in");

        for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
                const VsmCpuidRegister *r = find_register(leaf, subleaf, all[i]);
                uint32_t mask = number(names, values, all[i]);

                for (unsigned bit = 0; r && bit < 32; bit++) {
                        if (!(mask & (UINT32_C(1) << bit)))
                                continue;

                        if (g_strcmp0(r->features[bit], reading->feature) == 0)
                                reading->matched++;
                        else if (r->features[bit])
                                g_error("bit %u of %s is '%s' there, '%s' here", bit, r->name,
                                        reading->feature, r->features[bit]);
                        else {
                                g_test_message("not in our table: %s", reading->feature);
                                reading->missing++;
                        }
                }
        }
}

static void on_start(GMarkupParseContext *context, const char *element, const char **names, const char **values,
                     void *userdata, GError **error) {
        Reading *reading = userdata;

        if (strcmp(element, "feature") == 0) {
                g_free(reading->feature);
                reading->feature = NULL;
                for (; *names; names++, values++)
                        if (strcmp(*names, "name") == 0)
                                reading->feature = g_strdup(*values);
        } else if (strcmp(element, "cpuid") == 0 && reading->feature)
                take_cpuid(reading, names, values);
}

/* A newer libvirt may name more; what we name it must name so. */
static void test_libvirt(void) {
        g_autoptr(GMarkupParseContext) context = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;
        const GMarkupParser parser = { .start_element = on_start };
        Reading reading = {};
        unsigned ours = 0;
        gsize length;

        if (!g_file_get_contents(MAP, &text, &length, NULL)) {
                g_test_skip("libvirt's map is not installed");
                return;
        }

        context = g_markup_parse_context_new(&parser, 0, &reading, NULL);
        g_assert_true(g_markup_parse_context_parse(context, text, (gssize) length, &error));
        g_assert_no_error(error);
        g_free(reading.feature);

        for (const VsmCpuidRegister *r = vsm_cpuid_registers(); r->name; r++)
                for (unsigned bit = 0; bit < 32; bit++)
                        ours += r->features[bit] ? 1 : 0;

        g_test_message("%u features, %u of libvirt's are not among them", ours, reading.missing);
        g_assert_cmpuint(reading.matched, ==, ours);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/compat-cpuid/unique", test_unique);
        g_test_add_func("/compat-cpuid/unknown", test_unknown);
        g_test_add_func("/compat-cpuid/libvirt", test_libvirt);
        return g_test_run();
}
