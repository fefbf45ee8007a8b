/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Workers. */

#include "daemon/log.h"
#include "daemon/virt/block-copy.h"
#include "daemon/virt/patience.h"
#include "daemon/virt/xml.h"
#include "shared/error.h"

#define POLL_USEC       (G_USEC_PER_SEC / 5)
#define PIVOT_USEC      (60 * G_USEC_PER_SEC)
#define HEAR_USEC       (10 * G_USEC_PER_SEC)
#define HEAR_POLL_USEC  (G_USEC_PER_SEC / 50)

/* <disk type='file'><driver type='qcow2'/><source file='...'/></disk> */
static char* place_to_xml(const char *path, bool block, const char *format) {
        g_autoptr(xmlDoc) doc = xmlNewDoc(BAD_CAST "1.0");
        xmlNode *root = xmlNewDocNode(doc, NULL, BAD_CAST "disk", NULL), *node;

        xmlDocSetRootElement(doc, root);
        xmlNewProp(root, BAD_CAST "type", BAD_CAST (block ? "block" : "file"));
        node = xmlNewChild(root, NULL, BAD_CAST "source", NULL);
        xmlNewProp(node, BAD_CAST (block ? "dev" : "file"), BAD_CAST path);
        node = xmlNewChild(root, NULL, BAD_CAST "driver", NULL);
        xmlNewProp(node, BAD_CAST "type", BAD_CAST format);
        return vsm_xml_to_text(doc);
}

/* REUSE_EXT: the volume was made by us, libvirt makes nothing. TRANSIENT_JOB: a copy does not outlive its
 * QEMU, which is as it should be. */
static bool begin(
                virDomainPtr domain,
                const char *target,
                const char *xml,
                bool incremental,
                uint64_t bandwidth,
                GError **error) {

        virTypedParameterPtr params = NULL;
        int n_params = 0, n_allocated = 0, r = 0;
        unsigned flags = VIR_DOMAIN_BLOCK_COPY_REUSE_EXT | VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB |
                (incremental ? VIR_DOMAIN_BLOCK_COPY_SHALLOW : 0);

        if (bandwidth > 0)
                r = virTypedParamsAddULLong(&params, &n_params, &n_allocated, VIR_DOMAIN_BLOCK_COPY_BANDWIDTH,
                                            bandwidth);
        if (r >= 0)
                r = virDomainBlockCopy(domain, target, xml, params, n_params, flags);
        if (r < 0)
                vsm_virt_error(error, "Disk '%s' cannot be copied", target);

        virTypedParamsFree(params, n_params);
        return r >= 0;
}

bool vsm_block_copy_begin(
                virDomainPtr domain,
                const VsmDiskStep *step,
                bool incremental,
                uint64_t bandwidth,
                GError **error) {

        g_autofree char *xml = place_to_xml(step->to->path, step->to->block, step->to->format);

        return begin(domain, step->target, xml, incremental, bandwidth, error);
}

bool vsm_block_copy_limit(virDomainPtr domain, const VsmDiskStep *step, uint64_t bandwidth, GError **error) {
        if (virDomainBlockJobSetSpeed(domain, step->target, bandwidth,
                                      VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES) >= 0)
                return true;

        vsm_virt_error(error, "The copying of disk '%s' cannot be limited", step->target);
        return false;
}

static bool look(virDomainPtr domain, const char *target, virDomainBlockJobInfo *ret, GError **error) {
        int r = virDomainGetBlockJobInfo(domain, target, ret, 0);

        if (r > 0)
                return true;

        if (r < 0)
                vsm_virt_error(error, "libvirt does not tell how far disk '%s' is", target);
        else
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                            "The copy of disk '%s' has ended before its time: the new place may be full, or "
                            "somebody has ended it", target);
        return false;
}

/* libvirt lets both numbers be the same only once QEMU has said that it is ready. */
static bool is_ready(const virDomainBlockJobInfo *info) {
        return info->end > 0 && info->cur == info->end;
}

bool vsm_block_copy_look(
                virDomainPtr domain,
                const VsmDiskStep *step,
                VsmTransferStats *stats,
                bool *ret_ready,
                GError **error) {

        virDomainBlockJobInfo info;

        if (!look(domain, step->target, &info, error))
                return false;

        /* At its beginning it tells nothing of its length. */
        stats->disk_total += MAX(info.end, step->capacity);
        stats->disk_processed += info.cur;
        stats->disk_remaining += MAX(info.end, step->capacity) - info.cur;
        *ret_ready = is_ready(&info);
        return true;
}

