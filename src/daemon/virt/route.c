/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From the addresses that a host has to those that a migration takes, in their order (contract,
 * sections 3 and 5, DestinationIPAddressList). Pure: any thread. */

#include <string.h>
#include <sys/socket.h>

#include "daemon/virt/route.h"
#include "shared/enums.h"
#include "shared/error.h"

#define SHOWN_MAX 8     /* addresses or subnets in one sentence */

void vsm_route_free(VsmRoute *route) {
        if (!route)
                return;

        g_free(route->address);
        g_free(route->source);
        g_free(route->unusable);
        g_free(route);
}

static VsmRoute* route_new(const char *address) {
        VsmRoute *route = g_new0(VsmRoute, 1);

        route->address = g_strdup(address);
        return route;
}

static bool list_is_empty(char **list) {
        return !list || !*list;
}

static bool list_contains(char **list, const VsmInet *inet) {
        VsmInet other;

        for (char **p = list; p && *p; p++)
                if (vsm_inet_parse(*p, &other) && vsm_inet_equal(&other, inet))
                        return true;

        return false;
}

/* Loopback, and the unspecified address, to which connect() means loopback too. */
static bool inet_is_local(const VsmInet *inet) {
        static const unsigned char zero[16];

        if (inet->family == AF_INET)
                return inet->bytes[0] == 127 || inet->bytes[0] == 0;

        return memcmp(inet->bytes, zero, 15) == 0 && inet->bytes[15] <= 1;
}

static bool check_foreign(const VsmDestination *destination, char **addresses, GError **error) {
        for (char **p = addresses; p && *p; p++) {
                VsmInet inet;

                if (!vsm_inet_parse(*p, &inet)) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER, "'%s' is not an IP "
                                                                                   "address", *p);
                        return false;
                }

                if (inet_is_local(&inet) || list_contains(destination->own_addresses, &inet)) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                                    "Destination '%s' (address %s) is this host itself: name another one",
                                    destination->host, *p);
                        return false;
                }
        }

        return true;
}

/* With TLS the certificate tells whether it is that host, with plain TCP nothing would. */
static bool check_trusted(const VsmDestination *destination, char **resolved, GError **error) {
        for (char **p = destination->addresses; *p && destination->transport == VSM_TRANSPORT_TCP; p++) {
                VsmInet inet;

                if (vsm_inet_parse(*p, &inet) &&
                    (list_contains(resolved, &inet) || list_contains(destination->host_addresses, &inet)))
                        continue;

                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "DestinationIPAddressList: %s is no address of host '%s', and without TLS "
                            "nothing would prove that it is", *p, destination->host);
                return false;
        }

        return true;
}

bool vsm_route_needs_lookup(const VsmDestination *destination) {
        /* libvirt looks the name up as well then, and must not find this host */
        if (destination->authentication != VSM_AUTHENTICATION_NONE ||
            list_is_empty(destination->host_addresses))
                return true;

        for (char **p = destination->addresses; p && *p; p++) {
                VsmInet inet;

                if (!vsm_inet_parse(*p, &inet) || !list_contains(destination->host_addresses, &inet))
                        return true;
        }

        return false;
}

/* ---- the host's addresses in the subnets ---- */

typedef struct Candidate {
        const char *text;
        VsmInet inet;
        const VsmSubnet *subnet;
} Candidate;

static int compare_candidates(const void *a, const void *b) {
        const Candidate *x = a, *y = b;

        return vsm_subnet_compare(x->subnet, &x->inet, y->subnet, &y->inet);
}

/* The best of this host's addresses in the subnet: on the link that the other one is on, if there is
 * one. NULL when there is none in the subnet. */
static const VsmSubnet* find_source(const VsmDestination *destination, const Candidate *candidate) {
        const VsmSubnet *best = NULL;
        bool best_on_link = false;

        for (guint i = 0; destination->sources && i < destination->sources->len; i++) {
                const VsmSubnet *source = &g_array_index(destination->sources, VsmSubnet, i);
                bool on_link = vsm_subnet_contains(source, &candidate->inet);
                VsmInet inet = { .family = source->family };

                memcpy(inet.bytes, source->bytes, sizeof inet.bytes);
                if (!vsm_subnet_contains(candidate->subnet, &inet))
                        continue;

                if (!best || (on_link && (!best_on_link || source->prefix > best->prefix))) {
                        best = source;
                        best_on_link = on_link;
                }
        }

        return best;
}

