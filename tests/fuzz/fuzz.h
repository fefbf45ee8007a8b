/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shared/error.h"

/* What the targets share. A target ends with abort() when what it expects is not so: that, and
 * whatever the sanitizers see, is a finding. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a string: what stands behind a NUL is lost. */
static inline char* fuzz_text(const uint8_t *data, size_t size) {
        return g_strndup((const char *) data, size);
}

/* Either a result or an error of ours that can be sent to anybody, never both and never none. */
static inline void fuzz_check_outcome(const void *result, const GError *error) {
        g_assert_true(!result == !!error);
        if (!error)
                return;

        g_assert_true(error->domain == VSM_ERROR);
        g_assert_cmpint(error->code, >=, 0);
        g_assert_cmpint(error->code, <, _VSM_ERROR_MAX);
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
        g_assert_null(strpbrk(error->message, "\n\r\033"));
}
