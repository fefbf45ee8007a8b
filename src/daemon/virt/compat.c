/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a guest needs of a host: read from its live definition while it runs, from the one in its image
 * when it is saved, else from the one with which it will start. Workers. */

#include <string.h>

#include "daemon/virt/compat-read.h"
#include "shared/enums.h"
#include "shared/error.h"

#define DEFINITION_MAX (4U << 20)       /* bytes */

typedef struct Reading {
        virConnectPtr connection;
        const xmlNode *root;            /* <domain> */
        bool started;                   /* it has a CPU already, as one that runs or was saved has */
        VsmCompat *needs;
        VsmCompatPlatform *platform;    /* of needs */
        const VsmCompatPlatform *home;  /* what this host offers; NULL when it does not do this kind */
} Reading;

static uint16_t state_to_enabled_state(VsmDomainState state) {
        switch (state) {

        case VSM_DOMAIN_OFF:
        case VSM_DOMAIN_CRASHED:
                return VSM_ENABLED_STATE_DISABLED;

        case VSM_DOMAIN_PAUSED:
        case VSM_DOMAIN_INCOMING:
        case VSM_DOMAIN_POST_COPY_FAILED:
                return VSM_ENABLED_STATE_PAUSED;

        case VSM_DOMAIN_SAVED:
        case VSM_DOMAIN_ASLEEP:
                return VSM_ENABLED_STATE_SUSPENDED;

        case VSM_DOMAIN_STARTING:
                return VSM_ENABLED_STATE_STARTING;

        case VSM_DOMAIN_STOPPING:
                return VSM_ENABLED_STATE_STOPPING;

        default:
                return VSM_ENABLED_STATE_ENABLED;
        }
}

static bool attribute_is(const xmlNode *node, const char *name, const char *value) {
        g_autofree char *text = vsm_compat_attribute(node, name);

        return g_strcmp0(text, value) == 0;
}

static bool has(char **list, const char *text) {
        return g_strv_contains((const char *const *) list, text);
}

static char** list_of(const char *text) {
        char **list = g_new0(char *, 2);

        list[0] = g_strdup(text);
        return list;
}

static void replace(char ***list, char **with) {
        g_strfreev(*list);
        *list = with;
}

/* ---- CPU ---- */

/* The features that the definition names itself, with this policy; sorted. */
static char** named_features(const xmlNode *cpu, const char *policy) {
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

        for (const xmlNode *node = cpu->children; node; node = node->next) {
                g_autofree char *name = NULL;

                if (node->type != XML_ELEMENT_NODE || !xmlStrEqual(node->name, BAD_CAST "feature") ||
                    !attribute_is(node, "policy", policy))
                        continue;

                name = vsm_compat_attribute(node, "name");
                if (name)
                        g_strv_builder_add(builder, name);
        }

        return vsm_compat_sort(g_strv_builder_end(builder));
}

/* What libvirt lists need not be what QEMU gives: the expanded CPU of a guest that runs can name features
 * that the host, asked for them, denies. Such a feature says nothing about another host. */
static char** those_at_home(const Reading *reading, char **features) {
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

        for (char **p = features; *p; p++)
                if (!reading->home || has(reading->home->features, *p))
                        g_strv_builder_add(builder, *p);

        return g_strv_builder_end(builder);
}

/* A CPU that is this host's own, less what the definition takes away, and less the one feature that QEMU
 * keeps from guests that are to be migrated. */
static char** home_features(const Reading *reading, const xmlNode *cpu) {
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
        g_auto(GStrv) disabled = named_features(cpu, "disable");

        for (char **p = reading->home ? reading->home->features : NULL; p && *p; p++) {
                if (has(disabled, *p) ||
                    (strcmp(*p, "invtsc") == 0 && !attribute_is(cpu, "migratable", "off")))
                        continue;

                g_strv_builder_add(builder, *p);
        }

        return g_strv_builder_end(builder);
}

