# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# For tests about moves that place a definition: source it after libhosts.sh and libstorage.sh. Asks for them on the
# bus; what became of them is for virsh to say.

MOVE_ENDED='^(7|8|9|10|32768)$'

# Of the disks, all go to the pool. SETTINGS and SYSTEM are as busctl takes an a{sv}, without the number.
move_begin() { # FROM NAME TO TYPE POOL|- [SETTINGS [SYSTEM]]: prints the path of the job
  local settings system resources=(0) reply target
  local -a targets=()
  read -r -a settings <<<"MigrationType q $4 ${6-}"
  read -r -a system <<<"${7-}"
  if [ "$5" != - ]; then
    mapfile -t targets < <(disk_paths "$1" "$2" config | cut -d' ' -f1)
    resources=("${#targets[@]}")
    for target in "${targets[@]}"; do
      resources+=(3 ResourceType q 17 InstanceID s "$target" PoolID s "$5")
    done
  fi
  reply=$(call "$1" "$VSM_ROOT" "$VSM_NAME" MigrateVirtualSystemToHost 'osa{sv}a{sv}aa{sv}' \
    "$(system_path "$1" "$2")" "$(host_name "$3")" $((${#settings[@]} / 3)) "${settings[@]}" \
    $((${#system[@]} / 3)) "${system[@]}" "${resources[@]}")
  assert_match "$reply" "^uo 4096 \"$VSM_ROOT/job/[0-9]+\"$" "the call gives a job"
  reply=${reply#*\"}
  printf '%s\n' "${reply%\"}"
}

# All that it says of what went wrong
job_errors() { # HOST JOB
  call "$1" "$2" "$VSM_NAME.Job" GetErrorEx
}

assert_job() { # HOST JOB STATE: at its end
  wait_job "$1" "$2" "$MOVE_ENDED" 180
  [ "$(job_prop "$1" "$2" JobState)" = "$3" ] && return
  job_errors "$1" "$2" | evidence
  fail "job ${2##*/} ended $(job_prop "$1" "$2" JobState), not $3"
}

assert_job_fails() { # HOST JOB REGEX: of its errors
  assert_job "$1" "$2" 10
  assert_match "$(job_errors "$1" "$2")" "$3" "why job ${2##*/} failed"
}

cancel() { # HOST JOB
  assert_eq "$(call "$1" "$2" "$VSM_NAME.Job" RequestStateChange qt 4 0)" "u 4096" "cancelled"
}

kill_service() { # HOST
  host_run "$1" systemctl kill --kill-who=main --signal=KILL vsmd.service
}

### what a test calls in the middle of a move from host A

cancelled() { # JOB
  cancel A "$1"
  assert_job A "$1" 8
}

killed() { # JOB
  kill_service A
  assert_job A "$1" 10
}

# Host B does not answer.
dial_and_cancel() { # NAME TYPE
  local job
  lab cut B
  job=$(move_begin A "$1" B "$2" store)
  wait_job A "$job" '^3$'
  cancel A "$job"
  assert_job A "$job" 8
  lab heal B
}

### where things are

definition() { # HOST NAME: the stored one
  host_run "$1" virsh -q dumpxml --inactive --domain "$2"
}

has_mark() { # HOST NAME
  definition "$1" "$2" 2>/dev/null | grep -q VirtualSystemMigration:planned
}

has_volumes() { # HOST POOL
  [ -n "$(volumes "$1" "$2")" ]
}

# The service of a host stands still most of the time from now on, until it is killed, so that it can be caught in
# the middle: in the moment in which libvirt of another host tells of an event, or by who calls this.
slow_down() { # HOST [OTHER EVENT PATTERN]
  rm -f slow.log
  # shellcheck disable=SC2016 # for the shell over there
  start_background slow.log "$hosts_lab" --dir "$VSM_LAB_DIR" run "$1" bash -c \
    'pid=$(systemctl show -P MainPID vsmd.service)
    exec {never}<> <(:)
    events=$never
    [ -z "$1" ] || exec {events}< <(exec stdbuf -oL virsh -c "$1" event --event "$2" --timestamp --loop)
    echo "slow: $pid"
    while kill -STOP "$pid"; do
      while read -r -t 0.03 -u "$events" line; do
        [[ $line != $3 ]] || { kill -KILL "$pid" && echo "killed at: $line"; }
      done
      kill -CONT "$pid" && read -r -t 0.001 -u "$never"
    done' bash "${2:+$(host_uri "$2")}" "${@:3}"
  wait_for_line slow.log '^slow' 10 >/dev/null
}

wait_killed() {
  wait_for_line slow.log '^killed at' 90 >/dev/null
}

# The service was killed, and is back; what the job had begun comes to an end. Prints how.
survived() { # HOST JOB STATE-REGEX
  local state
  wait_until 30 host_run "$1" systemctl --quiet is-active vsmd.service
  wait_prop "$1" "$VSM_ROOT" "$VSM_NAME" Status '^OK$' >/dev/null
  wait_job "$1" "$2" "$MOVE_ENDED" 120
  host_run "$1" journalctl -q -u vsmd.service | grep "Job ${2##*/} .* was not at its end" >/dev/null ||
    note "job ${2##*/} was at its end already"
  state=$(job_prop "$1" "$2" JobState)
  assert_match "$state" "^$3$" "JobState of the job that was interrupted"
  printf '%s\n' "$state"
}
