/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt's errors in our words. libvirt keeps the last error per thread, and clears it with almost
 * every call: so it is converted where it happened.
 * Any thread. */

#include "daemon/virt/internal.h"
#include "shared/error.h"

#define TEXT_MAX 500

VsmError vsm_virt_error_code(int code, int domain) {
        switch (code) {
        case VIR_ERR_NO_CONNECT:
        case VIR_ERR_INVALID_CONN:
        case VIR_ERR_RPC:
        case VIR_ERR_GNUTLS_ERROR:
        case VIR_ERR_AUTH_FAILED:
        case VIR_ERR_AUTH_CANCELLED:
        case VIR_ERR_AUTH_UNAVAILABLE:
        case VIR_ERR_LIBSSH:
        case VIR_ERR_SSH:
                return VSM_ERROR_SYSTEM_NOT_AVAILABLE;

        case VIR_ERR_NO_DOMAIN:
        case VIR_ERR_OPERATION_INVALID:
        case VIR_ERR_NO_NETWORK:
        case VIR_ERR_NO_STORAGE_POOL:
        case VIR_ERR_NO_STORAGE_VOL:
                return VSM_ERROR_INVALID_STATE;

        /* "cannot acquire state change lock" is one of these: libvirt waits 30 s for it */
        case VIR_ERR_OPERATION_TIMEOUT:
                return VSM_ERROR_TIMEOUT;

        case VIR_ERR_RESOURCE_BUSY:
                return VSM_ERROR_SYSTEM_IN_USE;

        case VIR_ERR_OPERATION_ABORTED:
                return VSM_ERROR_CANCELLED;

        case VIR_ERR_NO_SUPPORT:
        case VIR_ERR_OPERATION_UNSUPPORTED:
        case VIR_ERR_ARGUMENT_UNSUPPORTED:
                return VSM_ERROR_NOT_SUPPORTED;

        case VIR_ERR_INVALID_ARG:
        case VIR_ERR_OVERFLOW:
                return VSM_ERROR_INVALID_PARAMETER;

        case VIR_ERR_CONFIG_UNSUPPORTED:
        case VIR_ERR_CPU_INCOMPATIBLE:
        case VIR_ERR_MIGRATE_UNSAFE:
                return VSM_ERROR_INCOMPATIBLE_PARAMETERS;

        default:
                break;
        }

        /* A libvirtd that died is VIR_ERR_SYSTEM_ERROR ("Connection reset by peer") or
         * VIR_ERR_INTERNAL_ERROR ("client socket is closed"): only the layer tells what it was. */
        if (domain == VIR_FROM_RPC || domain == VIR_FROM_REMOTE)
                return VSM_ERROR_SYSTEM_NOT_AVAILABLE;

        return VSM_ERROR_FAILED;
}

char* vsm_virt_text(const char *text) {
        g_autofree char *valid = NULL;
        size_t end;

        if (!text || !*text)
                return g_strdup("unknown error");

        /* Invalid bytes become three each, so there is a second cut below. */
        valid = g_utf8_make_valid(text, (gssize) strnlen(text, TEXT_MAX));

        /* QEMU's own stderr comes with line ends; a message is one line. */
        for (char *p = valid; *p; p++)
                if (g_ascii_iscntrl(*p))
                        *p = ' ';

        g_strchomp(valid);

        end = strlen(valid);
        if (end > TEXT_MAX)
                end = (size_t) (g_utf8_find_prev_char(valid, valid + TEXT_MAX + 1) - valid);

        return g_strndup(valid, end);
}

static void G_GNUC_PRINTF(4, 0) set_error(
                GError **error,
                VsmError code,
                const virError *last,
                const char *format,
                va_list ap) {

        g_autofree char *what = NULL, *text = NULL;

        if (!error)
                return;

        what = g_strdup_vprintf(format, ap);
        text = vsm_virt_text(last ? last->message : NULL);
        g_set_error(error, VSM_ERROR, (int) code, "%s: %s", what, text);
}

void vsm_virt_error(GError **error, const char *format, ...) {
        const virError *last = virGetLastError();
        va_list ap;

        va_start(ap, format);
        set_error(error,
                  last ? vsm_virt_error_code(last->code, last->domain) : VSM_ERROR_FAILED,
                  last, format, ap);
        va_end(ap);
}

void vsm_virt_error_as(GError **error, VsmError code, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        set_error(error, code, virGetLastError(), format, ap);
        va_end(ap);
}
