#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Migration networks over the bus: added, changed and removed as whole lists or not at all, kept across restarts, and
# what they make of the list of addresses on which this host takes migrations. The oracle of that list is written
# out here, from addresses that "ip" put on the host.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

NETWORK=$VSM_NAME.NetworkSettingData

service() { # METHOD [arguments as gdbus takes them]
  host_run A gdbus call --system --timeout "$(scaled 60)" --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.$1" "${@:2}"
}

assert_done() { # METHOD ARGUMENT
  assert_eq "$(service "$@")" "(uint32 0, objectpath '/')" "$1 is done at once"
}

assert_refused() { # ERROR TEXT METHOD ARGUMENT: refused with that sentence, and nothing is another
  local before
  before=$(networks)
  assert_fails_with "(Error\.$1|DBus\.Error\.$1): .*$2" service "${@:3}"
  assert_eq "$(networks)" "$before" "nothing has changed after $3"
}

subnet() { # NUMBER PREFIX [METRIC]: a dict
  printf "{'SubnetNumber': <'%s'>, 'PrefixLength': <byte 0x%02x>, 'Metric': <uint32 %s>}" "$1" "$2" "${3:-100}"
}

instance_id() { # NUMBER
  printf 'org.example:MigrationNetwork/%s' "$1"
}

