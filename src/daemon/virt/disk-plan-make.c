/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is done with a plan, and what can be told from it. */

#include <string.h>

#include "daemon/virt/disk-plan-private.h"
#include "shared/error.h"

/* ---- making the volumes ---- */

/* For a copy byte for byte it is a bag of the image's length, whose form comes with the bytes. */
static VsmVolumeNew volume_for(const VsmDiskPlan *plan, const VsmDiskStep *step) {
        const VsmVolume *to = step->to;
        VsmVolumeNew wanted = {
                        .pool = to->pool,
                        .name = to->name,
                        .path = to->path,
                        .like = step->from,
        };

        if (plan->off || !step->target) {
                wanted.format = "raw";
                wanted.capacity = step->from->physical ?: step->capacity;
                return wanted;
        }

        wanted.format = to->format;
        wanted.capacity = step->capacity;
        wanted.encryption = step->encryption;
        wanted.secret = step->secret;
        if (plan->incremental) {
                wanted.backing = to->backing;
                wanted.backing_format = to->backing_format;
        }
        return wanted;
}

static bool check_free(virConnectPtr there, const VsmDiskPlan *plan, const VsmDiskStep *step,
                       GError **error) {
        g_autofree char *by = NULL;
        bool used;

        if (!vsm_volume_in_use(there, step->to->path, plan->planned, &used, &by, error))
                return false;

        if (used)
                g_set_error(error, VSM_ERROR, VSM_ERROR_SYSTEM_IN_USE, "'%s' is used by system '%s'",
                            step->to->path, by);
        return !used;
}

/* What is overwritten goes first, and does not come back if the move fails: another form or size, and what
 * it held where the new one has holes, would show through. */
static bool make(const VsmDiskPlan *plan, VsmDiskStep *step, virConnectPtr there, bool there_is_other,
                 const VsmJournal *journal, GError **error) {
        VsmVolumeNew wanted;

        if (!step->to || ((plan->off || !step->target) && !step->from)) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "Disk '%s' cannot be put there", vsm_disk_step_name(step));
                return false;
        }

        if (step->fixed)
                return check_free(there, plan, step, error);
        if (step->exists && !vsm_volume_remove(there, step->to->path, step->to->pool, plan->planned, error))
                return false;

        wanted = volume_for(plan, step);
        step->made = vsm_volume_create(there, there_is_other, &wanted, journal, error);
        return step->made;
}

static bool make_all(const VsmDiskPlan *plan, GPtrArray *steps, virConnectPtr there, bool there_is_other,
                     const VsmJournal *journal, VsmCancel *cancel, GError **error) {
        for (guint i = 0; i < steps->len; i++) {
                VsmDiskStep *step = g_ptr_array_index(steps, i);

                if (step->kind != VSM_DISK_COPY)
                        continue;

                if (vsm_cancel_fired(cancel)) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_CANCELLED, "The migration was cancelled");
                        return false;
                }

                if (!make(plan, step, there, there_is_other, journal, error))
                        return false;
        }

        return true;
}

bool vsm_disk_plan_execute(VsmDiskPlan *plan, virConnectPtr there, bool there_is_other,
                           const VsmJournal *journal, VsmCancel *cancel, GError **error) {
        return make_all(plan, plan->disks, there, there_is_other, journal, cancel, error) &&
               make_all(plan, plan->volumes, there, there_is_other, journal, cancel, error);
}

/* ---- pure ---- */

char **vsm_disk_plan_targets(const VsmDiskPlan *plan) {
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

        for (guint i = 0; i < plan->disks->len; i++) {
                const VsmDiskStep *step = g_ptr_array_index(plan->disks, i);

                if (step->kind == VSM_DISK_COPY)
                        g_strv_builder_add(builder, step->target);
        }

        return g_strv_builder_end(builder);
}

VsmDiskStep *vsm_disk_plan_find(const VsmDiskPlan *plan, const char *target) {
        for (guint i = 0; i < plan->disks->len; i++) {
                VsmDiskStep *step = g_ptr_array_index(plan->disks, i);

                if (strcmp(step->target, target) == 0)
                        return step;
        }

        return NULL;
}

static uint64_t sum(const VsmDiskPlan *plan, bool capacity) {
        GPtrArray *const lists[] = {plan->disks, plan->volumes};
        uint64_t result = 0;

        for (size_t l = 0; l < G_N_ELEMENTS(lists); l++)
                for (guint i = 0; i < lists[l]->len; i++) {
                        const VsmDiskStep *step = g_ptr_array_index(lists[l], i);

                        if (step->kind == VSM_DISK_COPY)
                                result += capacity ? step->capacity : step->allocation;
                }

        return result;
}

uint64_t vsm_disk_plan_allocation(const VsmDiskPlan *plan) {
        return sum(plan, false);
}

uint64_t vsm_disk_plan_capacity(const VsmDiskPlan *plan) {
        return sum(plan, true);
}

/* The stored definition may name the same image by its pool, or an older one. */
static bool is_same_image(const VsmDisk *disk, const VsmDiskStep *step) {
        return vsm_layer_is_same_place(&disk->source, &step->from_layer) ||
               (disk->source.path && g_strcmp0(disk->source.path, step->from_path) == 0) ||
               (disk->source.volume && step->from && g_strcmp0(disk->source.pool, step->from->pool) == 0 &&
                g_strcmp0(disk->source.volume, step->from->name) == 0);
}

static GPtrArray *places_of(const VsmDiskPlan *plan, GPtrArray *stored) {
        GPtrArray *places = g_ptr_array_new_with_free_func(g_free);

        for (guint i = 0; plan && i < plan->disks->len; i++) {
                const VsmDiskStep *step = g_ptr_array_index(plan->disks, i);
                const VsmDisk *disk = stored ? vsm_disks_find(stored, step->target) : NULL;
                VsmDiskPlace *place;

                if (!step->to || (stored && (!disk || !is_same_image(disk, step))))
                        continue;

                place = g_new(VsmDiskPlace, 1);
                *place = (VsmDiskPlace){
                                .target = step->target,
                                .path = step->to->path,
                                .format = step->to->format,
                                .block = step->to->block,
                };
                g_ptr_array_add(places, place);
        }

        return places;
}

char *vsm_disk_plan_definition(const VsmDiskPlan *plan, const char *xml, bool stored, const char *name,
                               const char *description, GPtrArray *interfaces, const VsmPlanned *planned,
                               GError **error) {
        g_autoptr(GPtrArray) disks = vsm_disks_from_xml(xml, error), places = NULL;

        if (!disks)
                return NULL;

        places = places_of(plan, stored ? disks : NULL);
        return vsm_definition_change(xml,
                                     &(VsmDefinitionChange){
                                                     .name = name,
                                                     .description = description,
                                                     .disks = places,
                                                     .interfaces = interfaces,
                                                     .planned = planned,
                                                     .remove_planned = !planned,
                                                     .may_lack = stored,
                                     },
                                     error);
}
