/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Errors on their way from the bus to a person: what happened, what to do next, which exit status.
 * Declared in common.h. */

#include <errno.h>
#include <glib/gi18n.h>

#include "client/common.h"
#include "client/text.h"

G_DEFINE_QUARK(vsm-client-error-quark, vsm_client_error)

/* Errors of the bus itself. Ours, and those that the contract takes from D-Bus, are in the shared table. */
static const struct {
        const char *name;
        VsmClientError code;
} bus_errors[] = {
        { SD_BUS_ERROR_SERVICE_UNKNOWN,         VSM_CLIENT_ERROR_NO_SERVICE },
        { SD_BUS_ERROR_NAME_HAS_NO_OWNER,       VSM_CLIENT_ERROR_NO_SERVICE },
        { SD_BUS_ERROR_NO_REPLY,                VSM_CLIENT_ERROR_NO_ANSWER  },
        { SD_BUS_ERROR_DISCONNECTED,            VSM_CLIENT_ERROR_NO_BUS     },
        { SD_BUS_ERROR_UNKNOWN_OBJECT,          VSM_CLIENT_ERROR_NO_OBJECT  },
        { SD_BUS_ERROR_UNKNOWN_METHOD,          VSM_CLIENT_ERROR_TOO_OLD    },
        { SD_BUS_ERROR_UNKNOWN_INTERFACE,       VSM_CLIENT_ERROR_TOO_OLD    },
        { SD_BUS_ERROR_UNKNOWN_PROPERTY,        VSM_CLIENT_ERROR_TOO_OLD    },
};

static VsmClientError bus_error_code(const char *name, int r) {
        for (size_t i = 0; i < G_N_ELEMENTS(bus_errors); i++)
                if (g_str_equal(bus_errors[i].name, name))
                        return bus_errors[i].code;

        /* activation failed: by the bus itself, or by systemd in its place */
        if (g_str_has_prefix(name, "org.freedesktop.DBus.Error.Spawn.") ||
            g_str_has_prefix(name, "org.freedesktop.systemd1."))
                return VSM_CLIENT_ERROR_NO_SERVICE;

        if (r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE)
                return VSM_CLIENT_ERROR_NO_BUS;

        return VSM_CLIENT_ERROR_OTHER;
}

bool vsm_error_set_errno(GError **error, int r, const char *what) {
        g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_OTHER, "%s: %s", what, g_strerror(-r));
        return false;
}

bool vsm_error_set_bus(GError **error, const sd_bus_error *e, int r) {
        const char *name = e->name ?: "", *message = e->message && *e->message ? e->message : g_strerror(-r);
        int code = vsm_error_from_bus_name(name);

        if (code >= 0)
                g_set_error_literal(error, VSM_ERROR, code, message);
        else
                g_set_error_literal(error, VSM_CLIENT_ERROR, bus_error_code(name, r), message);

        return false;
}

static const char* advice_for_service(VsmError code) {
        switch (code) {
        case VSM_ERROR_ACCESS_DENIED:
                return _("You are not allowed to do this. Ask an administrator, or do it as root.");
        case VSM_ERROR_INTERACTION_REQUIRED:
                return _("A password is needed. Do it on a terminal and without --no-ask-password, "
                         "or as root.");
        case VSM_ERROR_SYSTEM_NOT_AVAILABLE:
                return _("The service cannot reach libvirt. Look at 'systemctl status libvirtd'; "
                         "the service goes on by itself when libvirt is back.");
        case VSM_ERROR_TIMEOUT:
                return _("Nothing was started. Try it again when the host is less busy.");
        case VSM_ERROR_SYSTEM_IN_USE:
                return _("'vsmctl jobs' shows the job that moves it, 'vsmctl cancel' would end it.");
        case VSM_ERROR_LIMITS_EXCEEDED:
                return _("Nothing was started. Try it again when other jobs have ended ('vsmctl jobs').");
        default:
                return NULL;
        }
}

static const char* advice_for_client(VsmClientError code) {
        switch (code) {
        case VSM_CLIENT_ERROR_USAGE:
                return _("'vsmctl --help' tells the verbs, 'vsmctl VERB --help' the options of one.");
        case VSM_CLIENT_ERROR_NO_SERVICE:
                return _("The migration service does not run and cannot be started. "
                         "Look at 'systemctl status vsmd'.");
        case VSM_CLIENT_ERROR_NO_ANSWER:
                return _("The service stopped before it answered. Look at 'systemctl status vsmd' and, "
                         "before you try again, at 'vsmctl jobs'.");
        case VSM_CLIENT_ERROR_NO_OBJECT:
                return _("It is not there, or not any more: finished jobs go after a few minutes. "
                         "'vsmctl list' and 'vsmctl jobs' show what there is.");
        case VSM_CLIENT_ERROR_TOO_OLD:
                return _("The service does not know this, or what it is about is gone. Look with "
                         "'vsmctl jobs' or 'vsmctl list', and at the version of the service with "
                         "'vsmctl status'.");
        default:
                return NULL;
        }
}

static int exit_status(const GError *error) {
        if (error->domain == VSM_ERROR &&
            (error->code == VSM_ERROR_ACCESS_DENIED || error->code == VSM_ERROR_INTERACTION_REQUIRED))
                return VSM_EXIT_DENIED;

        if (error->domain == VSM_CLIENT_ERROR && error->code == VSM_CLIENT_ERROR_USAGE)
                return VSM_EXIT_USAGE;

        return VSM_EXIT_FAILED;
}

int vsm_client_fail(const VsmClient *client, GError *error) {
        g_autoptr(GError) e = error;
        g_autofree char *text = vsm_text_escape(e->message);
        const char *advice = NULL;

        if (e->domain == VSM_ERROR)
                advice = advice_for_service(vsm_error_code(e));
        else if (e->domain == VSM_CLIENT_ERROR && e->code == VSM_CLIENT_ERROR_NO_BUS && client->host)
                advice = _("Try 'ssh' to that host by hand. It has to let you in, and to have systemd.");
        else if (e->domain == VSM_CLIENT_ERROR)
                advice = advice_for_client(e->code);

        g_printerr("vsmctl: %s\n", text);
        if (advice)
                g_printerr("%s\n", advice);

        return exit_status(e);
}
