/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Compatibility information: bytes that only the services understand, from one to a file to another. */

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <unistd.h>

#include "client/blob.h"
#include "client/message.h"
#include "shared/enums.h"

/* dbus-api, section 2 */
#define BLOB_MAX (1024 * 1024)

/* ---- the service ---- */

GBytes* vsm_blob_get(VsmClient *client, const char *vm, GError **error) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autofree char *system = NULL;
        const void *data;
        size_t size;
        int r;

        system = vm ? vsm_client_find_system(client, vm, error) : g_strdup(VSM_OBJECT_PATH);
        if (!system)
                return NULL;

        reply = vsm_client_call_method(client, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE,
                                       "GetSystemCompatibilityInfo", error, "o", system);
        if (!reply)
                return NULL;

        r = sd_bus_message_read(reply, "u", NULL);
        if (r >= 0)
                r = sd_bus_message_read_array(reply, 'y', &data, &size);
        if (r < 0) {
                vsm_error_set_errno(error, r, _("The service's answer cannot be read"));
                return NULL;
        }

        return g_bytes_new(data, size);
}

bool vsm_blob_check(
                VsmClient *client,
                GBytes *blob,
                bool *ret_compatible,
                JsonArray **ret_reasons,
                GError **error) {

        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        g_autoptr(JsonArray) reasons = NULL;
        uint32_t value;
        int r;

        call = vsm_client_new_call(client, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE,
                                   "CheckSystemCompatibilityInfo", error);
        if (!call)
                return false;

        r = sd_bus_message_append_array(call, 'y', g_bytes_get_data(blob, NULL), g_bytes_get_size(blob));
        if (r < 0)
                return vsm_error_set_errno(error, r, _("The request cannot be written"));

        reply = vsm_client_call(client, call, error);
        if (!reply)
                return false;

        r = sd_bus_message_read(reply, "u", &value);
        if (r >= 0 && value != VSM_RETURN_COMPLETED && value != VSM_RETURN_NOT_COMPATIBLE)
                r = -EBADMSG;
        if (r < 0)
                return vsm_error_set_errno(error, r, _("The service's answer cannot be read"));

        reasons = vsm_message_read_array(reply, error);
        if (!reasons)
                return false;

        *ret_compatible = value == VSM_RETURN_COMPLETED;
        *ret_reasons = g_steal_pointer(&reasons);
        return true;
}

/* ---- files ---- */

static bool is_stdio(const char *file) {
        return g_str_equal(file, "-");
}

static void set_read_error(GError **error, const char *file, int number) {
        g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_OTHER, _("Cannot read %s: %s"), file,
                    g_strerror(number));
}

static GBytes* read_all(int fd, const char *file, GError **error) {
        g_autofree char *data = g_malloc(BLOB_MAX + 1);
        size_t size = 0;
        ssize_t n;

        do {
                n = read(fd, data + size, BLOB_MAX + 1 - size);
                if (n > 0)
                        size += n;
        } while ((n > 0 && size <= BLOB_MAX) || (n < 0 && errno == EINTR));

        if (n < 0) {
                set_read_error(error, file, errno);
                return NULL;
        }

        if (size > BLOB_MAX || size == 0) {
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_OTHER,
                            size == 0 ? _("%s is empty") :
                                        _("%s is too large to be compatibility information"),
                            file);
                return NULL;
        }

        return g_bytes_new(data, size);
}

GBytes* vsm_blob_read(const char *file, GError **error) {
        GBytes *blob;
        int fd;

        if (is_stdio(file)) {
                if (!isatty(STDIN_FILENO))
                        return read_all(STDIN_FILENO, file, error);

                g_set_error_literal(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                                    _("Compatibility information is binary and does not come from a "
                                      "terminal"));
                return NULL;
        }

        fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0) {
                set_read_error(error, file, errno);
                return NULL;
        }

        blob = read_all(fd, file, error);
        (void) close(fd);
        return blob;
}

static int write_all(int fd, GBytes *blob) {
        const char *data = g_bytes_get_data(blob, NULL);
        size_t left = g_bytes_get_size(blob);

        while (left > 0) {
                ssize_t n = write(fd, data, left);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno;

                data += n;
                left -= n;
        }

        return 0;
}

bool vsm_blob_write(GBytes *blob, const char *file, GError **error) {
        int fd, r;

        if (is_stdio(file) && isatty(STDOUT_FILENO)) {
                g_set_error_literal(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                                    _("Compatibility information is binary and does not go to a terminal. "
                                      "Give it a file with -o, or a pipe"));
                return false;
        }

        /* not by a new file that is put in its place: it may be a pipe or a device */
        fd = is_stdio(file) ? STDOUT_FILENO :
                              open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
        r = fd < 0 ? errno : write_all(fd, blob);
        if (fd >= 0 && !is_stdio(file) && close(fd) < 0 && r == 0)
                r = errno;
        if (r == 0)
                return true;

        g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_OTHER, _("Cannot write %s: %s"), file,
                    g_strerror(r));
        return false;
}
