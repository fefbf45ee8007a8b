#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A migration that fails, for each of the reasons that come up: the guest runs on where it was and nowhere else, its
# state says that it failed and why, and once the reason is gone the same migration goes well.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

FAIL=$((0x80004005)) BUSY=$((0x800700AA))

assert_failed() { # NAME JOB [REASON]
  wait_job A "$2" '^(7|8|9|10|32768)$'
  assert_eq "$(job_prop A "$2" JobState)" 10 "JobState"
  assert_ne "$(job_prop A "$2" ErrorCode)" 0 "ErrorCode"
  assert_ne "$(job_prop A "$2" ErrorDescription)" '' "ErrorDescription"
  assert_not_match "$(job_prop A "$2" ErrorDescription)" '10\.77|hostb|qemu' "nothing private on the bus"
  assert_eq "$(system_prop A "$1" MigrationState)" 5 "MigrationState"
  assert_eq "$(system_prop A "$1" MigrationFailureReason)" "${3-$FAIL}" "MigrationFailureReason"
  assert_eq "$(system_prop A "$1" MigrationJob)" "$2" "MigrationJob"
  assert_eq "$(autostart A "$1")" enable "autostart is as it was"
}

assert_errors() { # JOB REGEX: to those who may know it is said in detail
  assert_match "$(call A "$1" "$VSM_NAME.Job" GetErrorEx)" "$2" "GetErrorEx"
}

reset() { # NAME
  host_run A busctl set-property "$VSM_NAME" "$(system_path A "$1")" "$VSM_NAME.System" MigrationState u 0
  assert_eq "$(system_prop A "$1" MigrationState)" 0 "MigrationState after a reset"
  assert_eq "$(system_prop A "$1" MigrationFailureReason)" 0 "reason after a reset"
}

# There and back again: what failed did no lasting harm on either host.
assert_goes_well() { # NAME
  assert_moves A B "$1"
  wait_system B "$1" OperatingStatus '^0$'
  assert_moves B A "$1"
  wait_system A "$1" OperatingStatus '^0$'
  assert_eq "$(system_prop A "$1" MigrationState) $(system_prop A "$1" MigrationFailureReason)" "0 0" "no trace"
  assert_eq "$(autostart A "$1")" enable "autostart came back"
}

libvirtd_there() { # COMMAND...: what happens to it while memory moves
  local job
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  host_run B "$@"
  assert_failed web "$job"
  assert_stayed A B web
  assert_goes_well web
}

name_taken() {
  local job
  guest_define B web
  job=$(migrate A web "$(host_name B)")
  assert_failed web "$job"
  assert_errors "$job" '"MessageID" s "name-in-use".*another system with the name'
  assert_eq "$(guest_state B web)" "shut off" "the other one is left alone"
  assert_guest_on A web
  host_run B virsh -q undefine --domain web
  reset web
}

uuid_taken() {
  local job
  host_run A virsh -q dumpxml --inactive --domain web | sed 's:<name>.*</name>:<name>other</name>:' |
    host_run B virsh -q define /dev/stdin
  job=$(migrate A web "$(host_name B)")
  assert_failed web "$job"
  assert_errors "$job" '"MessageID" s "uuid-in-use".*a system .*other.* with the UUID'
  assert_eq "$(guest_state B other)" "shut off" "the other one is left alone"
  assert_guest_on A web
  host_run B virsh -q undefine --domain other
}

unknown_host() {
  local job
  job=$(migrate A web nosuchhost.invalid)
  assert_failed web "$job"
  assert_errors "$job" '"MessageID" s "destination-unreachable"'
  assert_stayed A B web
}

virsh_has_it() {
  local job virsh
  # shellcheck disable=SC2154 # from libhosts.sh
  start_background virsh.log "$hosts_lab" --dir "$VSM_LAB_DIR" run A virsh migrate --live --p2p --persistent \
    --undefinesource --bandwidth 1 --domain web --desturi "$(host_uri B)"
  virsh=$background_pid
  # libvirt has no event for a job that begins
  wait_until 30 host_run A sh -c 'virsh domjobinfo --domain web | grep -q "Data processed: *[1-9]"'
  job=$(migrate A web "$(host_name B)")
  assert_failed web "$job" "$BUSY"
  assert_eq "$(job_prop A "$job" ErrorCode)" 32774 "ErrorCode"
  assert_errors "$job" '"MessageID" s "migration-running"'
  assert_match "$(host_run A virsh domjobinfo --domain web)" 'Unbounded' "virsh's goes on"
  host_run A virsh -q migrate-setspeed --domain web --bandwidth 1000
  wait "$virsh" || fail "virsh's migration ends well: $(cat virsh.log)"
  assert_guest_on B web
  assert_guest_good web
  wait_system B web OperatingStatus '^0$'
  host_run B virsh -q autostart --domain web
  job=$(migrate B web "$(host_name A)")
  wait_job B "$job" '^7$'
  wait_system A web OperatingStatus '^0$'
}

# The guest ends while it is on its way. It has to end everywhere, and its definition stays.
guest_ends() { # ENABLEDSTATE COMMAND...
  local job
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  host_run A "${@:2}"
  assert_failed web "$job"
  assert_eq "$(guest_hosts web)" '' "it runs nowhere"
  assert_eq "$(guest_state B web)" none "nothing is left on host B"
  assert_eq "$(host_run B pgrep -c qemu-system || true)" 0 "no QEMU on host B"
  assert_eq "$(system_prop A web EnabledState)" "$1" "EnabledState"
  guest_start A web
  wait_system A web EnabledState '^2$'
}

writes() {
  local job path
  path=$(system_path A web)
  set -- "$path" org.freedesktop.DBus.Properties.Set "$VSM_NAME.System" MigrationState
  assert_refused InvalidParameter A "$@" '<uint32 1>'
  assert_eq "$(system_prop A web MigrationState)" 5 "nothing but 0 can be written"
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  assert_refused InvalidState A "$@" '<uint32 0>'
  request A "$job" 4
  wait_job A "$job" '^8$'
  reset web
}

hosts_need gdbus
hosts_setup "$@"
guest_start A web --autostart

libvirtd_there systemctl stop libvirtd.service
ok "the other host's libvirtd is stopped while memory moves"
libvirtd_there systemctl kill --kill-who=main --signal=KILL libvirtd.service
ok "the other host's libvirtd is killed while memory moves"
name_taken
ok "its name is taken there"
uuid_taken
ok "its UUID is taken there"
unknown_host
ok "a host that does not exist"
writes
ok "MigrationState can be reset, and only that"
virsh_has_it
ok "virsh migrates it already, undisturbed"
guest_ends 3 virsh -q destroy --domain web
ok "destroyed on its way"
guest_ends 3 pkill -TERM qemu-system
ok "shut down on its way"
guest_ends 3 pkill -KILL qemu-system
ok "crashed on its way"
assert_goes_well web
ok "goes well after all that"

hosts_done
plan
