/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The configuration files that give the settings their defaults. Bus thread, at start and on SIGHUP.
 *
 * Forms of a value in a file, by the type that the setting has on the bus:
 *   boolean            true or false
 *   integer            digits
 *   StallTimeout       microseconds, as on the bus, or with s, min or h: 120000000, 120s, 2min
 *   MaximumBandwidth   bytes per second, or with K, M or G: 1024, 1024^2 or 1024^3 of them: 100M
 *   DefaultPostCopy    never, auto or now
 *   Directories        absolute paths with ; between them, of group [Storage] */

#include <string.h>

#include "daemon/settings-file.h"
#include "daemon/settings-keys.h"

#define SECOND UINT64_C(1000000)

/* Another part's group: its keys are known here so that they are not reported, and not read. */
static const struct {
        const char *group;
        const char *keys[8];
} elsewhere[] = {
        { "Evacuation", { "PowerOff", "Reboot", "Halt", "KExec", "Fallback", "BringBack", NULL } },
};

typedef struct Unit {
        const char *suffix;
        uint64_t factor;
} Unit;

static const Unit units_time[] = {
        { "", 1 }, { "s", SECOND }, { "min", 60 * SECOND }, { "h", 3600 * SECOND }, {}
};
static const Unit units_bandwidth[] = {
        { "", 1 }, { "K", UINT64_C(1) << 10 }, { "M", UINT64_C(1) << 20 }, { "G", UINT64_C(1) << 30 }, {}
};
static const Unit units_none[] = { { "", 1 }, {} };

static bool parse_number(const char *text, const Unit *units, uint64_t *ret) {
        size_t digits = strspn(text, "0123456789");
        g_autofree char *number = g_strndup(text, digits);
        uint64_t value = 0;

        if (!g_ascii_string_to_unsigned(number, 10, 0, UINT64_MAX, &value, NULL))
                return false;

        for (const Unit *unit = units; unit->suffix; unit++)
                if (g_str_equal(text + digits, unit->suffix))
                        return !__builtin_mul_overflow(value, unit->factor, ret);

        return false;
}

/* As it would come over the bus, floating; NULL when the text has not the key's form. */
static GVariant* value_from_text(const VsmKey *key, const char *text) {
        const Unit *units = units_none;
        uint64_t value = 0;

        switch (key->type[0]) {
        case 'b':
                if (!g_str_equal(text, "true") && !g_str_equal(text, "false"))
                        return NULL;
                return g_variant_new_boolean(g_str_equal(text, "true"));
        case 's':
                return text[0] ? g_variant_new_string(text) : NULL;
        default:
                break;
        }

        if (g_str_equal(key->name, "StallTimeout"))
                units = units_time;
        else if (g_str_equal(key->name, "MaximumBandwidth"))
                units = units_bandwidth;

        if (!parse_number(text, units, &value))
                return NULL;

        /* Null is for callers; who writes a 0 into a file means it */
        if (value == 0 && !key->zero_counts)
                return NULL;

        return g_variant_new_uint64(value);
}

typedef struct Reader {
        VsmSettingsData *settings;
        char ***directories;
        GPtrArray *complaints;
        const char *file;
        unsigned line;
        char *group;                    /* NULL before the first */
} Reader;

static void G_GNUC_PRINTF(2, 3) complain(Reader *reader, const char *format, ...) {
        g_autofree char *what = NULL;
        va_list ap;

        va_start(ap, format);
        what = g_strdup_vprintf(format, ap);
        va_end(ap);

        if (reader->line > 0)
                g_ptr_array_add(reader->complaints,
                                g_strdup_printf("%s:%u: %s", reader->file, reader->line, what));
        else
                g_ptr_array_add(reader->complaints, g_strdup_printf("%s: %s", reader->file, what));
}

static void read_service_key(Reader *reader, const char *name, const char *text) {
        g_autoptr(GVariant) value = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *quoted = NULL;
        const VsmKey *key = NULL;

        key = vsm_key_find(vsm_keys_settings, "[Service]", name, &error);
        if (!key) {
                complain(reader, "%s The line is ignored.", error->message);
                return;
        }

        value = value_from_text(key, text);
        if (!value) {
                quoted = vsm_text_quote(text);
                complain(reader, "%s: \"%s\" is not %s. The line is ignored.", name, quoted,
                         key->want ?: key->type[0] == 'b' ? "true or false" : "a number in digits");
                return;
        }

        g_variant_ref_sink(value);
        if (!vsm_settings_apply(reader->settings, name, value, &error))
                complain(reader, "%s The line is ignored.", error->message);
}

/* As it stands there is what paths are held against, so it has to be canonical. */
static bool is_directory_path(const char *text) {
        g_auto(GStrv) parts = NULL;

        if (text[0] != '/' || text[1] == '\0')
                return false;

        parts = g_strsplit(text + 1, "/", -1);
        for (char **part = parts; *part; part++)
                if (**part == '\0' || g_str_equal(*part, ".") || g_str_equal(*part, ".."))
                        return false;

        for (const char *p = text; *p; p++)
                if (g_ascii_iscntrl(*p))
                        return false;

        return true;
}

static void read_directories(Reader *reader, const char *text) {
        g_auto(GStrv) parts = g_strsplit(text, ";", -1);
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

        for (char **part = parts; *part; part++) {
                g_autofree char *quoted = NULL;

                if (*g_strstrip(*part) == '\0')
                        continue;
                if (is_directory_path(*part)) {
                        g_strv_builder_add(builder, *part);
                        continue;
                }

                quoted = vsm_text_quote(*part);
                complain(reader, "Directories: \"%s\" is not an absolute path without \"..\", \".\", \"//\" and "
                         "\"/\" at its end. The line is ignored.", quoted);
                return;
        }

        g_strfreev(*reader->directories);
        *reader->directories = g_strv_builder_end(builder);
}

