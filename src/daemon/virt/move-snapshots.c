/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What libvirt knows of a guest's snapshots goes along with the definition of one that is not moved live. The
 * snapshots themselves are inside its images, or are files that both hosts have. The long lane. */

#include <string.h>

#include "daemon/virt/move-place.h"
#include "daemon/virt/xml.h"
#include "shared/error.h"

static void snapshot_free(void *snapshot) {
        virDomainSnapshotFree(snapshot);
}

/* virDomainSnapshotPtr, parents before their children. */
static GPtrArray* list(virDomainPtr domain, GError **error) {
        g_autoptr(GPtrArray) snapshots = g_ptr_array_new_with_free_func(snapshot_free);
        virDomainSnapshotPtr *array = NULL;
        int n;

        n = virDomainListAllSnapshots(domain, &array, VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL);
        if (n < 0) {
                vsm_virt_error(error, "libvirt does not list its snapshots");
                return NULL;
        }

        for (int i = 0; i < n; i++)
                g_ptr_array_add(snapshots, array[i]);

        free(array);
        return g_steal_pointer(&snapshots);
}

static char* describe(virDomainSnapshotPtr snapshot, GError **error) {
        char *xml = virDomainSnapshotGetXMLDesc(snapshot, VIR_DOMAIN_SNAPSHOT_XML_SECURE);

        if (!xml)
                vsm_virt_error(error, "libvirt does not tell of a snapshot");
        return xml;
}

static bool is_external(const xmlNode *node) {
        return node && vsm_xml_attribute_is(node, "snapshot", "external");
}

/* Of its memory, or of a disk, in a file of its own. */
static bool has_files(const char *xml, bool *ret, GError **error) {
        g_autoptr(xmlDoc) doc = vsm_xml_parse(xml, VSM_DEFINITION_MAX, error);
        xmlNode *root, *disks;

        if (!doc)
                return false;

        root = xmlDocGetRootElement(doc);
        *ret = is_external(vsm_xml_child(root, "memory", NULL));
        disks = vsm_xml_child(root, "disks", NULL);
        for (xmlNode *disk = disks ? disks->children : NULL; disk; disk = disk->next)
                *ret |= vsm_xml_is(disk, "disk") && is_external(disk);

        return true;
}

/* Each snapshot has the definition of its time, with the disks where they were. */
static const char* why_not(const VsmDiskPlan *plan, bool renamed, bool files) {
        if (renamed)
                return "know it by its name: it cannot have another one there";

        for (guint i = 0; i < plan->disks->len; i++) {
                const VsmDiskStep *step = plan->disks->pdata[i];

                if (step->kind != VSM_DISK_COPY)
                        continue;

                if (files)
                        return "are files of their own, which are not copied";
                if (g_strcmp0(step->from_path, step->to->path) != 0)
                        return "know its disks by their paths: those cannot be others there";
        }

        return NULL;
}

bool vsm_snapshots_check(virDomainPtr domain, const VsmDiskPlan *plan, bool renamed, GError **error) {
        g_autoptr(GPtrArray) snapshots = list(domain, error);
        bool files = false;
        const char *why;

        if (!snapshots)
                return false;
        if (snapshots->len == 0)
                return true;

        for (guint i = 0; i < snapshots->len && !files; i++) {
                char *xml = describe(snapshots->pdata[i], error);
                bool ok = xml && has_files(xml, &files, error);

                free(xml);
                if (!ok)
                        return false;
        }

        why = why_not(plan, renamed, files);
        if (why)
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "The snapshots of system '%s' %s, or remove the snapshots", virDomainGetName(domain),
                            why);
        return !why;
}

bool vsm_snapshots_copy(VsmMove *move, VsmSettle *settle, GError **error) {
        g_autoptr(virDomain) here = vsm_domain_find(settle->source, move->options.uuid, error);
        g_autoptr(virDomain) there = NULL;
        g_autoptr(GPtrArray) snapshots = here ? list(here, error) : NULL;

        if (!snapshots)
                return false;

        there = vsm_domain_find(vsm_peer_connection(settle->peer), move->options.uuid, error);
        if (!there)
                return false;

        for (guint i = 0; i < snapshots->len; i++) {
                virDomainSnapshotPtr snapshot = snapshots->pdata[i], copy;
                const char *name = virDomainSnapshotGetName(snapshot);
                unsigned flags = VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE;
                char *xml;

                if (virDomainSnapshotIsCurrent(snapshot, 0) > 0)
                        flags |= VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT;

                xml = describe(snapshot, error);
                if (!xml)
                        return false;

                copy = virDomainSnapshotCreateXML(there, xml, flags);
                free(xml);
                if (!copy) {
                        vsm_virt_error_as(error, VSM_ERROR_FAILED, "Host '%s' does not take what is told of "
                                                                   "snapshot '%s'",
                                          vsm_peer_host(settle->peer), name);
                        return false;
                }

                virDomainSnapshotFree(copy);
        }

        return true;
}
