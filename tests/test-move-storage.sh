#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Disks go elsewhere on their host while their guest writes them, or while it is off: what it reads afterwards is what
# it wrote, the rest of each disk is what it was, and the running and the stored definition say where it is.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libstorage.sh
. "$test_dir/libstorage.sh"
# shellcheck source=tests/libmove.sh
. "$test_dir/libmove.sh"
# shellcheck source=tests/libstoragemove.sh
# shellcheck disable=SC2154 # where, sums are from there
. "$test_dir/libstoragemove.sh"

assert_rising() { # NUMBER...
  local last=0 n
  for n; do
    [ "$n" -ge "$last" ] || fail "percent never falls: $*"
    last=$n
  done
}

limited() { # NAME BYTES
  host_run A virsh blockjob --domain "$1" --path hdb --info 2>&1 | grep "limit: $2 bytes/s"
}

all_disks() {
  local job before
  before=$(console_size web)
  monitor_start A bus.all
  job=$(storage web "$(disk_to '*' '' other)" "'Bandwidth': <uint16 2>")
  wait_system A web OperatingStatus '^9$'
  wait_prop A "$VSM_ROOT" "$VSM_NAME" ActiveStorageMigrationCount '^1$' >/dev/null
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME" ActiveVirtualSystemMigrationCount)" 0 "not counted as a system"
  assert_match "$(host_run A virsh blockjob --domain web --path hda --info 2>&1)" 'limit: 1048576 bytes/s' "its part of the limit"
  call A "$job" "$VSM_NAME.Job.Transfer" SetParameters 'a{sv}' 1 Bandwidth q 8
  wait_until 5 limited web 4194304
  assert_moved A "$job"
  where=$'hda /srv/other/one.qcow2\nhdb /srv/other/two.raw'
  assert_disks web "$where"
  assert_eq "$(job_prop A "$job" JobType)" 307 "JobType"
  assert_eq "$(job_prop A "$job" DestinationHost)" '' "DestinationHost"
  assert_between "$(transfer_prop A "$job" DiskTotal)" $((20 << 20)) $((96 << 20)) "DiskTotal"
  assert_eq "$(transfer_prop A "$job" DiskRemaining)" 0 "DiskRemaining"
  assert_between "$(disk_written web "$before")" 16 65536 "sectors written during the move"
  wait_for_line bus.all '"JobState":\{"type":"q","data":7' >/dev/null
  assert_eq "$(seen bus.all MigrationState)" "1 2 3 0" "its states"
  assert_match "$(seen bus.all Phase)" '^preparing disks switch-over finishing( done)?$' "its phases"
  assert_match "$(seen bus.all OperatingStatus)" '^9 0$' "OperatingStatus"
  # shellcheck disable=SC2046 # numbers
  assert_rising $(seen bus.all PercentComplete)
  assert_match "$(seen bus.all PercentComplete)" '^([1-7]?[0-9] ){3,}.* 100$' "percent goes with the disks"
  assert_eq "$(volumes A disks)" $'one.qcow2\ntwo.raw' "copies stay by default"
  assert_rest web
}

# Only the one that is named; what is in the way stays unless that is allowed.
one_disk() {
  local job before
  before=$(on_host)
  job=$(storage web "$(disk_to hda '' disks)")
  assert_stayed "$job" 10 5 "$before"
  assert_match "$(reasons A "$job")" "/srv/disks/one.qcow2.{1,2} already" "the reason is told"
  job=$(storage web "$(disk_to hda '' disks)" "$OVERWRITE, $REMOVE")
  assert_moved A "$job"
  where=$'hda /srv/disks/one.qcow2\nhdb /srv/other/two.raw'
  assert_disks web "$where"
  assert_eq "$(volumes A other)" two.raw "what it was copied from is removed when that is wanted"
}

# A path in a pool for one, a directory of the administrator's for the other
by_path() {
  local job
  host_write A /etc/vsmd/vsmd.conf.d/directories.conf <<<$'[Storage]\nDirectories=/srv/listed'
  host_run A systemctl restart vsmd.service
  job=$(storage web "$(disk_to hda /srv/other/renamed.qcow2), $(disk_to hdb /srv/listed/b.raw)" "$REMOVE")
  assert_moved A "$job"
  where=$'hda /srv/other/renamed.qcow2\nhdb /srv/listed/b.raw'
  assert_disks web "$where"
  assert_eq "$(on_host)" $'disks/two.raw\nother/renamed.qcow2\n/srv/listed/b.raw' "moved, nothing else is there"
}

