#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A running guest moves with its disks, which it writes meanwhile: what it reads afterwards is what it wrote, the rest
# of each disk is what it was, and each is where, and in the form, that was asked for. No path gets anybody to a file
# that is no volume, and no volume of somebody else is touched.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libstorage.sh
. "$test_dir/libstorage.sh"
# shellcheck source=tests/libmove.sh
. "$test_dir/libmove.sh"

OVERWRITE="'AllowOverwriteExistingFile': <true>"

# Of all disks of a guest, in the order of its definition
sums_of() { # HOST NAME
  local path
  disk_paths "$1" "$2" live | while read -r _ path; do
    disk_sum "$1" "$path" </dev/null
  done
}

assert_disks() { # HOST NAME LINES: in the running guest and in its stored definition
  assert_eq "$(disk_paths "$1" "$2" live)" "$3" "disks of $2 on host $1"
  assert_eq "$(disk_paths "$1" "$2" config)" "$3" "stored disks of $2 on host $1"
}

format_of() { # HOST PATH: by what is in it
  host_run "$1" qemu-img info -U --output=json "$2" | sed -n 's/^    "format": "\(.*\)",$/\1/p'
}

assert_rising() { # NUMBER...
  local last=0 n
  for n; do
    [ "$n" -ge "$last" ] || fail "percent never falls: $*"
    last=$n
  done
}

# It went on, it lost nothing, and what it did not write is as it was. A round takes the guest some seconds, and what is
# lost on the way there is still lost on the way back.
assert_same_guest() { # HOST NAME SUMS [no-round]
  assert_guest_on "$1" "$2"
  [ -n "${4-}" ] || wait_disk_round "$2"
  assert_guest_good "$2"
  assert_eq "$(sums_of "$1" "$2")" "$3" "what nobody wrote is as it was"
}

# What is there, whoever made it
there() {
  host_run B sh -c 'ls -ln --time-style=full-iso /srv/disks /srv/more /srv/nopool /etc/passwd 2>/dev/null
    stat -c %a-%u-%t /dev/null'
}

# Ends by itself, says why, and nothing changed: neither where it is, nor what is there.
assert_refused() { # NAME SETTINGS RESOURCES REGEX...
  local job before regex said
  before=$(there)
  if said=$(ask_move A "$1" B "$2" "$3" 2>&1); then
    job=$(grep -oE "$VSM_ROOT/job/[0-9]+" <<<"$said")
    wait_job A "$job" "$END"
    assert_eq "$(job_prop A "$job" JobState)" 10 "JobState of what is refused"
    assert_eq "$(transfer_prop A "$job" DiskProcessed)" 0 "no byte of a disk has left"
    said=$(reasons A "$job")
  fi
  for regex in "${@:4}"; do
    assert_match "$said" "$regex" "the reason is told"
  done
  assert_guest_on A "$1"
  assert_eq "$(there)" "$before" "what is there after a move that is refused"
}

held_there() {
  local job before
  before=$(console_size web)
  monitor_start A bus.there
  count_readable
  job=$(move A web B "'Bandwidth': <uint16 4>")
  wait_phase A "$job" '^disks$'
  wait_prop A "$job" "$VSM_NAME.Job.Transfer" DiskProcessed '^[1-9]' >/dev/null
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME" ActiveVirtualSystemMigrationCount)" 1 "counted as a system"
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME" ActiveStorageMigrationCount)" 1 "counted as storage"
  assert_eq "$(system_prop A web MigrationState)" 2 "MigrationState"
  assert_match "$(host_run A virsh blockjob --domain web --path hda --info 2>&1)" 'limit: 4194304 bytes/s' \
    "the limit is one for disks as well"
  wait_phase A "$job" '^memory$'
  assert_eq "$(transfer_prop A "$job" Encrypted)" false "not all: the volume goes over the control connection"
  let_go A "$job"
  assert_moved A "$job"
  assert_between "$(readable)" 1 100000 "requests of NBD that can be read on the way"
  assert_between "$(disk_written web "$before")" 64 65536 "sectors written during the move"
  assert_between "$(transfer_prop A "$job" DiskTotal)" $((8 << 20)) $((96 << 20)) "DiskTotal"
  assert_between "$(transfer_prop A "$job" DiskRemaining)" 0 $((1 << 20)) "DiskRemaining" # written since
  assert_between "$(transfer_prop A "$job" DiskProcessed)" $((8 << 20)) $((256 << 20)) "DiskProcessed"
  wait_for_line bus.there '"JobState":\{"type":"q","data":7' >/dev/null
  assert_match "$(seen bus.there Phase)" '^preparing disks memory switch-over finishing( done)?$' "its phases"
  # shellcheck disable=SC2046 # numbers
  assert_rising $(seen bus.there PercentComplete)
  assert_match "$(seen bus.there PercentComplete)" '^([1-4]?[0-9] ).* 100$' "percent goes with the disks as well"
  assert_eq "$(seen bus.there MigrationState)" "1 2 3 0" "its states"
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME" ActiveStorageMigrationCount)" 0 "counted no more"
}

