/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The list of what a system's definition uses of its host, and the parts of it that are no devices. The
 * definition comes from libvirt, but names in it from whoever wrote it. Pure: any thread. */

#include <string.h>

#include "daemon/virt/check-needs.h"
#include "daemon/virt/internal.h"
#include "shared/error.h"

#define DEFINITION_MAX (8U << 20)       /* bytes; libvirt's own limit for a text is 4 MiB */
#define DEPTH_MAX      64               /* of elements, where all of them are looked at */
#define QEMU_NAMESPACE "http://libvirt.org/schemas/domain/qemu/1.0"

static const char *const kinds[] = {
        [VSM_NEED_NETWORK]     = "network",
        [VSM_NEED_BRIDGE]      = "bridge",
        [VSM_NEED_OVS_BRIDGE]  = "ovs-bridge",
        [VSM_NEED_LINK]        = "link",
        [VSM_NEED_DISK]        = "disk",
        [VSM_NEED_FILE]        = "file",
        [VSM_NEED_BLOCK]       = "block",
        [VSM_NEED_VOLUME]      = "volume",
        [VSM_NEED_STORAGE]     = "storage",
        [VSM_NEED_SECRET]      = "secret",
        [VSM_NEED_TPM]         = "tpm",
        [VSM_NEED_HOST_DEVICE] = "host-device",
        [VSM_NEED_LENT_DEVICE] = "lent-device",
        [VSM_NEED_VIRTIOFS]    = "virtiofs",
        [VSM_NEED_HUGE_PAGES]  = "huge-pages",
        [VSM_NEED_PATH]        = "path",
        [VSM_NEED_ADDRESS]     = "address",
        [VSM_NEED_PINNING]     = "pinning",
        [VSM_NEED_ARGUMENTS]   = "arguments",
        [VSM_NEED_UNKNOWN]     = "unknown",
};

G_STATIC_ASSERT(G_N_ELEMENTS(kinds) == _VSM_NEED_MAX);

const char* vsm_need_kind_to_string(VsmNeedKind kind) {
        return kinds[kind];
}

/* ---- the list ---- */

static void need_free(void *userdata) {
        VsmNeed *need = userdata;

        g_free(need->name);
        g_free(need->detail);
        g_free(need->device);
        g_free(need);
}

VsmNeeds* vsm_needs_new(void) {
        VsmNeeds *needs = g_new0(VsmNeeds, 1);

        needs->list = g_ptr_array_new_with_free_func(need_free);
        return needs;
}

void vsm_needs_free(VsmNeeds *needs) {
        if (!needs)
                return;

        g_ptr_array_unref(needs->list);
        g_free(needs->virt_type);
        g_free(needs->arch);
        g_free(needs->machine);
        g_free(needs);
}

void vsm_needs_add(VsmNeeds *needs, VsmNeedKind kind, const char *name, const char *detail, const char *device) {
        VsmNeed *need;

        if (!name)
                return;

        /* a second disk of one pool, the console that is the first serial port: one question is enough */
        for (guint i = 0; i < needs->list->len; i++) {
                need = g_ptr_array_index(needs->list, i);
                if (need->kind == kind && strcmp(need->name, name) == 0 && g_strcmp0(need->detail, detail) == 0)
                        return;
        }

        need = g_new(VsmNeed, 1);
        *need = (VsmNeed) {
                .kind = kind,
                .name = g_strdup(name),
                .detail = g_strdup(detail),
                .device = g_strdup(device),
        };
        g_ptr_array_add(needs->list, need);
}

const VsmNeed* vsm_needs_next(const VsmNeeds *needs, VsmNeedKind kind, const VsmNeed *after) {
        bool seen = !after;

        for (guint i = 0; i < needs->list->len; i++) {
                const VsmNeed *need = g_ptr_array_index(needs->list, i);

                if (seen && need->kind == kind)
                        return need;
                if (need == after)
                        seen = true;
        }

        return NULL;
}

bool vsm_needs_has(const VsmNeeds *needs, VsmNeedKind kind) {
        return vsm_needs_next(needs, kind, NULL);
}

/* ---- XML ---- */

/* Takes it. A name that cannot be shown as it is still is a question. */
static char* take_text(xmlChar *text) {
        char *copy = text ? vsm_virt_text((const char *) text) : NULL;

        if (text && !*text)
                g_clear_pointer(&copy, g_free);
        xmlFree(text);
        return copy;
}

