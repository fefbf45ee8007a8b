/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Long output on a terminal goes through a pager. */

#include "client/common.h"

/* After this stdout is the pager's input. Does nothing for JSON, with --no-pager, or where stdout is no
 * terminal. To be called when all is fetched, so that errors and questions still have the terminal to
 * themselves. */
void vsm_pager_open(VsmClient *client);
void vsm_pager_close(VsmClient *client);
