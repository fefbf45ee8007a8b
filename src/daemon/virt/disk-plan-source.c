/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is to be copied: where it is here, how big, on what it is based, and whether the other host has
 * that. Workers. */

#include <string.h>

#include "daemon/virt/disk-plan-private.h"
#include "shared/error.h"

#define CHAIN_MAX 256

char *vsm_layer_find(virConnectPtr connection, const VsmLayer *layer) {
        g_autoptr(virStoragePool) pool = virStoragePoolLookupByName(connection, layer->pool);
        g_autoptr(virStorageVol) volume = pool ? virStorageVolLookupByName(pool, layer->volume) : NULL;

        return volume ? virStorageVolGetPath(volume) : NULL;
}

/* Left as it is when that is not to be had. */
static void resolve_volume(const VsmDiskPlanner *planner, VsmDiskStep *step) {
        if (step->from_layer.volume)
                step->from_path = vsm_layer_find(planner->input->here, &step->from_layer);
}

/* A guest that runs is asked, as its image may have grown since; the volume of one that is off tells. */
static void measure(const VsmDiskPlanner *planner, VsmDiskStep *step) {
        virDomainBlockInfo info;

        if (step->target && virDomainGetBlockInfo(planner->input->domain, step->target, &info, 0) >= 0) {
                step->capacity = info.capacity;
                step->allocation = info.allocation;
        }

        if (!step->from)
                return;

        if (step->capacity == 0)
                step->capacity = step->from->capacity;
        step->allocation = MAX(step->allocation, step->from->allocation);
}

/* What the image is based on: every volume below it, uppermost first. */
static bool read_chain(VsmDiskPlanner *planner, const char *path, GPtrArray *chain, GError **error) {
        g_autofree char *next = g_strdup(path);

        for (unsigned i = 0; next && i < CHAIN_MAX; i++) {
                VsmVolume *volume;

                if (!vsm_volume_look(planner->input->here, next, &volume, error))
                        return false;
                if (!volume)
                        return true;

                g_ptr_array_add(chain, volume);
                g_free(next);
                next = g_strdup(volume->backing);
        }

        return true;
}

/* Copied byte for byte, an image minds nothing until it is used, and then what it is based on is there. */
static bool comes_along(const VsmDiskPlanner *planner, const char *path) {
        const VsmChanges *changes = planner->input->options->changes;

        for (guint i = 0; changes && i < changes->volumes->len; i++) {
                const VsmVolumeWish *wish = g_ptr_array_index(changes->volumes, i);

                if (strcmp(wish->source, path) == 0 && strcmp(wish->path, path) == 0)
                        return true;
        }

        return false;
}

/* There under the same path, with the same form: what is in it nobody compares. */
static bool is_there(VsmDiskPlanner *planner, const VsmVolume *base, bool *ret, GError **error) {
        g_autoptr(VsmVolume) volume = NULL;
        g_autoptr(GError) local = NULL;

        if (planner->local || (planner->plan->off && comes_along(planner, base->path))) {
                *ret = true;
                return true;
        }

        if (!vsm_volume_look(planner->input->there, base->path, &volume, &local)) {
                if (local->code != VSM_ERROR_INCOMPATIBLE_PARAMETERS) {
                        g_propagate_error(error, g_steal_pointer(&local));
                        return false;
                }
                *ret = false;
                return true;
        }

        *ret = volume && volume->capacity == base->capacity && g_strcmp0(volume->format, base->format) == 0;
        return true;
}

static void chain_free(void *p) {
        vsm_volume_free(p);
}

