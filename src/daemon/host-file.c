/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The keys of a Host, and hosts.d. A file that is not understood to its last line names no host: half
 * of its settings could mean a connection without the proof that the other half asks for. Bus thread
 * for the files, at start and on SIGHUP; the rest is pure.
 *
 * Forms of a value in a file: true or false; digits; Addresses: separated by ";", "," or spaces;
 * MemoryLimit: bytes, or with K, M, G or T, 1024 of each. */

#include <stddef.h>
#include <string.h>

#include "daemon/host-file.h"
#include "daemon/key.h"
#include "daemon/request.h"
#include "daemon/subnet.h"
#include "shared/enums.h"
#include "shared/error.h"

#define PRIORITY_DEFAULT 100
#define ADDRESSES_MAX 64
#define FILE_MAX (64 * 1024)    /* bytes; as for a message */

static bool number_is_authentication(uint64_t value) {
        return value == VSM_AUTHENTICATION_KERBEROS ||
                (value >= VSM_AUTHENTICATION_X509 && value <= VSM_AUTHENTICATION_NONE);
}

/* One grammar for all that becomes part of a URI. */
static char* text_host(const char *text, GError **error) {
        return vsm_host_parse(text, NULL, error);
}

static char* text_address(const char *text, GError **error) {
        g_autofree char *host = NULL;
        bool is_address = false;

        host = vsm_host_parse(text, &is_address, error);
        return host && is_address ? g_steal_pointer(&host) : NULL;
}

#define KEY(key, bus, ...) { .name = key, .type = bus, __VA_ARGS__ }
#define LAND(where, member) .landing = VSM_LAND_##where, .offset = offsetof(VsmHostData, member)

static const VsmKey keys[] = {
        KEY("Name", "s", .want = "a host name or an IPv4 or IPv6 address", .text = text_host,
            .required = true, LAND(STRING, name)),
        KEY("Addresses", "as", .want = "a list of at most 64 IPv4 or IPv6 addresses", .text = text_address,
            .elements_max = ADDRESSES_MAX, LAND(STRV, addresses)),
        KEY("AuthenticationType", "u", .want = "32768 (X.509), 32769 (SSH) or 32770 (none)",
            .number = number_is_authentication, LAND(UINT32, authentication)),
        KEY("Port",            "q", LAND(UINT16, port)),
        KEY("VerifiesClients", "b", LAND(BOOL, verifies_clients)),
        KEY("Enabled",         "b", LAND(BOOL, enabled)),
        KEY("Priority",        "q", .zero_counts = true, LAND(UINT16, priority)),
        KEY("MemoryLimit",     "t", .zero_counts = true, LAND(UINT64, memory_limit)),
        {}
};

void vsm_host_data_free(VsmHostData *data) {
        if (!data)
                return;

        g_free(data->name);
        g_strfreev(data->addresses);
        g_free(data);
}

static VsmHostData* data_read(const char *where, GVariant *dict, GError **error) {
        g_autoptr(VsmHostData) data = g_new0(VsmHostData, 1);
        g_autoptr(GVariant) canonical = NULL;

        data->addresses = g_new0(char *, 1);
        data->enabled = true;
        data->priority = PRIORITY_DEFAULT;

        canonical = vsm_keys_read(keys, where, dict, data, error);
        if (!canonical)
                return NULL;

        if (data->authentication == VSM_AUTHENTICATION_KERBEROS) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_NOT_SUPPORTED,
                            "%s: AuthenticationType 1 (Kerberos) is not supported here; there are 32768 "
                            "(X.509), 32769 (SSH) and 32770 (none).", where);
                return NULL;
        }

        return g_steal_pointer(&data);
}

VsmHostData* vsm_host_data_read(GVariant *dict, GError **error) {
        return data_read("Host", dict, error);
}

char* vsm_host_data_to_text(const VsmHostData *data) {
        g_autoptr(GVariant) value = NULL;
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "Name", "s", data->name);
        g_variant_dict_insert(&dict, "Addresses", "^as", data->addresses);
        g_variant_dict_insert(&dict, "AuthenticationType", "u", data->authentication);
        g_variant_dict_insert(&dict, "Port", "q", data->port);
        g_variant_dict_insert(&dict, "VerifiesClients", "b", data->verifies_clients);
        g_variant_dict_insert(&dict, "Enabled", "b", data->enabled);
        g_variant_dict_insert(&dict, "Priority", "q", data->priority);
        g_variant_dict_insert(&dict, "MemoryLimit", "t", data->memory_limit);
        value = g_variant_ref_sink(g_variant_dict_end(&dict));
        return g_variant_print(value, TRUE);
}