off() {
  local job sums
  make_volume A disks off.qcow2 qcow2 64M 4 >/dev/null
  guest_define A off --disk /srv/disks/off.qcow2
  sums=$(sums_of off)
  monitor_start A bus.off
  job=$(storage off "$(disk_to hda '' other)" "$REMOVE")
  assert_moved A "$job"
  assert_eq "$(disk_paths A off config)" "hda /srv/other/off.qcow2" "the disk of one that is off"
  assert_eq "$(sums_of off)" "$sums" "its content"
  assert_match "$(host_run A qemu-img check /srv/other/off.qcow2)" 'No errors' "as QEMU sees it"
  assert_eq "$(volumes A disks)" two.raw "what it was copied from is removed when that is wanted"
  wait_for_line bus.off '"JobState":\{"type":"q","data":7' >/dev/null
  assert_eq "$(seen bus.off MigrationState)" "1 2 3 0" "its states"
  assert_eq "$(guest_state A off)" "shut off" "it is still off"
  guest_start A off
  wait_disk_round off
  assert_guest_good off
  host_run A virsh -q destroy --domain off
  host_run A virsh -q undefine --domain off
  host_run A virsh -q vol-delete --pool other --vol off.qcow2
}

paused_and_transient() {
  local job
  make_volume A disks passing.qcow2 qcow2 64M 2 >/dev/null
  guest_start A passing --transient --disk /srv/disks/passing.qcow2
  host_run A virsh -q suspend --domain passing
  job=$(storage passing "$(disk_to hda '' other)" "$REMOVE")
  assert_moved A "$job"
  assert_eq "$(guest_state A passing)" paused "it is still paused"
  host_run A virsh -q resume --domain passing
  assert_match "$(host_run A virsh -q dominfo --domain passing)" 'Persistent: +no' "it is still transient"
  assert_eq "$(disk_paths A passing live)" "hda /srv/other/passing.qcow2" "disks of a transient one"
  wait_tick passing
  assert_eq "$(volumes A disks)" two.raw "what it was copied from is removed when that is wanted"
  host_run A virsh -q destroy --domain passing
  host_run A virsh -q vol-delete --pool other --vol passing.qcow2
}

# Paused for a moment for each disk on a controller that takes requests at any time, and not at all on virtio.
paused_by_hand() { # FILE
  [ "$(grep -c Suspended "$1")" -gt "$(grep -c Resumed "$1")" ]
}

halts() { # NAME TIMES
  local job events=events.$1
  watch_libvirt A "$events" --domain "$1" --event lifecycle
  job=$(storage "$1" "$(disk_to '*' '' other)" "$REMOVE")
  assert_moved A "$job"
  host_run A virsh -q suspend --domain "$1"
  wait_until 10 paused_by_hand "$events"
  host_run A virsh -q resume --domain "$1"
  assert_eq "$(grep -c Suspended "$events")" "$(($2 + 1))" "pauses of $1, and the one that was asked for"
  assert_guest_on A "$1"
  wait_tick "$1"
  assert_guest_good "$1"
  host_run A pkill -f "virsh event --domain $1"
  host_run A virsh -q destroy --domain "$1"
  host_run A virsh -q undefine --domain "$1"
  host_run A virsh -q vol-delete --pool other --vol "$1.raw"
}

paused_for_a_moment() {
  local name
  for name in on-ide on-virtio; do
    make_volume A disks "$name.raw" raw 20M 1 >/dev/null
  done
  guest_start A on-ide --disk /srv/disks/on-ide.raw
  guest_start A on-virtio --disk /srv/disks/on-virtio.raw,target=vda
  halts on-ide 1
  halts on-virtio 0
}

