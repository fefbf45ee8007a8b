#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# EnableVirtualSystemMigration false: nothing leaves, and nothing comes in, whoever sends it and with whatever tool;
# he is told why. That holds while the daemon does not run, and ends with the setting.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

REFUSE=/var/lib/vsmd/refuse

# A file, and nobody tells of it: looked for again and again
wait_refusal() { # there|gone WHAT
  if [ "$1" = there ]; then set -- "$2" test -e; else set -- "$2" test ! -e; fi
  assert_true "$1" wait_until 10 host_run B "${@:2}" "$REFUSE"
}

enable() { # HOST true|false
  assert_eq "$(call "$1" "$VSM_ROOT" "$VSM_NAME" ModifyServiceSettings 'a{sv}' 1 \
    EnableVirtualSystemMigration b "$2")" 'uo 0 "/"' "set to $2 on host $1"
}

migrate() { # FROM TO: prints the path of the job
  local reply
  reply=$(call "$1" "$VSM_ROOT" "$VSM_NAME" MigrateVirtualSystemToHost 'osa{sv}a{sv}aa{sv}' \
    "$(system_path "$1" web)" "$(host_name "$2")" "${@:3}" 0 0 0)
  reply=${reply#*\"}
  printf '%s\n' "${reply%\"}"
}

sentence() {
  printf 'Host %s takes no guests: the setting EnableVirtualSystemMigration' "$(host_name B)"
}

# By vsmd, by vsmctl, by virsh: the sentence arrives, the guest stays and notices nothing.
assert_all_refused() {
  local job errors
  job=$(migrate A B)
  wait_prop A "$job" "$VSM_NAME.Job" JobState '^(7|8|9|10|32768)$' >/dev/null
  assert_eq "$(prop A "$job" "$VSM_NAME.Job" JobState)" 10 "JobState"
  assert_eq "$(prop A "$(system_path A web)" "$VSM_NAME.System" MigrationState)" 5 "MigrationState"
  errors=$(call A "$job" "$VSM_NAME.Job" GetErrorEx)
  assert_match "$errors" "$(sentence)" "GetErrorEx tells the reason"
  assert_not_match "$(prop A "$job" "$VSM_NAME.Job" ErrorDescription)" "$(host_name B)" "what all may read does not"
  assert_fails_with "$(sentence)" host_run A vsmctl migrate web "$(host_name B)"
  assert_fails_with "$(sentence)" host_run A virsh -q migrate --live --p2p --domain web "$(host_uri B)"
  assert_fails_with "$(sentence)" host_run A virsh -q migrate --live --domain web "$(host_uri B)"
  assert_guest_on A web
  assert_eq "$(guest_state B web)" none "nothing of it is there"
  wait_tick web
  assert_guest_good web
}

virsh_move() { # FROM TO
  host_run "$1" virsh -q migrate --live --p2p --persistent --undefinesource --domain web "$(host_uri "$2")"
}

# The guest comes in by virsh, and goes back.
assert_let_in() {
  assert_no_refusal
  assert_true "comes in" virsh_move A B
  assert_guest_on B web
  assert_true "goes back" virsh_move B A
  assert_guest_on A web
}

assert_no_refusal() {
  assert_fails host_run B test -e "$REFUSE"
}

at_destination() {
  assert_let_in
  enable B false
  assert_eq "$(host_run B cat "$REFUSE" | wc -l)" 1 "one sentence, there when the call returns"
  assert_all_refused
}

# The file speaks for itself, and is mended.
without_daemon() {
  host_run B systemctl kill --kill-who=main --signal=KILL vsmd.service
  host_run B systemctl stop vsmd.service
  assert_fails_with "$(sentence)" host_run A virsh -q migrate --live --p2p --domain web "$(host_uri B)"
  host_run B rm -f "$REFUSE"
  host_run B systemctl start vsmd.service
  wait_refusal there "there again"
  assert_fails_with "$(sentence)" host_run A virsh -q migrate --live --p2p --domain web "$(host_uri B)"

  # one that a crash left behind
  enable B true
  assert_no_refusal
  host_run B systemctl stop vsmd.service
  host_run B sh -c "echo 'Old.' >$REFUSE"
  host_run B systemctl start vsmd.service
  wait_refusal gone "gone again"
  assert_let_in
}

# What nobody set over the bus.
by_file() {
  host_write B /etc/vsmd/vsmd.conf.d/closed.conf <<<$'[Service]\nEnableVirtualSystemMigration=false'
  host_run B systemctl reload vsmd.service
  wait_refusal there "closed by a file"
  assert_fails_with "$(sentence)" host_run A virsh -q migrate --live --p2p --domain web "$(host_uri B)"
  host_run B rm /etc/vsmd/vsmd.conf.d/closed.conf
  host_run B systemctl reload vsmd.service
  wait_refusal gone "opened again"
}

# At the source: new ones are refused at once, one that waits waits, one that runs goes on.
at_source() {
  local running waits
  running=$(path=$(system_path A long) && call A "$VSM_ROOT" "$VSM_NAME" MigrateVirtualSystemToHost \
    'osa{sv}a{sv}aa{sv}' "$path" "$(host_name B)" 2 Bandwidth q 1 AllowThrottling b false 0 0)
  running=${running#*\"} running=${running%\"}
  wait_prop A "$running" "$VSM_NAME.Job" JobState '^4$' >/dev/null
  call A "$VSM_ROOT" "$VSM_NAME" ModifyServiceSettings 'a{sv}' 1 MaximumActiveVirtualSystemMigration u 1 >/dev/null
  waits=$(migrate A B)
  enable A false
  assert_fails_with "$VSM_NAME.Error.InvalidState: .*EnableVirtualSystemMigration" host_run A gdbus call --system \
    --dest "$VSM_NAME" --object-path "$VSM_ROOT" --method "$VSM_NAME.MigrateVirtualSystemToHost" \
    "$(system_path A other)" "$(host_name B)" '{}' '{}' '[]'
  assert_eq "$(prop A "$running" "$VSM_NAME.Job" JobState)" 4 "what runs goes on"
  call A "$running" "$VSM_NAME.Job" RequestStateChange qt 4 0 >/dev/null
  wait_prop A "$running" "$VSM_NAME.Job" JobState '^8$' >/dev/null
  assert_eq "$(prop A "$waits" "$VSM_NAME.Job" JobState)" 2 "what waits waits"
  enable A true
  wait_prop A "$waits" "$VSM_NAME.Job" JobState '^7$' >/dev/null
  assert_guest_on B web
}

hosts_need gdbus
hosts_setup "$@"
guest_start A web --ws 8
guest_start A long --ws 8
guest_start A other --ws 8

by_file
ok "by the configuration"
at_destination
ok "refused at the destination, for vsmd, vsmctl and virsh"
without_daemon
ok "with and without the daemon"
at_source
ok "at the source"
assert_guest_good web

hosts_done
plan
