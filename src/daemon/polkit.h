/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

/* May the caller of this message do this? Bus thread only.
 *
 * How a handler uses it:
 *
 *      read and check all arguments            (changes nothing)
 *      r = vsm_polkit_check(polkit, message, action, details, error);
 *      if (r < 0)  return r;                   refused, error is filled in
 *      if (r == 0) return 1;                   asked: the handler will be called again
 *      look at the state, and act
 *
 * When polkit has answered, the message is rewound and queued for reading again: sd-bus looks up path,
 * object and method afresh and calls the handler from its first line. So nothing is kept across the
 * pause but the message, and an object that died meanwhile is simply not found. In the second pass
 * the same action and details must be asked for as in the first, else the caller has been asked about
 * something else, and it is refused.
 *
 * Everything that goes wrong on the way to a decision is a refusal, with one exception: uid 0 may do
 * everything when there is no polkitd, which is so late in a shutdown.
 *
 * Limits: 16 questions at a time for each uid (not 0), 64 out to polkitd at a time (dbus-daemon lets
 * one connection wait for 128 replies), 512 more waiting for their turn. A question is dropped when
 * its caller leaves the bus, and after 5 minutes. */

typedef struct VsmPolkit VsmPolkit;

VsmPolkit* vsm_polkit_new(sd_bus *bus);
void vsm_polkit_free(VsmPolkit *polkit);

/* The value of the detail "settings": the keys of a dict, or of a list of dicts, each once, in the order in
 * which the caller gave them: "A,B". g_free() it. */
char* vsm_polkit_keys(GVariant *dicts);

/* details: key, value, key, value, ..., NULL; or NULL for none. */
int vsm_polkit_check(VsmPolkit *polkit, sd_bus_message *call, const char *action, char **details,
                     sd_bus_error *error);

/* Questions that are open; for tests and STATUS. */
unsigned vsm_polkit_pending(VsmPolkit *polkit);
