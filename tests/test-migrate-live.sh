#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest that runs moves to the other host and back, by the bus alone. What it is asked for on the bus is checked
# by virsh, by the guest's own console, and by the watcher of QEMU processes.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

# As the contract has it for a move that went well: the object here is gone, the one there is at rest.
assert_moved() { # FROM TO NAME JOB
  assert_eq "$(job_prop "$1" "$4" JobState)" 7 "job of $3 is completed"
  assert_eq "$(job_prop "$1" "$4" PercentComplete)" 100 "PercentComplete"
  assert_eq "$(job_prop "$1" "$4" ErrorCode)" 0 "ErrorCode"
  assert_eq "$(job_prop "$1" "$4" VirtualSystem)" / "the job's system has left"
  assert_eq "$(guest_state "$1" "$3")" none "no definition of $3 is left on host $1"
  assert_eq "$(prop "$1" "$VSM_ROOT" "$VSM_NAME" ActiveVirtualSystemMigrationCount)" 0 "no migration is counted"
  assert_not_match "$(host_run "$1" busctl tree --list "$VSM_NAME")" "$(system_path "$2" "$3")" "object gone"
  assert_eq "$(system_prop "$2" "$3" MigrationState)" 0 "MigrationState on host $2"
  assert_eq "$(system_prop "$2" "$3" OperatingStatus)" 0 "OperatingStatus on host $2"
}

move() { # FROM TO NAME DESTINATION
  local job
  job=$(migrate "$1" "$3" "$4")
  wait_job "$1" "$job" '^(7|8|9|10|32768)$'
  assert_ne "$(guest_state "$2" "$3")" none "$3 is on host $2"
  wait_system "$2" "$3" OperatingStatus '^0$'
  assert_moved "$1" "$2" "$3" "$job"
}

there_and_back() {
  local destination=("$(host_name B)" 10.77.0.1 fd00:77::2 "$(host_name A | tr '[:lower:]' '[:upper:]').") from=A to=B i
  guest_start A web --rate 10
  monitor_start A bus.A
  for i in 0 1 2 3; do
    move "$from" "$to" web "${destination[i]}"
    assert_guest_on "$to" web
    read -r from to <<<"$to $from"
  done
  wait_tick web
  assert_guest_good web
  note "longest pause felt: $(guest_pause web) ms"
  assert_eq "$(host_run A virsh -q dominfo --domain web | awk '/^Persistent/ { print $2 }')" yes "persistent"
  assert_eq "$(seen bus.A MigrationState)" "1 2 3 0 1 2 3 0" "all states were emitted, twice"
}

# Held in the transfer, both hosts are looked at; then it is let go.
autostart_and_arrival() {
  local job
  guest_start A auto --autostart
  job=$(migrate A auto "$(host_name B)" 1 Bandwidth q 1)
  wait_system A auto MigrationState '^2$'
  assert_eq "$(system_prop A auto OperatingStatus)" 10 "OperatingStatus Emigrating"
  assert_eq "$(system_prop A auto OperationalStatus)" "2 2 32774" "OperationalStatus"
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME" ActiveVirtualSystemMigrationCount)" 1 "one migration is counted"
  assert_match "$(host_run A virsh -q dominfo --domain auto)" 'Autostart: +disable' "mark is off at the source"
  assert_eq "$(system_prop B auto EnabledState)" 32768 "EnabledState of what arrives"
  assert_eq "$(system_prop B auto OperatingStatus)" 11 "OperatingStatus of what arrives"
  assert_eq "$(system_prop B auto MigrationState)" 0 "MigrationState of what arrives"
  assert_refused InvalidState B "$VSM_ROOT" "$VSM_NAME.MigrateVirtualSystemToHost" \
    "$(system_path B auto)" "$(host_name A)" '{}' '{}' '[]'
  call A "$job" "$VSM_NAME.Job.Transfer" SetParameters 'a{sv}' 1 Bandwidth q 1000
  wait_job A "$job" '^(7|8|9|10|32768)$'
  wait_system B auto EnabledState '^2$'
  wait_system B auto OperatingStatus '^0$'
  assert_moved A B auto "$job"
  assert_guest_on B auto
  assert_match "$(host_run B virsh -q dominfo --domain auto)" 'Autostart: +enable' "mark is on there"
  wait_system B auto Autostart '^true$'
  assert_guest_good auto
}

transient() {
  guest_start A passing --ws 8 --transient
  move A B passing "$(host_name B)"
  assert_guest_on B passing
  assert_match "$(host_run B virsh -q dominfo --domain passing)" 'Persistent: +no' "transient there too"
  assert_eq "$(system_prop B passing Persistent)" false "Persistent"
  wait_tick passing
  assert_guest_good passing
}

paused() {
  local size
  guest_start A still --ws 8
  host_run A virsh -q suspend --domain still
  wait_system A still EnabledState '^32768$'
  size=$(console_size still)
  move A B still "$(host_name B)"
  assert_eq "$(guest_state B still)" paused "state there"
  assert_eq "$(system_prop B still EnabledState)" 32768 "EnabledState there"
  assert_eq "$(console_size still)" "$size" "the guest did not run in between"
  host_run B virsh -q resume --domain still
  wait_system B still EnabledState '^2$'
  wait_tick still
  assert_guest_on B still
  assert_guest_good still
}

hosts_need gdbus
hosts_setup "$@"

assert_match "$(host_run A gdbus introspect --system --dest "$VSM_NAME" --object-path "$VSM_ROOT")" \
  'MigrateVirtualSystemToHost\(' "gdbus introspects the service"
there_and_back
ok "A to B to A, twice: by name, IPv4, IPv6; the guest writes on and loses nothing"

autostart_and_arrival
ok "autostart travels; the destination shows what arrives"

transient
ok "a transient guest"

paused
ok "a paused guest stays paused"

for name in "o&d <\"n' ä\$x" '-rf' 'C:\\new\101 100%s'; do
  guest_start A "$name" --ws 8
  move A B "$name" "$(host_name B)"
  assert_guest_on B "$name"
  assert_eq "$(system_prop B "$name" ElementName)" "$name" "ElementName"
  assert_guest_good "$name"
done
ok "guests with odd names"

hosts_done
plan
