#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# MigrationPolicy: who may set it, that it is in the guest's own metadata and travels with it, which hosts it allows,
# and what it gives to a request that does not say. The oracles are virsh on both hosts, and the job's request.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

URI=urn:$VSM_NAME:policy:1

set_policy() { # NAME POLICY, as gdbus takes it
  host_run A gdbus call --system --timeout "$(scaled 60)" --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.Manager.SetMigrationPolicy" "$(system_path A "$1")" "$2"
}

metadata() { # HOST NAME [--config]: our element, as virsh has it; "" when there is none
  host_run "$1" virsh -q metadata --domain "$2" --uri "$URI" ${3:+"$3"} 2>/dev/null || true
}

assert_policy_refused() { # ERROR TEXT NAME POLICY
  local before
  before=$(metadata A "$3")
  assert_fails_with "Error\.$1: .*$2" set_policy "$3" "$4"
  assert_eq "$(metadata A "$3")" "$before" "nothing has changed"
}

migrate_to() { # NAME HOST METHOD: prints what came of it
  host_run A gdbus call --system --timeout "$(scaled 60)" --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.$3" "$(system_path A "$1")" "$2" '@a{sv} {}' '@a{sv} {}' '@aa{sv} []'
}

set_and_seen() {
  local wanted='5 "Priority" q 7 "AllowedHosts" as 1 "hostb" "AntiAffinityGroup" s "db"'
  wanted+=' "Fallback" as 2 "live" "save" "MaximumDowntime" u 500'
  guest_start A web --ws 8
  monitor_start A bus.A
  assert_eq "$(set_policy web "{'Priority': <7>, 'AllowedHosts': <['HostB.']>, 'Fallback': <['live', 'save']>,
    'AntiAffinityGroup': <'db'>, 'MaximumDowntime': <500>}")" "()" "it is taken"
  assert_eq "$(system_prop A web MigrationPolicy)" "$wanted" "the property, at once"
  assert_match "$(metadata A web)" "group=['\"]db['\"]" "in what runs"
  assert_match "$(metadata A web --config)" '<host>hostb</host>' "in what is stored"
  wait_for_line bus.A 'PropertiesChanged.*"MigrationPolicy"' 30 >/dev/null
  assert_match "$(grep -F PropertiesChanged bus.A | grep -F MigrationPolicy)" '\["MigrationPolicy"\]' \
    "invalidated, not told"
  assert_match "$(prop A "$VSM_ROOT" "$VSM_NAME.Manager" Features)" '"SetMigrationPolicy"' "Features"

  set_policy web '@a{sv} {}'
  assert_eq "$(metadata A web)$(metadata A web --config)" "" "an empty one removes it"
  assert_eq "$(system_prop A web MigrationPolicy)" 0 "and the property"
}

by_the_client() {
  guest_start A web --ws 8
  host_run A vsmctl policy web Priority=3 AllowedHosts=hostb,10.77.0.9 Fallback=live,save
  host_run A vsmctl policy web Priority= AntiAffinityGroup=db
  assert_eq "$(host_run A vsmctl --json policy web |
    python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin), sort_keys=True))')" \
    '{"AllowedHosts": ["hostb", "10.77.0.9"], "AntiAffinityGroup": "db", "Fallback": ["live", "save"]}' \
    "one key at a time"
  assert_match "$(metadata A web)" '<host>10\.77\.0\.9</host>' "as virsh sees it"
}

refused() {
  guest_start A web --ws 8
  set_policy web "{'Priority': <7>}"
  assert_fails_with 'DBus\.Error\.(AccessDenied|InteractiveAuthorizationRequired)' as_user A alice gdbus call --system \
    --dest "$VSM_NAME" --object-path "$VSM_ROOT" --method "$VSM_NAME.Manager.SetMigrationPolicy" \
    "$(system_path A web)" "{'Priority': <1>}"
  polkit_rule A 50-test-policy <<EOT
polkit.addRule(function(action, subject) {
  if (subject.user == "alice" && action.id == "$VSM_NAME.modify-settings" &&
      action.lookup("system.name") == "web" && action.lookup("settings") == "Priority")
    return polkit.Result.YES;
});
EOT
  as_user A alice gdbus call --system --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.Manager.SetMigrationPolicy" "$(system_path A web)" "{'Priority': <9>}"
  assert_match "$(metadata A web)" "priority=['\"]9['\"]" "alice may, for this guest and this key"
  assert_fails_with 'DBus\.Error\.(AccessDenied|InteractiveAuthorizationRequired)' as_user A alice gdbus call --system \
    --dest "$VSM_NAME" --object-path "$VSM_ROOT" --method "$VSM_NAME.Manager.SetMigrationPolicy" \
    "$(system_path A web)" "{'Priority': <9>, 'AllowedHosts': <['hostb']>}"
  set_policy web "{'Priority': <9>, 'AllowedHosts': <['hostb']>}"
  assert_fails_with 'DBus\.Error\.(AccessDenied|InteractiveAuthorizationRequired)' as_user A alice gdbus call --system \
    --dest "$VSM_NAME" --object-path "$VSM_ROOT" --method "$VSM_NAME.Manager.SetMigrationPolicy" \
    "$(system_path A web)" "{'Priority': <5>}"
  assert_match "$(metadata A web)" '<host>hostb</host>' "nor take another key away with it"

  assert_policy_refused InvalidParameter '"Colour" is unknown' web "{'Colour': <'red'>}"
  assert_policy_refused InvalidParameter 'AllowedHosts' web "{'AllowedHosts': <['qemu+ssh://hostb/system']>}"
  assert_policy_refused InvalidParameter 'Fallback' web "{'Fallback': <['destroy']>}"
  assert_policy_refused InvalidParameter 'twice' web "{'Fallback': <['save', 'save']>}"
}

