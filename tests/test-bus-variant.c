/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Arguments over a real pair of sd-bus connections, so that what arrives is what a peer can send: made
 * with sd-bus alone, read with ours, and the other way. One thread. */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/bus-variant.h"
#include "shared/cleanup.h"
#include "shared/error.h"

typedef struct Pair {
        sd_bus *server, *client;
} Pair;

static void check(int r) {
        if (r < 0)
                g_error("%s", g_strerror(-r));
}

static void pair_set_up(Pair *pair, const void *data G_GNUC_UNUSED) {
        int fds[2] = { -1, -1 };
        sd_id128_t id = {};

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
        check(sd_id128_randomize(&id));

        check(sd_bus_new(&pair->server));
        check(sd_bus_set_fd(pair->server, fds[0], fds[0]));
        check(sd_bus_set_server(pair->server, true, id));
        check(sd_bus_negotiate_fds(pair->server, true));
        check(sd_bus_start(pair->server));

        check(sd_bus_new(&pair->client));
        check(sd_bus_set_fd(pair->client, fds[1], fds[1]));
        check(sd_bus_negotiate_fds(pair->client, true));
        check(sd_bus_start(pair->client));

        while (sd_bus_is_ready(pair->client) == 0 || sd_bus_is_ready(pair->server) == 0) {
                check(sd_bus_process(pair->server, NULL));
                check(sd_bus_process(pair->client, NULL));
        }
}

static void pair_tear_down(Pair *pair, const void *data G_GNUC_UNUSED) {
        sd_bus_close_unref(pair->client);
        sd_bus_close_unref(pair->server);
}

static sd_bus_message* message_new(Pair *pair) {
        sd_bus_message *message = NULL;

        check(sd_bus_message_new_signal(pair->client, &message, "/", "org.example.Test", "Test"));
        return message;
}

/* Sends what was made and returns it as it came out at the other end. */
static sd_bus_message* transfer(Pair *pair, sd_bus_message *sent) {
        check(sd_bus_send(pair->client, sent, NULL));

        for (;;) {
                sd_bus_message *received = NULL;

                check(sd_bus_process(pair->client, NULL));
                check(sd_bus_process(pair->server, &received));

                if (received && sd_bus_message_is_signal(received, "org.example.Test", "Test"))
                        return received;

                sd_bus_message_unref(received);
        }
}

static GVariant* read_one(Pair *pair, sd_bus_message *sent, GError **error) {
        g_autoptr(sd_bus_message) received = transfer(pair, sent);
        size_t budget = VSM_LIMIT_MESSAGE;
        GVariant *value = vsm_bus_read_variant(received, &budget, error);

        g_assert_cmpuint(budget, <=, VSM_LIMIT_MESSAGE);
        g_assert_true(!value || !g_variant_is_floating(value));

        if (value)
                g_assert_cmpint(sd_bus_message_at_end(received, true), >, 0);

        return value;
}

static void assert_reads(Pair *pair, sd_bus_message *sent, const char *text) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) value = read_one(pair, sent, &error);
        g_autoptr(GVariant) wanted = g_variant_parse(NULL, text, NULL, NULL, NULL);

        g_assert_no_error(error);
        g_assert_nonnull(wanted);
        g_assert_cmpvariant(value, wanted);
}

static void assert_refuses(Pair *pair, sd_bus_message *sent, int code, const char *says) {
        g_autoptr(GError) error = NULL;

        g_assert_null(read_one(pair, sent, &error));
        g_assert_error(error, VSM_ERROR, code);
        if (!strstr(error->message, says))
                g_error("wanted \"%s\", got \"%s\"", says, error->message);
}

/* Made by sd-bus's own format, so the reader is not tested against our writer alone. */
static void test_read(Pair *pair, const void *data G_GNUC_UNUSED) {
        g_autoptr(sd_bus_message) basic = message_new(pair), dict = message_new(pair);
        g_autoptr(sd_bus_message) list = message_new(pair);

        check(sd_bus_message_append(basic, "(ybnqiuxtdsog)", 255, 1, -2, 65535, -3, UINT32_MAX, INT64_MIN,
                                    UINT64_MAX, 0.5, "a\xc3\xbc", "/x", "a{sv}"));
        assert_reads(pair, basic,
                     "(byte 0xff, true, int16 -2, uint16 65535, -3, uint32 4294967295,"
                     " int64 -9223372036854775808, uint64 18446744073709551615, 0.5, 'a\303\274',"
                     " objectpath '/x', signature 'a{sv}')");

        check(sd_bus_message_append(dict, "a{sv}", 3, "A", "q", 7, "B", "as", 2, "x", "", "A", "v", "b", 0));
        assert_reads(pair, dict, "{'A': <uint16 7>, 'B': <['x', '']>, 'A': <<false>>}");

        check(sd_bus_message_append(list, "aa{sv}", 2, 0, 1, "A", "aa{sv}", 0));
        assert_reads(pair, list, "[{}, {'A': <@aa{sv} []>}]");
}

