/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The compatibility blob against damage and malice, and what is compared with what. */

#include <string.h>

#include "daemon/compat-cpuid.h"
#include "daemon/compat.h"
#include "shared/enums.h"
#include "shared/error.h"

#define HEADER 48

/* ---- making some ---- */

static void set_list(char ***list, const char *words) {
        g_strfreev(*list);
        *list = vsm_compat_sort(*words ? g_strsplit(words, " ", -1) : g_new0(char *, 1));
}

static VsmCompatPlatform* add_platform(VsmCompat *compat, const char *arch, const char *type,
                                       const char *machines, const char *features, const char *firmware) {
        VsmCompatPlatform *platform = vsm_compat_add(compat, arch, type);
        g_autofree char *emulator = g_strconcat("/usr/bin/emulator-", arch, NULL);

        set_list(&platform->emulators, emulator);
        set_list(&platform->machines, machines);
        set_list(&platform->features, features);
        set_list(&platform->firmware, firmware);
        return platform;
}

static VsmCompat* new_compat(VsmCompatKind kind) {
        VsmCompat *compat = vsm_compat_new(kind);

        g_free(compat->hypervisor);
        compat->hypervisor = g_strdup("QEMU");
        compat->hypervisor_version = 7002000;
        compat->libvirt_version = 9000000;
        compat->enabled_state = kind == VSM_COMPAT_SYSTEM ? VSM_ENABLED_STATE_ENABLED : 0;
        return compat;
}

static VsmCompat* new_system(const char *machine, const char *features, const char *firmware) {
        VsmCompat *compat = new_compat(VSM_COMPAT_SYSTEM);

        add_platform(compat, "x86_64", "kvm", machine, features, firmware);
        return compat;
}

static VsmCompat* new_host(void) {
        VsmCompat *compat = new_compat(VSM_COMPAT_HOST);

        add_platform(compat, "x86_64", "kvm", "m1 m2 m10", "sse sse2 lm avx pni", "bios efi /fw/code.fd");
        add_platform(compat, "x86_64", "qemu", "m1 m2 m10", "sse sse2 lm", "bios efi /fw/code.fd");
        add_platform(compat, "i686", "kvm", "m1", "sse", "bios");
        return compat;
}

static GBytes* encode(const VsmCompat *compat) {
        g_autoptr(GError) error = NULL;
        GBytes *blob = vsm_compat_encode(compat, &error);

        g_assert_no_error(error);
        g_assert_nonnull(blob);
        return blob;
}

static void assert_refused(const void *data, size_t size, const char *text) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VsmCompat) compat = vsm_compat_decode(data, size, &error);

        g_assert_null(compat);
        g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
        if (text && !strstr(error->message, text))
                g_error("'%s' is not in '%s'", text, error->message);
}

/* As somebody does who knows the format and means no good. */
static GBytes* seal(const void *content, size_t size, guint32 version) {
        g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
        guint8 *blob = g_malloc0(HEADER + size);
        guint32 numbers[] = { GUINT32_TO_LE(version), GUINT32_TO_LE((guint32) size) };
        gsize length = 32;

        memcpy(blob, "VSMCOMP\n", 8);
        memcpy(blob + 8, numbers, sizeof numbers);
        if (size > 0)
                memcpy(blob + HEADER, content, size);
        g_checksum_update(checksum, blob + 8, 8);
        g_checksum_update(checksum, blob + HEADER, (gssize) size);
        g_checksum_get_digest(checksum, blob + 16, &length);
        return g_bytes_new_take(blob, HEADER + size);
}

/* ---- the blob ---- */

static void test_round_trip(void) {
        g_autoptr(VsmCompat) host = new_host(), system = new_system("m1", "sse avx", "bios");
        const VsmCompat *const all[] = { host, system };

        system->unknown = VSM_COMPAT_UNKNOWN_CPU | VSM_COMPAT_UNKNOWN_FIRMWARE;
        for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
                g_autoptr(GBytes) blob = encode(all[i]), again = NULL;
                g_autoptr(VsmCompat) compat = NULL;
                g_autoptr(GError) error = NULL;
                const VsmCompatPlatform *platform;

                compat = vsm_compat_decode(g_bytes_get_data(blob, NULL), g_bytes_get_size(blob), &error);
                g_assert_no_error(error);
                again = encode(compat);
                g_assert_true(g_bytes_equal(blob, again));

                g_assert_cmpint(compat->kind, ==, all[i]->kind);
                g_assert_cmpuint(compat->enabled_state, ==, all[i]->enabled_state);
                g_assert_cmpuint(compat->unknown, ==, all[i]->unknown);
                g_assert_cmpuint(compat->libvirt_version, ==, 9000000);
                g_assert_cmpuint(compat->platforms->len, ==, all[i]->platforms->len);
                platform = vsm_compat_find(compat, "x86_64", "kvm");
                g_assert_nonnull(platform);
                g_assert_true(g_strv_contains((const char *const *) platform->features, "avx"));
        }
}

