/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a caller or a file says, fit for a sentence: C-escaped and cut at 64 bytes. g_free() it. Any thread. */
char* vsm_text_quote(const char *text);
