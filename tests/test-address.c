/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which of this host's addresses are listed, and in what order; and that changes are followed, with
 * a real kernel in a network namespace of our own. One thread. */

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>

#include "daemon/address.h"
#include "shared/cleanup.h"

static void address_clear(void *p) {
        VsmAddress *address = p;

        g_free(address->text);
        g_free(address);
}

static void add(GPtrArray *all, const char *ifname, const char *text, bool listable) {
        VsmAddress *address = g_new0(VsmAddress, 1);

        address->family = strchr(text, ':') ? AF_INET6 : AF_INET;
        g_assert_cmpint(inet_pton(address->family, text, address->bytes), ==, 1);
        address->text = g_strdup(text);
        g_strlcpy(address->ifname, ifname, sizeof address->ifname);
        address->listable = listable;
        g_ptr_array_add(all, address);
}

static VsmSubnet subnet(const char *text, unsigned char prefix, uint32_t metric) {
        VsmSubnet subnet = {
                .family = strchr(text, ':') ? AF_INET6 : AF_INET,
                .prefix = prefix,
                .metric = metric,
        };

        g_assert_cmpint(inet_pton(subnet.family, text, subnet.bytes), ==, 1);
        return subnet;
}

static VsmSubnet all_networks(const char *text) {
        return subnet(text, 0, 1000);
}

static GPtrArray* some_addresses(void) {
        GPtrArray *all = g_ptr_array_new_with_free_func(address_clear);

        add(all, "lo", "127.0.0.1", false);
        add(all, "lo", "::1", false);
        add(all, "eth0", "fe80::1", false);
        add(all, "eth1", "10.1.2.3", true);
        add(all, "eth1", "2001:db8:1::3", true);
        add(all, "eth0", "192.0.2.9", true);
        add(all, "eth0", "192.0.2.200", true);
        add(all, "virbr0", "192.168.122.1", true);
        add(all, "eth2", "10.1.2.3", true); /* a second time */
        return all;
}

static void assert_list(const VsmSubnet *subnets, size_t n, const char *expected) {
        const char *bridges[] = { "virbr0", NULL };
        g_autoptr(GPtrArray) all = some_addresses();
        g_auto(GStrv) list = vsm_addresses_list(all, subnets, n, (char **) bridges);
        g_autofree char *joined = g_strjoinv(" ", list);

        g_assert_cmpstr(joined, ==, expected);
}

static void test_all_networks(void) {
        VsmSubnet both[] = { all_networks("0.0.0.0"), all_networks("::") };
        VsmSubnet beside[] = { all_networks("0.0.0.0"), all_networks("::"), subnet("10.1.0.0", 16, 5) };

        assert_list(NULL, 0, "");
        assert_list(both, 1, "10.1.2.3 192.0.2.9 192.0.2.200");
        assert_list(both, 2, "10.1.2.3 192.0.2.9 192.0.2.200 2001:db8:1::3");

        /* of IPv4 or IPv6, another subnet takes both away */
        assert_list(beside, 3, "10.1.2.3");
}

static void test_order(void) {
        VsmSubnet metric[] = {
                subnet("10.0.0.0", 8, 20),
                subnet("192.0.2.0", 24, 10),
                subnet("2001:db8::", 32, 5),
        };
        VsmSubnet longest[] = {
                subnet("192.0.2.0", 24, 1),
                subnet("192.0.2.0", 28, 9),
                subnet("10.0.0.0", 8, 4),
        };
        VsmSubnet prefix[] = {
                subnet("192.0.2.0", 24, 7),
                subnet("10.1.2.0", 29, 7),
                subnet("2001:db8:1::", 64, 7),
        };
        VsmSubnet same[] = {
                subnet("192.0.2.0", 24, 7),
                subnet("10.0.0.0", 8, 5),
                subnet("192.0.2.0", 24, 3),
        };

        assert_list(metric, 3, "2001:db8:1::3 192.0.2.9 192.0.2.200 10.1.2.3");

        /* the longest decides, however much worse its metric */
        assert_list(longest, 3, "192.0.2.200 10.1.2.3 192.0.2.9");
        assert_list(prefix, 3, "2001:db8:1::3 10.1.2.3 192.0.2.9 192.0.2.200");
        assert_list(same, 3, "192.0.2.9 192.0.2.200 10.1.2.3");
}

