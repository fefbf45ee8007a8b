# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# For tests about guests with disks: source it after libhosts.sh. What it says comes from virsh and from the files,
# never from the service.
#
# A guest of the lab writes 1 MiB (--region) of each disk from 64 KiB on; all else of a disk stays as it was.

STORAGE_REGION_START=$((64 << 10))
STORAGE_REGION=$((1 << 20))
STORAGE_NOISE_START=$((16 << 20))

### pools and volumes; "lab reset" removes both

make_pool() { # HOST NAME DIR [SIZE]: with a size (64m) a file system of its own, that can be full
  # shellcheck disable=SC2016 # for the shell over there
  host_run "$1" sh -ec 'mkdir -p "$2"
    [ -z "$3" ] || mount -t tmpfs -o "size=$3" tmpfs "$2"
    virsh -q pool-define-as --name "$1" --type dir --target "$2"
    virsh -q pool-start --pool "$1"' sh "$2" "$3" "${4-}"
}

remove_pool() { # HOST NAME: and its volumes
  # shellcheck disable=SC2016 # for the shell over there
  host_run "$1" sh -ec 'dir=$(virsh -q pool-dumpxml --pool "$1" | sed -n "s,.*<path>\(.*\)</path>.*,\1,p")
    virsh -q pool-refresh --pool "$1"
    virsh -q vol-list --pool "$1" | while read -r volume _; do
      virsh -q vol-delete --pool "$1" --vol "$volume" </dev/null
    done
    virsh -q pool-destroy --pool "$1"
    virsh -q pool-undefine --pool "$1"
    ! mountpoint -q "$dir" || umount "$dir"' sh "$2"
}

# Prints its path. NOISE MiB of it, from 16 MiB on, get random bytes: something to copy, and to compare.
make_volume() { # HOST POOL VOL FORMAT SIZE [NOISE]
  # shellcheck disable=SC2016 # for the shell over there
  host_run "$1" sh -ec 'virsh -q vol-create-as --pool "$1" --name "$2" --format "$3" --capacity "$4" >&2
    path=$(virsh -q vol-path --pool "$1" --vol "$2")
    echo "$path"
    [ "$5" -gt 0 ] || exit 0
    noise=$(mktemp)
    head -c "${5}M" /dev/urandom >"$noise"
    qemu-io -f "$3" -c "write -q -s $noise $6 ${5}M" "$path" >&2
    rm "$noise"' sh "${@:2:4}" "${6:-0}" "$STORAGE_NOISE_START"
}

# Names, one on a line. Looks at the folder: a running pool does not know of all that is put there.
volumes() { # HOST POOL
  # shellcheck disable=SC2016 # for the shell over there
  host_run "$1" sh -ec 'virsh -q pool-refresh --pool "$1" >&2
    virsh -q vol-list --pool "$1"' sh "$2" | awk 'NF { print $1 }' | sort
}

### what disks hold