# What it left behind here is a copy, and nobody said that it may be lost.
back() {
  local job
  assert_eq "$(volumes A disks)" "$volumes" "copies stay by default"
  wait_system B web OperatingStatus '^0$'
  job=$(move B web A)
  wait_job B "$job" "$END"
  assert_eq "$(job_prop B "$job" JobState)" 10 "JobState with files in the way"
  assert_match "$(reasons B "$job")" "has '/srv/disks/one.qcow2' already" "the reason is told"
  assert_guest_on B web
  job=$(move B web A "$OVERWRITE, 'RetainVhdCopiesOnSource': <false>")
  assert_moved B "$job"
  assert_eq "$(volumes B disks)" "" "copies there go once the guest is verified here"
}

to_places() {
  local job
  wait_system A web OperatingStatus '^0$'
  job=$(move A web B "'RetainVhdCopiesOnSource': <false>, 'AvoidRemovingVHDs': <true>" \
    "$(disk_to hda /srv/disks/./renamed.qcow2), $(disk_to hdb '' more)")
  assert_moved A "$job"
  assert_disks B web $'hda /srv/disks/renamed.qcow2\nhdb /srv/more/two.raw'
  assert_eq "$(format_of B /srv/disks/renamed.qcow2) $(format_of B /srv/more/two.raw)" "qcow2 raw" "formats are kept"
  assert_eq "$(volumes A disks)" "$volumes" "AvoidRemovingVHDs beats RetainVhdCopiesOnSource"
}

# Paused it goes, paused it comes; the pools of this host decide.
paused_back() {
  local job
  wait_system B web OperatingStatus '^0$'
  host_run B virsh -q suspend --domain web
  wait_system B web EnabledState '^32768$'
  job=$(move B web A "$OVERWRITE, 'RetainVhdCopiesOnSource': <false>" "$(disk_to hda ''), $(disk_to hdb '' disks)")
  assert_moved B "$job"
  assert_eq "$(guest_state A web)" paused "it came paused"
  host_run A virsh -q resume --domain web
  assert_disks A web $'hda /srv/disks/renamed.qcow2\nhdb /srv/disks/two.raw'
  assert_eq "$(volumes B disks)$(volumes B more)" "" "nothing is left there"
}

refused_paths() { # PATH PATH: for each of the two disks
  assert_refused web "$OVERWRITE" "$(disk_to hda "$1"), $(disk_to hdb "$2")" \
    "'$1' does not lie in an active storage pool" "'$2' does not lie in an active storage pool"
}

bad_paths() {
  # shellcheck disable=SC2016 # for the shell over there
  host_run B sh -ec 'mkdir -p /srv/nopool; echo secret >/srv/nopool/secret
    ln -s /srv/nopool/secret /srv/disks/link.raw; ln -s /srv/nopool /srv/disks/folder'
  refused_paths /etc/passwd /srv/nopool/new.raw
  refused_paths /srv/disks/folder/new.qcow2 /srv/disks
  refused_paths /dev/null /dev/sda
  assert_refused web "$OVERWRITE" "$(disk_to hda /srv/disks/../nopool/new.qcow2)" 'InvalidParameter'
  assert_refused web '' "$(disk_to hdb /srv/disks/link.raw)" "'/srv/disks/link.raw'"
  assert_refused web '' "$(disk_to hda '' nosuch)" "'nosuch'"
  host_run B rm -r /srv/disks/link.raw /srv/disks/folder
}

