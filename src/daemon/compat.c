/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is needed against what is offered. A guest's needs and a host's offers have one form, so a host
 * can be compared with a host: then whatever runs on the one may run on the other. Pure. Any thread. */

#include <string.h>

#include "daemon/compat-cpuid.h"
#include "daemon/compat.h"
#include "shared/error.h"

#define TEXT_MAX 1024   /* bytes; names are short, paths are not */

/* ---- the struct ---- */

static void platform_free(void *userdata) {
        VsmCompatPlatform *platform = userdata;

        g_free(platform->arch);
        g_free(platform->virt_type);
        g_strfreev(platform->emulators);
        g_strfreev(platform->machines);
        g_strfreev(platform->features);
        g_strfreev(platform->firmware);
        g_free(platform);
}

VsmCompat* vsm_compat_new(VsmCompatKind kind) {
        VsmCompat *compat = g_new0(VsmCompat, 1);

        compat->kind = kind;
        compat->hypervisor = g_strdup("");
        compat->platforms = g_ptr_array_new_with_free_func(platform_free);
        return compat;
}

void vsm_compat_free(VsmCompat *compat) {
        if (!compat)
                return;

        g_free(compat->hypervisor);
        g_ptr_array_unref(compat->platforms);
        g_free(compat);
}

/* The index of the first platform that is not before this one. */
static guint find_place(const VsmCompat *compat, const char *arch, const char *virt_type, bool *ret_there) {
        guint i;

        *ret_there = false;
        for (i = 0; i < compat->platforms->len; i++) {
                const VsmCompatPlatform *platform = g_ptr_array_index(compat->platforms, i);
                int order = strcmp(platform->arch, arch) ?: strcmp(platform->virt_type, virt_type);

                *ret_there = order == 0;
                if (order >= 0)
                        break;
        }

        return i;
}

VsmCompatPlatform* vsm_compat_find(const VsmCompat *compat, const char *arch, const char *virt_type) {
        bool there;
        guint i = find_place(compat, arch, virt_type, &there);

        return there ? g_ptr_array_index(compat->platforms, i) : NULL;
}

VsmCompatPlatform* vsm_compat_add(VsmCompat *compat, const char *arch, const char *virt_type) {
        VsmCompatPlatform *platform;
        bool there;
        guint i = find_place(compat, arch, virt_type, &there);

        if (there)
                return g_ptr_array_index(compat->platforms, i);

        platform = g_new(VsmCompatPlatform, 1);
        *platform = (VsmCompatPlatform) {
                .arch = g_strdup(arch),
                .virt_type = g_strdup(virt_type),
                .emulators = g_new0(char *, 1),
                .machines = g_new0(char *, 1),
                .features = g_new0(char *, 1),
                .firmware = g_new0(char *, 1),
        };
        g_ptr_array_insert(compat->platforms, (gint) i, platform);
        return platform;
}

static int compare_texts(const void *a, const void *b) {
        return strcmp(*(char *const*) a, *(char *const*) b);
}

char** vsm_compat_sort(char **list) {
        size_t n = g_strv_length(list), kept = 0;

        qsort(list, n, sizeof *list, compare_texts);
        for (size_t i = 0; i < n; i++) {
                if (kept > 0 && strcmp(list[kept - 1], list[i]) == 0)
                        g_free(list[i]);
                else
                        list[kept++] = list[i];
        }

        list[kept] = NULL;
        return list;
}

bool vsm_compat_text_is_valid(const char *text) {
        size_t length = strnlen(text, TEXT_MAX + 1);

        for (size_t i = 0; i < length; i++)
                if (!g_ascii_isprint(text[i]))
                        return false;

        return length > 0 && length <= TEXT_MAX;
}

/* ---- comparing ---- */

static char* version_to_text(uint64_t version) {
        return g_strdup_printf("%" G_GUINT64_FORMAT ".%" G_GUINT64_FORMAT ".%" G_GUINT64_FORMAT,
                               version / 1000000, version / 1000 % 1000, version % 1000);
}

/* The check of a destination asks for the versions, too, when nothing else can be asked. */
static void compare_version(uint64_t there, uint64_t here, const char *name, const char *code,
                            VsmReasons *reasons) {

        g_autofree char *here_text = version_to_text(here), *there_text = version_to_text(there);

        if (here > 0 && there > 0 && there < here && !vsm_reasons_has(reasons, code))
                vsm_reasons_add(reasons, code, name, NULL, name, there_text, here_text, NULL);
}

static void compare_list(char **needed, char **offered, const char *name, const char *code,
                         VsmReasons *reasons) {

        /* both sorted */
        for (; *needed; needed++) {
                while (*offered && strcmp(*offered, *needed) < 0)
                        offered++;

                if (!*offered || strcmp(*offered, *needed) != 0)
                        vsm_reasons_add(reasons, code, *needed, NULL, name, *needed, NULL);
        }
}

static bool has_arch(const VsmCompat *compat, const char *arch) {
        for (guint i = 0; i < compat->platforms->len; i++)
                if (strcmp(((VsmCompatPlatform*) g_ptr_array_index(compat->platforms, i))->arch, arch) == 0)
                        return true;

        return false;
}

static void compare_platform(const VsmCompatPlatform *needed, const VsmCompat *host, const char *name,
                             VsmReasons *reasons) {

        const VsmCompatPlatform *offered = vsm_compat_find(host, needed->arch, needed->virt_type);

        if (!offered && !has_arch(host, needed->arch)) {
                vsm_reasons_add(reasons, "architecture-mismatch", needed->arch, NULL,
                                name, needed->arch, NULL);
                return;
        }

        if (!offered) {
                vsm_reasons_add(reasons, "hypervisor-mismatch", needed->virt_type, NULL,
                                name, needed->virt_type, needed->arch, NULL);
                return;
        }

        compare_list(needed->features, offered->features, name, "cpu-feature-missing", reasons);
        compare_list(needed->machines, offered->machines, name, "machine-type-unknown", reasons);
        compare_list(needed->emulators, offered->emulators, name, "emulator-missing", reasons);
        compare_list(needed->firmware, offered->firmware, name, "firmware-missing", reasons);
}

