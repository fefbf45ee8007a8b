/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading a definition: its disks, its interfaces, our mark on it. Pure: any thread. */

#include <string.h>

#include "daemon/virt/definition-private.h"
#include "daemon/virt/internal.h"
#include "daemon/virt/xml.h"
#include "shared/error.h"
#include "shared/names.h"

#define CHAIN_MAX 256 /* libvirt follows 200 */

xmlDoc *vsm_definition_parse(const char *xml, GError **error) {
        g_autoptr(xmlDoc) doc = vsm_xml_parse(xml, VSM_DEFINITION_MAX, error);

        if (!doc)
                return NULL;

        if (!vsm_xml_is(xmlDocGetRootElement(doc), "domain")) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "A system's definition is none");
                return NULL;
        }

        return g_steal_pointer(&doc);
}

xmlNode *vsm_definition_next(const xmlDoc *doc, const char *name, const xmlNode *after) {
        const xmlNode *devices = vsm_xml_child(xmlDocGetRootElement((xmlDoc *) doc), "devices", NULL);
        xmlNode *node = after ? after->next : devices ? devices->children : NULL;

        while (node && !vsm_xml_is(node, name))
                node = node->next;

        return node;
}

char *vsm_definition_disk_target(const xmlNode *disk) {
        return vsm_xml_attribute(vsm_xml_child(disk, "target", NULL), "dev");
}

char *vsm_definition_interface_mac(const xmlNode *interface) {
        g_autofree char *mac = vsm_xml_attribute(vsm_xml_child(interface, "mac", NULL), "address");

        return mac ? g_ascii_strdown(mac, -1) : NULL;
}

/* ---- disks ---- */

static void layer_clear(VsmLayer *layer) {
        g_free(layer->type);
        g_free(layer->path);
        g_free(layer->pool);
        g_free(layer->volume);
        g_free(layer->format);
}

static void layer_free(void *p) {
        layer_clear(p);
        g_free(p);
}

static void disk_free(void *p) {
        VsmDisk *disk = p;

        layer_clear(&disk->source);
        g_ptr_array_unref(disk->backing);
        g_free(disk->target);
        g_free(disk->device);
        g_free(disk->bus);
        g_free(disk->serial);
        g_free(disk->encryption);
        g_free(disk->secret);
        g_free(disk);
}

/* node: <disk> or <backingStore>, which have their image in the same words */
static void read_layer(const xmlNode *node, const xmlNode *format, VsmLayer *ret) {
        const xmlNode *source = vsm_xml_child(node, "source", NULL);

        *ret = (VsmLayer){
                        .type = vsm_xml_attribute(node, "type") ?: g_strdup("file"),
                        .format = vsm_xml_attribute(format, "type"),
        };

        if (strcmp(ret->type, "file") == 0)
                ret->path = vsm_xml_attribute(source, "file");
        else if (strcmp(ret->type, "block") == 0)
                ret->path = vsm_xml_attribute(source, "dev");
        else if (strcmp(ret->type, "volume") == 0) {
                ret->pool = vsm_xml_attribute(source, "pool");
                ret->volume = vsm_xml_attribute(source, "volume");
        }
}

static void read_backing(const xmlNode *disk, GPtrArray *backing) {
        const xmlNode *node = vsm_xml_child(disk, "backingStore", NULL);

        /* an empty element says that nothing is below */
        for (unsigned i = 0; node && vsm_xml_child(node, "source", NULL) && i < CHAIN_MAX; i++) {
                VsmLayer *layer = g_new(VsmLayer, 1);

                read_layer(node, vsm_xml_child(node, "format", NULL), layer);
                g_ptr_array_add(backing, layer);
                node = vsm_xml_child(node, "backingStore", NULL);
        }
}

/* In <source>, or in older texts beside it. */
static void read_encryption(const xmlNode *disk, VsmDisk *ret) {
        const xmlNode *source = vsm_xml_child(disk, "source", NULL);
        const xmlNode *encryption = source ? vsm_xml_child(source, "encryption", NULL) : NULL;

        encryption = encryption ?: vsm_xml_child(disk, "encryption", NULL);
        if (!encryption)
                return;

        ret->encryption = vsm_xml_attribute(encryption, "format") ?: g_strdup("unknown");
        ret->secret = vsm_xml_attribute(vsm_xml_child(encryption, "secret", NULL), "uuid");
}

static VsmDisk *read_disk(const xmlNode *node) {
        VsmDisk *disk = g_new0(VsmDisk, 1);

        read_layer(node, vsm_xml_child(node, "driver", NULL), &disk->source);
        disk->target = vsm_definition_disk_target(node) ?: g_strdup("?");
        disk->device = vsm_xml_attribute(node, "device") ?: g_strdup("disk");
        disk->bus = vsm_xml_attribute(vsm_xml_child(node, "target", NULL), "bus");
        disk->backing = g_ptr_array_new_with_free_func(layer_free);
        disk->serial = vsm_xml_content(vsm_xml_child(node, "serial", NULL));
        disk->empty = !disk->source.path && !disk->source.volume &&
                      (!vsm_xml_child(node, "source", NULL) || strcmp(disk->source.type, "file") == 0 ||
                       strcmp(disk->source.type, "block") == 0);
        disk->readonly = vsm_xml_child(node, "readonly", NULL) || strcmp(disk->device, "cdrom") == 0;
        disk->shareable = vsm_xml_child(node, "shareable", NULL);
        disk->transient = vsm_xml_child(node, "transient", NULL);
        disk->mirrored = vsm_xml_child(node, "mirror", NULL);
        read_encryption(node, disk);
        read_backing(node, disk->backing);

        return disk;
}

