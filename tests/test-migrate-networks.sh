#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Which network the memory of a guest goes over: the best of the migration networks that the destination can be
# reached in, the next one when that is cut, or when only the data's ports are closed. Two subnets on one wire;
# counters of the destination's packet filter say which one was used, not the daemon.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

DATA_PORTS=49152-49215
LEAST=1000000   # bytes of a guest's memory

service() { # METHOD ARGUMENT, as gdbus takes it
  host_run A gdbus call --system --timeout "$(scaled 60)" --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.$1" "$2" >/dev/null
}

subnet() { # NUMBER PREFIX METRIC
  printf "{'SubnetNumber': <'%s'>, 'PrefixLength': <byte 0x%02x>, 'Metric': <uint32 %s>}" "$@"
}

network_of() { # SUBNET-NUMBER: its path
  local path
  for path in $(host_run A busctl tree --list "$VSM_NAME" | grep "^$VSM_ROOT/network/"); do
    [ "$(prop A "$path" "$VSM_NAME.NetworkSettingData" SubnetNumber)" != "$1" ] || echo "$path"
  done
}

set_metric() { # SUBNET-NUMBER METRIC
  local path
  path=$(network_of "$1")
  service ModifyNetworkSettings "[{'InstanceID': <'$(prop A "$path" "$VSM_NAME.NetworkSettingData" InstanceID)'>, \
'Metric': <uint32 $2>}]"
}

### the network between the hosts

second_subnet() {
  local i=1 host
  for host in A B; do
    host_run "$host" ip addr replace "10.78.0.$i/24" dev host0
    at_exit "host_run $host ip addr del 10.78.0.$i/24 dev host0 2>/dev/null"
    i=$((i + 1))
  done
  at_exit 'host_run B nft delete table inet vsm_test 2>/dev/null'
}

# Counts from 0. RULE... are of B's input, and come after the counters.
filter() {
  host_run B nft delete table inet vsm_test 2>/dev/null || true
  {
    echo 'table inet vsm_test {'
    echo 'counter data77 {}'
    echo 'counter data78 {}'
    echo 'counter from78 {}'
    echo 'chain in { type filter hook input priority 0;'
    echo "ip daddr 10.77.0.2 tcp dport $DATA_PORTS counter name data77"
    echo "ip daddr 10.78.0.2 tcp dport $DATA_PORTS counter name data78"
    echo "ip saddr 10.78.0.1 ip daddr 10.78.0.2 tcp dport 16509 counter name from78"
    printf '%s\n' "$@"
    echo '}'
    echo '}'
  } >rules
  host_run B nft -f - <rules
}

counted() { # COUNTER: bytes
  host_run B nft list counter inet vsm_test "$1" | sed -n 's/.*bytes \([0-9]*\).*/\1/p'
}

### moving

job_prop() { # JOB PROPERTY
  prop A "$1" "$VSM_NAME.Job" "$2"
}

