/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The blob that travels. Whoever may reach the bus may hand in anything, so it is read with suspicion:
 *
 *      0       8 bytes         magic
 *      8       u32             version of all that follows
 *     12       u32             length of the content
 *     16      32 bytes         SHA-256 over bytes 8-15 and the content
 *     48                       content: a serialised GVariant of PAYLOAD's type
 *
 * Numbers are little-endian everywhere. Magic and version stay where they are for ever, so that a blob
 * of a newer version can be told from a damaged one. Pure. Any thread. */

#include <string.h>

#include "daemon/compat.h"
#include "shared/enums.h"
#include "shared/error.h"

#define MAGIC           "VSMCOMP\n"     /* the line end dies in a transfer as text */
#define MAGIC_SIZE      8
#define VERSION         1U
#define CHECKSUM_AT     16
#define CHECKSUM_SIZE   32
#define HEADER_SIZE     48

#define PLATFORM        "(ssasasasas)"
#define PAYLOAD         "(qqusttua" PLATFORM ")"
#define RESERVED        0U              /* aligns what follows; others come with another version */

#define PLATFORMS_MAX   32
#define TEXTS_MAX       4096            /* in all lists together: each may become a reason */

static void* set_invalid(GError **error, const char *text) {
        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER, "CompatibilityInfo %s", text);
        return NULL;
}

/* ---- what may stand in one ---- */

static bool list_is_valid(char **list, size_t *left) {
        for (char **p = list; *p; p++) {
                if (*left == 0 || !vsm_compat_text_is_valid(*p) || (p > list && strcmp(p[-1], *p) >= 0))
                        return false;

                (*left)--;
        }

        return true;
}

static bool platform_is_valid(const VsmCompatPlatform *platform, size_t *left) {
        return vsm_compat_text_is_valid(platform->arch) && vsm_compat_text_is_valid(platform->virt_type) &&
                list_is_valid(platform->emulators, left) && list_is_valid(platform->machines, left) &&
                list_is_valid(platform->features, left) && list_is_valid(platform->firmware, left);
}

static bool state_is_valid(const VsmCompat *compat) {
        if (compat->kind == VSM_COMPAT_HOST)
                return compat->enabled_state == 0;

        return compat->kind == VSM_COMPAT_SYSTEM && compat->platforms->len == 1 && compat->enabled_state != 0;
}

static bool compat_is_valid(const VsmCompat *compat) {
        size_t left = TEXTS_MAX;

        if (!state_is_valid(compat) || !vsm_compat_text_is_valid(compat->hypervisor) ||
            (compat->unknown & ~_VSM_COMPAT_UNKNOWN_ALL) != 0 || compat->platforms->len > PLATFORMS_MAX)
                return false;

        for (guint i = 0; i < compat->platforms->len; i++)
                if (!platform_is_valid(g_ptr_array_index(compat->platforms, i), &left))
                        return false;

        return true;
}

/* ---- writing ---- */

static void write_number(guint8 *at, guint32 number) {
        guint32 little = GUINT32_TO_LE(number);

        memcpy(at, &little, sizeof little);
}

static guint32 read_number(const guint8 *at) {
        guint32 little;

        memcpy(&little, at, sizeof little);
        return GUINT32_FROM_LE(little);
}

static void make_checksum(const guint8 *blob, size_t size, guint8 ret[static CHECKSUM_SIZE]) {
        g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
        gsize length = CHECKSUM_SIZE;

        g_checksum_update(checksum, blob + MAGIC_SIZE, CHECKSUM_AT - MAGIC_SIZE);
        g_checksum_update(checksum, blob + HEADER_SIZE, (gssize) (size - HEADER_SIZE));
        g_checksum_get_digest(checksum, ret, &length);
}

static GVariant* to_little_endian(GVariant *value) {
        return G_BYTE_ORDER == G_LITTLE_ENDIAN ? g_variant_ref(value) : g_variant_byteswap(value);
}

static GVariant* to_payload(const VsmCompat *compat) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("a" PLATFORM));
        for (guint i = 0; i < compat->platforms->len; i++) {
                const VsmCompatPlatform *p = g_ptr_array_index(compat->platforms, i);

                g_variant_builder_add(&builder, "(ss^as^as^as^as)", p->arch, p->virt_type, p->emulators,
                                      p->machines, p->features, p->firmware);
        }

        return g_variant_ref_sink(g_variant_new("(qqusttua" PLATFORM ")", (guint16) compat->kind,
                                                compat->enabled_state, RESERVED, compat->hypervisor,
                                                compat->hypervisor_version, compat->libvirt_version,
                                                compat->unknown, &builder));
}

