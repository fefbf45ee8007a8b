#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest that is off moves to the other host with its disks, its snapshots and its autostart mark (MigrationType
# Other), or stays with all of them. What its disks hold is compared.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libstorage.sh
. "$test_dir/libstorage.sh"
# shellcheck source=tests/libmove.sh
. "$test_dir/libmove.sh"
# shellcheck source=tests/libplace.sh
. "$test_dir/libplace.sh"

DIR=/var/lib/libvirt/store

assert_stays() { # NAME SUM: on A, with nothing of it on B
  assert_eq "$(guest_state A "$1")" "shut off" "$1 stays off on host A"
  assert_eq "$(guest_state B "$1")" none "no definition of $1 on host B"
  assert_eq "$(volumes B store)" "" "no volume on host B"
  assert_eq "$(disk_sum A "$DIR/disk.qcow2")" "$2" "the disk on host A holds what it held"
  assert_eq "$(autostart A "$1")" enable "autostart of $1"
  assert_no_leftovers B
}

assert_went() { # NAME FROM TO SUM
  assert_eq "$(guest_state "$2" "$1")" none "no definition of $1 on host $2"
  assert_eq "$(guest_state "$3" "$1")" "shut off" "$1 is off on host $3"
  assert_eq "$(autostart "$3" "$1")" enable "autostart on host $3"
  assert_fails has_mark "$3" "$1"
  assert_eq "$(disk_sum "$3" "$DIR/disk.qcow2")" "$4" "the disk on host $3 holds what it held"
}

there_and_back() {
  local job sum
  sum=$(disk_sum A "$DIR/disk.qcow2")
  host_run A virsh -q snapshot-create-as --domain web --name first
  host_run A virsh -q snapshot-create-as --domain web --name second
  job=$(move_begin A web B 1 store)
  assert_job A "$job" 7
  assert_went web A B "$sum"
  assert_eq "$(host_run B virsh -q snapshot-list --domain web --tree | tr -d ' +|-' | grep . | paste -sd ' ')" \
    "first second" "its snapshots are known there"
  assert_eq "$(host_run B virsh -q snapshot-current --domain web --name)" second "the current one"
  assert_eq "$(volumes A store)" disk.qcow2 "the source's volume is kept"
  guest_start B web
  wait_for_line "$(lab console web)" '^VSM disk' 30 >/dev/null
  wait_disk_round web
  assert_guest_good web
  host_run B virsh -q destroy --domain web
  sum=$(disk_sum B "$DIR/disk.qcow2")

  job=$(move_begin B web A 1 store 'AllowOverwriteExistingFile b true RetainVhdCopiesOnSource b false')
  assert_job B "$job" 7
  assert_went web B A "$sum"
  assert_eq "$(volumes B store)" "" "the source's volume was removed"
  host_run A virsh -q snapshot-delete --domain web --snapshotname second
  host_run A virsh -q snapshot-delete --domain web --snapshotname first
}

renamed() {
  local job sum
  sum=$(disk_sum A "$DIR/disk.qcow2")
  job=$(move_begin A web B 1 store 'RetainVhdCopiesOnSource b false' 'ElementName s other Description s moved')
  assert_job A "$job" 7
  assert_eq "$(guest_state A web)" none "gone on host A"
  assert_went other A B "$sum"
  assert_match "$(definition B other)" '<description>moved</description>' "its description"
  job=$(move_begin B other A 1 store 'RetainVhdCopiesOnSource b false' 'ElementName s web')
  assert_job B "$job" 7
  assert_went web B A "$sum"
}

refused() {
  local job sum
  sum=$(disk_sum A "$DIR/disk.qcow2")
  job=$(move_begin A web B 1 -)
  assert_job_fails A "$job" 'not on storage'
  assert_stays web "$sum"

  guest_define B web
  job=$(move_begin A web B 1 store)
  assert_job_fails A "$job" 'another system'
  host_run B virsh -q undefine --domain web
  assert_stays web "$sum"

  host_run A virsh -q snapshot-create-as --domain web --name first
  job=$(move_begin A web B 1 store '' 'ElementName s other')
  assert_job_fails A "$job" 'snapshots'
  host_run A virsh -q snapshot-delete --domain web --snapshotname first
  assert_stays web "$sum"

  host_run A virsh -q start --domain web
  host_run A virsh -q managedsave --domain web
  job=$(move_begin A web B 1 store)
  assert_job_fails A "$job" 'saved image'
  host_run A virsh -q managedsave-remove --domain web
}