/* The order in which things were found does not show. */
static void test_deterministic(void) {
        g_autoptr(VsmCompat) a = new_host(), b = new_compat(VSM_COMPAT_HOST);
        g_autoptr(GBytes) a_blob = NULL, b_blob = NULL;

        add_platform(b, "i686", "kvm", "m1", "sse", "bios");
        add_platform(b, "x86_64", "qemu", "m10 m2 m1", "lm sse2 sse lm", "/fw/code.fd efi bios");
        add_platform(b, "x86_64", "kvm", "m2 m1 m10 m1", "pni avx lm sse2 sse", "efi bios /fw/code.fd");
        a_blob = encode(a);
        b_blob = encode(b);
        g_assert_true(g_bytes_equal(a_blob, b_blob));
}

static void test_truncated(void) {
        g_autoptr(VsmCompat) host = new_host();
        g_autoptr(GBytes) blob = encode(host);
        gsize size;
        const guint8 *data = g_bytes_get_data(blob, &size);

        for (gsize n = 0; n < size; n++) {
                g_autofree guint8 *part = g_memdup2(data, n);

                assert_refused(part, n, n < 12 ? "damaged" : "cut off");
        }
}

static void test_extended(void) {
        g_autoptr(VsmCompat) host = new_host();
        g_autoptr(GBytes) blob = encode(host);
        gsize size;
        const guint8 *data = g_bytes_get_data(blob, &size);
        g_autofree guint8 *longer = g_malloc0(size + 1);

        memcpy(longer, data, size);
        assert_refused(longer, size + 1, "after its end");
}

static void test_flipped(void) {
        g_autoptr(VsmCompat) host = new_host();
        g_autoptr(GBytes) blob = encode(host);
        gsize size;
        const guint8 *data = g_bytes_get_data(blob, &size);
        g_autofree guint8 *copy = g_memdup2(data, size);

        for (gsize i = 0; i < size; i++)
                for (unsigned bit = 0; bit < 8; bit++) {
                        copy[i] ^= (guint8) (1U << bit);
                        assert_refused(copy, size, NULL);
                        copy[i] ^= (guint8) (1U << bit);
                }
}

static void test_versions(void) {
        g_autoptr(GBytes) newer = seal("abc", 3, 2), newest = seal(NULL, 0, G_MAXUINT32);
        g_autoptr(GBytes) none = seal(NULL, 0, 0);

        assert_refused(g_bytes_get_data(newer, NULL), g_bytes_get_size(newer), "newer version");
        assert_refused(g_bytes_get_data(newest, NULL), g_bytes_get_size(newest), "newer version");
        assert_refused(g_bytes_get_data(none, NULL), g_bytes_get_size(none), "damaged");
        assert_refused("VSMCOMP\n\2\0\0\0", 12, "newer version");
}

static void test_oversized(void) {
        g_autofree guint8 *data = g_malloc0(VSM_COMPAT_BLOB_MAX + 1);
        g_autoptr(VsmCompat) compat = NULL;
        g_autoptr(GError) error = NULL;

        assert_refused(data, VSM_COMPAT_BLOB_MAX, "is none");
        compat = vsm_compat_decode(data, VSM_COMPAT_BLOB_MAX + 1, &error);
        g_assert_null(compat);
        g_assert_error(error, VSM_ERROR, VSM_ERROR_LIMITS_EXCEEDED);
        g_assert_nonnull(strstr(error->message, "1048576"));
}

/* ---- with a checksum that agrees ---- */

/* A platform in GVariant's text form, with these CPU features. */
#define ONE(features) "[('x86_64', 'kvm', ['/e'], ['m'], " features ", ['bios'])]"