static const char *const values[] = {
        "byte 0x07", "true", "int16 -1", "uint16 1", "-1", "uint32 1", "int64 -1", "uint64 1", "1.5",
        "''", "'a'", "objectpath '/a'", "signature ''", "@ay []", "@as []", "['a', 'b']", "@a{sv} {}",
        "{'a': <uint16 1>}", "@aa{sv} []", "[{'a': <[{'b': <'/c'>}]>}, {}]", "('a', uint16 1, (true,))",
        "<'a'>", "<<uint16 1>>", "{uint16 1: 'a'}", "[(uint32 1, uint32 2, uint64 3)]", "@a(uut) []",
        "{'UnmanagedVhds': <[{'VhdSourcePath': <'/a'>}]>}",
};

static void test_both_ways(Pair *pair, const void *data G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
                g_autoptr(GVariant) value = g_variant_parse(NULL, values[i], NULL, NULL, NULL);
                g_autoptr(sd_bus_message) sent = message_new(pair);

                g_assert_nonnull(value);
                check(vsm_bus_append_variant(sent, value));
                assert_reads(pair, sent, values[i]);
        }
}

static void test_append_refuses(Pair *pair, const void *data G_GNUC_UNUSED) {
        static const char *const none[] = { "@h 0", "@ah [0]", "<@h 0>", "@ms nothing", "@(ms) (nothing,)" };

        for (size_t i = 0; i < G_N_ELEMENTS(none); i++) {
                g_autoptr(GVariant) value = g_variant_parse(NULL, none[i], NULL, NULL, NULL);
                g_autoptr(sd_bus_message) sent = message_new(pair);

                g_assert_nonnull(value);
                g_assert_cmpint(vsm_bus_append_variant(sent, value), <, 0);
        }
}

static void test_file_descriptor(Pair *pair, const void *data G_GNUC_UNUSED) {
        g_autoptr(sd_bus_message) plain = message_new(pair), hidden = message_new(pair);
        g_autoptr(sd_bus_message) empty = message_new(pair);

        check(sd_bus_message_append(plain, "h", STDIN_FILENO));
        assert_refuses(pair, plain, VSM_ERROR_INVALID_PARAMETER, "File descriptors");

        check(sd_bus_message_append(hidden, "a{sv}", 1, "A", "h", STDIN_FILENO));
        assert_refuses(pair, hidden, VSM_ERROR_INVALID_PARAMETER, "File descriptors");

        check(sd_bus_message_append(empty, "a{sv}", 1, "A", "ah", 0));
        assert_refuses(pair, empty, VSM_ERROR_INVALID_PARAMETER, "File descriptors");
}

static void append_elements(sd_bus_message *message, unsigned n) {
        check(sd_bus_message_open_container(message, 'a', "y"));
        for (unsigned i = 0; i < n; i++)
                check(sd_bus_message_append(message, "y", 1));
        check(sd_bus_message_close_container(message));
}

static void test_limits(Pair *pair, const void *data G_GNUC_UNUSED) {
        g_autofree char *fits = g_strnfill(VSM_LIMIT_STRING, 'a');
        g_autofree char *over = g_strnfill(VSM_LIMIT_STRING + 1, 'a');
        g_autoptr(sd_bus_message) list = message_new(pair), longer = message_new(pair);
        g_autoptr(sd_bus_message) text = message_new(pair), more = message_new(pair);
        g_autoptr(GVariant) value = NULL, string = NULL;

        append_elements(list, VSM_LIMIT_ELEMENTS);
        value = read_one(pair, list, NULL);
        g_assert_cmpuint(g_variant_n_children(value), ==, VSM_LIMIT_ELEMENTS);

        append_elements(longer, VSM_LIMIT_ELEMENTS + 1);
        assert_refuses(pair, longer, VSM_ERROR_LIMITS_EXCEEDED, "256 elements in a list");

        check(sd_bus_message_append(text, "s", fits));
        string = read_one(pair, text, NULL);
        g_assert_cmpstr(g_variant_get_string(string, NULL), ==, fits);

        check(sd_bus_message_append(more, "s", over));
        assert_refuses(pair, more, VSM_ERROR_LIMITS_EXCEEDED, "4096 bytes in a string");
}

