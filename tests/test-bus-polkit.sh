#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Nobody does anything without polkit's word: every method there is, by introspection; rules by guest and
# destination; the owner's rights; polkit away, killed, or slow while callers leave, guests change and calls pile up.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

slow="{'Bandwidth': <uint16 1>, 'AllowThrottling': <false>}" # held in the transfer
denied='DBus.Error.(AccessDenied|InteractiveAuthorizationRequired):'
query='GetSystem GetSystemCompatibilityInfo GetSystemCompatibilityVectors CheckSystemCompatibilityInfo'

system_path() { # NAME
  printf '%s/system/%s\n' "$VSM_ROOT" "$(guest_uuid A "$1" | tr - _)"
}

# The reply, or the error with its name
answer() { # USER PATH INTERFACE.METHOD [arguments]
  as_user A "$1" gdbus call --system --dest "$VSM_NAME" --object-path "$2" --method "${@:3}" 2>&1 || true
}

assert_denied() { # USER PATH INTERFACE.METHOD [arguments]
  assert_match "$(answer "$@")" "$denied" "$3 is denied to $1"
}

migrate() { # USER NAME DESTINATION
  answer "$1" "$VSM_ROOT" "$VSM_NAME.MigrateVirtualSystemToHost" "$(system_path "$2")" "$3" "$slow" '{}' '[]'
}

# A job held in the transfer; prints its path
held() { # USER NAME DESTINATION
  local reply
  reply=$(migrate "$@")
  assert_match "$reply" '^\(uint32 4096, objectpath ' "$1 may move $2 to $3"
  reply=${reply#*"'"}
  wait_prop A "$(system_path "$2")" "$VSM_NAME.System" MigrationState '^2$' >/dev/null
  printf '%s\n' "${reply%"'"*}"
}

cancel() { # USER JOB
  assert_eq "$(answer "$1" "$2" "$VSM_NAME.Job.RequestStateChange" 4 0)" '(uint32 4096,)' "$1 cancels"
  wait_prop A "$2" "$VSM_NAME.Job" JobState '^8$' >/dev/null
}

# "interface member signature" of our methods, or "interface member" of properties
members() { # PATH method|property
  host_run A busctl introspect --no-legend "$VSM_NAME" "$1" | awk -v name="$VSM_NAME" -v kind="$2" '
    $2 == "interface" { interface = $1 }
    $2 == kind && index(interface, name) == 1 { print interface, substr($1, 2), $3 }'
}

# Well-formed arguments, one a line: what is malformed may be refused before anybody is asked.
arguments() { # MEMBER SIGNATURE
  local rest=$2
  case $1 in
    RemoveHost) echo "$known" && return ;;
    AddHost) echo "{'Name': <'hostx'>}" && return ;;
    AddNetworkSettings) echo "[{'SubnetNumber': <'192.0.2.0'>, 'PrefixLength': <byte 24>}]" && return ;;
    RemoveNetworkSettings) echo "[objectpath '$VSM_ROOT/network/1']" && return ;;
    ModifyNetworkSettings) echo "[{'InstanceID': <'$network_id'>, 'Metric': <uint32 7>}]" && return ;;
    ModifyServiceSettings) echo "{'HistoryLimit': <uint32 7>}" && return ;;
    *ToSystem) echo "$web" && echo "$known" && rest=${rest#oo} ;;
  esac
  while [ -n "${rest#-}" ]; do
    case $rest in
      'aa{sv}'*) echo '[]' && rest=${rest#'aa{sv}'} ;;
      'a{sv}'*) [ "$1" = SetParameters ] && echo "{'Bandwidth': <uint16 2>}" || echo '{}'; rest=${rest#'a{sv}'} ;;
      a[yo]*) echo '[]' && rest=${rest:2} ;;
      o*) echo "$web" && rest=${rest:1} ;;
      s*) [ "$1" = GetSystem ] && echo web || echo hostb; rest=${rest:1} ;;
      q*) [ "$path" = "$VSM_ROOT" ] && echo 2 || echo 4; rest=${rest:1} ;;
      [tb]*) [ "${rest:0:1}" = t ] && echo 0 || echo false; rest=${rest:1} ;;
      *) fail "no arguments for $1($2): teach this test" ;;
    esac
  done
}

everything() { # what must not change
  host_run A busctl tree --list "$VSM_NAME"
  host_run A virsh -q list --all
  host_run A busctl get-property "$VSM_NAME" "$job" "$VSM_NAME.Job" JobState Cancellable
  host_run A busctl get-property "$VSM_NAME" "$busy" "$VSM_NAME.System" MigrationState
  host_run A busctl get-property "$VSM_NAME" "$web" "$VSM_NAME.System" MigrationState
}

