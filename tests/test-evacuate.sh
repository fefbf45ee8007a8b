#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A host is emptied by a plan that was shown, takes no guests meanwhile, and gets its own back. What cannot leave goes
# down its chain or stays, with a reason. Who may, and how it is ended half-way.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libevacuate.sh
. "$test_dir/libevacuate.sh"

# Asks for it, and nothing else happens.
planned() {
  as_user A alice vsmctl --json evacuate --plan >out
  plan_id=$(json '[o["PlanID"]]' <out)
  plan=$(plan_lines 'o["Plan"]' <out)
  assert_ne "$plan_id" "" "PlanID"
  assert_eq "$(cut -d' ' -f1 <<<"$plan" | sort | paste -sd ' ')" "one three two" "each guest, also the transient one"
  assert_eq "$(cut -d' ' -f3 <<<"$plan" | sort -u)" live "how"
  assert_match "$(cut -d' ' -f2 <<<"$plan" | sort -u | paste -sd ' ')" "^$(destinations)\$" "where to"
  assert_eq "$(json '{len(e["Reasons"]) > 0 for e in o["Plan"]}' <out)" True "each has its reasons"
  assert_eq "$(draining A)" "false 2" "a plan does nothing"
  assert_stays A one two three
  # a plan that is made now is another one: so the one that was shown has to be kept, not made again
  know A B --priority 101 # 100 is the default
  assert_ne "$(as_user A alice vsmctl --json evacuate --plan | plan_lines 'o["Plan"]')" "$plan" "the plan of now"
}

# A regular expression: some of the hosts that are known
destinations() {
  local host names=''
  for host in $(others A); do
    names+="${names:+|}$(host_name "$host")"
  done
  echo "($names)( ($names))*"
}

