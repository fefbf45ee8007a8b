/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains as plain data: list, look, and what is put on one.
 * Workers: everything here waits for libvirt. */

#include "daemon/log.h"
#include "daemon/virt/internal.h"
#include "daemon/virt/side.h"
#include "daemon/virt/planned.h"
#include "shared/error.h"
#include "shared/names.h"

void vsm_domain_info_free(VsmDomainInfo *info) {
        if (!info)
                return;

        g_free(info->name);
        g_free(info->description);
        g_clear_pointer(&info->policy, g_variant_unref);
        g_free(info->planned_source);
        g_free(info);
}

/* A paused domain of a migration is either at the source, handed over, or at the destination and
 * has never run: state and reason are the same. The receiving side refuses its job statistics, at
 * once and with VIR_ERR_OPERATION_UNSUPPORTED; nobody else does. */
bool vsm_domain_is_incoming(virDomainPtr domain) {
        virTypedParameterPtr params = NULL;
        int type, n_params = 0;

        if (virDomainGetJobStats(domain, &type, &params, &n_params, 0) < 0)
                return virGetLastErrorCode() == VIR_ERR_OPERATION_UNSUPPORTED;

        virTypedParamsFree(params, n_params);
        return false;
}

static VsmDomainState state_paused(virDomainPtr domain, int reason) {
        switch (reason) {
        case VIR_DOMAIN_PAUSED_MIGRATION:
                return vsm_domain_is_incoming(domain) ? VSM_DOMAIN_INCOMING : VSM_DOMAIN_HANDED_OVER;

        case VIR_DOMAIN_PAUSED_POSTCOPY:
                return VSM_DOMAIN_HANDED_OVER;

        case VIR_DOMAIN_PAUSED_POSTCOPY_FAILED:
                return VSM_DOMAIN_POST_COPY_FAILED;

        case VIR_DOMAIN_PAUSED_STARTING_UP:
                /* It may be an incoming one in its first moment, before its event: but to ask would
                 * wait for the end of a start of our own, and that may take minutes. */
                return VSM_DOMAIN_STARTING;

        case VIR_DOMAIN_PAUSED_SHUTTING_DOWN:
                return VSM_DOMAIN_STOPPING;

        case VIR_DOMAIN_PAUSED_CRASHED:
                return VSM_DOMAIN_CRASHED;

        default:
                return VSM_DOMAIN_PAUSED;
        }
}

static VsmDomainState state_off(virDomainPtr domain, int reason) {
        /* Not the reason "saved": it stays when the image is removed, and is forgotten when libvirtd
         * is restarted. */
        if (virDomainHasManagedSaveImage(domain, 0) > 0)
                return VSM_DOMAIN_SAVED;

        return reason == VIR_DOMAIN_SHUTOFF_CRASHED ? VSM_DOMAIN_CRASHED : VSM_DOMAIN_OFF;
}

static VsmDomainState state_from_virt(virDomainPtr domain, int state, int reason) {
        switch (state) {
        case VIR_DOMAIN_RUNNING:
                return reason == VIR_DOMAIN_RUNNING_POSTCOPY_FAILED ? VSM_DOMAIN_POST_COPY_FAILED :
                                                                      VSM_DOMAIN_RUNNING;

        case VIR_DOMAIN_BLOCKED:
                return VSM_DOMAIN_RUNNING;

        case VIR_DOMAIN_PAUSED:
                return state_paused(domain, reason);

        case VIR_DOMAIN_SHUTDOWN:
                return VSM_DOMAIN_STOPPING;

        case VIR_DOMAIN_SHUTOFF:
                return state_off(domain, reason);

        case VIR_DOMAIN_CRASHED:
                return VSM_DOMAIN_CRASHED;

        case VIR_DOMAIN_PMSUSPENDED:
                return VSM_DOMAIN_ASLEEP;

        default:
                return virDomainIsActive(domain) > 0 ? VSM_DOMAIN_RUNNING : VSM_DOMAIN_OFF;
        }
}

