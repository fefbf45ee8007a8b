/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A guest that runs becomes the planned system that was placed for it before (MigrationType Staged): what was
 * changed there is how it is to be there, as if it had been asked for. What the running guest sees of its
 * machine cannot change on the way, and is compared. The long lane. */

#include <string.h>

#include "daemon/virt/definition-private.h"
#include "daemon/virt/mark.h"
#include "daemon/virt/move-private.h"
#include "daemon/virt/xml.h"
#include "shared/enums.h"
#include "shared/error.h"

static char* stored_of(virDomainPtr domain, GError **error) {
        unsigned flags = VIR_DOMAIN_XML_MIGRATABLE | VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_INACTIVE;
        char *xml = virDomainGetXMLDesc(domain, flags), *text;

        if (!xml) {
                vsm_virt_error(error, "libvirt does not tell the definition");
                return NULL;
        }

        text = g_strdup(xml);
        free(xml);
        return text;
}

/* ---- what may not be different ---- */

static char* dump(const xmlNode *node) {
        xmlBuffer *buffer = xmlBufferCreate();
        char *text;

        xmlNodeDump(buffer, node->doc, (xmlNode *) node, 0, 0);
        text = g_strdup((const char *) xmlBufferContent(buffer));
        xmlBufferFree(buffer);
        return text;
}

static const xmlNode* child(const xmlNode *node, const char *name) {
        return vsm_xml_child(node, name, NULL);
}

/* Where it sits, and what it is; not to what of its host it is connected. */
static char* device_to_text(const xmlNode *device) {
        static const char *const attributes[] = { "index", "model", "device", "bus" };
        static const char *const parts[] = { "mac", "model", "address" };
        bool disk = vsm_xml_is(device, "disk"), interface = vsm_xml_is(device, "interface");
        const xmlNode *target = interface ? NULL : child(device, "target"); /* its tap device is the host's */
        g_autofree char *kind = disk || interface ? NULL : vsm_xml_attribute(device, "type");
        g_autofree char *place = target ? dump(target) : NULL;
        GString *text = g_string_new((const char *) device->name);

        /* that of a disk or an interface is what is behind it */
        g_string_append_printf(text, " %s %s", kind ?: "", place ?: "");

        for (size_t i = 0; i < G_N_ELEMENTS(attributes); i++) {
                g_autofree char *value = vsm_xml_attribute(device, attributes[i]);

                g_string_append_printf(text, " %s", value ?: "");
        }

        for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
                const xmlNode *part = child(device, parts[i]);
                g_autofree char *its = part ? dump(part) : NULL;

                g_string_append_printf(text, " %s", its ?: "");
        }

        return g_string_free(text, false);
}

static bool is_seen(const xmlNode *device) {
        static const char *const unseen[] = { "emulator", "graphics", "audio", "channel", NULL };

        return device->type == XML_ELEMENT_NODE && !g_strv_contains(unseen, (const char *) device->name);
}

/* A text for each part; its first word is the name of the element. */
static GPtrArray* machine_of(const xmlDoc *doc) {
        static const char *const parts[] = { "memory", "maxMemory", "cpu", "features", "clock", "iothreads", "sysinfo" };
        const xmlNode *root = xmlDocGetRootElement((xmlDoc *) doc), *os = child(root, "os");
        const xmlNode *devices = child(root, "devices"), *part;
        GPtrArray *list = g_ptr_array_new_with_free_func(g_free);

        for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
                part = child(root, parts[i]);
                if (part)
                        g_ptr_array_add(list, dump(part));
        }

        part = child(root, "vcpu");
        if (part) {
                g_autofree char *n = vsm_xml_content(part);

                g_ptr_array_add(list, g_strdup_printf("<vcpu %s", n ?: ""));
        }

        part = os ? child(os, "type") : NULL;
        if (part) {
                g_autofree char *type = dump(part);

                g_ptr_array_add(list, g_strdup_printf("<os %s", type));
        }

        for (const xmlNode *node = devices ? devices->children : NULL; node; node = node->next)
                if (is_seen(node))
                        g_ptr_array_add(list, device_to_text(node));

        return list;
}

