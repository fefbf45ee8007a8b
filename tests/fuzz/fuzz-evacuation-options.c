/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Options of an evacuation, or of bringing back: a byte says which, then the dict, as untrusted as it comes. What is
 * accepted comes back the same from the store. */

#include "daemon/evacuation-options.h"
#include "fuzz.h"

static void check_list(char **list) {
        if (!list)
                return;

        g_assert_nonnull(list[0]);
        for (char **p = list; *p; p++)
                g_assert_false(g_strv_contains((const char *const *) p + 1, *p));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        VsmEvacuationOptions* (*read)(GVariant *, GError **) = NULL;
        g_autoptr(VsmEvacuationOptions) options = NULL, again = NULL;
        g_autoptr(GVariant) raw = NULL, dict = NULL, stored = NULL, restored = NULL;
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) bytes = NULL;

        if (size < 1)
                return 0;

        read = data[0] & 1 ? vsm_bring_back_options_new : vsm_evacuation_options_new;
        bytes = g_bytes_new(data + 1, size - 1);
        raw = g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_VARDICT, bytes, FALSE));
        dict = g_variant_get_normal_form(raw);

        options = read(dict, &error);
        fuzz_check_outcome(options, error);
        if (!options)
                return 0;

        check_list(options->destinations);
        check_list(options->systems);
        g_assert_cmpuint(options->fallback.n, <=, _VSM_METHOD_MAX);
        if (options->plan_id)
                g_assert_true(!options->destinations && !options->systems && options->fallback.n == 0);

        stored = vsm_evacuation_options_to_variant(options);
        again = read(stored, &error);
        g_assert_no_error(error);
        restored = vsm_evacuation_options_to_variant(again);
        g_assert_cmpvariant(restored, stored);
        return 0;
}
