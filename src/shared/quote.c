/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <glib.h>
#include <string.h>

#include "shared/quote.h"

#define QUOTE_MAX 64

char* vsm_text_quote(const char *text) {
        g_autoptr(GString) quoted = g_string_new(NULL);

        /* byte by byte, so that the cut never goes through an escape sequence */
        for (const char *p = text; *p; p++) {
                g_autofree char *escaped = g_strescape((char[]) { *p, '\0' }, NULL);

                if (quoted->len + strlen(escaped) > QUOTE_MAX) {
                        g_string_append(quoted, "...");
                        break;
                }

                g_string_append(quoted, escaped);
        }

        return g_string_free(g_steal_pointer(&quoted), FALSE);
}
