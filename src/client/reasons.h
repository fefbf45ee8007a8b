/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reasons of the contract (CIM_Error dictionaries), as checks, plans and failed jobs have them. */

#include <json-glib/json-glib.h>

/* Each with its severity, message, source and what is recommended. */
char* vsm_reasons_format(JsonArray *reasons);

/* What all of them recommend, each thing once, "  - " before it; "" when nothing is recommended. */
char* vsm_reasons_format_actions(JsonArray *reasons);
