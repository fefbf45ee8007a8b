/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A definition in which something is different. Through the tree, so that what is in a name comes out
 * escaped, whatever it is, and what we do not know stays as it was. Pure: any thread. */

#include <string.h>

#include "daemon/virt/definition-private.h"
#include "daemon/virt/internal.h"
#include "daemon/virt/xml.h"
#include "shared/error.h"
#include "shared/names.h"

/* ---- names and texts ---- */

/* Puts the text of a child of the root; libvirt does not mind the order of elements, people do. */
static void put_text(xmlNode *root, const char *name, const char *text, const char *behind) {
        xmlNode *old = vsm_xml_child(root, name, NULL), *node, *neighbour;

        node = xmlNewDocNode(root->doc, NULL, BAD_CAST name, NULL);
        xmlNodeAddContent(node, BAD_CAST text);

        if (old) {
                xmlReplaceNode(old, node);
                xmlFreeNode(old);
                return;
        }

        neighbour = vsm_xml_child(root, behind, NULL);
        if (neighbour)
                xmlAddNextSibling(neighbour, node);
        else
                xmlAddChild(root, node);
}

/* What is shown of a system is its title, or its description where it has none. The one that is shown
 * is changed; a title has one line only. */
static void change_description(xmlNode *root, const char *description) {
        if (!*description) {
                vsm_xml_remove_child(root, "title");
                vsm_xml_remove_child(root, "description");
        } else if (vsm_xml_child(root, "title", NULL) && !strchr(description, '\n'))
                put_text(root, "title", description, "name");
        else {
                vsm_xml_remove_child(root, "title");
                put_text(root, "description", description, "name");
        }
}

/* ---- disks ---- */

/* The new source has of the old one what belongs to the content (how it is encrypted) and to the drive;
 * what belongs to the old place (label, slices, reservations, a number in a list, other hosts) does not. */
static xmlNode *new_source(const VsmDiskPlace *place, xmlNode *old) {
        g_autofree char *policy = vsm_xml_attribute(old, "startupPolicy");
        xmlNode *source = xmlNewNode(NULL, BAD_CAST "source");
        xmlNode *encryption = old ? vsm_xml_child(old, "encryption", NULL) : NULL;

        xmlNewProp(source, BAD_CAST(place->block ? "dev" : "file"), BAD_CAST place->path);
        if (policy)
                xmlNewProp(source, BAD_CAST "startupPolicy", BAD_CAST policy);

        if (encryption) {
                xmlUnlinkNode(encryption);
                xmlAddChild(source, encryption);
        }

        return source;
}

static void change_disk(xmlNode *disk, const VsmDiskPlace *place) {
        xmlNode *old = vsm_xml_child(disk, "source", NULL), *driver, *source;

        source = new_source(place, old);
        if (old) {
                xmlReplaceNode(old, source);
                xmlFreeNode(old);
        } else
                xmlAddChild(disk, source);

        /* libvirt looks anew at what the image is based on */
        vsm_xml_remove_child(disk, "backingStore");
        vsm_xml_remove_child(disk, "mirror");

        xmlSetProp(disk, BAD_CAST "type", BAD_CAST(place->block ? "block" : "file"));
        driver = vsm_xml_child(disk, "driver", NULL);
        if (place->format) {
                if (!driver) {
                        driver = xmlNewNode(NULL, BAD_CAST "driver");
                        xmlNewProp(driver, BAD_CAST "name", BAD_CAST "qemu");
                        xmlAddPrevSibling(source, driver);
                }
                xmlSetProp(driver, BAD_CAST "type", BAD_CAST place->format);
        }
}

static xmlNode *find_disk(xmlDoc *doc, const char *target) {
        for (xmlNode *node = NULL; (node = vsm_definition_next(doc, "disk", node));) {
                g_autofree char *its = vsm_definition_disk_target(node);

                if (g_strcmp0(its, target) == 0)
                        return node;
        }

        return NULL;
}

static bool change_disks(xmlDoc *doc, const VsmDefinitionChange *change, GError **error) {
        for (guint i = 0; change->disks && i < change->disks->len; i++) {
                const VsmDiskPlace *place = g_ptr_array_index(change->disks, i);
                xmlNode *disk = find_disk(doc, place->target);

                if (!disk && change->may_lack)
                        continue;

                if (!disk) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                                    "The system has no disk '%s'", place->target);
                        return false;
                }

                if (vsm_xml_child(disk, "readonly", NULL) || vsm_xml_attribute_is(disk, "device", "cdrom") ||
                    vsm_xml_attribute_is(disk, "device", "floppy")) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                                    "Disk '%s' is a CD-ROM, a floppy or read-only: such a one cannot be put "
                                    "elsewhere in a migration",
                                    place->target);
                        return false;
                }

                change_disk(disk, place);
        }

        return true;
}

/* ---- interfaces ---- */

/* What the old connection had and the new one may not: kind of switch, its port, and what libvirt wrote of
 * the live one. A name of the tap device that somebody chose stays; vnet<n> is the other host's to give. */
