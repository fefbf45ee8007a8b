/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a host offers to its guests: emulators and machine types from libvirt's capabilities, CPU and
 * firmware from its domain capabilities. Workers. */

#include <string.h>

#include "daemon/virt/compat-read.h"
#include "shared/error.h"

#define CAPABILITIES_MAX (4U << 20)     /* bytes; a large host has some 100 KiB */
#define CPU_MAX          (256U << 10)
#define LIST_MAX         1024           /* some 200 features, some 100 machine types */
#define ALIASES_MAX      8              /* of machine types, each with domain capabilities of its own */

char* vsm_compat_attribute(const xmlNode *node, const char *name) {
        xmlChar *text = xmlGetNoNsProp((xmlNode*) node, BAD_CAST name);
        char *copy = NULL;

        if (text && vsm_compat_text_is_valid((const char*) text))
                copy = g_strdup((const char*) text);

        xmlFree(text);
        return copy;
}

char* vsm_compat_content(const xmlNode *node) {
        xmlChar *text = node ? xmlNodeGetContent(node) : NULL;
        char *copy = NULL;

        if (text && vsm_compat_text_is_valid((const char*) text))
                copy = g_strdup((const char*) text);

        xmlFree(text);
        return copy;
}

static bool attribute_is(const xmlNode *node, const char *name, const char *value) {
        g_autofree char *text = vsm_compat_attribute(node, name);

        return g_strcmp0(text, value) == 0;
}

static bool is_element(const xmlNode *node, const char *name) {
        return node->type == XML_ELEMENT_NODE && xmlStrEqual(node->name, BAD_CAST name);
}

/* ---- lists that grow ---- */

static void list_add(char ***list, const char *text) {
        size_t n = g_strv_length(*list);

        if (!text || n >= LIST_MAX || g_strv_contains((const char *const *) *list, text))
                return;

        *list = g_renew(char *, *list, n + 2);
        (*list)[n] = g_strdup(text);
        (*list)[n + 1] = NULL;
}

/* ---- CPU ---- */

static void append_element(GString *xml, const char *name, const char *text) {
        g_autofree char *escaped = text ? g_markup_escape_text(text, -1) : NULL;

        if (text)
                g_string_append_printf(xml, "<%s>%s</%s>", name, escaped, name);
}

/* What libvirt takes as an input of its baseline: model and features, and nothing of topology, caches and
 * addresses. What is optional or forced says nothing about what the host must have. */
static char* cpu_to_input(const xmlNode *cpu) {
        GString *text = g_string_new("<cpu mode='custom' match='exact'>");
        g_autofree char *model = vsm_compat_content(vsm_xml_child(cpu, "model", NULL));
        g_autofree char *vendor = vsm_compat_content(vsm_xml_child(cpu, "vendor", NULL));

        append_element(text, "model", model);
        append_element(text, "vendor", vendor);

        for (const xmlNode *node = cpu->children; node; node = node->next) {
                g_autofree char *name = NULL, *policy = NULL;

                if (!is_element(node, "feature"))
                        continue;

                name = vsm_compat_attribute(node, "name");
                policy = vsm_compat_attribute(node, "policy");
                if (name && (g_strcmp0(policy, "require") == 0 || g_strcmp0(policy, "disable") == 0)) {
                        g_autofree char *element = g_markup_printf_escaped("<feature policy='%s' name='%s'/>",
                                                                           policy, name);

                        g_string_append(text, element);
                }
        }

        g_string_append(text, "</cpu>");
        return g_string_free(text, FALSE);
}

char** vsm_compat_expand(virConnectPtr connection, const VsmCompatPlatform *platform, const xmlNode *cpu,
                         GError **error) {

        g_autofree char *input = cpu_to_input(cpu), *output = NULL;
        g_autoptr(xmlDoc) doc = NULL;
        char **features;

        output = virConnectBaselineHypervisorCPU(connection, NULL, platform->arch, NULL, platform->virt_type,
                                                 (const char *[]) { input }, 1,
                                                 VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES);
        if (!output) {
                vsm_virt_error(error, "libvirt does not name the features of a CPU");
                return NULL;
        }

        doc = vsm_xml_parse(output, CPU_MAX, error);
        if (!doc)
                return NULL;

        features = g_new0(char *, 1);
        for (const xmlNode *node = xmlDocGetRootElement(doc)->children; node; node = node->next) {
                g_autofree char *name = NULL;

                if (!is_element(node, "feature") || !attribute_is(node, "policy", "require"))
                        continue;

                name = vsm_compat_attribute(node, "name");
                list_add(&features, name);
        }

        return vsm_compat_sort(features);
}