#define ALL(kind, state, reserved, hypervisor, flags, platforms)                                        \
        "(uint16 " kind ", uint16 " state ", uint32 " reserved ", '" hypervisor "', uint64 1, uint64 1, "   \
        "uint32 " flags ", " platforms ")"

#define SYSTEM(features)  ALL("1", "2", "0", "QEMU", "0", ONE(features))
#define HOST(platforms)   ALL("2", "0", "0", "QEMU", "0", platforms)

static const struct {
        const char *what, *content;
} hostile[] = {
        { "kind 0",              ALL("0", "2", "0", "QEMU", "0", ONE("['a']")) },
        { "kind 3",              ALL("3", "2", "0", "QEMU", "0", ONE("['a']")) },
        { "reserved",            ALL("1", "2", "7", "QEMU", "0", ONE("['a']")) },
        { "state of a host",     ALL("2", "2", "0", "QEMU", "0", ONE("['a']")) },
        { "no state",            ALL("1", "0", "0", "QEMU", "0", ONE("['a']")) },
        { "no hypervisor",       ALL("1", "2", "0", "",     "0", ONE("['a']")) },
        { "unknown flag",        ALL("1", "2", "0", "QEMU", "8", ONE("['a']")) },
        { "unsorted",            SYSTEM("['b', 'a']") },
        { "twice",               SYSTEM("['a', 'a']") },
        { "empty name",          SYSTEM("['']") },
        { "control",             SYSTEM("['a\\u001b[2J']") },
        { "line end",            SYSTEM("['a\\nb']") },
        { "not ASCII",           SYSTEM("['\\u202e']") },
        { "no platform",         ALL("1", "2", "0", "QEMU", "0", "[]") },
        { "two of a system",     ALL("1", "2", "0", "QEMU", "0",
                                     "[('a', 'k', [], [], [], []), ('b', 'k', [], [], [], [])]") },
        { "platforms unsorted",  HOST("[('b', 'k', [], [], [], []), ('a', 'k', [], [], [], [])]") },
        { "platform twice",      HOST("[('a', 'k', [], [], [], []), ('a', 'k', [], [], [], [])]") },
        { "platform, no name",   HOST("[('', 'k', [], [], [], [])]") },
};

static GBytes* seal_value(GVariant *native) {
        g_autoptr(GVariant) value = G_BYTE_ORDER == G_LITTLE_ENDIAN ? g_variant_ref(native) :
                g_variant_byteswap(native);

        return seal(g_variant_get_data(value), g_variant_get_size(value), 1);
}

#define TYPE G_VARIANT_TYPE("(qqusttua(ssasasasas))")

static void test_hostile(void) {
        g_autoptr(GVariant) value = g_variant_parse(TYPE, SYSTEM("['a', 'b']"), NULL, NULL, NULL);
        g_autoptr(GBytes) blob = seal_value(value);
        g_autoptr(VsmCompat) compat = NULL;

        compat = vsm_compat_decode(g_bytes_get_data(blob, NULL), g_bytes_get_size(blob), NULL);
        g_assert_nonnull(compat);
        for (size_t i = 0; i < G_N_ELEMENTS(hostile); i++) {
                g_autoptr(GVariant) bad = g_variant_parse(TYPE, hostile[i].content, NULL, NULL, NULL);
                g_autoptr(GBytes) sealed = NULL;

                g_assert_nonnull(bad);
                g_test_message("%s", hostile[i].what);
                sealed = seal_value(bad);
                assert_refused(g_bytes_get_data(sealed, NULL), g_bytes_get_size(sealed), "no host has written");
        }
}

/* Lists as long as the limit of the blob allows: refused, and not by what it would take to make reasons of
 * them. */
