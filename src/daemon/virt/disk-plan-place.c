/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where a disk goes: the pool, the name, what is there already, and whether there is room. Workers. */

#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "daemon/virt/disk-plan-private.h"
#include "shared/error.h"

/* ---- where ---- */

static void set_place(VsmDiskStep *step, const VsmPool *pool, const char *path, const char *name) {
        VsmVolume *to = step->to;

        to->path = g_strdup(path);
        to->name = g_strdup(name);
        /* below a directory of vsmd.conf a folder is a pool for as long as it takes */
        to->pool = pool->configured ? g_path_get_dirname(path) : g_strdup(pool->name);
        to->block = pool->kind == VSM_POOL_LOGICAL;
}

static void refuse_path(VsmDiskPlanner *planner, const VsmDiskStep *step, const char *path,
                        const GError *error) {
        vsm_reasons_add(planner->reasons, "path-not-allowed", vsm_disk_step_name(step),
                        error ? error->message : NULL, planner->input->host, path, NULL);
}

/* What is there and no pool can make: a LUN, a partition. */
static bool place_at_fixed(VsmDiskPlanner *planner, VsmDiskStep *step, const char *path, GError **error) {
        g_autoptr(VsmVolume) volume = NULL;
        g_autoptr(GError) local = NULL;

        if (!vsm_volume_look(planner->input->there, path, &volume, &local) &&
            local->code != VSM_ERROR_INCOMPATIBLE_PARAMETERS) {
                g_propagate_error(error, g_steal_pointer(&local));
                return false;
        }

        if (!volume || strcmp(volume->path, path) != 0 || vsm_pool_is_passing(volume->pool)) {
                refuse_path(planner, step, path, local);
                return true;
        }

        step->fixed = true;
        step->to->path = g_strdup(path);
        step->to->name = g_steal_pointer(&volume->name);
        step->to->pool = g_steal_pointer(&volume->pool);
        step->to->block = volume->block;
        step->to->capacity = volume->capacity;
        return true;
}

/* *ret NULL: at a fixed place, or nowhere. */
static bool place_at_path(VsmDiskPlanner *planner, VsmDiskStep *step, const char *path, VsmPool **ret,
                          GError **error) {
        g_autoptr(GError) local = NULL;
        const char *name;

        if (!vsm_path_check(path, &local)) {
                refuse_path(planner, step, path, local);
                return true;
        }

        *ret = vsm_pools_find_path(planner->pools, path, &name);
        if (!*ret)
                return place_at_fixed(planner, step, path, error);

        /* only this host's files can be looked at */
        if (planner->local && (*ret)->kind == VSM_POOL_FILES &&
            !vsm_path_look((*ret)->target, path, /* strict = */ (*ret)->configured, NULL, &local)) {
                refuse_path(planner, step, path, local);
                *ret = NULL;
                return true;
        }

        set_place(step, *ret, path, name);
        return true;
}

static void place_in(VsmDiskStep *step, const VsmPool *pool) {
        g_autofree char *name = g_path_get_basename(step->from_path ?: step->target);
        g_autofree char *path = g_build_filename(pool->target, name, NULL);

        set_place(step, pool, path, name);
}

static VsmPool *place_in_pool(VsmDiskPlanner *planner, VsmDiskStep *step, const char *name) {
        VsmPool *pool = vsm_pools_find(planner->pools, name);

        if (!pool || pool->configured) {
                vsm_reasons_add(planner->reasons, "pool-missing", vsm_disk_step_name(step), NULL,
                                planner->input->host, name, NULL);
                return NULL;
        }

        if (pool->kind != VSM_POOL_FILES && pool->kind != VSM_POOL_LOGICAL) {
                vsm_reasons_add(planner->reasons, "pool-fixed", vsm_disk_step_name(step), NULL,
                                planner->input->host, name, pool->type ?: "?", NULL);
                return NULL;
        }

        place_in(step, pool);
        return pool;
}

/* To put it where it is would be no move. */
static VsmPool *place_anywhere(VsmDiskPlanner *planner, VsmDiskStep *step) {
        const char *own = step->from ? step->from->pool : step->from_layer.pool;
        VsmPool *pool = vsm_pools_choose(planner->pools, planner->local ? NULL : own,
                                         planner->local ? own : NULL, step->allocation, step->capacity);
        g_autofree char *mib = NULL;

        if (pool) {
                place_in(step, pool);
                return pool;
        }

        mib = vsm_disk_plan_mib(step->allocation);
        vsm_reasons_add(planner->reasons, "no-pool", vsm_disk_step_name(step), NULL, planner->input->host,
                        vsm_disk_step_name(step), mib, NULL);
        return NULL;
}