# Without -i nobody may be asked for a password, with it nobody is there to type one.
every_method() {
  local path interface member signature args before tried=0 known network_id
  known=$(call A "$VSM_ROOT" "$VSM_NAME.Manager" AddHost 'a{sv}' 1 Name s hostb | sed -E 's/^o "(.*)"$/\1/')
  network_id=$(prop A "$VSM_ROOT/network/1" "$VSM_NAME.NetworkSettingData" InstanceID)
  before=$(everything)
  for path in "$VSM_ROOT" "$job" "$planned"; do
    while read -r interface member signature; do
      mapfile -t args < <(arguments "$member" "$signature")
      if [[ " $query " == *" $member "* ]]; then
        assert_not_match "$(answer alice "$path" "$interface.$member" "${args[@]}")" "$denied" "$member is for all"
      else
        assert_match "$(answer alice "$path" "$interface.$member" "${args[@]}")" InteractiveAuthorizationRequired \
          "$interface.$member without asking"
        assert_match "$(answer alice "$path" "$interface.$member" -i "${args[@]}")" 'DBus.Error.AccessDenied' \
          "$interface.$member when nobody answers"
      fi
      tried=$((tried + 1))
    done < <(members "$path" method)
  done
  assert_between "$tried" 32 100 "methods found"
  assert_eq "$(everything)" "$before" "nothing has changed"
  call A "$VSM_ROOT" "$VSM_NAME.Manager" RemoveHost o "$known" >/dev/null
}

every_property() {
  local path interface member before tried=0
  before=$(everything)
  for path in "$VSM_ROOT" "$job" "$web" "$busy" "$VSM_ROOT/network/1" "$planned"; do
    while read -r interface member _; do
      assert_match "$(answer alice "$path" org.freedesktop.DBus.Properties.Set "$interface" "$member" '<uint32 0>')" \
        "$([ "$member" = MigrationState ] && echo "$denied" || echo PropertyReadOnly)" "$member"
      tried=$((tried + 1))
    done < <(members "$path" property)
  done
  assert_between "$tried" 120 300 "properties found"
  assert_eq "$(everything)" "$before" "nothing has changed"
}

allow_moves() { # POLKIT-CONDITION: lets alice
  polkit_rule A 50-test-moves <<EOT
polkit.addRule(function(action, subject) {
  if (subject.user == "alice" && action.id == "$VSM_NAME.migrate" && $1)
    return polkit.Result.YES;
});
EOT
}

# What polkit was asked last, from the bus
asked() { # ACTION
  grep -F '"member":"CheckAuthorization"' bus.A | grep -F "\"$VSM_NAME.$1\"" | tail -n1
}

count_asked() {
  grep -cF '"member":"CheckAuthorization"' bus.A || true
}

wait_asked() { # COUNT
  # shellcheck disable=SC2016 # for that shell
  wait_until 60 bash -c '[ "$(grep -cF "\"member\":\"CheckAuthorization\"" bus.A)" = "$1" ]' - "$1"
}

by_guest_and_destination() {
  local destination details
  allow_moves 'action.lookup("system.name") == "web" && action.lookup("destination") == "hostb"'
  assert_match "$(migrate alice other hostb)" "$denied" "another guest"
  # the text decides as long as no Host says that two texts are one host
  for destination in 10.77.0.2 fd00:77::2 hostc hostb.example; do
    assert_match "$(migrate alice web "$destination")" "$denied" "to $destination"
  done
  assert_match "$(migrate bob web hostb)" "$denied" "another user"
  assert_eq "$(prop A "$web" "$VSM_NAME.System" MigrationState)" 4 "nothing of these has begun"

  mine=$(held alice web HOSTB.)
  details="\"system.name\":\"web\",\"system.uuid\":\"$(guest_uuid A web)\",\"destination\":\"hostb\""
  assert_match "$(asked migrate)" \
    "$details,\"destination.known\":\"false\",\"migration.type\":\"32768\",\"transport\":\"5\"}" "details"
  assert_match "$(asked migrate)" '"system-bus-name",\{"name":' "about the connection that called"
  assert_denied bob "$mine" "$VSM_NAME.Job.KillJob" false
  assert_match "$(asked cancel)" "\{$details,\"job.owner\":\"alice\",\"destination.known\":\"false\",\"migration.type\":\"32768\",\"transport\":\"5\"\}" \
    "details of a job"
  assert_denied bob "$web" org.freedesktop.DBus.Properties.Set "$VSM_NAME.System" MigrationState '<uint32 0>'
  assert_match "$(asked reset-state)" "\{${details%,*}\}" "details of a reset"
}