static bool has(GPtrArray *list, const char *text) {
        return g_ptr_array_find_with_equal_func(list, text, g_str_equal, NULL);
}

/* "<memory unit=…" and "disk  …" by their first word */
static char* word_of(const char *text) {
        const char *begin = *text == '<' ? text + 1 : text;

        return g_strndup(begin, strcspn(begin, " >/"));
}

static bool check_machine(const char *here, const char *there, GError **error) {
        g_autoptr(xmlDoc) here_doc = vsm_definition_parse(here, error);
        g_autoptr(xmlDoc) there_doc = here_doc ? vsm_definition_parse(there, error) : NULL;
        g_autoptr(GPtrArray) ours = NULL, theirs = NULL;
        const char *other = NULL;
        g_autofree char *word = NULL;

        if (!there_doc)
                return false;

        ours = machine_of(here_doc);
        theirs = machine_of(there_doc);
        for (guint i = 0; i < theirs->len && !other; i++)
                if (!has(ours, theirs->pdata[i]))
                        other = theirs->pdata[i];
        for (guint i = 0; i < ours->len && !other; i++)
                if (!has(theirs, ours->pdata[i]))
                        other = ours->pdata[i];

        if (!other)
                return true;

        word = word_of(other);
        g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                    "The planned system differs from the one that runs in its <%s>, which cannot change in a "
                    "migration: change it back there, or place it anew", word);
        return false;
}

/* ---- what becomes a wish ---- */

static bool has_disk_wish(const VsmChanges *changes, const char *target) {
        for (guint i = 0; changes->disks && i < changes->disks->len; i++)
                if (strcmp(((VsmDiskWish *) changes->disks->pdata[i])->target, target) == 0)
                        return true;

        return false;
}

static bool was_made(const VsmPlanned *planned, const char *path) {
        for (guint i = 0; i < planned->volumes->len; i++)
                if (g_strcmp0(((VsmPlannedVolume *) planned->volumes->pdata[i])->path, path) == 0)
                        return true;

        return false;
}

/* Where disks travel, the plan finds their places there by itself. Where they do not, what is there under
 * another path must be the same disk: an empty volume that was made for it is not. */
static bool merge_disks(VsmMove *move, GPtrArray *ours, GPtrArray *theirs, const VsmPlanned *planned, GError **error) {
        VsmChanges *changes = move->options.changes;

        if (move->options.type == VSM_MIGRATION_TYPE_SYSTEM_AND_STORAGE)
                return true;

        for (guint i = 0; i < theirs->len; i++) {
                const VsmDisk *disk = theirs->pdata[i], *own = vsm_disks_find(ours, disk->target);

                if (!own || disk->empty || has_disk_wish(changes, disk->target))
                        continue;

                if (was_made(planned, disk->source.path)) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                                    "Disk '%s' of the planned system is an empty volume that was made for it: "
                                    "MigrationType 32771 takes the disks along", disk->target);
                        return false;
                }

                if (!disk->source.path || vsm_layer_is_same_place(&disk->source, &own->source))
                        continue;

                vsm_changes_add_disk(changes, vsm_disk_wish_new(disk->target, disk->source.path, NULL));
        }

        return true;
}

static bool merge_interfaces(VsmMove *move, GPtrArray *ours, GPtrArray *theirs, GError **error) {
        VsmChanges *changes = move->options.changes;

        for (guint i = 0; i < theirs->len; i++) {
                const VsmInterface *interface = theirs->pdata[i], *own = NULL;
                bool wished = false;

                for (guint j = 0; j < ours->len && !own; j++)
                        if (interface->mac && g_strcmp0(((VsmInterface *) ours->pdata[j])->mac, interface->mac) == 0)
                                own = ours->pdata[j];
                for (guint j = 0; j < changes->networks->len && !wished; j++)
                        wished = g_strcmp0(((VsmNetworkWish *) changes->networks->pdata[j])->mac, interface->mac) == 0;

                if (!own || wished || (strcmp(own->type, interface->type) == 0 &&
                                       g_strcmp0(own->source, interface->source) == 0))
                        continue;

                if (!interface->source) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                                    "Network interface %s of the planned system is of the type '%s', to which it "
                                    "cannot change in a migration", interface->mac, interface->type);
                        return false;
                }

                g_ptr_array_add(changes->networks, vsm_network_wish_new(interface->mac, interface->source));
        }

        return true;
}