static VsmRoute* route_of(const VsmDestination *destination, const Candidate *candidate) {
        VsmRoute *route = route_new(candidate->text);
        const VsmSubnet *source;
        VsmInet inet;

        /* all networks: any way will do */
        if (candidate->subnet->prefix == 0)
                return route;

        source = find_source(destination, candidate);
        if (source) {
                inet.family = source->family;
                memcpy(inet.bytes, source->bytes, sizeof inet.bytes);
                route->source = vsm_inet_to_text(&inet);
        } else {
                g_autofree char *subnet = vsm_subnet_to_text(candidate->subnet);

                route->unusable = g_strdup_printf("this host has no address in %s", subnet);
        }

        return route;
}

static char* show_list(char **list) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (unsigned i = 0; list && list[i]; i++) {
                if (i == SHOWN_MAX) {
                        g_string_append(text, ", ...");
                        break;
                }
                g_string_append_printf(text, "%s%s", i > 0 ? ", " : "", list[i]);
        }

        return g_string_free(g_steal_pointer(&text), FALSE);
}

static char* show_subnets(const GArray *subnets) {
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
        g_auto(GStrv) texts = NULL;
        bool real = false;

        for (guint i = 0; i < subnets->len; i++)
                real = real || g_array_index(subnets, VsmSubnet, i).prefix > 0;

        for (guint i = 0; i < subnets->len; i++) {
                const VsmSubnet *subnet = &g_array_index(subnets, VsmSubnet, i);
                g_autofree char *text = vsm_subnet_to_text(subnet);

                if (!real || subnet->prefix > 0)
                        g_strv_builder_add(builder, text);
        }

        texts = g_strv_builder_end(builder);
        return show_list(texts);
}

static void set_none(const VsmDestination *destination, char **addresses, GError **error) {
        g_autofree char *has = show_list(addresses), *subnets = NULL;

        if (!destination->subnets || destination->subnets->len == 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                            "This host has no migration networks; add one with AddNetworkSettings");
                return;
        }

        subnets = show_subnets(destination->subnets);
        g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                    "No address of host '%s' (%s) is in a migration network of this host (%s)",
                    destination->host, *has ? has : "none known", subnets);
}

static GPtrArray* choose_in_subnets(
                const VsmDestination *destination,
                char **addresses,
                char **avoid,
                GError **error) {

        g_autoptr(GPtrArray) routes = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_route_free);
        g_autoptr(GArray) candidates = g_array_new(false, false, sizeof(Candidate));

        for (char **p = addresses; p && *p; p++) {
                Candidate candidate = { .text = *p };

                if (!vsm_inet_parse(*p, &candidate.inet))
                        continue;

                candidate.subnet = vsm_subnets_find((const VsmSubnet *) (void *) destination->subnets->data,
                                                    destination->subnets->len, &candidate.inet);
                if (candidate.subnet)
                        g_array_append_val(candidates, candidate);
        }

        if (candidates->len == 0) {
                set_none(destination, addresses, error);
                return NULL;
        }

        g_array_sort(candidates, compare_candidates);

        for (guint i = 0; i < candidates->len; i++) {
                const Candidate *candidate = &g_array_index(candidates, Candidate, i);

                if ((i > 0 && vsm_inet_equal(&candidate[-1].inet, &candidate->inet)) ||
                    list_contains(avoid, &candidate->inet))
                        continue;

                g_ptr_array_add(routes, route_of(destination, candidate));
        }

        return g_steal_pointer(&routes);
}

/* In the order in which they stand. */
static GPtrArray* choose_all(char **addresses, char **avoid) {
        GPtrArray *routes = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_route_free);

        for (char **p = addresses; p && *p; p++) {
                VsmInet inet;

                if (vsm_inet_parse(*p, &inet) && !list_contains(avoid, &inet))
                        g_ptr_array_add(routes, route_new(*p));
        }

        return routes;
}

GPtrArray* vsm_route_choose(const VsmDestination *destination, char **resolved, char **avoid, GError **error) {
        char **addresses = list_is_empty(destination->host_addresses) ? resolved : destination->host_addresses;
        g_autoptr(GPtrArray) routes = NULL;

        /* One of its addresses being ours is enough: libvirt might take that one. */
        if (!check_foreign(destination, resolved, error) ||
            !check_foreign(destination, destination->host_addresses, error) ||
            !check_foreign(destination, destination->addresses, error))
                return NULL;

        if (!list_is_empty(destination->addresses)) {
                if (!check_trusted(destination, resolved, error))
                        return NULL;
                routes = choose_all(destination->addresses, avoid);
        } else if (!destination->subnets)
                routes = choose_all(addresses, avoid);
        else
                routes = choose_in_subnets(destination, addresses, avoid, error);

        if (routes && routes->len == 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "Host '%s' has no other address to try",
                            destination->host);
                return NULL;
        }

        return g_steal_pointer(&routes);
}
