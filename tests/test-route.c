/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which of a host's addresses are tried, in which order, and from which of this host's own. */

#include <stdlib.h>
#include <string.h>

#include "daemon/virt/route.h"
#include "shared/enums.h"
#include "shared/error.h"

/* "address" or "address<source" or "address!" (not usable), each */
static char* routes_text(GPtrArray *routes) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (guint i = 0; i < routes->len; i++) {
                const VsmRoute *route = routes->pdata[i];

                g_string_append_printf(text, "%s%s", i > 0 ? " " : "", route->address);
                if (route->source)
                        g_string_append_printf(text, "<%s", route->source);
                if (route->unusable)
                        g_string_append_c(text, '!');
        }

        return g_string_free(g_steal_pointer(&text), FALSE);
}

static void assert_routes(
                const VsmDestination *destination,
                char **resolved,
                char **avoid,
                const char *expected,
                int code) {

        g_autoptr(GPtrArray) routes = NULL;
        g_autofree char *text = NULL;
        g_autoptr(GError) error = NULL;

        routes = vsm_route_choose(destination, resolved, avoid, &error);
        if (!expected) {
                g_assert_null(routes);
                g_assert_error(error, VSM_ERROR, code);
                return;
        }

        g_assert_no_error(error);
        text = routes_text(routes);
        g_assert_cmpstr(text, ==, expected);
}

static void check_choice(
                uint16_t transport,
                const char *resolved,
                const char *wanted,
                const char *own,
                const char *expected,
                int code) {

        g_auto(GStrv) r = g_strsplit(resolved, " ", -1), w = *wanted ? g_strsplit(wanted, " ", -1) : NULL;
        g_auto(GStrv) o = g_strsplit(own, " ", -1);
        VsmDestination destination = {
                .host = (char *) "b", .transport = transport, .addresses = w, .own_addresses = o,
        };

        assert_routes(&destination, r, NULL, expected, code);
}

static void test_choose(void) {
        const uint16_t tcp = VSM_TRANSPORT_TCP, tls = VSM_TRANSPORT_TLS;
        const int invalid = VSM_ERROR_INVALID_PARAMETER, incompatible = VSM_ERROR_INCOMPATIBLE_PARAMETERS;

        check_choice(tcp, "10.0.0.2 fd00::2", "", "10.0.0.1", "10.0.0.2 fd00::2", 0);
        check_choice(tcp, "10.0.0.2 fd00::2", "fd00::2 10.0.0.2", "10.0.0.1", "fd00::2 10.0.0.2", 0);
        check_choice(tcp, "fd00::2", "fd00:0:0::2", "", "fd00:0:0::2", 0);

        /* not the host's: only a certificate could tell */
        check_choice(tcp, "10.0.0.2", "10.0.0.3", "10.0.0.1", NULL, incompatible);
        check_choice(tcp, "10.0.0.2", "10.0.0.2 10.0.0.3", "10.0.0.1", NULL, incompatible);
        check_choice(tls, "10.0.0.2", "10.0.0.3", "10.0.0.1", "10.0.0.3", 0);

        /* this host, in all its disguises */
        check_choice(tls, "10.0.0.1", "", "10.0.0.1", NULL, invalid);
        check_choice(tls, "10.0.0.2 10.0.0.1", "", "10.0.0.1", NULL, invalid);
        check_choice(tls, "10.0.0.1", "10.0.0.2", "10.0.0.1", NULL, invalid);
        check_choice(tls, "10.0.0.2", "10.0.0.1", "10.0.0.1", NULL, invalid);
        check_choice(tls, "::ffff:10.0.0.1", "", "10.0.0.1", NULL, invalid);
        check_choice(tls, "fd00:0:0:0::1", "", "fd00::1", NULL, invalid);
        check_choice(tls, "127.0.1.1", "", "", NULL, invalid);
        check_choice(tls, "::1", "", "", NULL, invalid);
        check_choice(tls, "::ffff:127.0.0.1", "", "", NULL, invalid);
        check_choice(tls, "0.0.0.0", "", "", NULL, invalid);
        check_choice(tls, "::", "", "", NULL, invalid);
        check_choice(tls, "10.0.0.2", "b", "", NULL, invalid);
}

/* "10.0.0.0/8@5": a subnet and its metric, or an address and its link */
static GArray* subnets(const char *text) {
        GArray *array = g_array_new(false, false, sizeof(VsmSubnet));
        g_auto(GStrv) parts = g_strsplit(text, " ", -1);

        for (char **p = parts; *p; p++) {
                g_auto(GStrv) fields = g_strsplit_set(*p, "/@", -1);
                VsmSubnet subnet = {};
                VsmInet inet;

                g_assert_true(vsm_inet_parse(fields[0], &inet));
                subnet.family = inet.family;
                memcpy(subnet.bytes, inet.bytes, sizeof subnet.bytes);
                subnet.prefix = (unsigned char) atoi(fields[1]);
                subnet.metric = fields[2] ? (uint32_t) atoi(fields[2]) : 0;
                g_array_append_val(array, subnet);
        }

        return array;
}