GBytes* vsm_compat_encode(const VsmCompat *compat, GError **error) {
        g_autoptr(GVariant) native = NULL, payload = NULL;
        g_autofree guint8 *blob = NULL;
        size_t size;

        if (!compat_is_valid(compat)) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                            "What libvirt says about compatibility cannot be written down.");
                return NULL;
        }

        native = to_payload(compat);
        payload = to_little_endian(native);
        size = HEADER_SIZE + g_variant_get_size(payload);
        if (size > VSM_COMPAT_BLOB_MAX) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                            "What libvirt says about compatibility is larger than %i bytes.",
                            VSM_COMPAT_BLOB_MAX);
                return NULL;
        }

        blob = g_malloc0(size);
        memcpy(blob, MAGIC, MAGIC_SIZE);
        write_number(blob + 8, VERSION);
        write_number(blob + 12, (guint32) (size - HEADER_SIZE));
        g_variant_store(payload, blob + HEADER_SIZE);
        make_checksum(blob, size, blob + CHECKSUM_AT);
        return g_bytes_new_take(g_steal_pointer(&blob), size);
}

/* ---- reading ---- */

static VsmCompat* from_payload(GVariant *payload) {
        g_autoptr(VsmCompat) compat = NULL;
        g_autoptr(GVariantIter) iter = NULL;
        g_autofree char *hypervisor = NULL;
        guint16 kind, enabled_state;
        guint32 reserved, unknown;
        guint64 hypervisor_version, libvirt_version;
        VsmCompatPlatform parsed = {};

        g_variant_get(payload, "(qqusttua" PLATFORM ")", &kind, &enabled_state, &reserved, &hypervisor,
                      &hypervisor_version, &libvirt_version, &unknown, &iter);
        if (g_variant_iter_n_children(iter) > PLATFORMS_MAX)
                return NULL;

        compat = vsm_compat_new((VsmCompatKind) kind);
        compat->enabled_state = enabled_state;
        g_free(compat->hypervisor);
        compat->hypervisor = g_steal_pointer(&hypervisor);
        compat->hypervisor_version = hypervisor_version;
        compat->libvirt_version = libvirt_version;
        compat->unknown = unknown;

        while (g_variant_iter_next(iter, "(ss^as^as^as^as)", &parsed.arch, &parsed.virt_type,
                                   &parsed.emulators, &parsed.machines, &parsed.features,
                                   &parsed.firmware)) {
                VsmCompatPlatform *platform = vsm_compat_add(compat, parsed.arch, parsed.virt_type);

                /* one that stands twice is found by the comparison with what we would have written */
                g_free(platform->arch);
                g_free(platform->virt_type);
                g_strfreev(platform->emulators);
                g_strfreev(platform->machines);
                g_strfreev(platform->features);
                g_strfreev(platform->firmware);
                *platform = parsed;
        }

        return g_steal_pointer(&compat);
}

static bool header_is_valid(const guint8 *blob, size_t size, GError **error) {
        guint8 checksum[CHECKSUM_SIZE];

        if (size < MAGIC_SIZE + 4 || memcmp(blob, MAGIC, MAGIC_SIZE) != 0)
                return set_invalid(error, "is none, or its beginning is damaged.");

        if (read_number(blob + 8) > VERSION)
                return set_invalid(error, "is of a newer version than this host understands; update vsmd here.");
        if (read_number(blob + 8) != VERSION)
                return set_invalid(error, "is of a version that never was; it is damaged.");

        if (size < HEADER_SIZE || read_number(blob + 12) > size - HEADER_SIZE)
                return set_invalid(error, "is cut off before its end.");
        if (read_number(blob + 12) < size - HEADER_SIZE)
                return set_invalid(error, "goes on after its end; it is damaged.");

        make_checksum(blob, size, checksum);
        if (memcmp(checksum, blob + CHECKSUM_AT, CHECKSUM_SIZE) != 0)
                return set_invalid(error, "is damaged: its checksum does not agree.");

        return true;
}

VsmCompat* vsm_compat_decode(const void *data, size_t size, GError **error) {
        g_autoptr(GVariant) little = NULL, payload = NULL;
        g_autoptr(VsmCompat) compat = NULL;
        g_autoptr(GBytes) content = NULL, again = NULL;

        if (size > VSM_COMPAT_BLOB_MAX) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_LIMITS_EXCEEDED,
                            "CompatibilityInfo is larger than %i bytes.", VSM_COMPAT_BLOB_MAX);
                return NULL;
        }

        if (!header_is_valid(data, size, error))
                return NULL;

        content = g_bytes_new((const guint8*) data + HEADER_SIZE, size - HEADER_SIZE);
        little = g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(PAYLOAD), content, false));
        if (!g_variant_is_normal_form(little))
                return set_invalid(error, "has a checksum that agrees, and no sense.");

        /* The checksum is against accidents, this against people: nothing passes that we would not have
         * written ourselves. */
        payload = to_little_endian(little);
        compat = from_payload(payload);
        if (compat && compat_is_valid(compat))
                again = vsm_compat_encode(compat, NULL);
        if (!again || g_bytes_get_size(again) != size || memcmp(g_bytes_get_data(again, NULL), data, size) != 0)
                return set_invalid(error, "has a checksum that agrees, and content that no host has written.");

        return g_steal_pointer(&compat);
}