travels() {
  local job
  guest_start A web --ws 8
  set_policy web "{'Priority': <7>, 'AllowedHosts': <['10.77.0.2']>, 'MaximumDowntime': <600>}"
  call A "$VSM_ROOT" "$VSM_NAME.Manager" AddHost 'a{sv}' 2 Name s hostb Addresses as 1 10.77.0.2 >/dev/null
  job=$(migrate A web "$(host_name B)")
  assert_match "$(call A "$job" "$VSM_NAME.Job" GetRequest)" '"Priority" q 7' "the job's priority is the policy's"
  assert_match "$(call A "$job" "$VSM_NAME.Job" GetRequest)" '"MaximumDowntime" u 600' "and its pause"
  wait_job A "$job" '^(7|8|9|10|32768)$'
  assert_eq "$(job_prop A "$job" JobState)" 7 "by one of the host's addresses it is allowed"
  assert_guest_on B web
  assert_match "$(metadata B web)" '<host>10\.77\.0\.2</host>' "it has come along"
  assert_match "$(metadata B web --config)" "priority=['\"]7['\"]" "in the definition, too"
  assert_match "$(system_prop B web MigrationPolicy)" '"Priority" q 7' "as vsmd there sees it"
}

not_allowed() {
  local job
  guest_start A web --ws 8
  set_policy web "{'AllowedHosts': <['hostx', '192.0.2.7']>}"
  assert_fails_with 'Error\.IncompatibleParameters: .*AllowedHosts.*hostx, 192\.0\.2\.7' \
    migrate_to web "$(host_name B)" MigrateVirtualSystemToHost
  assert_fails_with 'Error\.IncompatibleParameters: .*AllowedHosts' migrate_to web 10.77.0.2 MigrateVirtualSystemToHost
  assert_stayed A B web
  assert_match "$(migrate_to web "$(host_name B)" CheckVirtualSystemIsMigratableToHost)" \
    "false.*'MessageID': <'host-not-allowed'>" "a check tells it"
  job=$(migrate_to web "$(host_name B)" CheckVirtualSystemIsMigratable | grep -oE "$VSM_ROOT/job/[0-9]+")
  wait_job A "$job" '^10$'
  assert_match "$(call A "$job" "$VSM_NAME.Job" GetErrorEx)" host-not-allowed "and a check that is a job"

  set_policy web "{'AllowedHosts': <['$(host_name B)']>}"
  assert_not_match "$(migrate_to web "$(host_name B)" CheckVirtualSystemIsMigratableToHost)" host-not-allowed \
    "now it may"
  assert_moves A B web
}

while_it_moves() {
  local job
  guest_start A web --ws 16
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  assert_policy_refused InvalidState 'being migrated' web "{'Priority': <1>}"
  let_go A "$job"
  wait_job A "$job" '^7$'
  assert_guest_on B web
}

refused_there() {
  local job
  guest_start A web --ws 8
  host_run B gdbus call --system --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.ModifyServiceSettings" "{'EnableVirtualSystemMigration': <false>}"
  job=$(migrate A web "$(host_name B)")
  wait_job A "$job" '^10$'
  assert_match "$(call A "$job" "$VSM_NAME.Job" GetErrorEx)" '"MessageID" s "destination-refuses"' "a reason of its own"
  assert_stayed A B web
}

hosts_setup

run() { # NAME OF THE FUNCTION, WHAT IT SHOWS
  "$1"
  ok "$2"
  hosts_reset
}

run set_and_seen "a policy is set, seen and removed"
run by_the_client "vsmctl policy changes one key at a time"
run refused "who may not is refused, and what is no policy"
run travels "a policy travels with its guest, and fills in what a request does not say"
run not_allowed "hosts that are not allowed"
run while_it_moves "not while it moves"
run refused_there "a host that takes no guests says so by a reason of its own"
hosts_done
plan
