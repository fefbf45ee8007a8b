#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# 500 changes of the settings, 200 networks twice over, 1000 jobs in the history: the daemon's memory stays flat, and
# it keeps no descriptor and no thread. The first half of each warms up, the second is measured. How long answers
# take then is in bench/bench-scale.sh.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libscale.sh
. "$test_dir/libscale.sh"

[ -z "${VSM_TEST_SANITIZER-}" ] || skip_all "a sanitizer's own memory is not the service's"

# What each may leave behind, in bytes, and what an allocator may keep or give back as it likes, in KiB: a quarter of
# a KiB for each lets nobody leak a message, a task or a job, and is above what the history's pages cost.
per_call=256 noise=96

system_path() { # NAME
  printf '%s/system/%s\n' "$VSM_ROOT" "$(guest_uuid A "$1" | tr - _)"
}

private_kib() {
  host_run A cat "/proc/$pid/smaps_rollup" | awk '/^Private_(Dirty|Clean):/ { n += $2 } END { print n }'
}

# Descriptors and names of files, sockets and pipes without their numbers
descriptors() {
  # shellcheck disable=SC2016 # for the shell over there
  host_run A sh -c 'for f in /proc/$1/fd/*; do readlink "$f"; done' sh "$pid" | sed 's/:\[.*//' | sort | uniq -c
}

# The second half against the first
assert_flat() { # WHAT CALLS COMMAND...
  local what=$1 calls=$2 before after
  shift 2
  "$@"
  before=$(private_kib)
  "$@"
  after=$(private_kib)
  note "$what: $before KiB, after $calls more $after KiB"
  assert_between "$((after - before))" -100000 "$((noise + calls * per_call / 1024))" \
    "$what: KiB that $calls of them have left behind"
}

networks_come_and_go() {
  add_networks 200
  assert_eq "$(network_numbers | wc -l)" 202 "200 networks more"
  remove_networks
}

hosts_setup "$@"

guest_start A held --ws 8 --rate 20
guest_start A web --ws 8
web=$(system_path web)
call A "$VSM_ROOT" "$VSM_NAME" ModifyServiceSettings 'a{sv}' 1 MaximumActiveVirtualSystemMigration u 1 >/dev/null
job=$(call A "$VSM_ROOT" "$VSM_NAME" MigrateVirtualSystemToHost 'osa{sv}a{sv}aa{sv}' "$(system_path held)" hostb \
  2 Bandwidth q 1 AllowThrottling b false 0 0 | cut -d'"' -f2)
wait_prop A "$job" "$VSM_NAME.Job" JobState '^4$' >/dev/null
pid=$(host_run A systemctl show -P MainPID vsmd.service)
have=$(descriptors)

assert_flat "changes of the settings" 250 change_settings 250
assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME.ServiceSettingData" HistoryLimit)" 20499 "the last change counts"
ok "500 changes of the settings leave nothing behind"

assert_flat "networks" 400 networks_come_and_go
ok "200 networks, twice, leave nothing behind"

# for each three calls, two of them written to the disk
assert_flat "jobs" 500 make_history 500 "$web"
assert_eq "$(history_length)" 1000 "1000 jobs in the history"
ok "1000 jobs leave nothing behind but their history"

assert_eq "$(descriptors)" "$have" "no descriptor more than before"
assert_eq "$(host_run A systemctl show -P MainPID vsmd.service)" "$pid" "still the same process"
ok "no descriptor was left open"

call A "$job" "$VSM_NAME.Job" KillJob b false >/dev/null
wait_prop A "$job" "$VSM_NAME.Job" JobState '^9$' >/dev/null
hosts_done
plan
