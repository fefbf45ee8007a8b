/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Long output on a terminal goes through a pager. */

#include "client/common.h"
#include "client/output.h"

/* Prints the table, as wide as the terminal, through a pager: not for JSON, with --no-pager, or where stdout
 * is no terminal. To be called when all is fetched: errors and questions need the terminal. */
void vsm_pager_print(VsmClient *client, const VsmTable *table);

/* Waits until the user has seen enough. */
void vsm_pager_close(VsmClient *client);
