/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/internal.h"
#include "daemon/virt/pool.h"

/* Storage volumes of a host, here or there: what one is, whether somebody uses it, making and removing it.
 * Everything goes through libvirt of that host, with its rights and under its pools. All of it blocks.
 *
 * Never touched are: what is no volume of a pool (or file of a directory that the administrator named),
 * what is neither regular file nor block device, and what a domain of that host refers to. */

typedef struct VsmVolume {
        char *path;
        char *pool; /* its name, or a directory of vsmd.conf ("/..."): pool names have no slash */
        char *name;
        bool block;
        uint64_t capacity;   /* bytes that a guest sees */
        uint64_t allocation; /* bytes that it takes */
        uint64_t physical;   /* bytes of the file from beginning to end */
        char *format;        /* raw, qcow2, ...; "raw" for block volumes that tell none */
        char *backing;       /* path; NULL = none */
        char *backing_format;
        char *mode, *owner, *group, *label; /* as libvirt tells them; NULL = it does not */
        char *compat, *cluster_size;        /* of qcow2; NULL = it does not say */
        int64_t changed; /* µs; time of the last change to its content; 0 = is not told */
} VsmVolume;

void vsm_volume_free(VsmVolume *volume);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmVolume, vsm_volume_free)

/* *ret is NULL, and the result true, when no active pool has such a volume. What is no regular file or
 * block device is VSM_ERROR_INCOMPATIBLE_PARAMETERS. */
bool vsm_volume_look(virConnectPtr connection, const char *path, VsmVolume **ret, GError **error);

/* The same from libvirt's text. Pure. */
VsmVolume *vsm_volume_from_xml(const char *xml, GError **error);

/* When its content was changed last, in µs: now, not when its pool was refreshed last. 0 = is not told. That there
 * is no such volume is VSM_ERROR_INCOMPATIBLE_PARAMETERS. */
bool vsm_volume_changed(virConnectPtr connection, const char *path, int64_t *ret, GError **error);

/* ---- who uses it ---- */

/* Every path that a domain of that host refers to, active or not, with what images are based on; the
 * name of one that does. except_uuid (may be NULL) is passed over. */
GHashTable *vsm_uses_read(virConnectPtr connection, const char *except_uuid, GError **error);

/* Who of them refers to it, by this name or another one of the same file. What cannot be looked at is in
 * use when it is called the same and no active pool has it. *ret_by: borrowed, or NULL. */
bool vsm_uses_find(GHashTable *uses, virConnectPtr connection, const char *path, const char **ret_by,
                   GError **error);

/* The one question. *ret_by: name of the domain (g_free() it), NULL when there is none; may be NULL. */
bool vsm_volume_in_use(virConnectPtr connection, const char *path, const char *except_uuid, bool *ret,
                       char **ret_by, GError **error);

/* Whether an active domain of that host has it as a disk that it can write to: then it is not one content
 * from beginning to end. */
bool vsm_volume_is_written(virConnectPtr connection, const VsmVolume *volume, bool *ret, char **ret_by,
                           GError **error);

/* ---- making and removing ---- */

typedef struct VsmVolumeNew {
        const char *pool; /* as in VsmVolume */
        const char *name;
        const char *path;
        const char *format;
        uint64_t capacity;
        const char *backing, *backing_format; /* or NULL */
        const char *encryption, *secret;      /* luks and the UUID of the secret, which is there; or NULL */
        const VsmVolume *like; /* owner, mode, label and form of it; NULL = the pool decides */
} VsmVolumeNew;

/* Pure. */
char *vsm_volume_new_to_xml(const VsmVolumeNew *wanted);

/* Writes it down (there: for the journal), then makes it. What exists is never taken for ours: that is
 * VSM_ERROR_INCOMPATIBLE_PARAMETERS, and nothing is written down any more then. journal may be NULL. */
bool vsm_volume_create(virConnectPtr connection, bool there, const VsmVolumeNew *wanted,
                       const VsmJournal *journal, GError **error);

/* One that has gone already is as good. Refused (VSM_ERROR_SYSTEM_IN_USE) when a domain of that host
 * other than except_uuid (may be NULL) refers to it, and (VSM_ERROR_INCOMPATIBLE_PARAMETERS) when it is
 * no volume of that pool (as in VsmVolume; NULL or "" = of any). */
bool vsm_volume_remove(virConnectPtr connection, const char *path, const char *pool, const char *except_uuid,
                       GError **error);
