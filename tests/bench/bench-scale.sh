#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Whether answers take longer when much has happened: Get and GetAll against Ping, and GetManagedObjects by object,
# fresh and after 500 changes of the settings, with 200 networks and with 1000 jobs in the history.
#
# VSM_BENCH_CALLS  calls of each kind (1000)

# shellcheck source=tests/bench/libbench.sh
. "$(dirname "$0")/libbench.sh"
# shellcheck source=tests/libscale.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libscale.sh"

calls=${VSM_BENCH_CALLS:-1000}
bar=1.5 # what is done for each thing there is would show as some hundreds

objects() {
  host_run A busctl tree --list "$VSM_NAME" | grep -cE "^$VSM_ROOT/[a-z]+/"
}

measure() { # SET
  latency A "$1" "$calls" "Ping=ping,$VSM_NAME,$VSM_ROOT" "Get=get,$VSM_NAME,$VSM_ROOT,$VSM_NAME,Name" \
    "GetAll=getall,$VSM_NAME,$VSM_ROOT,$VSM_NAME.ServiceSettingData"
  latency A "$1, all" 50 --warm 2 "GetManagedObjects=objects,$VSM_NAME,$VSM_ROOT" "Ping=ping,$VSM_NAME,$VSM_ROOT"
  number[$1]=$(objects)
}

compare() { # SET: with the fresh service
  local what
  for what in Get GetAll; do
    ratio "$1" "($what/Ping, $1) / (fresh)" "$(divide "$(latency_of "$1" $what)" "$(latency_of "$1" Ping)")" \
      "$(divide "$(latency_of fresh $what)" "$(latency_of fresh Ping)")" "$bar"
  done
  ratio "$1" "GetManagedObjects/Ping/object, $1 / fresh" \
    "$(divide "$(per_ping "$1")" "${number[$1]}")" "$(divide "$(per_ping fresh)" "${number[fresh]}")" "$bar"
}

per_ping() { # SET
  divide "$(latency_of "$1, all" GetManagedObjects)" "$(latency_of "$1, all" Ping)"
}

declare -A number
bench_setup
set_limit A 1
guest_start A web --ws 8
guest_start A held --ws 16 --rate 20
migrate_held A held "$(host_name B)"

measure fresh
change_settings 500
measure '500 changes'
add_networks 200
measure '200 networks'
remove_networks
make_history 1000 "$(system_path A web)"
measure '1000 jobs'

table 'objects' number
for set in fresh '500 changes' '200 networks' '1000 jobs'; do
  row "$set" "${number[$set]}"
done
for set in '500 changes' '200 networks' '1000 jobs'; do
  compare "$set"
done
# shellcheck disable=SC2154 # held_job is from libbench.sh
cancel A "$held_job"
bench_done
