/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a caller puts into MigrateVirtualSystemToHost and its checks: two bytes of choices, then a GVariant
 * of the arguments, as untrusted as it comes. What is accepted, resolved or not, comes back the same from
 * the store's text. */

#include "daemon/request.h"
#include "daemon/settings-file.h"
#include "fuzz.h"
#include "shared/enums.h"

static void check_text(const VsmRequest *request) {
        g_autofree char *text = vsm_request_to_text(request), *again = NULL;
        g_autoptr(GError) error = NULL;
        g_autoptr(VsmRequest) back = vsm_request_from_text(text, &error);

        g_assert_no_error(error);
        again = vsm_request_to_text(back);
        g_assert_cmpstr(again, ==, text);
        g_assert_cmpvariant(back->accepted, request->accepted);
}

/* A site's choice, from a byte; all of them are settings that vsmd.conf can have. */
static VsmSettingsData settings_from_byte(uint8_t byte) {
        static const uint32_t authentications[] = {
                VSM_AUTHENTICATION_X509, VSM_AUTHENTICATION_SSH, VSM_AUTHENTICATION_NONE,
        };
        VsmSettingsData settings;

        vsm_settings_defaults(&settings);
        settings.authentication = authentications[(byte & 3) % 3];
        settings.default_transport = 2 + (byte >> 2 & 3);
        settings.max_bandwidth = byte & 16 ? VSM_SETTINGS_BANDWIDTH_MIN : 0;
        settings.compression = byte & 32;
        g_strlcpy(settings.default_post_copy, byte & 64 ? "auto" : "never", sizeof(settings.default_post_copy));
        return settings;
}

static void check_resolved(VsmRequest *request, uint8_t choice) {
        VsmSettingsData settings = settings_from_byte(choice);
        g_autoptr(GError) error = NULL;
        bool done = vsm_request_resolve(request, &settings, &error);

        g_assert_true(done == !error);
        fuzz_check_outcome(done ? request : NULL, error);
        if (!done)
                return;

        g_assert_nonnull(request->post_copy);
        g_assert_cmpuint(request->transport, !=, 0);
        g_assert_true(request->compression == 0 || request->compression == 1);
        check_text(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autoptr(GVariant) raw = NULL, arguments = NULL, migration = NULL, system = NULL, resources = NULL;
        g_autoptr(VsmRequest) request = NULL;
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) bytes = NULL;
        const char *destination = NULL;

        if (size < 2)
                return 0;

        bytes = g_bytes_new(data + 2, size - 2);
        raw = g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE("(sa{sv}a{sv}aa{sv})"), bytes, FALSE));
        arguments = g_variant_get_normal_form(raw);
        g_variant_get(arguments, "(&s@a{sv}@a{sv}@aa{sv})", &destination, &migration, &system, &resources);

        request = (data[0] & 1 ? vsm_request_new_check : vsm_request_new)(destination, migration, system,
                                                                           resources, &error);
        fuzz_check_outcome(request, error);
        if (!request)
                return 0;

        check_text(request);
        check_resolved(request, data[1]);
        return 0;
}
