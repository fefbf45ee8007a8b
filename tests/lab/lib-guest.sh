# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Guests: their definition, and what their consoles tell.

guest_image_install() {
  local image
  for image in "${VSM_GUEST_IMAGE-}" "$LAB_HOME/vsm-guest" "$LAB_HOME/guest/vsm-guest"; do
    if [ -n "$image" ] && [ -f "$image" ]; then
      cp "$image" "$LAB_DIR/srv/vsm-guest"
      return
    fi
  done
  "$LAB_HOME/guest/build.sh" "$LAB_DIR/srv/vsm-guest" "$LAB_HOME"/guest/*.S "$LAB_HOME"/guest/*.c
}

xml_escape() {
  local s=$1
  # the quotes keep newer shells from taking & for the match
  s=${s//&/"&amp;"}
  s=${s//</"&lt;"}
  s=${s//>/"&gt;"}
  s=${s//\"/"&quot;"}
  s=${s//\'/"&apos;"}
  printf %s "$s"
}

# A name may hold anything but a slash; a file name of ours holds little.
guest_slug() {
  local LC_ALL=C s=$1 i c out=''
  for ((i = 0; i < ${#s}; i++)); do
    c=${s:i:1}
    case $c in
      [A-Za-z0-9._-]) out+=$c ;;
      *) printf -v c '%%%02X' "'$c" && out+=${c: -3} ;;
    esac
  done
  printf %s "${out/#./%2E}"
}

guest_options() {
  mem=64 ws=8 rate=4 tick=50 type=kvm transient='' autostart='' wait=1 deaf='' sleepy='' given=$#
  disks=() cdrom='' disk_rate=256 region=1024
  while [ $# -gt 0 ]; do
    case $1 in
      --mem) mem=$2 && shift 2 ;;
      --ws) ws=$2 && shift 2 ;;
      --rate) rate=$2 && shift 2 ;;
      --tick) tick=$2 && shift 2 ;;
      --disk) disks+=("$2") && shift 2 ;;
      --disk-rate) disk_rate=$2 && shift 2 ;;
      --region) region=$2 && shift 2 ;;
      --cdrom) cdrom=$2 && shift 2 ;;
      --tcg) type=qemu && shift ;;
      --deaf) deaf=1 && shift ;;
      --sleepy) sleepy=1 && shift ;;
      --transient) transient=1 && shift ;;
      --autostart) autostart=1 && shift ;;
      --no-wait) wait='' && shift ;;
      *) die "guest: unknown option $1" ;;
    esac
  done
  [ -e /dev/kvm ] || type=qemu
  [ "$mem" -ge $((ws + 16)) ] || mem=$((ws + 16))
}

# PATH[,format=qcow2|raw][,target=NAME][,pool=POOL][,serial=TEXT][,cache=MODE][,readonly][,shareable]
guest_disk_xml() { # NUMBER DISK
  local fields field format=raw target source type=file serial='' cache='' flags=''
  IFS=, read -r -a fields <<<"$2"
  target=hd$(printf %s abcd | cut -c$(($1 + 1))) source="file='$(xml_escape "${fields[0]}")'"
  [[ ${fields[0]} != *.qcow2 ]] || format=qcow2
  for field in "${fields[@]:1}"; do
    case $field in
      format=*) format=${field#*=} ;;
      target=*) target=${field#*=} ;;
      pool=*) type=volume source="pool='$(xml_escape "${field#*=}")' volume='$(xml_escape "${fields[0]}")'" ;;
      serial=*) serial="<serial>$(xml_escape "${field#*=}")</serial>" ;;
      cache=*) cache=" cache='${field#*=}'" ;;
      readonly | shareable) flags+="<$field/>" ;;
      *) die "guest: unknown property of a disk: $field" ;;
    esac
  done
  cat <<EOF
    <disk type='$type' device='disk'>
      <driver name='qemu' type='$format'$cache/>
      <source $source/>
      <target dev='$target' bus='$(guest_disk_bus "$target")'/>
      $serial$flags
    </disk>
EOF
}

# The image drives the IDE disks of machine pc. On another bus a disk is there, and idle.
guest_disk_bus() { # TARGET
  case $1 in
    hd[a-d]) echo ide ;;
    vd*) echo virtio ;;
    sd*) echo sata ;;
    *) die "guest: a disk's target is hda to hdd, vd... or sd..., not $1" ;;
  esac
}

guest_cdrom_xml() {
  cat <<EOF
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <source file='$(xml_escape "$cdrom")'/>
      <target dev='hdd' bus='ide'/>
      <readonly/>
    </disk>
EOF
}

guest_disks_xml() {
  local i
  for i in "${!disks[@]}"; do
    guest_disk_xml "$i" "${disks[i]}"
  done
  [ -z "$cdrom" ] || guest_cdrom_xml
}

# Machines without a version: libvirt writes down the newest that is installed. No network, no graphics.
guest_xml() { # NAME
  local machine=q35 cmdline="ws=$ws rate=$rate tick=$tick" disks_xml
  disks_xml=$(guest_disks_xml)
  [ -z "$disks_xml" ] || machine=pc
  [ ${#disks[@]} -eq 0 ] || cmdline+=" disk=$disk_rate region=$region"
  [ -z "$deaf" ] || cmdline+=" deaf=1"
  [ -z "$sleepy" ] || cmdline+=" sleepy=1"
  # nested KVM emulates the guest's instructions, and filling all of a page takes it a millisecond
  [ "$type" != kvm ] || cmdline+=" sparse=1"
  cat <<EOF
<domain type='$type'>
  <name>$(xml_escape "$1")</name>
  <memory unit='MiB'>$mem</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='$machine'>hvm</type>
    <kernel>/srv/lab/vsm-guest</kernel>
    <cmdline>$cmdline</cmdline>
  </os>
  <features><acpi/></features>
  <clock offset='utc'/>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
$disks_xml
    <serial type='file'>
      <source path='/srv/lab/console/$(guest_slug "$1").log' append='on'/>
    </serial>
    <memballoon model='none'/>
  </devices>
</domain>
EOF
}

cmd_guest() { # define|start HOST NAME [options]
  local verb=${1-} host=${2-} name=${3-} log mem ws rate tick type transient autostart wait given deaf sleepy
  local disks cdrom disk_rate region
  [ -n "$name" ] || die "guest define|start HOST NAME [options]"
  shift 3
  guest_options "$@"
  log=$(cmd_console "$name")
  if [ "$verb" = start ] && [ "$given" -eq 0 ] && guest_is_known "$host" "$name"; then
    verb=boot
  fi
  [ "$verb" = boot ] || guest_remember_type "$log"
  case $verb in
    boot) : >"$log" && in_host "$host" virsh -q start --domain "$name" ;;
    define | start)
      : >"$log"
      guest_create "$host" "$verb" "$name"
      ;;
    *) die "guest: define or start" ;;
  esac
  [ "$verb" = define ] || [ -z "$wait" ] || guest_wait_full "$log"
}

guest_is_known() { # HOST NAME
  in_host "$1" virsh -q domuuid --domain "$2" >/dev/null 2>&1
}

guest_create() { # HOST VERB NAME
  if [ -n "$transient" ]; then
    guest_xml "$3" | in_host "$1" virsh -q create /dev/stdin
    return
  fi
  guest_xml "$3" | in_host "$1" virsh -q define /dev/stdin
  [ -z "$autostart" ] || in_host "$1" virsh -q autostart --domain "$3"
  [ "$2" = define ] || in_host "$1" virsh -q start --domain "$3"
}

# The working set is filled and the ticks run.
guest_wait_full() { # LOG
  local pid r=0
  coproc TAIL { exec tail -n +1 -F "$1" 2>/dev/null; }
  pid=$TAIL_PID
  timeout "$(lab_timeout)" grep -q -m1 '^VSM full' <&"${TAIL[0]}" || r=$?
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  [ $r = 0 ] || die "the guest does not start: $(tail -n 3 "$1")"
}

cmd_console() {
  printf '%s\n' "$LAB_DIR/srv/console/$(guest_slug "$1").log"
}

guest_lines() { # NAME [--since BYTE]
  local log
  log=$(cmd_console "$1")
  if [ "${2-}" = --since ]; then
    tail -c "+$(($3 + 1))" "$log"
  else
    cat "$log"
  fi
}

# The longest time between two ticks, less than one tick of which is no pause at all. Longer ones have a
# line of their own; one that only the wall clock shows comes up to two seconds late.
cmd_pause() { # NAME [--since BYTE]
  guest_lines "$@" | awk '
    /^VSM tick n=[0-9]+ t=[0-9]+ gap=[0-9]+ / { ms = substr($5, 5) }
    /^VSM pause ms=[0-9]+ n=[0-9]+$/ { ms = substr($3, 4) }
    ms + 0 > max { max = ms + 0 }
    END { print max + 0 }'
}

# Lost pages count only under KVM: TCG in this QEMU corrupts guests that write while they migrate. What a
# disk should hold is also remembered in memory, but a turn that memory forgot is not held against the disk.
cmd_check_guest() { # NAME [--since BYTE]
  guest_lines "$@" | awk -v kvm="$(guest_is_kvm "$1" && echo 1)" '
    function value(i, key) { return substr($i, length(key) + 2) + 0 }
    /^VSM boot=/ { boots++ }
    /^VSM tick n=[0-9]+ t=[0-9]+ gap=[0-9]+ lost=[0-9]+ checked=[0-9]+ written=[0-9]+$/ {
      n = value(3, "n"); t = value(4, "t"); lost = value(6, "lost")
      if (lines++ && (n <= last_n || t <= last_t)) bad = bad " counter went from " last_n " to " n ";"
      if (lines > 1 && n - last_n > 60) bad = bad " counter jumped from " last_n " to " n ";"
      last_n = n; last_t = t
      next
    }
    /^VSM disk n=[0-9]+ dev=[0-9]+ written=[0-9]+ checked=[0-9]+ lost=[0-9]+ errors=[0-9]+ / {
      dev = value(4, "dev"); checked[dev] = value(6, "checked")
      gone[dev] = value(7, "lost"); errors[dev] = value(8, "errors")
      next
    }
    /^VSM disk-lost / { next }
    /^VSM (boot|full|pause|shutdown)/ { next }
    /^VSM (tick|disk)/ { broken++ }
    END {
      if (boots > 1) bad = bad " booted " boots " times;"
      if (!lines) bad = bad " no ticks;"
      if (broken > 1) bad = bad " " broken " broken lines;"
      if (kvm && lost) bad = bad " lost " lost " writes;"
      for (dev in checked) {
        if (!checked[dev]) bad = bad " disk " dev " was never checked;"
        if (gone[dev]) bad = bad " disk " dev " lost " gone[dev] " sectors;"
        if (errors[dev]) bad = bad " disk " dev " had " errors[dev] " errors;"
        disks = disks sprintf(" disk%d=%d/%d/%d", dev, checked[dev], gone[dev], errors[dev])
      }
      printf "boots=%d lines=%d n=%d t=%d lost=%d%s", boots, lines, last_n, last_t, lost, disks
      print bad ? " BAD:" bad : ""
      exit bad != ""
    }'
}

guest_is_kvm() { # NAME
  [ ! -e "$(cmd_console "$1").tcg" ]
}

guest_remember_type() { # LOG
  rm -f "$1.tcg"
  [ "$type" = kvm ] || : >"$1.tcg"
}
