# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# For tests that move guests with their disks: source it after libhosts.sh and libstorage.sh.
#
# Settings are written as GVariant text, without braces: "'Bandwidth': <uint16 1>".

# shellcheck disable=SC2034 # for the tests
END='^(7|8|9|10|32768)$'

transfer_prop() { # HOST JOB PROPERTY
  prop "$1" "$2" "$VSM_NAME.Job.Transfer" "$3"
}

wait_phase() { # HOST JOB REGEX
  wait_prop "$1" "$2" "$VSM_NAME.Job.Transfer" Phase "$3" >/dev/null
}

# System, disks and memory; gdbus names the error when there is one.
ask_move() { # FROM NAME TO [SETTINGS] [RESOURCES]
  host_run "$1" gdbus call --system --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.MigrateVirtualSystemToHost" "$(system_path "$1" "$2")" "$(host_name "$3")" \
    "{'MigrationType': <uint16 32771>${4:+, $4}}" '{}' "[${5-}]"
}

move() { # FROM NAME TO [SETTINGS] [RESOURCES]: prints the path of the job
  local reply
  reply=$(ask_move "$@")
  assert_match "$reply" "4096, .*'$VSM_ROOT/job/[0-9]+'" "the call gives a job"
  grep -oE "$VSM_ROOT/job/[0-9]+" <<<"$reply"
}

# Any kind of move, to a host by its name or to none; for the rest see ask_move.
ask_start() { # FROM NAME DESTINATION SETTINGS [SYSTEM] [RESOURCES]
  host_run "$1" gdbus call --system --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.MigrateVirtualSystemToHost" "$(system_path "$1" "$2")" "$3" "{$4}" "{${5-}}" "[${6-}]"
}

start_move() { # as ask_start; prints the path of the job
  local reply
  reply=$(ask_start "$@")
  assert_match "$reply" "4096, .*'$VSM_ROOT/job/[0-9]+'" "the call gives a job"
  grep -oE "$VSM_ROOT/job/[0-9]+" <<<"$reply"
}

# Of a NewResourceSettingData: "" is what the pools there decide
disk_to() { # TARGET PATH [POOL]
  # shellcheck disable=SC2016 # quotes of GVariant
  printf "{'ResourceType': <uint16 31>, 'InstanceID': <'%s'>, 'HostResource': <['%s']>%s}" "$1" "$2" \
    "${3:+, 'PoolID': <'$3'>}"
}

# Of UnmanagedVhds
volume_to() { # SOURCE DESTINATION
  printf "{'VhdSourcePath': <'%s'>, 'VhdDestinationPath': <'%s'>}" "$1" "$2"
}

# busctl escapes quotes
reasons() { # HOST JOB
  call "$1" "$2" "$VSM_NAME.Job" GetErrorEx | tr -d '\134'
}

assert_moved() { # HOST JOB [JOBSTATE]
  wait_job "$1" "$2" "$END" 120
  [ "$(job_prop "$1" "$2" JobState)" = "${3-7}" ] || reasons "$1" "$2" | evidence
  assert_eq "$(job_prop "$1" "$2" JobState)" "${3-7}" "JobState of the move"
}