/* The CPU that libvirt gives to guests with mode host-model is all that the host has and libvirt can
 * name. Where it has no such CPU (not x86), no feature is offered, and none is asked for. */
static bool read_cpu(virConnectPtr connection, const xmlNode *capabilities, VsmCompatPlatform *platform,
                     GError **error) {

        const xmlNode *cpu = vsm_xml_child(capabilities, "cpu", NULL);
        char **features;

        for (const xmlNode *node = cpu ? cpu->children : NULL; node; node = node->next) {
                if (!is_element(node, "mode") || !attribute_is(node, "name", "host-model") ||
                    !attribute_is(node, "supported", "yes"))
                        continue;

                features = vsm_compat_expand(connection, platform, node, error);
                if (!features)
                        return false;

                g_strfreev(platform->features);
                platform->features = features;
        }

        return true;
}

/* ---- firmware ---- */

static const xmlNode* find_enum(const xmlNode *parent, const char *name) {
        for (const xmlNode *node = parent->children; node; node = node->next)
                if (is_element(node, "enum") && attribute_is(node, "name", name))
                        return node;

        return NULL;
}

static bool enum_has(const xmlNode *parent, const char *name, const char *value) {
        const xmlNode *list = find_enum(parent, name);

        for (const xmlNode *node = list ? list->children : NULL; node; node = node->next) {
                g_autofree char *text = is_element(node, "value") ? vsm_compat_content(node) : NULL;

                if (g_strcmp0(text, value) == 0)
                        return true;
        }

        return false;
}

static void read_firmware(const xmlNode *capabilities, VsmCompatPlatform *platform) {
        const xmlNode *os = vsm_xml_child(capabilities, "os", NULL);
        const xmlNode *loader = os ? vsm_xml_child(os, "loader", NULL) : NULL;

        /* part of the emulator, so that libvirt does not list it */
        if (strcmp(platform->arch, "x86_64") == 0 || strcmp(platform->arch, "i686") == 0)
                list_add(&platform->firmware, VSM_FIRMWARE_BIOS);

        if (os && enum_has(os, "firmware", "efi"))
                list_add(&platform->firmware, VSM_FIRMWARE_EFI);
        if (!loader || !attribute_is(loader, "supported", "yes"))
                return;

        if (enum_has(loader, "secure", "yes"))
                list_add(&platform->firmware, VSM_FIRMWARE_SECURE_BOOT);

        for (const xmlNode *node = loader->children; node; node = node->next) {
                g_autofree char *path = is_element(node, "value") ? vsm_compat_content(node) : NULL;

                list_add(&platform->firmware, path);
        }
}

/* ---- one platform ---- */

/* machine NULL: libvirt's own choice for the architecture. Some firmware is for some machines only, so
 * each kind of machine is asked for. */
static bool read_capabilities(virConnectPtr connection, const char *machine, VsmCompatPlatform *platform,
                              GError **error) {

        g_autofree char *text = NULL;
        g_autoptr(xmlDoc) doc = NULL;

        text = virConnectGetDomainCapabilities(connection, NULL, platform->arch, machine, platform->virt_type,
                                               0);
        if (!text) {
                vsm_virt_error(error, "libvirt does not tell what it offers to systems of the architecture %s",
                               platform->arch);
                return false;
        }

        doc = vsm_xml_parse(text, CAPABILITIES_MAX, error);
        if (!doc)
                return false;

        read_firmware(xmlDocGetRootElement(doc), platform);
        return machine || read_cpu(connection, xmlDocGetRootElement(doc), platform, error);
}

static void read_machines(const xmlNode *parent, VsmCompatPlatform *platform, char ***aliases) {
        for (const xmlNode *node = parent->children; node; node = node->next) {
                g_autofree char *text = NULL, *canonical = NULL;

                if (is_element(node, "emulator")) {
                        text = vsm_compat_content(node);
                        list_add(&platform->emulators, text);
                }

                if (!is_element(node, "machine"))
                        continue;

                text = vsm_compat_content(node);
                canonical = vsm_compat_attribute(node, "canonical");
                if (canonical && g_strv_length(*aliases) < ALIASES_MAX)
                        list_add(aliases, text);

                /* an alias may be another machine there */
                list_add(&platform->machines, canonical ?: text);
        }
}