/* ---- what is there already ---- */

bool vsm_path_is_on_network(const char *path, bool otherwise) {
        static const long magics[] = {
                        NFS_SUPER_MAGIC, SMB_SUPER_MAGIC,  CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC,
                        AFS_SUPER_MAGIC, CEPH_SUPER_MAGIC, FUSE_SUPER_MAGIC, OCFS2_SUPER_MAGIC,
                        V9FS_MAGIC,      0x01161970, /* GFS2 */
                        0x47504653,                  /* GPFS */
                        0x0bd00bd0,                  /* Lustre */
        };
        g_autofree char *folder = g_path_get_dirname(path);
        struct statfs st;

        if (statfs(folder, &st) < 0)
                return otherwise;

        for (size_t i = 0; i < G_N_ELEMENTS(magics); i++)
                if ((uint32_t) st.f_type == (uint32_t) magics[i])
                        return true;

        return false;
}

/* Of one that is no volume libvirt tells nothing, and this process sees no devices: the name is all there is.
 * Those that count are made of an address in a network, or of a number that no second device has. One that a
 * host has given itself (/dev/sdb, /dev/vg/lv, /dev/mapper/mpatha) means another device on each, also where a
 * volume group or an alias happens to be the same on both: the guest would start from that. */
bool vsm_path_is_network_device(const char *path) {
        g_autofree char *folder = g_path_get_dirname(path), *name = g_path_get_basename(path);

        if (strcmp(folder, "/dev/disk/by-path") == 0) {
                const char *address = strstr(name, "ip-");

                return address && strstr(address, "-iscsi-");
        }

        if (strcmp(folder, "/dev/disk/by-id") == 0)
                return g_str_has_prefix(name, "wwn-") || g_str_has_prefix(name, "dm-uuid-mpath-");

        /* multipath's, when it does not call them by friendly names: the type, and 16 or 32 digits */
        return strcmp(folder, "/dev/mapper") == 0 && (*name == '2' || *name == '3') &&
               strspn(name + 1, "0123456789abcdef") >= 16;
}

/* Whether what is there may be the very image that is to be copied, on storage that both hosts have. No host
 * can tell for sure, and to overwrite it would be the end of it: what is in doubt is the same. Between two
 * looks at ours, theirs was last written at a time when ours was: then it is one file. */
static bool may_be_same(VsmDiskPlanner *planner, const VsmDiskStep *step, const VsmVolume *there) {
        g_autoptr(VsmVolume) later = NULL;
        const char *path = step->from_path;

        if (!step->from)
                return true;
        if (there->block || step->from->block)
                return strcmp(there->path, path) == 0;

        if (g_strcmp0(there->name, step->from->name) == 0 && vsm_path_is_on_network(path, /* otherwise = */ true))
                return true;

        if (!vsm_volume_look(planner->input->here, path, &later, NULL) || !later || later->changed == 0)
                return true;

        return there->changed >= step->from->changed && there->changed <= later->changed;
}

static bool is_planned_volume(const VsmDiskPlanner *planner, const char *path) {
        for (guint i = 0; planner->planned && i < planner->planned->volumes->len; i++)
                if (strcmp(((VsmPlannedVolume *) g_ptr_array_index(planner->planned->volumes, i))->path,
                           path) == 0)
                        return true;

        return false;
}

static void add_exists(VsmDiskPlanner *planner, const VsmDiskStep *step) {
        vsm_reasons_add(planner->reasons, "file-exists", vsm_disk_step_name(step), NULL,
                        planner->input->host, step->to->path, NULL);
}

static bool look_at_existing(VsmDiskPlanner *planner, VsmDiskStep *step, VsmPool *pool, VsmVolume *there,
                             GError **error) {
        const VsmChanges *changes = planner->input->options->changes;
        const char *by;

        step->exists = true;
        if (!(changes && changes->overwrite) && !is_planned_volume(planner, there->path)) {
                add_exists(planner, step);
                return true;
        }

        if (!planner->uses)
                planner->uses = vsm_uses_read(planner->input->there, planner->plan->planned, error);
        if (!planner->uses ||
            !vsm_uses_find(planner->uses, planner->input->there, there->path, &by, error))
                return false;

        if (by)
                vsm_reasons_add(planner->reasons, "volume-in-use", vsm_disk_step_name(step), NULL,
                                planner->input->host, there->path, by, NULL);
        else if (may_be_same(planner, step, there))
                vsm_reasons_add(planner->reasons, "same-volume", vsm_disk_step_name(step), NULL,
                                vsm_disk_step_name(step), there->path, planner->input->host, NULL);

        step->to->capacity = there->capacity;
        if (pool)
                pool->available += there->allocation;
        return true;
}