static void check_routes(
                const char *of_subnets,
                const char *of_sources,
                const char *resolved,
                const char *of_host,
                const char *avoided,
                const char *expected) {

        g_auto(GStrv) r = g_strsplit(resolved, " ", -1), h = g_strsplit(of_host, " ", -1);
        g_auto(GStrv) a = g_strsplit(avoided, " ", -1);
        g_autoptr(GArray) nets = subnets(of_subnets), sources = subnets(of_sources);
        VsmDestination destination = {
                .host = (char *) "b", .transport = VSM_TRANSPORT_TCP,
                .host_addresses = h, .subnets = nets, .sources = sources,
        };

        assert_routes(&destination, r, a, expected, VSM_ERROR_FAILED);
}

static void test_routes(void) {
        const char *all = "0.0.0.0/0@1000 ::/0@1000", *own = "10.0.0.1/24 10.78.0.1/24 fd00::1/64";
        const char *both = "10.78.0.0/24@10 10.0.0.0/24@20";

        /* a fresh service: any way, by the order of the contract */
        check_routes(all, own, "fd00::2 10.0.0.2", "", "", "10.0.0.2 fd00::2");

        /* one subnet takes all networks away, and is sent to from an address in it */
        check_routes("0.0.0.0/0@1000 ::/0@1000 10.78.0.0/24@10", own, "10.0.0.2 10.78.0.2", "", "",
                     "10.78.0.2<10.78.0.1");
        check_routes(both, own, "10.0.0.2 10.78.0.2 fd00::2", "", "", "10.78.0.2<10.78.0.1 10.0.0.2<10.0.0.1");
        check_routes("10.78.0.0/24@10 10.0.0.0/24@2", own, "10.78.0.2 10.0.0.2", "", "",
                     "10.0.0.2<10.0.0.1 10.78.0.2<10.78.0.1");

        /* what its Host says counts for what is looked up */
        check_routes(both, own, "10.0.0.2", "10.0.0.2 10.78.0.2", "", "10.78.0.2<10.78.0.1 10.0.0.2<10.0.0.1");
        check_routes(both, own, "", "10.78.0.2", "", "10.78.0.2<10.78.0.1");

        /* what failed already, and once each */
        check_routes(both, own, "10.0.0.2 10.78.0.2 10.0.0.2", "", "10.78.0.2", "10.0.0.2<10.0.0.1");
        check_routes(both, own, "10.0.0.2", "", "10.0.0.2", NULL);

        /* this host has no address there; of several the one on the other's link */
        check_routes("10.79.0.0/24@1 10.0.0.0/24@2", own, "10.79.0.2 10.0.0.2", "", "",
                     "10.79.0.2! 10.0.0.2<10.0.0.1");
        check_routes("10.0.0.0/8@1", own, "10.78.0.2", "", "", "10.78.0.2<10.78.0.1");
        check_routes("10.0.0.0/8@1", own, "10.99.0.2", "", "", "10.99.0.2<10.0.0.1");
        check_routes("fd00::/16@1", own, "fd00::2", "", "", "fd00::2<fd00::1");

        /* in none */
        check_routes("10.79.0.0/24@1", own, "10.0.0.2", "", "", NULL);
}

static void test_routes_none(void) {
        char *resolved[] = { (char *) "10.0.0.2", NULL };
        g_autoptr(GArray) nets = subnets("10.78.0.0/24@1 fd00:78::/64@1 ::/0@1000"), nothing = subnets("");
        VsmDestination destination = { .host = (char *) "b", .subnets = nets };
        g_autoptr(GError) error = NULL, other = NULL;

        g_assert_null(vsm_route_choose(&destination, resolved, NULL, &error));
        g_assert_nonnull(strstr(error->message, "10.0.0.2"));
        g_assert_nonnull(strstr(error->message, "(10.78.0.0/24, fd00:78::/64)"));

        destination.subnets = nothing;
        g_assert_null(vsm_route_choose(&destination, resolved, NULL, &other));
        g_assert_nonnull(strstr(other->message, "no migration networks"));
}

/* A wish is trusted as an address of its Host as well, and only with TLS beyond that. */
static void test_routes_wanted(void) {
        char *resolved[] = { (char *) "10.0.0.2", NULL }, *of_host[] = { (char *) "10.78.0.2", NULL };
        char *wanted[] = { (char *) "10.78.0.2", (char *) "10.0.0.2", NULL };
        char *strange[] = { (char *) "10.78.0.3", NULL };
        g_autoptr(GArray) nets = subnets("10.79.0.0/24@1");
        VsmDestination destination = {
                .host = (char *) "b", .transport = VSM_TRANSPORT_TCP, .authentication = VSM_AUTHENTICATION_NONE,
                .host_addresses = of_host, .addresses = wanted, .subnets = nets,
        };

        assert_routes(&destination, resolved, NULL, "10.78.0.2 10.0.0.2", 0);
        g_assert_true(vsm_route_needs_lookup(&destination));

        destination.addresses = strange;
        assert_routes(&destination, resolved, NULL, NULL, VSM_ERROR_INCOMPATIBLE_PARAMETERS);
        destination.transport = VSM_TRANSPORT_TLS;
        assert_routes(&destination, resolved, NULL, "10.78.0.3", 0);

        /* without TLS, and with the Host's addresses alone, nobody has to be asked for the name */
        destination.addresses = of_host;
        g_assert_false(vsm_route_needs_lookup(&destination));
        destination.authentication = VSM_AUTHENTICATION_X509;
        g_assert_true(vsm_route_needs_lookup(&destination));
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/route/choose", test_choose);
        g_test_add_func("/route/subnets", test_routes);
        g_test_add_func("/route/none", test_routes_none);
        g_test_add_func("/route/wanted", test_routes_wanted);

        return g_test_run();
}