static void test_edges(void) {
        VsmSubnet single[] = { subnet("192.0.2.9", 32, 1), subnet("2001:db8:1::3", 128, 2) };
        VsmSubnet bits[] = { subnet("192.0.2.128", 25, 1) };
        VsmSubnet bridge[] = {
                subnet("192.168.122.0", 24, 1),
                subnet("127.0.0.0", 8, 1),
                subnet("fe80::", 10, 1),
        };
        VsmSubnet none[] = { subnet("0.0.0.0", 0, 1) };
        VsmSubnet wrong[] = { subnet("192.0.2.0", 33, 1) };

        assert_list(single, 2, "192.0.2.9 2001:db8:1::3");
        assert_list(bits, 1, "192.0.2.200");
        assert_list(bridge, 3, "");
        assert_list(none, 1, "10.1.2.3 192.0.2.9 192.0.2.200");
        assert_list(wrong, 1, "");
}

static void test_no_bridges(void) {
        g_autoptr(GPtrArray) all = some_addresses();
        VsmSubnet bridge = subnet("192.168.122.0", 24, 1);
        g_auto(GStrv) list = vsm_addresses_list(all, &bridge, 1, NULL);

        g_assert_cmpstr(list[0], ==, "192.168.122.1");
        g_assert_null(list[1]);
}

/* ---- with the kernel ---- */

static void ask_kernel(struct nlmsghdr *message) {
        struct mnl_socket *socket = mnl_socket_open(NETLINK_ROUTE);
        char buffer[8192];
        ssize_t n;

        g_assert_nonnull(socket);
        g_assert_cmpint(mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID), ==, 0);

        message->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
        g_assert_cmpint(mnl_socket_sendto(socket, message, message->nlmsg_len), >, 0);
        n = mnl_socket_recvfrom(socket, buffer, sizeof buffer);
        g_assert_cmpint(n, >, 0);
        if (mnl_cb_run(buffer, (size_t) n, 0, mnl_socket_get_portid(socket), NULL, NULL) < 0)
                g_error("netlink: %s", g_strerror(errno));

        mnl_socket_close(socket);
}

static void change_address(uint16_t type, const char *text, unsigned char prefix, uint32_t preferred) {
        struct ifa_cacheinfo cache = { .ifa_prefered = preferred, .ifa_valid = UINT32_MAX };
        int family = strchr(text, ':') ? AF_INET6 : AF_INET;
        unsigned char bytes[16];
        char buffer[512] = { 0 };
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(message, sizeof *header);

        g_assert_cmpint(inet_pton(family, text, bytes), ==, 1);

        message->nlmsg_type = type;
        if (type == RTM_NEWADDR)
                message->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
        header->ifa_family = (unsigned char) family;
        header->ifa_prefixlen = prefix;
        header->ifa_index = 1;
        mnl_attr_put(message, IFA_LOCAL, family == AF_INET ? 4 : 16, bytes);
        mnl_attr_put(message, IFA_ADDRESS, family == AF_INET ? 4 : 16, bytes);
        mnl_attr_put(message, IFA_CACHEINFO, sizeof cache, &cache);
        mnl_attr_put_u32(message, IFA_FLAGS, IFA_F_NODAD);
        ask_kernel(message);
}

static void change_link(unsigned flags, const char *name) {
        char buffer[512] = { 0 };
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof *header);

        message->nlmsg_type = RTM_NEWLINK;
        header->ifi_index = 1;
        header->ifi_flags = flags;
        header->ifi_change = IFF_UP;
        if (name)
                mnl_attr_put_strz(message, IFLA_IFNAME, name);
        ask_kernel(message);
}

static void count(void *userdata) {
        (*(unsigned *) userdata)++;
}

/* Everything that has come is worked off; how many times we were told. */
static unsigned settle(sd_event *event, unsigned *calls) {
        unsigned before = *calls;

        while (sd_event_run(event, 0) > 0)
                ;

        return *calls - before;
}

