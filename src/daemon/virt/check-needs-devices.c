/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the devices of a system's definition use of its host. Pure: any thread. */

#include <string.h>

#include "daemon/virt/check-needs.h"
#include "daemon/virt/internal.h"

/* As messages call it: its alias, which running systems have, else its kind. */
static char* device_name(const xmlNode *node) {
        char *alias = vsm_needs_attribute(vsm_xml_child(node, "alias", NULL), "name");

        return alias ?: g_strdup((const char *) node->name);
}

static bool is_transient(const xmlNode *node) {
        return vsm_needs_attribute_is(vsm_xml_child(node, "teaming", NULL), "type", "transient");
}

/* ---- network interfaces ---- */

static void read_interface(VsmNeeds *needs, const xmlNode *node) {
        const xmlNode *source = vsm_xml_child(node, "source", NULL);
        g_autofree char *type = vsm_needs_attribute(node, "type");
        g_autofree char *mac = vsm_needs_attribute(vsm_xml_child(node, "mac", NULL), "address");
        g_autofree char *network = vsm_needs_attribute(source, "network");
        g_autofree char *name = NULL;

        /* Also where the network stands for a bridge or a device of the host, which the type then tells:
         * that host's network has its own. */
        vsm_needs_add(needs, VSM_NEED_NETWORK, network, NULL, mac);

        if (g_strcmp0(type, "hostdev") == 0)
                vsm_needs_add(needs, is_transient(node) ? VSM_NEED_LENT_DEVICE : VSM_NEED_HOST_DEVICE,
                              mac ?: "interface", "interface", NULL);
        else if (network || g_strcmp0(type, "network") == 0 || g_strcmp0(type, "user") == 0 ||
                 g_strcmp0(type, "null") == 0)
                return;
        else if (g_strcmp0(type, "bridge") == 0) {
                name = vsm_needs_attribute(source, "bridge");
                vsm_needs_add(needs, vsm_needs_attribute_is(vsm_xml_child(node, "virtualport", NULL), "type",
                                                            "openvswitch") ?
                              VSM_NEED_OVS_BRIDGE : VSM_NEED_BRIDGE, name, NULL, mac);
        } else if (g_strcmp0(type, "direct") == 0) {
                name = vsm_needs_attribute(source, "dev");
                vsm_needs_add(needs, VSM_NEED_LINK, name, NULL, mac);
        } else if (g_strcmp0(type, "vhostuser") == 0) {
                name = vsm_needs_attribute(source, "path");
                vsm_needs_add(needs, VSM_NEED_PATH, name, NULL, mac);
        } else if (g_strcmp0(type, "ethernet") == 0) {
                /* libvirt makes the device itself unless it is told not to; a script it runs as it is */
                const xmlNode *target = vsm_xml_child(node, "target", NULL);
                g_autofree char *script = vsm_needs_attribute(vsm_xml_child(node, "script", NULL), "path");

                if (vsm_needs_attribute_is(target, "managed", "no"))
                        name = vsm_needs_attribute(target, "dev");
                vsm_needs_add(needs, VSM_NEED_LINK, name, NULL, mac);
                vsm_needs_add(needs, VSM_NEED_PATH, script, NULL, mac);
        } else
                vsm_needs_add(needs, VSM_NEED_UNKNOWN, type ?: "interface", NULL, mac);
}

/* ---- character devices ---- */

/* Folders that libvirt has on each host, for sockets whose names it makes itself */
static bool is_libvirts(const char *path) {
        return g_str_has_prefix(path, "/var/lib/libvirt/qemu/") || g_str_has_prefix(path, "/run/libvirt/qemu/") ||
                g_str_has_prefix(path, "/var/run/libvirt/qemu/");
}

static bool is_of_each_host(const char *address) {
        static const char *const those[] = { "0.0.0.0", "::", "127.0.0.1", "::1", "localhost", NULL };

        return g_strv_contains(those, address);
}

