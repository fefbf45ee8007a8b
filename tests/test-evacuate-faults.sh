#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An evacuation in which something breaks: the service, a destination, the time. No guest is lost, none runs twice.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libevacuate.sh
. "$test_dir/libevacuate.sh"

GUESTS=(one two three)

# Begun, and held in the transfer of the first guest
begin() {
  limit_bandwidth A 2
  job=$(evacuate A)
  wait_prop A "$VSM_ROOT" "$VSM_NAME" ActiveVirtualSystemMigrationCount '^[1-9]' >/dev/null
}

all_home() {
  limit_bandwidth A 0
  client A bring-back
  assert_eq "$status" 0 "vsmctl bring-back ($(head -n 3 err))"
  assert_stays A "${GUESTS[@]}"
}

# The same job goes on, with what has been reached.
service_killed() {
  local submitted plan
  begin
  submitted=$(job_prop A "$job" TimeSubmitted)
  plan=$(job_plan A "$job" | cut -d' ' -f1 | sort)
  host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service
  wait_job A "$job" '^4$'
  assert_eq "$(job_prop A "$job" TimeSubmitted)" "$submitted" "it is the job of before"
  assert_eq "$(job_plan A "$job" | cut -d' ' -f1 | sort)" "$plan" "and all are in its plan"
  assert_eq "$(draining A)" "true 9" "it drains"
  limit_bandwidth A 0
  assert_ends A "$job" 7
  assert_counts A "$job" 3 3 0
  assert_left A "${GUESTS[@]}"
  all_home
}

# What would have gone there goes elsewhere; without another host it stays.
destination_gone() {
  local target left
  begin
  target=$(first_target)
  lab crash "$target"
  limit_bandwidth A 0
  assert_ends A "$job" '7|10|32768' 240
  left=$(leftovers A "$job" | cut -d' ' -f1)
  for name in "${GUESTS[@]}"; do
    assert_eq "$(wc -w <<<"$(guest_hosts "$name")")" 1 "guest $name runs once"
    wait_tick "$name"
    assert_guest_good "$name"
    if grep -qx "$name" <<<"$left"; then
      assert_guest_on A "$name"
    else
      assert_ne "$(guest_hosts "$name")" A "$name has left"
    fi
  done
  if [ "$(hosts | wc -w)" = 3 ]; then
    assert_eq "$left" "" "there is another host for all of them"
  fi
  lab boot "$target"
  all_home
}

first_target() {
  local name host
  for host in $(others A); do
    for name in "${GUESTS[@]}"; do
      [ "$(guest_state "$host" "$name")" = none ] || { echo "$host" && return; }
    done
  done
}

# None of them sends to the other, so none of them finds a place.
two_at_once() {
  local other here there
  guest_start B remote
  host_run A vsmctl host list >/dev/null
  for other in $(others A); do
    [ "$other" = B ] || { host_run A vsmctl host remove "$(host_name "$other")" && host_run B vsmctl host remove \
      "$(host_name "$other")"; } >/dev/null
  done
  limit_bandwidth A 2
  here=$(evacuate A "'Fallback': <['live', 'leave']>")
  there=$(evacuate B "'Fallback': <['live', 'leave']>")
  limit_bandwidth A 0
  assert_ends A "$here" '7|10|32768' 120
  assert_ends B "$there" '7|10|32768' 120
  assert_eq "$(leftovers B "$there" | cut -d' ' -f1)" remote "B sends nothing to a host that drains"
  assert_guest_on B remote
  for name in "${GUESTS[@]}"; do
    assert_eq "$(wc -w <<<"$(guest_hosts "$name")")" 1 "guest $name runs once"
  done
  host_run B vsmctl service start >/dev/null
  host_run B virsh -q destroy --domain remote
  know_all
  host_run A vsmctl service start >/dev/null
  all_home_if_away
}

all_home_if_away() {
  local name
  for name in "${GUESTS[@]}"; do
    [ "$(guest_hosts "$name")" = A ] || { all_home && return; }
  done
}

