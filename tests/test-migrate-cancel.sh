#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A migration can be cancelled at every moment before the guest is handed over. Then the guest runs on where it was,
# and nothing of it is left on the other host.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

assert_cancelled() { # NAME JOB [JOBSTATE]
  wait_job A "$2" "^${3-8}$"
  assert_eq "$(system_prop A "$1" MigrationState)" 4 "MigrationState"
  assert_eq "$(system_prop A "$1" MigrationFailureReason)" 0 "a cancel is no failure"
  assert_eq "$(job_prop A "$2" ErrorCode)" 0 "nor is it an error"
  assert_eq "$(job_prop A "$2" Cancellable)" false "Cancellable at the end"
  assert_eq "$(request A "$2" 4)" 0 "a cancel of what is cancelled has nothing to do"
}

in_queue() {
  local running queued
  running=$(hold A long B)
  wait_system A long MigrationState '^2$'
  queued=$(hold A web B)
  wait_system A web MigrationState '^1$'
  assert_eq "$(job_prop A "$queued" JobState)" 2 "JobState in the queue"
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME.Manager" QueuedJobs)" 1 "QueuedJobs"
  assert_eq "$(request A "$queued" 4)" 4096 "cancelled"
  assert_cancelled web "$queued"
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME.Manager" QueuedJobs)" 0 "QueuedJobs afterwards"
  assert_eq "$(job_prop A "$running" JobState)" 4 "the one before it goes on"
  assert_eq "$(request A "$running" 4)" 4096 "cancelled as well"
  assert_cancelled long "$running"
  host_run A virsh -q destroy --domain long
  assert_stayed A B web
}

# The other host does not answer, so that this lasts.
in_setup() {
  local job
  lab cut B
  job=$(hold A web B)
  wait_job A "$job" '^3$'
  assert_eq "$(system_prop A web MigrationState)" 1 "MigrationState while it dials"
  assert_eq "$(job_prop A "$job" Cancellable)" true "Cancellable"
  assert_eq "$(request A "$job" 4)" 4096 "cancelled"
  assert_cancelled web "$job"
  lab heal B
  assert_stayed A B web
}

# libvirt was asked to end it, and that did: not the end of QEMU on the other host, which the service turns to when a
# cancel lasts too long.
assert_aborted() { # NAME
  assert_match "$(host_run A virsh qemu-monitor-command --hmp --domain "$1" 'info migrate')" \
    '^Migration status: cancelled' "QEMU here was told to stop"
  assert_eq "$(libvirt_job A "$1")" None "no job is left"
}

# A job gives five signals a second at the most. The guest's memory takes eight seconds over this link, and half a
# minute is what the service waits for before it turns to the other host.
assert_soon() { # FILE JOB JOBSTATE
  wait_for_line "$1" "\"path\":\"$2\".*\"JobState\":\{\"type\":\"q\",\"data\":$3\}" >/dev/null
  assert_between "$(grep -F "\"path\":\"$2\"" "$1" | sed -n '/"JobState":{"type":"q","data":6}/,$p' | wc -l)" 2 25 \
    "signals of the job from its cancel to its end"
}

longest_pause() {
  host_run A virsh -q migrate-getmaxdowntime --domain web | grep -oE '[0-9]+'
}

in_transfer() { # REQUEST JOBSTATE
  local job pause
  pause=$(longest_pause)
  monitor_start A "bus.$1"
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  assert_eq "$(autostart A web)" disable "autostart is off on the way"
  call A "$job" "$VSM_NAME.Job.Transfer" SetParameters 'a{sv}' 1 MaximumDowntime u "$1$1$1"
  assert_eq "$(longest_pause)" "$1$1$1" "the pause that was asked for"
  assert_eq "$(request A "$job" "$1")" 4096 "cancelled"
  assert_cancelled web "$job" "$2"
  assert_soon "bus.$1" "$job" "$2"
  assert_aborted web
  assert_eq "$(longest_pause)" "$pause" "what its hypervisor had before"
  assert_eq "$(autostart A web)" enable "autostart is back"
  assert_stayed A B web
}

# QEMU there stands still, so the cancel lasts until it goes on.
repeated() {
  local job
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  host_run B pkill -STOP qemu-system
  assert_eq "$(request A "$job" 4)" 4096 "cancelled"
  wait_job A "$job" '^6$'
  assert_eq "$(job_prop A "$job" Cancellable)" false "Cancellable"
  assert_eq "$(request A "$job" 4)" 4096 "cancelled once more"
  assert_eq "$(system_prop A web MigrationState)" 2 "not cancelled before it is true"
  host_run B pkill -CONT qemu-system
  assert_cancelled web "$job"
  assert_stayed A B web
}

