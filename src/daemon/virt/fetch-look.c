/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What must be so on both hosts before a guest comes home; nothing is changed here. Workers. */

#include "daemon/virt/check.h"
#include "daemon/virt/dial.h"
#include "daemon/virt/fetch-private.h"
#include "daemon/virt/route.h"
#include "daemon/virt/uri.h"
#include "shared/error.h"

#define DIAL_USEC       (5 * G_USEC_PER_SEC)
#define ADDRESS_USEC    (2 * G_USEC_PER_SEC)    /* for one of this host's addresses */

bool vsm_virt_available_memory(VsmVirt *virt, uint64_t *ret, GError **error) {
        g_autoptr(VsmPeer) here = vsm_peer_here(virt, "this host", error);

        return here && vsm_peer_available_memory(here, ret, error);
}

bool vsm_virt_start(VsmVirt *virt, const char *uuid, GError **error) {
        g_autoptr(virConnect) connection = vsm_virt_open_own(virt, error);
        g_autoptr(virDomain) domain = NULL;

        if (!connection)
                return false;

        domain = vsm_domain_find(connection, uuid, error);
        if (!domain)
                return false;

        /* Between the question and the call somebody else may have been quicker. */
        if (virDomainIsActive(domain) == 1 || virDomainCreate(domain) >= 0)
                return true;

        vsm_virt_error(error, "System %s does not start", uuid);
        if (virDomainIsActive(domain) != 1)
                return false;

        g_clear_error(error);
        return true;
}

static bool find_away(
                VsmPeer *peer,
                const char *uuid,
                VsmAwayState *ret,
                virDomainPtr *ret_domain,
                VsmDomainInfo **ret_info,
                GError **error) {

        virConnectPtr connection = vsm_peer_connection(peer);
        g_autoptr(virDomain) domain = NULL;
        g_autoptr(VsmDomainInfo) info = NULL;
        VsmSide side = VSM_SIDE_ABSENT;
        bool job = false;

        if (!vsm_domain_lookup(connection, uuid, &domain, error) ||
            (domain && (!vsm_side_has_job(domain, &job, error) ||
                        !vsm_side_look(connection, uuid, VSM_HOST_HERE, &side, NULL, error) ||
                        !vsm_domain_snapshot(domain, &info, error)))) {
                g_prefix_error(error, "Host '%s': ", vsm_peer_host(peer));
                return false;
        }

        /* a definition may have been left there by who moved it on */
        if (!info || side == VSM_SIDE_ABSENT || side == VSM_SIDE_OFF_MIGRATED)
                *ret = VSM_AWAY_GONE;
        else if (job)
                *ret = VSM_AWAY_BUSY;
        else
                *ret = side == VSM_SIDE_RUNNING || side == VSM_SIDE_PAUSED ? VSM_AWAY_ACTIVE : VSM_AWAY_OFF;

        *ret_info = *ret == VSM_AWAY_GONE ? NULL : g_steal_pointer(&info);
        if (ret_domain)
                *ret_domain = g_steal_pointer(&domain);
        return true;
}

bool vsm_peer_look_away(VsmPeer *peer, const char *uuid, VsmAwayState *ret, VsmDomainInfo **ret_info, GError **error) {
        return find_away(peer, uuid, ret, NULL, ret_info, error);
}

/* As it is there, with its facts. */
static virDomainPtr look_there(
                VsmFetch *fetch,
                VsmSettle *settle,
                VsmPeer *peer,
                VsmMoveFacts *facts,
                VsmDomainInfo **ret_info,
                VsmMoveOutcome *ret_outcome,
                GError **error) {

        const char *uuid = fetch->options.uuid, *host = fetch->options.from->host;
        g_autoptr(VsmDomainInfo) info = NULL;
        g_autoptr(virDomain) domain = NULL;
        VsmAwayState state;
        VsmSide side;

        if (!find_away(peer, uuid, &state, &domain, &info, error))
                return NULL;

        if (state == VSM_AWAY_GONE) {
                vsm_reasons_add(fetch->reasons, "moved-on", host, NULL, uuid, host, NULL);
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "System %s is not on host '%s' any more: it has been moved on by somebody since", uuid,
                            host);
                *ret_outcome = VSM_MOVE_LOST;
                return NULL;
        }

        settle->name = g_strdup(info->name);
        if (state == VSM_AWAY_BUSY) {
                vsm_reasons_add(fetch->reasons, "job-running", info->name, NULL, info->name, NULL);
                g_set_error(error, VSM_ERROR, VSM_ERROR_SYSTEM_IN_USE,
                            "libvirt on host '%s' is running a job of system '%s': wait until it has ended", host,
                            info->name);
                *ret_outcome = VSM_MOVE_BUSY;
                return NULL;
        }

        if (state == VSM_AWAY_OFF) {
                vsm_reasons_add(fetch->reasons, "not-running", info->name, NULL, info->name, NULL);
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                            "System '%s' does not run on host '%s': start it there, or move it as one that is off",
                            info->name, host);
                return NULL;
        }

        if (info->state == VSM_DOMAIN_ASLEEP) {
                vsm_reasons_add(fetch->reasons, "guest-asleep", info->name, NULL, info->name, NULL);
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, VSM_GUEST_ASLEEP_TEXT, info->name);
                return NULL;
        }

        if (!vsm_side_look(settle->source, uuid, VSM_HOST_HERE, &side, &settle->running_reason, error)) {
                g_prefix_error(error, "Host '%s': ", host);
                return NULL;
        }

        facts->persistent = info->persistent;
        facts->autostart = info->persistent && info->autostart;
        facts->paused = side == VSM_SIDE_PAUSED;
        *ret_info = g_steal_pointer(&info);
        return g_steal_pointer(&domain);
}