static void test_hostile_size(void) {
        const size_t counts[] = { 4095, 4096, 5000, 100000 };

        for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
                g_autoptr(GVariant) value = NULL;
                g_autoptr(GBytes) blob = NULL;
                GVariantBuilder features;

                g_variant_builder_init(&features, G_VARIANT_TYPE("as"));
                for (size_t k = 0; k < counts[i]; k++) {
                        g_autofree char *name = g_strdup_printf("%05zx", k);

                        g_variant_builder_add(&features, "s", name);
                }

                value = g_variant_ref_sink(g_variant_new(
                                "(qqustt@u@a(ssasasasas))", 2, 0, 0, "QEMU", (guint64) 1, (guint64) 1,
                                g_variant_new_uint32(0),
                                g_variant_new_array(NULL, (GVariant *[]) {
                                        g_variant_new("(ss^as^as@as^as)", "x86_64", "kvm", (char *[]) { NULL },
                                                      (char *[]) { NULL }, g_variant_builder_end(&features),
                                                      (char *[]) { NULL }),
                                }, 1)));
                blob = seal_value(value);
                g_assert_cmpuint(g_bytes_get_size(blob), <, VSM_COMPAT_BLOB_MAX);

                if (counts[i] > 4096)
                        assert_refused(g_bytes_get_data(blob, NULL), g_bytes_get_size(blob), "no host");
                else {
                        g_autoptr(VsmCompat) compat = vsm_compat_decode(g_bytes_get_data(blob, NULL),
                                                                        g_bytes_get_size(blob), NULL);

                        g_assert_nonnull(compat);
                }
        }
}

static void test_random_content(void) {
        g_autoptr(VsmCompat) host = new_host();
        g_autoptr(GBytes) blob = encode(host);
        gsize size;
        const guint8 *data = g_bytes_get_data(blob, &size);
        unsigned passed = 0;

        for (unsigned i = 0; i < 20000; i++) {
                g_autofree guint8 *content = g_memdup2(data + HEADER, size - HEADER);
                gsize length = size - HEADER;
                g_autoptr(GBytes) sealed = NULL, again = NULL;
                g_autoptr(VsmCompat) compat = NULL;
                g_autoptr(GError) error = NULL;

                for (int n = g_test_rand_int_range(1, 4); n > 0; n--)
                        content[g_test_rand_int_range(0, (gint32) length)] = (guint8) g_test_rand_int();
                if (i % 4 == 0)
                        length = (gsize) g_test_rand_int_range(0, (gint32) length);

                sealed = seal(content, length, 1);
                compat = vsm_compat_decode(g_bytes_get_data(sealed, NULL), g_bytes_get_size(sealed), &error);
                if (!compat) {
                        g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
                        continue;
                }

                passed++;
                again = encode(compat);
                g_assert_true(g_bytes_equal(sealed, again));
        }

        g_test_message("%u of them had a meaning", passed);
        g_assert_cmpuint(passed, >, 0);
}