# The checksum of what a guest sees on a disk, whatever the format, but for the region that the guest writes. The
# disk may be in use.
disk_sum() { # HOST PATH [REGION-KIB]
  local region=$STORAGE_REGION
  [ $# -lt 3 ] || region=$(($3 << 10))
  # shellcheck disable=SC2016 # for the shell over there
  host_run "$1" sh -ec 'raw=$(mktemp)
    qemu-img convert -U -O raw "$1" "$raw"
    { head -c "$2" "$raw"; tail -c "+$(($2 + $3 + 1))" "$raw"; } | sha256sum | cut -d" " -f1
    rm "$raw"' sh "$2" "$STORAGE_REGION_START" "$region"
}

disk_paths() { # HOST GUEST live|config: "hda /path" on a line for each
  local inactive=''
  [ "$3" = live ] || inactive=--inactive
  # shellcheck disable=SC2086 # an option or nothing
  host_run "$1" virsh -q domblklist $inactive --domain "$2" | awk 'NF { t = $1; sub(/^ *[^ ]+ +/, ""); print t, $0 }'
}

# Until the guest has read all it wrote, on each disk, from the beginning to the end, after now.
wait_disk_round() { # NAME [SECONDS]
  local log size pid tail disks r=0
  log=$(lab console "$1")
  # by then it has told of each of its disks
  wait_for_line "$log" '^VSM disk n=.* rounds=[1-9]' "${2:-60}" >/dev/null || return 1
  size=$(stat -c %s "$log")
  disks=$(sed -nE 's/^VSM disk n=[0-9]+ dev=([0-9]+) .*/\1/p' "$log" | sort -u | grep -c .)
  exec {tail}< <(exec tail -c "+$((size + 1))" -F -- "$log" 2>/dev/null 3>&-)
  pid=$!
  # shellcheck disable=SC2016 # for awk
  timeout "$(scaled "${2:-60}")" awk -v disks="$disks" '
    /^VSM disk n=.* wait=[0-9]+$/ && match($0, / rounds=[0-9]+/) {
      rounds = substr($0, RSTART + 8, RLENGTH - 8) + 0
      if (!($4 in first)) first[$4] = rounds
      else if (!($4 in done) && rounds >= first[$4] + 2) done[$4] = ++n
      if (n == disks) exit
    }' <&"$tail" || r=$?
  kill "$pid" 2>/dev/null || true
  exec {tail}<&-
  [ "$r" = 0 ] || note "guest $1 did not read its disks: $(tail -n 2 "$log")"
  return "$r"
}

# Sectors that the guest wrote since a place in its console, on the disk where it wrote least
disk_written() { # NAME SINCE
  tail -c "+$(($2 + 1))" "$(lab console "$1")" | awk '
    /^VSM disk n=.* wait=[0-9]+$/ {
      written = substr($5, 9) + 0
      if (!($4 in first)) first[$4] = written
      last[$4] = written
    }
    END {
      least = -1
      for (d in last) if (least < 0 || last[d] - first[d] < least) least = last[d] - first[d]
      print least < 0 ? 0 : least
    }'
}

### what a move may leave behind

# What is on a host beside these guests and what belongs to them; nothing if all is well. Volumes and files are for
# the test to compare: see volumes.
leftovers() { # HOST [GUEST...]
  # shellcheck disable=SC2016 # for the shell over there
  host_run "$1" sh -c 'virsh -q list --all --name | while IFS= read -r name; do
      [ -n "$name" ] || continue
      for expected; do
        [ "$name" != "$expected" ] || continue 2
      done
      echo "guest: $name"
    done
    for expected; do
      virsh -q domuuid --domain "$expected" >/dev/null 2>&1 || echo "no guest: $expected"
    done
    virsh -q list --uuid | while read -r uuid; do
      [ -n "$uuid" ] || continue
      [ "$(virsh -q domjobinfo --domain "$uuid" </dev/null | awk "{ print \$3; exit }")" = None ] || echo "job: $uuid"
      virsh -q domblklist --domain "$uuid" </dev/null | while read -r target _; do
        [ -n "$target" ] || continue
        virsh blockjob --domain "$uuid" --path "$target" --info </dev/null 2>&1 | tr -d "\r" |
          grep -v "^No current" | grep . | sed "s/^/block job of $uuid $target: /"
      done
    done
    running=$(virsh -q list --uuid | grep -c .)
    processes=$(pgrep -c qemu-system)
    [ "$running" = "$processes" ] || echo "QEMU: $processes processes, $running guests"
    ss -Hltn "sport >= 49152 and sport <= 49215" | sed "s/^/port: /"' sh "${@:2}"
}

nothing_left() { # HOST [GUEST...]
  [ -z "$(leftovers "$@")" ]
}

# Ends of processes and sockets are announced nowhere: it may take a moment.
assert_no_leftovers() { # HOST [GUEST...]: but these guests, running or not
  wait_until 10 nothing_left "$@" && return
  leftovers "$@" | evidence
  fail "nothing left on host $1 but: ${*:2}"
}
