/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the other host's libvirt can say about a guest that it does not have yet. Workers. */

#include <string.h>

#include "daemon/virt/check.h"
#include "shared/error.h"

#define CAPABILITIES_MAX (4U << 20)     /* bytes; a large host has some 100 KiB */

static char* host_uuid(virConnectPtr connection, GError **error) {
        g_autofree char *text = NULL;
        g_autoptr(xmlDoc) doc = NULL;
        const xmlNode *node;
        xmlChar *content;
        char *uuid;

        text = virConnectGetCapabilities(connection);
        if (!text) {
                vsm_virt_error_as(error, VSM_ERROR_FAILED, "A host does not tell its capabilities");
                return NULL;
        }

        doc = vsm_xml_parse(text, CAPABILITIES_MAX, error);
        if (!doc)
                return NULL;

        node = vsm_xml_child(xmlDocGetRootElement(doc), "host", NULL);
        node = node ? vsm_xml_child(node, "uuid", NULL) : NULL;
        if (!node) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "A host's capabilities have no UUID");
                return NULL;
        }

        content = xmlNodeGetContent(node);
        uuid = g_strdup((const char *) content);
        xmlFree(content);
        return uuid;
}

/* As libvirt compares: it refuses to migrate to a host with the same UUID. */
bool vsm_check_same_host(VsmCheck *check, GError **error) {
        g_autofree char *here = NULL, *there = NULL;

        here = host_uuid(check->source, error);
        there = here ? host_uuid(check->there, error) : NULL;
        if (!there)
                return false;

        if (g_ascii_strcasecmp(here, there) == 0)
                vsm_reasons_add(check->reasons, "same-host", check->host, NULL, check->host, NULL);

        return true;
}

bool vsm_check_name(VsmCheck *check, GError **error) {
        const VsmChanges *changes = check->options.changes;
        const char *name = changes && changes->name ? changes->name : check->name;
        char other[VSM_UUID_SIZE];

        if (!vsm_peer_look_name(check->peer, name, other, error))
                return false;

        if (*other && g_ascii_strcasecmp(other, check->options.uuid) != 0)
                vsm_reasons_add(check->reasons, "name-in-use", check->host, NULL,
                                name, check->host, other, NULL);

        return true;
}

bool vsm_check_uuid(VsmCheck *check, GError **error) {
        g_autoptr(VsmDomainInfo) info = NULL;
        const char *code;

        if (!vsm_peer_look(check->peer, check->options.uuid, &info, error))
                return false;

        /* What is being sent at the moment is there as well, and has a reason of its own. */
        if (!info || vsm_reasons_has(check->reasons, "migration-running"))
                return true;

        if (info->state == VSM_DOMAIN_SAVED)
                code = "saved-image-there";
        else if (info->state != VSM_DOMAIN_OFF || strcmp(info->name, check->name) != 0)
                code = "uuid-in-use";
        else
                code = "definition-replaced";

        vsm_reasons_add(check->reasons, code, check->host, NULL, check->name, check->host, info->name, NULL);
        return true;
}

static bool compare_versions(
                VsmCheck *check,
                const char *code,
                int (*get)(virConnectPtr connection, unsigned long *ret),
                GError **error) {

        unsigned long here = 0, there = 0;
        g_autofree char *here_text = NULL, *there_text = NULL;

        if (get(check->source, &here) < 0 || get(check->there, &there) < 0) {
                vsm_virt_error_as(error, VSM_ERROR_FAILED, "A host does not tell its version");
                return false;
        }

        if (there >= here)
                return true;

        here_text = g_strdup_printf("%lu.%lu.%lu", here / 1000000, here / 1000 % 1000, here % 1000);
        there_text = g_strdup_printf("%lu.%lu.%lu", there / 1000000, there / 1000 % 1000, there % 1000);
        vsm_reasons_add(check->reasons, code, check->host, NULL, check->host, there_text, here_text, NULL);
        return true;
}

bool vsm_check_libvirt_version(VsmCheck *check, GError **error) {
        return compare_versions(check, "libvirt-older", virConnectGetLibVersion, error);
}

bool vsm_check_hypervisor_version(VsmCheck *check, GError **error) {
        return compare_versions(check, "hypervisor-older", virConnectGetVersion, error);
}

/* QEMU there finds it out when it is started for a migration, and nobody else can. */
bool vsm_check_post_copy(VsmCheck *check, GError **error G_GNUC_UNUSED) {
        if (check->options.post_copy != VSM_POST_COPY_NEVER)
                vsm_check_not_verifiable(check, check->host, NULL,
                                         "whether the hypervisor of host '%s' can do post-copy", check->host);

        return true;
}