GPtrArray *vsm_disks_from_xml(const char *xml, GError **error) {
        g_autoptr(GPtrArray) disks = g_ptr_array_new_with_free_func(disk_free);
        g_autoptr(xmlDoc) doc = vsm_definition_parse(xml, error);

        if (!doc)
                return NULL;

        for (const xmlNode *node = NULL; (node = vsm_definition_next(doc, "disk", node));)
                g_ptr_array_add(disks, read_disk(node));

        return g_steal_pointer(&disks);
}

VsmDisk *vsm_disks_find(GPtrArray *disks, const char *target) {
        for (guint i = 0; i < disks->len; i++) {
                VsmDisk *disk = g_ptr_array_index(disks, i);

                if (strcmp(disk->target, target) == 0)
                        return disk;
        }

        return NULL;
}

bool vsm_layer_is_same_place(const VsmLayer *a, const VsmLayer *b) {
        if (a->path || b->path)
                return g_strcmp0(a->path, b->path) == 0;

        return a->volume && g_strcmp0(a->pool, b->pool) == 0 && g_strcmp0(a->volume, b->volume) == 0;
}

/* ---- interfaces ---- */

static void interface_free(void *p) {
        VsmInterface *interface = p;

        g_free(interface->mac);
        g_free(interface->type);
        g_free(interface->source);
        g_free(interface);
}

GPtrArray *vsm_interfaces_from_xml(const char *xml, GError **error) {
        g_autoptr(GPtrArray) interfaces = g_ptr_array_new_with_free_func(interface_free);
        g_autoptr(xmlDoc) doc = vsm_definition_parse(xml, error);

        if (!doc)
                return NULL;

        for (const xmlNode *node = NULL; (node = vsm_definition_next(doc, "interface", node));) {
                const xmlNode *source = vsm_xml_child(node, "source", NULL);
                VsmInterface *interface = g_new(VsmInterface, 1);

                *interface = (VsmInterface){
                                .mac = vsm_definition_interface_mac(node),
                                .type = vsm_xml_attribute(node, "type") ?: g_strdup("?"),
                };
                if (strcmp(interface->type, "network") == 0 || strcmp(interface->type, "bridge") == 0)
                        interface->source = vsm_xml_attribute(source, interface->type);
                g_ptr_array_add(interfaces, interface);
        }

        return g_steal_pointer(&interfaces);
}

/* ---- our mark ---- */

static void planned_volume_free(void *p) {
        VsmPlannedVolume *volume = p;

        g_free(volume->path);
        g_free(volume->pool);
        g_free(volume);
}

VsmPlanned *vsm_planned_new(const char *source, const char *job) {
        VsmPlanned *planned = g_new(VsmPlanned, 1);

        *planned = (VsmPlanned){
                        .source = g_strdup(source),
                        .job = g_strdup(job),
                        .volumes = g_ptr_array_new_with_free_func(planned_volume_free),
        };
        return planned;
}

void vsm_planned_add(VsmPlanned *planned, const char *path, const char *pool) {
        VsmPlannedVolume *volume = g_new(VsmPlannedVolume, 1);

        *volume = (VsmPlannedVolume){.path = g_strdup(path), .pool = g_strdup(pool ?: "")};
        g_ptr_array_add(planned->volumes, volume);
}

void vsm_planned_free(VsmPlanned *planned) {
        if (!planned)
                return;

        g_ptr_array_unref(planned->volumes);
        g_free(planned->source);
        g_free(planned->job);
        g_free(planned);
}

xmlNode *vsm_definition_planned(const xmlDoc *doc) {
        const xmlNode *metadata = vsm_xml_child(xmlDocGetRootElement((xmlDoc *) doc), "metadata", NULL);

        return metadata ? vsm_xml_child(metadata, VSM_METADATA_PLANNED_ELEMENT, VSM_METADATA_PLANNED_URI)
                        : NULL;
}

bool vsm_planned_from_xml(const char *xml, VsmPlanned **ret, GError **error) {
        g_autoptr(xmlDoc) doc = vsm_definition_parse(xml, error);
        g_autofree char *source = NULL, *job = NULL;
        const xmlNode *mark;

        *ret = NULL;
        if (!doc)
                return false;

        mark = vsm_definition_planned(doc);
        if (!mark)
                return true;

        source = vsm_xml_attribute(mark, "source");
        job = vsm_xml_attribute(mark, "job");
        *ret = vsm_planned_new(source ?: "", job ?: "");
        for (const xmlNode *node = mark->children; node; node = node->next) {
                g_autofree char *path = NULL, *pool = NULL;

                if (node->type != XML_ELEMENT_NODE || !xmlStrEqual(node->name, BAD_CAST "volume"))
                        continue;

                path = vsm_xml_attribute(node, "path");
                pool = vsm_xml_attribute(node, "pool");
                if (path)
                        vsm_planned_add(*ret, path, pool);
        }

        return true;
}
