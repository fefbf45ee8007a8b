#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Compatibility between two hosts that do not speak to each other: only the blob travels. Then host B loses a CPU
# feature, a machine type, and KVM, has no UEFI firmware to begin with, and each is named by blob, vectors and check.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

caps=/var/cache/libvirt/qemu/capabilities
loader=/usr/share/OVMF/VSM_CODE.fd

path_of() { # HOST [NAME]: the system, or the host itself
  [ -n "${2-}" ] || { printf '%s\n' "$VSM_ROOT"; return; }
  printf '%s/system/%s\n' "$VSM_ROOT" "$(guest_uuid "$1" "$2" | tr - _)"
}

blob_of() { # HOST [NAME]: as busctl prints it and takes it, "LENGTH BYTE..."
  local reply
  reply=$(call "$1" "$VSM_ROOT" "$VSM_NAME" GetSystemCompatibilityInfo o "$(path_of "$@")") || return
  assert_match "$reply" '^uay 0 [0-9]+ 86 83 77 67 79 77 80 10 ' "the call gives a blob"
  printf '%s\n' "${reply#uay 0 }"
}

vectors_of() { # HOST [NAME]: "ID OPERATION VALUE" in lines
  local reply
  reply=$(call "$1" "$VSM_ROOT" "$VSM_NAME" GetSystemCompatibilityVectors o "$(path_of "$@")") || return
  assert_match "$reply" '^ua\(uut\) 0 [0-9]+ ' "the call gives vectors"
  cut -d' ' -f4- <<<"$reply" | xargs -n 3
}

# The codes and what they are about, of a reply in JSON; "" = none
reasons_in() { # REPLY
  paste -d: <(grep -oE '"MessageID":\{"type":"s","data":"[^"]*' <<<"$1" | sed 's/.*"//') \
    <(grep -oE '"ErrorSource":\{"type":"s","data":"[^"]*' <<<"$1" | sed 's/.*"//') | sort | paste -sd ' '
}

