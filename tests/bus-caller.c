/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls methods, one after the other, as it is told line by line, and says what came of each: many calls on
 * one connection, by a D-Bus library that is not the daemon's. Of a call that is to change nothing it also
 * says what changed all the same. Fields of a line, and of an answer, are separated by tabs:
 *
 *   service  NAME ROOT INTERFACE,...      whom to call; the root's interfaces, which no object manager lists
 *   ignore   PROPERTY,...                 what may change at any time
 *   call     ID PATH INTERFACE.METHOD TYPE ARGUMENTS
 *   refused  ID PATH INTERFACE.METHOD TYPE ARGUMENTS      the same, and nothing may change: looked at once for
 *                                                         some of them that follow each other
 *   save     NAME                         the last object path of the last reply is @NAME@ from now on
 *   wait     ID PATH INTERFACE PROPERTY VALUE             until it has that value, or the object is no more
 *
 * ARGUMENTS is a tuple in GVariant's text, of TYPE when that is not empty. Answers: ID, then "ok" and the
 * reply with its type, "error" and the error's name and message, or "changed" and what did (of the last of those
 * that were looked at together, with the first one's ID). */

#include <gio/gio.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define LIMIT_MSEC 60000
#define REFUSED_TOGETHER 16 /* reading all objects takes longer than a call that is refused */

typedef struct Caller {
        GDBusConnection *bus;
        char *service;
        char *root;
        char **interfaces;
        char **ignored;
        GHashTable *state; /* "path interface property" to its value as text; NULL = not known */
        GHashTable *saved;
        char *path; /* the last one of the last reply */
        guint n_refused; /* calls since the state was read */
        char *first_refused, *last_refused;
} Caller;

static void caller_done(Caller *caller) {
        g_clear_pointer(&caller->state, g_hash_table_unref);
        g_hash_table_unref(caller->saved);
        g_strfreev(caller->interfaces);
        g_strfreev(caller->ignored);
        g_free(caller->service);
        g_free(caller->root);
        g_free(caller->path);
        g_free(caller->first_refused);
        g_free(caller->last_refused);
        g_clear_object(&caller->bus);
}

static G_NORETURN void die(const char *what, const char *why) {
        fprintf(stderr, "bus-caller: %s: %s\n", what, why);
        exit(2);
}

static void answer(const char *id, const char *outcome, const char *text) {
        g_autofree char *line = g_strdelimit(g_strdup(text), "\n\t", ' ');

        printf("%s\t%s\t%s\n", id, outcome, line);
        fflush(stdout);
}

static GVariant* call(Caller *caller, const char *path, const char *interface, const char *method,
                      GVariant *arguments, GError **error) {
        return g_dbus_connection_call_sync(caller->bus, caller->service, path, interface, method, arguments,
                                           NULL, G_DBUS_CALL_FLAGS_NONE, LIMIT_MSEC, NULL, error);
}

/* ---- what there is ---- */

static void add_properties(Caller *caller, GHashTable *state, const char *path, const char *interface,
                           GVariant *properties) {
        GVariantIter iter;
        const char *name;
        GVariant *value;

        /* the interface alone counts, too */
        g_hash_table_insert(state, g_strdup_printf("%s %s", path, interface), g_strdup("there"));
        g_variant_iter_init(&iter, properties);
        while (g_variant_iter_loop(&iter, "{&sv}", &name, &value))
                if (!g_strv_contains((const char *const *) caller->ignored, name))
                        g_hash_table_insert(state, g_strdup_printf("%s %s %s", path, interface, name),
                                            g_variant_print(value, TRUE));
}