static GPtrArray* disks_of(virDomainPtr domain, unsigned flags, GError **error) {
        char *xml = virDomainGetXMLDesc(domain, flags);
        GPtrArray *disks;

        if (!xml) {
                vsm_virt_error(error, "libvirt does not tell the definition");
                return NULL;
        }

        disks = vsm_disks_from_xml(xml, error);
        free(xml);
        return disks;
}

/* QEMU does not look at virtio's queues while it changes images; all other controllers take requests from the guest's
 * processors at any time, and those wait for the end of the change. QEMU 7.2 was seen to die on IDE, most likely of one
 * that was let go too early: bdrv_co_write_req_prepare: Assertion `child->perm & BLK_PERM_WRITE' failed. Once in 1300
 * changes, and not in 1000 more with a busier guest. A guest that stands still sends no requests. */
bool vsm_block_copy_halts(virDomainPtr domain, const char *target, bool *ret, GError **error) {
        g_autoptr(GPtrArray) disks = NULL;
        const VsmDisk *disk;
        int state;

        *ret = false;
        if (virDomainGetState(domain, &state, NULL, 0) < 0) {
                vsm_virt_error(error, "libvirt does not tell the state of the system");
                return false;
        }
        if (state != VIR_DOMAIN_RUNNING)
                return true;

        disks = disks_of(domain, 0, error);
        if (!disks)
                return false;

        disk = vsm_disks_find(disks, target);
        *ret = !disk || g_strcmp0(disk->bus, "virtio") != 0;
        return true;
}

/* libvirt comes back when QEMU has changed over, and the job has gone. False with *ret_again: not yet. */
static bool change_over(virDomainPtr domain, const char *target, bool *ret_again, GError **error) {
        bool halts, ok;

        *ret_again = false;
        if (!vsm_block_copy_halts(domain, target, &halts, error))
                return false;
        if (halts && virDomainSuspend(domain) < 0) {
                vsm_virt_error(error, "The system could not be paused for the moment in which disk '%s' changes over",
                               target);
                return false;
        }

        ok = virDomainBlockJobAbort(domain, target, VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT) >= 0;
        if (!ok) {
                *ret_again = virGetLastErrorCode() == VIR_ERR_BLOCK_COPY_ACTIVE;
                vsm_virt_error(error, "Disk '%s' could not be changed over to its copy", target);
        }

        if (halts && virDomainResume(domain) < 0)
                vsm_log(LOG_WARNING, "System '%s' was not resumed after a disk had changed over; tried again later.",
                        virDomainGetName(domain));
        return ok;
}

/* That QEMU is ready libvirt says as soon as QEMU does, and lets nobody change over before it has dealt with QEMU's
 * event. */
static bool pivot(virDomainPtr domain, const char *target, GError **error) {
        int64_t patience = g_get_monotonic_time() + HEAR_USEC;

        for (;;) {
                g_autoptr(GError) local = NULL;
                bool again;

                if (change_over(domain, target, &again, &local))
                        return true;
                if (!again || g_get_monotonic_time() > patience) {
                        g_propagate_error(error, g_steal_pointer(&local));
                        return false;
                }

                (void) vsm_wait_sleep(HEAR_POLL_USEC, NULL);
        }
}

bool vsm_block_copy_pivot(virDomainPtr domain, const VsmDiskStep *step, GError **error) {
        return pivot(domain, step->target, error);
}

/* As long as it goes on. */
static bool wait_and_pivot(virDomainPtr domain, const char *target, GError **error) {
        int64_t patience = g_get_monotonic_time() + PIVOT_USEC;
        uint64_t last = 0;

        for (;;) {
                virDomainBlockJobInfo info;

                if (!look(domain, target, &info, error))
                        return false;
                if (is_ready(&info))
                        return pivot(domain, target, error);

                if (info.cur != last)
                        patience = g_get_monotonic_time() + PIVOT_USEC;
                last = info.cur;
                if (g_get_monotonic_time() > patience) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_TIMEOUT, "The copying of disk '%s' stands still",
                                    target);
                        return false;
                }

                (void) vsm_wait_sleep(POLL_USEC, NULL);
        }
}