# B's libvirtd stands still while memory goes from QEMU to QEMU: handed over, and nobody there takes it.
too_late() {
  local job
  at_exit 'host_run B systemctl kill --kill-who=main --signal=CONT libvirtd.service'
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  host_run B systemctl kill --kill-who=main --signal=STOP libvirtd.service
  let_go A "$job"
  wait_system A web MigrationState '^3$'
  assert_eq "$(job_prop A "$job" Cancellable)" false "Cancellable"
  assert_refused InvalidState A "$job" "$VSM_NAME.Job.RequestStateChange" 4 0
  assert_refused InvalidState A "$job" "$VSM_NAME.Job.KillJob" true
  host_run B systemctl kill --kill-who=main --signal=CONT libvirtd.service
  wait_job A "$job" '^(7|10|32768)$'
  assert_eq "$(job_prop A "$job" JobState)" 7 "it went on"
  assert_refused InvalidState A "$job" "$VSM_NAME.Job.RequestStateChange" 5 0
  assert_eq "$(guest_state A web)" none "it has left"
  assert_guest_on B web
  assert_eq "$(autostart B web)" enable "autostart there"
  assert_guest_good web
}

by_owner() {
  local job reply
  polkit_allow A alice '\.migrate$'
  reply=$(call_as A alice "$VSM_ROOT" "$VSM_NAME" MigrateVirtualSystemToHost 'osa{sv}a{sv}aa{sv}' \
    "$(system_path A web)" "$(host_name B)" 1 Bandwidth q 1 0 0)
  job=${reply#*\"} job=${job%\"}
  wait_system A web MigrationState '^2$'
  assert_eq "$(job_prop A "$job" Owner) $(job_prop A "$job" OwnerUID)" "alice 2001" "owner"
  assert_fails call_as A bob "$job" "$VSM_NAME.Job" RequestStateChange qt 4 0
  assert_fails call_as A bob "$job" "$VSM_NAME.Job" KillJob b true
  assert_eq "$(job_prop A "$job" JobState)" 4 "bob is refused"
  assert_eq "$(call_as A alice "$job" "$VSM_NAME.Job" RequestStateChange qt 4 0)" "u 4096" "alice is not asked"
  assert_cancelled web "$job"
  assert_stayed A B web
}

removed_at_once() {
  local job
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  monitor_start A bus.kill
  assert_eq "$(call A "$job" "$VSM_NAME.Job" KillJob b true)" "u 4096" "killed"
  wait_for_line bus.kill "InterfacesRemoved.*\"$job\"" >/dev/null
  assert_eq "$(seen bus.kill JobState)" "6 9" "its states"
  assert_fails job_prop A "$job" JobState
  assert_eq "$(system_prop A web MigrationState)" 4 "MigrationState"
  assert_stayed A B web
}

by_timeout() {
  local job
  job=$(hold A web B Timeout t 2000000)
  wait_job A "$job" '^10$'
  assert_eq "$(job_prop A "$job" ErrorCode)" 32772 "ErrorCode"
  assert_match "$(call A "$job" "$VSM_NAME.Job" GetErrorEx)" '"MessageID" s "timed-out".*Timeout that was asked' "why"
  assert_eq "$(system_prop A web MigrationState)" 5 "MigrationState"
  assert_eq "$(system_prop A web MigrationFailureReason)" $((0x80004005)) "reason"
  assert_eq "$(autostart A web)" enable "autostart is back"
  assert_stayed A B web
}

hosts_need gdbus
hosts_setup "$@"
guest_start A web --autostart
guest_start A long --ws 8
set_limit A 1

in_queue
ok "cancelled in the queue"
in_setup
ok "cancelled while the other host is dialled"
in_transfer 4 8
assert_eq "$(seen bus.4 MigrationState)" "1 2 4" "from 4 to 1 at the next start"
assert_eq "$(seen bus.4 JobState)" "3 4 6 8" "its states"
ok "cancelled while memory moves"
in_transfer 5 9
ok "killed while memory moves"
repeated
ok "a cancel that lasts, repeated"
by_owner
ok "by its owner"
removed_at_once
ok "KillJob removes the job"
by_timeout
ok "Timeout"
too_late
ok "too late to cancel; and the guest moves after all that"

hosts_done
plan
