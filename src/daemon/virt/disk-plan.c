/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which disks are copied, which stay. Workers. */

#include <string.h>

#include "daemon/virt/disk-plan-private.h"
#include "shared/enums.h"
#include "shared/error.h"

static void step_free(void *p) {
        VsmDiskStep *step = p;

        vsm_volume_free(step->from);
        vsm_volume_free(step->to);
        g_free(step->target);
        g_free(step->from_layer.type);
        g_free(step->from_layer.path);
        g_free(step->from_layer.pool);
        g_free(step->from_layer.volume);
        g_free(step->from_layer.format);
        g_free(step->from_path);
        g_free(step->from_format);
        g_free(step->encryption);
        g_free(step->secret);
        g_free(step);
}

void vsm_disk_plan_free(VsmDiskPlan *plan) {
        if (!plan)
                return;

        g_ptr_array_unref(plan->disks);
        g_ptr_array_unref(plan->volumes);
        g_free(plan->planned);
        g_free(plan);
}

const char *vsm_disk_step_name(const VsmDiskStep *step) {
        return step->target ?: step->from_path;
}

char *vsm_disk_plan_mib(uint64_t bytes) {
        return g_strdup_printf("%" G_GUINT64_FORMAT, bytes / (1 << 20) + (bytes % (1 << 20) > 0));
}

/* ---- which ---- */

static const VsmDiskWish *find_wish(const VsmMoveOptions *options, const char *target) {
        const VsmChanges *changes = options->changes;

        for (guint i = 0; changes && changes->disks && i < changes->disks->len; i++) {
                const VsmDiskWish *wish = g_ptr_array_index(changes->disks, i);

                if (strcmp(wish->target, target) == 0)
                        return wish;
        }

        return NULL;
}

/* False: named ones are there already, under another path. */
static bool copies_named(uint16_t type) {
        return type != 0 && type != VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM && type != VSM_MIGRATION_TYPE_LIVE;
}

static bool takes_unnamed(const VsmMoveOptions *options) {
        if (options->changes && options->changes->disks)
                return find_wish(options, VSM_DISK_WISH_ALL);

        return options->type == VSM_MIGRATION_TYPE_STORAGE ||
               options->type == VSM_MIGRATION_TYPE_SYSTEM_AND_STORAGE ||
               options->type == VSM_MIGRATION_TYPE_STORAGE_DEEP_CHECK;
}

/* In words that complete "cannot be put elsewhere: …"; NULL when it can. */
static const char *why_fast(const VsmDisk *disk) {
        if (disk->empty)
                return "it has no medium";
        if (strcmp(disk->device, "cdrom") == 0)
                return "it is a CD-ROM";
        if (strcmp(disk->device, "disk") != 0)
                return "it is no hard disk";
        if (disk->readonly)
                return "it is read-only";
        if (disk->shareable)
                return "other systems may write to it";
        if (strcmp(disk->source.type, "file") != 0 && strcmp(disk->source.type, "block") != 0 &&
            strcmp(disk->source.type, "volume") != 0)
                return "it is reached over a network, or by other means than a file";
        if (disk->encryption && (strcmp(disk->encryption, "luks") != 0 || !disk->secret))
                return "it is encrypted, and not by LUKS with a secret that is named";

        return NULL;
}

/* *ret_wish: what is wished for it, or for all; *ret_why: why it stays though it was meant. */
static VsmDiskKind kind_of(const VsmMoveOptions *options, const VsmDisk *disk, const VsmDiskWish **ret_wish,
                           const char **ret_why) {
        *ret_wish = find_wish(options, disk->target);
        *ret_why = NULL;
        if (!*ret_wish && !takes_unnamed(options))
                return VSM_DISK_SHARED;

        *ret_why = why_fast(disk);
        if (*ret_why)
                return disk->shareable && !disk->readonly ? VSM_DISK_SHARED : VSM_DISK_LEFT_OUT;

        *ret_wish = *ret_wish ?: find_wish(options, VSM_DISK_WISH_ALL);
        return copies_named(options->type) ? VSM_DISK_COPY : VSM_DISK_SHARED;
}

char **vsm_disk_plan_copied(const char *xml, const VsmMoveOptions *options, GError **error) {
        g_autoptr(GPtrArray) disks = vsm_disks_from_xml(xml, error);
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

        for (guint i = 0; disks && i < disks->len; i++) {
                const VsmDisk *disk = g_ptr_array_index(disks, i);
                const VsmDiskWish *wish;
                const char *why;

                if (kind_of(options, disk, &wish, &why) == VSM_DISK_COPY)
                        g_strv_builder_add(builder, disk->target);
        }

        return disks ? g_strv_builder_end(builder) : NULL;
}

