#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Enabled, Disabled, Quiesce: what the service then takes, what its properties say at each moment, and that it is
# the same after a restart.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

system_path() { # HOST NAME
  printf '%s/system/%s\n' "$VSM_ROOT" "$(guest_uuid "$1" "$2" | tr - _)"
}

service() { # PROPERTY
  prop A "$VSM_ROOT" "$VSM_NAME" "$1"
}

job_prop() { # JOB PROPERTY
  prop A "$1" "$VSM_NAME.Job" "$2"
}

wait_job() { # JOB REGEX: until its JobState matches
  wait_prop A "$1" "$VSM_NAME.Job" JobState "$2" >/dev/null
}

path_of() { # REPLY: the object in it
  local path=${1#*\"}
  printf '%s\n' "${path%\"}"
}

# gdbus names the error, busctl does not.
assert_refused() { # ERROR WORDS METHOD [arguments as gdbus takes them]
  assert_fails_with "$VSM_NAME.Error.$1: .*$2" host_run A gdbus call --system --dest "$VSM_NAME" \
    --object-path "$VSM_ROOT" --method "$VSM_NAME.$3" "${@:4}"
}

request() { # STATE [TIMEOUT]
  call A "$VSM_ROOT" "$VSM_NAME" RequestStateChange qt "$1" "${2-0}"
}

quiesce() { # [TIMEOUT]: prints the path of the job
  local reply
  reply=$(request 9 "$@")
  assert_match "$reply" "^uo 4096 \"$VSM_ROOT/job/[0-9]+\"$" "a quiesce gives a job"
  path_of "$reply"
}

hold() { # NAME: a migration that does not end; prints the path of the job
  path_of "$(call A "$VSM_ROOT" "$VSM_NAME" MigrateVirtualSystemToHost 'osa{sv}a{sv}aa{sv}' \
    "$(system_path A "$1")" "$(host_name B)" 2 Bandwidth q 1 AllowThrottling b false 0 0)"
}

cancel() { # JOB: waits for it, too
  assert_eq "$(call A "$1" "$VSM_NAME.Job" RequestStateChange qt 4 0)" "u 4096" "cancelled"
  wait_job "$1" '^8$'
}

migrate_refused() { # WORDS
  assert_refused InvalidState "$1" MigrateVirtualSystemToHost "$(system_path A web)" "$(host_name B)" '{}' '{}' '[]'
}

# EnabledState RequestedState TransitioningToState AvailableRequestedStates Started
assert_states() { # "WORDS" WHAT
  assert_eq "$(service EnabledState) $(service RequestedState) $(service TransitioningToState) \
$(service AvailableRequestedStates | cut -d' ' -f2-) $(service Started)" "$1" "$2"
}

# The values that a property of the service had, in the order in which signals told them
told() { # FILE PROPERTY
  grep -F '"member":"PropertiesChanged"' "$1" | grep -F "\"path\":\"$VSM_ROOT\"" |
    grep -oE "\"$2\":\{\"type\":\"[a-z]+\",\"data\":[][0-9a-z,]+" | sed 's/.*://' | paste -sd ' '
}

gone() { # JOB
  ! job_prop "$1" JobState
}

restart_hard() {
  host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service
  assert_true "started again" wait_until 20 service EnabledState
}

fresh() {
  assert_states "2 0 5 3 9 true" "as nobody ever asked"
  assert_eq "$(service TimeOfLastStateChange)" 0 "no change yet"
  assert_eq "$(request 2)" 'uo 0 "/"' "Enabled again"
  assert_states "2 2 5 3 9 true" "asked for, nothing changed"
  assert_eq "$(service TimeOfLastStateChange)" 0 "still no change"
  assert_refused NotSupported '2 .*3 .*9' RequestStateChange 4 0
  assert_refused NotSupported '2 .*3 .*9' RequestStateChange 0 0
  assert_refused InvalidParameter TimeoutPeriod RequestStateChange 9 18446744073709551615
  assert_fails_with 'authoriz|denied|permitted' call_as A alice "$VSM_ROOT" "$VSM_NAME" StopService
}

disabled() {
  local running queued before after
  running=$(hold long)
  wait_job "$running" '^4$'
  queued=$(hold other)
  assert_eq "$(job_prop "$queued" JobState)" 2 "one waits"
  monitor_start A bus.disabled
  before=$(host_run A date +%s%6N)
  assert_eq "$(call A "$VSM_ROOT" "$VSM_NAME" StopService)" "u 0" "StopService"
  after=$(host_run A date +%s%6N)
  assert_states "3 3 5 2 9 false" "disabled"
  assert_between "$(service TimeOfLastStateChange)" "$before" "$after" "TimeOfLastStateChange"
  wait_for_line bus.disabled '"Started"' >/dev/null
  assert_eq "$(told bus.disabled EnabledState) $(told bus.disabled Started)" "3 false" "told"
  assert_eq "$(told bus.disabled AvailableRequestedStates)" "[2,9]" "told as well"
  migrate_refused disabled
  assert_eq "$(job_prop "$running" JobState)" 4 "what runs goes on"
  cancel "$running"
  assert_eq "$(service ActiveVirtualSystemMigrationCount)" 0 "there is room"
  assert_eq "$(job_prop "$queued" JobState)" 2 "and still one waits"

  restart_hard
  assert_states "3 3 5 2 9 false" "kept"
  assert_true "the queue too" wait_until 20 job_prop "$queued" JobState
  migrate_refused disabled
  assert_eq "$(job_prop "$queued" JobState)" 2 "and it waits on"
  assert_eq "$(call A "$VSM_ROOT" "$VSM_NAME" StartService)" "u 0" "StartService"
  assert_states "2 2 5 3 9 true" "enabled"
  wait_job "$queued" '^4$'
  cancel "$queued"
}

quiesced() {
  local running queued job
  running=$(hold long)
  wait_job "$running" '^4$'
  queued=$(hold other)
  monitor_start A bus.quiesce
  job=$(quiesce)
  assert_states "9 9 9 2 3 true" "quiescing"
  assert_eq "$(job_prop "$job" JobState) $(job_prop "$job" JobType) $(job_prop "$job" Owner)" "4 32770 root" "its job"
  assert_eq "$(job_prop "$job" Cancellable) $(job_prop "$job" VirtualSystem)" "true /" "more of it"
  migrate_refused quiesced
  assert_eq "$(quiesce)" "$job" "asked for again: the same"

  restart_hard
  assert_true "the job is there again" wait_until 20 job_prop "$job" JobState
  assert_states "9 9 9 2 3 true" "kept, with its transition"
  wait_job "$running" '^4$'
  assert_eq "$(job_prop "$job" JobState) $(job_prop "$job" Owner)" "4 root" "it goes on"
  assert_eq "$(job_prop "$job" InstanceID)" "org.example:MigrationJob/${job##*/}" "the same one"

  monitor_start A bus.end
  cancel "$running"
  wait_job "$job" '^7$'
  assert_states "9 9 5 2 3 true" "quiet"
  assert_eq "$(job_prop "$job" PercentComplete) $(job_prop "$job" ErrorCode)" "100 0" "a good end"
  assert_eq "$(job_prop "$queued" JobState)" 2 "the queue waits"
  wait_for_line bus.end "\"path\":\"$job\".*\"JobState\":.\"type\":\"q\",\"data\":7" >/dev/null
  assert_eq "$(grep -oE '"(JobState|TransitioningToState)":.{1,12}"data":[0-9]+' bus.end | tail -n 3 |
    sed -E 's/^"([A-Za-z]+).*:/\1 /' | paste -sd ' ')" "JobState 8 TransitioningToState 5 JobState 7" \
    "the migration, then the service, then the job"
  migrate_refused quiesced

  job=$(quiesce)
  wait_job "$job" '^7$'
  assert_eq "$(request 2)" 'uo 0 "/"' "enabled again"
  wait_job "$queued" '^4$'
  cancel "$queued"
}

