/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager.h"

/* Manager.ListHistory: who moved what, when, from where to where, how, and what came of it. Bus thread
 * only. */

int vsm_method_list_history(sd_bus_message *call, void *userdata, sd_bus_error *error);