change() { # NUMBER KEY VALUE...: a dict
  printf "{'InstanceID': <'%s'>" "$(instance_id "$1")"
  shift
  while [ $# -gt 0 ]; do
    printf ", '%s': <%s>" "$1" "$2"
    shift 2
  done
  printf '}'
}

# "1 0.0.0.0/0 1000" and so on, as the object manager shows them
networks() {
  host_run A busctl --json=short call "$VSM_NAME" "$VSM_ROOT" org.freedesktop.DBus.ObjectManager GetManagedObjects |
    python3 -c '
import json, sys
for path, interfaces in sorted(json.load(sys.stdin)["data"][0].items()):
    n = interfaces.get("'"$NETWORK"'")
    if n:
        n = {key: value["data"] for key, value in n.items()}
        print(path.rsplit("/", 1)[1], "%s/%d" % (n["SubnetNumber"], n["PrefixLength"]), n["Metric"], *n["Tags"])
' | sort -n
}

count() {
  networks | wc -l
}

# The numbers of networks that are on the bus now, first and last
newest() {
  networks | tail -n 1 | cut -d' ' -f1
}

listener() {
  prop A "$VSM_ROOT" "$VSM_NAME" MigrationServiceListenerIPAddressList | sed 's/^[0-9]* *//; s/"//g'
}

many() { # COUNT SECOND-BYTE
  local i list=''
  for ((i = 0; i < $1; i++)); do
    list+="$(subnet "100.$2.$i.0" 24 $((i + 1))), "
  done
  printf '[%s]' "${list%, }"
}

remove_but() { # NUMBER...: all but these
  local path list=() keep=" $* "
  for path in $(networks | cut -d' ' -f1); do
    [[ $keep = *" $path "* ]] || list+=("$VSM_ROOT/network/$path")
  done
  while [ ${#list[@]} -gt 0 ]; do
    assert_done RemoveNetworkSettings "[$(printf "objectpath '%s', " "${list[@]:0:200}" | sed 's/, $//')]"
    list=("${list[@]:200}")
  done
}

fresh() {
  assert_eq "$(networks)" "1 0.0.0.0/0 1000 org.example:UserManagedAllNetworks
2 ::/0 1000 org.example:UserManagedAllNetworks" "the networks of a fresh service"
  assert_eq "$(listener)" "10.77.0.1 fd00:77::1" "the listener list of a fresh service"
}

# KiB of the daemon
resident() {
  # shellcheck disable=SC2016 # for the shell over there
  host_run A sh -c 'awk "/^VmRSS/ { print \$2 }" "/proc/$(systemctl show -P MainPID vsmd)/status"'
}

announced() { # COUNT
  [ "$(grep -cF '"member":"InterfacesAdded"' bus.A)" = "$1" ]
}

two_hundred() {
  local rss
  monitor_start A bus.A
  assert_done AddNetworkSettings "$(many 1 1)"
  rss=$(resident)
  assert_done AddNetworkSettings "$(many 200 2)"
  assert_eq "$(count)" 203 "203 networks"
  wait_until 30 announced 201
  rss=$(($(resident) - rss))
  note "200 networks cost $rss KiB"
  # what a sanitizer keeps for itself is not ours
  [ -n "${VSM_TEST_SANITIZER-}" ] || assert_between "$rss" -100000 2000 "KiB for 200 networks"
  assert_eq "$(listener)" "" "no address is in one of them, and all networks do not count"
}

whole_or_not() {
  local a b
  a=$(newest) b=$((a - 1))
  assert_refused InvalidParameter 'NetworkSettings\[1\]: .* the network is 10\.1\.2\.0\.' AddNetworkSettings \
    "[$(subnet 10.1.1.0 24), $(subnet 10.1.2.3 24)]"
  assert_refused InvalidParameter 'from 0 to 32' AddNetworkSettings "[$(subnet 10.1.1.0 24), $(subnet 10.1.2.0 33)]"
  assert_refused InvalidParameter 'SubnetNumber' AddNetworkSettings "[$(subnet host 24)]"
  assert_refused InvalidParameter '"Mask" is unknown' AddNetworkSettings "[$(subnet 10.1.1.0 24), {'Mask': <1>}]"
  assert_refused InvalidParameter 'PrefixLength is missing' AddNetworkSettings "[{'SubnetNumber': <'10.1.1.0'>}]"
  assert_refused IncompatibleParameters 'two networks 100\.2\.7\.0/24' AddNetworkSettings \
    "[$(subnet 10.1.1.0 24), $(subnet 100.2.7.0 24)]"
  assert_refused IncompatibleParameters 'two networks 10\.1\.1\.0/24' AddNetworkSettings \
    "[$(subnet 10.1.1.0 24), $(subnet 10.1.1.0 24 7)]"
  assert_refused LimitsExceeded '256' AddNetworkSettings "$(many 257 3)"

  assert_refused InvalidParameter 'no network of this InstanceID' ModifyNetworkSettings \
    "[$(change "$a" Metric 7), $(change 999999 Metric 7)]"
  assert_refused InvalidParameter 'twice' ModifyNetworkSettings "[$(change "$a" Metric 7), $(change "$a" Metric 8)]"
  assert_refused InvalidParameter 'InstanceID is missing' ModifyNetworkSettings \
    "[$(change "$a" Metric 7), $(subnet 10.1.1.0 24)]"
  assert_refused InvalidParameter 'the network is' ModifyNetworkSettings "[$(change "$a" PrefixLength 16)]"
  assert_refused IncompatibleParameters 'two networks' ModifyNetworkSettings \
    "[$(change "$a" Metric 7), $(change "$b" SubnetNumber "'100.2.199.0'")]"

  assert_refused InvalidParameter "no network's" RemoveNetworkSettings \
    "[objectpath '$VSM_ROOT/network/$a', objectpath '$VSM_ROOT/network/999999']"
  assert_refused InvalidParameter "no network's" RemoveNetworkSettings "[objectpath '$VSM_ROOT']"
  assert_refused InvalidParameter "twice" RemoveNetworkSettings \
    "[objectpath '$VSM_ROOT/network/$a', objectpath '$VSM_ROOT/network/$a']"
}

# Two networks change places: each for itself would be a double of the other.
change_places() {
  local a b
  a=$(newest) b=$((a - 1))
  assert_done ModifyNetworkSettings \
    "[$(change "$a" SubnetNumber "'100.2.198.0'" Tags "['mine', 'too']"), $(change "$b" SubnetNumber "'100.2.199.0'")]"
  assert_eq "$(networks | tail -n 2)" "$b 100.2.199.0/24 199
$a 100.2.198.0/24 200 mine too" "only what was given has changed"
  assert_match "$(grep -F "/network/$a\"" bus.A | grep -F PropertiesChanged)" '"SubnetNumber".*"Tags"' "and was told"
}

restarts() {
  local before last
  before=$(networks)
  host_run A systemctl restart vsmd.service
  assert_eq "$(networks)" "$before" "as before a restart"
  host_run A systemctl kill -s KILL vsmd.service
  wait_until 30 call A "$VSM_ROOT" org.freedesktop.DBus.Peer Ping
  wait_until 30 host_run A systemctl is-active vsmd.service
  assert_eq "$(networks)" "$before" "as before a crash"

  last=$(newest)
  assert_done RemoveNetworkSettings "[objectpath '$VSM_ROOT/network/$last']"
  host_run A systemctl restart vsmd.service
  assert_done AddNetworkSettings "[$(subnet 10.9.9.0 24)]"
  assert_between "$(newest)" $((last + 1)) 999999999 "a number is not used again"
}

too_many() {
  remove_but 1
  assert_done AddNetworkSettings "$(many 250 3)"
  assert_done AddNetworkSettings "$(many 250 4)"
  assert_done AddNetworkSettings "$(many 250 5)"
  assert_done AddNetworkSettings "$(many 250 6)"
  assert_refused LimitsExceeded 'more than 1024' AddNetworkSettings "$(many 24 7)"
  assert_done AddNetworkSettings "$(many 23 7)"
  assert_eq "$(count)" 1024 "as many as there may be"
  remove_but
  assert_eq "$(networks)" "" "no networks"
}

# What is asked for at once, from many callers: one list after the other, none lost, no double
at_once() {
  local i pids=()
  for i in 1 2 3 4 5 6; do
    service AddNetworkSettings "[$(subnet 100.8.0.0 24), $(subnet "100.8.$i.0" 24)]" >"answer.$i" 2>&1 &
    pids+=($!)
  done
  for i in "${pids[@]}"; do
    wait "$i" || true
  done
  assert_eq "$(cat answer.* | grep -c 'uint32 0')" 1 "one of them was first"
  assert_eq "$(cat answer.* | grep -c 'IncompatibleParameters')" 5 "the others would have been doubles"
  assert_eq "$(count)" 2 "the list of one"
  remove_but
}

overlaps_and_order() {
  local wide narrow other
  host_run A ip addr add 10.78.0.1/24 dev host0
  host_run A ip addr add 10.78.0.200/24 dev host0
  host_run A ip addr add fd00:78::1/64 dev host0 nodad
  # shellcheck disable=SC2016 # for the end
  at_exit 'for a in 10.78.0.1/24 10.78.0.200/24 10.78.0.9/24 fd00:78::1/64; do host_run A ip addr del $a dev host0; done 2>/dev/null'

  assert_done AddNetworkSettings "[$(subnet 10.78.0.0 16 1), $(subnet 10.78.0.0 24 50), $(subnet 10.77.0.0 24 20)]"
  read -r wide narrow other < <(networks | cut -d' ' -f1 | paste -sd ' ')
  assert_eq "$(listener)" "10.77.0.1 10.78.0.1 10.78.0.200" "the longest subnet says the metric"
  assert_done ModifyNetworkSettings "[$(change "$narrow" Metric 5)]"
  assert_eq "$(listener)" "10.78.0.1 10.78.0.200 10.77.0.1" "a better metric comes first"
  assert_done ModifyNetworkSettings "[$(change "$narrow" Metric 20 SubnetNumber "'10.78.0.128'" PrefixLength 25)]"
  assert_eq "$(listener)" "10.78.0.1 10.78.0.200 10.77.0.1" "metric 1 of the wide one, then the longer prefix"
  assert_done AddNetworkSettings "[$(subnet fd00:78:: 64 20), $(subnet 0.0.0.0 0 0)]"
  assert_eq "$(listener)" "10.78.0.1 fd00:78::1 10.78.0.200 10.77.0.1" "IPv6 by its prefix, all networks do not count"

  # the address itself comes and goes
  host_run A ip addr add 10.78.0.9/24 dev host0
  wait_prop A "$VSM_ROOT" "$VSM_NAME" MigrationServiceListenerIPAddressList '"10.78.0.1" "10.78.0.9"' >/dev/null
  host_run A ip addr del 10.78.0.1/24 dev host0
  assert_done RemoveNetworkSettings "[objectpath '$VSM_ROOT/network/$wide', objectpath '$VSM_ROOT/network/$other']"
}

refused_users() {
  local before
  before=$(networks)
  assert_fails_with 'InteractiveAuthorizationRequired|AccessDenied' as_user A bob gdbus call --system \
    --dest "$VSM_NAME" --object-path "$VSM_ROOT" --method "$VSM_NAME.AddNetworkSettings" "[$(subnet 10.3.0.0 24)]"
  polkit_allow A alice '\.modify-settings$'
  assert_true "alice may" as_user A alice gdbus call --system \
    --dest "$VSM_NAME" --object-path "$VSM_ROOT" --method "$VSM_NAME.AddNetworkSettings" "[$(subnet 10.4.0.0 24)]"
  assert_eq "$(networks | wc -l)" $(($(wc -l <<<"$before") + 1)) "one more"
}

hosts_need gdbus python3
hosts_setup "$@"

fresh
ok "a fresh service has the two of all networks"

two_hundred
ok "200 networks"

whole_or_not
ok "a list is applied whole or not at all, and the sentence says why not"

change_places
ok "only the keys that are given change"

restarts
ok "kept across restart and crash; a number is never used again"

too_many
ok "at most 1024; and none at all, if so wished"

host_run A systemctl restart vsmd.service
assert_eq "$(networks)" "" "still none"
assert_eq "$(listener)" "" "nobody is listened to"
at_once
ok "none stay none; what comes at once comes one after the other"

overlaps_and_order
ok "overlaps, metrics, families; addresses that come"

refused_users
ok "polkit decides"

hosts_done
plan
