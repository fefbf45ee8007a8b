/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The guest's other devices: those that keep it here, and whether the other host has what the rest needs.
 * Workers. */

#include <string.h>

#include "daemon/move-type.h"
#include "daemon/virt/check.h"
#include "daemon/virt/secret.h"
#include "shared/error.h"

#define CAPABILITIES_MAX (4U << 20)     /* bytes */

/* ---- here ---- */

bool vsm_check_host_devices(VsmCheck *check, GError **error) {
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_HOST_DEVICE, need));)
                vsm_reasons_add(check->reasons, "host-device", need->name, NULL, check->name, NULL);

        return true;
}

bool vsm_check_virtiofs(VsmCheck *check, GError **error) {
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_VIRTIOFS, need));)
                vsm_reasons_add(check->reasons, "virtiofs", need->device ?: need->name, NULL, check->name,
                                need->name, NULL);

        return true;
}

/* ---- TPM ---- */

static bool values_have(const xmlNode *list, const char *value) {
        for (const xmlNode *node = list->children; node; node = node->next) {
                g_autofree char *text = vsm_needs_is(node, "value") ? vsm_needs_content(node) : NULL;

                if (g_strcmp0(text, value) == 0)
                        return true;
        }

        return false;
}

/* *ret_listed: that libvirt tells such a list at all */
static bool offers(const xmlNode *tpm, const char *name, const char *value, bool *ret_listed) {
        *ret_listed = false;
        for (const xmlNode *node = tpm->children; node; node = node->next)
                if (vsm_needs_is(node, "enum") && vsm_needs_attribute_is(node, "name", name)) {
                        *ret_listed = true;
                        return values_have(node, value);
                }

        return false;
}

static void compare_tpm(VsmCheck *check, const VsmNeed *need, const xmlNode *tpm) {
        g_autofree char *what = need->detail ?
                g_strdup_printf("%s %s, version %s", need->device, need->name, need->detail) :
                g_strdup_printf("%s %s", need->device, need->name);
        bool models, backends, versions, model, backend, version;

        model = offers(tpm, "model", need->name, &models);
        backend = offers(tpm, "backendModel", need->device, &backends);
        version = need->detail && offers(tpm, "backendVersion", need->detail, &versions);

        if (!vsm_needs_attribute_is(tpm, "supported", "yes") || (models && !model) || (backends && !backend) ||
            (need->detail && versions && !version))
                vsm_reasons_add(check->reasons, "tpm-missing", "tpm", NULL, check->host, what, NULL);
        else if (!model || !backend || (need->detail && !version))
                vsm_check_not_verifiable(check, "tpm", NULL, "whether host '%s' has the TPM %s", check->host,
                                         what);
}

/* Of the machine type, or, where that is not known there, of the host's usual one. */
static char* domain_capabilities(VsmCheck *check) {
        const VsmNeeds *needs = check->needs;
        char *text;

        text = virConnectGetDomainCapabilities(check->there, NULL, needs->arch, needs->machine, needs->virt_type,
                                               0);
        return text ?: virConnectGetDomainCapabilities(check->there, NULL, needs->arch, NULL, NULL, 0);
}

bool vsm_check_tpm(VsmCheck *check, GError **error) {
        const VsmNeed *need = vsm_needs_next(check->needs, VSM_NEED_TPM, NULL);
        g_autofree char *text = NULL;
        g_autoptr(xmlDoc) doc = NULL;
        const xmlNode *node;

        if (!need)
                return true;

        text = domain_capabilities(check);
        if (!text) {
                vsm_virt_error_as(error, VSM_ERROR_FAILED, "It does not tell what it offers to systems");
                return false;
        }

        doc = vsm_xml_parse(text, CAPABILITIES_MAX, error);
        if (!doc)
                return false;

        node = vsm_xml_child(xmlDocGetRootElement(doc), "devices", NULL);
        node = node ? vsm_xml_child(node, "tpm", NULL) : NULL;
        if (!node) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "It does not tell about TPMs");
                return false;
        }

        for (; need; need = vsm_needs_next(check->needs, VSM_NEED_TPM, need))
                compare_tpm(check, need, node);
        return true;
}

