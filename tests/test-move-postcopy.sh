#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Post-copy: a guest that writes faster than the link takes goes over when it is time, at once when that was asked for,
# and when somebody says so; from the switch on it is handed over, cannot be cancelled, survives a restart of the
# service and a link that is cut for a while, and no write is lost. What does not go with it is refused; a migration
# that may not pause it for long is given up where that would be needed.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libmove.sh
. "$test_dir/libmove.sh"

TRANSFER=$VSM_NAME.Job.Transfer

limit_links() { # RATE: of each host
  lab link A rate "$1"
  lab link B rate "$1"
}

post_copy() { # FROM NAME TO POSTCOPY [SETTING TYPE VALUE]...: prints the path of the job
  migrate "$1" "$2" "$(host_name "$3")" $((($# - 4) / 3 + 1)) PostCopy s "$4" "${@:5}"
}

wait_post_copy() { # HOST JOB NAME
  wait_prop "$1" "$2" "$TRANSFER" Phase '^post-copy$' >/dev/null
  assert_eq "$(prop "$1" "$2" "$TRANSFER" Mode) $(system_prop "$1" "$3" MigrationState)" "post-copy 3" \
    "Mode and MigrationState in post-copy"
  assert_eq "$(job_prop "$1" "$2" Cancellable)" false "it cannot be cancelled any more"
}

assert_rises() { # FILE PROPERTY
  local values
  values=$(seen "$1" "$2" | tr ' ' '\n')
  assert_eq "$values" "$(sort -n <<<"$values")" "$2 never falls"
}

# All of it is there, and nothing here.
assert_arrived() { # FROM TO JOB NAME
  wait_job "$1" "$3" "$END" 120
  [ "$(job_prop "$1" "$3" JobState)" = 7 ] || reasons "$1" "$3" | evidence
  assert_eq "$(job_prop "$1" "$3" JobState) $(prop "$1" "$3" "$TRANSFER" Mode)" "7 post-copy" "JobState and Mode"
  assert_guest_on "$2" "$4"
  assert_eq "$(guest_state "$1" "$4")" none "no definition of it on host $1"
  assert_eq "$(host_run "$1" pgrep -c qemu-system || true)" 0 "no QEMU on host $1"
  wait_system "$2" "$4" OperatingStatus '^0$'
  wait_tick "$4"
  assert_guest_good "$4"
}

automatic() {
  local job
  monitor_start A bus.auto
  job=$(post_copy A web B auto)
  wait_post_copy A "$job" web
  assert_fails_with 'too late' call A "$job" "$VSM_NAME.Job" RequestStateChange qt 4 0
  assert_fails_with 'too late' call A "$job" "$VSM_NAME.Job" KillJob b false
  assert_fails_with 'already' call A "$job" "$TRANSFER" StartPostCopy
  assert_arrived A B "$job" web
  wait_for_line bus.auto '"JobState":\{"type":"q","data":7' >/dev/null
  assert_eq "$(seen bus.auto MigrationState)" "1 2 3 0" "its states"
  assert_match "$(seen bus.auto Phase)" 'memory( switch-over)? post-copy finishing done$' "its phases"
  assert_match " $(seen bus.auto Verdict) " ' switching ' "its verdicts"
  assert_rises bus.auto PercentComplete
}

at_once() {
  local job
  monitor_start B bus.now
  job=$(post_copy B web A now)
  wait_prop B "$job" "$TRANSFER" Mode '^post-copy$' >/dev/null
  assert_arrived B A "$job" web
  wait_for_line bus.now '"JobState":\{"type":"q","data":7' >/dev/null
  assert_eq "$(seen bus.now MigrationState)" "1 2 3 0" "its states"
  # QEMU counts on from an earlier migration; the last one is the second half
  assert_between "$(seen bus.now Iteration | wc -w)" 2 3 "passes"
}

# In the first pass, which takes long; the limit holds in the second half, too. Prints the path of the job.
by_hand() { # FROM TO
  local job
  job=$(post_copy "$1" web "$2" auto Bandwidth q 1)
  wait_prop "$1" "$job" "$TRANSFER" MemoryProcessed '^[1-9][0-9]{6}' >/dev/null
  assert_fails_with 'Access ?denied|not authorized' call_as "$1" alice "$job" "$TRANSFER" StartPostCopy
  call "$1" "$job" "$TRANSFER" StartPostCopy
  wait_post_copy "$1" "$job" web
  printf '%s\n' "$job"
}

killed() {
  local job
  job=$(by_hand A B)
  host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service
  wait_service A 30 prop A "$VSM_ROOT" "$VSM_NAME" Status
  wait_post_copy A "$job" web
  assert_eq "$(system_prop A web MigrationJob)" "$job" "the job is the one of before"
  let_go A "$job"
  assert_arrived A B "$job" web
}

link_cut() {
  local job
  job=$(by_hand B A)
  lab cut A
  wait_prop B "$job" "$TRANSFER" Verdict '^stalled$' >/dev/null
  assert_eq "$(system_prop B web MigrationState)" 3 "still handed over"
  lab heal A
  let_go B "$job"
  assert_arrived B A "$job" web
}

refused() {
  local path job row
  path=$(system_path A web)
  while IFS='|' read -r row; do
    assert_refused IncompatibleParameters A "$VSM_ROOT" "$VSM_NAME.MigrateVirtualSystemToHost" "$path" \
      "$(host_name B)" "{'PostCopy': <'now'>, $row}" '{}' '[]'
  done <<'EOT'
'ParallelConnections': <uint32 2>
'MigrationType': <uint16 3>
'MigrationType': <uint16 4>
'CancelIfBlackoutThresholdExceeded': <true>
EOT
  job=$(post_copy A web B auto ParallelConnections u 2 Bandwidth q 1)
  wait_prop A "$job" "$TRANSFER" MemoryProcessed '^[1-9][0-9]{5}' >/dev/null
  assert_match "$(call A "$job" "$VSM_NAME.Job" GetRequest)" '"PostCopy" s "never"' "what is done is told"
  assert_refused InvalidState A "$job" "$TRANSFER.StartPostCopy"
  assert_eq "$(request A "$job" 4)" 4096 "cancelled"
  wait_job A "$job" '^8$'
  assert_refused InvalidState A "$job" "$TRANSFER.StartPostCopy"
}

# It writes all of its memory again in each pass, and may not be helped.
blackout() {
  local job
  job=$(post_copy A small B auto CancelIfBlackoutThresholdExceeded b true MaximumDowntime u 50 AllowThrottling b false)
  wait_job A "$job" "$END"
  assert_eq "$(job_prop A "$job" JobState)" 10 "given up"
  assert_match "$(reasons A "$job")" 'blackout-too-long' "its reason"
  assert_eq "$(prop A "$job" "$TRANSFER" Verdict)" impossible "its verdict"
  assert_eq "$(system_prop A small MigrationState)" 5 "MigrationState"
  assert_stayed A B small
}

hosts_need kvm
hosts_setup "$@"
limit_links 40mbit
guest_start A web --ws 12 --rate 16 &
starting=$!
guest_start A small --ws 4 --rate 20
blackout
host_run A virsh -q destroy --domain small
ok "a migration that would pause it for too long is given up"

wait "$starting"
note "$SECONDS s"
automatic
ok "\"auto\" switches when passes do not shrink, and the guest arrives whole"
note "$SECONDS s"
at_once
ok "\"now\" switches after the first pass"
note "$SECONDS s"
killed
ok "StartPostCopy switches in the first pass, and a service that was killed finds it in post-copy"
note "$SECONDS s"
link_cut
ok "a link that is cut for some seconds costs nothing"
note "$SECONDS s"
refused
ok "what does not go with post-copy is refused"
note "$SECONDS s"

limit_links unlimited
hosts_done
plan
