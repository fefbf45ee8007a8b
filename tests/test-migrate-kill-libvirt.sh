#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# As test-migrate-kill, with libvirtd of either host in place of the service. Minutes.
VSM_FAULTS='libvirt_a libvirt_b' exec bash "$(dirname "$0")/test-migrate-kill.sh" "$@"
