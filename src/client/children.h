/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The child jobs of an evacuation that is followed: which they are, and what each of them does. One thread
 * only. */

#include "client/mirror.h"
#include "client/progress.h"

typedef struct VsmChildren VsmChildren;

/* A remark, with its newline. */
typedef void (*VsmChildrenSay)(const char *text, void *userdata);

/* style: LINES tells the steps of each and its end, BAR its end, NONE nothing. fd: where the steps go. parent: its
 * path. */
VsmChildren* vsm_children_new(
                VsmClient *client,
                VsmMirror *mirror,
                const char *parent,
                int fd,
                VsmProgressStyle style,
                VsmChildrenSay say,
                void *userdata);
void vsm_children_free(VsmChildren *children);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmChildren, vsm_children_free)

/* Asks the service which they are now. */
void vsm_children_refresh(VsmChildren *children);

/* Looks at one of them, or at all for NULL; other jobs are none of its business. */
void vsm_children_update(VsmChildren *children, const char *path);

/* At the end of the parent: waits for the service to say which they were, so that the end of none is missed. */
void vsm_children_finish(VsmChildren *children);

/* "web 41%", ...: those that run, in the order of their start. */
char* vsm_children_format_running(VsmChildren *children);
