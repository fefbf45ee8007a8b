/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reaching another host: real sockets, silent ones too (a listener whose queue is full drops what
 * comes), and the waiting itself. What needs an address that is not loopback runs in a network
 * namespace of its own, and is skipped where there are none. */

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/virt/dial.h"
#include "daemon/virt/patience.h"
#include "daemon/virt/route.h"
#include "shared/enums.h"
#include "shared/error.h"

#define FOREIGN "10.99.0.1"     /* of this machine in truth, but not listed among the own ones */
#define OWN     "10.99.0.2"

static bool have_namespace;

typedef struct Server {
        int fd;
        uint16_t port;
        int filler[8];
        unsigned n_fillers;
} Server;

static int64_t in_ms(unsigned ms) {
        return g_get_monotonic_time() + (int64_t) ms * 1000;
}

static void server_start(Server *server, const char *address, uint16_t port) {
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
        socklen_t size = sizeof(sa);

        *server = (Server) { .fd = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0) };
        g_assert_cmpint(inet_pton(AF_INET, address, &sa.sin_addr), ==, 1);
        g_assert_no_errno(setsockopt(server->fd, SOL_SOCKET, SO_REUSEADDR, &(int) { 1 }, sizeof(int)));
        g_assert_no_errno(bind(server->fd, (struct sockaddr *) &sa, sizeof(sa)));
        g_assert_no_errno(listen(server->fd, 0));
        g_assert_no_errno(getsockname(server->fd, (struct sockaddr *) &sa, &size));
        server->port = ntohs(sa.sin_port);
}

/* Until the kernel drops connection requests instead of answering them. */
static void server_silence(Server *server) {
        struct sockaddr_in sa;
        socklen_t size = sizeof(sa);

        g_assert_no_errno(getsockname(server->fd, (struct sockaddr *) &sa, &size));

        for (;;) {
                struct pollfd p = { .events = POLLOUT };

                g_assert_cmpuint(server->n_fillers, <, G_N_ELEMENTS(server->filler));
                p.fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
                server->filler[server->n_fillers++] = p.fd;
                (void) connect(p.fd, (struct sockaddr *) &sa, sizeof(sa));
                if (poll(&p, 1, 200) == 0)
                        return;
        }
}

static void server_stop(Server *server) {
        for (unsigned i = 0; i < server->n_fillers; i++)
                (void) close(server->filler[i]);
        (void) close(server->fd);
}

static char* connect_to(
                const char *a,
                const char *b,
                uint16_t port,
                unsigned ms,
                VsmCancel *cancel,
                GError **error) {

        char *addresses[] = { (char *) a, (char *) b, NULL };

        return vsm_dial_connect(addresses, port, in_ms(ms), cancel, error);
}

