/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the client does with text: escaping, widths, sizes, times, the nearest word. One thread. */

#include <glib.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>

#include "client/text.h"

static void assert_escaped(const char *in, const char *wanted) {
        g_autofree char *is = vsm_text_escape(in);

        g_assert_cmpstr(is, ==, wanted);
        g_assert_true(g_utf8_validate(is, -1, NULL));
}

static void test_escape(void) {
        assert_escaped(NULL, "");
        assert_escaped("web", "web");
        assert_escaped("Gäste 日本 e\xcc\x81", "Gäste 日本 e\xcc\x81");

        /* nothing that a terminal obeys: C0, DEL, C1 as a character and as a byte */
        assert_escaped("\x1b[31mred\x07", "\\x1b[31mred\\x07");
        assert_escaped("a\nb\tc\rd", "a\\nb\\tc\\rd");
        assert_escaped("\x7f\xc2\x9b", "\\x7f\\x9b");
        assert_escaped("\x9b", "\\x9b");

        /* nothing that shows another text than it is */
        assert_escaped("a\xe2\x80\xae" "b", "a\\u202eb");
        assert_escaped("a\xe2\x80\x8b" "b", "a\\u200bb");
        assert_escaped("a\xe2\x80\xa8" "b", "a\\u2028b");

        /* not UTF-8, cut off within a character, overlong */
        assert_escaped("a\xff" "b", "a\\xffb");
        assert_escaped("a\xe2\x80", "a\\xe2\\x80");
        assert_escaped("\xc0\xaf", "\\xc0\\xaf");
}

static void test_shell(void) {
        static const struct {
                const char *in, *wanted;
        } table[] = {
                { "web",                "web"                   },
                { "root@host-b.lan:22", "root@host-b.lan:22"    },
                { "",                   "''"                    },
                { "my guest",           "'my guest'"            },
                { "a'b",                "'a'\\''b'"             },
                { "$(reboot)",          "'$(reboot)'"           },
                { "a\x1b" "b",          "'a\\x1bb'"             },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
                g_autofree char *is = vsm_text_shell(table[i].in);

                g_assert_cmpstr(is, ==, table[i].wanted);
        }
}

static void test_width(void) {
        g_assert_cmpuint(vsm_text_width(""), ==, 0);
        g_assert_cmpuint(vsm_text_width("web"), ==, 3);
        g_assert_cmpuint(vsm_text_width("ä"), ==, 1);
        g_assert_cmpuint(vsm_text_width("e\xcc\x81"), ==, 1);
        g_assert_cmpuint(vsm_text_width("日本"), ==, 4);
}

static void test_fit(void) {
        static const char *const texts[] = { "", "web", "日本語ゲスト", "a日b本c", "e\xcc\x81" "e\xcc\x81" };
        g_autofree char *cut = vsm_text_fit("11111111-2222", 9), *wide = vsm_text_fit("日本語", 4);

        g_assert_cmpstr(cut, ==, "11111111~");

        /* three columns would hold one and a half of them */
        g_assert_cmpstr(wide, ==, "日~");

        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
                for (size_t width = 0; width < 15; width++) {
                        g_autofree char *is = vsm_text_fit(texts[i], width);

                        g_assert_cmpuint(vsm_text_width(is), <=, width);
                        if (vsm_text_width(texts[i]) <= width)
                                g_assert_cmpstr(is, ==, texts[i]);
                }
}

static void test_bytes(void) {
        static const struct {
                uint64_t bytes;
                const char *wanted, *wanted_short;
        } table[] = {
                { 0,                      "0 B",        "0"       },
                { 1023,                   "1023 B",     "1023"    },
                { 1024,                   "1.0 KiB",    "1.0K"    },
                { 1536,                   "1.5 KiB",    "1.5K"    },
                { 1048575,                "1.0 MiB",    "1.0M"    },
                { 537187123,              "512.3 MiB",  "512.3M"  },
                { UINT64_C(1) << 30,      "1.0 GiB",    "1.0G"    },
                { UINT64_C(1) << 40,      "1.0 TiB",    "1.0T"    },
                { UINT64_MAX,             "16.0 EiB",   "16.0E"   },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
                g_autofree char *is = vsm_text_bytes(table[i].bytes);
                g_autofree char *is_short = vsm_text_bytes_short(table[i].bytes);

                g_assert_cmpstr(is, ==, table[i].wanted);
                g_assert_cmpstr(is_short, ==, table[i].wanted_short);
        }
}

static void test_duration(void) {
        static const struct {
                uint64_t usec;
                const char *wanted;
        } table[] = {
                { 0,                            "0 ms"          },
                { 499,                          "0 ms"          },
                { 212000,                       "212 ms"        },
                { 999400,                       "999 ms"        },
                { 999500,                       "1.0 s"         },
                { 7200000,                      "7.2 s"         },
                { 59940000,                     "59.9 s"        },
                { 59950000,                     "1 min"         },
                { 60000000,                     "1 min"         },
                { 192000000,                    "3 min 12 s"    },
                { UINT64_C(3599499999),         "59 min 59 s"   },
                { UINT64_C(3599500000),         "1 h"           },
                { UINT64_C(7500000000),         "2 h 5 min"     },
                { UINT64_C(86370000000),        "1 d"           },
                { UINT64_C(273600000000),       "3 d 4 h"       },
        };
        g_autofree char *longest = vsm_text_duration(UINT64_MAX);

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
                g_autofree char *is = vsm_text_duration(table[i].usec);

                g_assert_cmpstr(is, ==, table[i].wanted);
        }

        g_assert_true(g_str_has_prefix(longest, "213503982 d"));
}

static void test_time(void) {
        g_autofree char *none = vsm_text_time(0), *far = vsm_text_time(UINT64_MAX);
        g_autofree char *some = vsm_text_time(UINT64_C(1700000000000000));

        g_assert_cmpstr(none, ==, "-");
        g_assert_cmpstr(far, ==, "-");
        g_assert_cmpstr(some, ==, "2023-11-14 22:13:20");
}

static void test_version(void) {
        g_autofree char *none = vsm_text_version(0), *some = vsm_text_version(9000012);

        g_assert_cmpstr(none, ==, "-");
        g_assert_cmpstr(some, ==, "9.0.12");
}

static void test_nearest(void) {
        static const char *const known[] = { "list", "status", "migrate", "job", "jobs", "watch", NULL };
        g_autofree char *endless = g_strnfill(100000, 'a');

        g_assert_cmpstr(vsm_text_nearest("lst", known), ==, "list");
        g_assert_cmpstr(vsm_text_nearest("Migrate", known), ==, "migrate");
        g_assert_cmpstr(vsm_text_nearest("jobss", known), ==, "jobs");
        g_assert_null(vsm_text_nearest("evacuate-all", known));
        g_assert_null(vsm_text_nearest(endless, known));
}

int main(int argc, char **argv) {
        (void) setlocale(LC_ALL, "C.UTF-8");
        (void) setenv("TZ", "UTC", /* overwrite= */ 1);
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/client/text/escape", test_escape);
        g_test_add_func("/client/text/shell", test_shell);
        g_test_add_func("/client/text/width", test_width);
        g_test_add_func("/client/text/fit", test_fit);
        g_test_add_func("/client/text/bytes", test_bytes);
        g_test_add_func("/client/text/duration", test_duration);
        g_test_add_func("/client/text/time", test_time);
        g_test_add_func("/client/text/version", test_version);
        g_test_add_func("/client/text/nearest", test_nearest);

        return g_test_run();
}
