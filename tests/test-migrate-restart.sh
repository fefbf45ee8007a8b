#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The service is killed, stopped and restarted while guests move, and so is libvirt of the source. Jobs keep their
# numbers, and each comes to the end that is true on both hosts.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

system_path() { # HOST NAME
  printf '%s/system/%s\n' "$VSM_ROOT" "$(guest_uuid "$1" "$2" | tr - _)"
}

system_prop() { # HOST NAME PROPERTY
  prop "$1" "$(system_path "$1" "$2")" "$VSM_NAME.System" "$3"
}

wait_system() { # HOST NAME PROPERTY REGEX
  wait_prop "$1" "$(system_path "$1" "$2")" "$VSM_NAME.System" "$3" "$4" >/dev/null
}

job_prop() { # HOST JOB PROPERTY
  prop "$1" "$2" "$VSM_NAME.Job" "$3"
}

wait_job() { # HOST JOB REGEX [SECONDS]: until its JobState matches
  wait_prop "$1" "$2" "$VSM_NAME.Job" JobState "${@:3}" >/dev/null
}

migrate() { # FROM NAME DESTINATION [settings as busctl takes them]: prints the path of the job
  local reply
  [ $# -gt 3 ] || set -- "$@" 0
  reply=$(call "$1" "$VSM_ROOT" "$VSM_NAME" MigrateVirtualSystemToHost 'osa{sv}a{sv}aa{sv}' \
    "$(system_path "$1" "$2")" "$3" "${@:4}" 0 0)
  assert_match "$reply" "^uo 4096 \"$VSM_ROOT/job/[0-9]+\"$" "the call gives a job"
  reply=${reply#*\"}
  printf '%s\n' "${reply%\"}"
}

request() { # HOST JOB STATE: asks for a state of the job, prints the return value
  local reply
  reply=$(call "$1" "$2" "$VSM_NAME.Job" RequestStateChange qt "$3" 0)
  printf '%s\n' "${reply#u }"
}

# Held in its transfer by a limit that it cannot reach the end with.
hold() { # FROM NAME TO [SETTING TYPE VALUE]...: prints the path of the job
  migrate "$1" "$2" "$(host_name "$3")" $((($# - 3) / 3 + 1)) Bandwidth q 1 "${@:4}"
}

let_go() { # HOST JOB: lifts the limit
  call "$1" "$2" "$VSM_NAME.Job.Transfer" SetParameters 'a{sv}' 1 Bandwidth q 1000
}

# As before the migration: it runs here, and there is nothing of it there, not even a process.
assert_stayed() { # HERE THERE NAME
  assert_guest_on "$1" "$3"
  assert_eq "$(guest_state "$2" "$3")" none "no definition of $3 on host $2"
  assert_eq "$(host_run "$2" pgrep -c qemu-system || true)" 0 "no QEMU on host $2"
  assert_eq "$(prop "$1" "$VSM_ROOT" "$VSM_NAME" ActiveVirtualSystemMigrationCount)" 0 "no migration is counted"
  assert_eq "$(system_prop "$1" "$3" OperatingStatus)" 0 "OperatingStatus of $3"
  wait_tick "$3"
  assert_guest_good "$3"
}

autostart() { # HOST NAME: enable or disable, as virsh has it
  host_run "$1" virsh -q dominfo --domain "$2" | awk '/^Autostart/ { print $2 }'
}

JOB='^(7|8|9|10|32768)$'

kill_service() {
  host_run A systemctl kill --signal=KILL vsmd.service
}

limit_one() {
  host_write A /etc/vsmd/vsmd.conf.d/one.conf <<<$'[Service]\nMaximumActiveVirtualSystemMigration=1'
  host_run A systemctl restart vsmd.service
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
  limit_one
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

hosts_need kvm
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