static void read_storage_key(Reader *reader, const char *name, const char *text) {
        g_autofree char *quoted = vsm_text_quote(name);

        if (g_str_equal(name, "Directories"))
                read_directories(reader, text);
        else
                complain(reader, "[Storage]: \"%s\" is unknown. The line is ignored.", quoted);
}

static void read_key(Reader *reader, const char *name, const char *text) {
        g_autofree char *quoted = vsm_text_quote(name);

        if (g_str_equal(reader->group, "Service")) {
                read_service_key(reader, name, text);
                return;
        }

        if (g_str_equal(reader->group, "Storage")) {
                read_storage_key(reader, name, text);
                return;
        }

        for (size_t i = 0; i < G_N_ELEMENTS(elsewhere); i++)
                if (g_str_equal(elsewhere[i].group, reader->group)) {
                        if (!g_strv_contains(elsewhere[i].keys, name))
                                complain(reader, "[%s]: \"%s\" is unknown. The line is ignored.",
                                         reader->group, quoted);
                        return;
                }

        /* of an unknown group; that was said at its head */
}

static void read_group(Reader *reader, const char *name) {
        g_autofree char *quoted = vsm_text_quote(name);

        g_free(reader->group);
        reader->group = g_strdup(name);

        if (g_str_equal(name, "Service") || g_str_equal(name, "Storage"))
                return;

        for (size_t i = 0; i < G_N_ELEMENTS(elsewhere); i++)
                if (g_str_equal(elsewhere[i].group, name))
                        return;

        complain(reader, "The group [%s] is unknown; there are [Service], [Storage] and [Evacuation]. "
                 "It is ignored.", quoted);
}

/* Each line is a key file of its own, under its group's head: GKeyFile stays the judge of the form, a
 * bad line costs nothing but itself, and its number is known. */
static void read_line(Reader *reader, const char *line) {
        g_autoptr(GKeyFile) file = g_key_file_new();
        g_autofree char *text = NULL, *value = NULL, *group = NULL;
        g_auto(GStrv) names = NULL;
        bool head = line[0] == '[';

        text = head ? g_strdup(line) : g_strconcat("[Group]\n", line, NULL);

        if (!g_key_file_load_from_data(file, text, -1, G_KEY_FILE_NONE, NULL)) {
                complain(reader, "This is neither a [Group] nor a Key=value. The line is ignored.");
                return;
        }

        if (head) {
                group = g_key_file_get_start_group(file);
                read_group(reader, group);
                return;
        }

        /* blank or a comment */
        names = g_key_file_get_keys(file, "Group", NULL, NULL);
        if (!names || !names[0])
                return;

        if (!reader->group) {
                complain(reader, "A key stands before the first [Group]. The line is ignored.");
                return;
        }

        value = g_key_file_get_string(file, "Group", names[0], NULL);
        if (!value) {
                g_autofree char *quoted = vsm_text_quote(names[0]);

                /* GLib's own words have the value in them, whatever is in that */
                complain(reader, "The value of \"%s\" is not UTF-8, or has an unknown escape sequence. "
                         "The line is ignored.", quoted);
                return;
        }

        read_key(reader, names[0], g_strstrip(value));
}

static void read_file(const Reader *to, const char *path) {
        Reader reader = *to;
        g_autoptr(GError) error = NULL;
        g_autofree char *contents = NULL;
        g_auto(GStrv) lines = NULL;
        size_t length = 0;

        reader.file = path;
        if (!g_file_get_contents(path, &contents, &length, &error)) {
                if (!g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
                        complain(&reader, "The file cannot be read: %s", error->message);
                return;
        }

        /* what stands behind one would be lost without a word */
        if (strlen(contents) != length)
                complain(&reader, "A NUL byte is in the file; nothing behind it is read.");

        lines = g_strsplit(contents, "\n", -1);

        for (size_t i = 0; lines[i]; i++) {
                reader.line = i + 1;
                read_line(&reader, g_strchomp(lines[i]));
        }

        g_free(reader.group);
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void read_directory(const Reader *to, const char *directory) {
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GError) error = NULL;
        g_autoptr(GDir) dir = NULL;
        const char *name = NULL;

        dir = g_dir_open(directory, 0, &error);
        if (!dir) {
                Reader reader = { .complaints = to->complaints, .file = directory };

                if (!g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
                        complain(&reader, "The directory cannot be read: %s", error->message);
                return;
        }

        while ((name = g_dir_read_name(dir)))
                if (name[0] != '.' && g_str_has_suffix(name, ".conf"))
                        g_ptr_array_add(names, g_strdup(name));

        g_ptr_array_sort(names, compare_names);

        for (size_t i = 0; i < names->len; i++) {
                g_autofree char *path = g_build_filename(directory, names->pdata[i], NULL);

                read_file(to, path);
        }
}

char** vsm_settings_read(
                const char *file,
                const char *directory,
                VsmSettingsData *ret,
                char ***ret_directories) {

        g_autoptr(GPtrArray) complaints = g_ptr_array_new();
        const Reader reader = { .settings = ret, .directories = ret_directories, .complaints = complaints };

        vsm_settings_defaults(ret);
        *ret_directories = g_new0(char*, 1);
        read_file(&reader, file);
        read_directory(&reader, directory);

        g_ptr_array_add(complaints, NULL);
        return (char **) g_ptr_array_free(g_steal_pointer(&complaints), FALSE);
}
