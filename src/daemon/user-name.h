/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

/* The name of a user, or its number when it has none, to be freed. The name service may go over the
 * network: for workers. Any thread. */
char* vsm_user_name(uid_t uid);