/* Of a model with a name; where libvirt has no names for features it cannot be compared. */
static bool expand(const Reading *reading, const xmlNode *cpu, char ***ret, GError **error) {
        g_auto(GStrv) features = NULL;
        g_autoptr(GError) local = NULL;

        features = vsm_compat_expand(reading->connection, reading->platform, cpu, &local);
        if (!features && !g_error_matches(local, VSM_ERROR, VSM_ERROR_NOT_SUPPORTED)) {
                g_propagate_error(error, g_steal_pointer(&local));
                return false;
        }

        if (!features)
                reading->needs->unknown |= VSM_COMPAT_UNKNOWN_CPU;

        *ret = features ? those_at_home(reading, features) : g_new0(char *, 1);
        return true;
}

static bool read_started_cpu(const Reading *reading, const xmlNode *cpu, GError **error) {
        char **features;

        /* libvirt writes down what a guest was given, but for these: it does not know itself */
        if (!vsm_xml_child(cpu, "model", NULL)) {
                g_autofree char *mode = vsm_compat_attribute(cpu, "mode");

                if (g_strcmp0(mode, "host-model") != 0)
                        reading->needs->unknown |= VSM_COMPAT_UNKNOWN_CPU;
                if (mode && strcmp(mode, "custom") != 0)
                        replace(&reading->platform->features, home_features(reading, cpu));
                return true;
        }

        if (!expand(reading, cpu, &features, error))
                return false;

        replace(&reading->platform->features, features);
        return true;
}

/* One that is off will get the destination's CPU, or with check='none' as much of the wanted one as is
 * there; else its model and what it asks for by name. */
static bool read_future_cpu(const Reading *reading, const xmlNode *cpu, GError **error) {
        g_auto(GStrv) required = NULL, features = NULL;
        g_autoptr(GStrvBuilder) builder = NULL;

        if (attribute_is(cpu, "check", "none"))
                return true;

        required = named_features(cpu, "require");
        if (!vsm_xml_child(cpu, "model", NULL)) {
                replace(&reading->platform->features, g_steal_pointer(&required));
                return true;
        }

        if (!expand(reading, cpu, &features, error))
                return false;

        builder = g_strv_builder_new();
        g_strv_builder_addv(builder, (const char **) features);
        g_strv_builder_addv(builder, (const char **) required);
        replace(&reading->platform->features, vsm_compat_sort(g_strv_builder_end(builder)));
        return true;
}

static bool read_cpu(const Reading *reading, GError **error) {
        const xmlNode *cpu = vsm_xml_child(reading->root, "cpu", NULL);

        if (!cpu)
                return true;

        return reading->started ? read_started_cpu(reading, cpu, error) : read_future_cpu(reading, cpu, error);
}

/* ---- the rest ---- */

static void read_emulator(const Reading *reading) {
        const xmlNode *devices = vsm_xml_child(reading->root, "devices", NULL);
        const xmlNode *node = devices ? vsm_xml_child(devices, "emulator", NULL) : NULL;
        g_autofree char *path = vsm_compat_content(node);

        /* A path of the administrator's own is nobody else's business. */
        if (path && reading->home && has(reading->home->emulators, path))
                replace(&reading->platform->emulators, list_of(path));
        else if (node)
                reading->needs->unknown |= VSM_COMPAT_UNKNOWN_EMULATOR;
}

static bool wants_secure_boot(const xmlNode *os, const xmlNode *loader) {
        const xmlNode *firmware = vsm_xml_child(os, "firmware", NULL);

        if (loader && attribute_is(loader, "secure", "yes"))
                return true;

        for (const xmlNode *node = firmware ? firmware->children : NULL; node; node = node->next)
                if (node->type == XML_ELEMENT_NODE && attribute_is(node, "name", "secure-boot") &&
                    attribute_is(node, "enabled", "yes"))
                        return true;

        return false;
}

static void read_firmware(const Reading *reading, const xmlNode *os) {
        const xmlNode *loader = vsm_xml_child(os, "loader", NULL);
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
        g_autofree char *path = vsm_compat_content(loader);
        bool chosen = attribute_is(os, "firmware", "efi");      /* libvirt looks for one when it starts */

        if (chosen)
                g_strv_builder_add(builder, VSM_FIRMWARE_EFI);
        if (wants_secure_boot(os, loader))
                g_strv_builder_add(builder, VSM_FIRMWARE_SECURE_BOOT);
        if (!chosen && !loader && (strcmp(reading->platform->arch, "x86_64") == 0 ||
                                   strcmp(reading->platform->arch, "i686") == 0))
                g_strv_builder_add(builder, VSM_FIRMWARE_BIOS);

        if (path && reading->home && has(reading->home->firmware, path)) {
                if (reading->started || !chosen)
                        g_strv_builder_add(builder, path);
        } else if (loader && !chosen)
                reading->needs->unknown |= VSM_COMPAT_UNKNOWN_FIRMWARE;

        replace(&reading->platform->firmware, vsm_compat_sort(g_strv_builder_end(builder)));
}

