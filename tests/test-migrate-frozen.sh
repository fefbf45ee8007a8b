#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# QEMU at the destination stands still in the middle of a transfer: connections stay, nothing moves, and libvirt here
# would wait for ever. A cancel and StallTimeout both get the guest back.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

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
  assert_eq "$(libvirt_job A web)" None "plain running"
  assert_eq "$(host_run A virsh domstate --domain web --reason | head -n 1 | cut -d' ' -f1)" running "as virsh has it"
  assert_eq "$(autostart A web)" enable "autostart is back"
  assert_stayed A B web
}

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

host_write A /etc/vsmd/vsmd.conf.d/stall.conf <<<$'[Service]\nStallTimeout=3s'
host_run A systemctl restart vsmd.service
assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME.ServiceSettingData" StallTimeout)" $((3 * SECOND)) "StallTimeout"
job=$(freeze)
wait_prop A "$job" "$VSM_NAME.Job.Transfer" Verdict '^stalled$' >/dev/null
assert_ended "$job" 10 5
assert_eq "$(job_prop A "$job" ErrorCode)" 32772 "ErrorCode"
assert_eq "$(system_prop A web MigrationFailureReason)" $((0x80004005)) "reason"
ok "StallTimeout"

assert_moves A B web
ok "goes well after all that"

hosts_done
plan