/* Copied by QEMU, an image can be made whole; byte for byte it is worth nothing without its base. */
static bool look_at_backing(VsmDiskPlanner *planner, VsmDiskStep *step, const char *path, GError **error) {
        g_autoptr(GPtrArray) chain = g_ptr_array_new_with_free_func(chain_free);
        const char *missing = NULL;
        uint64_t below = 0;
        bool there;

        /* one that is not a file of this host, or in no pool of it, is not compared */
        if (*path == '/' && !read_chain(planner, path, chain, error))
                return false;

        if (chain->len == 0)
                missing = path;
        for (guint i = 0; i < chain->len; i++) {
                const VsmVolume *base = g_ptr_array_index(chain, i);

                below += base->allocation;
                if (!missing && !is_there(planner, base, &there, error))
                        return false;
                if (!missing && !there)
                        missing = base->path;
        }

        if (!missing) {
                step->to->backing = g_strdup(path);
                step->to->backing_format = g_strdup(((VsmVolume *) g_ptr_array_index(chain, 0))->format);
                return true;
        }

        vsm_reasons_add(planner->reasons,
                        planner->plan->off || !step->target ? "backing-missing" : "backing-flattened",
                        vsm_disk_step_name(step), NULL, vsm_disk_step_name(step), missing,
                        planner->input->host, NULL);
        step->allocation = MIN(step->allocation + below, step->capacity);
        return true;
}

/* A volume that a running guest writes to is not one content from beginning to end. */
static bool check_volume_idle(VsmDiskPlanner *planner, const VsmDiskStep *step, GError **error) {
        g_autofree char *by = NULL;
        bool used;

        if (!vsm_volume_is_written(planner->input->here, step->from, &used, &by, error))
                return false;

        if (used)
                vsm_reasons_add(planner->reasons, "volume-in-use", step->from_path, NULL, "localhost",
                                step->from_path, by, NULL);
        return true;
}

static bool look_here(VsmDiskPlanner *planner, VsmDiskStep *step, GError **error) {
        g_autoptr(GError) local = NULL;

        if (!step->from_path || vsm_volume_look(planner->input->here, step->from_path, &step->from, &local))
                return true;

        if (local->code != VSM_ERROR_INCOMPATIBLE_PARAMETERS) {
                g_propagate_error(error, g_steal_pointer(&local));
                return false;
        }

        vsm_reasons_add(planner->reasons, "disk-not-movable", vsm_disk_step_name(step), local->message,
                        vsm_disk_step_name(step), "its type", NULL);
        return true;
}

/* Files of a pool may be links to what is in none; those of this host can be seen. */
static void check_no_link(VsmDiskPlanner *planner, const VsmDiskStep *step) {
        g_autofree char *folder = NULL;
        g_autoptr(GError) local = NULL;

        if (step->from->block)
                return;

        folder = g_path_get_dirname(step->from->path);
        if (!vsm_path_look(folder, step->from->path, /* strict = */ false, NULL, &local))
                vsm_reasons_add(planner->reasons, "disk-not-movable", vsm_disk_step_name(step),
                                local->message, vsm_disk_step_name(step), "its type", NULL);
}

bool vsm_disk_plan_source(VsmDiskPlanner *planner, const VsmDisk *disk, VsmDiskStep *step, GError **error) {
        const char *backing = NULL;

        resolve_volume(planner, step);
        if (!look_here(planner, step, error))
                return false;

        if (step->from)
                check_no_link(planner, step);
        else if (planner->plan->off || !disk)
                vsm_reasons_add(planner->reasons, "disk-not-in-pool", vsm_disk_step_name(step), NULL,
                                vsm_disk_step_name(step), step->from_path ?: "?", NULL);

        measure(planner, step);
        if (!step->from_format)
                step->from_format = g_strdup(step->from ? step->from->format : "raw");

        step->to = g_new0(VsmVolume, 1);
        if (!disk && step->from && !check_volume_idle(planner, step, error))
                return false;

        /* the live definition knows best, then the image itself */
        if (disk && disk->backing->len > 0) {
                const VsmLayer *base = g_ptr_array_index(disk->backing, 0);

                backing = base->path ?: base->type;
        } else if (step->from)
                backing = step->from->backing;

        step->based = backing;
        return !backing || look_at_backing(planner, step, backing, error);
}
