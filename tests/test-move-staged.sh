#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A definition is placed on the other host (MigrationType Staged), is changed there, and a live migration merges into
# it.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libstorage.sh
. "$test_dir/libstorage.sh"
# shellcheck source=tests/libplace.sh
. "$test_dir/libplace.sh"

DIR=/var/lib/libvirt/store

stage() { # FROM NAME TO POOL [SETTINGS]
  local job
  job=$(move_begin "$1" "$2" "$3" 32770 "${@:4}")
  assert_job "$1" "$job" 7
  assert_true "$2 is placed on host $3, with our mark" has_mark "$3" "$2"
  assert_eq "$(guest_state "$3" "$2")" "shut off" "and is off there"
}

merge() { # FROM NAME TO TYPE
  local job
  job=$(move_begin "$1" "$2" "$3" "$4" - "$(planned "$1" "$2")")
  assert_job "$1" "$job" 7
}

edit() { # NAME SED-SCRIPT: the definition on host B
  definition B "$1" | sed -E "$2" | host_run B virsh -q define /dev/stdin
}

planned() { # HOST NAME: it is staged from there
  printf 'DestinationPlannedVirtualSystemId s %s' "$(guest_uuid "$1" "$2")"
}

staged() {
  stage A web B store
  assert_guest_on A web
  assert_eq "$(autostart A web)" enable "the guest here is not touched"
  assert_eq "$(volumes B store)" disk.qcow2 "its volume was made"
  assert_match "$(definition B web)" ":volume path=['\"]$DIR/disk.qcow2['\"] pool=['\"]store['\"]" "and is in the mark"
  assert_match "$(definition B web)" "source=['\"]$(host_name A)" "with the host where it comes from"
  wait_disk_round web
  assert_guest_good web
}

# What the request does not name, and what a running guest cannot become
not_merged() {
  local job
  job=$(move_begin A web B 32771 store)
  assert_job_fails A "$job" 'DestinationPlannedVirtualSystemId'
  job=$(move_begin A web B 32768 - "$(planned A web)")
  assert_job_fails A "$job" 'empty volume'
  edit web 's,<memory unit=.KiB.>[0-9]+<,<memory unit="KiB">131072<,; s,<currentMemory unit=.KiB.>[0-9]+<,<currentMemory unit="KiB">131072<,'
  job=$(move_begin A web B 32771 - "$(planned A web)")
  assert_job_fails A "$job" '<memory>'
  job=$(move_begin A web B 32770 store)
  assert_job_fails A "$job" 'planned system'
  assert_guest_on A web
  assert_true "it is still planned" has_mark B web
  edit web 's,<memory unit=.KiB.>[0-9]+<,<memory unit="KiB">65536<,; s,<currentMemory unit=.KiB.>[0-9]+<,<currentMemory unit="KiB">65536<,'
}

# What a live migration can change is changed there.
merged() {
  local sum
  sum=$(disk_sum A "$DIR/disk.qcow2")
  edit web 's,(<uuid>.*</uuid>),\1<title>edited</title><description>as planned</description>,'
  host_run B virsh -q domrename web planned
  host_run B virsh -q autostart --domain planned
  host_run A virsh -q autostart --disable --domain web
  merge A web B 32771
  assert_guest_on B planned
  assert_eq "$(guest_state A web)" none "gone on host A"
  assert_fails has_mark B planned
  assert_not_match "$(host_run B virsh -q dumpxml --domain planned)" VirtualSystemMigration:planned "no mark while it runs"
  assert_match "$(definition B planned)" '<title>edited</title>' "its title"
  assert_match "$(definition B planned)" '<description>as planned</description>' "its description"
  assert_match "$(host_run B virsh -q dumpxml --domain planned)" '<description>as planned' "while it runs, too"
  assert_eq "$(autostart B planned)" enable "autostart as planned"
  assert_eq "$(disk_paths B planned live)" "hda $DIR/disk.qcow2" "its disk"
  assert_eq "$(disk_sum B "$DIR/disk.qcow2")" "$sum" "the disk holds what it held"
  lab check-guest web
}

