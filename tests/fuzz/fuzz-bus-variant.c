/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* sd-bus messages and GVariants, one made of the other over a real pair of connections. The input is the
 * text of a type, a NUL, and the bytes of a value of it. What is a D-Bus value inside the limits arrives
 * and is equal; all else may be refused, by either side. */

#include <sys/socket.h>

#include "daemon/bus-variant.h"
#include "fuzz.h"
#include "shared/cleanup.h"

static sd_bus *server, *client;

static void pair_close(void) {
        client = sd_bus_close_unref(client);
        server = sd_bus_close_unref(server);
}

static void pair_open(void) {
        int fds[2] = { -1, -1 };
        sd_id128_t id = {};

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
        g_assert_cmpint(sd_id128_randomize(&id), >=, 0);

        g_assert_cmpint(sd_bus_new(&server), >=, 0);
        g_assert_cmpint(sd_bus_set_fd(server, fds[0], fds[0]), >=, 0);
        g_assert_cmpint(sd_bus_set_server(server, true, id), >=, 0);
        g_assert_cmpint(sd_bus_start(server), >=, 0);

        g_assert_cmpint(sd_bus_new(&client), >=, 0);
        g_assert_cmpint(sd_bus_set_fd(client, fds[1], fds[1]), >=, 0);
        g_assert_cmpint(sd_bus_start(client), >=, 0);
}

/* NULL when it did not arrive; then there is a new pair. */
static sd_bus_message* transfer(sd_bus_message *sent) {
        if (sd_bus_send(client, sent, NULL) < 0)
                return NULL;

        for (;;) {
                sd_bus_message *received = NULL;
                int c, s;

                c = sd_bus_process(client, NULL);
                s = sd_bus_process(server, &received);

                if (received && sd_bus_message_is_signal(received, "org.example.Test", "Test"))
                        return received;

                sd_bus_message_unref(received);

                /* refused, or dropped without a word: nobody has anything left to do */
                if (c < 0 || s < 0 || (c == 0 && s == 0 && sd_bus_is_ready(client) > 0)) {
                        pair_close();
                        pair_open();
                        return NULL;
                }
        }
}

/* GVariant knows more types than D-Bus: maybe types, the empty tuple, dict entries outside arrays. */
static bool type_is_plain(const char *type) {
        unsigned containers = 0;

        for (const char *p = type; *p; p++) {
                if (*p == 'm' || *p == 'h' || (*p == '(' && p[1] == ')') ||
                    (*p == '{' && (p == type || p[-1] != 'a')))
                        return false;

                containers += *p == 'a' || *p == '(' || *p == '{';
        }

        return strlen(type) < 200 && containers <= 20;
}

/* depth: containers around it */
static bool is_plain(GVariant *value, unsigned depth) {
        const char *type = g_variant_get_type_string(value);

        /* an entry of an array was judged with it */
        if (!type_is_plain(type) && (type[0] != '{' || depth == 0))
                return false;

        if (type[0] == 's' || type[0] == 'o')
                return strlen(g_variant_get_string(value, NULL)) <= VSM_LIMIT_STRING;

        if (type[0] == 'g')
                return type_is_plain(g_variant_get_string(value, NULL));

        if (!g_variant_is_container(value))
                return true;

        if (depth >= VSM_LIMIT_DEPTH || g_variant_n_children(value) > VSM_LIMIT_ELEMENTS)
                return false;

        for (size_t i = 0; i < g_variant_n_children(value); i++) {
                g_autoptr(GVariant) child = g_variant_get_child_value(value, i);

                /* an entry stands in an array only, which a variant is not */
                if (type[0] == 'v' && g_variant_get_type_string(child)[0] == '{')
                        return false;
                if (!is_plain(child, depth + 1))
                        return false;
        }

        return true;
}

static GVariant* value_from_input(const uint8_t *data, size_t size) {
        g_autofree char *type = fuzz_text(data, size);
        g_autoptr(GVariant) raw = NULL;
        g_autoptr(GBytes) bytes = NULL;
        size_t begin = strlen(type) + 1;

        if (begin > size || !g_variant_type_string_is_valid(type) ||
            !g_variant_type_is_definite(G_VARIANT_TYPE(type)))
                return NULL;

        bytes = g_bytes_new(data + begin, size - begin);
        raw = g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(type), bytes, FALSE));
        return g_variant_get_normal_form(raw);
}

/* Far from 64 KiB of message, whatever its type, so that only the other limits count. Not all that 1 KiB of input makes
 * is: an element that it does not have room for has the zeros of its type, a KiB of them maybe. */
static bool is_small(GVariant *value) {
        return g_variant_get_size(value) <= VSM_LIMIT_MESSAGE / 16;
}

static void check_value(GVariant *value, bool plain) {
        g_autoptr(sd_bus_message) sent = NULL, received = NULL;
        g_autoptr(GVariant) back = NULL;
        g_autoptr(GError) error = NULL;
        size_t budget = VSM_LIMIT_MESSAGE;
        int r;

        g_assert_cmpint(sd_bus_message_new_signal(client, &sent, "/", "org.example.Test", "Test"), >=, 0);
        r = vsm_bus_append_variant(sent, value);
        g_assert_true(r >= 0 || !plain);
        if (r < 0)
                return;

        received = transfer(sent);
        g_assert_true(received || !plain);
        if (!received)
                return;

        back = vsm_bus_read_variant(received, &budget, &error);
        fuzz_check_outcome(back, error);
        g_assert_true(back || !plain);
        g_assert_cmpuint(budget, <=, VSM_LIMIT_MESSAGE);
        if (!back)
                return;

        g_assert_false(g_variant_is_floating(back));
        g_assert_cmpvariant(back, value);
        g_assert_cmpint(sd_bus_message_at_end(received, true), >, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autoptr(GVariant) value = NULL;

        if (size > 1024)
                return 0;

        if (!server)
                pair_open();

        value = value_from_input(data, size);
        if (value)
                check_value(value, is_small(value) && is_plain(value, 0));

        return 0;
}
