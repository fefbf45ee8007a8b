/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmd.conf with anything in it. The result is always within its ranges, a complaint is one line of text,
 * and a good line behind all that counts: a bad line costs nothing but itself. */

#include <sys/mman.h>
#include <unistd.h>

#include "daemon/settings-file.h"
#include "fuzz.h"
#include "shared/enums.h"

#define LAST "\n[Service]\nHistoryLimit=7\n"

static void check_ranges(const VsmSettingsData *settings) {
        g_assert_cmpuint(settings->max_migrations, >=, 1);
        g_assert_cmpuint(settings->max_migrations, <=, VSM_SETTINGS_MIGRATIONS_MAX);
        g_assert_cmpuint(settings->max_storage, >=, 1);
        g_assert_cmpuint(settings->max_storage, <=, VSM_SETTINGS_MIGRATIONS_MAX);
        g_assert_cmpuint(settings->authentication, >=, VSM_AUTHENTICATION_X509);
        g_assert_cmpuint(settings->authentication, <=, VSM_AUTHENTICATION_NONE);
        g_assert_cmpuint(vsm_transport_strength(settings->default_transport), >, 0);
        g_assert_true(g_str_equal(settings->default_post_copy, "never") ||
                      g_str_equal(settings->default_post_copy, "auto") ||
                      g_str_equal(settings->default_post_copy, "now"));
        g_assert_false(settings->smb);
        g_assert_true(settings->max_bandwidth == 0 || settings->max_bandwidth >= VSM_SETTINGS_BANDWIDTH_MIN);
        g_assert_cmpuint(settings->stall_timeout, >=, 1000000);
}

static VsmSettingsData read_settings(const uint8_t *data, size_t size, const char *last) {
        int fd = memfd_create("settings", MFD_CLOEXEC);
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
        g_auto(GStrv) complaints = NULL, directories = NULL;
        VsmShutdownPolicy shutdown;
        VsmSettingsData settings;

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(write(fd, data, size), ==, size);
        g_assert_cmpint(write(fd, last, strlen(last)), ==, strlen(last));

        /* bytes that nobody set are seen */
        memset(&settings, 0xa5, sizeof(settings));
        memset(&shutdown, 0xa5, sizeof(shutdown));
        complaints = vsm_settings_read(path, "/nonexistent", &settings, &directories, &shutdown);
        close(fd);

        for (char **c = complaints; *c; c++) {
                g_assert_true(g_utf8_validate(*c, -1, NULL));
                g_assert_null(strpbrk(*c, "\n\r\033"));
                g_assert_true(g_str_has_prefix(*c, path));
        }

        for (char **d = directories; *d; d++)
                g_assert_true((*d)[0] == '/' && !g_str_has_suffix(*d, "/") && !strstr(*d, "//"));

        for (unsigned kind = 0; kind < _VSM_SHUTDOWN_MAX; kind++)
                (void) vsm_shutdown_policy_chain(&shutdown, kind);
        g_assert_cmpuint(shutdown.fallback.n, <=, G_N_ELEMENTS(shutdown.fallback.methods));

        check_ranges(&settings);
        return settings;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        VsmSettingsData settings;

        (void) read_settings(data, size, "");

        settings = read_settings(data, size, LAST);
        if (!memchr(data, 0, size))
                g_assert_cmpuint(settings.history_limit, ==, 7);

        return 0;
}
