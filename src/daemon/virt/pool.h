/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/internal.h"

/* The storage pools of a host as one that looks for room sees them, and the rule about paths: every path
 * that a caller names is that of a volume of an active pool, or one that could be made in it, or it is
 * below a directory that the administrator named in vsmd.conf of that host. */

typedef enum {
        VSM_POOL_FILES,   /* dir, fs, netfs: a volume is a file in one folder */
        VSM_POOL_LOGICAL, /* a volume is a block device, and can be made */
        VSM_POOL_FIXED,   /* what is there can be used, nothing is made: iscsi, disk, ... */
        VSM_POOL_OTHER,   /* its volumes have no path of this host: rbd, sheepdog, ... */
} VsmPoolKind;

typedef struct VsmPool {
        char *name; /* one from vsmd.conf: the directory itself, "/..." */
        VsmPoolKind kind;
        char *type;         /* libvirt's word */
        char *target;       /* folder of its volumes; NULL for VSM_POOL_OTHER */
        uint64_t available; /* bytes; taken off as volumes are planned in it */
        bool configured;    /* a directory of vsmd.conf, no pool */
} VsmPool;

/* Blocks. VsmPool: the active ones of that host, by name; then those of directories (NULL = none), which
 * must be this host's, so that their room can be seen. */
GPtrArray *vsm_pools_list(virConnectPtr connection, char **directories, GError **error);

/* Blocks. The one of that name, active or not; NULL when it is not to be had. */
VsmPool *vsm_pool_look(virConnectPtr connection, const char *name);

/* ---- pure ---- */

/* What a directory of vsmd.conf is called while it is a pool: this, and a UUID. It goes when the job that
 * needed it ends, so nobody else may count on it: vsm_pools_find(), _find_path() and _choose() pass it over. */
#define VSM_POOL_PREFIX "vsmd-"
bool vsm_pool_is_passing(const char *name);

/* From libvirt's description; NULL when it is none. */
VsmPool *vsm_pool_from_xml(const char *xml, GError **error);
void vsm_pool_free(VsmPool *pool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmPool, vsm_pool_free)

/* What is in it is on a network, by its type alone: whoever has the same pool has the same volumes. */
bool vsm_pool_is_on_network(const VsmPool *pool);

VsmPool *vsm_pools_find(GPtrArray *pools, const char *name);

/* "/a//b/" as libvirt may have been told it: "/a/b". g_free() it. */
char *vsm_path_trim(const char *path);

/* Canonical: absolute, each part a name, nothing that cannot be shown. */
bool vsm_path_check(const char *path, GError **error);

/* The pool in which such a volume may be: it lies directly in its folder. NULL when there is none; the
 * path must be canonical. ret_name (borrowed from path): the volume's. */
VsmPool *vsm_pools_find_path(GPtrArray *pools, const char *path, const char **ret_name);

/* Bytes that a volume takes there: a file grows as it is written, a logical volume is all there at once. */
uint64_t vsm_pool_needs(const VsmPool *pool, uint64_t allocation, uint64_t capacity);

/* Where such a volume can be made when nobody said where: in preferred (may be NULL) if that is there and
 * has the room, else in the one with most room, the first by name of those with the same. Never except (a
 * name, or NULL) and never one of vsmd.conf. NULL when none has the room. */
VsmPool *vsm_pools_choose(GPtrArray *pools, const char *preferred, const char *except, uint64_t allocation,
                          uint64_t capacity);

/* ---- this host's files, as far as this process can see them ---- */

/* False, with VSM_ERROR_INCOMPATIBLE_PARAMETERS, when below folder (of a pool or of vsmd.conf, which may
 * well be a link: its owner knows) part of the path is a symbolic link, or it is something else than a
 * regular file or a block device. What is not there passes. So does what cannot be seen (a folder that this
 * process may not enter), unless strict: a pool has one folder, and libvirt looks at what is in it; but below
 * a directory of vsmd.conf libvirt, as root, follows what the owner of a folder has put there. Strict also
 * wants all folders to be there. Not for logical volumes, whose names are links. */
bool vsm_path_look(const char *folder, const char *path, bool strict, bool *ret_exists, GError **error);