# At 2 MiB/s none of them arrives within the time; to the disk they do.
too_short() {
  local name
  limit_bandwidth A 2
  job=$(evacuate A "'Deadline': <uint64 12000000>")
  assert_ends A "$job" '7|10|32768' 60
  assert_between $((($(job_prop A "$job" TimeOfLastStateChange) - $(job_prop A "$job" TimeSubmitted)) / 1000)) 0 20000 \
    "ms until its end"
  for name in "${GUESTS[@]}"; do
    assert_saved A "$name"
  done
  for name in "${GUESTS[@]}"; do
    host_run A virsh -q start --domain "$name"
  done
  limit_bandwidth A 0
  host_run A vsmctl service start >/dev/null
  assert_stays A "${GUESTS[@]}"
}

# What writes a saved guest to the disk waits for a word. Ended also when the test is: others use the host after it.
slow_disk() { # HOST
  at_exit "quick_disk $1"
  # shellcheck disable=SC2016 # for the shell over there
  host_run "$1" sh -ec 'cd /usr/lib/libvirt; mv libvirt_iohelper iohelper.real
    printf "%s\n" "#!/bin/sh" "touch /run/saving" "while [ -e /run/slow ]; do sleep 0.1; done" \
      "exec /usr/lib/libvirt/iohelper.real \"\$@\"" >libvirt_iohelper
    chmod 755 libvirt_iohelper; touch /run/slow'
}

quick_disk() { # HOST
  host_run "$1" sh -ec 'rm -f /run/slow /run/saving; cd /usr/lib/libvirt
    [ ! -e iohelper.real ] || mv iohelper.real libvirt_iohelper'
}

# The guest is saved while nobody watches, or at most the end of it is seen. It has left all the same, and comes back.
killed_while_saving() { # [seen]
  slow_disk A
  job=$(evacuate A "'Systems': <[objectpath '$(system_path A one)']>, 'Fallback': <['save', 'leave']>")
  wait_until 30 host_run A test -e /run/saving
  host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service
  if [ "${1-}" = seen ]; then
    wait_job A "$job" '^4$'
    assert_match "$(host_run A virsh -q domjobinfo --domain one)" 'Save' "libvirt is still at it"
  fi
  host_run A rm /run/slow
  assert_ends A "$job" 32768
  assert_counts A "$job" 1 1 0
  assert_saved A one
  quick_disk A
  client A bring-back
  assert_eq "$status" 0 "vsmctl bring-back ($(head -n 3 err))"
  assert_stays A "${GUESTS[@]}"
}

# Whoever did that, or whatever: nobody but a person can say that all is well.
destroyed() {
  local child
  guest_start A brief --ws 8 --rate 0
  limit_bandwidth A 2
  job=$(evacuate A "'Systems': <[objectpath '$(system_path A brief)']>")
  wait_prop A "$job" "$EVACUATION" Jobs '^[1-9]' >/dev/null
  child=$(evacuation_prop A "$job" Jobs | grep -oE "$VSM_ROOT/job/[0-9]+")
  wait_prop A "$child" "$VSM_NAME.Job.Transfer" Phase '^memory$' 30 >/dev/null
  host_run A virsh -q destroy --domain brief
  assert_ends A "$job" 10
  assert_counts A "$job" 1 0 1
  assert_eq "$(leftovers A "$job")" "brief migration-failed" "which one, and why"
  assert_eq "$(guest_hosts brief)" "" "it runs nowhere"
  host_run A virsh -q undefine --domain brief
  limit_bandwidth A 0
  host_run A vsmctl service start >/dev/null
}

hosts_setup "$@"
know_all
start_all A "${GUESTS[@]}"

service_killed
ok "the service is killed half-way: the job goes on, and all leave"
killed_while_saving
killed_while_saving seen
ok "the service is killed while a guest is saved: it counts as saved, and comes back"
destroyed
ok "one that ends on its way is told, not passed over"
too_short
ok "a deadline that is too short: all are saved in time"
two_at_once
ok "two hosts that drain at once send each other nothing"
destination_gone
ok "a destination is gone half-way: each guest runs once, and goes elsewhere or stays"

hosts_done
plan
