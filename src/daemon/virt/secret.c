/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Secrets of libvirt: which ones a guest needs, copying them to the other host, and taking that back.
 * Workers. */

#include <libxml/xpath.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/virt/secret.h"
#include "daemon/virt/undo.h"

#define XML_MAX (8 * 1024 * 1024)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlXPathContext, xmlXPathFreeContext)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlXPathObject, xmlXPathFreeObject)

void vsm_secret_need_free(VsmSecretNeed *need) {
        if (!need)
                return;

        g_free(need->uuid);
        g_free(need->usage);
        g_free(need);
}

static char* attribute(const xmlNode *node, const char *name) {
        xmlChar *value = xmlGetNoNsProp(node, BAD_CAST name);
        char *copy = g_strdup((const char*) value);

        xmlFree(value);
        return copy;
}

static int usage_type_from_string(const char *type) {
        static const char *const names[] = {
                [VIR_SECRET_USAGE_TYPE_VOLUME] = "volume",
                [VIR_SECRET_USAGE_TYPE_CEPH]   = "ceph",
                [VIR_SECRET_USAGE_TYPE_ISCSI]  = "iscsi",
                [VIR_SECRET_USAGE_TYPE_TLS]    = "tls",
                [VIR_SECRET_USAGE_TYPE_VTPM]   = "vtpm",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
                if (names[i] && g_strcmp0(names[i], type) == 0)
                        return (int) i;

        /* <encryption> has <secret type='passphrase'>, which is a volume's */
        return VIR_SECRET_USAGE_TYPE_VOLUME;
}

static void add_need(GPtrArray *needs, const char *uuid, const char *usage, int type) {
        VsmSecretNeed *need;

        if (!uuid && !usage)
                return;

        for (guint i = 0; i < needs->len; i++) {
                need = needs->pdata[i];
                if (uuid ? need->uuid && g_ascii_strcasecmp(need->uuid, uuid) == 0 :
                    need->usage_type == type && g_strcmp0(need->usage, usage) == 0)
                        return;
        }

        need = g_new0(VsmSecretNeed, 1);
        need->uuid = g_strdup(uuid);
        need->usage = uuid ? NULL : g_strdup(usage);
        need->usage_type = type;
        g_ptr_array_add(needs, need);
}

/* Also of storage pools: their definitions have the same element. */
GPtrArray* vsm_secrets_from_xml(const char *xml, GError **error) {
        g_autoptr(GPtrArray) needs = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_secret_need_free);
        /* before what is found in it: that is looked at when it is freed, and the last one goes first */
        g_autoptr(xmlDoc) doc = vsm_xml_parse(xml, XML_MAX, error);
        g_autoptr(xmlXPathContext) context = NULL;
        g_autoptr(xmlXPathObject) found = NULL;

        if (!doc)
                return NULL;

        context = xmlXPathNewContext(doc);
        found = xmlXPathEval(BAD_CAST "/domain/devices//secret|/domain/devices/tpm/backend/encryption"
                                      "|/pool//secret", context);
        for (int i = 0; found && found->nodesetval && i < found->nodesetval->nodeNr; i++) {
                const xmlNode *node = found->nodesetval->nodeTab[i];
                bool tpm = xmlStrEqual(node->name, BAD_CAST "encryption");
                g_autofree char *uuid = attribute(node, tpm ? "secret" : "uuid");
                g_autofree char *usage = attribute(node, "usage"), *type = attribute(node, "type");

                add_need(needs, uuid, usage, usage_type_from_string(type));
        }

        return g_steal_pointer(&needs);
}

/* NULL and no error: there is none. */
static virSecretPtr find(virConnectPtr connection, const char *uuid, const char *usage, int type, GError **error) {
        virSecretPtr secret = uuid ? virSecretLookupByUUIDString(connection, uuid) :
                                     virSecretLookupByUsage(connection, type, usage);

        if (!secret && virGetLastErrorCode() != VIR_ERR_NO_SECRET)
                vsm_virt_error(error, "libvirt does not tell of secret '%s'", uuid ?: usage);

        return secret;
}

/* Overwritten before the memory is anybody else's. */
static void value_free(unsigned char *value, size_t size) {
        if (value)
                explicit_bzero(value, size);
        free(value);
}

/* What can be said of one that is there: only its own libvirt may see the value of a private one. */
static bool has_value(virSecretPtr secret, bool *ret, GError **error) {
        unsigned char *value;
        size_t size = 0;

        value = virSecretGetValue(secret, &size, 0);
        *ret = value || virGetLastErrorCode() == VIR_ERR_INVALID_SECRET;
        if (!*ret && virGetLastErrorCode() != VIR_ERR_NO_SECRET) {
                vsm_virt_error(error, "libvirt does not tell whether it has a value");
                return false;
        }

        value_free(value, size);
        return true;
}