static bool read_platform(virConnectPtr connection, const xmlNode *arch, const xmlNode *type,
                          VsmCompatPlatform *platform, GError **error) {

        g_auto(GStrv) aliases = g_new0(char *, 1);

        read_machines(arch, platform, &aliases);
        read_machines(type, platform, &aliases);

        if (!read_capabilities(connection, NULL, platform, error))
                return false;

        for (char **alias = aliases; *alias; alias++)
                if (!read_capabilities(connection, *alias, platform, error))
                        return false;

        vsm_compat_sort(platform->emulators);
        vsm_compat_sort(platform->machines);
        vsm_compat_sort(platform->firmware);
        return true;
}

/* ---- the host ---- */

/* Emulating what it is not is possible anywhere, and no answer to what a host is good for. */
static bool is_native(const xmlNode *arch, const char *name, const char *host_arch) {
        if (g_strcmp0(name, host_arch) == 0)
                return true;

        for (const xmlNode *node = arch->children; node; node = node->next)
                if (is_element(node, "domain") && attribute_is(node, "type", "kvm"))
                        return true;

        return false;
}

static bool read_arch(virConnectPtr connection, const xmlNode *arch, const char *host_arch,
                      const VsmCompat *only, VsmCompat *compat, GError **error) {

        g_autofree char *name = vsm_compat_attribute(arch, "name");

        if (!name || (!only && !is_native(arch, name, host_arch)))
                return true;

        for (const xmlNode *node = arch->children; node; node = node->next) {
                g_autofree char *type = is_element(node, "domain") ? vsm_compat_attribute(node, "type") : NULL;
                VsmCompatPlatform *platform;

                if (!type)
                        continue;

                /* of those that nobody asked for it counts that they are there: architecture known */
                platform = vsm_compat_add(compat, name, type);
                if ((!only || vsm_compat_find(only, name, type)) &&
                    !read_platform(connection, arch, node, platform, error))
                        return false;
        }

        return true;
}

static bool read_versions(virConnectPtr connection, VsmCompat *compat, GError **error) {
        const char *type = virConnectGetType(connection);
        unsigned long version = 0;

        if (!type || virConnectGetLibVersion(connection, &version) < 0) {
                vsm_virt_error(error, "libvirt does not tell its version");
                return false;
        }

        g_free(compat->hypervisor);
        compat->hypervisor = g_strdup(type);
        compat->libvirt_version = version;

        /* a host without an emulator offers nothing, and says so */
        compat->hypervisor_version = virConnectGetVersion(connection, &version) < 0 ? 0 : version;
        return true;
}

VsmCompat* vsm_compat_read_host(virConnectPtr connection, const VsmCompat *only, GError **error) {
        g_autoptr(VsmCompat) compat = vsm_compat_new(VSM_COMPAT_HOST);
        g_autofree char *text = NULL, *host_arch = NULL;
        g_autoptr(xmlDoc) doc = NULL;
        const xmlNode *host;

        if (!read_versions(connection, compat, error))
                return NULL;

        text = virConnectGetCapabilities(connection);
        if (!text) {
                vsm_virt_error(error, "libvirt does not tell its capabilities");
                return NULL;
        }

        doc = vsm_xml_parse(text, CAPABILITIES_MAX, error);
        if (!doc)
                return NULL;

        host = vsm_xml_child(xmlDocGetRootElement(doc), "host", NULL);
        host = host ? vsm_xml_child(host, "cpu", NULL) : NULL;
        host_arch = vsm_compat_content(host ? vsm_xml_child(host, "arch", NULL) : NULL);

        for (const xmlNode *node = xmlDocGetRootElement(doc)->children; node; node = node->next) {
                const xmlNode *arch = is_element(node, "guest") ? vsm_xml_child(node, "arch", NULL) : NULL;

                if (arch && !read_arch(connection, arch, host_arch, only, compat, error))
                        return NULL;
        }

        return g_steal_pointer(&compat);
}
