/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Look-up and TCP connect with a deadline, both of which a cancel ends at once. Any thread but the
 * bus thread. */

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/virt/dial.h"
#include "daemon/virt/patience.h"
#include "daemon/virt/uri.h"
#include "shared/enums.h"
#include "shared/error.h"

#define SLICE_USEC      (2 * G_USEC_PER_SEC)    /* for one address, while others wait */
#define ADDRESSES_MAX   64                      /* of one name; what comes after is not tried */

typedef struct Address {
        int family;
        unsigned char bytes[16];
} Address;

/* IPv4 in IPv6's clothes is IPv4: ::ffff:127.0.0.1 is as much this host as 127.0.0.1. */
static bool address_parse(const char *text, Address *ret) {
        static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
        Address address = {};

        if (inet_pton(AF_INET, text, address.bytes) == 1)
                address.family = AF_INET;
        else if (inet_pton(AF_INET6, text, address.bytes) == 1)
                address.family = AF_INET6;
        else
                return false;

        if (address.family == AF_INET6 && memcmp(address.bytes, mapped, sizeof(mapped)) == 0) {
                address.family = AF_INET;
                memmove(address.bytes, address.bytes + 12, 4);
                memset(address.bytes + 4, 0, 12);
        }

        *ret = address;
        return true;
}

static bool address_equal(const Address *a, const Address *b) {
        return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Loopback, and the unspecified address, to which connect() means loopback too. */
static bool address_is_local(const Address *address) {
        static const unsigned char zero[16];

        if (address->family == AF_INET)
                return address->bytes[0] == 127 || address->bytes[0] == 0;

        return memcmp(address->bytes, zero, 15) == 0 && address->bytes[15] <= 1;
}

static bool list_contains(char **list, const Address *address) {
        Address other;

        for (char **p = list; p && *p; p++)
                if (address_parse(*p, &other) && address_equal(&other, address))
                        return true;

        return false;
}

static void* resolve_thread(void *input, GError **error) {
        const char *host = input;
        struct addrinfo hints = {
                .ai_family = AF_UNSPEC,
                .ai_socktype = SOCK_STREAM,
                .ai_flags = AI_ADDRCONFIG,
        }, *list = NULL;
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
        unsigned n = 0;
        int r;

        r = getaddrinfo(host, NULL, &hints, &list);
        if (r != 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "Host '%s' has no address that could be "
                                                                "looked up: %s",
                            host, r == EAI_SYSTEM ? g_strerror(errno) : gai_strerror(r));
                return NULL;
        }

        for (struct addrinfo *ai = list; ai && n < ADDRESSES_MAX; ai = ai->ai_next) {
                char text[NI_MAXHOST];

                /* With a zone (link-local) it fits into no URI: left out. */
                r = getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
                if (r != 0 || !vsm_uri_is_address(text))
                        continue;

                g_strv_builder_add(builder, text);
                n++;
        }
        freeaddrinfo(list);

        if (n == 0)
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "Host '%s' has only link-local "
                                                                "addresses", host);

        return n > 0 ? g_strv_builder_end(builder) : NULL;
}

char** vsm_dial_resolve(const char *host, int64_t deadline, VsmCancel *cancel, GError **error) {
        g_autofree char *what = g_strdup_printf("Looking up host '%s'", host);

        if (vsm_uri_is_address(host)) {
                char **addresses = g_new0(char *, 2);

                addresses[0] = g_strdup(host);
                return addresses;
        }

        return vsm_patience_run(
                        &(VsmPatience) {
                                .what = what,
                                .host = host,
                                .func = resolve_thread,
                                .input = g_strdup(host),
                                .input_free = g_free,
                                .result_free = (GDestroyNotify) g_strfreev,
                        },
                        deadline, cancel, error);
}

static bool check_foreign(const VsmDestination *destination, char **addresses, GError **error) {
        for (char **p = addresses; p && *p; p++) {
                Address address;

                if (!address_parse(*p, &address)) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER, "'%s' is not an IP "
                                                                                   "address", *p);
                        return false;
                }

                if (address_is_local(&address) || list_contains(destination->own_addresses, &address)) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                                    "Destination '%s' (address %s) is this host itself: name another one",
                                    destination->host, *p);
                        return false;
                }
        }

        return true;
}

