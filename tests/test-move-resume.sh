#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Paused, moved, resumed there: whatever comes in between, it runs exactly once at the end, and is not left paused. One
# that its owner has paused stays so.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libmove.sh
. "$test_dir/libmove.sh"

resume_move() { # FROM NAME TO [SETTINGS]
  start_move "$1" "$2" "$(host_name "$3")" "'MigrationType': <uint16 3>${4:+, $4}"
}

# Held in the transfer; paused since before it. Prints the path of the job.
hold() { # FROM NAME TO
  local job size
  job=$(resume_move "$1" "$2" "$3" "'Bandwidth': <uint16 1>")
  wait_system "$1" "$2" MigrationState '^2$'
  assert_eq "$(guest_state "$1" "$2")" paused "it is paused while it moves"
  size=$(console_size "$2")
  wait_prop "$1" "$job" "$VSM_NAME.Job.Transfer" MemoryProcessed '^[2-9][0-9]{6}' >/dev/null
  assert_eq "$(console_size "$2")" "$size" "it does not run while it moves"
  printf '%s\n' "$job"
}

assert_stayed() { # JOB JOBSTATE MIGRATIONSTATE
  wait_job A "$1" "$END" 120
  assert_eq "$(job_prop A "$1" JobState)" "$2" "JobState"
  assert_eq "$(system_prop A web MigrationState)" "$3" "MigrationState"
  assert_guest_on A web
  assert_eq "$(guest_state B web)" none "nothing of it on host B"
  assert_eq "$(host_run B pgrep -c qemu-system || true)" 0 "no QEMU on host B"
  wait_tick web
  assert_guest_good web
}

back_again() {
  wait_system B web OperatingStatus '^0$'
  assert_moved B "$(resume_move B web A)"
  assert_guest_on A web
  wait_system A web OperatingStatus '^0$'
}

moved() {
  local job before
  before=$(console_size web)
  monitor_start A bus.moved
  job=$(hold A web B)
  let_go A "$job"
  assert_moved A "$job"
  assert_eq "$(job_prop A "$job" MigrationType)" 3 "MigrationType"
  assert_guest_on B web
  assert_eq "$(guest_state A web)" none "nothing of it on host A"
  wait_tick web
  assert_between "$(guest_pause web --since "$before")" 1000 60000 "ms that it was paused"
  assert_guest_good web
  wait_for_line bus.moved '"JobState":\{"type":"q","data":7' >/dev/null
  assert_eq "$(seen bus.moved MigrationState)" "1 2 3 0" "its states"
}

cancelled() {
  local job
  job=$(hold A web B)
  assert_eq "$(request A "$job" 4)" 4096 "cancelled"
  assert_stayed "$job" 8 4
}

# The other host does not answer; it runs on meanwhile.
dialling() {
  local job
  lab cut B
  job=$(resume_move A web B)
  wait_job A "$job" '^3$'
  wait_tick web
  assert_eq "$(request A "$job" 4)" 4096 "cancelled"
  wait_job A "$job" "$END"
  lab heal B
  assert_stayed "$job" 8 4
}

frozen() {
  local job
  job=$(hold A web B)
  host_run B pkill -STOP qemu-system
  assert_eq "$(request A "$job" 5)" 4096 "killed"
  assert_stayed "$job" 9 4
}

# Nobody watches it, and libvirt goes on.
service_killed() {
  local job
  job=$(hold A web B)
  host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service
  host_run A virsh -q migrate-setspeed --domain web --bandwidth 1000
  wait_until 20 host_run A busctl get-property "$VSM_NAME" "$job" "$VSM_NAME.Job" JobState
  assert_moved A "$job"
  assert_guest_on B web
  assert_eq "$(guest_state A web)" none "nothing of it on host A"
  wait_tick web
  assert_guest_good web
}

# Nobody watches it, and it fails.
service_killed_and_failed() {
  local job
  job=$(hold A web B)
  host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service
  host_run A virsh -q domjobabort --domain web
  wait_until 20 host_run A busctl get-property "$VSM_NAME" "$job" "$VSM_NAME.Job" JobState
  assert_stayed "$job" 10 5
}

destination_lost() {
  local job
  job=$(hold A web B)
  host_run B pkill -KILL qemu-system
  assert_stayed "$job" 10 5
}

# It was not us who paused it.
owner_paused() {
  local job
  host_run A virsh -q suspend --domain web
  wait_system A web EnabledState '^32768$'
  job=$(resume_move A web B)
  assert_moved A "$job"
  assert_eq "$(guest_state B web)" paused "it is still paused"
  wait_system B web OperatingStatus '^0$'
  assert_eq "$(guest_state B web)" paused "it is still paused"
  job=$(start_move B web "$(host_name A)" "'MigrationType': <uint16 3>, 'Bandwidth': <uint16 1>")
  wait_system B web MigrationState '^2$'
  assert_eq "$(request B "$job" 4)" 4096 "cancelled"
  wait_job B "$job" "$END"
  assert_eq "$(guest_state B web)" paused "still paused after a cancel"
  host_run B virsh -q resume --domain web
  wait_tick web
  assert_guest_on B web
  assert_guest_good web
}

hosts_need kvm gdbus
hosts_setup "$@"
guest_start A web --ws 8

moved
back_again
ok "paused, moved, resumed there, and back"
cancelled
ok "cancelled"
dialling
ok "cancelled while the other host is dialled: it was never paused"
frozen
ok "QEMU at the destination stands still, and the move is killed"
destination_lost
ok "QEMU at the destination dies"
service_killed_and_failed
ok "the service is killed, and the move is given up meanwhile"
service_killed
back_again
ok "the service is killed, and the move goes on meanwhile"
owner_paused
ok "what its owner has paused stays paused"

hosts_done
plan