# What is special about disks: where to, and whether something goes
disks() {
  local reply details
  reply=$(answer bob "$VSM_ROOT" "$VSM_NAME.MigrateVirtualSystemToHost" "$web" hostb \
    "{'MigrationType': <32771>, 'AllowOverwriteExistingFile': <true>, 'TransportType': <5>,
      'UnmanagedVhds': <[{'VhdSourcePath': <'/a b'>, 'VhdDestinationPath': <'/c'>}]>}" '{}' \
    "[{'ResourceType': <31>, 'InstanceID': <'vda'>, 'HostResource': <['/srv//x']>}]")
  assert_match "$reply" "$denied" "disks of another user"
  details='"path":"/srv/x\\n/a b\\n/c","overwrite":"true","remove":"false"'
  assert_match "$(asked migrate)" "\"migration.type\":\"32771\",\"transport\":\"5\",$details\}" "details of disks"

  # of a move on this host, to nowhere
  assert_match "$(answer bob "$VSM_ROOT" "$VSM_NAME.MigrateVirtualSystemToHost" "$web" '' \
    "{'MigrationType': <32769>, 'RetainVhdCopiesOnSource': <false>}" '{}' '[]')" "$denied" "a storage move"
  details='"destination":"","destination.known":"false","migration.type":"32769"'
  assert_match "$(asked migrate)" "$details,\"transport\":\"[0-9]\",\"overwrite\":\"false\",\"remove\":\"true\"\}" \
    "details of a storage move"
}

# Destinations are told by the names that rules know them by; a plan has those that it was made for.
evacuations() {
  local manager=$VSM_NAME.Manager plan
  assert_match "$(answer root "$VSM_ROOT" "$manager.AddHost" "{'Name': <'hostb'>, 'Addresses': <['10.77.0.2']>}")" '^\('
  assert_denied bob "$VSM_ROOT" "$manager.Evacuate" "{'Destinations': <['10.77.0.2']>}"
  assert_match "$(asked evacuate)" '\{"destination":"hostb","destination.known":"true"\}' "by its address"
  assert_denied bob "$VSM_ROOT" "$manager.Evacuate" "{'Destinations': <['HOSTB.', 'hostq']>}"
  assert_match "$(asked evacuate)" '\{"destination":"hostb,hostq","destination.known":"false"\}' "one is not known"
  assert_denied bob "$VSM_ROOT" "$manager.PlanEvacuation" '@a{sv} {}'
  assert_match "$(asked check)" '\{"destination":"","destination.known":"true"\}' "all that are known"

  polkit_allow A alice '\.check$'
  plan=$(answer alice "$VSM_ROOT" "$manager.PlanEvacuation" "{'Destinations': <['10.77.0.2']>}")
  assert_match "$plan" "^\('[0-9a-f-]{36}'," "a plan"
  assert_denied alice "$VSM_ROOT" "$manager.Evacuate" "{'PlanID': <${plan:1:38}>}"
  assert_match "$(asked evacuate)" '\{"destination":"hostb","destination.known":"true"\}' "of a plan"
  assert_denied bob "$VSM_ROOT" "$manager.Evacuate" "{'PlanID': <${plan:1:38}>}"
  assert_match "$(asked evacuate)" '\{"destination":"","destination.known":"true"\}' "of somebody else's plan"
  assert_match "$(answer root "$VSM_ROOT" "$manager.RemoveHost" "$VSM_ROOT/host/hostb")" '^\('
}

owner() {
  local method
  for method in GetError GetErrorEx GetRequest; do
    assert_denied bob "$mine" "$VSM_NAME.Job.$method"
    assert_match "$(answer alice "$mine" "$VSM_NAME.Job.$method")" '^\(' "$method for the owner"
  done
  assert_denied bob "$mine" "$VSM_NAME.Job.Transfer.SetParameters" "{'Bandwidth': <uint16 2>}"
  assert_match "$(asked cancel)" '"job.owner":"alice","settings":"Bandwidth"' "what would be set"
  assert_match "$(answer alice "$mine" "$VSM_NAME.Job.Transfer.SetParameters" "{'Bandwidth': <uint16 2>}")" '^\('
  assert_denied bob "$mine" "$VSM_NAME.Job.RequestStateChange" 4 0
  cancel alice "$mine"
  mine=$(held alice web hostb)
  assert_eq "$(answer alice "$mine" "$VSM_NAME.Job.KillJob" false)" '(uint32 4096,)' "the owner kills"
  wait_prop A "$mine" "$VSM_NAME.Job" JobState '^9$' >/dev/null
}

freeze() {
  host_run A systemctl kill -s STOP polkit.service
}

thaw() {
  host_run A systemctl kill -s CONT polkit.service
}

in_background() { # FILE USER COMMAND...
  start_background "$1" "$hosts_lab" --dir "$VSM_LAB_DIR" run -u "$2" A "${@:3}"
}

call_in_background() { # FILE NAME: alice moves a guest
  before=$(count_asked)
  in_background "$1" alice gdbus call --system --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.MigrateVirtualSystemToHost" "$(system_path "$2")" hostb "$slow" '{}' '[]'
  wait_asked $((before + 1))
}