# By a user who is allowed to, and by no other
users() {
  # a plan is his who asked for it
  assert_fails_with 'AccessDenied|InteractiveAuthorizationRequired' as_user A bob gdbus call --system \
    --dest "$VSM_NAME" --object-path "$VSM_ROOT" --method "$VSM_NAME.Manager.Evacuate" "{'PlanID': <'$plan_id'>}"
  assert_eq "$(draining A)" "false 2" "what is refused changes nothing"
  job=$(as_user A alice gdbus call --system --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.Manager.Evacuate" "{'PlanID': <'$plan_id'>}" | grep -oE "$VSM_ROOT/job/[0-9]+")
  assert_eq "$(job_prop A "$job" Owner) $(job_prop A "$job" JobType)" "alice 32768" "a job of hers"
}

# The hook speaks to whoever sends, here virsh
assert_incoming_refused() {
  assert_fails_with 'Hook script execution failed' host_run B virsh -q migrate --live --domain foreign \
    "$(host_uri A)"
  assert_guest_on B foreign
}

# Held by the bandwidth: all that is true while it runs is looked at, then it is let go.
leaving() {
  assert_eq "$(draining A)" "true 9" "it drains"
  assert_eq "$(job_plan A "$job")" "$plan" "the plan that was shown is the one that runs"
  wait_prop A "$job" "$EVACUATION" Jobs '^[1-3] ' >/dev/null
  assert_incoming_refused
  assert_refused InvalidState A "$VSM_ROOT" "$VSM_NAME.Manager.Evacuate" '@a{sv} {}'
  assert_refused InvalidState A "$VSM_ROOT" "$VSM_NAME.Manager.BringBack" '@a{sv} {}'
  assert_fails_with "[Jj]ob.*\b${job##*/}\b" host_run A gdbus call --system --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.Manager.Evacuate" '@a{sv} {}'
  assert_refused InvalidState A "$VSM_ROOT" "$VSM_NAME.MigrateVirtualSystemToHost" "$(system_path A three)" \
    "$(host_name B)" '@a{sv} {}' '@a{sv} {}' '@aa{sv} []'
  limit_bandwidth A 0
  assert_ends A "$job" 7
  assert_counts A "$job" 3 3 0
  assert_eq "$(leftovers A "$job")" "" "nothing is left over"
  assert_left A one two three
  while read -r name place _; do
    assert_eq "$(host_name "$(guest_hosts "$name")")" "$place" "$name is where the plan said"
  done <<<"$plan"
  know A B
  assert_eq "$(draining A)" "true 9" "it still drains"
}

# vsmctl shows each of them, and says so when all is well
home_again() {
  client A bring-back
  assert_eq "$status" 0 "vsmctl bring-back ($(head -n 3 err))"
  assert_file_has_content out '3 of 3 systems are home again'
  assert_stays A one two three
  assert_eq "$(draining A)" "false 2" "it takes guests again"
  assert_moves B A foreign
  host_run A virsh -q destroy --domain foreign
}

# No other host has its disk. It is saved, goes on from there, and is a leftover for nobody.
chain() {
  own_disk A /var/tmp/store.img
  guest_start A store --disk /var/tmp/store.img
  client A --json evacuate --system store
  [ "$status" = 0 ] || json 'o["Leftovers"]' <out | evidence
  assert_saved A store
  host_run A virsh -q start --domain store
  wait_tick store
  assert_guest_good store
  host_run A vsmctl service stop >/dev/null
  assert_eq "$(draining A)" "true 9" "request 3 does not end draining"
  host_run A vsmctl service start >/dev/null
  assert_eq "$(draining A)" "false 2" "request 2 does"
  host_run A virsh -q destroy --domain store
  host_run A virsh -q undefine --domain store
}

# It has suspended itself to memory, which QEMU loses on the way to another host and to the disk: it is left as it is.
asleep() {
  local system
  guest_start A dormouse --sleepy --rate 0
  host_run A virsh -q shutdown --domain dormouse
  wait_system A dormouse EnabledState 32769
  assert_eq "$(guest_state A dormouse)" pmsuspended "what libvirt says"
  system=$(system_path A dormouse)
  client A check dormouse "$(host_name B)"
  assert_eq "$status" 1 "vsmctl check"
  assert_file_has_content err 'suspended itself' 'dompmwakeup'
  assert_refused InvalidState A "$VSM_ROOT" "$VSM_NAME.MigrateVirtualSystemToHost" "$system" \
    "$(host_name B)" '@a{sv} {}' '@a{sv} {}' '@aa{sv} []'
  job=$(evacuate A "'Systems': <[objectpath '$system']>")
  assert_ends A "$job" 10
  assert_match "$(leftovers A "$job")" '^dormouse .*guest-asleep' "it is left over, with the reason"
  assert_eq "$(guest_state A dormouse)" pmsuspended "it sleeps on"
  host_run A vsmctl service start >/dev/null
  host_run A virsh -q destroy --domain dormouse
  host_run A virsh -q undefine --domain dormouse
}

# Too small for all of them; then there is no other host at all.
no_room() {
  local host
  for host in $(others A); do
    know A "$host" --memory-limit 1MiB
  done
  job=$(evacuate A "'Fallback': <['live', 'leave']>")
  assert_nobody_leaves memory
  for host in $(others A); do
    host_run A vsmctl host remove "$(host_name "$host")" >/dev/null
  done
  job=$(evacuate A "'Fallback': <['live', 'leave']>")
  assert_nobody_leaves ''
  client A evacuate --fallback live,leave
  assert_eq "$status" 1 "vsmctl, when all stay"
  assert_file_has_content err '^one:$' '^two:$' '^three:$' 'vsmctl evacuate --plan'
  host_run A vsmctl service quiesce >/dev/null
  host_run A vsmctl bring-back >/dev/null
  assert_eq "$(draining A)" "false 9" "what was asked for while it drained is what comes after it"
  host_run A vsmctl service start >/dev/null
}

assert_nobody_leaves() { # REGEX for the reasons
  assert_ends A "$job" '7|10|32768'
  assert_eq "$(evacuation_prop A "$job" Total) $(evacuation_prop A "$job" Done)" "3 0" "Total, Done"
  assert_eq "$(leftovers A "$job" | cut -d' ' -f1 | paste -sd ' ')" "one three two" "all are left over"
  assert_eq "$(leftovers A "$job" | grep -cE " .*$1")" 3 "each with its reason"
  assert_stays A one two three
}

# 4 starts no more, and what moves goes on; 5 ends that too.
cancelled() {
  local child
  know_all
  limit_bandwidth A 1
  job=$(evacuate A)
  wait_moving
  assert_eq "$(request A "$job" 4)" 4096 "no more"
  assert_eq "$(job_prop A "$job" JobState)" 6 "JobState while the first one goes on"
  limit_bandwidth A 0
  assert_ends A "$job" 8
  assert_between "$(away_count)" 1 2 "what moved has gone, what waited has not"
  host_run A vsmctl bring-back >/dev/null
  assert_stays A one two three

  limit_bandwidth A 1
  job=$(evacuate A)
  wait_moving
  child=$(evacuation_prop A "$job" Jobs | grep -oE "$VSM_ROOT/job/[0-9]+" | head -n1)
  assert_eq "$(request A "$job" 5)" 4096 "all of it"
  assert_ends A "$job" '8|9'
  assert_match "$(job_prop A "$child" JobState)" '^(8|9)$' "the one that moved is cancelled, too"
  assert_stays A one two three
  limit_bandwidth A 0
  host_run A vsmctl service start >/dev/null
}

wait_moving() {
  wait_prop A "$VSM_ROOT" "$VSM_NAME" ActiveVirtualSystemMigrationCount '^[1-9]' 30 >/dev/null
}

away_count() {
  local name n=0
  for name in one two three; do
    [ "$(guest_hosts "$name")" = A ] || n=$((n + 1))
  done
  echo "$n"
}

# As systemd has it: what starts before it stops after it. No Requires=, by which a restart of vsmd would stop it.
order_of_units() {
  local unit after requires
  after=$(host_run A systemctl show --property=After --value vsm-evacuate.service)
  for unit in vsmd.service libvirtd.service dbus.service polkit.service systemd-logind.service network.target \
    network-online.target remote-fs.target virt-guest-shutdown.target libvirt-guests.service; do
    assert_match " $after " " $unit " "vsm-evacuate.service stops before $unit"
  done
  requires=$(host_run A systemctl show --property=Requires,Requisite,BindsTo,PartOf --value vsm-evacuate.service)
  assert_not_match "$requires" 'vsmd|libvirt' "what it is bound to"
  after=$(host_run A systemctl show --property=After --value vsm-bring-back.service)
  for unit in vsmd.service vsm-evacuate.service libvirt-guests.service network-online.target; do
    assert_match " $after " " $unit " "vsm-bring-back.service starts after $unit"
  done
}

hosts_setup "$@"
order_of_units
ok "the units stop and start in the order that is needed"
know_all
# they write nothing: what a guest this small writes is not asked for, and one that may write is planned as slower
guest_start A two --ws 8 --rate 0 --transient --no-wait
guest_start B foreign --ws 8 --rate 0 --no-wait
start_all A one three
wait_tick two
wait_tick foreign
limit_bandwidth A 2

polkit_allow A alice '\.(evacuate|check)$'
planned
ok "a plan is shown, with its reasons, and nothing is done"
users
leaving
ok "three guests leave by that plan, one of them transient; none comes in, and nobody else may"
home_again
ok "they come home, and the host takes guests again"
chain
ok "one with a disk of its own goes down its chain"
asleep
ok "one that has suspended itself stays, with the reason"
no_room
ok "no room, and no destination: all stay, each with a reason"
cancelled
ok "cancelled half-way: no more are started; or none goes on"

hosts_done
plan
