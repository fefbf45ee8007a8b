/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reaching another host: real sockets, silent ones too (a listener whose queue is full drops what
 * comes). What needs an address that is not loopback runs in a network
 * namespace of its own, and is skipped where there are none. */

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/virt/dial.h"
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

/* With host bits: an address of this host, and the prefix of its link */
static GArray* one_subnet(const char *address, unsigned char prefix) {
        GArray *array = g_array_new(false, false, sizeof(VsmSubnet));
        VsmSubnet subnet = { .prefix = prefix };
        VsmInet inet;

        g_assert_true(vsm_inet_parse(address, &inet));
        subnet.family = inet.family;
        memcpy(subnet.bytes, inet.bytes, sizeof subnet.bytes);
        g_array_append_val(array, subnet);
        return array;
}

/* The connection really comes from the address in the subnet, and one that has none is passed over. */
static void test_dial_source(void) {
        g_autoptr(GArray) nets = one_subnet("10.99.0.0", 30), sources = one_subnet(OWN, 24);
        g_autoptr(GArray) elsewhere = one_subnet("10.98.0.1", 24);
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
        g_test_add_func("/dial/dial", test_dial);
        g_test_add_func("/dial/source", test_dial_source);

        return g_test_run();
}