other_ends() {
  local running job
  running=$(hold long)
  wait_job "$running" '^4$'

  job=$(quiesce)
  assert_eq "$(request 3)" 'uo 0 "/"' "Disabled meanwhile"
  wait_job "$job" '^8$'
  assert_states "3 3 5 2 9 false" "disabled"

  job=$(quiesce 1500000)
  wait_job "$job" '^10$'
  assert_eq "$(job_prop "$job" ErrorCode)" 32772 "ErrorCode"
  assert_match "$(call A "$job" "$VSM_NAME.Job" GetErrorEx)" '"MessageID" s "timed-out".*TimeoutPeriod' "GetErrorEx"
  assert_states "9 9 5 2 3 true" "still quiesced"
  assert_eq "$(job_prop "$running" JobState)" 4 "and the migration goes on"

  job=$(quiesce)
  assert_eq "$(call A "$job" "$VSM_NAME.Job" RequestStateChange qt 4 0)" "u 4096" "Terminate"
  wait_job "$job" '^8$'
  assert_eq "$(call A "$job" "$VSM_NAME.Job" RequestStateChange qt 4 0)" "u 0" "nothing left to do"
  job=$(quiesce)
  assert_eq "$(call A "$job" "$VSM_NAME.Job" KillJob b true)" "u 4096" "Kill"
  assert_true "and it goes" wait_until 20 gone "$job"
  assert_states "9 9 5 2 3 true" "still quiesced"

  # passed while nobody was there
  job=$(quiesce 2000000)
  host_run A systemctl stop vsmd.service
  wait_until 10 host_run A sh -c "test \$(date +%s) -gt $(($(host_run A date +%s) + 2))"
  host_run A systemctl start vsmd.service
  wait_job "$job" '^10$'
  assert_eq "$(job_prop "$job" ErrorCode)" 32772 "ErrorCode"
  cancel "$running"
  assert_eq "$(call A "$VSM_ROOT" "$VSM_NAME" StartService)" "u 0" "StartService"
}

# Many at once: whatever the order, the end fits together.
together() {
  local requested
  # shellcheck disable=SC2016 # for the shell over there
  host_run A sh -c 'for s in 2 3 9 2 9 3 9 9 2 3; do
    busctl -q call "$0" "$1" "$0" RequestStateChange qt $s 0 & done; wait' "$VSM_NAME" "$VSM_ROOT"
  requested=$(service RequestedState)
  assert_eq "$(service EnabledState)" "$requested" "the last one counts"
  request 2 >/dev/null
  restart_hard
  assert_states "2 2 5 3 9 true" "and is kept"
}

hosts_need gdbus
hosts_setup "$@"
host_write A /etc/vsmd/vsmd.conf.d/one.conf <<<$'[Service]\nMaximumActiveVirtualSystemMigration=1'
host_run A systemctl restart vsmd.service

fresh
ok "a fresh service; what it does not take"
guest_start A web --ws 8
guest_start A long --ws 8
guest_start A other --ws 8
disabled
ok "Disabled: refused, waiting, running; kept over a kill"
quiesced
ok "Quiesce lasts until nothing runs, over a kill too"
other_ends
ok "a quiesce ended by another state, by time, by cancel"
together
ok "many at once"
for name in web long other; do
  assert_guest_on A "$name"
  assert_guest_good "$name"
done
ok "no guest noticed"

hosts_done
plan
