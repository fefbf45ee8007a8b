#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# QEMU at the destination stands still in the middle of a transfer: connections stay, nothing moves, and libvirt here
# would wait for ever. A cancel and StallTimeout both get the guest back.
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

SECOND=1000000

# Held in the transfer, with the other side frozen: prints the path of the job.
freeze() {
  local job
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  host_run B pkill -STOP qemu-system
  printf '%s\n' "$job"
}

assert_ended() { # JOB JOBSTATE MIGRATIONSTATE
  wait_job A "$1" '^(7|8|9|10|32768)$'
  assert_eq "$(job_prop A "$1" JobState)" "$2" "JobState"
  note "ended $(($(job_prop A "$1" ElapsedTime) / SECOND)) s after the start"
  assert_eq "$(system_prop A web MigrationState)" "$3" "MigrationState"
  assert_eq "$(host_run A virsh domjobinfo --domain web | awk '/^Job type/ { print $3 }')" None "plain running"
  assert_eq "$(host_run A virsh domstate --domain web --reason | head -n 1 | cut -d' ' -f1)" running "as virsh has it"
  assert_eq "$(autostart A web)" enable "autostart is back"
  assert_stayed A B web
}

goes_well() {
  local job
  job=$(migrate A web "$(host_name B)")
  wait_job A "$job" '^(7|8|9|10|32768)$'
  assert_eq "$(job_prop A "$job" JobState)" 7 "the same migration goes well now"
  assert_guest_on B web
  assert_guest_good web
}

hosts_need kvm
hosts_setup "$@"
guest_start A web --autostart

job=$(freeze)
assert_eq "$(request A "$job" 5)" 4096 "killed"
wait_tick web
assert_eq "$(job_prop A "$job" JobState)" 6 "it is not true at once"
assert_ended "$job" 9 4
assert_between "$(job_prop A "$job" ElapsedTime)" 0 $((40 * SECOND)) "soon"
ok "killed"

# The patient way waits for half a minute, unless somebody loses patience.
job=$(freeze)
assert_eq "$(request A "$job" 4)" 4096 "cancelled"
wait_job A "$job" '^6$'
assert_eq "$(request A "$job" 5)" 4096 "killed after all"
assert_ended "$job" 9 4
ok "cancelled, then killed"

host_write A /etc/vsmd/vsmd.conf.d/stall.conf <<<$'[Service]\nStallTimeout=5s'
host_run A systemctl restart vsmd.service
assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME.ServiceSettingData" StallTimeout)" $((5 * SECOND)) "StallTimeout"
job=$(freeze)
wait_prop A "$job" "$VSM_NAME.Job.Transfer" Verdict '^stalled$' >/dev/null
assert_ended "$job" 10 5
assert_eq "$(job_prop A "$job" ErrorCode)" 32772 "ErrorCode"
assert_eq "$(system_prop A web MigrationFailureReason)" $((0x80004005)) "reason"
ok "StallTimeout"

goes_well
ok "goes well after all that"

hosts_done
plan
