/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* What is to be different about a system where it goes: NewSystemSettingData, NewResourceSettingData and
 * what MigrationSettingData says of disks (contract, section 5). Plain data, form checked by request.c;
 * whether the other host can do it is found out on a worker. */

#define VSM_DISK_WISH_ALL "*"

typedef struct VsmDiskWish {
        char *target;                   /* of the disk: "vda"; or VSM_DISK_WISH_ALL: all that can be moved and
                                         * that no other wish names */
        char *path;                     /* where it is to be; NULL = a pool of that host decides; of all: a
                                         * directory, without "/" at its end, where files keep their names */
        char *pool;                     /* name of a storage pool of that host; NULL = any that fits */
} VsmDiskWish;

typedef struct VsmNetworkWish {
        char *mac;                      /* of the interface, lower case */
        char *name;                     /* of a libvirt network there, or else of a bridge */
} VsmNetworkWish;

typedef struct VsmVolumeWish {
        char *source;                   /* path of a volume of a pool here */
        char *path;                     /* of one that is to be made there */
} VsmVolumeWish;

typedef struct VsmChanges {
        char *name;                     /* NULL = as it is */
        char *description;              /* the same; "" removes it */
        int autostart;                  /* -1 = as it is */
        GPtrArray *disks;               /* VsmDiskWish; NULL = none was named: all that can be moved */
        GPtrArray *networks;            /* VsmNetworkWish; never NULL */
        GPtrArray *volumes;             /* VsmVolumeWish: copied along (UnmanagedVhds); never NULL */
        bool remove_source;             /* the copies here, once it is verified there */
        bool remove_source_volumes;     /* the same of volumes above */
        bool keep_copies;               /* what was made there stays, also when the move fails */
        bool overwrite;                 /* a volume that exists there may be replaced */
        char *planned;                  /* UUID of a planned system there to merge with; NULL = none */
} VsmChanges;

VsmChanges* vsm_changes_new(void); /* nothing is to be different */
VsmChanges* vsm_changes_copy(const VsmChanges *changes);
void vsm_changes_free(VsmChanges *changes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmChanges, vsm_changes_free)

VsmDiskWish* vsm_disk_wish_new(const char *target, const char *path, const char *pool);
void vsm_changes_add_disk(VsmChanges *changes, VsmDiskWish *wish); /* takes it */
VsmNetworkWish* vsm_network_wish_new(const char *mac, const char *name);
VsmVolumeWish* vsm_volume_wish_new(const char *source, const char *path);

/* The paths that a caller named, each once, separated by "\n", which is in none; NULL = none was named. */
char* vsm_changes_format_paths(const VsmChanges *changes);

/* The definition itself differs, not only where its disks are: name, description, networks. */
bool vsm_changes_touch_definition(const VsmChanges *changes);
