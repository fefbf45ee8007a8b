/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The password question on a terminal: pkttyagent as a child. */

#include "client/common.h"

/* Starts it before a call that may ask, and waits until it is registered. Does nothing where it would not
 * help: no terminal, root, another host, --no-ask-password, or started already. */
void vsm_agent_open(VsmClient *client);
void vsm_agent_close(VsmClient *client);