static void test_unwritable(void) {
        g_autoptr(VsmCompat) host = new_host(), system = new_system("m\n1", "", "bios");
        g_autoptr(GError) error = NULL;

        g_assert_null(vsm_compat_encode(system, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);
        g_free(host->hypervisor);
        host->hypervisor = g_strnfill(2000, 'a');
        g_assert_null(vsm_compat_encode(host, NULL));
}

/* ---- comparing ---- */

/* "code:source code:source", in the order of the reasons */
static char* compare(const VsmCompat *needs, const VsmCompat *host) {
        g_autoptr(VsmReasons) reasons = vsm_reasons_new();
        g_autoptr(GVariant) list = NULL;
        GString *text = g_string_new(NULL);

        vsm_compat_compare(needs, host, "hostb", reasons);
        list = vsm_reasons_to_variant(reasons);
        for (gsize i = 0; i < g_variant_n_children(list); i++) {
                g_autoptr(GVariant) reason = g_variant_get_child_value(list, i);
                const char *code = NULL, *source = NULL;

                g_assert_true(g_variant_lookup(reason, "MessageID", "&s", &code));
                g_assert_true(g_variant_lookup(reason, "ErrorSource", "&s", &source));
                g_string_append_printf(text, "%s%s:%s", i > 0 ? " " : "", code, source);
        }

        return g_string_free(text, FALSE);
}

static void assert_compare(const VsmCompat *needs, const VsmCompat *host, const char *wanted) {
        g_autofree char *seen = compare(needs, host);

        g_assert_cmpstr(seen, ==, wanted);
}

static const struct {
        const char *machine, *features, *firmware, *wanted;
} systems[] = {
        { "m1",  "",            "bios",         "" },
        { "m10", "sse avx lm",  "bios",         "" },
        { "m1",  "sse avx2",    "bios",         "cpu-feature-missing:avx2" },
        { "m1",  "aes zz sse",  "bios",         "cpu-feature-missing:aes cpu-feature-missing:zz" },
        { "m3",  "sse",         "bios",         "machine-type-unknown:m3" },
        { "m1",  "",            "efi",          "" },
        { "m1",  "",            "efi /fw/code.fd", "" },
        { "m1",  "",            "efi /fw/x.fd", "firmware-missing:/fw/x.fd" },
        { "m1",  "",            "efi efi-secure-boot", "firmware-missing:efi-secure-boot" },
        { "m3",  "avx2",        "zz",
          "cpu-feature-missing:avx2 machine-type-unknown:m3 firmware-missing:zz" },
};

static void test_compare_systems(void) {
        g_autoptr(VsmCompat) host = new_host();

        for (size_t i = 0; i < G_N_ELEMENTS(systems); i++) {
                g_autoptr(VsmCompat) system = new_system(systems[i].machine, systems[i].features,
                                                         systems[i].firmware);

                assert_compare(system, host, systems[i].wanted);
        }
}

static void test_compare_platforms(void) {
        g_autoptr(VsmCompat) host = new_host(), arm = new_compat(VSM_COMPAT_SYSTEM),
                emulated = new_compat(VSM_COMPAT_SYSTEM), foreign = new_system("m1", "sse", "bios"),
                own = new_system("m1", "sse", "bios");

        add_platform(arm, "aarch64", "kvm", "virt", "", "efi");
        assert_compare(arm, host, "architecture-mismatch:aarch64");

        add_platform(emulated, "i686", "qemu", "m1", "sse", "bios");
        assert_compare(emulated, host, "hypervisor-mismatch:qemu");

        g_free(foreign->hypervisor);
        foreign->hypervisor = g_strdup("Xen");
        assert_compare(foreign, host, "hypervisor-mismatch:Xen");

        set_list(&vsm_compat_find(own, "x86_64", "kvm")->emulators, "/opt/emulator");
        assert_compare(own, host, "emulator-missing:/opt/emulator");
}

static void test_compare_hosts(void) {
        g_autoptr(VsmCompat) a = new_host(), b = new_host();

        assert_compare(a, b, "");
        set_list(&vsm_compat_find(b, "x86_64", "kvm")->features, "sse sse2 lm pni avx avx2");
        set_list(&vsm_compat_find(b, "i686", "kvm")->machines, "m1 m2");
        assert_compare(a, b, "");
        assert_compare(b, a, "machine-type-unknown:m2 cpu-feature-missing:avx2");
}

/* Warnings, not errors: and the check of a destination may have said so already. */
static void test_compare_versions(void) {
        g_autoptr(VsmCompat) host = new_host(), system = new_system("m1", "", "bios");
        g_autoptr(VsmReasons) reasons = vsm_reasons_new();
        g_autoptr(GVariant) list = NULL;

        system->hypervisor_version = 8000000;
        system->libvirt_version = 9000001;
        vsm_compat_compare(system, host, "hostb", reasons);
        vsm_compat_compare(system, host, "hostb", reasons);
        list = vsm_reasons_to_variant(reasons);
        g_assert_cmpuint(g_variant_n_children(list), ==, 2);
        g_assert_false(vsm_reasons_variant_has_error(list));

        system->hypervisor_version = 7001000;
        system->libvirt_version = 0;
        assert_compare(system, host, "");
}

static void test_compare_unknown(void) {
        g_autoptr(VsmCompat) host = new_host(), system = new_system("m1", "avx2", "bios");
        g_autoptr(VsmCompat) fine = new_system("m1", "", "bios");

        system->unknown = VSM_COMPAT_UNKNOWN_CPU | VSM_COMPAT_UNKNOWN_EMULATOR | VSM_COMPAT_UNKNOWN_FIRMWARE;
        assert_compare(system, host, "cpu-feature-missing:avx2 not-verifiable:hostb not-verifiable:hostb "
                                     "not-verifiable:hostb");
        fine->unknown = VSM_COMPAT_UNKNOWN_CPU;
        assert_compare(fine, host, "not-verifiable:hostb");
}

/* ---- vectors ---- */

static uint64_t bits(const char *words, uint32_t id) {
        g_auto(GStrv) list = g_strsplit(words, " ", -1);
        uint64_t value = 0;

        for (char **p = list; *p; p++) {
                uint32_t vector = 0;
                unsigned bit = 0;

                g_assert_true(vsm_cpuid_find(*p, &vector, &bit));
                if (vector == id)
                        value |= UINT64_C(1) << bit;
        }

        return value;
}

#define FLOOR "fpu tsc msr pae cx8 cmov mmx fxsr sse sse2 syscall lm"

static void assert_vectors(const VsmCompat *compat, const char *words, unsigned count) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) vectors = vsm_compat_vectors(compat, &error);
        guint32 last = 0;

        g_assert_no_error(error);
        g_assert_cmpuint(g_variant_n_children(vectors), ==, count);
        for (gsize i = 0; i < g_variant_n_children(vectors); i++) {
                guint32 id, operation;
                guint64 value;

                g_variant_get_child(vectors, i, "(uut)", &id, &operation, &value);
                g_assert_cmpuint(id, >, last);
                g_assert_cmpuint(operation, ==, VSM_COMPARE_SUBSET);
                g_assert_cmphex(value, ==, bits(words, id));
                last = id;
        }
}