/* What was named and cannot be moved is a mistake, what was only not excluded is told; an empty drive is a
 * matter of course. */
static void tell_why(VsmDiskPlanner *planner, const VsmDisk *disk, const VsmDiskWish *wish,
                     const char *why) {
        const char *code = wish ? "disk-not-movable" : "disk-left-out";

        if (wish || (!disk->empty && !planner->local))
                vsm_reasons_add(planner->reasons, code, disk->target, NULL, disk->target, why, NULL);
}

/* ---- one of each ---- */

static VsmDiskStep *new_step(VsmDiskKind kind, const VsmDisk *disk) {
        VsmDiskStep *step = g_new0(VsmDiskStep, 1);

        step->kind = kind;
        if (!disk)
                return step;

        step->target = g_strdup(disk->target);
        step->encryption = g_strdup(disk->encryption);
        step->secret = g_strdup(disk->secret);
        step->from_layer = (VsmLayer){
                        .type = g_strdup(disk->source.type),
                        .path = g_strdup(disk->source.path),
                        .pool = g_strdup(disk->source.pool),
                        .volume = g_strdup(disk->source.volume),
                        .format = g_strdup(disk->source.format),
        };
        step->from_path = g_strdup(disk->source.path);
        step->from_format = g_strdup(disk->source.format ?: "raw");
        return step;
}

/* The wish for all names a directory, in which files keep their names. g_free() it. */
static char *wished_path(const VsmDiskStep *step, const VsmDiskWish *wish) {
        g_autofree char *name = NULL;

        if (!wish || !wish->path)
                return NULL;
        if (strcmp(wish->target, VSM_DISK_WISH_ALL) != 0)
                return g_strdup(wish->path);

        name = g_path_get_basename(step->from_path ?: step->target);
        return g_strconcat(wish->path, "/", name, NULL);
}

/* On storage that both hosts have, and there it is elsewhere. */
static bool relocate(VsmDiskPlanner *planner, VsmDiskStep *step, const char *path, GError **error) {
        const char *host = planner->input->host;
        g_autoptr(VsmVolume) volume = NULL;
        g_autoptr(GError) local = NULL;

        if (!path || !vsm_path_check(path, &local)) {
                vsm_reasons_add(planner->reasons, "path-not-allowed", step->target,
                                local ? local->message : NULL, host, path ?: "", NULL);
                return true;
        }

        if (!vsm_volume_look(planner->input->there, path, &volume, &local)) {
                if (local->code != VSM_ERROR_INCOMPATIBLE_PARAMETERS) {
                        g_propagate_error(error, g_steal_pointer(&local));
                        return false;
                }
        }

        if (volume) {
                g_free(volume->format);
                volume->format = g_strdup(step->from_format);
                step->to = g_steal_pointer(&volume);
        } else
                vsm_reasons_add(planner->reasons, "path-not-allowed", step->target,
                                local ? local->message : NULL, host, path, NULL);

        return true;
}

static const char *planned_path(const VsmDiskPlanner *planner, const char *target) {
        const VsmDisk *disk = planner->planned_disks ? vsm_disks_find(planner->planned_disks, target) : NULL;

        return disk ? disk->source.path : NULL;
}

static bool plan_disk(VsmDiskPlanner *planner, const VsmDisk *disk, GError **error) {
        const VsmMoveOptions *options = planner->input->options;
        const VsmDiskWish *wish = NULL;
        const char *why, *pool;
        VsmDiskStep *step;
        g_autofree char *path = NULL;

        step = new_step(kind_of(options, disk, &wish, &why), disk);
        g_ptr_array_add(planner->plan->disks, step);

        if (why)
                tell_why(planner, disk, wish, why);
        if (why || (step->kind != VSM_DISK_COPY && !wish))
                return true;

        if (step->kind == VSM_DISK_SHARED) {
                path = wished_path(step, wish);
                return relocate(planner, step, path, error);
        }

        if (disk->transient && !vsm_reasons_has(planner->reasons, "transient-disk"))
                vsm_reasons_add(planner->reasons, "transient-disk", disk->target, NULL,
                                virDomainGetName(planner->input->domain), NULL);

        if (!vsm_disk_plan_source(planner, disk, step, error))
                return false;

        pool = wish ? wish->pool : NULL;
        path = wished_path(step, wish);
        if (!path && !pool)
                path = g_strdup(planned_path(planner, disk->target));
        return vsm_disk_plan_place(planner, step, path, pool, error);
}