static void compare_unknown(unsigned unknown, const char *name, VsmReasons *reasons) {
        static const struct {
                VsmCompatUnknown flag;
                const char *question;
        } questions[] = {
                { VSM_COMPAT_UNKNOWN_CPU,
                  "whether the processor there is like the one that the system has been given, beyond its "
                  "named features" },
                { VSM_COMPAT_UNKNOWN_EMULATOR,
                  "whether the emulator that the system names is there, for it is not one of libvirt's own" },
                { VSM_COMPAT_UNKNOWN_FIRMWARE,
                  "whether the firmware that the system names is there, for it is not one of libvirt's own" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(questions); i++)
                if (unknown & questions[i].flag)
                        vsm_reasons_add(reasons, "not-verifiable", name, NULL, questions[i].question, NULL);
}

void vsm_compat_compare(const VsmCompat *needs, const VsmCompat *host, const char *name, VsmReasons *reasons) {
        if (strcmp(needs->hypervisor, host->hypervisor) != 0) {
                const VsmCompatPlatform *first = needs->platforms->len > 0 ?
                        g_ptr_array_index(needs->platforms, 0) : NULL;

                /* names of machine types and firmware mean something within one hypervisor only */
                vsm_reasons_add(reasons, "hypervisor-mismatch", needs->hypervisor, NULL,
                                name, needs->hypervisor, first ? first->arch : "", NULL);
                return;
        }

        for (guint i = 0; i < needs->platforms->len; i++)
                compare_platform(g_ptr_array_index(needs->platforms, i), host, name, reasons);

        compare_version(host->hypervisor_version, needs->hypervisor_version, name, "hypervisor-older", reasons);
        compare_version(host->libvirt_version, needs->libvirt_version, name, "libvirt-older", reasons);
        compare_unknown(needs->unknown, name, reasons);
}

/* ---- vectors ---- */

/* What every processor of the architecture has. A guest that is off may need nothing else, and one that
 * is emulated needs nothing else of the processor. */
static const char *const needed_by_x86_64[] = {
        "fpu", "tsc", "msr", "pae", "cx8", "cmov", "mmx", "fxsr", "sse", "sse2", "syscall", "lm", NULL
};
static const char *const needed_by_i686[] = { "fpu", "tsc", "msr", "cx8", "cmov", NULL };

static bool is_x86(const VsmCompatPlatform *platform) {
        return strcmp(platform->arch, "x86_64") == 0 || strcmp(platform->arch, "i686") == 0;
}

/* A host's processor shows best in what it gives to 64-bit guests under KVM. */
static const VsmCompatPlatform* choose_platform(const VsmCompat *compat) {
        const VsmCompatPlatform *best = NULL;
        unsigned best_rank = 0;

        for (guint i = 0; i < compat->platforms->len; i++) {
                const VsmCompatPlatform *platform = g_ptr_array_index(compat->platforms, i);
                unsigned rank;

                if (!is_x86(platform))
                        continue;

                rank = 1 + (strcmp(platform->arch, "x86_64") == 0) +
                        2 * (strcmp(platform->virt_type, "kvm") == 0);
                if (rank > best_rank) {
                        best = platform;
                        best_rank = rank;
                }
        }

        return best;
}

static void add_bits(GHashTable *vectors, const char *const *features) {
        uint32_t vector;
        unsigned bit;

        for (; *features; features++) {
                uint64_t *value;

                if (!vsm_cpuid_find(*features, &vector, &bit))
                        continue;

                value = g_hash_table_lookup(vectors, GUINT_TO_POINTER(vector));
                if (!value) {
                        value = g_new0(uint64_t, 1);
                        g_hash_table_insert(vectors, GUINT_TO_POINTER(vector), value);
                }
                *value |= UINT64_C(1) << bit;
        }
}

GVariant* vsm_compat_vectors(const VsmCompat *compat, GError **error) {
        static const uint32_t ids[] = {
                VSM_VECTOR_FEATURES, VSM_VECTOR_XSAVE, VSM_VECTOR_EXTENDED, VSM_VECTOR_EXTENDED_2,
                VSM_VECTOR_AMD, VSM_VECTOR_AMD_2,
        };
        const VsmCompatPlatform *platform = choose_platform(compat);
        g_autoptr(GHashTable) vectors = NULL;
        GVariantBuilder builder;

        if (!platform) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_NOT_SUPPORTED,
                            "Compatibility vectors are about x86 processors, and this is no x86.");
                return NULL;
        }

        vectors = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        add_bits(vectors, strcmp(platform->arch, "x86_64") == 0 ? needed_by_x86_64 : needed_by_i686);
        if (compat->kind == VSM_COMPAT_HOST || strcmp(platform->virt_type, "kvm") == 0)
                add_bits(vectors, (const char *const *) platform->features);

        g_variant_builder_init(&builder, G_VARIANT_TYPE("a(uut)"));
        for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
                const uint64_t *value = g_hash_table_lookup(vectors, GUINT_TO_POINTER(ids[i]));

                if (value || compat->kind == VSM_COMPAT_HOST)
                        g_variant_builder_add(&builder, "(uut)", ids[i], VSM_COMPARE_SUBSET,
                                              value ? *value : UINT64_C(0));
        }

        return g_variant_ref_sink(g_variant_builder_end(&builder));
}