bool vsm_block_copy_return(virDomainPtr domain, const VsmDiskStep *step, bool incremental, GError **error) {
        g_autofree char *xml = place_to_xml(step->from_path, g_strcmp0(step->from_layer.type, "block") == 0,
                                            step->from_format ?: "raw");

        if (!begin(domain, step->target, xml, incremental, 0, error))
                return false;
        if (wait_and_pivot(domain, step->target, error))
                return true;

        (void) virDomainBlockJobAbort(domain, step->target, 0);
        return false;
}

/* ---- afterwards ---- */

static bool uses(virDomainPtr domain, unsigned flags, const char *path, bool *ret, GError **error) {
        g_autoptr(GPtrArray) disks = disks_of(domain, flags, error);

        if (!disks)
                return false;

        *ret = false;
        for (guint i = 0; i < disks->len && !*ret; i++)
                *ret = g_strcmp0(((VsmDisk*) disks->pdata[i])->source.path, path) == 0;
        return true;
}

/* A place where nothing was made, a LUN say, is told by the copy alone; those of earlier versions do not tell. */
static const char* place_of(const VsmEffect *effect, bool by_copies) {
        if (by_copies)
                return effect->kind == VSM_EFFECT_BLOCK_COPY ? vsm_effect_copy_path(effect) : NULL;

        return effect->kind == VSM_EFFECT_VOLUME ? effect->object : NULL;
}

static bool copies_tell(GPtrArray *effects) {
        for (guint i = 0; i < effects->len; i++)
                if (place_of(effects->pdata[i], /* by_copies = */ true))
                        return true;

        return false;
}

/* What of the new places is in use: in the running definition, and in the stored one if there is one. */
static bool count_uses(virDomainPtr domain, GPtrArray *effects, guint *ret_live, guint *ret_stored, GError **error) {
        bool by_copies = copies_tell(effects);

        *ret_live = *ret_stored = 0;
        for (guint i = 0; i < effects->len; i++) {
                const char *place = place_of(effects->pdata[i], by_copies);
                bool live, stored;

                if (!place)
                        continue;

                if (!uses(domain, 0, place, &live, error))
                        return false;
                stored = live;
                if (virDomainIsPersistent(domain) == 1 &&
                    !uses(domain, VIR_DOMAIN_XML_INACTIVE, place, &stored, error))
                        return false;

                *ret_live += live;
                *ret_stored += stored;
        }

        return true;
}

static guint count_copies(GPtrArray *effects) {
        guint n = 0;

        for (guint i = 0; i < effects->len; i++)
                n += ((VsmEffect*) effects->pdata[i])->kind == VSM_EFFECT_BLOCK_COPY;
        return n;
}

/* The copies that are still there. */
static bool go_on(virDomainPtr domain, GPtrArray *effects, GError **error) {
        for (guint i = 0; i < effects->len; i++) {
                const VsmEffect *effect = effects->pdata[i];
                g_autofree char *target = vsm_effect_copy_target(effect);
                virDomainBlockJobInfo info;

                if (effect->kind == VSM_EFFECT_BLOCK_COPY &&
                    virDomainGetBlockJobInfo(domain, target, &info, 0) > 0 &&
                    info.type == VIR_DOMAIN_BLOCK_JOB_TYPE_COPY &&
                    !wait_and_pivot(domain, target, error))
                        return false;
        }

        return true;
}

bool vsm_block_copy_is_over(
                virConnectPtr connection,
                const char *uuid,
                GPtrArray *effects,
                VsmBlockCopyEnd *ret,
                GError **error) {

        g_autoptr(virDomain) domain = vsm_domain_find(connection, uuid, error);
        guint copies = count_copies(effects), live, stored;

        if (!domain || !count_uses(domain, effects, &live, &stored, error))
                return false;

        /* The first is changed over when all are ready, so the others can follow; the way back is longer. */
        if (live > 0 && live < copies) {
                g_autoptr(GError) local = NULL;

                (void) go_on(domain, effects, &local);
                if (!count_uses(domain, effects, &live, &stored, error))
                        return false;
        }

        /* without block copies it was off, and its definition was changed as a whole */
        if (live == 0 && stored == 0)
                *ret = VSM_BLOCK_COPY_NONE;
        else if (copies == 0 || (live >= copies && stored >= copies))
                *ret = VSM_BLOCK_COPY_ALL;
        else
                *ret = VSM_BLOCK_COPY_SOME;
        return true;
}
