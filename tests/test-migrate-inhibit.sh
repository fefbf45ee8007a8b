#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# logind knows that guests move, and asks people who would shut the host down or have it sleep; where it is not allowed to
# know, guests move all the same.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

# What is blocked by the service: "shutdown sleep", "" when nothing is
blocked() {
  host_run A busctl --json=short call org.freedesktop.login1 /org/freedesktop/login1 \
    org.freedesktop.login1.Manager ListInhibitors |
    grep -oE '\["(shutdown|sleep)","Virtual System Migration Service","[^"]+","block"' |
    sed -E 's/^\["([a-z]+)".*/\1/' | sort | tr '\n' ' ' | sed 's/ $//'
}

is_blocked() { # WHAT
  [ "$(blocked)" = "$1" ]
}

taken_and_given_back() {
  local job
  assert_eq "$(blocked)" "" "nothing moves, and nothing is held up"
  job=$(hold A web B)
  wait_until 10 is_blocked "shutdown sleep"
  assert_eq "$(request A "$job" 4)" 4096 "cancelled"
  wait_job A "$job" '^(7|8|9|10|32768)$'
  wait_until 10 is_blocked ""
}

refused() {
  local job
  polkit_rule A 10-no-locks <<'RULE'
polkit.addRule(function(action, subject) {
    if (subject.user == "vsmd" && /^org\.freedesktop\.login1\./.test(action.id))
        return polkit.Result.NO;
});
RULE
  job=$(hold A web B)
  assert_eq "$(blocked)" "" "no lock"
  let_go A "$job"
  wait_job A "$job" '^(7|8|9|10|32768)$'
  assert_eq "$(job_prop A "$job" JobState)" 7 "it moved all the same"
  assert_guest_on B web
}

hosts_need gdbus
hosts_setup "$@"
guest_start A web --ws 8

taken_and_given_back
ok "a shutdown is held while a guest moves, and let go after it"
refused
ok "without polkit's permission guests move all the same"

hosts_done
plan
