/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which host a name means, seen from here, and how its service is reached. The first third is pure. */

#include <arpa/inet.h>
#include <glib/gi18n.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <string.h>

#include "client/message.h"
#include "client/site.h"

/* ---- names ---- */

static bool is_ipv6(const char *text) {
        struct in6_addr address;

        return inet_pton(AF_INET6, text, &address) == 1;
}

char* vsm_site_host(const char *text) {
        const char *at = strrchr(text, '@'), *host = at ? at + 1 : text, *end;

        if (is_ipv6(host))
                return g_strdup(host);

        if (*host == '[') {
                end = strchr(host, ']');
                return end ? g_strndup(host + 1, end - host - 1) : g_strdup(host);
        }

        return g_strndup(host, strcspn(host, ":/"));
}

char* vsm_site_ssh_target(const char *text) {
        const char *at = strrchr(text, '@'), *host = at ? at + 1 : text;

        if (!is_ipv6(host))
                return g_strdup(text);

        return g_strdup_printf("%.*s[%s]", (int) (host - text), text, host);
}

/* A name without a domain is also the short form of one that has it. */
static bool is_same_name(const char *name, const char *full) {
        size_t len = strlen(name);

        if (g_ascii_strcasecmp(name, full) == 0)
                return true;

        return !strchr(name, '.') && g_ascii_strncasecmp(name, full, len) == 0 && full[len] == '.';
}

bool vsm_site_is_name_of(const char *name, const char *hostname, const char *fqdn) {
        g_autofree char *stripped = g_strdup(name);
        size_t len = strlen(stripped);

        if (len > 0 && stripped[len - 1] == '.')
                stripped[len - 1] = '\0';
        if (!*stripped)
                return false;

        return (hostname && is_same_name(stripped, hostname)) || (fqdn && is_same_name(stripped, fqdn));
}

/* ---- this host ---- */

static bool is_loopback(const struct sockaddr *address) {
        switch (address->sa_family) {
        case AF_INET:
                return ntohl(((const struct sockaddr_in*) address)->sin_addr.s_addr) >> 24 == 127;
        case AF_INET6:
                return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6*) address)->sin6_addr);
        default:
                return false;
        }
}

static bool is_equal(const struct sockaddr *a, const struct sockaddr *b) {
        if (a->sa_family != b->sa_family)
                return false;

        switch (a->sa_family) {
        case AF_INET:
                return ((const struct sockaddr_in*) a)->sin_addr.s_addr ==
                        ((const struct sockaddr_in*) b)->sin_addr.s_addr;
        case AF_INET6:
                return IN6_ARE_ADDR_EQUAL(&((const struct sockaddr_in6*) a)->sin6_addr,
                                          &((const struct sockaddr_in6*) b)->sin6_addr);
        default:
                return false;
        }
}

static bool is_own_address(const struct sockaddr *address) {
        struct ifaddrs *all = NULL;
        bool found = is_loopback(address);

        if (found || getifaddrs(&all) < 0)
                return found;

        for (struct ifaddrs *i = all; i && !found; i = i->ifa_next)
                found = i->ifa_addr && is_equal(i->ifa_addr, address);

        freeifaddrs(all);
        return found;
}

static bool resolves_to_own_address(const char *name) {
        const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
        struct addrinfo *all = NULL;
        bool found = false;

        if (getaddrinfo(name, NULL, &hints, &all) != 0)
                return false;

        for (struct addrinfo *i = all; i && !found; i = i->ai_next)
                found = is_own_address(i->ai_addr);

        freeaddrinfo(all);
        return found;
}

static char* full_name(const char *hostname) {
        const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_flags = AI_CANONNAME };
        struct addrinfo *all = NULL;
        char *name = NULL;

        if (getaddrinfo(hostname, NULL, &hints, &all) != 0)
                return NULL;

        if (all && all->ai_canonname)
                name = g_strdup(all->ai_canonname);

        freeaddrinfo(all);
        return name;
}

bool vsm_site_is_here(const char *name) {
        const char *hostname = g_get_host_name();
        g_autofree char *fqdn = NULL;

        if (vsm_site_is_name_of(name, "localhost", hostname))
                return true;

        fqdn = full_name(hostname);
        return vsm_site_is_name_of(name, fqdn, NULL) || resolves_to_own_address(name);
}

/* ---- services ---- */

/* Whether the host behind -H is the one that is meant: by what was typed, or by what it calls itself. */
static bool is_host_of(VsmClient *client, const char *host, GError **error) {
        g_autofree char *name = vsm_site_host(host), *given = vsm_site_host(client->host);
        g_autoptr(JsonObject) service = NULL;
        const char *system;

        if (g_ascii_strcasecmp(name, given) == 0)
                return true;

        service = vsm_client_get_properties(client, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE, error);
        if (!service)
                return false;

        /* either of them may lack the domain: what to talk to has been said already */
        system = vsm_object_get_string(service, "SystemName");
        if (vsm_site_is_name_of(name, system, NULL) || vsm_site_is_name_of(system, name, NULL))
                return true;

        g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                    _("-H %s leads to another host than %s"), client->host, name);
        return false;
}

static bool check_name(const char *host, GError **error) {
        g_autofree char *name = vsm_site_host(host);

        if (*name)
                return true;

        g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE, _("'%s' is not the name of a host"),
                    host);
        return false;
}

/* Who names a user wants to be that one, here as well. */
static bool is_reached_directly(const char *host) {
        g_autofree char *name = vsm_site_host(host);

        return !strchr(host, '@') && vsm_site_is_here(name);
}

bool vsm_site_select(VsmClient *client, const char *host, GError **error) {
        if (!check_name(host, error))
                return false;

        if (client->host)
                return is_host_of(client, host, error);

        if (!is_reached_directly(host))
                client->host = g_strdup(host);

        return vsm_client_connect(client, error);
}

bool vsm_site_open_other(VsmClient *other, const VsmClient *client, const char *host, GError **error) {
        *other = (VsmClient) {
                .json = client->json,
                .no_pager = client->no_pager,
                .no_ask_password = client->no_ask_password,
                .verb = client->verb,
        };

        return vsm_site_select(other, host, error);
}
