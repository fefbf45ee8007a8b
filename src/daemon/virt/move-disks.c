/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is to be different about a guest at the destination, decided before and made before libvirt's call.
 * The long lane. */

#include "daemon/virt/interface-plan.h"
#include "daemon/virt/move-private.h"
#include "daemon/virt/secret.h"
#include "shared/enums.h"
#include "shared/error.h"

/* Those that are named in a move without disks are there already: in a planned system, elsewhere. */
static bool plans_disks(const VsmMove *move) {
        return move->options.type == VSM_MIGRATION_TYPE_SYSTEM_AND_STORAGE ||
                (move->planned_xml && move->options.changes->disks);
}

static char* definition_of(virDomainPtr domain, unsigned flags, GError **error) {
        g_autofree char *text = NULL;
        char *xml;

        /* without SECURE, the passwords of its consoles would be lost on the way */
        xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_MIGRATABLE | VIR_DOMAIN_XML_SECURE | flags);
        if (!xml) {
                vsm_virt_error(error, "libvirt does not tell the system's definition");
                return NULL;
        }

        text = g_strdup(xml);
        free(xml);
        return g_steal_pointer(&text);
}

bool vsm_move_refuse(VsmReasons *reasons, GError **error) {
        g_autoptr(GVariant) list = vsm_reasons_to_variant(reasons);
        g_autoptr(GString) text = g_string_new(NULL);

        for (size_t i = 0; i < g_variant_n_children(list); i++) {
                g_autoptr(GVariant) reason = g_variant_get_child_value(list, i);
                const char *message = NULL;
                uint16_t severity = 0;

                if (g_variant_lookup(reason, "PerceivedSeverity", "q", &severity) &&
                    severity >= VSM_SEVERITY_ERROR &&
                    g_variant_lookup(reason, "Message", "&s", &message))
                        g_string_append_printf(text, "%s%s", text->len > 0 ? "; " : "", message);
        }

        if (text->len == 0)
                return true;

        g_set_error_literal(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS, text->str);
        return false;
}

static bool write_definitions(
                VsmMove *move,
                VsmSettle *settle,
                const char *live,
                const char *stored,
                GPtrArray *interfaces,
                GError **error) {

        const char *description = move->options.changes->description;

        move->live_xml = vsm_disk_plan_definition(move->plan, live, /* stored = */ false, NULL, description,
                                                  interfaces, NULL, error);
        if (!move->live_xml)
                return false;

        if (move->planned_xml) {
                move->stored_xml = vsm_move_merge_definition(move, settle, interfaces, error);
                return move->stored_xml;
        }

        if (stored) {
                move->stored_xml = vsm_disk_plan_definition(move->plan, stored, /* stored = */ true, NULL,
                                                            description, interfaces, NULL, error);
                if (!move->stored_xml)
                        return false;
        }

        return true;
}

bool vsm_move_plan(VsmMove *move, VsmSettle *settle, virDomainPtr domain, bool persistent, GError **error) {
        const VsmChanges *changes = move->options.changes;
        virConnectPtr there = vsm_peer_connection(settle->peer);
        VsmReasons *reasons = move->reasons;
        g_autoptr(GPtrArray) interfaces = NULL;
        g_autofree char *live = NULL, *stored = NULL;

        if (changes->planned && !vsm_move_merge_planned(move, settle, domain, error))
                return false;

        live = definition_of(domain, 0, error);
        if (live && persistent)
                stored = definition_of(domain, VIR_DOMAIN_XML_INACTIVE, error);
        if (!live || (persistent && !stored))
                return false;

        if (plans_disks(move)) {
                VsmDiskPlanInput input = { &move->options, domain, settle->source, there,
                                           vsm_peer_host(settle->peer), false };

                move->plan = vsm_disk_plan_new(&input, reasons, error);
                if (!move->plan)
                        return false;
        }

        interfaces = vsm_interface_plan(there, vsm_peer_host(settle->peer), live, changes, reasons, error);
        if (!interfaces || !vsm_move_refuse(reasons, error))
                return false;

        if (changes->name && g_strcmp0(changes->name, settle->name) != 0)
                move->there.name = changes->name;

        /* Where nothing is different, libvirt's own way is the best known one. */
        if (!move->plan && !move->planned_xml && !vsm_changes_touch_definition(changes))
                return true;

        if (!write_definitions(move, settle, live, stored, interfaces, error))
                return false;

        move->disks = move->plan ? vsm_disk_plan_targets(move->plan) : NULL;
        move->there.live_xml = move->live_xml;
        move->there.stored_xml = move->stored_xml;
        move->there.disks = move->disks;
        move->there.incremental = move->plan && move->plan->incremental;
        return true;
}

/* ---- making ---- */

bool vsm_move_write_source_volumes(VsmMove *move, GPtrArray *steps, GError **error) {
        for (guint i = 0; i < steps->len; i++) {
                const VsmDiskStep *step = steps->pdata[i];

                if (step->kind == VSM_DISK_COPY && step->from &&
                    !vsm_move_write(move, VSM_EFFECT_SOURCE_VOLUME, false, step->from->path, step->from->pool,
                                    error))
                        return false;
        }

        return true;
}

static bool make_disks(VsmMove *move, VsmSettle *settle, virDomainPtr domain, GError **error) {
        const VsmChanges *changes = move->options.changes;

        if (!vsm_secrets_copy(settle->source, vsm_peer_connection(settle->peer), vsm_peer_host(settle->peer),
                              move->live_xml, &move->journal, error))
                return false;

        if ((changes->remove_source && !vsm_move_write_source_volumes(move, move->plan->disks, error)) ||
            (changes->remove_source_volumes && !vsm_move_write_source_volumes(move, move->plan->volumes, error)))
                return false;

        return vsm_disk_plan_execute(move->plan, vsm_peer_connection(settle->peer), /* there_is_other = */ true,
                                     &move->journal, move->cancel, error);
}

/* A guest that is paused by us arrives paused, and is resumed there: so at no time libvirt has to pause it,
 * or to resume it, on its own account. */
static bool suspend(VsmMove *move, virDomainPtr domain, GError **error) {
        if (!vsm_move_write(move, VSM_EFFECT_SUSPENDED, false, move->options.uuid, NULL, error))
                return false;

        if (virDomainSuspend(domain) < 0) {
                vsm_virt_error(error, "The system could not be paused");
                return false;
        }

        return true;
}

bool vsm_move_make(VsmMove *move, VsmSettle *settle, virDomainPtr domain, GError **error) {
        if (move->plan && !make_disks(move, settle, domain, error))
                return false;

        return !move->suspend || suspend(move, domain, error);
}
