#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The service is killed, stopped and restarted while guests move, and so is libvirt of the source. Jobs keep their
# numbers, and each comes to the end that is true on both hosts.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

JOB='^(7|8|9|10|32768)$'

kill_service() {
  host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service
}

# The job that somebody knows by its path is the same one afterwards.
assert_same_job() { # JOB SUBMITTED NAME
  assert_eq "$(job_prop A "$1" TimeSubmitted)" "$2" "job $1 is the one of before"
  assert_eq "$(job_prop A "$1" InstanceID)" "org.example:MigrationJob/${1##*/}" "InstanceID"
  assert_eq "$(job_prop A "$1" Owner)" root "Owner"
  assert_eq "$(job_prop A "$1" VirtualSystem)" "$(system_path A "$3")" "VirtualSystem"
  assert_eq "$(system_prop A "$3" MigrationJob)" "$1" "MigrationJob"
}

assert_moved() { # NAME JOB
  wait_job A "$2" "$JOB"
  assert_eq "$(job_prop A "$2" JobState)" 7 "JobState of $1"
  assert_guest_on B "$1"
  assert_eq "$(guest_state A "$1")" none "$1 is defined on host B only"
  assert_match "$(host_run B virsh -q dominfo --domain "$1")" 'Persistent: +yes' "persistent there"
  assert_eq "$(autostart B "$1")" enable "autostart there"
  wait_system B "$1" OperatingStatus '^0$'
  wait_tick "$1"
  assert_guest_good "$1"
}

back() { # NAME
  local job
  job=$(migrate B "$1" "$(host_name A)")
  wait_job B "$job" "$JOB"
  assert_guest_on A "$1"
  wait_system A "$1" OperatingStatus '^0$'
}

# One moves, one waits for it; both know how to go on.
killed_with_queue() {
  local moving waiting times next
  set_limit A 1
  moving=$(hold A web B)
  wait_system A web MigrationState '^2$'
  waiting=$(migrate A other "$(host_name B)")
  times="$(job_prop A "$moving" TimeSubmitted) $(job_prop A "$waiting" TimeSubmitted)"
  kill_service
  wait_job A "$moving" '^4$'
  assert_same_job "$moving" "${times% *}" web
  assert_same_job "$waiting" "${times#* }" other
  wait_system A web MigrationState '^2$'
  assert_eq "$(job_prop A "$waiting" JobState)" 2 "still in the queue"
  assert_eq "$(system_prop A other MigrationState)" 1 "MigrationState of the one that waits"
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME.Manager" QueuedJobs)" 1 "QueuedJobs"
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME" ActiveVirtualSystemMigrationCount)" 1 "running"
  let_go A "$moving"
  assert_moved web "$moving"
  assert_moved other "$waiting"
  back web
  next=$(migrate A web nosuchhost.invalid)
  assert_eq "$next" "$VSM_ROOT/job/$((${waiting##*/} + 1))" "numbers are not used again"
  wait_job A "$next" '^10$'
}

killed_then_cancelled() {
  local job time
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  time=$(job_prop A "$job" TimeSubmitted)
  kill_service
  wait_job A "$job" '^4$'
  assert_same_job "$job" "$time" web
  assert_eq "$(request A "$job" 4)" 4096 "cancelled"
  wait_job A "$job" "$JOB"
  assert_eq "$(job_prop A "$job" JobState)" 8 "JobState"
  assert_eq "$(system_prop A web MigrationState)" 4 "MigrationState"
  assert_eq "$(autostart A web)" enable "autostart is back"
}

restarted() {
  local job time
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  time=$(job_prop A "$job" TimeSubmitted)
  host_run A systemctl restart vsmd.service
  wait_job A "$job" '^4$'
  assert_same_job "$job" "$time" web
  let_go A "$job"
  assert_moved web "$job"
  back web
}

database() { # SQL: the service does not run
  host_run A python3 -c 'import sqlite3, sys
with sqlite3.connect("/var/lib/vsmd/vsmd.db") as database:
    print(*database.execute(sys.argv[1]).fetchone() or "")' "$1"
}

# What was shown does not fall. It is raised here to what libvirt's numbers do not come near to.
progress_is_kept() {
  local job shown
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  shown=$(wait_prop A "$job" "$VSM_NAME.Job" PercentComplete '^[1-9]')
  host_run A systemctl stop vsmd.service
  assert_true "written down" test "$(database "SELECT percent FROM jobs WHERE number = ${job##*/}")" -ge "$shown"
  database "UPDATE jobs SET percent = 94 WHERE number = ${job##*/}"
  host_run A systemctl start vsmd.service
  wait_job A "$job" '^4$'
  assert_eq "$(job_prop A "$job" PercentComplete) $(system_prop A web MigrationProgress)" "94 94" "progress"
  let_go A "$job"
  assert_moved web "$job"
  back web
}

# It ends while nobody looks.
stopped_meanwhile() {
  local job
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  host_run A systemctl stop vsmd.service
  host_run A virsh -q migrate-setspeed --domain web --bandwidth 1000
  wait_system B web OperatingStatus '^0$'
  assert_guest_on B web
  assert_eq "$(guest_state A web)" "shut off" "without the service the definition stays here"
  assert_eq "$(autostart A web)" disable "and does not start the guest a second time"
  host_run A systemctl start vsmd.service
  assert_moved web "$job"
  back web
}

# libvirt ends a migration when it is restarted; the guest goes on where it is.
libvirtd_here() { # COMMAND...
  local job
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  host_run A "$@"
  wait_job A "$job" "$JOB"
  assert_eq "$(job_prop A "$job" JobState)" 10 "JobState"
  wait_prop A "$VSM_ROOT" "$VSM_NAME" Status '^OK$' >/dev/null
  wait_system A web MigrationState '^5$'
  assert_eq "$(system_prop A web MigrationFailureReason)" $((0x80004005)) "reason"
  assert_eq "$(autostart A web)" enable "autostart is back"
}

hosts_setup "$@"
guest_start A web --autostart
guest_start A other --ws 8 --autostart

killed_with_queue
ok "killed with one in the transfer and one in the queue: both go on"
host_run B virsh -q destroy --domain other
killed_then_cancelled
assert_stayed A B web
ok "killed, then the job is cancelled"
restarted
ok "restarted while memory moves"
progress_is_kept
ok "progress does not fall"
stopped_meanwhile
ok "stopped, and the migration ended meanwhile"
libvirtd_here systemctl restart libvirtd.service
assert_stayed A B web
ok "libvirt here is restarted while memory moves"
libvirtd_here systemctl kill --kill-who=main --signal=KILL libvirtd.service
assert_stayed A B web
ok "libvirt here is killed while memory moves"

hosts_done
plan