static void test_connects(void) {
        g_autoptr(GError) error = NULL;
        g_autofree char *address = NULL;
        Server server;

        server_start(&server, "127.0.0.1", 0);
        address = connect_to("127.0.0.1", NULL, server.port, 5000, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(address, ==, "127.0.0.1");
        server_stop(&server);
}

static void test_refused(void) {
        g_autoptr(GError) error = NULL;
        Server server;

        server_start(&server, "127.0.0.1", 0);
        server_stop(&server);
        g_assert_null(connect_to("127.0.0.1", "127.0.0.2", server.port, 5000, NULL, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);
        g_assert_nonnull(strstr(error->message, "127.0.0.1: "));
        g_assert_nonnull(strstr(error->message, "127.0.0.2: "));
}

static void test_second_address(void) {
        g_autoptr(GError) error = NULL;
        g_autofree char *address = NULL;
        Server server;

        server_start(&server, "127.0.0.2", 0);
        address = connect_to("127.0.0.1", "127.0.0.2", server.port, 5000, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(address, ==, "127.0.0.2");
        server_stop(&server);
}

static void test_black_hole(void) {
        g_autoptr(GError) error = NULL;
        int64_t start;
        Server server;

        server_start(&server, "127.0.0.1", 0);
        server_silence(&server);
        start = g_get_monotonic_time();
        g_assert_null(connect_to("127.0.0.1", NULL, server.port, 500, NULL, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_TIMEOUT);
        g_assert_nonnull(strstr(error->message, "no answer"));
        g_assert_cmpint(g_get_monotonic_time() - start, >=, 499 * 1000);
        g_assert_cmpint(g_get_monotonic_time() - start, <, 5 * G_USEC_PER_SEC);
        server_stop(&server);
}

/* A dead first address costs its slice and not the whole deadline. */
static void test_black_hole_first(void) {
        g_autoptr(GError) error = NULL;
        g_autofree char *address = NULL;
        int64_t start;
        Server dead, alive;

        server_start(&dead, "127.0.0.1", 0);
        server_silence(&dead);
        server_start(&alive, "127.0.0.2", dead.port);
        start = g_get_monotonic_time();
        address = connect_to("127.0.0.1", "127.0.0.2", dead.port, 20000, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(address, ==, "127.0.0.2");
        g_assert_cmpint(g_get_monotonic_time() - start, <, 10 * G_USEC_PER_SEC);
        server_stop(&dead);
        server_stop(&alive);
}

static void* fire_later(void *userdata) {
        g_usleep(200 * 1000);
        vsm_cancel_fire(userdata);
        return NULL;
}

static void test_cancel(void) {
        g_autoptr(VsmCancel) cancel = vsm_cancel_new();
        g_autoptr(GError) error = NULL;
        GThread *thread;
        int64_t start;
        Server server;

        server_start(&server, "127.0.0.1", 0);
        server_silence(&server);
        thread = g_thread_new("fire", fire_later, cancel);
        start = g_get_monotonic_time();
        g_assert_null(connect_to("127.0.0.1", NULL, server.port, 60000, cancel, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_CANCELLED);
        g_assert_cmpint(g_get_monotonic_time() - start, <, 20 * G_USEC_PER_SEC);
        g_assert_true(vsm_cancel_fired(cancel));
        g_thread_join(thread);
        server_stop(&server);
}

static void test_cancelled_before(void) {
        g_autoptr(VsmCancel) cancel = vsm_cancel_new();
        g_autoptr(GError) error = NULL;
        Server server;

        vsm_cancel_fire(cancel);
        vsm_cancel_fire(cancel);
        server_start(&server, "127.0.0.1", 0);
        g_assert_null(connect_to("127.0.0.1", NULL, server.port, 60000, cancel, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_CANCELLED);
        server_stop(&server);
}

static void test_ipv6(void) {
        struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
        socklen_t size = sizeof(sa);
        g_autoptr(GError) error = NULL;
        g_autofree char *address = NULL;
        int fd = socket(AF_INET6, SOCK_STREAM|SOCK_CLOEXEC, 0);

        if (fd < 0 || bind(fd, (struct sockaddr *) &sa, sizeof(sa)) < 0) {
                if (fd >= 0)
                        (void) close(fd);
                g_test_skip("no IPv6 here");
                return;
        }

        g_assert_no_errno(listen(fd, 1));
        g_assert_no_errno(getsockname(fd, (struct sockaddr *) &sa, &size));
        address = connect_to("::1", NULL, ntohs(sa.sin6_port), 5000, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(address, ==, "::1");
        (void) close(fd);
}

static void test_resolve(void) {
        g_autoptr(GError) error = NULL, other = NULL;
        g_auto(GStrv) numeric = NULL, local = NULL;

        numeric = vsm_dial_resolve("fd00::2", in_ms(100), NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(numeric[0], ==, "fd00::2");
        g_assert_null(numeric[1]);

        local = vsm_dial_resolve("localhost", in_ms(20000), NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(g_strv_length(local), >, 0);

        /* Reserved for never existing; where a resolver is missing this takes as long as it takes. */
        g_assert_null(vsm_dial_resolve("no-such-host.invalid", in_ms(20000), NULL, &other));
        g_assert_true(g_error_matches(other, VSM_ERROR, VSM_ERROR_FAILED) ||
                      g_error_matches(other, VSM_ERROR, VSM_ERROR_TIMEOUT));
        g_assert_nonnull(strstr(other->message, "no-such-host.invalid"));
}

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

/* ---- all of it, in a namespace with addresses that are no loopback ---- */

static void add_address(int fd, const char *label, const char *text) {
        struct ifreq request = {};
        struct sockaddr_in *sa = (struct sockaddr_in *) &request.ifr_addr;

        g_strlcpy(request.ifr_name, label, sizeof(request.ifr_name));
        sa->sin_family = AF_INET;
        g_assert_cmpint(inet_pton(AF_INET, text, &sa->sin_addr), ==, 1);
        g_assert_no_errno(ioctl(fd, SIOCSIFADDR, &request));
}

static bool enter_namespace(void) {
        struct ifreq request = { .ifr_name = "lo" };
        int fd;

        if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER|CLONE_NEWNET) < 0)
                return false;

        fd = socket(AF_INET, SOCK_DGRAM|SOCK_CLOEXEC, 0);
        g_assert_no_errno(fd);
        g_assert_no_errno(ioctl(fd, SIOCGIFFLAGS, &request));
        request.ifr_flags |= IFF_UP;
        g_assert_no_errno(ioctl(fd, SIOCSIFFLAGS, &request));
        add_address(fd, "lo:1", FOREIGN);
        add_address(fd, "lo:2", OWN);
        (void) close(fd);
        return true;
}

static void test_dial(void) {
        char *own[] = { (char *) OWN, NULL };
        VsmDestination destination = {
                .host = (char *) FOREIGN,
                .authentication = VSM_AUTHENTICATION_NONE,
                .transport = VSM_TRANSPORT_TCP,
                .own_addresses = own,
        };
        g_autoptr(GError) error = NULL;
        g_autofree char *address = NULL;
        Server server, ours;

        if (!have_namespace) {
                g_test_skip("NO NETWORK NAMESPACE: the whole dial is not tested");
                return;
        }

        server_start(&server, FOREIGN, 16509);
        server_start(&ours, OWN, 16509);
        address = vsm_dial(&destination, NULL, in_ms(5000), NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(address, ==, FOREIGN);

        /* Something listens there as well: refused all the same. */
        destination.host = (char *) OWN;
        g_assert_null(vsm_dial(&destination, NULL, in_ms(5000), NULL, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
        g_clear_error(&error);

        destination.host = (char *) "localhost";
        g_assert_null(vsm_dial(&destination, NULL, in_ms(20000), NULL, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
        g_clear_error(&error);

        server_silence(&server);
        destination.host = (char *) FOREIGN;
        g_assert_null(vsm_dial(&destination, NULL, in_ms(300), NULL, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_TIMEOUT);
        g_assert_true(g_str_has_prefix(error->message, "Host '" FOREIGN "'"));
        g_clear_error(&error);

        destination.port = 16510;
        g_assert_null(vsm_dial(&destination, NULL, in_ms(5000), NULL, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);

        server_stop(&server);
        server_stop(&ours);
}

/* The connection really comes from the address in the subnet, and one that has none is passed over. */
static void test_dial_source(void) {
        g_autoptr(GArray) nets = subnets("10.99.0.0/30@1"), sources = subnets(OWN "/24");
        g_autoptr(GArray) elsewhere = subnets("10.98.0.1/24");
        char *own[] = { (char *) OWN, NULL };
        VsmDestination destination = {
                .host = (char *) FOREIGN, .authentication = VSM_AUTHENTICATION_NONE,
                .transport = VSM_TRANSPORT_TCP, .own_addresses = own, .subnets = nets, .sources = sources,
        };
        g_autoptr(GError) error = NULL;
        g_autofree char *address = NULL;
        struct sockaddr_in sa;
        socklen_t size = sizeof sa;
        char text[INET_ADDRSTRLEN];
        Server server;
        int fd;

        if (!have_namespace) {
                g_test_skip("NO NETWORK NAMESPACE: the source of a dial is not tested");
                return;
        }

        server_start(&server, FOREIGN, 16509);
        address = vsm_dial(&destination, NULL, in_ms(5000), NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(address, ==, FOREIGN);
        fd = accept(server.fd, (struct sockaddr *) &sa, &size);
        g_assert_no_errno(fd);
        g_assert_cmpstr(inet_ntop(AF_INET, &sa.sin_addr, text, sizeof text), ==, OWN);
        (void) close(fd);

        destination.sources = elsewhere;
        g_assert_null(vsm_dial(&destination, NULL, in_ms(5000), NULL, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);
        g_assert_nonnull(strstr(error->message, "this host has no address in 10.99.0.0/30"));
        server_stop(&server);
}

/* ---- patience ---- */

static gint n_freed, n_inputs_freed;
static GMutex gate;             /* held: the slow ones are asleep */

static void count_free(void *p) {
        g_atomic_int_inc(&n_freed);
        g_free(p);
}

static void count_input_free(void *p) {
        g_atomic_int_inc(&n_inputs_freed);
        g_free(p);
}

static void* quick(void *input, GError **error) {
        if (strcmp(input, "fail") != 0)
                return g_strdup(input);

        g_set_error_literal(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, "failed");
        return NULL;
}

static void* slow(void *input, GError **error) {
        g_mutex_lock(&gate);
        g_mutex_unlock(&gate);
        return quick(input, error);
}

static void* run(
                VsmPatienceFunc func,
                const char *host,
                const char *input,
                unsigned ms,
                VsmCancel *cancel,
                GError **error) {

        return vsm_patience_run(
                        &(VsmPatience) {
                                .what = "Testing",
                                .host = host,
                                .func = func,
                                .input = g_strdup(input),
                                .input_free = count_input_free,
                                .result_free = count_free,
                        },
                        in_ms(ms), cancel, error);
}

static void wait_for(gint *counter, gint value) {
        for (unsigned i = 0; i < 2000 && g_atomic_int_get(counter) != value; i++)
                g_usleep(10 * 1000);

        g_assert_cmpint(g_atomic_int_get(counter), ==, value);
}

static void test_patience_result(void) {
        g_autoptr(GError) error = NULL;
        g_autofree char *result = NULL;

        n_freed = n_inputs_freed = 0;
        result = run(quick, "r", "done", 20000, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(result, ==, "done");

        g_assert_null(run(quick, "r", "fail", 20000, NULL, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE);
        wait_for(&n_inputs_freed, 2);
        g_assert_cmpint(n_freed, ==, 0);
}

static void test_patience_late(void) {
        g_autoptr(VsmCancel) cancel = vsm_cancel_new();
        g_autoptr(GError) deadline = NULL, cancelled = NULL;

        n_freed = n_inputs_freed = 0;
        g_mutex_lock(&gate);
        g_assert_null(run(slow, "l", "late", 50, NULL, &deadline));
        g_assert_error(deadline, VSM_ERROR, VSM_ERROR_TIMEOUT);

        vsm_cancel_fire(cancel);
        g_assert_null(run(slow, "l", "later", 20000, cancel, &cancelled));
        g_assert_error(cancelled, VSM_ERROR, VSM_ERROR_CANCELLED);

        g_assert_cmpint(n_freed, ==, 0);
        g_mutex_unlock(&gate);
        wait_for(&n_freed, 2);
        wait_for(&n_inputs_freed, 2);
}

/* A host that hangs is not asked again and again; others are, and it is as well once it woke up. */
static void test_patience_limit(void) {
        g_autofree char *other = NULL, *again = NULL;
        gint n = 0;

        n_freed = n_inputs_freed = 0;
        g_mutex_lock(&gate);

        for (;; n++) {
                g_autoptr(GError) error = NULL;

                g_assert_null(run(slow, "frozen", "x", 1, NULL, &error));
                if (g_error_matches(error, VSM_ERROR, VSM_ERROR_LIMITS_EXCEEDED))
                        break;

                g_assert_error(error, VSM_ERROR, VSM_ERROR_TIMEOUT);
                g_assert_cmpint(n, <, 64);
        }

        g_assert_cmpint(n, >, 0);
        other = run(quick, "healthy", "x", 20000, NULL, NULL);
        g_assert_cmpstr(other, ==, "x");

        g_mutex_unlock(&gate);
        wait_for(&n_freed, n);
        again = run(quick, "frozen", "x", 20000, NULL, NULL);
        g_assert_cmpstr(again, ==, "x");
}

int main(int argc, char *argv[]) {
        /* Before GLib has threads. */
        have_namespace = enter_namespace();

        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/dial/connects", test_connects);
        g_test_add_func("/dial/refused", test_refused);
        g_test_add_func("/dial/second-address", test_second_address);
        g_test_add_func("/dial/black-hole", test_black_hole);
        g_test_add_func("/dial/black-hole-first", test_black_hole_first);
        g_test_add_func("/dial/cancel", test_cancel);
        g_test_add_func("/dial/cancelled-before", test_cancelled_before);
        g_test_add_func("/dial/ipv6", test_ipv6);
        g_test_add_func("/dial/resolve", test_resolve);
        g_test_add_func("/dial/choose", test_choose);
        g_test_add_func("/dial/routes", test_routes);
        g_test_add_func("/dial/routes-none", test_routes_none);
        g_test_add_func("/dial/routes-wanted", test_routes_wanted);
        g_test_add_func("/dial/dial", test_dial);
        g_test_add_func("/dial/source", test_dial_source);
        g_test_add_func("/patience/result", test_patience_result);
        g_test_add_func("/patience/late", test_patience_late);
        g_test_add_func("/patience/limit", test_patience_limit);

        return g_test_run();
}
