#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A migration can be cancelled at every moment before the guest is handed over. Then the guest runs on where it was,
# and nothing of it is left on the other host.
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

# gdbus names the error, busctl does not.
assert_refused() { # ERROR HOST PATH INTERFACE.METHOD [arguments as gdbus takes them]
  assert_fails_with "$VSM_NAME.Error.$1:" host_run "$2" gdbus call --system --dest "$VSM_NAME" \
    --object-path "$3" --method "${@:4}"
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

# The values that a property had, in the order in which signals told them
seen() { # FILE PROPERTY
  grep -F '"member":"PropertiesChanged"' "$1" | grep -oE "\"$2\":\{\"type\":\"[a-z]\",\"data\":[0-9a-z]+" |
    sed 's/.*://' | paste -sd ' '
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

assert_cancelled() { # NAME JOB [JOBSTATE]
  wait_job A "$2" "^${3-8}$"
  assert_eq "$(system_prop A "$1" MigrationState)" 4 "MigrationState"
  assert_eq "$(system_prop A "$1" MigrationFailureReason)" 0 "a cancel is no failure"
  assert_eq "$(job_prop A "$2" ErrorCode)" 0 "nor is it an error"
  assert_eq "$(job_prop A "$2" Cancellable)" false "Cancellable at the end"
  assert_eq "$(request A "$2" 4)" 0 "a cancel of what is cancelled has nothing to do"
}

limit_one() {
  host_write A /etc/vsmd/vsmd.conf.d/one.conf <<<$'[Service]\nMaximumActiveVirtualSystemMigration=1'
  host_run A systemctl restart vsmd.service
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

in_transfer() { # REQUEST JOBSTATE
  local job
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  assert_eq "$(autostart A web)" disable "autostart is off on the way"
  assert_eq "$(request A "$job" "$1")" 4096 "cancelled"
  assert_cancelled web "$job" "$2"
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
  assert_eq "$(system_prop A web MigrationState)" 5 "MigrationState"
  assert_eq "$(system_prop A web MigrationFailureReason)" $((0x80004005)) "reason"
  assert_eq "$(autostart A web)" enable "autostart is back"
  assert_stayed A B web
}

hosts_need kvm gdbus
hosts_setup "$@"
guest_start A web --autostart
guest_start A long --ws 8
limit_one

in_queue
ok "cancelled in the queue"
in_setup
ok "cancelled while the other host is dialled"
monitor_start A bus.transfer
in_transfer 4 8
assert_eq "$(seen bus.transfer MigrationState)" "1 2 4" "from 4 to 1 at the next start"
assert_eq "$(seen bus.transfer JobState)" "3 4 6 8" "its states"
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
