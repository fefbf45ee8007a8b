#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# As test-move-restart, with the ends that take their time: the other host goes away in the middle.
VSM_RESTARTS='cut_off' exec bash "$(dirname "$0")/test-move-restart.sh" "$@"
