/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/reason.h"

/* What a guest needs of a host, and what a host offers to guests: as a struct, as a blob that travels
 * between hosts, as CIM's vectors. Pure; any thread, a struct belongs to one at a time. */

#define VSM_COMPAT_BLOB_MAX (1024 * 1024)       /* bytes (contract, section 2) */

typedef enum {
        VSM_COMPAT_SYSTEM       = 1,            /* needed by a guest; one platform */
        VSM_COMPAT_HOST         = 2,            /* offered, so needed by whatever may run there */
} VsmCompatKind;

/* What cannot be compared with the other host: said as not-verifiable, never passed over. */
typedef enum {
        VSM_COMPAT_UNKNOWN_CPU          = 1 << 0,       /* the processor itself, or features without names */
        VSM_COMPAT_UNKNOWN_EMULATOR     = 1 << 1,       /* a program of the administrator's own */
        VSM_COMPAT_UNKNOWN_FIRMWARE     = 1 << 2,       /* a file of the administrator's own */
        _VSM_COMPAT_UNKNOWN_ALL         = (1 << 3) - 1,
} VsmCompatUnknown;

/* The lists are sorted, without doubles, ended by NULL and never NULL. All text is printable ASCII. */
typedef struct VsmCompatPlatform {
        char *arch;             /* as libvirt names it: x86_64 */
        char *virt_type;        /* as libvirt names it: kvm, qemu */
        char **emulators;       /* paths */
        char **machines;        /* versioned names, no aliases */
        char **features;        /* of the CPU, as libvirt names them */
        char **firmware;        /* VSM_FIRMWARE_* or the path of a loader */
} VsmCompatPlatform;

#define VSM_FIRMWARE_BIOS               "bios"
#define VSM_FIRMWARE_EFI                "efi"
#define VSM_FIRMWARE_SECURE_BOOT        "efi-secure-boot"

typedef struct VsmCompat {
        VsmCompatKind kind;
        uint16_t enabled_state;         /* of the guest, as it was; 0 for a host */
        char *hypervisor;               /* as libvirt names it: QEMU */
        uint64_t hypervisor_version;    /* of the host where it was made; as libvirt counts, 0 = unknown */
        uint64_t libvirt_version;
        unsigned unknown;               /* VSM_COMPAT_UNKNOWN_* */
        GPtrArray *platforms;           /* VsmCompatPlatform, sorted by arch and virt_type */
} VsmCompat;

VsmCompat* vsm_compat_new(VsmCompatKind kind);
void vsm_compat_free(VsmCompat *compat);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmCompat, vsm_compat_free)

/* NULL when there is none. Borrowed. */
VsmCompatPlatform* vsm_compat_find(const VsmCompat *compat, const char *arch, const char *virt_type);

/* Puts an empty one in its place, or finds it. Borrowed. */
VsmCompatPlatform* vsm_compat_add(VsmCompat *compat, const char *arch, const char *virt_type);

/* Sorts a list and removes doubles; takes it. */
char** vsm_compat_sort(char **list);

/* May it stand in a blob? Not too long, printable ASCII. */
bool vsm_compat_text_is_valid(const char *text);

/* ---- compat-blob.c: magic, version, length, checksum, content ---- */

/* The same for the same content. VSM_ERROR_FAILED when something of it fits into no blob. */
GBytes* vsm_compat_encode(const VsmCompat *compat, GError **error);

/* Whatever vsm_compat_encode() could not have made is refused, with VSM_ERROR_INVALID_PARAMETER and a
 * sentence; what is larger than VSM_COMPAT_BLOB_MAX with VSM_ERROR_LIMITS_EXCEEDED. */
VsmCompat* vsm_compat_decode(const void *data, size_t size, GError **error);

/* ---- comparing ---- */

/* Adds a reason for each thing that is needed and that host, known to people as name, does not offer. */
void vsm_compat_compare(const VsmCompat *needs, const VsmCompat *host, const char *name, VsmReasons *reasons);

/* CIM's vectors (contract, section 10): a(uut), a full reference. VSM_ERROR_NOT_SUPPORTED when it is
 * not about x86. A system's has at least one, as no vector at all counts as incompatible for clients. */
GVariant* vsm_compat_vectors(const VsmCompat *compat, GError **error);