static void read_character(VsmNeeds *needs, const xmlNode *node, const char *device) {
        g_autofree char *type = vsm_needs_attribute(node, "type");
        g_autofree char *log = vsm_needs_attribute(vsm_xml_child(node, "log", NULL), "file");
        bool on_path = g_strcmp0(type, "file") == 0 || g_strcmp0(type, "pipe") == 0 ||
                g_strcmp0(type, "dev") == 0 || g_strcmp0(type, "unix") == 0;
        bool on_network = g_strcmp0(type, "tcp") == 0 || g_strcmp0(type, "udp") == 0;

        vsm_needs_add(needs, VSM_NEED_PATH, log, NULL, device);

        for (const xmlNode *source = node->children; source; source = source->next) {
                g_autofree char *path = NULL, *host = NULL;

                if (!vsm_needs_is(source, "source"))
                        continue;

                path = on_path ? vsm_needs_attribute(source, "path") : NULL;
                host = on_network ? vsm_needs_attribute(source, "host") : NULL;
                if (path && !(strcmp(type, "unix") == 0 && is_libvirts(path)))
                        vsm_needs_add(needs, VSM_NEED_PATH, path, NULL, device);
                if (host && (vsm_needs_attribute_is(source, "mode", "connect") || !is_of_each_host(host)))
                        vsm_needs_add(needs, VSM_NEED_ADDRESS, host, NULL, device);
        }
}

static void read_rng(VsmNeeds *needs, const xmlNode *node, const char *device) {
        const xmlNode *backend = vsm_xml_child(node, "backend", NULL);
        g_autofree char *path = NULL;

        if (!backend)
                return;

        if (vsm_needs_attribute_is(backend, "model", "egd"))
                read_character(needs, backend, device);
        else if (vsm_needs_attribute_is(backend, "model", "random")) {
                path = vsm_needs_content(backend);
                if (g_strcmp0(path, "/dev/urandom") != 0 && g_strcmp0(path, "/dev/random") != 0)
                        vsm_needs_add(needs, VSM_NEED_PATH, path, NULL, device);
        }
}

static void read_smartcard(VsmNeeds *needs, const xmlNode *node, const char *device) {
        if (vsm_needs_attribute_is(node, "mode", "passthrough"))
                read_character(needs, node, device);
        else
                vsm_needs_add(needs, VSM_NEED_HOST_DEVICE, device, "smartcard", NULL);
}

/* ---- others ---- */

static void read_host_device(VsmNeeds *needs, const xmlNode *node, const char *device) {
        g_autofree char *type = vsm_needs_attribute(node, "type");
        bool lent = g_strcmp0(type, "usb") == 0 || is_transient(node);

        vsm_needs_add(needs, lent ? VSM_NEED_LENT_DEVICE : VSM_NEED_HOST_DEVICE, device, type ?: "hostdev", NULL);
}

static void read_tpm(VsmNeeds *needs, const xmlNode *node, const char *device) {
        const xmlNode *backend = vsm_xml_child(node, "backend", NULL);
        g_autofree char *model = vsm_needs_attribute(node, "model");
        g_autofree char *type = vsm_needs_attribute(backend, "type");
        g_autofree char *version = vsm_needs_attribute(backend, "version"), *path = NULL;

        if (g_strcmp0(type, "passthrough") == 0) {
                vsm_needs_add(needs, VSM_NEED_HOST_DEVICE, device, "tpm", NULL);
                return;
        }

        vsm_needs_add(needs, VSM_NEED_TPM, model ?: "tpm-tis", version, type ?: "emulator");
        if (g_strcmp0(type, "external") == 0) {
                path = vsm_needs_attribute(vsm_xml_child(backend, "source", NULL), "path");
                vsm_needs_add(needs, VSM_NEED_PATH, path, NULL, device);
        }
}