char* vsm_needs_attribute(const xmlNode *node, const char *name) {
        return node ? take_text(xmlGetNoNsProp((xmlNode *) node, BAD_CAST name)) : NULL;
}

char* vsm_needs_content(const xmlNode *node) {
        return node ? take_text(xmlNodeGetContent(node)) : NULL;
}

bool vsm_needs_is(const xmlNode *node, const char *name) {
        return node->type == XML_ELEMENT_NODE && !node->ns && xmlStrEqual(node->name, BAD_CAST name);
}

bool vsm_needs_attribute_is(const xmlNode *node, const char *name, const char *value) {
        g_autofree char *text = vsm_needs_attribute(node, name);

        return g_strcmp0(text, value) == 0;
}

/* ---- huge pages ---- */

/* KiB; 0 when it cannot be read. libvirt's units: KiB where there is none. */
static uint64_t size_of(const xmlNode *node, const char *text) {
        static const struct {
                const char *unit;
                uint64_t bytes;
        } units[] = {
                { "b",     1         }, { "bytes", 1                   },
                { "KB",    1000      }, { "K",     1U << 10            }, { "k",  1U << 10 }, { "KiB", 1U << 10 },
                { "MB",    1000000   }, { "M",     1U << 20            }, { "MiB", 1U << 20 },
                { "GB",    1000000000 }, { "G",    1U << 30            }, { "GiB", 1U << 30 },
                { "TB",    UINT64_C(1000000000000) }, { "T", UINT64_C(1) << 40 }, { "TiB", UINT64_C(1) << 40 },
        };
        g_autofree char *unit = vsm_needs_attribute(node, "unit");
        guint64 value;

        if (!text || !g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, &value, NULL))
                return 0;

        if (!unit)
                return value;

        for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
                if (strcmp(units[i].unit, unit) == 0)
                        return (units[i].bytes >= 1024 ? value * (units[i].bytes / 1024) :
                                value * units[i].bytes / 1024);

        return 0;
}

static void read_huge_pages(VsmNeeds *needs, const xmlNode *root) {
        const xmlNode *backing = vsm_xml_child(root, "memoryBacking", NULL);
        const xmlNode *pages = backing ? vsm_xml_child(backing, "hugepages", NULL) : NULL;
        bool any = false;

        for (const xmlNode *node = pages ? pages->children : NULL; node; node = node->next) {
                g_autofree char *text = NULL, *nodes = NULL, *size = NULL;

                if (!vsm_needs_is(node, "page"))
                        continue;

                text = vsm_needs_attribute(node, "size");
                nodes = vsm_needs_attribute(node, "nodeset");
                size = g_strdup_printf("%" G_GUINT64_FORMAT, size_of(node, text));
                vsm_needs_add(needs, VSM_NEED_HUGE_PAGES, size, nodes, NULL);
                any = true;
        }

        if (pages && !any)
                vsm_needs_add(needs, VSM_NEED_HUGE_PAGES, "0", NULL, NULL);
}

/* ---- the rest ---- */

static void read_os(VsmNeeds *needs, const xmlNode *os) {
        for (const xmlNode *node = os->children; node; node = node->next) {
                g_autofree char *path = NULL;

                if (vsm_needs_is(node, "type")) {
                        needs->arch = vsm_needs_attribute(node, "arch");
                        needs->machine = vsm_needs_attribute(node, "machine");
                } else if (vsm_needs_is(node, "kernel") || vsm_needs_is(node, "initrd") ||
                           vsm_needs_is(node, "dtb")) {
                        path = vsm_needs_content(node);
                        vsm_needs_add(needs, VSM_NEED_PATH, path, NULL, (const char *) node->name);
                } else if (vsm_needs_is(node, "nvram")) {
                        /* libvirt there makes the file from that; without one it has to have the file */
                        path = vsm_needs_attribute(node, "template") ?: vsm_needs_content(node);
                        vsm_needs_add(needs, VSM_NEED_PATH, path, NULL, "nvram");
                } else if (vsm_needs_is(node, "acpi")) {
                        path = vsm_needs_content(vsm_xml_child(node, "table", NULL));
                        vsm_needs_add(needs, VSM_NEED_PATH, path, NULL, "acpi");
                }
        }
}