/* Over all arguments of a message. */
static void test_budget(Pair *pair, const void *data G_GNUC_UNUSED) {
        g_autofree char *text = g_strnfill(4000, 'a');
        g_autoptr(sd_bus_message) sent = message_new(pair), received = NULL;
        g_autoptr(GError) error = NULL;
        size_t budget = VSM_LIMIT_MESSAGE;
        unsigned n = 0;

        for (unsigned i = 0; i < 40; i++)
                check(sd_bus_message_append(sent, "s", text));

        received = transfer(pair, sent);

        for (;;) {
                g_autoptr(GVariant) value = vsm_bus_read_variant(received, &budget, &error);

                if (!value)
                        break;
                n++;
        }

        g_assert_error(error, VSM_ERROR, VSM_ERROR_LIMITS_EXCEEDED);
        g_assert_nonnull(strstr(error->message, "65536 bytes in a message"));
        g_assert_cmpuint(n, ==, 16);
}

/* Empty containers cost too: 256 x 256 of them are within the other limits. */
static void test_budget_empty(Pair *pair, const void *data G_GNUC_UNUSED) {
        g_autoptr(sd_bus_message) sent = message_new(pair);

        check(sd_bus_message_open_container(sent, 'a', "aaa{sv}"));
        for (unsigned i = 0; i < VSM_LIMIT_ELEMENTS; i++) {
                check(sd_bus_message_open_container(sent, 'a', "aa{sv}"));
                for (unsigned j = 0; j < VSM_LIMIT_ELEMENTS; j++)
                        check(sd_bus_message_append(sent, "aa{sv}", 0));
                check(sd_bus_message_close_container(sent));
        }
        check(sd_bus_message_close_container(sent));

        assert_refuses(pair, sent, VSM_ERROR_LIMITS_EXCEEDED, "bytes in a message");
}

static void append_nested(sd_bus_message *message, unsigned depth) {
        for (unsigned i = 1; i < depth; i++)
                check(sd_bus_message_open_container(message, 'v', "v"));

        check(sd_bus_message_append(message, "v", "y", 1));

        for (unsigned i = 1; i < depth; i++)
                check(sd_bus_message_close_container(message));
}

static void test_depth(Pair *pair, const void *data G_GNUC_UNUSED) {
        static const unsigned too_deep[] = { VSM_LIMIT_DEPTH + 1, 60 };
        g_autoptr(sd_bus_message) fits = message_new(pair);
        g_autoptr(GVariant) value = NULL;

        append_nested(fits, VSM_LIMIT_DEPTH);
        value = read_one(pair, fits, NULL);
        g_assert_nonnull(value);

        for (size_t i = 0; i < G_N_ELEMENTS(too_deep); i++) {
                g_autoptr(sd_bus_message) sent = message_new(pair);

                append_nested(sent, too_deep[i]);
                assert_refuses(pair, sent, VSM_ERROR_INVALID_PARAMETER, "containers in one another");
        }
}

static void test_missing(Pair *pair, const void *data G_GNUC_UNUSED) {
        g_autoptr(sd_bus_message) sent = message_new(pair);

        assert_refuses(pair, sent, VSM_ERROR_INVALID_PARAMETER, "lacks an argument");
}

/* The next argument begins where the last one ended. */
static void test_several(Pair *pair, const void *data G_GNUC_UNUSED) {
        static const char *const wanted[] = { "objectpath '/a'", "'b'", "{'P': <uint16 1>}", "@a{sv} {}",
                                              "@aa{sv} []" };
        g_autoptr(sd_bus_message) sent = message_new(pair), received = NULL;
        size_t budget = VSM_LIMIT_MESSAGE;

        check(sd_bus_message_append(sent, "osa{sv}a{sv}aa{sv}", "/a", "b", 1, "P", "q", 1, 0, 0));
        received = transfer(pair, sent);

        for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
                g_autoptr(GVariant) value = vsm_bus_read_variant(received, &budget, NULL);
                g_autofree char *printed = g_variant_print(value, TRUE);

                g_assert_cmpstr(printed, ==, wanted[i]);
        }
}

#define ADD(name, function) \
        g_test_add("/bus-variant/" name, Pair, NULL, pair_set_up, function, pair_tear_down)

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        ADD("read", test_read);
        ADD("both-ways", test_both_ways);
        ADD("append-refuses", test_append_refuses);
        ADD("file-descriptor", test_file_descriptor);
        ADD("limits", test_limits);
        ADD("budget", test_budget);
        ADD("budget-empty", test_budget_empty);
        ADD("depth", test_depth);
        ADD("missing", test_missing);
        ADD("several", test_several);

        return g_test_run();
}