static void read_filesystem(VsmNeeds *needs, const xmlNode *node, const char *device) {
        const xmlNode *source = vsm_xml_child(node, "source", NULL);
        g_autofree char *tag = vsm_needs_attribute(vsm_xml_child(node, "target", NULL), "dir");
        g_autofree char *path = vsm_needs_attribute(source, "dir");

        if (!path)
                path = vsm_needs_attribute(source, "socket");

        if (vsm_needs_attribute_is(vsm_xml_child(node, "driver", NULL), "type", "virtiofs"))
                vsm_needs_add(needs, VSM_NEED_VIRTIOFS, path ?: device, NULL, tag);
        else
                vsm_needs_add(needs, VSM_NEED_PATH, path ?: "a folder", NULL, tag ?: device);
}

static void read_graphics(VsmNeeds *needs, const xmlNode *node) {
        g_autofree char *type = vsm_needs_attribute(node, "type");
        g_autofree char *render = vsm_needs_attribute(vsm_xml_child(node, "gl", NULL), "rendernode");

        vsm_needs_add(needs, VSM_NEED_PATH, render, NULL, type);

        for (const xmlNode *listen = node->children; listen; listen = listen->next) {
                g_autofree char *network = NULL, *address = NULL, *path = NULL;

                if (!vsm_needs_is(listen, "listen"))
                        continue;

                network = vsm_needs_attribute(listen, "network");
                address = vsm_needs_attribute(listen, "address");
                path = vsm_needs_attribute(listen, "socket");

                /* with a network the address is the one that it has here */
                if (network)
                        vsm_needs_add(needs, VSM_NEED_NETWORK, network, NULL, type);
                else if (address && !is_of_each_host(address))
                        vsm_needs_add(needs, VSM_NEED_ADDRESS, address, NULL, type);
                else if (path && !is_libvirts(path))
                        vsm_needs_add(needs, VSM_NEED_PATH, path, NULL, type);
        }
}

static void read_input(VsmNeeds *needs, const xmlNode *node, const char *device) {
        const xmlNode *source = vsm_xml_child(node, "source", NULL);
        g_autofree char *path = vsm_needs_attribute(source, "evdev");

        if (!path)
                path = vsm_needs_attribute(source, "dev");
        vsm_needs_add(needs, VSM_NEED_PATH, path, NULL, device);
}

static void read_memory(VsmNeeds *needs, const xmlNode *node, const char *device) {
        const xmlNode *source = vsm_xml_child(node, "source", NULL);
        g_autofree char *path = source ? vsm_needs_content(vsm_xml_child(source, "path", NULL)) : NULL;

        vsm_needs_add(needs, VSM_NEED_PATH, path, NULL, device);
}

static void read_device(VsmNeeds *needs, const xmlNode *node) {
        static const char *const characters[] = { "serial", "parallel", "console", "channel", "redirdev", NULL };
        g_autofree char *device = device_name(node);

        if (vsm_needs_is(node, "disk"))
                vsm_needs_read_disk(needs, node);
        else if (vsm_needs_is(node, "interface"))
                read_interface(needs, node);
        else if (vsm_needs_is(node, "hostdev"))
                read_host_device(needs, node, device);
        else if (vsm_needs_is(node, "tpm"))
                read_tpm(needs, node, device);
        else if (vsm_needs_is(node, "filesystem"))
                read_filesystem(needs, node, device);
        else if (vsm_needs_is(node, "rng"))
                read_rng(needs, node, device);
        else if (vsm_needs_is(node, "graphics"))
                read_graphics(needs, node);
        else if (vsm_needs_is(node, "input"))
                read_input(needs, node, device);
        else if (vsm_needs_is(node, "memory"))
                read_memory(needs, node, device);
        else if (vsm_needs_is(node, "smartcard"))
                read_smartcard(needs, node, device);
        else if (g_strv_contains(characters, (const char *) node->name))
                read_character(needs, node, device);
}

void vsm_needs_read_devices(VsmNeeds *needs, const xmlNode *devices) {
        for (const xmlNode *node = devices->children; node; node = node->next)
                if (node->type == XML_ELEMENT_NODE && !node->ns)
                        read_device(needs, node);
}