# Somebody else's, whether he runs or not
in_use() {
  local path before
  path=$(make_volume B disks theirs.qcow2 qcow2 64M 1)
  before=$(disk_sum B "$path")
  guest_define B theirs --disk "$path"
  assert_refused web "$OVERWRITE" "$(disk_to hda "$path")" "'$path' of host '.*' is used by system 'theirs'"
  assert_eq "$(disk_sum B "$path")" "$before" "somebody's volume"
  host_run B virsh -q undefine --domain theirs
  host_run B virsh -q vol-delete --pool disks --vol theirs.qcow2
}

extra_volumes() {
  local job sum kept
  make_volume A disks data.raw raw 32M 6 >/dev/null
  make_volume A disks keep.raw raw 32M 1 >/dev/null
  sum=$(disk_sum A /srv/disks/data.raw)
  kept=$(disk_sum A /srv/disks/keep.raw)
  wait_system A web OperatingStatus '^0$'
  assert_refused web "'UnmanagedVhds': <[$(volume_to /srv/disks/two.raw /srv/more/x.raw), \
    $(volume_to /etc/passwd /srv/more/y.raw)]>" '' "is used by system 'web'" "'/etc/passwd'"
  count_readable
  job=$(move A web B "'UnmanagedVhds': <[$(volume_to /srv/disks/data.raw /srv/more/data2.raw)]>, \
    'RemoveSourceUnmanagedVhds': <true>, 'TransportType': <uint16 3>, 'Bandwidth': <uint16 1>")
  wait_prop A "$job" "$VSM_NAME.Job.Transfer" DiskProcessed '^[1-9]' >/dev/null
  assert_eq "$(libvirt_job A web) $(transfer_prop A "$job" Phase) $(system_prop A web MigrationState)" "None disks 2" \
    "the volume goes first, and is told of"
  let_go A "$job"
  assert_moved A "$job"
  assert_between "$(transfer_prop A "$job" DiskProcessed)" $((33 << 20)) $((1 << 40)) "it counts as well as the disks"
  assert_eq "$(readable)" 0 "disks are encrypted on their way"
  assert_eq "$(disk_sum B /srv/more/data2.raw)" "$sum" "the volume that went along"
  assert_eq "$(volumes A disks)" $'keep.raw\none.qcow2\nrenamed.qcow2\ntwo.raw' "it alone is removed here"
  assert_eq "$(disk_sum A /srv/disks/keep.raw)" "$kept" "one that was not named"
}

# Requests of NBD that can be read on the way; a segment begins with one now and then.
count_readable() {
  at_exit 'host_run B nft delete table inet vsm_nbd 2>/dev/null || true'
  host_run B nft -f - <<<'table inet vsm_nbd {
    chain in { type filter hook input priority 0; tcp dport 49152-49215 @th,256,32 0x25609513 counter; }
  }'
}

readable() {
  host_run B sh -c 'nft list table inet vsm_nbd && nft delete table inet vsm_nbd' |
    sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}

# An image that is based on another one
make_based() { # NAME
  # shellcheck disable=SC2016 # for the shell over there
  host_run A sh -ec 'cp --sparse=always /srv/disks/base.qcow2 /srv/lab/base.qcow2
    virsh -q vol-create-as --pool disks --name "$1" --format qcow2 --capacity 32M --backing-vol base.qcow2 \
      --backing-vol-format qcow2
    qemu-io -f qcow2 -c "write -q -P 7 26M 1M" "/srv/disks/$1"' sh "$1"
}

