/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Text for people: escaping, display width, sizes, times, the nearest known word.
 * Pure: no bus, no terminal, no time of day except as argument. */

#include <glib/gi18n.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "client/text.h"

#define USEC_PER_MSEC   UINT64_C(1000)
#define USEC_PER_SEC    UINT64_C(1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR   (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY    (24 * USEC_PER_HOUR)

/* Format characters are among these because a right-to-left override shows a name as another one. */
static bool is_harmless(gunichar c) {
        switch (g_unichar_type(c)) {
        case G_UNICODE_CONTROL:
        case G_UNICODE_FORMAT:
        case G_UNICODE_SURROGATE:
        case G_UNICODE_LINE_SEPARATOR:
        case G_UNICODE_PARAGRAPH_SEPARATOR:
                return false;
        default:
                return true;
        }
}

static void append_escaped(GString *out, gunichar c) {
        switch (c) {
        case '\n':
                g_string_append(out, "\\n");
                break;
        case '\t':
                g_string_append(out, "\\t");
                break;
        case '\r':
                g_string_append(out, "\\r");
                break;
        default:
                g_string_append_printf(out, c < 0x100 ? "\\x%02x" : "\\u%04x", c);
        }
}

char* vsm_text_escape(const char *s) {
        g_autoptr(GString) out = g_string_new(NULL);

        for (const char *p = s ?: ""; *p;) {
                gunichar c = g_utf8_get_char_validated(p, -1);

                /* (gunichar) -1 and -2: not UTF-8, or the string ends within a character */
                if (c >= (gunichar) -2) {
                        append_escaped(out, (guchar) *p++);
                        continue;
                }

                if (is_harmless(c))
                        g_string_append_unichar(out, c);
                else
                        append_escaped(out, c);
                p = g_utf8_next_char(p);
        }

        return g_string_free(g_steal_pointer(&out), FALSE);
}

char* vsm_text_shell(const char *s) {
        g_autofree char *quoted = NULL;

        if (*s && !s[strspn(s, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "@%_-+=:,./")])
                return g_strdup(s);

        quoted = g_shell_quote(s);
        return vsm_text_escape(quoted);
}

static size_t char_width(gunichar c) {
        if (g_unichar_iszerowidth(c))
                return 0;

        return g_unichar_iswide(c) ? 2 : 1;
}

size_t vsm_text_width(const char *s) {
        size_t width = 0;

        for (const char *p = s; *p; p = g_utf8_next_char(p))
                width += char_width(g_utf8_get_char(p));

        return width;
}

char* vsm_text_fit(const char *s, size_t width) {
        size_t used = 0;
        const char *p;

        if (vsm_text_width(s) <= width)
                return g_strdup(s);
        if (width == 0)
                return g_strdup("");

        for (p = s; *p; p = g_utf8_next_char(p)) {
                size_t w = char_width(g_utf8_get_char(p));

                if (used + w > width - 1)
                        break;
                used += w;
        }

        return g_strdup_printf("%.*s~", (int) (p - s), s);
}

static char* format_bytes(uint64_t bytes, const char *const *units) {
        double value = bytes;
        size_t unit = 0;

        if (bytes < 1024)
                return g_strdup_printf("%" PRIu64 "%s", bytes, units[0]);

        /* 1023.96 would be printed as 1024.0 */
        while (value >= 1023.95 && units[unit + 1]) {
                value /= 1024;
                unit++;
        }

        return g_strdup_printf("%.1f%s", value, units[unit]);
}

char* vsm_text_bytes(uint64_t bytes) {
        static const char *const units[] = { " B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB", NULL };

        return format_bytes(bytes, units);
}

char* vsm_text_bytes_short(uint64_t bytes) {
        static const char *const units[] = { "", "K", "M", "G", "T", "P", "E", NULL };

        return format_bytes(bytes, units);
}

