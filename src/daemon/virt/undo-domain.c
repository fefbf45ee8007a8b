/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Taking back what a move did to a domain, here or there. Each looks first, and does nothing to a domain
 * that somebody has begun to use otherwise. Workers. */

#include "daemon/virt/definition.h"
#include "daemon/virt/patience.h"
#include "daemon/virt/side.h"
#include "daemon/virt/undo.h"

#define POLL_USEC       (G_USEC_PER_SEC / 5)
#define ABORT_USEC      (60 * G_USEC_PER_SEC)

/* What lies beside it was not made by placing it; libvirt keeps it only when told so. What is told of
 * snapshots was placed with it. */
#define UNDEFINE_FLAGS \
        (VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | VIR_DOMAIN_UNDEFINE_KEEP_TPM | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)

/* On its way to another state by itself: to be looked at later. */
static bool is_settled(VsmSide side) {
        return side != VSM_SIDE_UNKNOWN && side != VSM_SIDE_INCOMING && side != VSM_SIDE_STOPPING &&
                side != VSM_SIDE_HANDED_OVER;
}

static bool is_off(VsmSide side) {
        return side == VSM_SIDE_ABSENT || side == VSM_SIDE_OFF || side == VSM_SIDE_OFF_MIGRATED;
}

static bool wait_for_side(VsmSide side, GError **error) {
        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, "it is %s", vsm_side_to_string(side));
        return false;
}

/* Does it bear our mark, of that job? It was taken off when the system was moved into it. */
static bool is_planned(virDomainPtr domain, const char *job, bool *ret, GError **error) {
        g_autofree char *xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
        g_autoptr(VsmPlanned) planned = NULL;

        if (!xml) {
                vsm_virt_error(error, "its definition cannot be read");
                return false;
        }

        if (!vsm_planned_from_xml(xml, &planned, error))
                return false;

        *ret = planned && (!*job || g_strcmp0(planned->job, job) == 0);
        return true;
}

bool vsm_undo_definition(const VsmUndo *undo, char **ret_told, GError **error) {
        const char *uuid = undo->effect->object;
        g_autoptr(virDomain) domain = NULL;
        bool planned = false;
        VsmSide side;

        if (!vsm_domain_lookup(undo->connection, uuid, &domain, error))
                return false;
        if (!domain)
                return true;

        side = vsm_side_of(domain, undo->effect->there ? VSM_HOST_THERE : VSM_HOST_HERE);
        if (side == VSM_SIDE_ABSENT)
                return true;
        if (!is_settled(side))
                return wait_for_side(side, error);
        if (!is_off(side)) {
                *ret_told = g_strdup_printf("The definition of '%s' is kept: it is %s", uuid,
                                            vsm_side_to_string(side));
                return true;
        }

        if (!is_planned(domain, undo->effect->detail, &planned, error))
                return false;
        if (!planned || virDomainHasManagedSaveImage(domain, 0) > 0) {
                *ret_told = g_strdup_printf("The definition of '%s' is kept: it is not the one that was placed "
                                            "there, or has been used", uuid);
                return true;
        }

        if (virDomainUndefineFlags(domain, UNDEFINE_FLAGS) < 0 && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN) {
                vsm_virt_error(error, "it cannot be undefined");
                return false;
        }

        *ret_told = g_strdup_printf("The definition of '%s' was removed", uuid);
        return true;
}

/* *ret: a copy of that disk runs, or is complete and waits for its end. */
static bool look_at_copy(virDomainPtr domain, const char *disk, bool *ret, GError **error) {
        virDomainBlockJobInfo info = {};
        int r, code;

        r = virDomainGetBlockJobInfo(domain, disk, &info, 0);
        if (r < 0) {
                code = virGetLastErrorCode();

                /* off, gone, or without that disk: nothing copies it */
                if (code != VIR_ERR_OPERATION_INVALID && code != VIR_ERR_NO_DOMAIN && code != VIR_ERR_INVALID_ARG) {
                        vsm_virt_error(error, "libvirt does not tell about the copying of '%s'", disk);
                        return false;
                }
        }

        *ret = r > 0 && info.type == VIR_DOMAIN_BLOCK_JOB_TYPE_COPY;
        return true;
}

static bool end_copy(virDomainPtr domain, const char *disk, GError **error) {
        if (virDomainBlockJobAbort(domain, disk, VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC) >= 0)
                return true;

        vsm_virt_error(error, "the copying of '%s' cannot be ended", disk);
        return false;
}

bool vsm_undo_block_copy(const VsmUndo *undo, char **ret_told, GError **error) {
        int64_t patience = g_get_monotonic_time() + ABORT_USEC;
        g_autofree char *disk = vsm_effect_copy_target(undo->effect);
        g_autoptr(virDomain) domain = NULL;
        bool asked = false;

        if (!vsm_domain_lookup(undo->connection, undo->effect->object, &domain, error))
                return false;
        if (!domain)
                return true;

        for (;;) {
                g_autoptr(GError) local = NULL;
                bool runs;

                /* without PIVOT it stays where it was; once, as a second time is an error */
                if (!look_at_copy(domain, disk, &runs, error))
                        return false;
                if (runs && !asked && !end_copy(domain, disk, &local) && !look_at_copy(domain, disk, &runs, error))
                        return false;
                if (!runs)
                        break;

                asked = true;
                if (!local && g_get_monotonic_time() > patience)
                        g_set_error(&local, VSM_ERROR, VSM_ERROR_TIMEOUT, "the copying of '%s' does not end", disk);
                if (local) {
                        g_propagate_error(error, g_steal_pointer(&local));
                        return false;
                }

                (void) vsm_wait_sleep(POLL_USEC, NULL);
        }

        if (asked)
                *ret_told = g_strdup_printf("The copying of disk '%s' of '%s' was ended", disk,
                                            undo->effect->object);
        return true;
}

