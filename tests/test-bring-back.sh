#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests that left in an evacuation come home: the other host's libvirt sends them. Persistent and transient ones, with
# their autostart mark, unbroken; those that were moved on are forgotten; those for which there is no room stay, and
# come later.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
. "$(dirname "$0")/libhosts.sh"
# shellcheck source=tests/libbringback.sh
# shellcheck disable=SC2119 # bring_back takes none to mean all
. "$(dirname "$0")/libbringback.sh"
hosts_setup "$@"


guest_start B web --ws 4 --rate 2
guest_start B db --transient --ws 4 --rate 2
host_run B virsh -q autostart web
gone=0f0e0d0c-0b0a-4908-8706-050403020100
away web=B:autostart db=B "$gone=B"

### refused

polkit_allow A alice 'VirtualSystemMigration\.evacuate$'
assert_fails_with 'Access denied|not authorized|AccessDenied|InteractiveAuthorizationRequired' \
  call_as A bob "$VSM_ROOT" "$VSM_NAME.Manager" BringBack 'a{sv}' 0
assert_refused InvalidParameter A "$VSM_ROOT" "$VSM_NAME.Manager.BringBack" \
  "{'Systems': <['11111111-2222-4333-8444-555555555555']>}"
assert_refused InvalidParameter A "$VSM_ROOT" "$VSM_NAME.Manager.BringBack" "{'Destinations': <['hostb']>}"
assert_eq "$(still_away)" "$gone db web" "nothing changed"
ok "only who may, and only what left, is brought back"

### home

monitor_start A bus.log
reply=$(call_as A alice "$VSM_ROOT" "$VSM_NAME.Manager" BringBack 'a{sv}' 0)
job=${reply#*\"} job=${job%\"}
assert_eq "$(wait_back "$job")" 7 "it succeeds"
assert_guest_on A web
assert_guest_on A db
wait_tick web
wait_tick db
assert_guest_good web
assert_guest_good db
assert_eq "$(guest_state B web) $(guest_state B db)" "none none" "nothing is left behind"
assert_eq "$(autostart A web)" enable "the mark came along"
assert_match "$(host_run A virsh -q dominfo --domain db)" '^Persistent: *no' "the transient one stays transient"
ok "a persistent and a transient guest come home unbroken"

assert_eq "$(job_prop A "$job" JobType) $(job_prop A "$job" Owner) $(job_prop A "$job" PercentComplete)" \
  "32769 alice 100"
assert_eq "$(counts "$job")" "3 3 0" "two home, one forgotten"
assert_eq "$(leftovers "$job")" "$gone moved-on" "who was moved on is named"
assert_eq "$(still_away)" "" "nobody is away"
mapfile -t jobs < <(children "$job")
assert_eq "${#jobs[@]}" 2 "a child for each guest"
for child in "${jobs[@]}"; do
  assert_eq "$(job_prop A "$child" JobType) $(job_prop A "$child" MigrationType)" "305 32768" "child $child"
  assert_eq "$(job_prop A "$child" DestinationHost)" hosta "child $child"
  assert_eq "$(job_prop A "$child" JobState) $(job_prop A "$child" PercentComplete) $(job_prop A "$child" OwnerUID)" \
    "7 100 2001" "child $child"
  assert_match "$(job_prop A "$child" VirtualSystem)" "^$VSM_ROOT/system/" "it is here now"
done
assert_eq "$(system_prop A web MigrationState)" 0 "MigrationState is the source's"
assert_not_file_has_content bus.log '"MigrationState":\{"type":"u","data":[1-5]'
assert_match "$(call A "$VSM_ROOT" "$VSM_NAME.Manager" ListHistory 'a{sv}' 1 Limit u 1)" \
  '"SourceHost" s "hostb".*"DestinationHost" s "hosta"' "the history has it the right way round"
ok "the jobs tell of it, and no MigrationState does"

assert_eq "$(wait_back "$(bring_back)")" 7 "nobody is away any more: nothing is to be done"
ok "once more is nothing"

### no room; cancelled

host_run A virsh -q migrate --live --p2p --persistent --undefinesource web qemu+tcp://hostb/system
host_run A virsh -q migrate --live --p2p db qemu+tcp://hostb/system
away web=B db=B
short_of_memory A
job=$(bring_back)
assert_eq "$(wait_back "$job")" 10 "there is no room for any"
assert_eq "$(leftovers "$job" | tr ' ' '\n' | sort | paste -sd ' ')" \
  "db not-enough-memory not-enough-memory web" "the reasons"
assert_eq "$(counts "$job")" "2 0 2" "both are left"
assert_eq "$(still_away)" "db web" "both can be asked for again"
assert_guest_on B web
enough_memory A

uuid=$(guest_uuid B web)
assert_eq "$(wait_back "$(bring_back "$uuid")")" 7 "when there is room, it comes"
assert_guest_on A web
assert_guest_on B db
assert_eq "$(still_away)" "db" "the other one is still away"
wait_tick web
assert_guest_good web
ok "who finds no room stays where it is, and comes later"

### after a boot, while libvirt is not there yet

host_write A /etc/vsmd/vsmd.conf.d/back.conf <<<$'[Evacuation]\nBringBack=true'
at_exit 'host_run A rm -f /etc/vsmd/vsmd.conf.d/back.conf'
libvirt_off A
wait_prop A "$VSM_ROOT" "$VSM_NAME" CommunicationStatus '^3$' >/dev/null
start_background boot.log "$hosts_lab" --dir "$VSM_LAB_DIR" run A vsmctl bring-back --at-boot
wait_until 10 host_run A pgrep -x vsmctl
libvirt_on A
status=0
wait "$background_pid" || status=$?
assert_eq "$status" 0 "what the unit runs ($(tail -n 3 boot.log))"
assert_guest_on A db
assert_eq "$(still_away)" "" "nobody is away"
ok "after a boot libvirt is waited for"

guest_gone A db
guest_gone A web
hosts_done
plan
