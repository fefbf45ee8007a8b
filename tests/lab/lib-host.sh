# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# From outside: the life of a lab and of its hosts, and how to get into them.

lab_timeout() {
  echo $((90 * ${VSM_TEST_SCALE:-1}))
}

# The lab's own process group, then the keeper's shell, then unshare, then the keeper.
lab_find_keeper() {
  local pid
  pid=$(proc_recall "$LAB_DIR/starter") || return 1
  while [ -n "$pid" ] && ! grep -q '^NSpid:.*[[:space:]]1$' "/proc/$pid/status" 2>/dev/null; do
    pid=$(children "$pid")
    pid=${pid%% *}
  done
  # A process on its way out has no program any more.
  [ -n "$pid" ] && readlink "/proc/$pid/exe" >/dev/null && echo "$pid"
}

lab_start() { # [TREE]
  local scope=''
  # Where systemd is process 1 its cgroups are its own: we get a scope, to divide as we like.
  if [ -d /run/systemd/system ]; then
    scope="systemd-run --quiet --scope --collect --unit=vsmd-lab-$$ -p Delegate=yes --"
  fi
  # --kill-child: if unshare goes, the keeper goes, and everything else with it. The shell around it tells
  # us.
  # shellcheck disable=SC2016
  setsid sh -c "$scope "'unshare --mount --propagation private --pid --mount-proc --fork \
      --kill-child=KILL -- "$@"
    echo "keeper exited $?" 1<>"$LAB_READY"' sh "$LAB_SELF" --dir "$LAB_DIR" __keeper "$@" \
    </dev/null >"$LAB_DIR/keeper.log" 2>&1 7>&- 8>&- 9>&- &
  proc_remember "$LAB_DIR/starter" $!
}

lab_kill() {
  local pid
  for pid in $(lab_find_keeper) $(proc_recall "$LAB_DIR/keeper"); do
    kill -KILL "$pid" 2>/dev/null || true
  done
  if pid=$(proc_recall "$LAB_DIR/starter"); then
    # It ends when all processes of the lab have ended. A shell can not wait for what is not its child.
    timeout 30 tail --pid="$pid" -s 0.05 -f /dev/null || die "the lab's processes do not end"
  fi
}

lab_clean() {
  local dir
  lab_kill
  if [ -f "$LAB_DIR/cgroups" ]; then
    while read -r dir; do
      [ ! -d "$dir" ] || find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done <"$LAB_DIR/cgroups"
  fi
  rm -rf --one-file-system "$LAB_DIR"
}

lab_lock() {
  mkdir -p "${LAB_DIR%/*}"
  exec 9>"$LAB_DIR.lock"
  flock --timeout "$(lab_timeout)" 9 || die "another lab command holds $LAB_DIR.lock"
}

lab_unlock() {
  exec 9>&-
}

# Reads the FIFO until each of these hosts has said that it is up.
lab_wait_up() { # LETTER...
  local host name state detail
  declare -A waiting
  for host; do
    waiting[$(host_name "$host")]=$host
  done
  while [ ${#waiting[@]} -gt 0 ]; do
    read -r -t "$(lab_timeout)" name state detail <&8 || die "no sign of: ${waiting[*]}; see $LAB_DIR/*.log"
    case $state in
      running) ;;
      exited) die "$name ended early ($detail); see $LAB_DIR/*.log: $(tail -n 3 "$LAB_DIR/keeper.log")" ;;
      *) note "$name is up, but $state:" "$(in_host "${waiting[$name]}" systemctl --failed --no-legend)" ;;
    esac
    unset "waiting[$name]"
  done
}

lab_up_options() {
  lab_hosts=2 lab_tree=()
  while [ $# -gt 0 ]; do
    case $1 in
      --hosts) lab_hosts=$2 && shift 2 ;;
      --dir) LAB_DIR=$2 && shift 2 ;;
      --prefix-root) lab_tree=("$(readlink -f "$2")") && shift 2 ;;
      --) shift && break ;;
      *) die "unknown option $1" ;;
    esac
  done
  [[ $lab_hosts = [123] ]] || die "--hosts 1, 2 or 3"
  lab_command=("$@")
}

lab_check_machine() {
  local tool
  need_root
  for tool in systemd-nspawn nsenter unshare ip; do
    command -v "$tool" >/dev/null ||
      die "$tool is missing (packages systemd-container, util-linux, iproute2)"
  done
  if mountpoint -q /usr || mountpoint -q /var; then
    die "/usr or /var are file systems of their own: an overlay over / would not see them"
  fi
  [ -e /dev/kvm ] || note "no /dev/kvm: all guests are emulated, as by --tcg"
}

lab_up() { # LIFELINE
  lab_check_machine
  lab_lock
  if [ -e "$LAB_DIR/complete" ] && lab_find_keeper >/dev/null; then
    die "a lab runs in $LAB_DIR already (lab down)"
  fi
  lab_clean
  mkdir -p "$LAB_DIR/srv/console"
  echo "$lab_hosts" >"$LAB_DIR/hosts"
  guest_image_install
  mkfifo "$LAB_DIR/request" "$LAB_DIR/srv/.ready"
  export LAB_READY=$LAB_DIR/srv/.ready
  exec 8<>"$LAB_READY"
  [ -z "$1" ] || mkfifo "$LAB_DIR/lifeline"
  [ -z "$1" ] || exec 7<>"$LAB_DIR/lifeline"
  lab_start "${lab_tree[@]}"
  # shellcheck disable=SC2046 # a list of letters
  lab_wait_up $(host_letters)
  proc_remember "$LAB_DIR/keeper" "$(lab_find_keeper)"
  : >"$LAB_DIR/complete"
  exec 8>&-
  lab_unlock
}