/* A volume of a pool here that no disk has; nobody may write to it meanwhile. */
static bool plan_volume(VsmDiskPlanner *planner, const VsmVolumeWish *wish, GError **error) {
        VsmDiskStep *step = new_step(VSM_DISK_COPY, NULL);

        step->from_path = g_strdup(wish->source);
        g_ptr_array_add(planner->plan->volumes, step);

        return vsm_disk_plan_source(planner, NULL, step, error) &&
               (!step->from || vsm_disk_plan_place(planner, step, wish->path, NULL, error));
}

/* ---- all of them ---- */

static bool plan_all(VsmDiskPlanner *planner, GPtrArray *disks, GError **error) {
        const VsmChanges *changes = planner->input->options->changes;

        for (guint i = 0; changes && changes->disks && i < changes->disks->len; i++) {
                const VsmDiskWish *wish = g_ptr_array_index(changes->disks, i);

                if (strcmp(wish->target, VSM_DISK_WISH_ALL) != 0 && !vsm_disks_find(disks, wish->target))
                        vsm_reasons_add(planner->reasons, "unknown-disk", wish->target, NULL, wish->target,
                                        NULL);
        }

        for (guint i = 0; i < disks->len; i++)
                if (!plan_disk(planner, g_ptr_array_index(disks, i), error))
                        return false;

        for (guint i = 0; changes && i < changes->volumes->len; i++)
                if (!plan_volume(planner, g_ptr_array_index(changes->volumes, i), error))
                        return false;

        return true;
}

/* libvirt copies either only the uppermost image of each disk, or all of each. */
static void decide_incremental(VsmDiskPlan *plan) {
        bool any = false, all = true;

        for (guint i = 0; i < plan->disks->len; i++) {
                VsmDiskStep *step = g_ptr_array_index(plan->disks, i);

                if (step->kind != VSM_DISK_COPY || !step->to)
                        continue;

                any = any || step->to->backing;
                all = all && (step->to->backing || !step->based);
        }

        plan->incremental = any && all;
        for (guint i = 0; i < plan->disks->len && !plan->incremental && !plan->off; i++) {
                VsmDiskStep *step = g_ptr_array_index(plan->disks, i);

                if (step->to)
                        g_clear_pointer(&step->to->backing, g_free);
        }
}

static bool read_planned(VsmDiskPlanner *planner, GError **error) {
        const VsmChanges *changes = planner->input->options->changes;
        g_autoptr(virDomain) domain = NULL;
        g_autofree char *xml = NULL;

        if (!changes || !changes->planned)
                return true;

        domain = vsm_domain_find(planner->input->there, changes->planned, error);
        if (!domain)
                return false;

        xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
        if (!xml) {
                vsm_virt_error(error, "Cannot read the definition of the planned system");
                return false;
        }

        planner->plan->planned = g_strdup(changes->planned);
        planner->planned_disks = vsm_disks_from_xml(xml, error);
        return planner->planned_disks && vsm_planned_from_xml(xml, &planner->planned, error);
}

static void planner_clear(VsmDiskPlanner *planner) {
        g_clear_pointer(&planner->pools, g_ptr_array_unref);
        g_clear_pointer(&planner->uses, g_hash_table_unref);
        g_clear_pointer(&planner->planned_disks, g_ptr_array_unref);
        vsm_planned_free(planner->planned);
}

VsmDiskPlan *vsm_disk_plan_new(const VsmDiskPlanInput *input, VsmReasons *reasons, GError **error) {
        g_autoptr(VsmDiskPlan) plan = g_new0(VsmDiskPlan, 1);
        g_autofree char *xml = virDomainGetXMLDesc(input->domain, 0);
        g_autoptr(GPtrArray) disks = NULL;
        VsmDiskPlanner planner = {.input = input, .plan = plan, .reasons = reasons};
        bool ok;

        plan->disks = g_ptr_array_new_with_free_func(step_free);
        plan->volumes = g_ptr_array_new_with_free_func(step_free);
        if (!xml) {
                vsm_virt_error(error, "Cannot read which disks the system has");
                return NULL;
        }

        disks = vsm_disks_from_xml(xml, error);
        if (!disks)
                return NULL;

        plan->off = input->restart || virDomainIsActive(input->domain) == 0;
        planner.local = input->here == input->there;
        planner.pools = vsm_pools_list(input->there, planner.local ? input->options->directories : NULL,
                                       error);

        ok = planner.pools && read_planned(&planner, error) && plan_all(&planner, disks, error);
        planner_clear(&planner);
        if (!ok)
                return NULL;

        decide_incremental(plan);
        return g_steal_pointer(&plan);
}