# What was kept of its disk on host A is in the way, unless that is allowed.
back() {
  local job sum
  sum=$(disk_sum B "$DIR/disk.qcow2")
  assert_eq "$(volumes A store)" disk.qcow2 "the copy on host A was kept"
  job=$(move_begin B planned A 32770 store)
  assert_job_fails B "$job" 'disk.qcow2'
  assert_eq "$(guest_state A planned)" none "nothing is placed on host A"
  stage B planned A store 'AllowOverwriteExistingFile b true'
  assert_guest_on B planned
  merge B planned A 32771
  assert_guest_on A planned
  assert_eq "$(guest_state B planned)" none "gone on host B"
  assert_fails has_mark A planned
  assert_eq "$(autostart A planned)" enable "autostart comes with it"
  assert_match "$(definition A planned)" '<title>edited</title>' "its title, too"
  assert_eq "$(disk_sum A "$DIR/disk.qcow2")" "$sum" "the disk holds what it held"
  wait_disk_round web
  lab check-guest web
}

# Without disks: merged by a plain live migration, there and back
plain() {
  guest_start A plain --ws 8
  stage A plain B -
  merge A plain B 32768
  assert_guest_on B plain
  assert_fails has_mark B plain
  stage B plain A -
  merge B plain A 32768
  assert_guest_on A plain
  assert_fails has_mark A plain
  assert_guest_good plain
  host_run A virsh -q destroy --domain plain
}

# One that is off, and a failure: nothing stays
failed() {
  local job
  make_pool B full /var/lib/libvirt/full 16m
  make_volume A store big.raw raw 64M 32 >/dev/null
  guest_define A off --disk "$DIR/big.raw"
  job=$(move_begin A off B 32770 full)
  assert_job A "$job" 10
  assert_eq "$(volumes B full)" "" "no volume stays"
  assert_eq "$(guest_state B off)" none "no definition stays"
  stage A off B store
  assert_eq "$(guest_state A off)" "shut off" "the one here stays off"
  host_run B virsh -q undefine --domain off
  host_run B virsh -q vol-delete --pool store --vol big.raw
}

dialling() {
  local before
  before=$(volumes B store)
  dial_and_cancel off 32770
  assert_eq "$(guest_state B off)" none "no definition stays"
  assert_eq "$(volumes B store)" "$before" "no volume stays"
  assert_eq "$(guest_state A off)" "shut off" "the one here stays off"
}

assert_all_or_nothing() { # JOBSTATE
  if [ "$1" = 7 ]; then
    assert_true "all is there" has_mark B off
    assert_eq "$(volumes B store | grep -c big)" 1 "its volume, too"
    host_run B virsh -q undefine --domain off
    host_run B virsh -q vol-delete --pool store --vol big.raw
  else
    wait_until 60 eval '! volumes B store | grep -q big'
    assert_eq "$(guest_state B off)" none "nothing is there"
  fi
}

# Whenever the service is killed: either all is there, with its mark, or nothing.
killed_anywhere() {
  local job delay state
  for delay in 0.05 0.2; do
    slow_down A
    job=$(move_begin A off B 32770 store)
    sleep "$delay" # somewhere in it
    kill_service A
    state=$(survived A "$job" '(7|10)')
    note "killed after $delay s: JobState $state"
    assert_all_or_nothing "$state"
  done

  slow_down A B lifecycle "*'off': Defined*"
  job=$(move_begin A off B 32770 store)
  wait_killed
  state=$(survived A "$job" 7)
  assert_all_or_nothing "$state"
}

hosts_need kvm
hosts_setup "$@"
make_pool A store "$DIR"
make_pool B store "$DIR"
make_volume A store disk.qcow2 qcow2 256M 16 >/dev/null
guest_start A web --autostart --region 256 --disk "$DIR/disk.qcow2"

staged
ok "placed, with an empty volume, while the guest runs on"
not_merged
ok "what cannot be merged is refused by name"
merged
ok "merged with what was changed there"
back
ok "and back, over the copy that was kept, when that is allowed"
plain
ok "merged without disks, there and back"
failed
ok "a failure leaves nothing, and one that is off can be staged as well"
dialling
ok "cancelled: nothing there"
killed_anywhere
ok "the service is killed in the middle: all or nothing"

hosts_done
plan