/* In whole small units, rounded before it is divided, so that it is never "1 min 60 s". */
static uint64_t divide(uint64_t usec, uint64_t large, uint64_t small, uint64_t *ret_rest) {
        uint64_t n = usec / small + (usec % small >= small / 2), per = large / small;

        *ret_rest = n % per;
        return n / per;
}

/* Each limit is where rounding would reach the next larger unit. */
char* vsm_text_duration(uint64_t usec) {
        g_autofree char *first = NULL, *second = NULL;
        uint64_t n, rest = 0;

        if (usec < USEC_PER_SEC - USEC_PER_MSEC / 2)
                /* Translators: milliseconds, seconds, minutes, hours, days */
                return g_strdup_printf(_("%" PRIu64 " ms"),
                                       (usec + USEC_PER_MSEC / 2) / USEC_PER_MSEC);
        if (usec < USEC_PER_MINUTE - USEC_PER_SEC / 20)
                return g_strdup_printf(_("%.1f s"), (double) usec / USEC_PER_SEC);

        if (usec < USEC_PER_HOUR - USEC_PER_SEC / 2) {
                n = divide(usec, USEC_PER_MINUTE, USEC_PER_SEC, &rest);
                first = g_strdup_printf(_("%" PRIu64 " min"), n);
                second = g_strdup_printf(_("%" PRIu64 " s"), rest);
        } else if (usec < USEC_PER_DAY - USEC_PER_MINUTE / 2) {
                n = divide(usec, USEC_PER_HOUR, USEC_PER_MINUTE, &rest);
                first = g_strdup_printf(_("%" PRIu64 " h"), n);
                second = g_strdup_printf(_("%" PRIu64 " min"), rest);
        } else {
                n = divide(usec, USEC_PER_DAY, USEC_PER_HOUR, &rest);
                first = g_strdup_printf(_("%" PRIu64 " d"), n);
                second = g_strdup_printf(_("%" PRIu64 " h"), rest);
        }

        return rest > 0 ? g_strconcat(first, " ", second, NULL) : g_steal_pointer(&first);
}

char* vsm_text_time(uint64_t usec) {
        g_autoptr(GDateTime) moment = NULL;

        if (usec == 0 || usec / USEC_PER_SEC > G_MAXINT64 / USEC_PER_SEC)
                return g_strdup("-");

        moment = g_date_time_new_from_unix_local((int64_t) (usec / USEC_PER_SEC));
        if (!moment)
                return g_strdup("-");

        return g_date_time_format(moment, "%Y-%m-%d %H:%M:%S");
}

char* vsm_text_version(uint64_t version) {
        if (version == 0)
                return g_strdup("-");

        return g_strdup_printf("%" PRIu64 ".%" PRIu64 ".%" PRIu64,
                               version / 1000000, version / 1000 % 1000, version % 1000);
}

/* How many letters have to be added, taken away or changed; upper and lower case count as the same. */
static size_t distance(const char *a, const char *b) {
        size_t len = strlen(b);
        g_autofree size_t *row = g_new(size_t, len + 1);

        for (size_t i = 0; i <= len; i++)
                row[i] = i;

        for (size_t i = 1; *a; a++, i++) {
                size_t diagonal = row[0];

                row[0] = i;
                for (size_t j = 1; j <= len; j++) {
                        size_t change = diagonal + (g_ascii_tolower(*a) != g_ascii_tolower(b[j - 1]));

                        diagonal = row[j];
                        row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
                }
        }

        return row[len];
}

const char* vsm_text_nearest(const char *word, const char *const *known) {
        size_t limit = MAX(strlen(word) / 3, 2), best = limit + 1;
        const char *nearest = NULL;

        /* nobody types words of this length by mistake */
        if (strlen(word) > 100)
                return NULL;

        for (; *known; known++) {
                size_t d = distance(word, *known);

                if (d < best) {
                        best = d;
                        nearest = *known;
                }
        }

        return nearest;
}