static GHashTable* read_state(Caller *caller) {
        GHashTable *state = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_autoptr(GVariant) managed = NULL;
        g_autoptr(GVariantIter) objects = NULL;
        g_autoptr(GError) error = NULL;
        GVariantIter *interfaces;
        const char *path, *interface;
        GVariant *properties;

        managed = call(caller, caller->root, OBJECT_MANAGER, "GetManagedObjects", NULL, &error);
        if (!managed)
                die("GetManagedObjects", error->message);

        g_variant_get(managed, "(a{oa{sa{sv}}})", &objects);
        while (g_variant_iter_loop(objects, "{&oa{sa{sv}}}", &path, &interfaces))
                while (g_variant_iter_loop(interfaces, "{&s@a{sv}}", &interface, &properties))
                        add_properties(caller, state, path, interface, properties);

        for (char **p = caller->interfaces; *p; p++) {
                g_autoptr(GVariant) all = NULL, dict = NULL;

                all = call(caller, caller->root, PROPERTIES, "GetAll", g_variant_new("(s)", *p), &error);
                if (!all)
                        die(*p, error->message);
                dict = g_variant_get_child_value(all, 0);
                add_properties(caller, state, caller->root, *p, dict);
        }

        return state;
}

/* What the one has and the other has not, or has otherwise. */
static void add_differences(GString *text, GHashTable *from, GHashTable *to, bool gone_only) {
        GHashTableIter iter;
        const char *key, *value;

        g_hash_table_iter_init(&iter, from);
        while (g_hash_table_iter_next(&iter, (void **) &key, (void **) &value)) {
                const char *other = g_hash_table_lookup(to, key);

                if (!other)
                        g_string_append_printf(text, "%s: %s; ", key, gone_only ? "new" : "gone");
                else if (!gone_only && !g_str_equal(value, other))
                        g_string_append_printf(text, "%s: %s, was %s; ", key, other, value);
        }
}