VsmHostData* vsm_host_data_from_text(const char *text, GError **error) {
        g_autoptr(GVariant) value = NULL;

        value = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, error);
        return value ? data_read("Host", value, error) : NULL;
}

bool vsm_host_data_matches(const VsmHostData *data, const char *text) {
        VsmInet wanted, inet;

        if (g_str_equal(data->name, text))
                return true;
        if (!vsm_inet_parse(text, &wanted))
                return false;

        for (char **p = data->addresses; *p; p++)
                if (vsm_inet_parse(*p, &inet) && vsm_inet_equal(&inet, &wanted))
                        return true;

        return false;
}

bool vsm_host_data_clashes(const VsmHostData *a, const VsmHostData *b) {
        if (vsm_host_data_matches(a, b->name))
                return true;

        for (char **p = b->addresses; *p; p++)
                if (vsm_host_data_matches(a, *p))
                        return true;

        return false;
}

/* ---- files ---- */

typedef struct Reader {
        GPtrArray *faults;
        const char *file;
        unsigned line;                  /* 0 = of the whole file */
        bool head;                      /* [Host] was seen */
        bool bad;                       /* no host comes of it */
        GVariantDict dict;
} Reader;

static void G_GNUC_PRINTF(2, 3) complain(Reader *reader, const char *format, ...) {
        g_autofree char *what = NULL;
        va_list ap;

        va_start(ap, format);
        what = g_strdup_vprintf(format, ap);
        va_end(ap);

        reader->bad = true;
        g_ptr_array_add(reader->faults,
                        reader->line > 0 ?
                        g_strdup_printf("%s:%u: %s The host is left out.", reader->file, reader->line, what) :
                        g_strdup_printf("%s: %s The host is left out.", reader->file, what));
}

static bool parse_number(const char *text, bool units, uint64_t *ret) {
        static const char letters[] = "KMGT";
        size_t digits = strspn(text, "0123456789");
        g_autofree char *number = g_strndup(text, digits);
        const char *rest = text + digits, *letter = NULL;
        uint64_t value = 0;

        if (!g_ascii_string_to_unsigned(number, 10, 0, UINT64_MAX, &value, NULL))
                return false;

        if (*rest == '\0') {
                *ret = value;
                return true;
        }

        letter = units && rest[1] == '\0' ? strchr(letters, rest[0]) : NULL;
        return letter && !__builtin_mul_overflow(value, UINT64_C(1) << (10 * (letter - letters + 1)), ret);
}

static GVariant* strings_from_text(const char *text) {
        g_auto(GStrv) parts = g_strsplit_set(text, ";, \t", -1);
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
        g_auto(GStrv) words = NULL;

        for (char **p = parts; *p; p++)
                if (**p)
                        g_strv_builder_add(builder, *p);

        words = g_strv_builder_end(builder);
        return g_variant_new_strv((const char *const *) words, -1);
}

/* As it would come over the bus, floating; NULL when the text has not the key's form. */
static GVariant* value_from_text(const VsmKey *key, const char *text) {
        uint64_t value = 0;

        switch (key->type[0]) {
        case 'b':
                if (!g_str_equal(text, "true") && !g_str_equal(text, "false"))
                        return NULL;
                return g_variant_new_boolean(g_str_equal(text, "true"));
        case 's':
                return text[0] ? g_variant_new_string(text) : NULL;
        case 'a':
                return strings_from_text(text);
        default:
                if (!parse_number(text, g_str_equal(key->name, "MemoryLimit"), &value))
                        return NULL;
                /* Null is for callers; who writes CredSSP's number into a file means it */
                if (value == 0 && g_str_equal(key->name, "AuthenticationType"))
                        return NULL;
                return g_variant_new_uint64(value);
        }
}

static void read_key(Reader *reader, const char *name, const char *text) {
        g_autoptr(GVariant) value = NULL;
        g_autoptr(GError) error = NULL;
        const VsmKey *key = vsm_key_find(keys, "[Host]", name, &error);

        if (!key) {
                complain(reader, "%s", error->message);
                return;
        }

        value = value_from_text(key, text);
        if (!value) {
                g_autofree char *quoted = vsm_text_quote(text);

                complain(reader, "%s: \"%s\" is not %s.", name, quoted,
                         key->want ?: key->type[0] == 'b' ? "true or false" : "a number in digits");
                return;
        }

        g_variant_ref_sink(value);
        if (g_variant_dict_contains(&reader->dict, name))
                complain(reader, "%s stands in the file twice.", name);
        else if (!vsm_key_read(key, "[Host]", value, NULL, NULL, &error))
                complain(reader, "%s", error->message);
        else
                g_variant_dict_insert_value(&reader->dict, name, value);
}