static void test_vectors(void) {
        g_autoptr(VsmCompat) host = new_host(), off = new_system("m1", "", "bios"),
                system = new_system("m1", "avx xsaves clwb avx-vnni svm ibpb rdctl-no", "bios"),
                emulated = new_compat(VSM_COMPAT_SYSTEM), arm = new_compat(VSM_COMPAT_SYSTEM);
        g_autoptr(GError) error = NULL;

        /* of a host all, also those without a bit, and its best platform */
        assert_vectors(host, FLOOR " avx pni", 6);
        assert_vectors(system, FLOOR " avx xsaves clwb avx-vnni svm ibpb", 6);

        /* never none: that counts as incompatible */
        assert_vectors(off, FLOOR, 2);
        add_platform(emulated, "x86_64", "qemu", "m1", "avx clwb", "bios");
        assert_vectors(emulated, FLOOR, 2);

        add_platform(arm, "aarch64", "kvm", "virt", "", "efi");
        g_assert_null(vsm_compat_vectors(arm, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_NOT_SUPPORTED);
}

/* High and low halves stand where the contract says. */
static void test_vector_layout(void) {
        static const struct {
                const char *feature;
                uint32_t id;
                unsigned bit;
        } places[] = {
                { "fpu",                1,      0       },
                { "pbe",                1,      31      },
                { "pni",                1,      32      },
                { "hypervisor",         1,      63      },
                { "xsaveopt",           2,      0       },
                { "avx512vbmi",         32769,  1       },
                { "fsgsbase",           32769,  32      },
                { "avx-vnni",           32770,  4       },
                { "ssbd",               32770,  63      },
                { "lm",                 32771,  29      },
                { "lahf_lm",            32771,  32      },
                { "clzero",             32772,  32      },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
                uint32_t id = 0;
                unsigned bit = 0;

                g_assert_true(vsm_cpuid_find(places[i].feature, &id, &bit));
                g_assert_cmpuint(id, ==, places[i].id);
                g_assert_cmpuint(bit, ==, places[i].bit);
        }
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/compat/blob/round-trip", test_round_trip);
        g_test_add_func("/compat/blob/deterministic", test_deterministic);
        g_test_add_func("/compat/blob/truncated", test_truncated);
        g_test_add_func("/compat/blob/extended", test_extended);
        g_test_add_func("/compat/blob/flipped", test_flipped);
        g_test_add_func("/compat/blob/versions", test_versions);
        g_test_add_func("/compat/blob/oversized", test_oversized);
        g_test_add_func("/compat/blob/hostile", test_hostile);
        g_test_add_func("/compat/blob/hostile-size", test_hostile_size);
        g_test_add_func("/compat/blob/random-content", test_random_content);
        g_test_add_func("/compat/blob/unwritable", test_unwritable);
        g_test_add_func("/compat/compare/systems", test_compare_systems);
        g_test_add_func("/compat/compare/platforms", test_compare_platforms);
        g_test_add_func("/compat/compare/hosts", test_compare_hosts);
        g_test_add_func("/compat/compare/versions", test_compare_versions);
        g_test_add_func("/compat/compare/unknown", test_compare_unknown);
        g_test_add_func("/compat/vectors/contents", test_vectors);
        g_test_add_func("/compat/vectors/layout", test_vector_layout);
        return g_test_run();
}