# Moves a new guest; prints the job when it is at its end.
move_new() { # NAME [settings as busctl takes them]
  local reply job
  guest_start A "$1" --ws 3 >&2
  [ $# -gt 1 ] || set -- "$1" 0
  reply=$(call A "$VSM_ROOT" "$VSM_NAME" MigrateVirtualSystemToHost 'osa{sv}a{sv}aa{sv}' \
    "$(system_path A "$1")" "$(host_name B)" "${@:2}" 0 0)
  job=${reply#*\"} job=${job%\"}
  wait_prop A "$job" "$VSM_NAME.Job" JobState '^(7|8|9|10|32768)$' 90 >/dev/null
  printf '%s\n' "$job"
}

address_of() { # JOB: what GetRequest says was used
  call A "$1" "$VSM_NAME.Job" GetRequest | grep -oE '"Address" s "[^"]*"' | sed 's/.* "//; s/"//'
}

assert_over() { # NAME JOB ADDRESS: the guest has moved, its memory went there and nowhere else
  local used=data${3:3:2} other=data78
  [ "$used" = data77 ] || other=data77
  assert_eq "$(job_prop "$2" JobState)" 7 "the job of $1"
  assert_guest_on B "$1"
  note "$1: $(counted data77) bytes over 10.77, $(counted data78) over 10.78"
  assert_between "$(counted "$used")" "$LEAST" 1000000000000 "bytes over the network of $3"
  assert_between "$(counted "$other")" 0 10000 "bytes over the other one"
  assert_eq "$(address_of "$2")" "$3" "GetRequest's Address"
  wait_tick "$1"
  assert_guest_good "$1"
  host_run B virsh -q destroy --domain "$1"
}

assert_stayed() { # NAME JOB REGEX
  assert_eq "$(job_prop "$2" JobState)" 10 "the job of $1 failed"
  assert_match "$(call A "$2" "$VSM_NAME.Job" GetErrorEx)" "$3" "and says why"
  assert_not_match "$(job_prop "$2" ErrorDescription)" '10\.7[0-9]' "but not to everybody"
  assert_guest_on A "$1"
  assert_guest_good "$1"
  host_run A virsh -q destroy --domain "$1"
}

best_metric() {
  local job
  filter
  job=$(move_new best)
  assert_between "$(counted from78)" 100 100000000 "the control port was asked from the address in the same subnet"
  assert_over best "$job" 10.78.0.2
  filter
  set_metric 10.77.0.0 5
  job=$(move_new other)
  assert_over other "$job" 10.77.0.2
  set_metric 10.77.0.0 20
}

first_is_cut() {
  local job
  filter 'ip daddr 10.78.0.2 drop'
  job=$(move_new around)
  assert_over around "$job" 10.77.0.2
}

# The control port answers there, and what libvirt connects to for the memory does not.
data_ports_closed() {
  local job
  filter "ip daddr 10.78.0.2 tcp dport $DATA_PORTS reject with tcp reset"
  job=$(move_new closed)
  assert_over closed "$job" 10.77.0.2
  filter "tcp dport $DATA_PORTS reject with tcp reset"
  job=$(move_new shut)
  assert_stayed shut "$job" 'unable to connect to server'
}

wanted() {
  local job
  filter
  job=$(move_new wish 1 DestinationIPAddressList as 2 10.77.0.2 10.78.0.2)
  assert_over wish "$job" 10.77.0.2
  filter
  job=$(move_new strange 1 DestinationIPAddressList as 1 10.78.0.3)
  assert_stayed strange "$job" '10\.78\.0\.3 is no address of host'
}

none() {
  local job
  filter
  service AddNetworkSettings "[$(subnet 10.79.0.0 24 1)]"
  service RemoveNetworkSettings "[objectpath '$(network_of 10.77.0.0)', objectpath '$(network_of 10.78.0.0)']"
  job=$(move_new nowhere)
  assert_stayed nowhere "$job" '\(10\.79\.0\.0/24\)'
  assert_eq "$(counted data77) $(counted data78)" "0 0" "no byte moved"
}

hosts_need gdbus
hosts_setup "$@"
second_subnet
host_run A gdbus call --system --dest "$VSM_NAME" --object-path "$VSM_ROOT" --method "$VSM_NAME.Manager.AddHost" \
  "{'Name': <'$(host_name B)'>, 'Addresses': <['10.77.0.2', '10.78.0.2']>}" >/dev/null
service AddNetworkSettings "[$(subnet 10.77.0.0 24 20), $(subnet 10.78.0.0 24 10)]"

best_metric
ok "the network with the better metric, and the other when the metrics change"

first_is_cut
ok "the next network when the first one is cut"

data_ports_closed
ok "the next network when the first lets no data through"

wanted
ok "the addresses that are wanted, if they are the Host's"

none
ok "no network in common: a clear sentence, and the guest stays"

hosts_done
plan