# A volume that no disk has goes along, also of a guest that stays otherwise.
extra_volume() {
  local job sum
  make_volume A disks data.raw raw 20M 2 >/dev/null
  sum=$(disk_sum A /srv/disks/data.raw 0)
  job=$(storage web "$(disk_to hdb '' other)" "$REMOVE, 'RemoveSourceUnmanagedVhds': <true>, 'UnmanagedVhds': <[{
    'VhdSourcePath': <'/srv/disks/data.raw'>, 'VhdDestinationPath': <'/srv/other/data2.raw'>}]>")
  assert_moved A "$job"
  assert_eq "$(disk_sum A /srv/other/data2.raw 0)" "$sum" "the volume's content"
  assert_not_match "$(volumes A disks)" data.raw "what it was copied from is removed when that is wanted"
  where=$'hda /srv/other/renamed.qcow2\nhdb /srv/other/b.raw'
  assert_disks web "$where"
}

queued() {
  local first second
  make_volume A disks next.raw raw 32M 1 >/dev/null
  guest_start A next --disk /srv/disks/next.raw
  call A "$VSM_ROOT" "$VSM_NAME" ModifyServiceSettings 'a{sv}' 2 MaximumActiveStorageMigration u 1 \
    EnableVirtualSystemMigration b false >/dev/null
  first=$(hold "$(disk_to '*' '' disks)" "$OVERWRITE")
  second=$(storage next "$(disk_to hda '' other)" "$REMOVE")
  assert_eq "$(job_prop A "$second" JobState)" 2 "the second waits"
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME" ActiveStorageMigrationCount)" 1 "one is counted"
  assert_eq "$(request A "$first" 4)" 4096 "the first is cancelled"
  assert_moved A "$second"
  assert_disks next "hda /srv/other/next.raw"
  wait_tick next
  host_run A virsh -q destroy --domain next
  host_run A virsh -q undefine --domain next
  host_run A virsh -q vol-delete --pool other --vol next.raw
}

refused_at_once() { # ERROR NAME DESTINATION RESOURCES
  assert_fails_with "$VSM_NAME.Error.$1" host_run A gdbus call --system --dest "$VSM_NAME" \
    --object-path "$VSM_ROOT" --method "$VSM_NAME.MigrateVirtualSystemToHost" "$(system_path A "$2")" "$3" \
    "{'MigrationType': <uint16 32769>}" '{}' "[$4]"
}

bad_wishes() {
  local job before path
  before=$(on_host)
  refused_at_once InvalidParameter web "$(host_name B)" "$(disk_to hda '' disks)"
  refused_at_once InvalidParameter web '' "$(disk_to hda /srv/disks/../nopool/x.qcow2)"
  host_run A sh -ec 'mkdir -p /srv/nopool; ln -s /srv/nopool /srv/disks/folder; ln -s /srv/nopool /srv/listed/folder'
  for path in /etc/new.qcow2 /srv/nopool/new.qcow2 /srv/disks/folder/new.qcow2 /srv/listed/folder/new.qcow2 \
    /srv/disks /dev/null; do
    job=$(storage web "$(disk_to hda "$path")" "$OVERWRITE")
    wait_job A "$job" "$END"
    assert_eq "$(job_prop A "$job" JobState)" 10 "to $path"
    assert_match "$(reasons A "$job")" "$path" "the reason names it"
  done
  host_run A rm /srv/disks/folder /srv/listed/folder
  assert_eq "$(host_run A ls /srv/nopool)" '' "nothing was made there"
  job=$(storage web "$(disk_to hda '' nosuch)")
  assert_stayed "$job" 10 5 "$before"
  assert_match "$(reasons A "$job")" nosuch "the reason names the pool"
  job=$(storage web "$(disk_to hdq '' disks)")
  assert_stayed "$job" 10 5 "$before"
  assert_match "$(reasons A "$job")" hdq "the reason names the disk"
}

hosts_need kvm gdbus
hosts_setup "$@"
prepare

all_disks
ok "all disks of a running guest to another pool"
one_disk
ok "one disk to a pool, over what is there only when that is allowed"
by_path
ok "to a path in a pool, and to a directory that the administrator has listed"
bad_wishes
ok "what is not allowed"
off
ok "a guest that is off"
paused_for_a_moment
ok "paused for a moment on IDE, not on virtio"
paused_and_transient
ok "a transient guest that is paused"
extra_volume
ok "a volume that no disk has"
queued
ok "one at a time, and also while guests may not leave"
assert_nothing_lost
ok "after all that the guest has lost nothing"

hosts_done
plan