/* NULL = nothing has changed */
static char* find_changes(Caller *caller) {
        g_autoptr(GHashTable) before = g_steal_pointer(&caller->state);
        g_autoptr(GString) text = g_string_new(NULL);

        caller->state = read_state(caller);
        add_differences(text, before, caller->state, false);
        add_differences(text, caller->state, before, true);
        return text->len > 0 ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

/* ---- the lines ---- */

static void remember_path(Caller *caller, GVariant *reply) {
        for (gsize i = 0; i < g_variant_n_children(reply); i++) {
                g_autoptr(GVariant) child = g_variant_get_child_value(reply, i);

                if (g_variant_is_of_type(child, G_VARIANT_TYPE_OBJECT_PATH)) {
                        g_free(caller->path);
                        caller->path = g_variant_dup_string(child, NULL);
                }
        }
}

static void expect_no_change(Caller *caller) {
        g_autofree char *changes = NULL, *text = NULL;

        if (caller->n_refused == 0)
                return;

        caller->n_refused = 0;
        changes = find_changes(caller);
        if (!changes)
                return;

        text = g_strdup_printf("by calls %s to %s: %s", caller->first_refused, caller->last_refused, changes);
        answer(caller->last_refused, "changed", text);
}

static void count_refused(Caller *caller, const char *id) {
        if (caller->n_refused++ == 0) {
                g_free(caller->first_refused);
                caller->first_refused = g_strdup(id);
        }

        g_free(caller->last_refused);
        caller->last_refused = g_strdup(id);
        if (caller->n_refused == REFUSED_TOGETHER)
                expect_no_change(caller);
}

static void call_line(Caller *caller, char **field, bool refused) {
        g_autofree char *interface = g_strdup(field[3]), *text = NULL;
        g_autoptr(GVariant) arguments = NULL, reply = NULL;
        g_autoptr(GError) error = NULL;
        char *dot = strrchr(interface, '.');

        *dot = '\0';
        arguments = g_variant_parse(field[4][0] ? G_VARIANT_TYPE(field[4]) : NULL, field[5], NULL, NULL,
                                    &error);
        if (!arguments)
                die(field[1], error->message);

        if (!refused)
                g_clear_pointer(&caller->state, g_hash_table_unref);
        else if (!caller->state)
                caller->state = read_state(caller);

        reply = call(caller, field[2], interface, dot + 1, arguments, &error);
        if (reply) {
                text = g_variant_print(reply, TRUE);
                remember_path(caller, reply);
        } else {
                g_autofree char *name = g_dbus_error_get_remote_error(error);

                g_dbus_error_strip_remote_error(error);
                text = g_strdup_printf("%s: %s", name ?: "not sent", error->message);
        }

        answer(field[1], reply ? "ok" : "error", text);
        if (refused)
                count_refused(caller, field[1]);
}

static bool has_value(Caller *caller, char **field) {
        g_autoptr(GVariant) reply = NULL, value = NULL;
        g_autofree char *text = NULL;

        reply = call(caller, field[2], PROPERTIES, "Get", g_variant_new("(ss)", field[3], field[4]), NULL);
        if (!reply)
                return true;

        g_variant_get(reply, "(v)", &value);
        text = g_variant_print(value, FALSE);
        return g_str_equal(text, field[5]);
}

static gboolean on_limit(gpointer userdata) {
        *(bool *) userdata = true;
        return G_SOURCE_CONTINUE;
}

static void on_signal(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
                      const char *name, GVariant *parameters, gpointer userdata) {
        /* that it came is enough: it ends the turn of the loop */
}

static void wait_line(Caller *caller, char **field) {
        bool late = false;
        guint signals, limit;

        signals = g_dbus_connection_signal_subscribe(caller->bus, caller->service, NULL, NULL, NULL, NULL,
                                                     G_DBUS_SIGNAL_FLAGS_NONE, on_signal, NULL, NULL);
        limit = g_timeout_add(LIMIT_MSEC, on_limit, &late);
        while (!late && !has_value(caller, field))
                (void) g_main_context_iteration(NULL, TRUE);

        g_source_remove(limit);
        g_dbus_connection_signal_unsubscribe(caller->bus, signals);
        answer(field[1], late ? "error" : "ok", late ? "never came" : "");
        g_clear_pointer(&caller->state, g_hash_table_unref);
}

/* Puts in what was saved. */
static char* fill_in(Caller *caller, char *line) {
        GHashTableIter iter;
        const char *name, *path;

        g_hash_table_iter_init(&iter, caller->saved);
        while (g_hash_table_iter_next(&iter, (void **) &name, (void **) &path)) {
                g_autoptr(GString) text = g_string_new(line);

                g_free(line);
                (void) g_string_replace(text, name, path, 0);
                line = g_string_free(g_steal_pointer(&text), FALSE);
        }

        return line;
}

static void take_line(Caller *caller, const char *line) {
        g_auto(GStrv) field = g_strsplit(line, "\t", 6);
        guint n = g_strv_length(field);

        if (!g_str_equal(field[0], "refused"))
                expect_no_change(caller);

        if (n == 4 && g_str_equal(field[0], "service")) {
                caller->service = g_strdup(field[1]);
                caller->root = g_strdup(field[2]);
                caller->interfaces = g_strsplit(field[3], ",", -1);
        } else if (n == 2 && g_str_equal(field[0], "ignore")) {
                g_strfreev(caller->ignored);
                caller->ignored = g_strsplit(field[1], ",", -1);
        } else if (n == 2 && g_str_equal(field[0], "save") && caller->path)
                g_hash_table_insert(caller->saved, g_strdup_printf("@%s@", field[1]),
                                    g_strdup(caller->path));
        else if (n == 6 && g_str_equal(field[0], "wait"))
                wait_line(caller, field);
        else if (n == 6 && (g_str_equal(field[0], "call") || g_str_equal(field[0], "refused")))
                call_line(caller, field, field[0][0] == 'r');
        else
                die("a line that is none", line);
}

int main(void) {
        Caller caller = {
                        .saved = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
                        .ignored = g_new0(char *, 1),
        };
        g_autoptr(GError) error = NULL;
        g_autofree char *line = NULL;
        size_t size = 0;
        ssize_t n;

        caller.bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, &error);
        if (!caller.bus)
                die("no bus", error->message);
        answer("name", "ok", g_dbus_connection_get_unique_name(caller.bus));

        while ((n = getline(&line, &size, stdin)) > 0) {
                if (line[n - 1] == '\n')
                        line[n - 1] = '\0';
                line = fill_in(&caller, line);
                size = strlen(line) + 1;
                take_line(&caller, line);
        }

        expect_no_change(&caller);
        caller_done(&caller);
        return 0;
}