/* Wherever they are: in disks, their sources and backing files, in host devices. */
static void read_secrets(VsmNeeds *needs, const xmlNode *parent, unsigned depth) {
        if (depth > DEPTH_MAX)
                return;

        for (const xmlNode *node = parent->children; node; node = node->next) {
                g_autofree char *uuid = NULL, *usage = NULL, *type = NULL;

                if (node->type != XML_ELEMENT_NODE || vsm_needs_is(node, "metadata"))
                        continue;

                if (vsm_needs_is(node, "secret")) {
                        uuid = vsm_needs_attribute(node, "uuid");
                        usage = vsm_needs_attribute(node, "usage");
                        type = vsm_needs_attribute(node, "type");
                        if (uuid)
                                vsm_needs_add(needs, VSM_NEED_SECRET, uuid, NULL, NULL);
                        else
                                vsm_needs_add(needs, VSM_NEED_SECRET, usage, type ?: "", NULL);
                } else if (vsm_needs_is(node, "encryption")) {
                        uuid = vsm_needs_attribute(node, "secret");     /* of a TPM */
                        vsm_needs_add(needs, VSM_NEED_SECRET, uuid, NULL, NULL);
                }

                read_secrets(needs, node, depth + 1);
        }
}

static void read_pinning(VsmNeeds *needs, const xmlNode *root) {
        const xmlNode *tune = vsm_xml_child(root, "cputune", NULL), *vcpu = vsm_xml_child(root, "vcpu", NULL);
        g_autofree char *cpus = vsm_needs_attribute(vcpu, "cpuset");

        vsm_needs_add(needs, VSM_NEED_PINNING, cpus ? "processors" : NULL, NULL, NULL);
        for (const xmlNode *node = tune ? tune->children : NULL; node; node = node->next)
                if (vsm_needs_is(node, "vcpupin") || vsm_needs_is(node, "emulatorpin") ||
                    vsm_needs_is(node, "iothreadpin"))
                        vsm_needs_add(needs, VSM_NEED_PINNING, "processors", NULL, NULL);

        tune = vsm_xml_child(root, "numatune", NULL);
        for (const xmlNode *node = tune ? tune->children : NULL; node; node = node->next) {
                g_autofree char *nodes = node->type == XML_ELEMENT_NODE ?
                        vsm_needs_attribute(node, "nodeset") : NULL;

                vsm_needs_add(needs, VSM_NEED_PINNING, nodes ? "memory nodes" : NULL, NULL, NULL);
        }
}

static void read_root(VsmNeeds *needs, const xmlNode *root) {
        needs->virt_type = vsm_needs_attribute(root, "type");

        for (const xmlNode *node = root->children; node; node = node->next) {
                if (vsm_needs_is(node, "os"))
                        read_os(needs, node);
                else if (vsm_needs_is(node, "devices"))
                        vsm_needs_read_devices(needs, node);
                else if (vsm_needs_is(node, "sysinfo"))
                        for (const xmlNode *entry = node->children; entry; entry = entry->next) {
                                g_autofree char *path = vsm_needs_is(entry, "entry") ?
                                        vsm_needs_attribute(entry, "file") : NULL;

                                vsm_needs_add(needs, VSM_NEED_PATH, path, NULL, "sysinfo");
                        }
                else if (node->type == XML_ELEMENT_NODE && node->ns &&
                         xmlStrEqual(node->ns->href, BAD_CAST QEMU_NAMESPACE) &&
                         (xmlStrEqual(node->name, BAD_CAST "commandline") ||
                          xmlStrEqual(node->name, BAD_CAST "override")))
                        vsm_needs_add(needs, VSM_NEED_ARGUMENTS, (const char *) node->name, NULL, NULL);
        }
}

VsmNeeds* vsm_needs_from_xml(const char *xml, GError **error) {
        g_autoptr(VsmNeeds) needs = NULL;
        g_autoptr(xmlDoc) doc = NULL;
        const xmlNode *root;

        doc = vsm_xml_parse(xml, DEFINITION_MAX, error);
        if (!doc)
                return NULL;

        root = xmlDocGetRootElement(doc);
        if (!root || !vsm_needs_is(root, "domain")) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "A system's definition is none");
                return NULL;
        }

        needs = vsm_needs_new();
        read_root(needs, root);
        read_huge_pages(needs, root);
        read_pinning(needs, root);
        read_secrets(needs, root, 0);
        return g_steal_pointer(&needs);
}

unsigned vsm_needs_page_size(const VsmNeeds *needs, const VsmNeed *need) {
        unsigned size = (unsigned) g_ascii_strtoull(need->name, NULL, 10);

        if (size > 0)
                return size;

        return g_strcmp0(needs->arch, "x86_64") == 0 ? 2048 : 0;
}
