/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This host's IP addresses. Two rtnetlink sockets: one only listens for the kernel's notices, of
 * which a burst is read to its end; the other asks for all addresses again, when one of them said
 * that something changed. So a lost notice costs nothing but one more dump.
 * Bus thread, but for vsm_addresses_list() and vsm_addresses_sources(), which are pure. */

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/epoll.h>

#include "daemon/address.h"
#include "shared/cleanup.h"
#include "shared/error.h"

/* The kernel fills its answers up to what the reader once offered, at most so much. */
#define BUFFER_SIZE (32 * 1024)
#define DUMP_TRIES  10

typedef struct mnl_socket Socket;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Socket, mnl_socket_close)

struct VsmAddresses {
        Socket *notices, *dumps;
        sd_event_source *source;
        VsmAddressesFunc func;
        void *userdata;
        unsigned sequence;

        GHashTable *links;      /* ifindex -> name */
        GPtrArray *all;         /* VsmAddress, in the order of compare_identity() */

        bool dirty;             /* the addresses have to be asked for */
        bool links_dirty;       /* and the names of the links first */
};

static void address_free(void *p) {
        VsmAddress *address = p;

        g_free(address->text);
        g_free(address);
}

/* ---- messages of the kernel ---- */

static void parse_attributes(
                const struct nlmsghdr *message,
                size_t header,
                const struct nlattr **table,
                int max) {

        const struct nlattr *attribute;

        mnl_attr_for_each(attribute, message, header) {
                int type = mnl_attr_get_type(attribute);

                if (type <= max)
                        table[type] = attribute;
        }
}

/* IFA_F_TEMPORARY is IPv6's; for IPv4 the same bit says "second one of its subnet". An optimistic
 * address is one whose check for duplicates is not over. */
static bool is_listable(int family, unsigned char scope, uint32_t flags, const unsigned char *bytes) {
        if (flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED | IFA_F_DEPRECATED))
                return false;

        if (scope == RT_SCOPE_HOST || scope == RT_SCOPE_LINK)
                return false;

        if (family == AF_INET)
                return bytes[0] != 127 && !(bytes[0] == 169 && bytes[1] == 254);

        return !(flags & IFA_F_TEMPORARY) &&
                !IN6_IS_ADDR_LOOPBACK((const struct in6_addr *) bytes) &&
                !IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *) bytes);
}

static VsmAddress* address_from_message(VsmAddresses *addresses, const struct nlmsghdr *message) {
        const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
        const struct nlattr *table[IFA_MAX + 1] = { NULL }, *own;
        char text[INET6_ADDRSTRLEN];
        const char *ifname;
        VsmAddress *address;
        uint32_t flags;

        if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6)
                return NULL;

        parse_attributes(message, sizeof *header, table, IFA_MAX);

        /* On a point-to-point link IFA_ADDRESS is the other end's. */
        own = table[IFA_LOCAL] ?: table[IFA_ADDRESS];
        if (!own || mnl_attr_get_payload_len(own) != vsm_inet_bits(header->ifa_family) / 8)
                return NULL;

        flags = table[IFA_FLAGS] && mnl_attr_validate(table[IFA_FLAGS], MNL_TYPE_U32) >= 0 ?
                mnl_attr_get_u32(table[IFA_FLAGS]) : header->ifa_flags;

        address = g_new0(VsmAddress, 1);
        address->family = header->ifa_family;
        address->prefix = header->ifa_prefixlen;
        address->ifindex = header->ifa_index;
        memcpy(address->bytes, mnl_attr_get_payload(own), mnl_attr_get_payload_len(own));
        address->text = g_strdup(inet_ntop(address->family, address->bytes, text, sizeof text));
        address->listable = is_listable(address->family, header->ifa_scope, flags, address->bytes);

        /* One that is not known yet: its notice is on its way and makes us ask again. */
        ifname = g_hash_table_lookup(addresses->links, GUINT_TO_POINTER(address->ifindex));
        g_strlcpy(address->ifname, ifname ?: "", sizeof address->ifname);
        return address;
}

