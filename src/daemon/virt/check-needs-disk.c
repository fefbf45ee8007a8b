/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a disk of a system's definition uses of its host, with all files below it that it is based on.
 * Pure: any thread. */

#include <string.h>

#include "daemon/virt/check-needs.h"
#include "daemon/virt/internal.h"

#define CHAIN_MAX 256   /* libvirt follows 200 */

static void read_network_source(VsmNeeds *needs, const xmlNode *source, const char *target) {
        g_autofree char *protocol = vsm_needs_attribute(source, "protocol");
        g_autofree char *name = vsm_needs_attribute(source, "name"), *text = NULL;

        text = g_strdup_printf("%s:%s", protocol ?: "network", name ?: "");
        vsm_needs_add(needs, VSM_NEED_STORAGE, text, NULL, target);
}

/* type: of the element around source */
static void read_source(VsmNeeds *needs, const xmlNode *source, const char *type, const char *target) {
        g_autofree char *name = NULL, *volume = NULL;

        if (g_strcmp0(type, "file") == 0) {
                name = vsm_needs_attribute(source, "file");
                vsm_needs_add(needs, VSM_NEED_FILE, name, NULL, target);
        } else if (g_strcmp0(type, "block") == 0) {
                name = vsm_needs_attribute(source, "dev");
                vsm_needs_add(needs, VSM_NEED_BLOCK, name, NULL, target);
        } else if (g_strcmp0(type, "volume") == 0) {
                name = vsm_needs_attribute(source, "pool");
                volume = vsm_needs_attribute(source, "volume");
                vsm_needs_add(needs, VSM_NEED_VOLUME, name, volume, target);
        } else if (g_strcmp0(type, "dir") == 0) {
                name = vsm_needs_attribute(source, "dir");
                vsm_needs_add(needs, VSM_NEED_PATH, name, NULL, target);
        } else if (g_strcmp0(type, "network") == 0)
                read_network_source(needs, source, target);
        else
                vsm_needs_add(needs, VSM_NEED_STORAGE, type ?: "unknown", NULL, target);
}

static const char* use_of(const xmlNode *disk) {
        if (vsm_xml_child(disk, "transient", NULL))
                return "transient";
        if (vsm_xml_child(disk, "readonly", NULL) || vsm_needs_attribute_is(disk, "device", "cdrom"))
                return "ro";

        return vsm_xml_child(disk, "shareable", NULL) ? "shared" : "rw";
}

void vsm_needs_read_disk(VsmNeeds *needs, const xmlNode *disk) {
        g_autofree char *target = vsm_needs_attribute(vsm_xml_child(disk, "target", NULL), "dev");
        const xmlNode *layer = disk;

        vsm_needs_add(needs, VSM_NEED_DISK, target ?: "?", use_of(disk), NULL);

        /* the medium of an empty drive is nowhere */
        for (unsigned i = 0; layer && i < CHAIN_MAX; i++) {
                const xmlNode *source = vsm_xml_child(layer, "source", NULL);
                g_autofree char *type = vsm_needs_attribute(layer, "type");

                if (source)
                        read_source(needs, source, type, target);

                layer = vsm_xml_child(layer, "backingStore", NULL);
        }
}