static char* read_description(virDomainPtr domain) {
        g_autofree char *text = NULL;

        text = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_TITLE, NULL, VIR_DOMAIN_AFFECT_CURRENT);
        if (!text)
                text = virDomainGetMetadata(
                                domain, VIR_DOMAIN_METADATA_DESCRIPTION, NULL, VIR_DOMAIN_AFFECT_CURRENT);

        return text ? g_utf8_make_valid(text, -1) : g_strdup("");
}

GVariant* vsm_domain_policy(virDomainPtr domain) {
        g_autofree char *xml = NULL;
        GVariant *policy = NULL;

        xml = virDomainGetMetadata(
                        domain, VIR_DOMAIN_METADATA_ELEMENT, VSM_METADATA_POLICY_URI,
                        VIR_DOMAIN_AFFECT_CURRENT);
        if (xml)
                policy = vsm_policy_from_xml(xml, NULL);

        return policy ?: g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0));
}

/* Seven to nine calls, none of which needs a job of the domain but the one for a paused migration:
 * they do not wait while it migrates. */
static VsmDomainInfo* read_domain(virDomainPtr domain) {
        g_autoptr(VsmDomainInfo) info = g_new0(VsmDomainInfo, 1);
        virDomainInfo numbers;
        int state, reason, persistent, autostart;

        if (virDomainGetUUIDString(domain, info->uuid) < 0)
                return NULL;

        if (virDomainGetInfo(domain, &numbers) < 0)
                return NULL;

        persistent = virDomainIsPersistent(domain);
        if (persistent < 0)
                return NULL;

        /* a transient domain cannot have the mark */
        if (virDomainGetAutostart(domain, &autostart) < 0)
                autostart = 0;

        info->name = g_utf8_make_valid(virDomainGetName(domain), -1);
        info->persistent = persistent > 0;
        info->autostart = autostart > 0;
        info->memory = (uint64_t) numbers.maxMem * 1024;
        info->cpus = numbers.nrVirtCpu;
        info->description = read_description(domain);
        info->policy = vsm_domain_policy(domain);
        info->planned_source = info->persistent ? vsm_planned_source(domain) : NULL;

        /* Last, so that it is the freshest, and that a domain which went meanwhile is found gone. */
        if (virDomainGetState(domain, &state, &reason, 0) < 0)
                return NULL;

        info->state = state_from_virt(domain, state, reason);
        return g_steal_pointer(&info);
}

bool vsm_domain_snapshot(virDomainPtr domain, VsmDomainInfo **ret, GError **error) {
        const char *name = virDomainGetName(domain); /* before: it clears the last error */
        VsmDomainInfo *info;

        info = read_domain(domain);
        if (!info && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN) {
                vsm_virt_error(error, "Cannot read the state of system '%s'", name);
                return false;
        }

        *ret = info;
        return true;
}

bool vsm_domain_lookup(virConnectPtr connection, const char *uuid, virDomainPtr *ret, GError **error) {
        virDomainPtr domain;

        domain = virDomainLookupByUUIDString(connection, uuid);
        if (!domain && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN) {
                vsm_virt_error(error, "Cannot look up system %s", uuid);
                return false;
        }

        *ret = domain;
        return true;
}

virDomainPtr vsm_domain_find(virConnectPtr connection, const char *uuid, GError **error) {
        virDomainPtr domain;

        if (!vsm_domain_lookup(connection, uuid, &domain, error))
                return NULL;

        if (!domain)
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, "There is no system %s here", uuid);

        return domain;
}

bool vsm_domain_look(virConnectPtr connection, const char *uuid, VsmDomainInfo **ret, GError **error) {
        g_autoptr(virDomain) domain = NULL;

        if (!vsm_domain_lookup(connection, uuid, &domain, error))
                return false;

        if (!domain) {
                *ret = NULL;
                return true;
        }

        return vsm_domain_snapshot(domain, ret, error);
}