/* Encrypted, or a line that nobody else is on. Asked of libvirt: it knows what it really made of the URI. */
static bool is_secure(virConnectPtr connection) {
        return virConnectIsSecure(connection) == 1;
}

typedef struct Copy {
        virConnectPtr there;
        const char *host;
        const VsmJournal *journal;
        virSecretPtr secret;            /* here */
        char uuid[VIR_UUID_STRING_BUFLEN];
        const char *usage;              /* of the secret; may be NULL or "" */
        int usage_type;
} Copy;

/* True with *ret: the other host has it, and it can be used. */
static bool look_there(const Copy *copy, bool *ret, GError **error) {
        g_autoptr(virSecret) secret = NULL, other = NULL;
        g_autoptr(GError) local = NULL;
        bool value;

        secret = find(copy->there, copy->uuid, NULL, 0, &local);
        if (!secret && !local && copy->usage && *copy->usage)
                other = find(copy->there, NULL, copy->usage, copy->usage_type, &local);
        if (local) {
                g_propagate_prefixed_error(error, g_steal_pointer(&local), "Host '%s': ", copy->host);
                return false;
        }

        if (other) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "Host '%s' has another secret for '%s', with another UUID than %s: undefine one of them",
                            copy->host, copy->usage, copy->uuid);
                return false;
        }

        *ret = secret;
        /* to be told whether it has a value is to be sent the value: not where others can read it */
        if (!secret || !is_secure(copy->there))
                return true;

        if (!has_value(secret, &value, error)) {
                g_prefix_error(error, "Secret %s on host '%s': ", copy->uuid, copy->host);
                return false;
        }

        if (!value) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "Host '%s' has secret %s, but without a value: set it there", copy->host, copy->uuid);
                return false;
        }

        return true;
}

static bool make(const Copy *copy, const char *xml, const unsigned char *value, size_t size, GError **error) {
        g_autofree char *mark = g_strdup_printf("%d:%s", copy->usage_type, copy->usage ?: "");
        g_autoptr(VsmEffect) effect = vsm_effect_new(VSM_EFFECT_SECRET, true, copy->uuid, mark);
        g_autoptr(virSecret) made = NULL;

        if (copy->journal && !copy->journal->write(effect, copy->journal->userdata, error))
                return false;

        made = virSecretDefineXML(copy->there, xml, 0);
        if (!made || virSecretSetValue(made, value, size, 0) < 0) {
                vsm_virt_error_as(error, VSM_ERROR_FAILED, "Host '%s' does not take secret %s", copy->host,
                                  copy->uuid);
                return false;
        }

        return true;
}

static bool copy_value(const Copy *copy, GError **error) {
        g_autofree char *xml = NULL;
        unsigned char *value;
        size_t size = 0;
        bool ok;

        if (!is_secure(copy->there)) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "Secret %s would go to host '%s' over a connection that anybody on the way can read: "
                            "define it there by hand, or use another AuthenticationType than 32770",
                            copy->uuid, copy->host);
                return false;
        }

        xml = virSecretGetXMLDesc(copy->secret, 0);
        if (!xml) {
                vsm_virt_error(error, "Secret %s cannot be read here", copy->uuid);
                return false;
        }

        value = virSecretGetValue(copy->secret, &size, 0);
        if (!value) {
                vsm_virt_error_as(error, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                                  "The value of secret %s cannot be read here, and host '%s' does not have it: "
                                  "define it there by hand", copy->uuid, copy->host);
                return false;
        }

        ok = make(copy, xml, value, size, error);
        value_free(value, size);
        return ok;
}

static bool copy_one(
                virConnectPtr here,
                virConnectPtr there,
                const char *host,
                const VsmSecretNeed *need,
                const VsmJournal *journal,
                GError **error) {

        g_autoptr(virSecret) secret = NULL;
        g_autoptr(GError) local = NULL;
        Copy copy = { .there = there, .host = host, .journal = journal };
        bool is_there;

        secret = find(here, need->uuid, need->usage, need->usage_type, &local);
        if (!secret) {
                if (local)
                        g_propagate_error(error, g_steal_pointer(&local));
                else
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                                    "The system needs secret '%s', which is not here", need->uuid ?: need->usage);
                return false;
        }

        copy.secret = secret;
        copy.usage = virSecretGetUsageID(secret);
        copy.usage_type = virSecretGetUsageType(secret);
        if (virSecretGetUUIDString(secret, copy.uuid) < 0) {
                vsm_virt_error(error, "A secret cannot be read here");
                return false;
        }

        return look_there(&copy, &is_there, error) && (is_there || copy_value(&copy, error));
}

bool vsm_secrets_copy(
                virConnectPtr here,
                virConnectPtr there,
                const char *host,
                const char *xml,
                const VsmJournal *journal,
                GError **error) {

        g_autoptr(GPtrArray) needs = vsm_secrets_from_xml(xml, error);

        if (!needs)
                return false;

        for (guint i = 0; i < needs->len; i++)
                if (!copy_one(here, there, host, needs->pdata[i], journal, error))
                        return false;

        return true;
}

