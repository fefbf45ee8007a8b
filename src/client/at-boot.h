/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a unit has to wait for after a boot. */

#include "client/common.h"

/* Blocks until the service's libvirt answers, 5 minutes at most: then the next call tells what is wrong. */
void vsm_at_boot_wait(VsmClient *client);