/* ---- secrets ---- */

static int usage_type(const char *text) {
        static const struct {
                const char *text;
                virSecretUsageType type;
        } types[] = {
                { "passphrase", VIR_SECRET_USAGE_TYPE_VOLUME },
                { "volume",     VIR_SECRET_USAGE_TYPE_VOLUME },
                { "ceph",       VIR_SECRET_USAGE_TYPE_CEPH   },
                { "iscsi",      VIR_SECRET_USAGE_TYPE_ISCSI  },
                { "tls",        VIR_SECRET_USAGE_TYPE_TLS    },
                { "vtpm",       VIR_SECRET_USAGE_TYPE_VTPM   },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
                if (strcmp(types[i].text, text) == 0)
                        return types[i].type;

        return -1;
}

/* What goes along with disks or a definition needs not be there. */
static void check_missing_secret(VsmCheck *check, const VsmNeed *need, int type) {
        const char *uuid = need->detail ? NULL : need->name, *usage = need->detail ? need->name : NULL;
        const char *code = "secret-missing";

        if (vsm_move_type(check->options.type)->takes_disks)
                code = vsm_secret_obstacle(check->source, check->there, uuid, usage, type);

        if (code)
                vsm_reasons_add(check->reasons, code, need->name, NULL, check->host, need->name, NULL);
}

static void check_secret(VsmCheck *check, const VsmNeed *need) {
        g_autoptr(virSecret) secret = NULL;
        int type = need->detail ? usage_type(need->detail) : 0;

        if (!need->detail)
                secret = virSecretLookupByUUIDString(check->there, need->name);
        else if (type >= 0)
                secret = virSecretLookupByUsage(check->there, type, need->name);

        if (secret)
                /* asking for it would be carrying it over the network */
                vsm_check_not_verifiable(check, need->name, NULL,
                                         "whether the secret '%s' has the same value on host '%s'", need->name,
                                         check->host);
        else if (type < 0)
                vsm_check_not_verifiable(check, need->name, NULL, "whether host '%s' has the secret '%s'",
                                         check->host, need->name);
        else if (virGetLastErrorCode() == VIR_ERR_NO_SECRET)
                check_missing_secret(check, need, type);
        else
                vsm_check_not_told(check, need->name, "whether host '%s' has the secret '%s'", check->host,
                                   need->name);
}

bool vsm_check_secrets(VsmCheck *check, GError **error) {
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_SECRET, need));)
                check_secret(check, need);

        return true;
}

/* ---- what libvirt does not show ---- */

bool vsm_check_lent_devices(VsmCheck *check, GError **error) {
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_LENT_DEVICE, need));)
                vsm_check_not_verifiable(check, need->name, NULL,
                                         "whether host '%s' has a device for '%s' (%s), which is not migrated",
                                         check->host, need->name, need->detail);

        return true;
}

bool vsm_check_paths(VsmCheck *check, GError **error) {
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_PATH, need));)
                vsm_check_not_verifiable(check, need->device, NULL, "whether host '%s' has '%s' (%s)", check->host,
                                         need->name, need->device ?: "?");

        return true;
}

bool vsm_check_unknown(VsmCheck *check, GError **error) {
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_ARGUMENTS, need));)
                vsm_check_not_verifiable(check, need->name, NULL,
                                         "whether host '%s' takes what the definition hands to QEMU past libvirt "
                                         "(%s)", check->host, need->name);
        for (const VsmNeed *need = NULL; (need = vsm_needs_next(check->needs, VSM_NEED_UNKNOWN, need));)
                vsm_check_not_verifiable(check, need->device ?: need->name, NULL,
                                         "whether host '%s' has what a device of the type '%s' needs",
                                         check->host, need->name);

        return true;
}
