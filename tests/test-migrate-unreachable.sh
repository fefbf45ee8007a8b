#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The other host does not answer: from the beginning, with nobody listening, or from the middle on. libvirt alone
# would wait for more than two minutes; meanwhile the service answers everybody, and the guest runs on.
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

# Asks that often, one after the other, and prints how many answers came.
count_answers() { # TIMES
  # shellcheck disable=SC2016 # for the shell there
  host_run A sh -c 'n=0; for i in $(seq "$1"); do
    busctl --timeout=2 get-property "$2" "$3" "$2" ActiveVirtualSystemMigrationCount >/dev/null && n=$((n + 1))
  done; echo $n' sh "$1" "$VSM_NAME" "$VSM_ROOT"
}

# Everything vanishes: no refusal, no answer.
silent() { # DESTINATION
  local job
  job=$(migrate A web "$1")
  wait_job A "$job" '^3$'
  assert_eq "$(count_answers 100)" 100 "all questions are answered"
  assert_eq "$(job_prop A "$job" JobState)" 3 "and it dials still"
  assert_eq "$(system_prop A web MigrationState)" 1 "MigrationState"
  wait_job A "$job" '^(7|8|9|10|32768)$'
  assert_eq "$(job_prop A "$job" JobState)" 10 "JobState"
  assert_between "$(job_prop A "$job" ElapsedTime)" $SECOND $((20 * SECOND)) "it fails within seconds"
  assert_eq "$(system_prop A web MigrationState)" 5 "MigrationState"
  assert_eq "$(system_prop A web MigrationFailureReason)" $((0x80004005)) "reason"
  assert_eq "$(autostart A web)" enable "autostart is as it was"
}

silent_cancelled() {
  local job
  job=$(migrate A web 10.77.0.2)
  wait_job A "$job" '^3$'
  request A "$job" 4 >/dev/null
  wait_job A "$job" '^(7|8|9|10|32768)$'
  assert_eq "$(job_prop A "$job" JobState)" 8 "cancelled while it dials"
  assert_between "$(job_prop A "$job" ElapsedTime)" 0 $((3 * SECOND)) "at once"
}

# A check says so, and says it in time.
checked() {
  local reply
  reply=$(call A "$VSM_ROOT" "$VSM_NAME" CheckVirtualSystemIsMigratableToHost 'osa{sv}a{sv}aa{sv}' \
    "$(system_path A web)" "$(host_name B)" 0 0 0)
  assert_match "$reply" '^uba{1,2}.* 0 false|^ubaa\{sv\} 0 false' "not migratable"
  assert_match "$reply" '"MessageID" s "destination-unreachable"' "the reason"
}

# Whether libvirt on host B takes plain TCP. Whoever asks it meanwhile would start it, and it would take the socket.
listen() { # yes|no
  host_run B systemctl stop vsmd.service
  host_run B systemctl stop libvirtd.service libvirtd-tcp.socket
  [ "$1" = no ] || host_run B systemctl start libvirtd-tcp.socket vsmd.service
}

# Nobody listens: that is said at once.
refused() {
  local job
  at_exit 'listen yes'
  listen no
  job=$(migrate A web "$(host_name B)")
  wait_job A "$job" '^(7|8|9|10|32768)$'
  assert_eq "$(job_prop A "$job" JobState)" 10 "JobState"
  assert_between "$(job_prop A "$job" ElapsedTime)" 0 $((3 * SECOND)) "at once"
  assert_eq "$(system_prop A web MigrationState)" 5 "MigrationState"
  listen yes
}

# For good, as far as this host can know.
cut_in_the_middle() {
  local job
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  lab cut B
  assert_eq "$(request A "$job" 4)" 4096 "cancelled"
  wait_tick web
  wait_job A "$job" '^(7|8|9|10|32768)$' 120
  assert_eq "$(job_prop A "$job" JobState)" 8 "JobState"
  note "cancelled $(($(job_prop A "$job" ElapsedTime) / SECOND)) s after the start"
  assert_eq "$(system_prop A web MigrationState)" 4 "MigrationState"
  assert_eq "$(autostart A web)" enable "autostart is back"
  assert_eq "$(host_run A virsh domjobinfo --domain web | awk '/^Job type/ { print $3 }')" None "no job is left"
  assert_guest_on A web
  lab heal B
}

nothing_there() {
  [ "$(guest_state B web)" = none ] && ! host_run B pgrep qemu-system
}

goes_well() {
  local job
  job=$(migrate A web "$(host_name B)")
  wait_job A "$job" '^(7|8|9|10|32768)$'
  assert_eq "$(job_prop A "$job" JobState)" 7 "the same migration goes well now"
  assert_guest_on B web
  assert_eq "$(autostart B web)" enable "autostart there"
  assert_guest_good web
}

hosts_need kvm
hosts_setup "$@"
guest_start A web --autostart

assert_eq "$(count_answers 100)" 100 "all questions are answered when idle"
lab cut B
silent "$(host_name B)"
ok "packets vanish: it fails within seconds, and everybody is answered meanwhile"
silent_cancelled
ok "packets vanish: cancelled"
checked
ok "packets vanish: a check says so"
lab heal B
assert_stayed A B web

refused
assert_stayed A B web
ok "nobody listens"

cut_in_the_middle
# libvirt there finds out by itself that the sender has gone.
wait_until 60 nothing_there || fail "nothing is left on host B"
assert_stayed A B web
ok "cut off in the middle: a cancel gets the guest back"
goes_well
ok "goes well after all that"

hosts_done
plan