static void take_link(VsmAddresses *addresses, const struct nlmsghdr *message) {
        const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
        const struct nlattr *table[IFLA_IFNAME + 1] = { NULL };
        void *key = GUINT_TO_POINTER((unsigned) header->ifi_index);
        const char *name;

        /* A port that leaves a bridge says DELLINK, too, in the bridge's family. */
        if (header->ifi_family != AF_UNSPEC)
                return;

        if (message->nlmsg_type == RTM_DELLINK) {
                addresses->dirty |= g_hash_table_remove(addresses->links, key);
                return;
        }

        parse_attributes(message, sizeof *header, table, IFLA_IFNAME);
        if (!table[IFLA_IFNAME] || mnl_attr_validate(table[IFLA_IFNAME], MNL_TYPE_NUL_STRING) < 0)
                return;

        name = mnl_attr_get_str(table[IFLA_IFNAME]);
        if (g_strcmp0(name, g_hash_table_lookup(addresses->links, key)) == 0)
                return;

        g_hash_table_insert(addresses->links, key, g_strdup(name));
        addresses->dirty = true;
}

/* ---- asking for all ---- */

static bool is_link(const struct nlmsghdr *message) {
        return (message->nlmsg_type == RTM_NEWLINK || message->nlmsg_type == RTM_DELLINK) &&
                mnl_nlmsg_get_payload_len(message) >= sizeof(struct ifinfomsg);
}

static int on_dumped_link(const struct nlmsghdr *message, void *userdata) {
        if (is_link(message))
                take_link(userdata, message);

        return MNL_CB_OK;
}

typedef struct Answer {
        VsmAddresses *addresses;
        GPtrArray *all;
} Answer;

static int on_dumped_address(const struct nlmsghdr *message, void *userdata) {
        Answer *answer = userdata;
        VsmAddress *address;

        if (message->nlmsg_type != RTM_NEWADDR ||
            mnl_nlmsg_get_payload_len(message) < sizeof(struct ifaddrmsg))
                return MNL_CB_OK;

        address = address_from_message(answer->addresses, message);
        if (address)
                g_ptr_array_add(answer->all, address);

        return MNL_CB_OK;
}

static void drain(Socket *socket) {
        char buffer[BUFFER_SIZE];

        while (mnl_socket_recvfrom(socket, buffer, sizeof buffer) > 0 || errno == ENOSPC || errno == EINTR)
                ;
}

/* One question and its whole answer. The kernel has the answer ready when the question is sent and
 * goes on with it as it is read: the non-blocking socket is never empty before the end. */
static int dump(
                VsmAddresses *addresses,
                uint16_t type,
                size_t header_size,
                mnl_cb_t callback,
                void *userdata) {

        char request[MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct ifinfomsg))] = { 0 };
        unsigned port = mnl_socket_get_portid(addresses->dumps);
        char buffer[BUFFER_SIZE];
        struct nlmsghdr *message;
        int r;

        message = mnl_nlmsg_put_header(request);
        message->nlmsg_type = type;
        message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        message->nlmsg_seq = ++addresses->sequence;
        (void) mnl_nlmsg_put_extra_header(message, header_size); /* all 0: of every family */

        if (mnl_socket_sendto(addresses->dumps, message, message->nlmsg_len) < 0)
                return -errno;

        do {
                ssize_t n = mnl_socket_recvfrom(addresses->dumps, buffer, sizeof buffer);

                r = n < 0 ? MNL_CB_ERROR :
                            mnl_cb_run(buffer, (size_t) n, addresses->sequence, port, callback, userdata);
        } while (r == MNL_CB_OK);

        return r < 0 ? -errno : 0;
}

static int compare_identity(const void *a, const void *b) {
        const VsmAddress *x = *(VsmAddress *const *) a, *y = *(VsmAddress *const *) b;
        int r;

        if (x->ifindex != y->ifindex)
                return x->ifindex < y->ifindex ? -1 : 1;

        if (x->family != y->family)
                return x->family < y->family ? -1 : 1;

        r = memcmp(x->bytes, y->bytes, sizeof x->bytes);
        if (r != 0)
                return r;

        if (x->prefix != y->prefix)
                return x->prefix < y->prefix ? -1 : 1;

        return (int) x->listable - (int) y->listable;
}

