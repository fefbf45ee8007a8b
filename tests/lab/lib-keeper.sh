# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Inside the keeper: it makes the roots, starts the hosts, and waits for requests.

# Each host needs a cgroup of its own, which systemd-nspawn divides into itself and the payload. Where
# systemd is process 1 we are in a scope with Delegate=yes and may divide it. Where it is not, the
# machine's root cgroup is open to us. Version 2, or version 1 with the two hierarchies that a systemd
# inside wants.
keeper_cgroups() {
  local id controllers path base
  while IFS=: read -r id controllers path; do
    case $id:$controllers in
      0:) base=/sys/fs/cgroup/unified && [ ! -e /sys/fs/cgroup/cgroup.controllers ] || base=/sys/fs/cgroup ;;
      *:name=systemd) base=/sys/fs/cgroup/systemd ;;
      *) continue ;;
    esac
    [ -d "$base" ] || continue
    echo "${base}${path%/}/vsmd-lab-$1"
  done </proc/self/cgroup
}

cgroup_enter() { # NAME: in all hierarchies of this lab
  local dir
  while read -r dir; do
    mkdir -p "$dir/$1"
    echo 0 >"$dir/$1/cgroup.procs"
  done <"$LAB_DIR/cgroups"
}

keeper_nspawn() { # LETTER
  local name args=() dev
  name=$(host_name "$1")
  for dev in /dev/kvm /dev/net/tun /dev/vhost-net /dev/userfaultfd; do
    [ ! -e $dev ] || args+=("--bind=$dev")
  done
  cgroup_enter "$1"
  # No registration, no unit: there may be no bus outside, and the machine's machined is none of our
  # business. Modules and time of the machine are out of reach, all else a hypervisor's host may need is
  # allowed.
  exec systemd-nspawn --quiet --boot --settings=no --directory="$LAB_DIR/mnt/$1/root" \
    --machine="$name" --hostname="$name" --register=no --keep-unit --network-bridge=vsm0 \
    --capability=all --drop-capability=CAP_SYS_MODULE,CAP_SYS_TIME \
    --system-call-filter="userfaultfd bpf perf_event_open" --link-journal=no \
    --resolv-conf=off --timezone=off \
    --bind="$LAB_DIR/srv:/srv/lab" "${args[@]}" </dev/null >>"$LAB_DIR/host.$1.log" 2>&1
}

# The FIFO is opened for reading too: so nobody waits here for a reader who has gone.
keeper_boot() { # LETTER
  local r=0
  (keeper_nspawn "$1") || r=$?
  echo "$(host_name "$1") exited $r" 1<>"$LAB_DIR/srv/.ready"
}

# First stage, still with the machine's network for apt.
keeper_main() {
  keeper_cgroups "${LAB_DIR//[^A-Za-z0-9]/-}" >"$LAB_DIR/cgroups"
  cgroup_enter keeper
  mkdir -p "$LAB_DIR/mnt" /run/systemd/nspawn
  mount -t tmpfs -o mode=755 tmpfs "$LAB_DIR/mnt"
  # nspawn refuses to work next to file systems that it takes for the machine's
  mount -t tmpfs tmpfs /run/systemd/nspawn
  layer_prepare
  exec unshare --net -- "$LAB_SELF" --dir "$LAB_DIR" __keeper2 "$@"
}

# Second stage: own network; then wait for requests. Ends with its life line, if it has one.
keeper2_main() { # [TREE]
  local host request
  ip link set lo up
  ip link add vsm0 type bridge
  ip link set vsm0 up
  base_prepare "$@"
  for host in $(host_letters); do
    mkdir -p "$LAB_DIR/mnt/$host"
    host_root "$host" &
  done
  wait
  if [ -p "$LAB_DIR/lifeline" ]; then
    (cat "$LAB_DIR/lifeline" >/dev/null; echo quit >"$LAB_DIR/request") &
  fi
  for host in $(host_letters); do
    keeper_boot "$host" &
  done
  while read -r request host <&3; do
    case $request in
      boot) keeper_boot "$host" & ;;
      quit) exit 0 ;;
    esac
  done 3<>"$LAB_DIR/request"
}