static void drop_connection(xmlNode *interface) {
        static const char *const parts[] = {"source", "virtualport", "actual", "portForwarding"};
        xmlNode *target = vsm_xml_child(interface, "target", NULL);
        g_autofree char *dev = vsm_xml_attribute(target, "dev");

        for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
                vsm_xml_remove_child(interface, parts[i]);

        if (dev && (g_str_has_prefix(dev, "vnet") || g_str_has_prefix(dev, "macvtap"))) {
                xmlUnlinkNode(target);
                xmlFreeNode(target);
        }
}

static void change_interface(xmlNode *interface, const VsmInterfacePlace *place) {
        const char *type = place->bridge ? "bridge" : "network";
        xmlNode *source, *mac;

        drop_connection(interface);
        xmlSetProp(interface, BAD_CAST "type", BAD_CAST type);

        source = xmlNewNode(NULL, BAD_CAST "source");
        xmlNewProp(source, BAD_CAST type, BAD_CAST place->name);
        mac = vsm_xml_child(interface, "mac", NULL);
        xmlAddNextSibling(mac, source);
}

static xmlNode *find_interface(xmlDoc *doc, const char *mac) {
        for (xmlNode *node = NULL; (node = vsm_definition_next(doc, "interface", node));) {
                g_autofree char *its = vsm_definition_interface_mac(node);

                if (g_strcmp0(its, mac) == 0)
                        return node;
        }

        return NULL;
}

static bool change_interfaces(xmlDoc *doc, const VsmDefinitionChange *change, GError **error) {
        for (guint i = 0; change->interfaces && i < change->interfaces->len; i++) {
                const VsmInterfacePlace *place = g_ptr_array_index(change->interfaces, i);
                xmlNode *interface = find_interface(doc, place->mac);

                if (!interface && change->may_lack)
                        continue;

                if (!interface) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                                    "The system has no network interface with the address %s", place->mac);
                        return false;
                }

                /* a device of the host behind it: the guest would lose that, or is not migrated at all */
                if (vsm_xml_attribute_is(interface, "type", "hostdev") ||
                    vsm_xml_attribute_is(interface, "type", "vdpa") ||
                    vsm_xml_attribute_is(interface, "type", "vhostuser")) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                                    "Network interface %s is a device of its host: it cannot be put on "
                                    "another "
                                    "network in a migration",
                                    place->mac);
                        return false;
                }

                change_interface(interface, place);
        }

        return true;
}

/* ---- our mark ---- */

static void remove_planned(xmlDoc *doc) {
        xmlNode *mark = vsm_definition_planned(doc), *metadata;

        if (!mark)
                return;

        metadata = mark->parent;
        xmlUnlinkNode(mark);
        xmlFreeNode(mark);
        if (!xmlFirstElementChild(metadata)) {
                xmlUnlinkNode(metadata);
                xmlFreeNode(metadata);
        }
}

static void put_planned(xmlDoc *doc, const VsmPlanned *planned) {
        xmlNode *root = xmlDocGetRootElement(doc), *metadata, *mark;
        xmlNs *ns;

        remove_planned(doc);
        metadata = vsm_xml_child(root, "metadata", NULL) ?: vsm_xml_add(root, "metadata", NULL);
        mark = xmlNewChild(metadata, NULL, BAD_CAST VSM_METADATA_PLANNED_ELEMENT, NULL);
        ns = xmlNewNs(mark, BAD_CAST VSM_METADATA_PLANNED_URI, BAD_CAST "vsm-planned");
        xmlSetNs(mark, ns);

        xmlNewProp(mark, BAD_CAST "source", BAD_CAST planned->source);
        xmlNewProp(mark, BAD_CAST "job", BAD_CAST planned->job);
        for (guint i = 0; i < planned->volumes->len; i++) {
                const VsmPlannedVolume *volume = g_ptr_array_index(planned->volumes, i);
                xmlNode *node = xmlNewChild(mark, ns, BAD_CAST "volume", NULL);

                xmlNewProp(node, BAD_CAST "path", BAD_CAST volume->path);
                xmlNewProp(node, BAD_CAST "pool", BAD_CAST volume->pool);
        }
}

/* ---- all of it ---- */

char *vsm_definition_change(const char *xml, const VsmDefinitionChange *change, GError **error) {
        g_autoptr(xmlDoc) doc = vsm_definition_parse(xml, error);
        xmlNode *root;

        if (!doc)
                return NULL;

        root = xmlDocGetRootElement(doc);
        if (change->name)
                put_text(root, "name", change->name, "name");
        if (change->description)
                change_description(root, change->description);
        if (!change_disks(doc, change, error) || !change_interfaces(doc, change, error))
                return NULL;

        if (change->planned)
                put_planned(doc, change->planned);
        else if (change->remove_planned)
                remove_planned(doc);

        return vsm_xml_to_text(doc);
}
