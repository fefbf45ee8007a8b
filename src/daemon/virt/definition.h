/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* A system's definition as text: what disks and interfaces it has, and copies of it in which something is
 * different. Pure: any thread. Paths and names are exactly as they stand there. */

/* One image: of a disk, or below it. */
typedef struct VsmLayer {
        char *type;          /* file, block, volume, network, ... */
        char *path;          /* of file and block; else NULL */
        char *pool, *volume; /* of volume; else NULL */
        char *format;        /* NULL where it does not say */
} VsmLayer;

typedef struct VsmDisk {
        char *target;       /* vda */
        char *device;       /* disk, cdrom, floppy, lun */
        char *bus;          /* virtio, ide, sata, scsi, usb, ...; NULL where it does not say */
        VsmLayer source;    /* type is set even when it is empty */
        GPtrArray *backing; /* VsmLayer, from the upper one down; what the text tells of them */
        char *serial;       /* or NULL */
        char *encryption;   /* format of it (luks); NULL = is not encrypted by QEMU */
        char *secret;       /* UUID that opens it, or NULL */
        bool empty;         /* a drive without a medium */
        bool readonly;      /* also each CD-ROM */
        bool shareable;
        bool transient;
        bool mirrored; /* a block job is copying it */
} VsmDisk;

typedef struct VsmInterface {
        char *mac;    /* lower case; NULL where it does not say */
        char *type;   /* network, bridge, user, ... */
        char *source; /* network or bridge; else NULL */
} VsmInterface;

/* VsmDisk, VsmInterface; in the order of the definition. */
GPtrArray *vsm_disks_from_xml(const char *xml, GError **error);
GPtrArray *vsm_interfaces_from_xml(const char *xml, GError **error);

/* NULL when there is none. */
VsmDisk *vsm_disks_find(GPtrArray *disks, const char *target);

/* Both say the same about where it is. */
bool vsm_layer_is_same_place(const VsmLayer *a, const VsmLayer *b);

/* ---- changing ---- */

/* All strings are borrowed. */
typedef struct VsmDiskPlace {
        const char *target;
        const char *path;
        const char *format;
        bool block; /* it is a block device; else a file */
} VsmDiskPlace;

typedef struct VsmInterfacePlace {
        const char *mac; /* lower case */
        const char *name;
        bool bridge; /* name is that of a bridge; else of a libvirt network */
} VsmInterfacePlace;

/* Our mark on a definition that was placed by a Staged move, and is not in use yet. */
typedef struct VsmPlanned {
        char *source; /* host that it comes from */
        char *job;
        GPtrArray *volumes; /* VsmPlannedVolume: made for it */
} VsmPlanned;

typedef struct VsmPlannedVolume {
        char *path;
        char *pool; /* name of its pool; as in VSM_EFFECT_VOLUME */
} VsmPlannedVolume;

VsmPlanned *vsm_planned_new(const char *source, const char *job);
void vsm_planned_add(VsmPlanned *planned, const char *path, const char *pool);
void vsm_planned_free(VsmPlanned *planned);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmPlanned, vsm_planned_free)

/* *ret is NULL, and the result true, when the definition bears no mark. */
bool vsm_planned_from_xml(const char *xml, VsmPlanned **ret, GError **error);

typedef struct VsmDefinitionChange {
        const char *name;          /* NULL = as it is; not for a live migration: libvirt has its own way */
        const char *description;   /* the same; "" removes it */
        GPtrArray *disks;          /* VsmDiskPlace; NULL = none */
        GPtrArray *interfaces;     /* VsmInterfacePlace; NULL = none */
        const VsmPlanned *planned; /* the mark is put (again); NULL = as it is */
        bool remove_planned;       /* the mark is taken off */
        bool may_lack;             /* a disk or interface that is not in it is passed over: a stored
                                    * definition knows nothing of what was plugged in */
} VsmDefinitionChange;

/* The definition with these changes. What a disk or an interface is to the guest (target, address, model,
 * MAC, alias, serial) stays. VSM_ERROR_INCOMPATIBLE_PARAMETERS names a disk or interface that it does not
 * have, or a disk that cannot be put elsewhere (a CD-ROM, a read-only one). g_free() it. */
char *vsm_definition_change(const char *xml, const VsmDefinitionChange *change, GError **error);