char** vsm_dial_choose(const VsmDestination *destination, char **resolved, GError **error) {
        char **wanted = destination->addresses;

        /* One of its addresses being ours is enough: libvirt might take that one. */
        if (!check_foreign(destination, resolved, error) || !check_foreign(destination, wanted, error))
                return NULL;

        if (!wanted || !*wanted)
                return g_strdupv(resolved);

        /* With TLS the certificate tells whether it is that host, with plain TCP nothing would. */
        for (char **p = wanted; *p && destination->transport == VSM_TRANSPORT_TCP; p++) {
                Address address;

                if (address_parse(*p, &address) && list_contains(resolved, &address))
                        continue;

                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "DestinationIPAddressList: %s is no address of host '%s', and without TLS "
                            "nothing would prove that it is", *p, destination->host);
                return NULL;
        }

        return g_strdupv(wanted);
}

static int start_connect(const char *text, uint16_t port, int *ret_fd) {
        union {
                struct sockaddr sa;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
        } sa = {};
        socklen_t size;
        int fd;

        if (inet_pton(AF_INET, text, &sa.in.sin_addr) == 1) {
                sa.in.sin_family = AF_INET;
                sa.in.sin_port = htons(port);
                size = sizeof(sa.in);
        } else if (inet_pton(AF_INET6, text, &sa.in6.sin6_addr) == 1) {
                sa.in6.sin6_family = AF_INET6;
                sa.in6.sin6_port = htons(port);
                size = sizeof(sa.in6);
        } else
                return -EINVAL;

        fd = socket(sa.sa.sa_family, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;

        if (connect(fd, &sa.sa, size) < 0 && errno != EINPROGRESS) {
                int r = -errno;

                (void) close(fd);
                return r;
        }

        *ret_fd = fd;
        return 0;
}

/* 0, -ETIMEDOUT, -ECANCELED or what connect() failed with. */
static int try_address(const char *text, uint16_t port, int64_t deadline, VsmCancel *cancel) {
        int fd = -1, r, e = 0;
        socklen_t size = sizeof(e);

        r = start_connect(text, port, &fd);
        if (r < 0)
                return r;

        switch (vsm_wait_fd(fd, POLLOUT, deadline, cancel)) {

        case VSM_WAIT_READY:
                r = getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &size) < 0 ? -errno : -e;
                break;

        case VSM_WAIT_DEADLINE:
                r = -ETIMEDOUT;
                break;

        case VSM_WAIT_CANCELLED:
                r = -ECANCELED;
                break;
        }

        (void) close(fd);
        return r;
}

char* vsm_dial_connect(
                char **addresses,
                uint16_t port,
                int64_t deadline,
                VsmCancel *cancel,
                GError **error) {

        g_autoptr(GString) failures = g_string_new(NULL);
        unsigned n = g_strv_length(addresses);
        bool silent = n > 0;

        for (unsigned i = 0; i < n; i++) {
                int64_t now = g_get_monotonic_time(), left = deadline - now;
                int r;

                /* A dead one must not eat what the others need; the last one gets the rest. */
                if (i + 1 < n)
                        left = MIN(left, CLAMP(left / (n - i), SLICE_USEC / 4, SLICE_USEC));

                r = try_address(addresses[i], port, now + left, cancel);
                if (r == 0)
                        return g_strdup(addresses[i]);

                if (r == -ECANCELED) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_CANCELLED, "Connecting to %s: "
                                                                           "cancelled", addresses[i]);
                        return NULL;
                }

                silent = silent && r == -ETIMEDOUT;
                g_string_append_printf(failures, "%s%s: %s", i > 0 ? "; " : "", addresses[i],
                                       r == -ETIMEDOUT ? "no answer" : g_strerror(-r));
        }

        g_set_error(error, VSM_ERROR, silent ? VSM_ERROR_TIMEOUT : VSM_ERROR_FAILED,
                    "No libvirt can be reached at port %u (%s)", port, n > 0 ? failures->str : "no address");
        return NULL;
}

char* vsm_dial(const VsmDestination *destination, int64_t deadline, VsmCancel *cancel, GError **error) {
        g_auto(GStrv) resolved = NULL, chosen = NULL;
        char *address;

        resolved = vsm_dial_resolve(destination->host, deadline, cancel, error);
        if (!resolved)
                return NULL;

        chosen = vsm_dial_choose(destination, resolved, error);
        if (!chosen)
                return NULL;

        address = vsm_dial_connect(chosen, vsm_uri_control_port(destination), deadline, cancel, error);
        if (!address)
                g_prefix_error(error, "Host '%s': ", destination->host);

        return address;
}
