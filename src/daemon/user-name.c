/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A uid for people. Any thread; may wait for the network. */

#include <glib.h>
#include <pwd.h>

#include "daemon/user-name.h"

#define BUFFER_SIZE 16384

char* vsm_user_name(uid_t uid) {
        g_autofree char *buffer = g_malloc(BUFFER_SIZE);
        struct passwd pw, *found = NULL;

        if (getpwuid_r(uid, &pw, buffer, BUFFER_SIZE, &found) == 0 && found)
                return g_utf8_make_valid(found->pw_name, -1);

        return g_strdup_printf("%u", (unsigned) uid);
}
