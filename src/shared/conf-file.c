/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdbool.h>
#include <string.h>

#include "shared/conf-file.h"
#include "shared/quote.h"

typedef struct Reader {
        VsmConfFunc func;
        void *userdata;
        GPtrArray *complaints;
        const char *file;
        unsigned line;                  /* 0 = the file as a whole */
        char *group;                    /* NULL before the first */
} Reader;

/* Takes what. */
static void complain(Reader *reader, char *what) {
        g_autofree char *owned = what;

        if (reader->line > 0)
                g_ptr_array_add(reader->complaints,
                                g_strdup_printf("%s:%u: %s", reader->file, reader->line, owned));
        else
                g_ptr_array_add(reader->complaints, g_strdup_printf("%s: %s", reader->file, owned));
}

static void tell(Reader *reader, const char *key, const char *value) {
        const VsmConfLine line = { reader->group, key, value };
        char *wrong = reader->func(&line, reader->userdata);

        if (wrong)
                complain(reader, wrong);
}

/* Each line is a key file of its own, under its group's head: GKeyFile stays the judge of the form. */
static void read_line(Reader *reader, const char *line) {
        g_autoptr(GKeyFile) file = g_key_file_new();
        g_autofree char *text = NULL, *value = NULL;
        g_auto(GStrv) names = NULL;
        bool head = line[0] == '[';

        text = head ? g_strdup(line) : g_strconcat("[Group]\n", line, NULL);

        if (!g_key_file_load_from_data(file, text, -1, G_KEY_FILE_NONE, NULL)) {
                complain(reader, g_strdup("This is neither a [Group] nor a Key=value. The line is ignored."));
                return;
        }

        if (head) {
                g_free(reader->group);
                reader->group = g_key_file_get_start_group(file);
                tell(reader, NULL, NULL);
                return;
        }

        /* blank or a comment */
        names = g_key_file_get_keys(file, "Group", NULL, NULL);
        if (!names || !names[0])
                return;

        if (!reader->group) {
                complain(reader, g_strdup("A key stands before the first [Group]. The line is ignored."));
                return;
        }

        value = g_key_file_get_string(file, "Group", names[0], NULL);
        if (!value) {
                g_autofree char *quoted = vsm_text_quote(names[0]);

                /* GLib's own words have the value in them, whatever is in that */
                complain(reader, g_strdup_printf("The value of \"%s\" is not UTF-8, or has an unknown escape "
                                                 "sequence. The line is ignored.", quoted));
                return;
        }

        tell(reader, names[0], g_strstrip(value));
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
                        complain(&reader, g_strdup_printf("The file cannot be read: %s", error->message));
                return;
        }

        /* what stands behind one would be lost without a word */
        if (strlen(contents) != length)
                complain(&reader, g_strdup("A NUL byte is in the file; nothing behind it is read."));

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
                        complain(&reader, g_strdup_printf("The directory cannot be read: %s", error->message));
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

char** vsm_conf_read(const char *file, const char *directory, VsmConfFunc func, void *userdata) {
        g_autoptr(GPtrArray) complaints = g_ptr_array_new();
        const Reader reader = { .func = func, .userdata = userdata, .complaints = complaints };

        read_file(&reader, file);
        read_directory(&reader, directory);

        g_ptr_array_add(complaints, NULL);
        return (char **) g_ptr_array_free(g_steal_pointer(&complaints), FALSE);
}