static const VsmAddress* find(VsmAddresses *addresses, const char *text) {
        GPtrArray *all = vsm_addresses_all(addresses);

        for (unsigned i = 0; i < all->len; i++) {
                const VsmAddress *address = all->pdata[i];

                if (strcmp(address->text, text) == 0)
                        return address;
        }

        return NULL;
}

static void test_follow(void) {
        g_autoptr(sd_event) event = NULL;
        g_autoptr(GError) error = NULL;
        g_autoptr(VsmAddresses) addresses = NULL;
        g_auto(GStrv) own = NULL;
        unsigned calls = 0;

        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
                g_test_skip("no network namespace to be had");
                return;
        }

        g_assert_cmpint(sd_event_new(&event), >=, 0);
        addresses = vsm_addresses_new(event, count, &calls, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(vsm_addresses_all(addresses)->len, ==, 0);

        change_link(IFF_UP, NULL);
        g_assert_cmpuint(settle(event, &calls), ==, 1);
        g_assert_false(find(addresses, "127.0.0.1")->listable);
        g_assert_cmpstr(find(addresses, "127.0.0.1")->ifname, ==, "lo");
        g_assert_false(find(addresses, "::1")->listable);

        /* one burst, one call */
        change_address(RTM_NEWADDR, "192.0.2.1", 24, UINT32_MAX);
        change_address(RTM_NEWADDR, "192.0.2.2", 24, UINT32_MAX);
        change_address(RTM_NEWADDR, "169.254.1.1", 16, UINT32_MAX);
        change_address(RTM_NEWADDR, "2001:db8::1", 64, UINT32_MAX);
        change_address(RTM_NEWADDR, "fe80::1", 64, UINT32_MAX);
        g_assert_cmpuint(settle(event, &calls), ==, 1);
        g_assert_true(find(addresses, "192.0.2.1")->listable);
        g_assert_true(find(addresses, "2001:db8::1")->listable);
        g_assert_false(find(addresses, "169.254.1.1")->listable);
        g_assert_false(find(addresses, "fe80::1")->listable);

        /* the second of its subnet: IPv4's "secondary" is the bit of IPv6's "temporary" */
        g_assert_true(find(addresses, "192.0.2.2")->listable);

        /* deprecated, and back */
        change_address(RTM_NEWADDR, "2001:db8::1", 64, 0);
        g_assert_cmpuint(settle(event, &calls), ==, 1);
        g_assert_false(find(addresses, "2001:db8::1")->listable);
        change_address(RTM_NEWADDR, "2001:db8::1", 64, UINT32_MAX);
        g_assert_cmpuint(settle(event, &calls), ==, 1);
        g_assert_true(find(addresses, "2001:db8::1")->listable);

        /* nothing of ours in it */
        change_address(RTM_NEWADDR, "192.0.2.1", 24, UINT32_MAX - 1);
        g_assert_cmpuint(settle(event, &calls), ==, 0);
        g_assert_cmpuint(settle(event, &calls), ==, 0);

        change_address(RTM_DELADDR, "192.0.2.2", 24, 0);
        g_assert_cmpuint(settle(event, &calls), ==, 1);
        g_assert_null(find(addresses, "192.0.2.2"));

        own = vsm_addresses_own(addresses);
        g_assert_cmpuint(g_strv_length(own), ==, vsm_addresses_all(addresses)->len);

        /* more notices than the socket holds */
        for (int i = 0; i < 3000; i++) {
                g_autofree char *text = g_strdup_printf("10.%d.%d.1", 1 + i / 250, i % 250);

                change_address(RTM_NEWADDR, text, 32, UINT32_MAX);
        }
        g_assert_cmpuint(settle(event, &calls), ==, 1);
        g_assert_nonnull(find(addresses, "10.1.0.1"));
        g_assert_nonnull(find(addresses, "10.12.249.1"));
        g_assert_cmpuint(vsm_addresses_all(addresses)->len, ==, 3006);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/address/list/all-networks", test_all_networks);
        g_test_add_func("/address/list/order", test_order);
        g_test_add_func("/address/list/edges", test_edges);
        g_test_add_func("/address/list/no-bridges", test_no_bridges);
        g_test_add_func("/address/follow", test_follow);

        return g_test_run();
}
