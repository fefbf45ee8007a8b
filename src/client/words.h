/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The words of the contract's enumerations in the user's language. Pure. */

#include <stdbool.h>

/* Translates a keyword of shared/enums.h, or a Phase, Mode, Verdict or State; what is new is shown as it is.
 */
const char* vsm_word(const char *keyword);

const char* vsm_word_yes_no(bool b);