static bool look_there(VsmDiskPlanner *planner, VsmDiskStep *step, VsmPool *pool, GError **error) {
        g_autoptr(VsmVolume) there = NULL;
        g_autoptr(GError) local = NULL;
        bool seen = false;

        for (guint i = 0; i < planner->plan->disks->len + planner->plan->volumes->len; i++) {
                const VsmDiskStep *other =
                                i < planner->plan->disks->len
                                                ? g_ptr_array_index(planner->plan->disks, i)
                                                : g_ptr_array_index(planner->plan->volumes,
                                                                    i - planner->plan->disks->len);

                if (other != step && other->to && g_strcmp0(other->to->path, step->to->path) == 0)
                        add_exists(planner, step);
        }

        if (!vsm_volume_look(planner->input->there, step->to->path, &there, &local)) {
                if (local->code != VSM_ERROR_INCOMPATIBLE_PARAMETERS) {
                        g_propagate_error(error, g_steal_pointer(&local));
                        return false;
                }
                refuse_path(planner, step, step->to->path, local);
                return true;
        }

        if (there)
                return look_at_existing(planner, step, pool, there, error);

        /* not in the list of a pool, but here all the same: that is nobody's to overwrite */
        if (planner->local && !step->to->block) {
                g_autofree char *folder = g_path_get_dirname(step->to->path);

                (void) vsm_path_look(folder, step->to->path, /* strict = */ false, &seen, NULL);
        }
        if (seen)
                add_exists(planner, step);
        return true;
}

/* ---- form and room ---- */

/* QEMU copies what the guest sees, into any form; byte for byte the form stays. */
static void choose_format(VsmDiskPlanner *planner, VsmDiskStep *step) {
        bool bytes = planner->plan->off || !step->target;
        bool simple = strcmp(step->from_format, "raw") == 0;
        bool known = simple || strcmp(step->from_format, "qcow2") == 0;

        step->to->format = g_strdup(step->to->block ? "raw" : step->from_format);
        if ((bytes && step->to->block && !simple) || (!bytes && !step->to->block && !known) ||
            (step->encryption && step->to->block))
                vsm_reasons_add(planner->reasons, "disk-format", vsm_disk_step_name(step), NULL,
                                vsm_disk_step_name(step), step->from_format, step->to->path, NULL);

        /* a block device tells nobody on what it is based */
        if (step->to->block && step->to->backing) {
                vsm_reasons_add(planner->reasons, "backing-flattened", vsm_disk_step_name(step), NULL,
                                vsm_disk_step_name(step), step->to->backing, planner->input->host, NULL);
                g_clear_pointer(&step->to->backing, g_free);
        }
}

static void add_no_space(VsmDiskPlanner *planner, const VsmDiskStep *step, uint64_t bytes) {
        g_autofree char *mib = vsm_disk_plan_mib(bytes);

        vsm_reasons_add(planner->reasons, "no-space", vsm_disk_step_name(step), NULL, planner->input->host,
                        vsm_disk_step_name(step), mib, step->to->pool, NULL);
}

static void take_room(VsmDiskPlanner *planner, VsmDiskStep *step, VsmPool *pool) {
        uint64_t bytes;

        if (!pool) {
                if (step->to->capacity < step->capacity)
                        add_no_space(planner, step, step->capacity);
                return;
        }

        bytes = vsm_pool_needs(pool, step->allocation, step->capacity);
        if (pool->available < bytes)
                add_no_space(planner, step, bytes);
        pool->available -= MIN(pool->available, bytes);
        step->to->capacity = step->capacity;
}

bool vsm_disk_plan_place(VsmDiskPlanner *planner, VsmDiskStep *step, const char *path, const char *pool_name,
                         GError **error) {
        VsmPool *pool = NULL;

        if (path) {
                if (!place_at_path(planner, step, path, &pool, error))
                        return false;
        } else
                pool = pool_name ? place_in_pool(planner, step, pool_name) : place_anywhere(planner, step);

        /* nowhere: that is among the reasons */
        if (!step->to->path) {
                g_clear_pointer(&step->to, vsm_volume_free);
                return true;
        }

        if (!look_there(planner, step, pool, error))
                return false;

        choose_format(planner, step);
        take_room(planner, step, pool);
        return true;
}