/* Each line is a key file of its own, so that GKeyFile is the judge of its form and its number is known. */
static void read_line(Reader *reader, const char *line) {
        g_autoptr(GKeyFile) file = g_key_file_new();
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL, *value = NULL;
        g_auto(GStrv) names = NULL;

        if (line[0] == '[') {
                if (!g_str_equal(line, "[Host]"))
                        complain(reader, "There is only the group [Host].");
                else if (reader->head)
                        complain(reader, "[Host] stands in the file twice; a file describes one host.");
                reader->head = true;
                return;
        }

        text = g_strconcat("[Host]\n", line, NULL);
        if (!g_key_file_load_from_data(file, text, (gsize) -1, G_KEY_FILE_NONE, &error)) {
                complain(reader, "The line is neither a group, nor Key=Value, nor a comment.");
                return;
        }

        names = g_key_file_get_keys(file, "Host", NULL, NULL);
        if (!names || !names[0])
                return;

        if (!reader->head) {
                complain(reader, "A key stands before the group [Host].");
                return;
        }

        value = g_key_file_get_string(file, "Host", names[0], &error);
        if (!value)
                complain(reader, "%s", error->message);
        else
                read_key(reader, names[0], g_strstrip(value));
}

static VsmHostData* read_file(const char *path, GPtrArray *faults) {
        Reader reader = { .faults = faults, .file = path };
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) dict = NULL;
        g_autofree char *contents = NULL;
        g_auto(GStrv) lines = NULL;
        VsmHostData *data = NULL;
        size_t length = 0;

        g_variant_dict_init(&reader.dict, NULL);
        if (!g_file_get_contents(path, &contents, &length, &error))
                complain(&reader, "The file cannot be read: %s.", error->message);
        else if (length > FILE_MAX || strlen(contents) != length || !g_utf8_validate(contents, -1, NULL))
                complain(&reader, "The file is no text of at most %i bytes.", FILE_MAX);

        lines = g_strsplit(reader.bad ? "" : contents, "\n", -1);
        for (unsigned i = 0; lines[i]; i++) {
                reader.line = i + 1;
                read_line(&reader, g_strchomp(lines[i]));
        }

        reader.line = 0;
        dict = g_variant_ref_sink(g_variant_dict_end(&reader.dict));
        if (!reader.bad) {
                data = data_read("[Host]", dict, &error);
                if (!data)
                        complain(&reader, "%s", error->message);
        }

        return data;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Names of its *.conf; NULL, with a fault or without, when there is none to be read. */
static GPtrArray* list_directory(const char *directory, GPtrArray *faults) {
        GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GError) error = NULL;
        g_autoptr(GDir) dir = NULL;
        const char *name;

        dir = g_dir_open(directory, 0, &error);
        if (!dir && !g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
                g_ptr_array_add(faults, g_strdup_printf("%s: The directory cannot be read: %s", directory,
                                                        error->message));

        while (dir && (name = g_dir_read_name(dir)))
                if (name[0] != '.' && g_str_has_suffix(name, ".conf"))
                        g_ptr_array_add(names, g_strdup(name));

        g_ptr_array_sort(names, compare_names);
        return names;
}

static const VsmHostData* find_clash(const GPtrArray *hosts, const VsmHostData *data) {
        for (guint i = 0; i < hosts->len; i++)
                if (vsm_host_data_clashes(hosts->pdata[i], data))
                        return hosts->pdata[i];

        return NULL;
}

GPtrArray* vsm_hosts_read(const char *directory, char ***ret_faults) {
        GPtrArray *hosts = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_host_data_free);
        g_autoptr(GPtrArray) faults = g_ptr_array_new(), names = list_directory(directory, faults);

        for (guint i = 0; i < names->len; i++) {
                g_autofree char *path = g_build_filename(directory, names->pdata[i], NULL);
                g_autoptr(VsmHostData) data = read_file(path, faults);
                const VsmHostData *other = data ? find_clash(hosts, data) : NULL;
                Reader reader = { .faults = faults, .file = path };

                if (other)
                        complain(&reader, "Its Name or one of its Addresses is also of host '%s'.", other->name);
                else if (data && hosts->len >= VSM_HOSTS_MAX)
                        complain(&reader, "There are %i hosts already.", VSM_HOSTS_MAX);
                else if (data)
                        g_ptr_array_add(hosts, g_steal_pointer(&data));
        }

        g_ptr_array_add(faults, NULL);
        *ret_faults = (char **) g_ptr_array_free(g_steal_pointer(&faults), FALSE);
        return hosts;
}
