#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# There and back: a host is evacuated, with a guest that can only be saved; what left comes home, what was saved goes on.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
. "$(dirname "$0")/libhosts.sh"
# shellcheck source=tests/libbringback.sh
# shellcheck disable=SC2119 # bring_back takes none to mean all
. "$(dirname "$0")/libbringback.sh"
hosts_setup "$@"

draining() {
  prop A "$VSM_ROOT" "$VSM_NAME.Manager" Draining
}

at_exit 'host_run A rm -f /root/own.raw'

# The disk is on no storage that both hosts use, so this one cannot move.
host_run A truncate -s 8M /root/own.raw
guest_start A web --ws 4 --rate 2
guest_start A own --ws 4 --rate 2 --disk /root/own.raw
host_run A virsh -q autostart web
call A "$VSM_ROOT" "$VSM_NAME.Manager" AddHost 'a{sv}' 1 Name s hostb >/dev/null

reply=$(call A "$VSM_ROOT" "$VSM_NAME.Manager" Evacuate 'a{sv}' 1 Fallback as 3 live save leave)
job=${reply#*\"} job=${job%\"}
assert_refused InvalidState A "$VSM_ROOT" "$VSM_NAME.Manager.BringBack" "{}"
assert_match "$(wait_back "$job" 120)" '^(7|32768)$' "the host is emptied"
assert_eq "$(draining)" true "and drains"
assert_guest_on B web
assert_eq "$(guest_state A own)" "shut off" "the other one is saved"
assert_eq "$(still_away)" "own web" "who is away is written down, and who was saved"
ok "a host is evacuated"

job=$(bring_back)
assert_eq "$(wait_back "$job" 120)" 7 "all is brought back"
assert_eq "$(draining)" false "it drains no more"
assert_guest_on A web
assert_guest_on A own
assert_eq "$(counts "$job")" "2 2 0" "both"
assert_eq "$(autostart A web) $(guest_state B web)" "enable none" "as it was"
wait_tick web
wait_tick own
assert_guest_good web
assert_guest_good own
assert_eq "$(still_away)" "" "nobody is away"
ok "what left comes home, what was saved goes on"

assert_eq "$(wait_back "$(bring_back)")" 7 "nothing is to be done"
assert_eq "$(guest_hosts own)" A "what was started again once is left alone"
ok "once more is nothing"

guest_gone A web
guest_gone A own
hosts_done
plan
