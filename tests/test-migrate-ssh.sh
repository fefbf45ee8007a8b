#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# With AuthenticationType SSH and TransportType SSH all goes through one port, as it was set up by man vsmd: what is not
# possible that way is refused by its name.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libmove.sh
. "$test_dir/libmove.sh"
# shellcheck source=tests/libtransport.sh
. "$test_dir/libtransport.sh"

SSH="'TransportType': <uint16 2>"

live() { # FROM NAME TO [SETTINGS]
  start_move "$1" "$2" "$(host_name "$3")" "'MigrationType': <uint16 32768>${4:+, $4}"
}

# Only ssh is open between them while it moves.
tunnelled() { # FROM TO
  local job
  job=$(live "$1" web "$2" "$SSH")
  assert_moved "$1" "$job"
  assert_guest_on "$2" web
  assert_eq "$(guest_state "$1" web)" none "nothing of it on host $1"
  assert_eq "$(transfer_prop "$1" "$job" Encrypted)" true "Encrypted"
  wait_tick web
  assert_guest_good web
  wait_system "$2" web OperatingStatus '^0$'
}

refused() { # REGEX TYPE SETTINGS [RESOURCES]
  assert_fails_with "Error.IncompatibleParameters.*$1" host_run A gdbus call --system --dest "$VSM_NAME" \
    --object-path "$VSM_ROOT" --method "$VSM_NAME.MigrateVirtualSystemToHost" "$(system_path A web)" \
    "$(host_name B)" "{'MigrationType': <uint16 $2>, $SSH${3:+, $3}}" '{}' "[${4-}]"
}

hosts_need kvm gdbus
hosts_setup "$@"
at_exit 'take_keys A B; lab heal'
guest_start A web --ws 8

refused 'AuthenticationType' 32768 ''
give_keys A B
for host in A B; do
  use_ssh "$host" 5
done
ok "without AuthenticationType SSH it is refused"

refused 'disks' 32771 ''
refused 'ParallelConnections' 32768 "'ParallelConnections': <uint32 2>"
refused 'PostCopy' 32768 "'PostCopy': <'now'>"
assert_guest_on A web
ok "what a tunnel cannot do is refused by its name"

lab cut B 16509-16514
lab cut B 49152-49215
tunnelled A B
lab heal
ok "tunnelled, with no other port open"
tunnelled B A
ok "and back"

# As for the others: nothing is left after a cancel.
lab link A rate 8mbit
job=$(live A web B "$SSH")
wait_system A web MigrationState '^2$'
assert_eq "$(request A "$job" 4)" 4096 "cancelled"
wait_job A "$job" "$END"
lab link A rate unlimited
assert_eq "$(job_prop A "$job" JobState)" 8 "JobState"
assert_guest_on A web
assert_eq "$(guest_state B web)" none "nothing of it on host B"
wait_tick web
assert_guest_good web
ok "cancelled"

take_keys A
job=$(live A web B "$SSH")
wait_job A "$job" "$END"
assert_eq "$(job_prop A "$job" JobState)" 10 "JobState without a key"
reasons A "$job" | evidence
assert_guest_on A web
ok "without a key it fails, and the guest stays"

hosts_done
plan