static char* description_of(const char *xml) {
        g_autoptr(xmlDoc) doc = vsm_definition_parse(xml, NULL);

        return doc ? vsm_xml_content(child(xmlDocGetRootElement(doc), "description")) : NULL;
}

static void merge_texts(VsmMove *move, VsmSettle *settle, virDomainPtr there, const char *here_xml) {
        g_autofree char *ours = description_of(here_xml), *theirs = description_of(move->planned_xml);
        VsmChanges *changes = move->options.changes;
        int autostart = 0;

        if (!changes->name && g_strcmp0(virDomainGetName(there), settle->name) != 0)
                changes->name = g_strdup(virDomainGetName(there));
        if (!changes->description && g_strcmp0(ours, theirs) != 0)
                changes->description = g_strdup(theirs ?: "");

        /* Staged leaves it off, so only that it is on says what somebody wants. */
        if (changes->autostart < 0 && virDomainGetAutostart(there, &autostart) >= 0 && autostart > 0)
                changes->autostart = true;
}

bool vsm_move_merge_planned(VsmMove *move, VsmSettle *settle, virDomainPtr domain, GError **error) {
        g_autoptr(virDomain) there = vsm_domain_find(vsm_peer_connection(settle->peer), move->options.uuid, error);
        g_autoptr(GPtrArray) our_disks = NULL, their_disks = NULL, our_interfaces = NULL, their_interfaces = NULL;
        g_autofree char *here_xml = there ? stored_of(domain, error) : NULL;
        g_autoptr(VsmPlanned) planned = NULL;

        if (!here_xml)
                return false;

        move->planned_xml = stored_of(there, error);
        if (!move->planned_xml || !vsm_planned_from_xml(move->planned_xml, &planned, error) ||
            !check_machine(here_xml, move->planned_xml, error))
                return false;

        if (!planned) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "Host '%s' has no planned system %s any more", vsm_peer_host(settle->peer),
                            move->options.uuid);
                return false;
        }

        our_disks = vsm_disks_from_xml(here_xml, error);
        their_disks = our_disks ? vsm_disks_from_xml(move->planned_xml, error) : NULL;
        our_interfaces = their_disks ? vsm_interfaces_from_xml(here_xml, error) : NULL;
        their_interfaces = our_interfaces ? vsm_interfaces_from_xml(move->planned_xml, error) : NULL;
        if (!their_interfaces)
                return false;

        merge_texts(move, settle, there, here_xml);
        return merge_disks(move, our_disks, their_disks, planned, error) &&
                merge_interfaces(move, our_interfaces, their_interfaces, error);
}

char* vsm_move_merge_definition(VsmMove *move, VsmSettle *settle, GPtrArray *interfaces, GError **error) {
        g_autoptr(GPtrArray) places = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *theirs = description_of(move->planned_xml);
        const char *description = move->options.changes->description;

        /* as it stands there, with the title beside it */
        if (g_strcmp0(description, theirs ?: "") == 0)
                description = NULL;

        for (guint i = 0; move->plan && i < move->plan->disks->len; i++) {
                const VsmDiskStep *step = move->plan->disks->pdata[i];
                VsmDiskPlace *place;

                if (!step->to)
                        continue;

                place = g_new(VsmDiskPlace, 1);
                *place = (VsmDiskPlace) { step->target, step->to->path, step->to->format, step->to->block };
                g_ptr_array_add(places, place);
        }

        /* libvirt has its own way for the name, and wants the old one here */
        return vsm_definition_change(move->planned_xml,
                                     &(VsmDefinitionChange) {
                                             .name = settle->name,
                                             .description = description,
                                             .disks = places,
                                             .interfaces = interfaces,
                                             .remove_planned = true,
                                             .may_lack = true,
                                     },
                                     error);
}