static bool read_platform(Reading *reading, GError **error) {
        const xmlNode *os = vsm_xml_child(reading->root, "os", NULL);
        const xmlNode *type = os ? vsm_xml_child(os, "type", NULL) : NULL;
        g_autofree char *arch = type ? vsm_compat_attribute(type, "arch") : NULL;
        g_autofree char *machine = type ? vsm_compat_attribute(type, "machine") : NULL;
        g_autofree char *virt_type = vsm_compat_attribute(reading->root, "type");
        g_autoptr(VsmCompat) home = NULL;
        bool ok;

        if (!arch || !virt_type) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "libvirt's definition of the system does not "
                                                                "tell its architecture.");
                return false;
        }

        reading->platform = vsm_compat_add(reading->needs, arch, virt_type);
        if (machine)
                replace(&reading->platform->machines, list_of(machine));

        home = vsm_compat_read_host(reading->connection, reading->needs, error);
        if (!home)
                return false;

        g_free(reading->needs->hypervisor);
        reading->needs->hypervisor = g_strdup(home->hypervisor);
        reading->needs->hypervisor_version = home->hypervisor_version;
        reading->needs->libvirt_version = home->libvirt_version;

        reading->home = vsm_compat_find(home, arch, virt_type);
        read_emulator(reading);
        read_firmware(reading, os);
        ok = read_cpu(reading, error);
        reading->home = NULL;
        return ok;
}

static char* read_definition(virDomainPtr domain, VsmDomainState state, bool *ret_started) {
        bool active = virDomainIsActive(domain) > 0;

        *ret_started = active || state == VSM_DOMAIN_SAVED;
        if (!active && state == VSM_DOMAIN_SAVED)
                return virDomainManagedSaveGetXMLDesc(domain, 0);

        return virDomainGetXMLDesc(domain, active ? 0 : VIR_DOMAIN_XML_INACTIVE);
}

VsmCompat* vsm_compat_read_system(virConnectPtr connection, virDomainPtr domain, GError **error) {
        g_autoptr(VsmCompat) needs = vsm_compat_new(VSM_COMPAT_SYSTEM);
        g_autoptr(VsmDomainInfo) info = NULL;
        g_autofree char *text = NULL;
        g_autoptr(xmlDoc) doc = NULL;
        Reading reading = {
                .connection = connection,
                .needs = needs,
        };

        if (!vsm_domain_snapshot(domain, &info, error))
                return NULL;

        if (!info) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, "The system has gone.");
                return NULL;
        }

        text = read_definition(domain, info->state, &reading.started);
        if (!text) {
                vsm_virt_error(error, "libvirt does not tell the definition of the system");
                return NULL;
        }

        doc = vsm_xml_parse(text, DEFINITION_MAX, error);
        if (!doc)
                return NULL;

        needs->enabled_state = state_to_enabled_state(info->state);
        reading.root = xmlDocGetRootElement(doc);
        return read_platform(&reading, error) ? g_steal_pointer(&needs) : NULL;
}

/* ---- for the rest of the daemon ---- */

VsmCompat* vsm_virt_compat_system(VsmVirt *virt, const char *uuid, GError **error) {
        g_autoptr(virConnect) connection = NULL;
        g_autoptr(virDomain) domain = NULL;

        connection = vsm_virt_ref_connection(virt, error);
        if (!connection)
                return NULL;

        domain = vsm_domain_find(connection, uuid, error);
        return domain ? vsm_compat_read_system(connection, domain, error) : NULL;
}

VsmCompat* vsm_virt_compat_host(VsmVirt *virt, const VsmCompat *only, GError **error) {
        g_autoptr(virConnect) connection = NULL;

        connection = vsm_virt_ref_connection(virt, error);
        return connection ? vsm_compat_read_host(connection, only, error) : NULL;
}
