/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A guest's policy: XML that anybody may have put into the definition. What is understood of it comes back
 * the same when we write it ourselves. */

#include "daemon/virt/internal.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autofree char *text = fuzz_text(data, size), *xml = NULL;
        g_autoptr(GVariant) policy = NULL, back = NULL;
        g_autoptr(GError) error = NULL;

        /* what is written is longer than what was read: escapes, and a limit applies to both */
        if (size > 8192)
                return 0;

        policy = vsm_policy_from_xml(text, &error);
        fuzz_check_outcome(policy, error);
        if (!policy)
                return 0;

        g_assert_true(g_variant_is_of_type(policy, G_VARIANT_TYPE_VARDICT));
        xml = vsm_policy_to_xml(policy);
        back = vsm_policy_from_xml(xml, &error);
        g_assert_no_error(error);
        g_assert_cmpvariant(back, policy);
        return 0;
}