based() {
  local sums job
  make_volume A disks base.qcow2 qcow2 32M 8 >/dev/null
  make_based top.qcow2
  host_run B sh -ec 'cp --sparse=always /srv/lab/base.qcow2 /srv/disks/; virsh -q pool-refresh --pool disks'
  guest_start A based --ws 1 --rate 0 --disk /srv/disks/top.qcow2
  sums=$(sums_of A based)
  wait_system A based OperatingStatus '^0$'
  job=$(move A based B)
  assert_moved A "$job"
  assert_same_guest B based "$sums"
  assert_match "$(host_run B qemu-img info -U /srv/disks/top.qcow2)" 'backing file: /srv/disks/base.qcow2' "its base"
  assert_between "$(host_run B du -m /srv/disks/top.qcow2 | cut -f1)" 1 6 "MiB that its upper image takes"
  host_run B virsh -q destroy --domain based
  host_run B virsh -q undefine --domain based
  host_run B virsh -q vol-delete --pool disks --vol top.qcow2
}

flattened() {
  local sums job
  host_run B virsh -q vol-delete --pool disks --vol base.qcow2
  guest_start A flat --ws 1 --rate 0 --disk /srv/disks/top.qcow2
  sums=$(sums_of A flat)
  wait_system A flat OperatingStatus '^0$'
  job=$(move A flat B)
  assert_moved A "$job" 32768
  assert_match "$(reasons A "$job")" 'backing-flattened' "it is told"
  assert_same_guest B flat "$sums"
  assert_not_match "$(host_run B qemu-img info -U /srv/disks/top.qcow2)" 'backing file' "it has no base"
  host_run B virsh -q destroy --domain flat
  host_run B virsh -q undefine --domain flat
}

left_out() {
  local job
  host_run A sh -ec 'truncate -s 4M /srv/lab/cd.iso; truncate -s 8M /srv/lab/fixed.raw'
  make_volume A disks rw.raw raw 32M 1 >/dev/null
  guest_start A fixed --ws 1 --rate 0 --disk /srv/disks/rw.raw --disk /srv/lab/fixed.raw,format=raw,target=vdb,readonly \
    --cdrom /srv/lab/cd.iso
  wait_system A fixed OperatingStatus '^0$'
  job=$(move A fixed B)
  assert_moved A "$job" 32768
  assert_match "$(reasons A "$job")" 'disk-left-out' "it is told"
  assert_match "$(reasons A "$job")" 'it is a CD-ROM' "CD-ROM"
  assert_match "$(reasons A "$job")" 'it is read-only' "read-only disk"
  assert_match "$(disk_paths B fixed live)" '^hda /srv/disks/rw.raw' "the one that moved"
  assert_match "$(disk_paths B fixed live)" '^vdb /srv/lab/fixed.raw' "the one that stays"
  assert_guest_on B fixed
  host_run B virsh -q destroy --domain fixed
  host_run B virsh -q undefine --domain fixed
}

hosts_need kvm gdbus
hosts_setup "$@"
for host in A B; do
  make_pool "$host" disks /srv/disks
done
make_pool B more /srv/more
one=$(make_volume A disks one.qcow2 qcow2 24M 5)
two=$(make_volume A disks two.raw raw 24M 5)
volumes=$'one.qcow2\ntwo.raw'
guest_start A web --ws 16 --rate 0 --autostart --disk "$one" --disk "$two"
sums=$(sums_of A web)

bad_paths
ok "no path gets anywhere but to a pool's volumes"
in_use
ok "somebody's volume is not overwritten"
held_there
assert_disks B web "hda $one"$'\n'"hdb $two"
assert_eq "$(format_of B "$one") $(format_of B "$two")" "qcow2 raw" "formats"
assert_same_guest B web "$sums"
ok "moved with two disks, and watched"
back
assert_disks A web "hda $one"$'\n'"hdb $two"
assert_same_guest A web "$sums" no-round
ok "back, over what it had left there only when that is allowed"
to_places
assert_same_guest B web "$sums" no-round
ok "to a path and to a pool"
paused_back
assert_same_guest A web "$sums"
ok "paused, to where the pools say"
extra_volumes
assert_same_guest B web "$sums"
ok "with a volume that no disk has, encrypted"
assert_no_leftovers A
assert_no_leftovers B web
host_run B virsh -q destroy --domain web

based
ok "on a base that is there already"
flattened
ok "without its base, which is not there"
left_out
ok "read-only disks and CD-ROMs are left out"
assert_no_leftovers A
assert_no_leftovers B web

hosts_done
plan
