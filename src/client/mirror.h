/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The service's objects as they are at the moment, kept up to date by its signals, restarts included. */

#include <json-glib/json-glib.h>

#include "client/common.h"

typedef struct VsmMirror VsmMirror;

typedef enum {
        VSM_MIRROR_LOADED,              /* all objects are there; also after each return of the service */
        VSM_MIRROR_ADDED,               /* path */
        VSM_MIRROR_REMOVED,             /* path; its properties can still be read in the handler */
        VSM_MIRROR_CHANGED,             /* path, interface, the properties that changed; null: ask for it */
        VSM_MIRROR_SERVICE_GONE,        /* it left the bus: the objects are the last ones seen */
        VSM_MIRROR_SERVICE_BACK,        /* it is there again: LOADED will follow */
        VSM_MIRROR_LOST,                /* no connection to the bus any more, or the objects cannot be had */
} VsmMirrorEvent;

/* Called from the event loop, in the order in which things happened. */
typedef void (*VsmMirrorHandler)(
                VsmMirror *mirror,
                VsmMirrorEvent event,
                const char *path,
                const char *interface,
                JsonObject *properties,
                void *userdata);

/* Subscribes before it returns, so that nothing after that is missed; the objects come with LOADED, from the
 * event loop. The client's bus has to be attached to one by the caller. */
VsmMirror* vsm_mirror_new(VsmClient *client, VsmMirrorHandler handler, void *userdata, GError **error);
void vsm_mirror_free(VsmMirror *mirror);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmMirror, vsm_mirror_free)

/* Borrowed, NULL when there is no such object. */
JsonObject* vsm_mirror_get(VsmMirror *mirror, const char *path, const char *interface);

/* The same with all its interfaces. */
JsonObject* vsm_mirror_get_all(VsmMirror *mirror, const char *path);
