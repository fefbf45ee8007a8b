#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The words of the sample that move disks do what the manual page says of them; --dry-run shows the plan and does
# nothing.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libstorage.sh
. "$test_dir/libstorage.sh"

# Runs vsmctl on a host; what it said is in out and err.
vsmctl() { # HOST STATUS ARGUMENTS...
  local status=0
  host_run "$1" vsmctl "${@:3}" >out 2>err </dev/null || status=$?
  [ "$status" = "$2" ] || evidence <<<"$(cat out err)"
  assert_eq "$status" "$2" "exit status of ${*:3}"
}

# Of both disks, wherever they are
sums_of() { # HOST
  local path
  disk_paths "$1" web live | while read -r _ path; do
    disk_sum "$1" "$path" </dev/null
  done
}

assert_web() { # HOST LINES-OF-DISKS
  assert_guest_on "$1" web
  assert_eq "$(disk_paths "$1" web live)" "$2" "its disks as it runs"
  assert_eq "$(disk_paths "$1" web config)" "$2" "as it is stored"
  assert_eq "$(sums_of "$1")" "$sums" "what nobody wrote"
  wait_system "$1" web OperatingStatus '^0$'
}

dry_run() {
  vsmctl A 0 migrate web "$(host_name B)" --type live-and-storage --dry-run
  assert_file_has_content out '^system +web +hostb' '^disk +\* +a pool of the destination' 'web can be migrated'
  assert_eq "$(volumes B disks)$(volumes B more)" "" "nothing was made"
  assert_eq "$(host_run A busctl tree --list "$VSM_NAME" | grep -c '/job/[0-9]' || true)" 0 "no job was begun"
  assert_web A "$disks"
}

# "The pools of the destination decide where they go": it has one of the same name.
there_and_back() {
  vsmctl A 0 vm-and-storage-simple "$(host_name A)" "$(host_name B)" web
  assert_file_has_content out 'web runs on hostb now'
  assert_eq "$(guest_state A web)" none "it has gone from host A"
  assert_web B "$disks"
  assert_eq "$(volumes A disks)" $'one.qcow2\ntwo.raw' "the copies are kept"
  # they are in the way, and nothing is lost by that
  vsmctl B 1 vm-and-storage-simple "$(host_name B)" "$(host_name A)" web
  assert_file_has_content err 'one\.qcow2'
  assert_web B "$disks"
  # shellcheck disable=SC2016 # for the shell over there
  host_run A sh -ec 'for v in one.qcow2 two.raw; do virsh -q vol-delete --pool disks --vol $v; done'
  vsmctl B 0 VM-and-Storage-Simple "$(host_name B)" "$(host_name A)" web
  assert_web A "$disks"
  wait_disk_round web
  assert_guest_good web
  # shellcheck disable=SC2016 # for the shell over there
  host_run B sh -ec 'for v in one.qcow2 two.raw; do virsh -q vol-delete --pool disks --vol $v; done'
}

to_directory() {
  vsmctl A 0 vm-and-storage "$(host_name A)" "$(host_name B)" web /srv/more
  assert_web B $'hda /srv/more/one.qcow2\nhdb /srv/more/two.raw'
  vsmctl B 0 storage-simple "$(host_name B)" web /srv/disks
  assert_web B "$disks"
  vsmctl B 0 storage-simple-with-pool "$(host_name B)" web third /srv/third
  assert_web B $'hda /srv/third/one.qcow2\nhdb /srv/third/two.raw'
  assert_eq "$(volumes B third)" $'one.qcow2\ntwo.raw' "in the pool that was named"
  vsmctl B 1 storage-simple "$(host_name B)" web /srv/nopool
  assert_file_has_content err '/srv/nopool'
  assert_web B $'hda /srv/third/one.qcow2\nhdb /srv/third/two.raw'
  wait_disk_round web
  assert_guest_good web
}

# Planned there, checked, and moved into what is planned. There is nothing planned at the end.
detailed() {
  guest_start A plain --ws 8 --autostart
  vsmctl A 0 vm-detailed "$(host_name A)" "$(host_name B)" plain
  assert_file_has_content out 'plain is planned on hostb' 'plain runs on hostb now'
  assert_guest_on B plain
  assert_eq "$(guest_state A plain)" none "it has gone from host A"
  assert_not_match "$(host_run B virsh -q dumpxml --inactive --domain plain)" ':planned' "it is no plan any more"
  assert_eq "$(autostart B plain)" enable "autostart"
  assert_guest_good plain
  vsmctl A 1 vm-detailed "$(host_name A)" "$(host_name B)" nobody
  assert_file_has_content err 'no system of that name'
  host_run B virsh -q destroy --domain plain
  host_run B virsh -q undefine --domain plain
}

plan_is_there() { # NAME
  host_run B virsh -q dumpxml --inactive --domain "$1" | grep -q ':planned'
}

# It stays planned, and whoever sits at a terminal may mend that and go on.
detailed_in_the_way() {
  local keys
  short_of_memory B
  guest_start A plain --ws 8
  vsmctl A 3 vm-detailed "$(host_name A)" "$(host_name B)" plain
  assert_file_has_content out 'plain is planned on hostb' 'cannot be migrated' 'memory'
  assert_guest_on A plain
  assert_true "it stays planned" plan_is_there plain
  vsmctl A 1 vm-detailed "$(host_name A)" "$(host_name B)" plain
  assert_file_has_content err 'plan'
  host_run B virsh -q undefine --domain plain

  mkfifo keys
  exec {keys}<>keys
  # shellcheck disable=SC2016 # for that shell
  start_background terminal.log bash -c 'exec "$@" <keys' bash "$hosts_lab" --dir "$VSM_LAB_DIR" run A \
    script -qfec "vsmctl vm-detailed $(host_name A) $(host_name B) plain" /dev/null
  wait_until 30 grep -q 'Press Enter' terminal.log
  assert_guest_on A plain
  echo >&"$keys"
  wait_until 30 eval '[ "$(grep -c "Press Enter" terminal.log)" = 2 ]'
  enough_memory B
  echo >&"$keys"
  wait_for_line terminal.log 'plain runs on hostb now' 30 >/dev/null
  exec {keys}>&-
  assert_guest_on B plain
  assert_eq "$(guest_state A plain)" none "it has gone from host A"
  assert_guest_good plain
  host_run B virsh -q destroy --domain plain
  host_run B virsh -q undefine --domain plain
}

hosts_need kvm script
hosts_setup "$@"
make_pool A disks /srv/disks
for pool in disks more third; do
  make_pool B "$pool" "/srv/$pool"
done
make_volume A disks one.qcow2 qcow2 20M 1 >/dev/null
make_volume A disks two.raw raw 20M 1 >/dev/null
disks=$'hda /srv/disks/one.qcow2\nhdb /srv/disks/two.raw'
guest_start A web --ws 1 --rate 0 --disk /srv/disks/one.qcow2 --disk /srv/disks/two.raw
sums=$(sums_of A)

dry_run
ok "--dry-run shows where they would go, and does nothing"
there_and_back
ok "vm-and-storage-simple there, and back"
to_directory
ok "vm-and-storage, storage-simple, storage-simple-with-pool"
detailed
ok "vm-detailed"
detailed_in_the_way
ok "vm-detailed with something in the way"
assert_no_leftovers A
assert_no_leftovers B web

hosts_done
plan
