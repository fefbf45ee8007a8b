#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests that come home, and what comes between: the child cancelled, or the parent; vsmd killed in the middle; libvirt of
# the other host gone, the other host cut off. Each guest runs exactly once.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
. "$(dirname "$0")/libhosts.sh"
# shellcheck source=tests/libbringback.sh
# shellcheck disable=SC2119 # bring_back takes none to mean all
. "$(dirname "$0")/libbringback.sh"
hosts_setup "$@"

slow() { # HOST: what it sends takes long
  lab link "$1" rate 8mbit
}

quick() { # HOST
  lab link "$1" rate unlimited
}

# Until the child of the job has memory on its way; prints its path
wait_child() { # JOB
  local child
  wait_service A 30 has_child "$1"
  child=$(children "$1" | tail -n1)
  wait_prop A "$child" "$VSM_NAME.Job.Transfer" Phase '^memory$' 30 >/dev/null
  printf '%s\n' "$child"
}

has_child() { # JOB
  [ -n "$(children "$1")" ]
}

guest_start B web --ws 8 --rate 1
host_run B virsh -q autostart web
away web=B:autostart

### cancelled

slow B
job=$(bring_back)
child=$(wait_child "$job")
assert_refused InvalidState A "$VSM_ROOT" "$VSM_NAME.Manager.BringBack" "{}"
assert_eq "$(request A "$child" 4)" 4096 "the child is cancelled"
assert_eq "$(wait_back "$job")" 10 "nobody came home"
assert_eq "$(job_prop A "$child" JobState)" 8 "the child was terminated"
assert_guest_on B web
assert_eq "$(guest_state A web)" none "nothing is left here"
assert_eq "$(autostart B web)" enable "its mark is back there"
assert_eq "$(still_away)" web "it is still away"
ok "a child is cancelled"

job=$(bring_back)
child=$(wait_child "$job")
assert_eq "$(request A "$job" 5)" 4096 "the parent is killed"
assert_eq "$(wait_back "$job")" 9 "it was"
assert_match "$(job_prop A "$child" JobState)" '^[89]$' "and its child"
assert_guest_on B web
assert_eq "$(guest_state A web)" none "nothing is left here"
assert_eq "$(autostart B web)" enable "its mark is back there"
ok "all of it is cancelled"

### vsmd is killed

job=$(bring_back)
child=$(wait_child "$job")
host_run A systemctl kill -s KILL vsmd.service
quick B
host_run A systemctl start vsmd.service
assert_eq "$(wait_back "$job")" 7 "the same parent goes on to its end"
assert_eq "$(job_prop A "$child" JobState)" 7 "and its child"
assert_guest_on A web
assert_eq "$(autostart A web) $(guest_state B web)" "enable none" "all is here"
assert_eq "$(still_away)" "" "it is not away any more"
wait_tick web
assert_guest_good web
ok "vsmd is killed in the middle: the guest comes home, and the job knows"

### cancelled, and killed: the cancel is kept

host_run A virsh -q migrate --live --p2p --persistent --undefinesource web qemu+tcp://hostb/system
away web=B
slow B
job=$(bring_back)
child=$(wait_child "$job")
assert_eq "$(request A "$job" 4)" 4096 "no more are fetched"
host_run A systemctl kill -s KILL vsmd.service
quick B
host_run A systemctl start vsmd.service
assert_eq "$(wait_back "$job")" 8 "the parent is still cancelled"
assert_eq "$(job_prop A "$child" JobState)" 7 "what was on its way has arrived"
assert_guest_on A web
ok "vsmd is killed after a cancel, which it does not forget"

### libvirt there goes away

host_run A virsh -q migrate --live --p2p --persistent --undefinesource web qemu+tcp://hostb/system
away web=B
slow B
job=$(bring_back)
child=$(wait_child "$job")
host_run B systemctl kill -s KILL libvirtd.service
assert_eq "$(wait_back "$job" 150)" 10 "it ends"
quick B
assert_guest_on B web
assert_eq "$(guest_state A web)" none "nothing is left here"
assert_eq "$(still_away)" web "it is still away"
wait_tick web
assert_guest_good web
ok "libvirt of the other host is killed in the middle: the guest runs on there"

### the other host cannot be asked

lab cut B
job=$(bring_back)
assert_eq "$(wait_back "$job")" 10 "it ends"
assert_eq "$(leftovers "$job")" "web destination-unreachable" "and says why"
assert_eq "$(still_away)" web "it is still away"
lab heal B
job=$(bring_back)
assert_eq "$(wait_back "$job")" 7 "when it can be, the guest comes home"
assert_guest_on A web
wait_tick web
assert_guest_good web
ok "a host that cannot be reached keeps its guest until it can"

guest_gone A web
hosts_done
plan