# "RETURNVALUE CODE:SOURCE..."
check_blob() { # HOST BLOB
  local reply
  # shellcheck disable=SC2086 # words
  reply=$(host_run "$1" busctl --json=short --timeout=60 call "$VSM_NAME" "$VSM_ROOT" "$VSM_NAME" \
    CheckSystemCompatibilityInfo ay $2) || return
  [[ $reply =~ \"data\":\[([0-9]+), ]]
  printf '%s %s\n' "${BASH_REMATCH[1]}" "$(reasons_in "$reply")"
}

assert_fits() { # FROM TO [NAME]
  assert_eq "$(check_blob "$2" "$(blob_of "$1" ${3+"$3"})")" "0 " "${3-host} of $1 fits on $2"
}

assert_does_not_fit() { # FROM TO NAME REASONS
  assert_eq "$(check_blob "$2" "$(blob_of "$1" "$3")")" "32784 $4" "$3 of $1 does not fit on $2"
}

# As CIM has it: each vector of the system against the host's with the same id; operation 2 is "subset"
vectors_fit() { # SYSTEM-VECTORS HOST-VECTORS
  local id operation value host
  [ -n "$1" ] || return 1
  while read -r id operation value; do
    [ "$operation" = 2 ] || return 1
    host=$(awk -v "id=$id" '$1 == id { print $3 }' <<<"$2")
    [ -n "$host" ] || return 1
    # unsigned decimal to bash's signed numbers, bit by bit the same
    value=$(printf '%x' "$value") host=$(printf '%x' "$host")
    (((0x$value & 0x$host) == 0x$value)) || return 1
  done <<<"$1"
}

define_with() { # HOST NAME SED-SCRIPT: as the lab's guest, changed
  local xml
  guest_define "$1" "$2"
  xml=$(host_run "$1" virsh dumpxml --inactive --domain "$2" | sed "$3")
  host_write "$1" /root/guest.xml <<<"$xml"
  host_run "$1" virsh -q define /root/guest.xml
}

cpu() { # XML: the script that puts it in
  printf '/<cpu /,/<\\/cpu>/c %s' "$1"
}

check_to() { # FROM NAME TO: "ISMIGRATABLE CODE:SOURCE..."
  local reply
  reply=$(host_run "$1" busctl --json=short --timeout=60 call "$VSM_NAME" "$VSM_ROOT" "$VSM_NAME" \
    CheckVirtualSystemIsMigratableToHost 'osa{sv}a{sv}aa{sv}' "$(path_of "$1" "$2")" "$(host_name "$3")" 0 0 0) ||
    return
  [[ $reply =~ \"data\":\[0,(true|false), ]]
  # what the other libvirt does not show is said, too, and is no matter of these tests
  printf '%s %s\n' "${BASH_REMATCH[1]}" "$(reasons_in "$reply" | tr ' ' '\n' | grep -v '^not-verifiable:' |
    paste -sd ' ')"
}

# libvirt reads what it knows about its emulator when it starts
restart_libvirt() { # HOST
  host_run "$1" systemctl restart libvirtd.service
  wait_until 30 blob_of "$1"
}

forget_caps() { # HOST
  host_run "$1" sh -c "rm -f $caps/*"
  restart_libvirt "$1"
}

# In what libvirt remembers of this emulator: as if it were on another processor, and of another version
lose_cpu_and_machine() {
  host_run B virsh -q domcapabilities --virttype kvm >/dev/null
  host_run B sh -c "sed -i -e \"/name='clwb'/s/value='true' migratable='yes'/value='false'/\" \
    -e \"/<machine .*name='pc-q35-7.1'/d\" \$(grep -l '<emulator>/usr/bin/qemu-system-x86_64<' $caps/*.xml)"
  restart_libvirt B
}

lose_kvm() {
  host_run B mount --bind /dev/null /dev/kvm
  forget_caps B
}

mend() {
  host_run B sh -c 'while [ /dev/kvm -ef /dev/null ]; do umount /dev/kvm; done'
  forget_caps B
}

leave_no_trace() {
  host_run A rm -rf /usr/share/qemu/firmware/50-vsm.json "$(dirname "$loader")"
  mend
}

# Nothing boots from it: libvirt only looks whether it is there
have_firmware() { # HOST
  host_write "$1" "$loader" <<<"no firmware"
  host_write "$1" /usr/share/OVMF/VSM_VARS.fd <<<"no variables"
  host_write "$1" /usr/share/qemu/firmware/50-vsm.json <<EOF
{ "description": "test", "interface-types": ["uefi"], "features": [], "tags": [],
  "mapping": { "device": "flash",
    "executable": { "filename": "$loader", "format": "raw" },
    "nvram-template": { "filename": "/usr/share/OVMF/VSM_VARS.fd", "format": "raw" } },
  "targets": [ { "architecture": "x86_64", "machines": ["pc-q35-*", "pc-i440fx-*"] } ] }
EOF
}

same_machine() {
  local name host
  host=$(vectors_of A)
  for name in run emulated off; do
    assert_fits A A "$name"
    assert_true "vectors of $name fit on its host" vectors_fit "$(vectors_of A "$name")" "$host"
  done
  assert_fits A A
  assert_true "vectors of the host fit on itself" vectors_fit "$host" "$host"
  assert_eq "$(cut -d' ' -f1 <<<"$host" | paste -sd ' ')" "1 2 32769 32770 32771 32772" "ids of the host's vectors"
}

other_machine() {
  local name
  for name in run emulated off; do
    assert_fits A B "$name"
    assert_true "vectors of $name fit there" vectors_fit "$(vectors_of A "$name")" "$(vectors_of B)"
    assert_eq "$(blob_of A "$name")" "$(blob_of A "$name")" "the same blob again"
  done
  assert_fits A B
  assert_fits B A
}

by_anybody() {
  local blob
  blob=$(call_as A alice "$VSM_ROOT" "$VSM_NAME" GetSystemCompatibilityInfo o "$(path_of A run)")
  # shellcheck disable=SC2086 # words
  assert_eq "$(call_as B bob "$VSM_ROOT" "$VSM_NAME" CheckSystemCompatibilityInfo ay ${blob#uay 0 })" "uaa{sv} 0 0" \
    "an ordinary user"
  call_as A alice "$VSM_ROOT" "$VSM_NAME" GetSystemCompatibilityVectors o "$VSM_ROOT" >/dev/null
}

# From here on B is another machine.
cpu_and_machine() {
  assert_does_not_fit A B clwb "cpu-feature-missing:clwb"
  assert_does_not_fit A B old "machine-type-unknown:pc-q35-7.1"
  assert_does_not_fit A B both "cpu-feature-missing:clwb machine-type-unknown:pc-q35-7.1"
  assert_does_not_fit A B off-clwb "cpu-feature-missing:clwb"
  assert_fits A B run
  assert_fits A B emulated
  assert_fits B A
  assert_fails vectors_fit "$(vectors_of A clwb)" "$(vectors_of B)"
  assert_fails vectors_fit "$(vectors_of A)" "$(vectors_of B)"
  assert_true "vectors of run fit there" vectors_fit "$(vectors_of A run)" "$(vectors_of B)"
  assert_true "vectors of off fit there" vectors_fit "$(vectors_of A off)" "$(vectors_of B)"
  # a machine type is no matter of the processor
  assert_true "vectors of old fit there" vectors_fit "$(vectors_of A old)" "$(vectors_of B)"
  assert_match "$(check_blob B "$(blob_of A)")" '^32784 .*cpu-feature-missing:clwb .*machine-type-unknown:pc-q35-7.1' \
    "host A as a whole"
}

# The same system takes the CPU that it finds while it is off, and has one that it keeps when it has started.
off_fits_more() {
  assert_fits A B adapts
  host_run A virsh -q start --domain adapts
  assert_does_not_fit A B adapts "cpu-feature-missing:clwb"
  host_run A virsh -q managedsave --domain adapts
  assert_does_not_fit A B adapts "cpu-feature-missing:clwb"
  host_run A virsh -q managedsave-remove --domain adapts
  assert_fits A B adapts
}

by_check() {
  assert_eq "$(check_to A both B)" "false cpu-feature-missing:clwb machine-type-unknown:pc-q35-7.1" "the check names both"
  assert_eq "$(check_to A run B)" "true " "and nothing that is there"
}

firmware() {
  assert_fits A A uefi
  assert_does_not_fit A B uefi "firmware-missing:$loader"
  assert_does_not_fit A B uefi-any "firmware-missing:efi"
}

hypervisor() {
  assert_does_not_fit A B run "hypervisor-mismatch:kvm"
  assert_eq "$(check_to A run B)" "false hypervisor-mismatch:kvm" "the check names it"
  assert_fits A B emulated
}

bad_blobs() {
  local blob name bytes
  blob=$(blob_of A run)
  bytes=${blob#* }
  assert_fails_with 'is cut off before its end' check_blob B "$((${blob%% *} - 1)) ${bytes% *}"
  assert_fails_with 'is damaged: its checksum does not agree' check_blob B "${blob%% *} ${bytes% *} 77"
  assert_fails_with 'goes on after its end' check_blob B "$((${blob%% *} + 1)) $bytes 0"
  assert_fails_with 'of a newer version' check_blob B "${blob%% *} ${bytes/ 10 1 0 0 0 / 10 2 0 0 0 }"
  assert_fails_with 'is none, or its beginning is damaged' check_blob B 0
  name=$VSM_NAME.Error.InvalidParameter:
  assert_fails_with "$name" host_run B gdbus call --system --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.CheckSystemCompatibilityInfo" '[byte 0x56, 0x53]'
  for name in GetSystemCompatibilityInfo GetSystemCompatibilityVectors; do
    assert_fails_with "$VSM_NAME.Error.InvalidParameter:" host_run A gdbus call --system --dest "$VSM_NAME" \
      --object-path "$VSM_ROOT" --method "$VSM_NAME.$name" "$VSM_ROOT/system/1_2"
  done
}

libvirt_away() {
  local blob
  blob=$(blob_of A run)
  host_run B systemctl stop libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd-tcp.socket \
    libvirtd-tls.socket libvirtd.service
  wait_prop B "$VSM_ROOT" "$VSM_NAME" Status '^Lost Comm$' >/dev/null
  assert_fails_with 'libvirt on this host does not answer' check_blob B "$blob"
  assert_fails_with "$VSM_NAME.Error.SystemNotAvailable:" host_run B gdbus call --system --dest "$VSM_NAME" \
    --object-path "$VSM_ROOT" --method "$VSM_NAME.GetSystemCompatibilityInfo" "$VSM_ROOT"
  host_run B systemctl start libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd-tcp.socket \
    libvirtd-tls.socket
  wait_until 30 blob_of B
  assert_fits A B run
}

hosts_need kvm gdbus
hosts_setup "$@"
at_exit leave_no_trace

guest_start A run
guest_start A emulated --tcg
guest_define A off
clwb="<cpu mode='custom' match='exact' check='partial'><model>kvm64</model><feature policy='disable' name='pni'/><feature policy='require' name='clwb'/></cpu>"
define_with A clwb "$(cpu "$clwb")"
define_with A off-clwb "$(cpu "$clwb")"
define_with A old 's/pc-q35-7.2/pc-q35-7.1/'
define_with A both "s/pc-q35-7.2/pc-q35-7.1/;$(cpu "$clwb")"
# KVM in a guest offers a register on some machines that it then does not let QEMU set, and QEMU ends
adapts="<cpu mode='host-model'><feature policy='disable' name='arch-capabilities'/></cpu>"
define_with A adapts "$(cpu "$adapts")"
for name in clwb both; do
  host_run A virsh -q start --domain "$name"
done

same_machine
ok "host and guests of one machine are compatible"
other_machine
ok "and with another machine that is the same"
by_anybody
ok "anybody may ask"
bad_blobs
ok "damaged, cut and newer blobs are refused"

have_firmware A
define_with A uefi "/<kernel>/c <loader readonly='yes' type='pflash'>$loader</loader>
/<cmdline>/d"
define_with A uefi-any "s/<os>/<os firmware='efi'>/;/<kernel>/d;/<cmdline>/d"
firmware
ok "firmware that is not there is named"

lose_cpu_and_machine
cpu_and_machine
ok "a CPU feature and a machine type that are not there are named"
by_check
ok "the check names them too"
off_fits_more
ok "a system that is off fits more hosts"
mend
assert_fits A B both
assert_eq "$(check_to A both B)" "true " "the check after mending"
ok "all is well after mending"

lose_kvm
hypervisor
ok "a hypervisor that is not there is named"
mend
libvirt_away
ok "libvirt away"

for name in clwb both; do
  host_run A virsh -q destroy --domain "$name"
done
hosts_done
plan
