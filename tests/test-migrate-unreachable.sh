#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The other host does not answer: from the beginning, with nobody listening, or from the middle on. libvirt alone
# would wait for more than two minutes; meanwhile the service answers everybody, and the guest runs on.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

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
  assert_eq "$(libvirt_job A web)" None "no job is left"
  assert_guest_on A web
  lab heal B
}

nothing_there() {
  [ "$(guest_state B web)" = none ] && ! host_run B pgrep qemu-system
}

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
# libvirt there finds out by itself that the sender has gone; the service there then drops the guest's object.
wait_service B 60 nothing_there || fail "nothing is left on host B"
assert_stayed A B web
ok "cut off in the middle: a cancel gets the guest back"
assert_moves A B web
assert_eq "$(autostart B web)" enable "autostart there"
ok "goes well after all that"

hosts_done
plan
