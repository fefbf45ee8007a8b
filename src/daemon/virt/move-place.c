/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A definition goes to another host, and what belongs to it: looked at, made, taken into use. */

#include <inttypes.h>
#include <string.h>

#include "daemon/virt/belongings.h"
#include "daemon/virt/interface-plan.h"
#include "daemon/virt/mark.h"
#include "daemon/virt/move-place.h"
#include "daemon/virt/secret.h"
#include "daemon/virt/xml.h"
#include "shared/enums.h"
#include "shared/error.h"

#define DIAL_USEC (5 * G_USEC_PER_SEC)

static bool is_staged(const VsmMove *move) {
        return move->options.type == VSM_MIGRATION_TYPE_STAGED;
}

/* ---- what must be so here ---- */

static bool check_state(VsmMove *move, VsmSettle *settle, bool active, GError **error) {
        const VsmMoveFacts *facts = settle->facts;
        const char *what = NULL;

        if (move->options.type == VSM_MIGRATION_TYPE_OTHER && active)
                what = "runs: MigrationType 1 moves one that is off";
        else if (move->options.type == VSM_MIGRATION_TYPE_RESTART) {
                if (!active)
                        what = "is off: MigrationType 4 shuts down one that runs; 1 moves one that is off";
                else if (facts->paused)
                        what = "is paused, and would not notice that it is to shut down: resume it first";
                else if (!facts->persistent)
                        what = "has no permanent definition, so it could not be started again: define it first";
        }

        if (what)
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, "System '%s' %s", settle->name, what);
        return !what;
}

/* ---- disks that stay ---- */

bool vsm_place_check_disks(VsmMove *move, VsmSettle *settle, virDomainPtr domain, GError **error) {
        g_autoptr(virDomain) there = vsm_domain_find(vsm_peer_connection(settle->peer), move->options.uuid, error);

        if (!there)
                return false;

        for (guint i = 0; i < move->plan->disks->len; i++) {
                const VsmDiskStep *step = move->plan->disks->pdata[i];
                virDomainBlockInfo info;

                /* an empty drive has nothing to be looked for */
                if (step->kind == VSM_DISK_COPY || virDomainGetBlockInfo(domain, step->target, &info, 0) < 0)
                        continue;

                if (virDomainGetBlockInfo(there, step->target, &info, 0) < 0) {
                        vsm_virt_error_as(error, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                                          "Host '%s' does not have what is in disk '%s' of system '%s'",
                                          vsm_peer_host(settle->peer), step->target, settle->name);
                        return false;
                }
        }

        return true;
}

/* ---- what is decided before ---- */

static char* definition_of(virDomainPtr domain, bool persistent, GError **error) {
        unsigned flags = VIR_DOMAIN_XML_MIGRATABLE | VIR_DOMAIN_XML_SECURE;
        g_autofree char *text = NULL;
        char *xml;

        xml = virDomainGetXMLDesc(domain, flags | (persistent ? VIR_DOMAIN_XML_INACTIVE : 0));
        if (!xml) {
                vsm_virt_error(error, "libvirt does not tell the system's definition");
                return NULL;
        }

        text = g_strdup(xml);
        free(xml);
        return g_steal_pointer(&text);
}

/* The volumes that are made for it are in the mark, so that they can be removed with it. */
static VsmPlanned* new_mark(VsmMove *move, VsmSettle *settle) {
        g_autofree char *job = g_strdup_printf("%" PRIu64, move->options.job);
        char *host = virConnectGetHostname(settle->source);
        VsmPlanned *planned = vsm_planned_new(host ?: "", job);
        GPtrArray *const lists[] = { move->plan->disks, move->plan->volumes };

        for (size_t l = 0; l < G_N_ELEMENTS(lists); l++)
                for (guint i = 0; i < lists[l]->len; i++) {
                        const VsmDiskStep *step = lists[l]->pdata[i];

                        if (step->kind == VSM_DISK_COPY && step->to && !step->fixed)
                                vsm_planned_add(planned, step->to->path, step->to->pool);
                }

        free(host);
        return planned;
}