cmd_up() {
  lab_up_options "$@"
  lab_up ''
}

# The life line is a FIFO that only this process holds open for writing: the keeper notices its end, even
# by -9.
cmd_with() {
  local r=0
  lab_up_options "$@"
  [ ${#lab_command[@]} -gt 0 ] || die "with [options] -- COMMAND..."
  trap 'cmd_down' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  lab_up lifeline
  VSM_LAB_DIR=$LAB_DIR "${lab_command[@]}" 7>&- || r=$?
  exit "$r"
}

cmd_down() {
  need_root
  [ -d "$LAB_DIR" ] || return 0
  exec 7>&-
  lab_lock
  lab_clean
  lab_unlock
  rm -f "$LAB_DIR.lock"
}

cmd_status() {
  local host
  if ! lab_find_keeper >/dev/null; then
    echo "no lab in $LAB_DIR"
    return 1
  fi
  for host in $(host_letters); do
    if host_is_on "$host"; then
      echo "$host $(host_name "$host") $(host_ip4 "$host") $(host_ip6 "$host")" \
        "$(in_host "$host" systemctl is-system-running || true)" \
        "guests: $(in_host "$host" pgrep -c qemu-system || true)"
    else
      echo "$host $(host_name "$host") off"
    fi
  done
}

cmd_boot() { # HOST
  ! host_is_on "$1" || die "host $1 runs already"
  lab_lock
  exec 8<>"$LAB_DIR/srv/.ready"
  echo "boot $1" 1<>"$LAB_DIR/request"
  lab_wait_up "$1"
  exec 8>&-
  lab_unlock
}

host_end() { # HOST SIGNAL
  local leader
  leader=$(host_leader "$1")
  kill -s "$2" "$leader"
  timeout "$(lab_timeout)" tail --pid="$leader" -s 0.05 -f /dev/null || die "host $1 does not end"
}

# systemd-nspawn ends with a reboot too: "boot" is the second half of it. What was written to the host's root is kept.
cmd_wait_off() { # HOST
  local leader
  leader=$(host_leader "$1" 2>/dev/null) || return 0
  timeout "$(lab_timeout)" tail --pid="$leader" -s 0.05 -f /dev/null || die "host $1 does not go down"
}

cmd_halt() {
  host_end "$1" RTMIN+4
}

cmd_crash() {
  host_end "$1" KILL
}

cmd_install() { # TREE
  local host leader
  for host in $(host_letters); do
    host_is_on "$host" || continue
    leader=$(host_leader "$host")
    product_install "/proc/$leader/root" "$(readlink -f "$1")"
    in_host "$host" systemd-sysusers
    in_host "$host" systemctl daemon-reload
    in_host "$host" systemctl try-restart vsmd.service
  done
}

# Back to what "up" gave, in a second instead of a boot. Consoles stay: they are evidence.
cmd_reset() {
  local host pids=() pid bad=''
  for host in $(host_letters); do
    host_is_on "$host" || cmd_boot "$host"
    (
      cmd_heal "$host"
      cmd_link "$host" rate unlimited
      in_host "$host" sh -s <"$LAB_HOME/reset-host"
    ) &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    wait "$pid" || bad=1
  done
  [ -z "$bad" ] || die "a host could not be reset"
}

cmd_name() {
  host_name "$1"
}

# A plain command stays in the machine's cgroup: nobody there asks. With --session it runs in a login
# session of its own, for what logind or polkit think of sessions; that costs some 50 ms more.
cmd_run() { # [-u USER] [--session] HOST COMMAND...
  local user='' session='' host
  while [ $# -gt 0 ]; do
    case $1 in
      -u) user=$2 && shift 2 ;;
      --session) session=1 && shift ;;
      *) break ;;
    esac
  done
  [ $# -ge 2 ] || die "run [-u USER] [--session] HOST COMMAND..."
  host=$1
  shift
  if [ -n "$session" ]; then
    set -- systemd-run --quiet --collect --wait --pipe --service-type=exec "--uid=${user:-root}" \
      -p PAMName=login -E "PATH=$LAB_PATH" -E LANG=C.UTF-8 -- "$@"
  elif [ -n "$user" ]; then
    set -- "as=$user" "$@"
  fi
  # shellcheck disable=SC2034 # for in_host
  LAB_EXEC='exec'
  in_host "$host" "$@"
}

cmd_shell() {
  in_host "$1" bash -l
}

cmd_evidence() { # FOLDER
  local host root
  mkdir -p "$1"
  cp "$LAB_DIR"/*.log "$1/" 2>/dev/null || true
  cp -r "$LAB_DIR/srv/console" "$1/" 2>/dev/null || true
  for host in $(host_letters); do
    root=$LAB_DIR/mnt/$host/root
    in_keeper journalctl --quiet --no-pager -o short-precise -D "$root/var/log/journal" \
      >"$1/journal.$host.txt" 2>&1 || true
    mkdir -p "$1/libvirt.$host"
    in_keeper tar -C "$root/var/log/libvirt" -c . 2>/dev/null |
      tar -C "$1/libvirt.$host" -x 2>/dev/null || true
  done
}