# polkit says yes, but to whom? It answers in order, so the query after it comes later than that yes.
caller_gone() {
  local jobs before
  jobs=$(host_run A busctl tree --list "$VSM_NAME")
  freeze
  call_in_background gone web
  kill "$background_pid"
  wait_for_line bus.A '"member":"CancelCheckAuthorization"' >/dev/null
  thaw
  assert_match "$(answer alice "$VSM_ROOT" "$VSM_NAME.Manager.GetSystem" web)" '^\('
  assert_eq "$(host_run A busctl tree --list "$VSM_NAME")" "$jobs" "no job"
}

# The yes was for another guest than the one that the call would now be about.
guest_changed() {
  local path before
  allow_moves 'action.lookup("system.name") == "before"'
  guest_define A before
  path=$(system_path before)
  freeze
  call_in_background changed before
  host_run A virsh -q domrename --domain before after
  wait_prop A "$path" "$VSM_NAME.System" ElementName '^after$' >/dev/null
  thaw
  wait_for_line changed 'Error.InvalidState: .*has changed' >/dev/null
}

piled_up() {
  local before i
  before=$(count_asked)
  freeze
  # shellcheck disable=SC2016 # for that shell
  in_background alices alice sh -c 'for i in $(seq 16); do busctl call "$@" & done; wait' - \
    "$VSM_NAME" "$VSM_ROOT" "$VSM_NAME.Manager" GetSystem s web
  wait_asked $((before + 16))
  assert_match "$(answer alice "$VSM_ROOT" "$VSM_NAME.Manager.GetSystem" web)" 'DBus.Error.LimitsExceeded: 16 ' "17th"
  # others still get through to polkit, up to 64 in all; the rest waits here
  # shellcheck disable=SC2016 # for that shell
  in_background roots root sh -c 'for i in $(seq 60); do busctl call "$@" & done; wait' - \
    "$VSM_NAME" "$VSM_ROOT" "$VSM_NAME.Manager" GetSystem s web
  wait_asked $((before + 64))
  thaw
  for i in alices:16 roots:60; do
    # shellcheck disable=SC2016 # for that shell
    wait_until 60 bash -c '[ "$(grep -c "^o \"$VSM_ROOT" "$1")" = "$2" ]' - "${i%:*}" "${i#*:}"
  done
  assert_match "$(answer alice "$VSM_ROOT" "$VSM_NAME.Manager.GetSystem" web)" '^\(' "room again"
}

no_polkit() {
  freeze
  before=$(count_asked)
  in_background killed alice gdbus call --system --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.Manager.GetSystem" web
  wait_asked $((before + 1))
  at_exit 'host_run A systemctl --quiet unmask --runtime polkit.service'
  host_run A systemctl --quiet mask --runtime polkit.service
  host_run A systemctl kill -s KILL polkit.service
  wait_for_line killed 'DBus.Error.AccessDenied' >/dev/null
  assert_denied alice "$VSM_ROOT" "$VSM_NAME.Manager.GetSystem" web
  assert_denied alice "$web" org.freedesktop.DBus.Properties.Set "$VSM_NAME.System" MigrationState '<uint32 0>'
  assert_eq "$(prop A "$web" "$VSM_NAME.System" MigrationState)" 4 "and not reset"
  assert_match "$(answer root "$VSM_ROOT" "$VSM_NAME.Manager.GetSystem" web)" '^\(' "root asks"
  assert_eq "$(answer root "$web" org.freedesktop.DBus.Properties.Set "$VSM_NAME.System" MigrationState '<uint32 0>')" \
    '()' "root resets"
  assert_eq "$(prop A "$web" "$VSM_NAME.System" MigrationState)" 0 "and it is reset"
}

hosts_need gdbus
hosts_setup "$@"

guest_start A web --ws 8 --rate 20
guest_start A busy --ws 8 --rate 20
guest_define A other
planned=$(guest_plan A planned hostc)
web=$(system_path web) busy=$(system_path busy)
cancel root "$(held root web hostb)" # leaves a MigrationState that could be reset
job=$(held root busy hostb)
monitor_start A bus.A

every_method
ok "every method but the queries is denied, and nothing changes"
every_property
ok "no property can be written, MigrationState without permission"
by_guest_and_destination
ok "a rule by guest and destination lets exactly that through, and has all details"
disks
ok "details of disks"
evacuations
ok "details of evacuations"
owner
ok "the owner needs no rule for the own job, others do"
cancel root "$job"

caller_gone
ok "a caller who left starts nothing"
piled_up
ok "the 17th waiting call of a user is refused, others go on, and never more than 64 wait for polkit"
guest_changed
ok "an answer is used for what was asked, or not at all"
no_polkit
ok "without polkit root alone is allowed"

hosts_done
plan