static bool all_equal(const GPtrArray *a, const GPtrArray *b) {
        if (a->len != b->len)
                return false;

        for (unsigned i = 0; i < a->len; i++) {
                const VsmAddress *x = a->pdata[i], *y = b->pdata[i];

                if (compare_identity(&x, &y) != 0 || strcmp(x->ifname, y->ifname) != 0)
                        return false;
        }

        return true;
}

static int dump_once(VsmAddresses *addresses, GPtrArray *all) {
        int r;

        drain(addresses->dumps); /* what an earlier one left when it failed */

        if (addresses->links_dirty) {
                g_hash_table_remove_all(addresses->links);

                r = dump(addresses, RTM_GETLINK, sizeof(struct ifinfomsg), on_dumped_link, addresses);
                if (r < 0)
                        return r;

                addresses->links_dirty = false;
        }

        return dump(addresses, RTM_GETADDR, sizeof(struct ifaddrmsg), on_dumped_address,
                    &(Answer) { .addresses = addresses, .all = all });
}

/* Asks until an answer was complete: one during which something changed is said to be interrupted
 * (EINTR). *ret_changed: something is not as it was. */
static int refresh(VsmAddresses *addresses, bool *ret_changed) {
        int r = -EINTR;

        for (unsigned i = 0; r < 0 && i < DUMP_TRIES; i++) {
                g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(address_free);

                r = dump_once(addresses, all);
                if (r < 0)
                        continue;

                g_ptr_array_sort(all, compare_identity);
                *ret_changed = !all_equal(addresses->all, all);
                g_ptr_array_unref(addresses->all);
                addresses->all = g_steal_pointer(&all);
                addresses->dirty = false;
        }

        return r;
}

/* ---- notices ---- */

static int on_notice(const struct nlmsghdr *message, void *userdata) {
        VsmAddresses *addresses = userdata;

        if (message->nlmsg_type == RTM_NEWADDR || message->nlmsg_type == RTM_DELADDR)
                addresses->dirty = true;
        else if (is_link(message))
                take_link(addresses, message);

        return MNL_CB_OK;
}

static void read_notices(VsmAddresses *addresses) {
        char buffer[BUFFER_SIZE];

        for (;;) {
                ssize_t n = mnl_socket_recvfrom(addresses->notices, buffer, sizeof buffer);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return;

                /* ENOBUFS: some were lost. ENOSPC: one was longer than the buffer. Then, and when
                 * one makes no sense, all is asked for. */
                if (n < 0 || mnl_cb_run(buffer, (size_t) n, 0, 0, on_notice, addresses) < 0) {
                        addresses->dirty = addresses->links_dirty = true;
                        if (n < 0 && errno != ENOBUFS && errno != ENOSPC)
                                return;
                }
        }
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        VsmAddresses *addresses = userdata;
        bool changed = false;

        read_notices(addresses);

        /* When it fails (no memory), dirty stays, and the next notice tries again. */
        if (addresses->dirty && refresh(addresses, &changed) >= 0 && changed)
                addresses->func(addresses->userdata);

        return 0; /* an error would switch the source off */
}

/* ---- life ---- */

static Socket* open_socket(unsigned groups, GError **error) {
        g_autoptr(Socket) socket = NULL;

        socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (!socket || mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) < 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                            "Cannot open a netlink socket: %s", g_strerror(errno));
                return NULL;
        }

        return g_steal_pointer(&socket);
}