/* Name and UUID must be free here, but for the system's own definition that is off. libvirt takes that over, but for
 * one with a saved image, from which it would start over disks that are newer. */
static bool check_here(VsmFetch *fetch, VsmSettle *settle, GError **error) {
        const char *uuid = fetch->options.uuid, *home = vsm_peer_host(settle->peer);
        g_autoptr(VsmDomainInfo) info = NULL;
        char other[VSM_UUID_SIZE];

        if (!vsm_peer_look(settle->peer, uuid, &info, error) ||
            !vsm_peer_look_name(settle->peer, settle->name, other, error))
                return false;

        if (*other && g_ascii_strcasecmp(other, uuid) != 0) {
                vsm_reasons_add(fetch->reasons, "name-in-use", home, NULL, settle->name, home, other, NULL);
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "This host has another system with the name '%s' (UUID %s): rename one of them",
                            settle->name, other);
                return false;
        }

        if (!info)
                return true;

        settle->defined_there_before = true;
        if (info->state == VSM_DOMAIN_OFF && g_strcmp0(info->name, settle->name) == 0)
                return true;

        vsm_reasons_add(fetch->reasons, info->state == VSM_DOMAIN_SAVED ? "saved-image-there" : "uuid-in-use", home,
                        NULL, settle->name, home, info->name, NULL);
        g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                    info->state == VSM_DOMAIN_SAVED ?
                    "This host has a saved image of system '%s', from which it would start here: remove that image" :
                    "This host has a system with the UUID of '%s' that is active or has another name: look which one "
                    "is right", settle->name);
        return false;
}

static bool check_memory(VsmFetch *fetch, VsmSettle *settle, uint64_t needed, GError **error) {
        const char *home = vsm_peer_host(settle->peer);
        g_autofree char *has = NULL, *needs = NULL;
        uint64_t available;

        if (!vsm_peer_available_memory(settle->peer, &available, error))
                return false;
        if (available >= needed)
                return true;

        has = g_strdup_printf("%" G_GUINT64_FORMAT, available >> 20);
        needs = g_strdup_printf("%" G_GUINT64_FORMAT, (needed + (1 << 20) - 1) >> 20);
        vsm_reasons_add(fetch->reasons, "not-enough-memory", home, NULL, home, has, needs, NULL);
        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE,
                    "This host has %s MiB of memory to give, system '%s' may need %s MiB", has, settle->name, needs);
        return false;
}

bool vsm_fetch_look(
                VsmFetch *fetch,
                VsmSettle *settle,
                VsmMoveFacts *facts,
                virDomainPtr *ret,
                VsmMoveOutcome *ret_outcome,
                GError **error) {

        const VsmDestination *from = fetch->options.from;
        g_autoptr(VsmPeer) peer = NULL;
        g_autoptr(VsmDomainInfo) info = NULL;
        g_autoptr(virDomain) domain = NULL;
        g_autoptr(GError) local = NULL;

        *ret_outcome = VSM_MOVE_STAYED;
        if (!vsm_fetch_check_cancelled(fetch, error))
                return false;

        peer = vsm_peer_open_dialled(from, DIAL_USEC, fetch->cancel, &local);
        if (!peer) {
                if (!g_error_matches(local, VSM_ERROR, VSM_ERROR_CANCELLED))
                        vsm_check_unreachable(fetch->reasons, from, local);
                g_propagate_error(error, g_steal_pointer(&local));
                return false;
        }

        facts->address = g_strdup(vsm_peer_address(peer));
        vsm_fetch_set_address(fetch, facts->address);
        settle->source = vsm_peer_ref_connection(peer);
        domain = look_there(fetch, settle, peer, facts, &info, ret_outcome, error);
        if (!domain || !vsm_settle_need_peer(settle, error))
                return false;

        settle->had_peer = true;
        if (!check_here(fetch, settle, error) || !check_memory(fetch, settle, info->memory, error) ||
            !vsm_fetch_check_cancelled(fetch, error))
                return false;

        *ret = g_steal_pointer(&domain);
        return true;
}

static bool same_family(const char *a, const char *b) {
        VsmInet x, y;

        return vsm_inet_parse(a, &x) && vsm_inet_parse(b, &y) && x.family == y.family;
}

char* vsm_fetch_choose_address(VsmFetch *fetch, const char *there, char **avoid, GError **error) {
        uint16_t port = vsm_uri_control_port(fetch->options.from);
        g_autoptr(GError) local = NULL;

        for (char **p = fetch->options.home->addresses; p && *p; p++) {
                g_autoptr(GPtrArray) routes = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_route_free);
                VsmRoute *route = g_new0(VsmRoute, 1);
                g_autofree char *answered = NULL;

                g_ptr_array_add(routes, route);
                route->address = g_strdup(there);
                route->source = g_strdup(*p);
                if (!same_family(*p, there) || (avoid && g_strv_contains((const char* const*) avoid, *p)))
                        continue;

                g_clear_error(&local);
                answered = vsm_dial_routes(routes, port, g_get_monotonic_time() + ADDRESS_USEC, fetch->cancel, &local);
                if (answered)
                        return g_strdup(*p);
        }

        g_set_error(error, VSM_ERROR, local ? local->code : VSM_ERROR_FAILED,
                    "None of this host's addresses in the migration networks leads to host '%s' (%s)%s%s",
                    fetch->options.from->host, there, local ? ": " : "", local ? local->message : "");
        return NULL;
}