static bool plan(VsmMove *move, VsmSettle *settle, virDomainPtr domain, GError **error) {
        virConnectPtr there = vsm_peer_connection(settle->peer);
        const char *host = vsm_peer_host(settle->peer);
        const VsmChanges *changes = move->options.changes;
        const bool persistent = settle->facts->persistent;
        VsmDiskPlanInput input = {
                &move->options, domain, settle->source, there, host,
                .restart = move->options.type == VSM_MIGRATION_TYPE_RESTART,
        };
        g_autoptr(VsmReasons) reasons = vsm_reasons_new();
        g_autoptr(GPtrArray) interfaces = NULL;
        g_autoptr(VsmPlanned) mark = NULL;
        g_autofree char *xml = definition_of(domain, persistent, error);
        bool renamed = changes->name && g_strcmp0(changes->name, settle->name) != 0;

        if (!xml)
                return false;

        move->plan = vsm_disk_plan_new(&input, reasons, error);
        if (!move->plan)
                return false;

        interfaces = vsm_interface_plan(there, host, xml, changes, reasons, error);
        if (!interfaces || !vsm_move_refuse(reasons, error))
                return false;

        if (!is_staged(move) &&
            !vsm_belongings_check(&(VsmBelongings) {
                                          .domain = domain, .here = settle->source, .there = there, .host = host,
                                          .xml = xml, .plan = move->plan, .renamed = renamed,
                                  }, NULL, error))
                return false;

        mark = new_mark(move, settle);
        move->stored_xml = vsm_disk_plan_definition(move->plan, xml, /* stored = */ persistent,
                                                    renamed ? changes->name : NULL, changes->description,
                                                    interfaces, mark, error);
        return move->stored_xml;
}

/* What is defined there may be of use to somebody: it is never replaced. */
static bool check_free(VsmMove *move, VsmSettle *settle, GError **error) {
        if (!vsm_move_check_there(move, settle, error))
                return false;

        if (!settle->defined_there_before)
                return true;

        g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                    "Host '%s' has a definition of system '%s' already: undefine it there",
                    vsm_peer_host(settle->peer), settle->name);
        return false;
}

virDomainPtr vsm_place_prepare(
                VsmMove *move,
                VsmSettle *settle,
                VsmMoveFacts *facts,
                const VsmMoveHooks *hooks,
                GError **error) {

        g_autoptr(virDomain) domain = NULL;
        bool active;

        if (!move->options.changes)
                move->options.changes = vsm_changes_new();

        domain = vsm_move_look_any(move, settle, facts, &active, error);
        if (!domain || !check_state(move, settle, active, error))
                return NULL;

        settle->peer = vsm_peer_open_dialled(move->options.destination, DIAL_USEC, move->cancel, error);
        if (!settle->peer)
                return NULL;

        settle->had_peer = true;
        facts->address = g_strdup(vsm_peer_address(settle->peer));
        if (!check_free(move, settle, error) || !plan(move, settle, domain, error) ||
            !vsm_move_check_cancelled(move, error))
                return NULL;

        if (hooks && hooks->prepared && !hooks->prepared(facts, hooks->userdata, error))
                return NULL;

        return g_steal_pointer(&domain);
}

/* ---- making ---- */

static bool define(VsmMove *move, VsmSettle *settle, GError **error) {
        g_autofree char *job = g_strdup_printf("%" PRIu64, move->options.job);
        g_autoptr(virDomain) domain = NULL;

        /* once more: making its volumes may have taken long */
        if (!check_free(move, settle, error) ||
            !vsm_move_write(move, VSM_EFFECT_DEFINITION, true, move->options.uuid, job, error))
                return false;

        domain = virDomainDefineXML(vsm_peer_connection(settle->peer), move->stored_xml);
        if (!domain)
                vsm_virt_error_as(error, VSM_ERROR_FAILED, "Host '%s' does not take the definition",
                                  vsm_peer_host(settle->peer));
        return domain;
}

bool vsm_place_make(VsmMove *move, VsmSettle *settle, GError **error) {
        virConnectPtr there = vsm_peer_connection(settle->peer);
        const VsmChanges *changes = move->options.changes;

        /* what is only staged has its disks here still */
        if (!is_staged(move) &&
            ((changes->remove_source && !vsm_move_write_source_volumes(move, move->plan->disks, error)) ||
             (changes->remove_source_volumes &&
              !vsm_move_write_source_volumes(move, move->plan->volumes, error))))
                return false;

        return vsm_secrets_copy(settle->source, there, vsm_peer_host(settle->peer), move->stored_xml,
                                &move->journal, error) &&
                vsm_disk_plan_execute(move->plan, there, /* there_is_other = */ true, &move->journal,
                                      move->cancel, error) &&
                vsm_move_check_cancelled(move, error) && define(move, settle, error);
}

bool vsm_place_take_into_use(VsmMove *move, VsmSettle *settle, GError **error) {
        g_autofree char *job = g_strdup_printf("%" PRIu64, move->options.job);
        g_autoptr(virDomain) domain = NULL;

        domain = vsm_domain_find(vsm_peer_connection(settle->peer), move->options.uuid, error);
        return domain && vsm_move_write(move, VSM_EFFECT_UNMARKED, true, move->options.uuid, job, error) &&
                vsm_mark_remove(domain, error);
}