VsmAddresses* vsm_addresses_new(sd_event *event, VsmAddressesFunc func, void *userdata, GError **error) {
        g_autoptr(VsmAddresses) addresses = g_new0(VsmAddresses, 1);
        bool changed;
        int r;

        addresses->func = func;
        addresses->userdata = userdata;
        addresses->links = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        addresses->all = g_ptr_array_new_with_free_func(address_free);
        addresses->links_dirty = true;

        /* Listening comes first, so that nothing is missed between. */
        addresses->notices = open_socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, error);
        if (!addresses->notices)
                return NULL;

        addresses->dumps = open_socket(0, error);
        if (!addresses->dumps)
                return NULL;

        r = sd_event_add_io(event, &addresses->source, mnl_socket_get_fd(addresses->notices),
                            EPOLLIN, on_readable, addresses);
        if (r >= 0) {
                (void) sd_event_source_set_description(addresses->source, "addresses");
                r = refresh(addresses, &changed);
        }
        if (r < 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                            "Cannot read this host's addresses: %s", g_strerror(-r));
                return NULL;
        }

        return g_steal_pointer(&addresses);
}

void vsm_addresses_free(VsmAddresses *addresses) {
        if (!addresses)
                return;

        g_clear_pointer(&addresses->source, sd_event_source_disable_unref);
        g_clear_pointer(&addresses->notices, mnl_socket_close);
        g_clear_pointer(&addresses->dumps, mnl_socket_close);
        g_clear_pointer(&addresses->links, g_hash_table_unref);
        g_clear_pointer(&addresses->all, g_ptr_array_unref);
        g_free(addresses);
}

GPtrArray* vsm_addresses_all(VsmAddresses *addresses) {
        return addresses->all;
}

char** vsm_addresses_own(VsmAddresses *addresses) {
        char **texts = g_new0(char *, addresses->all->len + 1);

        for (unsigned i = 0; i < addresses->all->len; i++)
                texts[i] = g_strdup(((VsmAddress *) addresses->all->pdata[i])->text);

        return texts;
}

/* ---- the list ---- */

typedef struct Match {
        const VsmAddress *address;
        VsmInet inet;
        const VsmSubnet *subnet;
} Match;

static VsmInet inet_of(const VsmAddress *address) {
        VsmInet inet = { .family = address->family };

        memcpy(inet.bytes, address->bytes, sizeof inet.bytes);
        return inet;
}

/* Others may be told of it, and it is of a network that others are on. */
static bool is_for_others(const VsmAddress *address, char **bridges) {
        return address->listable &&
                !(bridges && g_strv_contains((const char* const*) bridges, address->ifname));
}

static int compare_matches(const void *a, const void *b) {
        const Match *x = a, *y = b;

        return vsm_subnet_compare(x->subnet, &x->inet, y->subnet, &y->inet);
}

char** vsm_addresses_list(const GPtrArray *all, const VsmSubnet *subnets, size_t n_subnets, char **bridges) {
        g_autoptr(GArray) matches = g_array_new(false, false, sizeof(Match));
        g_autoptr(GPtrArray) texts = g_ptr_array_new();

        for (unsigned i = 0; i < all->len; i++) {
                Match match = { .address = all->pdata[i] };

                if (!is_for_others(match.address, bridges))
                        continue;

                match.inet = inet_of(match.address);
                match.subnet = vsm_subnets_find(subnets, n_subnets, &match.inet);
                if (match.subnet)
                        g_array_append_val(matches, match);
        }

        g_array_sort(matches, compare_matches);

        for (unsigned i = 0; i < matches->len; i++) {
                const Match *match = &g_array_index(matches, Match, i);

                /* the same address on two interfaces */
                if (i > 0 && vsm_inet_equal(&match[-1].inet, &match->inet))
                        continue;

                g_ptr_array_add(texts, g_strdup(match->address->text));
        }

        g_ptr_array_add(texts, NULL);
        return (char **) g_ptr_array_free(g_steal_pointer(&texts), false);
}

GArray* vsm_addresses_sources(const GPtrArray *all, char **bridges) {
        GArray *sources = g_array_new(false, false, sizeof(VsmSubnet));

        for (unsigned i = 0; i < all->len; i++) {
                const VsmAddress *address = all->pdata[i];
                VsmSubnet source = { .family = address->family, .prefix = address->prefix };

                if (!is_for_others(address, bridges))
                        continue;

                memcpy(source.bytes, address->bytes, sizeof source.bytes);
                g_array_append_val(sources, source);
        }

        return sources;
}