const char* vsm_secret_obstacle(
                virConnectPtr here,
                virConnectPtr there,
                const char *uuid,
                const char *usage,
                int type) {

        g_autoptr(virSecret) secret = find(here, uuid, usage, type, NULL);
        unsigned char *value;
        size_t size = 0;
        bool readable;

        value = secret ? virSecretGetValue(secret, &size, 0) : NULL;
        readable = value;
        value_free(value, size);
        if (!readable)
                return "secret-missing";

        return is_secure(there) ? NULL : "secret-in-clear";
}

/* ---- taking it back ---- */

static bool text_needs(const char *xml, const char *uuid, const char *usage, int type, bool *ret, GError **error) {
        g_autoptr(GPtrArray) needs = vsm_secrets_from_xml(xml, error);

        if (!needs)
                return false;

        for (guint i = 0; i < needs->len && !*ret; i++) {
                const VsmSecretNeed *need = needs->pdata[i];

                *ret = need->uuid ? g_ascii_strcasecmp(need->uuid, uuid) == 0 :
                                    need->usage_type == type && g_strcmp0(need->usage, usage) == 0;
        }

        return true;
}

/* A domain that runs, and what it will be at its next start. */
static bool domain_needs(virDomainPtr domain, const char *uuid, const char *usage, int type, bool *ret,
                         GError **error) {
        static const unsigned flags[] = { 0, VIR_DOMAIN_XML_INACTIVE };

        for (size_t i = 0; i < G_N_ELEMENTS(flags) && !*ret; i++) {
                g_autofree char *xml = virDomainGetXMLDesc(domain, flags[i]);

                if (!xml && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
                        return true;
                if (!xml) {
                        vsm_virt_error(error, "a domain's definition cannot be read");
                        return false;
                }

                if (!text_needs(xml, uuid, usage, type, ret, error))
                        return false;
        }

        return true;
}

static bool any_domain_needs(virConnectPtr connection, const char *uuid, const char *usage, int type, bool *ret,
                             GError **error) {
        virDomainPtr *domains = NULL;
        int n = virConnectListAllDomains(connection, &domains, 0);
        bool ok = true;

        if (n < 0) {
                vsm_virt_error(error, "the domains cannot be listed");
                return false;
        }

        for (int i = 0; i < n; i++) {
                ok = ok && (*ret || domain_needs(domains[i], uuid, usage, type, ret, error));
                virDomainFree(domains[i]);
        }

        free(domains);
        return ok;
}

static bool any_pool_needs(virConnectPtr connection, const char *uuid, const char *usage, int type, bool *ret,
                           GError **error) {
        virStoragePoolPtr *pools = NULL;
        int n = virConnectListAllStoragePools(connection, &pools, 0);
        bool ok = true;

        if (n < 0) {
                vsm_virt_error(error, "the pools cannot be listed");
                return false;
        }

        for (int i = 0; i < n; i++) {
                g_autofree char *xml = ok && !*ret ? virStoragePoolGetXMLDesc(pools[i], 0) : NULL;

                ok = ok && (!xml || text_needs(xml, uuid, usage, type, ret, error));
                virStoragePoolFree(pools[i]);
        }

        free(pools);
        return ok;
}

bool vsm_undo_secret(const VsmUndo *undo, char **ret_told, GError **error) {
        const char *uuid = undo->effect->object, *usage;
        g_autoptr(virSecret) secret = NULL;
        g_autoptr(GError) local = NULL;
        g_autofree char *mark = NULL;
        bool needed = false;
        int type;

        secret = find(undo->connection, uuid, NULL, 0, &local);
        if (local) {
                g_propagate_error(error, g_steal_pointer(&local));
                return false;
        }
        if (!secret)
                return true;

        type = virSecretGetUsageType(secret);
        usage = virSecretGetUsageID(secret);
        mark = g_strdup_printf("%d:%s", type, usage ?: "");
        if (!g_str_equal(mark, undo->effect->detail)) {
                *ret_told = g_strdup_printf("Secret '%s' is kept: it is another one now", uuid);
                return true;
        }

        if (!any_domain_needs(undo->connection, uuid, usage, type, &needed, error) ||
            (!needed && !any_pool_needs(undo->connection, uuid, usage, type, &needed, error)))
                return false;

        if (needed) {
                *ret_told = g_strdup_printf("Secret '%s' is kept: a domain or a pool needs it", uuid);
                return true;
        }

        if (virSecretUndefine(secret) < 0 && virGetLastErrorCode() != VIR_ERR_NO_SECRET) {
                vsm_virt_error(error, "it cannot be undefined");
                return false;
        }

        *ret_told = g_strdup_printf("Secret '%s' was undefined", uuid);
        return true;
}
