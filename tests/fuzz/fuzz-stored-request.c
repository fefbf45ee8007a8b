/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The text of a request as it comes back from the store, which somebody may have damaged. */

#include "daemon/request.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autofree char *text = fuzz_text(data, size), *once = NULL, *twice = NULL;
        g_autoptr(VsmRequest) request = NULL, back = NULL;
        g_autoptr(GError) error = NULL;

        request = vsm_request_from_text(text, &error);
        fuzz_check_outcome(request, error);
        if (!request)
                return 0;

        once = vsm_request_to_text(request);
        back = vsm_request_from_text(once, &error);
        g_assert_no_error(error);
        twice = vsm_request_to_text(back);
        g_assert_cmpstr(twice, ==, once);
        return 0;
}