# A limit holds for what the service copies itself, and can be lifted meanwhile. 64 MiB of the disk are no holes.
limited() {
  local job sum start
  sum=$(disk_sum A "$DIR/disk.qcow2")
  start=$EPOCHREALTIME
  job=$(move_begin A web B 1 store 'Bandwidth q 16 RetainVhdCopiesOnSource b false')
  assert_job A "$job" 7
  assert_between $(((${EPOCHREALTIME/./} - ${start/./}) / 1000)) 3900 600000 "ms for 64 MiB at 16 MiB/s"
  assert_went web A B "$sum"
  job=$(move_begin B web A 1 store 'Bandwidth q 1 RetainVhdCopiesOnSource b false')
  wait_prop B "$job" "$VSM_NAME.Job.Transfer" DiskProcessed '^[1-9]' >/dev/null
  start=$SECONDS
  let_go B "$job"
  assert_job B "$job" 7
  assert_between $((SECONDS - start)) 0 45 "seconds for the rest, without the limit"
  assert_went web B A "$sum"
}

# A volume that goes along takes longer than nothing may move, and its bytes count.
with_volume() {
  local job sum extra
  sum=$(disk_sum A "$DIR/disk.qcow2")
  make_volume A store extra.raw raw 96M 80 >/dev/null
  extra=$(disk_sum A "$DIR/extra.raw")
  host_run A vsmctl settings StallTimeout=3s >/dev/null
  job=$(start_move A web "$(host_name B)" "'MigrationType': <uint16 1>, 'Bandwidth': <uint16 16>, \
    'RetainVhdCopiesOnSource': <false>, 'UnmanagedVhds': <[$(volume_to "$DIR/extra.raw" "$DIR/extra.raw")]>" '' \
    "$(disk_to hda '' store)")
  assert_job A "$job" 7
  host_run A vsmctl settings StallTimeout=2min >/dev/null
  assert_went web A B "$sum"
  assert_eq "$(disk_sum B "$DIR/extra.raw")" "$extra" "the volume that went along"
  assert_eq "$(volumes A store)" extra.raw "it is kept here, as it was not said to go"
  job=$(move_begin B web A 1 store 'RetainVhdCopiesOnSource b false')
  assert_job B "$job" 7
  assert_went web B A "$sum"
  host_run A virsh -q vol-delete --pool store --vol extra.raw
  host_run B virsh -q vol-delete --pool store --vol extra.raw
}

# Slow enough to be caught in the middle
slowly() {
  lab link A rate 80mbit
}

interrupted() { # COMMAND...: while its disk is copied
  local job sum
  sum=$(disk_sum A "$DIR/disk.qcow2")
  slowly
  job=$(move_begin A web B 1 store)
  wait_until 30 has_mark B web
  assert_eq "$(autostart A web)" disable "autostart is off meanwhile"
  "$@" "$job"
  lab link A rate unlimited
  wait_job A "$job" "$MOVE_ENDED" 120
  wait_until 60 nothing_left B
  assert_stays web "$sum"
}

# By a guest that was started and stopped again, say: what was copied is neither what it was nor what it is.
written() { # JOB
  torn=$1
  host_run A touch "$DIR/disk.qcow2"
}

dialling() {
  local sum
  sum=$(disk_sum A "$DIR/disk.qcow2")
  dial_and_cancel web 1
  assert_stays web "$sum"
}

# Killed when the mark is off there: it has moved, and that is brought to its end.
killed_late() {
  local job sum
  sum=$(disk_sum A "$DIR/disk.qcow2")
  slow_down A B metadata-change '*:planned*'
  job=$(move_begin A web B 1 store)
  wait_killed
  survived A "$job" 7 >/dev/null
  assert_went web A B "$sum"
}

hosts_need kvm
hosts_setup "$@"
make_pool A store "$DIR"
make_pool B store "$DIR"
make_volume A store disk.qcow2 qcow2 256M 64 >/dev/null
guest_define A web --autostart --region 256 --disk "$DIR/disk.qcow2"

there_and_back
ok "there and back, with disk, snapshots and autostart mark"
renamed
ok "there under another name, and back"
refused
ok "what cannot be moved stays, and is told why"
limited
ok "not faster than is allowed, and faster when that changes"
with_volume
ok "a volume goes along, and is no stall"
dialling
ok "cancelled while the other host is dialled"
interrupted cancelled
ok "cancelled while its disk is copied"
interrupted written
assert_job_fails A "$torn" 'was changed'
ok "its disk is written to while it is copied"
interrupted killed
ok "the service is killed while its disk is copied"
killed_late
ok "the service is killed when it has just arrived"

hosts_done
plan