/* Is off there, and what is there is older than what is here; else *ret_told says why. */
static bool may_start_again(const VsmUndo *undo, VsmSide there, char **ret_told) {
        const char *uuid = undo->effect->object;
        g_autoptr(virDomain) domain = NULL;

        if (!is_off(there)) {
                *ret_told = g_strdup_printf("System '%s' is not started again: on the other host it is %s", uuid,
                                            vsm_side_to_string(there));
                return false;
        }

        if (there == VSM_SIDE_OFF && vsm_domain_lookup(undo->there, uuid, &domain, NULL) && domain &&
            vsm_side_has_run(domain)) {
                *ret_told = g_strdup_printf("System '%s' is not started again: it has run on the other host", uuid);
                return false;
        }

        return true;
}

/* It must run once: there it is looked at first, and a host that cannot be asked may have it. */
bool vsm_undo_shut_down(const VsmUndo *undo, char **ret_told, GError **error) {
        const char *uuid = undo->effect->object;
        g_autoptr(virDomain) domain = NULL;
        VsmSide here, there;

        if (!vsm_side_look(undo->here, uuid, VSM_HOST_HERE, &here, NULL, error))
                return false;
        if (!is_settled(here))
                return wait_for_side(here, error);
        if (here == VSM_SIDE_ABSENT || here == VSM_SIDE_OFF_MIGRATED) {
                *ret_told = g_strdup_printf("System '%s' is not started again: it is %s", uuid,
                                            vsm_side_to_string(here));
                return true;
        }
        if (!is_off(here))
                return true;

        if (!undo->there) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_SYSTEM_NOT_AVAILABLE,
                            "it is started again once the other host says that it does not run there");
                return false;
        }

        if (!vsm_side_look(undo->there, uuid, VSM_HOST_THERE, &there, NULL, error))
                return false;
        if (!is_settled(there))
                return wait_for_side(there, error);
        if (!may_start_again(undo, there, ret_told))
                return true;

        domain = vsm_domain_find(undo->here, uuid, error);
        if (!domain)
                return false;

        if (virDomainCreate(domain) < 0 && virDomainIsActive(domain) != 1) {
                vsm_virt_error(error, "it cannot be started again");
                return false;
        }

        *ret_told = g_strdup_printf("System '%s' was started again", uuid);
        return true;
}

/* Only one that is paused by a person, or by us: never one that libvirt paused to hand it over. */
static bool resume(virConnectPtr connection, const char *uuid, VsmHost host, char **ret_told, GError **error) {
        g_autoptr(virDomain) domain = NULL;
        VsmSide side;

        if (!vsm_side_look(connection, uuid, host, &side, NULL, error))
                return false;
        if (!is_settled(side))
                return wait_for_side(side, error);
        if (side == VSM_SIDE_RUNNING)
                return true;
        if (side != VSM_SIDE_PAUSED) {
                *ret_told = g_strdup_printf("System '%s' is not resumed: it is %s", uuid, vsm_side_to_string(side));
                return true;
        }

        domain = vsm_domain_find(connection, uuid, error);
        if (!domain)
                return false;

        if (virDomainResume(domain) < 0) {
                vsm_virt_error(error, "it cannot be resumed");
                return false;
        }

        *ret_told = g_strdup_printf("System '%s' was resumed", uuid);
        return true;
}

bool vsm_undo_suspended(const VsmUndo *undo, char **ret_told, GError **error) {
        const char *uuid = undo->effect->object;
        VsmSide there = VSM_SIDE_ABSENT;

        /* That the system stayed was found out before the verdict, so a host that is silent now is not
         * waited for; but what it says counts. */
        if (undo->there && vsm_side_look(undo->there, uuid, VSM_HOST_THERE, &there, NULL, NULL) &&
            !is_off(there)) {
                if (!is_settled(there))
                        return wait_for_side(there, error);

                *ret_told = g_strdup_printf("System '%s' is not resumed: on the other host it is %s", uuid,
                                            vsm_side_to_string(there));
                return true;
        }

        return resume(undo->here, uuid, VSM_HOST_HERE, ret_told, error);
}

bool vsm_undo_halted(const VsmUndo *undo, char **ret_told, GError **error) {
        return resume(undo->here, undo->effect->object, VSM_HOST_HERE, ret_told, error);
}

bool vsm_undo_resume_there(const VsmUndo *undo, char **ret_told, GError **error) {
        return resume(undo->there, undo->effect->object, VSM_HOST_THERE, ret_told, error);
}
