/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The sentences of the reasons in the user's language. Pure. */

#include <json-glib/json-glib.h>

typedef struct VsmReasonText {
        const char *id;                 /* MessageID */
        const char *message;            /* English; %1, %2, ... are the MessageArguments */
        const char *action;             /* NULL = none */
} VsmReasonText;

/* In the order of the alphabet, ended by a NULL id. */
const VsmReasonText* vsm_reason_text_table(void);

/* For a MessageID and its MessageArguments; NULL when there is no translation. */
char* vsm_reason_text_message(const char *id, JsonArray *arguments);

/* A recommended action in the user's language, or as it is when it is not known. */
const char* vsm_reason_text_action(const char *action);
