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
#include "daemon/virt/route.h"
#include "daemon/virt/uri.h"
#include "shared/error.h"

#define SLICE_USEC      (2 * G_USEC_PER_SEC)    /* for one address, while others wait */
#define ADDRESSES_MAX   64                      /* of one name; what comes after is not tried */

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

typedef union Name {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
} Name;

/* The size, 0 when the text is no address. */
static socklen_t name_fill(Name *name, const char *text, uint16_t port) {
        *name = (Name) {};

        if (inet_pton(AF_INET, text, &name->in.sin_addr) == 1) {
                name->in.sin_family = AF_INET;
                name->in.sin_port = htons(port);
                return sizeof(name->in);
        }

        if (inet_pton(AF_INET6, text, &name->in6.sin6_addr) == 1) {
                name->in6.sin6_family = AF_INET6;
                name->in6.sin6_port = htons(port);
                return sizeof(name->in6);
        }

        return 0;
}

static int start_connect(const VsmRoute *route, uint16_t port, int *ret_fd) {
        Name to, from;
        socklen_t to_size = name_fill(&to, route->address, port), from_size = 0;
        int fd, r;

        if (route->source)
                from_size = name_fill(&from, route->source, 0);
        if (to_size == 0 || (route->source && from_size == 0))
                return -EINVAL;

        fd = socket(to.sa.sa_family, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;

        if ((from_size > 0 && bind(fd, &from.sa, from_size) < 0) ||
            (connect(fd, &to.sa, to_size) < 0 && errno != EINPROGRESS)) {
                r = -errno;
                (void) close(fd);
                return r;
        }

        *ret_fd = fd;
        return 0;
}

/* 0, -ETIMEDOUT, -ECANCELED or what connect() failed with. */
static int try_route(const VsmRoute *route, uint16_t port, int64_t deadline, VsmCancel *cancel) {
        int fd = -1, r, e = 0;
        socklen_t size = sizeof(e);

        r = start_connect(route, port, &fd);
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

static unsigned count_usable(GPtrArray *routes, guint from) {
        unsigned n = 0;

        for (guint i = from; i < routes->len; i++)
                n += !((const VsmRoute *) routes->pdata[i])->unusable;

        return n;
}

static void note_failure(GString *failures, const char *address, const char *why) {
        g_string_append_printf(failures, "%s%s: %s", failures->len > 0 ? "; " : "", address, why);
}

char* vsm_dial_routes(
                GPtrArray *routes,
                uint16_t port,
                int64_t deadline,
                VsmCancel *cancel,
                GError **error) {

        g_autoptr(GString) failures = g_string_new(NULL);
        bool silent = count_usable(routes, 0) > 0;

        for (guint i = 0; i < routes->len; i++) {
                const VsmRoute *route = routes->pdata[i];
                int64_t now = g_get_monotonic_time(), left = deadline - now;
                unsigned n = count_usable(routes, i);
                int r;

                if (route->unusable) {
                        note_failure(failures, route->address, route->unusable);
                        continue;
                }

                /* A dead one must not eat what the others need; the last one gets the rest. */
                if (n > 1)
                        left = MIN(left, CLAMP(left / n, SLICE_USEC / 4, SLICE_USEC));

                r = try_route(route, port, now + left, cancel);
                if (r == 0)
                        return g_strdup(route->address);

                if (r == -ECANCELED) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_CANCELLED, "Connecting to %s: "
                                                                           "cancelled", route->address);
                        return NULL;
                }

                silent = silent && r == -ETIMEDOUT;
                note_failure(failures, route->address, r == -ETIMEDOUT ? "no answer" : g_strerror(-r));
        }

        g_set_error(error, VSM_ERROR, silent ? VSM_ERROR_TIMEOUT : VSM_ERROR_FAILED,
                    "No libvirt can be reached at port %u (%s)", port,
                    failures->len > 0 ? failures->str : "no address");
        return NULL;
}

char* vsm_dial_connect(
                char **addresses,
                uint16_t port,
                int64_t deadline,
                VsmCancel *cancel,
                GError **error) {

        g_autoptr(GPtrArray) routes = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_route_free);

        for (char **p = addresses; *p; p++) {
                VsmRoute *route = g_new0(VsmRoute, 1);

                route->address = g_strdup(*p);
                g_ptr_array_add(routes, route);
        }

        return vsm_dial_routes(routes, port, deadline, cancel, error);
}

char* vsm_dial(
                const VsmDestination *destination,
                char **avoid,
                int64_t deadline,
                VsmCancel *cancel,
                GError **error) {

        g_auto(GStrv) resolved = NULL;
        g_autoptr(GPtrArray) routes = NULL;
        char *address;

        if (vsm_route_needs_lookup(destination)) {
                resolved = vsm_dial_resolve(destination->host, deadline, cancel, error);
                if (!resolved)
                        return NULL;
        }

        routes = vsm_route_choose(destination, resolved, avoid, error);
        if (!routes)
                return NULL;

        address = vsm_dial_routes(routes, vsm_uri_control_port(destination), deadline, cancel, error);
        if (!address)
                g_prefix_error(error, "Host '%s': ", destination->host);

        return address;
}