bool vsm_domain_set_autostart(virConnectPtr connection, const char *uuid, bool autostart, GError **error) {
        g_autoptr(virDomain) domain = NULL;
        int present;

        domain = vsm_domain_find(connection, uuid, error);
        if (!domain)
                return false;

        /* A transient domain, too, answers "off" here: taking the mark off it is no error. */
        if (virDomainGetAutostart(domain, &present) >= 0 && (present > 0) == autostart)
                return true;

        if (virDomainSetAutostart(domain, autostart) < 0) {
                vsm_virt_error(error, "Cannot set the autostart mark of system %s", uuid);
                return false;
        }

        return true;
}

static void free_domains(virDomainPtr *domains) {
        for (size_t i = 0; domains[i]; i++)
                virDomainFree(domains[i]);

        free(domains);
}

GPtrArray* vsm_virt_list(VsmVirt *virt, GError **error) {
        g_autoptr(virConnect) connection = NULL;
        g_autoptr(GPtrArray) infos = NULL;
        virDomainPtr *domains;
        bool ok = true;

        connection = vsm_virt_ref_connection(virt, error);
        if (!connection)
                return NULL;

        if (virConnectListAllDomains(connection, &domains, 0) < 0) {
                vsm_virt_error(error, "Cannot list the systems");
                return NULL;
        }

        infos = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_domain_info_free);
        for (size_t i = 0; ok && domains[i]; i++) {
                g_autoptr(GError) local = NULL;
                VsmDomainInfo *info = NULL;

                if (vsm_domain_snapshot(domains[i], &info, &local)) {
                        if (info)
                                g_ptr_array_add(infos, info);
                        continue;
                }

                /* one that may not be read, say: the others are there all the same */
                ok = virConnectIsAlive(connection) > 0;
                if (ok)
                        vsm_log(LOG_WARNING, "A system is left out: %s", local->message);
                else
                        g_propagate_error(error, g_steal_pointer(&local));
        }

        free_domains(domains);
        return ok ? g_steal_pointer(&infos) : NULL;
}

bool vsm_virt_look(VsmVirt *virt, const char *uuid, VsmDomainInfo **ret, GError **error) {
        g_autoptr(virConnect) connection = NULL;

        connection = vsm_virt_ref_connection(virt, error);
        if (!connection)
                return false;

        return vsm_domain_look(connection, uuid, ret, error);
}

bool vsm_virt_set_autostart(VsmVirt *virt, const char *uuid, bool autostart, GError **error) {
        g_autoptr(virConnect) connection = NULL;

        connection = vsm_virt_ref_connection(virt, error);
        if (!connection)
                return false;

        return vsm_domain_set_autostart(connection, uuid, autostart, error);
}

bool vsm_virt_set_policy(VsmVirt *virt, const char *uuid, GVariant *policy, GError **error) {
        g_autoptr(virConnect) connection = NULL;
        g_autoptr(virDomain) domain = NULL;
        g_autofree char *xml = NULL;
        unsigned flags = VIR_DOMAIN_AFFECT_CURRENT;
        bool job;

        connection = vsm_virt_ref_connection(virt, error);
        if (!connection)
                return false;

        domain = vsm_domain_find(connection, uuid, error);
        if (!domain)
                return false;

        /* where that cannot be told, libvirt itself refuses, only later */
        if (vsm_side_has_job(domain, &job, NULL) && job) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "libvirt is running a job of the system (a migration, a save, ...): its policy can be "
                            "changed when that has ended");
                return false;
        }

        /* both, so that it neither waits for the next start nor ends with this run */
        if (virDomainIsActive(domain) > 0)
                flags |= VIR_DOMAIN_AFFECT_LIVE;
        if (virDomainIsPersistent(domain) > 0)
                flags |= VIR_DOMAIN_AFFECT_CONFIG;

        xml = g_variant_n_children(policy) > 0 ? vsm_policy_to_xml(policy) : NULL;
        if (virDomainSetMetadata(
                            domain, VIR_DOMAIN_METADATA_ELEMENT, xml, xml ? "vsm" : NULL,
                            VSM_METADATA_POLICY_URI, flags) < 0) {
                vsm_virt_error(error, "Cannot set the policy of system %s", uuid);
                return false;
        }

        return true;
}
