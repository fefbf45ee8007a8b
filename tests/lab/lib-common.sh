# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Names, files and processes of a lab.
#
# The lab is one process, the keeper: process 1 of a pid namespace, with a mount and a network namespace
# of its own. Hosts, mounts, bridge: all live in there, and all of it is gone when the keeper is, however
# it ended.
#
# In $LAB_DIR:
#   keeper      its process id and start time, as seen by the machine
#   leader.A    the same for the first process of a host
#   hosts       how many
#   request     FIFO, commands for the keeper
#   srv/        the folder /srv/lab of all hosts: guest image, consoles, shared disks
#   host.A.log  what the host printed on its console
#   mnt/        inside the keeper's mount namespace only: layers and root folders of the hosts

# shellcheck disable=SC2034 # used by the other files
LAB_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

die() {
  echo "lab: $*" >&2
  exit 1
}

note() {
  [ -n "${LAB_QUIET-}" ] || echo "lab: $*" >&2
}

need_root() {
  [ "$(id -u)" = 0 ] || die "must be root (mounts, namespaces, /dev/kvm)"
}

host_letters() {
  local n
  n=$(cat "$LAB_DIR/hosts")
  echo "A B C" | cut -d' ' "-f1-$n"
}

host_name() {
  case $1 in
    A) echo hosta ;;
    B) echo hostb ;;
    C) echo hostc ;;
    *) die "no such host: $1" ;;
  esac
}

host_number() {
  case $1 in
    A) echo 1 ;;
    B) echo 2 ;;
    C) echo 3 ;;
    *) die "no such host: $1" ;;
  esac
}

host_ip4() {
  echo "10.77.0.$(host_number "$1")"
}

host_ip6() {
  echo "fd00:77::$(host_number "$1")"
}

# A pid alone may be somebody else's by now; pid and start time are not.
proc_start() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) }
  # shellcheck disable=SC2086
  set -- $stat
  [ "$1" != Z ] && echo "${20}"
}

proc_remember() { # FILE PID
  echo "$2 $(proc_start "$2")" >"$1.new" && mv "$1.new" "$1"
}

proc_recall() { # FILE: prints the pid if it still is that process
  local pid start
  read -r pid start 2>/dev/null <"$1" || return 1
  [ "$(proc_start "$pid")" = "$start" ] && echo "$pid"
}

children() {
  cat "/proc/$1/task/"*"/children" 2>/dev/null || true
}

lab_keeper() {
  proc_recall "$LAB_DIR/keeper" || die "no lab in $LAB_DIR (lab up)"
}

# The first process of a host. It changes when the host reboots.
host_leader() {
  local pid
  proc_recall "$LAB_DIR/leader.$1" && return
  host_number "$1" >/dev/null
  pid=$(host_find_leader "$1") || die "host $1 is off"
  proc_remember "$LAB_DIR/leader.$1" "$pid"
  echo "$pid"
}

host_is_on() {
  (host_leader "$1") >/dev/null 2>&1
}

# The keeper, a shell of it for each host, systemd-nspawn, the host's process 1.
host_find_leader() {
  local keeper shell nspawn pid machine
  keeper=$(lab_keeper) || return 1
  machine=--machine=$(host_name "$1")
  for shell in $(children "$keeper"); do
    for nspawn in $(children "$shell"); do
      tr '\0' '\n' <"/proc/$nspawn/cmdline" 2>/dev/null | grep -qxe "$machine" || continue
      for pid in $(children "$nspawn"); do
        grep -q '^NSpid:.*[[:space:]]1$' "/proc/$pid/status" 2>/dev/null || continue
        echo "$pid"
        return 0
      done
    done
  done
  return 1
}

# Runs a command with the keeper's mounts and network.
in_keeper() {
  local keeper
  keeper=$(lab_keeper) || exit 1
  nsenter --target "$keeper" --mount --net --pid -- "$@"
}

# Runs a command as root in a host; the short form of cmd_run. With LAB_EXEC=exec this shell becomes nsenter.
# nsenter forks and is no good parent: without the death signal, whoever kills it leaves the command behind.
in_host() { # HOST [as=USER] COMMAND...
  local leader who=()
  leader=$(host_leader "$1") || exit 1
  shift
  if [[ $1 = as=* ]]; then
    who=("--reuid=${1#as=}" "--regid=${1#as=}" --init-groups --reset-env)
    shift
  fi
  ${LAB_EXEC-} nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup --root --wd -- \
    env -i "PATH=$LAB_PATH" HOME=/root USER=root LOGNAME=root LANG=C.UTF-8 "TERM=${TERM:-dumb}" \
    setpriv --pdeathsig TERM "${who[@]}" -- env LANG=C.UTF-8 "PATH=$LAB_PATH" "$@"
}
