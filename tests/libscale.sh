# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Much of everything, for the test and the benchmark of how the service bears it: source it after libhosts.sh.
# shellcheck disable=SC2154 # test_dir is from libtest.sh

bus_caller=$test_dir/bus-caller
[ -x "$bus_caller" ] || bus_caller=/usr/libexec/installed-tests/vsmd/bus-caller
scale_number=0 # no two settings are alike

# Lines for bus-caller; each of its answers has to be "ok"
scale_calls() { # COUNT: of answers
  local out
  out=$({ printf 'service\t%s\t%s\t%s\n' "$VSM_NAME" "$VSM_ROOT" "$VSM_NAME" && cat; } | host_run A "$bus_caller")
  assert_eq "$(grep -v $'\tok\t' <<<"$out" | head -n 5)" "" "each call is answered"
  assert_eq "$(grep -c $'\tok\t' <<<"$out")" "$(($1 + 1))" "all are answered"
}

scale_line() { # PATH INTERFACE.METHOD TYPE ARGUMENTS
  printf 'call\tc\t%s\t%s\t%s\t%s\n' "$@"
}

# One key each, and each time another value
change_settings() { # COUNT
  local i
  for ((i = 0; i < $1; i++)); do
    scale_line "$VSM_ROOT" "$VSM_NAME.ModifyServiceSettings" '(a{sv})' \
      "({'HistoryLimit': <uint32 $((20000 + scale_number + i))>},)"
  done | scale_calls "$1"
  scale_number=$((scale_number + $1))
}

network_numbers() {
  host_run A busctl tree --list "$VSM_NAME" | sed -n 's,.*/network/,,p' | sort -n
}

# One by one; 1 and 2 are those of a fresh service
add_networks() { # COUNT
  local i
  for ((i = 0; i < $1; i++)); do
    scale_line "$VSM_ROOT" "$VSM_NAME.AddNetworkSettings" '(aa{sv})' \
      "([{'SubnetNumber': <'100.64.$i.0'>, 'PrefixLength': <byte 24>}],)"
  done | scale_calls "$1"
}

remove_networks() {
  local numbers number
  numbers=$(network_numbers | awk '$1 > 2')
  for number in $numbers; do
    scale_line "$VSM_ROOT" "$VSM_NAME.RemoveNetworkSettings" '(ao)' "([objectpath '$VSM_ROOT/network/$number'],)"
  done | scale_calls "$(wc -w <<<"$numbers")"
}

# Moves that wait in the queue behind a held one, and are killed there: each is written to the disk when it is
# accepted and when it ends, and is in the history then. The object goes at its end.
make_history() { # COUNT SYSTEM-PATH
  local i
  for ((i = 0; i < $1; i++)); do
    scale_line "$VSM_ROOT" "$VSM_NAME.MigrateVirtualSystemToHost" '(osa{sv}a{sv}aa{sv})' "('$2', 'hostb', {}, {}, [])"
    printf 'save\tjob\n'
    scale_line @job@ "$VSM_NAME.Job.KillJob" '(b)' '(true,)'
    printf 'wait\tw\t@job@\t%s.Job\tJobState\t9\n' "$VSM_NAME"
  done | scale_calls "$(($1 * 3))"
  wait_until 60 one_job_left
}

one_job_left() {
  [ "$(host_run A busctl tree --list "$VSM_NAME" | grep -c "$VSM_ROOT/job/")" = 1 ]
}

# At most 1000 entries in one answer
history_length() {
  host_run A busctl --json=short call "$VSM_NAME" "$VSM_ROOT" "$VSM_NAME.Manager" ListHistory 'a{sv}' 1 Limit u 1000 |
    grep -o '"JobState"' | wc -l
}
