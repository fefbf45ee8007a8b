# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# For tests on two hosts: source it after libtest.sh, then call hosts_setup. See lab/README.md.
#
# VSM_LAB_DIR      a lab that runs already, so that many tests share one boot; else the test boots its own
# VSM_PREFIX_ROOT  for a lab of one's own: a tree made by "DESTDIR=... meson install"; else what is installed

VSM_NAME=org.example.VirtualSystemMigration
# shellcheck disable=SC2034 # for the tests
VSM_ROOT=/org/example/VirtualSystemMigration
# shellcheck disable=SC2154 # test_dir is from libtest.sh
hosts_lab=$test_dir/lab/lab
hosts_watch_pid=''

lab() {
  "$hosts_lab" --dir "$VSM_LAB_DIR" "$@" 3>&-
}

### setting up

# "kvm" only where a test is about KVM itself: without it the lab's guests are emulated, and all but their memory can
# be judged.
hosts_need() { # WHAT...: skips the whole test unless the machine has it
  local what
  [ "$(id -u)" = 0 ] || skip_all "must be root"
  for what; do
    case $what in
      kvm) [ -e /dev/kvm ] || skip_all "no /dev/kvm" ;;
      *) command -v "$what" >/dev/null || skip_all "no $what" ;;
    esac
  done
}

# Ready to use after this: all hosts up and clean, the watcher running. It is stopped, and asked, by
# hosts_done; a test that ends without hosts_done has failed anyway.
hosts_setup() { # [options of "lab up"]
  hosts_need systemd-nspawn
  if [ -n "${VSM_LAB_DIR-}" ] && [ -e "$VSM_LAB_DIR/complete" ]; then
    hosts_reset
  else
    hosts_boot_own "$@"
  fi
  # shellcheck disable=SC2016 # for the end
  at_failure 'lab evidence "${VSM_TEST_EVIDENCE:-$VSM_LAB_DIR-evidence}/$test_name" && hosts_show_evidence'
  at_failure 'tail -n 20 watch.log'
  start_watch
}

hosts_boot_own() {
  export VSM_LAB_DIR=/run/vsmd-lab-test-$$
  at_exit 'lab down'
  if [ -n "${VSM_PREFIX_ROOT-}" ]; then
    lab up --prefix-root "$VSM_PREFIX_ROOT" "$@"
  else
    lab up "$@"
  fi
}

hosts_show_evidence() {
  local host
  for host in $(hosts); do
    echo "== the end of host $host's journal of vsmd and libvirtd"
    host_run "$host" journalctl --quiet --no-pager -o short-precise -n 40 -u vsmd -u libvirtd || true
  done
}

hosts() {
  local n
  n=$(cat "$VSM_LAB_DIR/hosts")
  echo "A B C" | cut -d' ' "-f1-$n"
}

# No guest, no rule, no cut, no limit, vsmd as after its first start.
hosts_reset() {
  lab reset
}

hosts_done() {
  stop_watch
  ok "no guest ran twice"
  [ -e /dev/kvm ] || skip "no write of a guest was lost" "no /dev/kvm: QEMU's emulation loses writes in migrations"
}

### hosts

host_run() { # HOST COMMAND...: as root
  lab run "$@"
}

as_user() { # HOST USER COMMAND...
  lab run -u "$2" "$1" "${@:3}"
}

as_user_session() { # HOST USER COMMAND...: in a login session
  lab run -u "$2" --session "$1" "${@:3}"
}

host_name() { # HOST
  lab name "$1"
}

# What libvirt is to be told to reach a host: tcp or tls
host_uri() { # HOST [tcp|tls]
  printf 'qemu+%s://%s/system\n' "${2:-tcp}" "$(host_name "$1")"
}

host_write() { # HOST FILE: from stdin, folders are made
  # shellcheck disable=SC2016 # for the shell over there
  lab run "$1" sh -c 'mkdir -p "$(dirname "$1")" && cat >"$1"' sh "$2"
}

# As libvirt there sees it, until enough_memory or the next reset. Nothing is taken from anybody.
short_of_memory() { # HOST
  host_run "$1" sed -E 's/^(MemFree|MemAvailable|Buffers|Cached):.*/\1: 1024 kB/' /proc/meminfo >meminfo
  host_write "$1" /root/meminfo <meminfo
  host_run "$1" mount --bind /root/meminfo /proc/meminfo
}

enough_memory() { # HOST
  host_run "$1" umount /proc/meminfo
}

# polkit notices new rules by itself, some time. A restart has read them when it returns.
polkit_rule() { # HOST NAME: the rule from stdin
  host_write "$1" "/etc/polkit-1/rules.d/$2.rules"
  lab run "$1" systemctl try-restart polkit.service
}

# Lets a user do the actions that match a regular expression
polkit_allow() { # HOST USER ACTION-REGEX
  polkit_rule "$1" "50-test-$2-$RANDOM" <<EOF
polkit.addRule(function(action, subject) {
    if (subject.user == "$2" && /$3/.test(action.id))
        return polkit.Result.YES;
});
EOF
}

### guests

guest_start() { # HOST NAME [options of "lab guest"]
  lab guest start "$@"
}

guest_define() { # HOST NAME [options]
  lab guest define "$@"
}

# Off, and with the mark of a Staged move from SOURCE. Prints the path of its PlannedSystem.
guest_plan() { # HOST NAME SOURCE [options]
  local path
  guest_define "$1" "$2" "${@:4}" >&2
  host_run "$1" virsh -q metadata --domain "$2" --config --uri urn:org.example.VirtualSystemMigration:planned:1 \
    --key vsm-planned --set "<planned source='$3' job='7'/>" >&2
  path=$VSM_ROOT/planned/$(guest_uuid "$1" "$2" | tr - _)
  wait_prop "$1" "$path" "$VSM_NAME.PlannedSystem" SourceHost "^$3\$" >/dev/null
  printf '%s\n' "$path"
}

guest_state() { # HOST NAME: what libvirt there says, or "none"
  host_run "$1" virsh -q domstate --domain "$2" 2>/dev/null | head -n1 | grep . || echo none
}

guest_uuid() { # HOST NAME
  host_run "$1" virsh -q domuuid --domain "$2" | head -n1
}

# "A", "A B" or nothing: asks all hosts, not the daemon
guest_hosts() { # NAME
  local host found=()
  for host in $(hosts); do
    [ "$(guest_state "$host" "$1")" = running ] && found+=("$host")
  done
  echo "${found[*]-}"
}

assert_guest_on() { # HOST NAME: runs there and nowhere else
  assert_eq "$(guest_hosts "$2")" "$1" "guest $2 runs on host $1 only"
}

# By its own console: booted once, counter unbroken, and, under KVM, no write lost
assert_guest_good() { # NAME [--since BYTE]
  assert_true "guest $1 went on undisturbed" lab check-guest "$@"
}

guest_pause() { # NAME [--since BYTE]: ms
  lab pause "$@"
}

console_size() { # NAME: for --since
  stat -c %s "$(lab console "$1")"
}

# Waits for a line of the guest's console that comes after BYTE.
wait_console() { # NAME BYTE REGEX [SECONDS]
  local pid tail r=0
  exec {tail}< <(exec tail -c "+$(($2 + 1))" -s 0.1 -F -- "$(lab console "$1")" 2>/dev/null 3>&-)
  pid=$!
  timeout "$(scaled "${4:-30}")" grep -qm1 -E -- "$3" <&"$tail" || r=$?
  kill "$pid" 2>/dev/null || true
  exec {tail}<&-
  [ "$r" = 0 ] || note "no line /$3/ on the console of $1"
  return "$r"
}

# The guest still ticks: waits for a tick line that is written after now.
wait_tick() { # NAME [SECONDS]
  wait_console "$1" "$(console_size "$1")" '^VSM tick' "${2:-30}"
}

### the outside watcher

start_watch() {
  local watch
  [ -z "$hosts_watch_pid" ] || fail "the watcher runs already"
  for watch in "${VSM_WATCH_QEMU-}" "$test_dir/lab/watch-qemu"; do
    [ -x "$watch" ] && break
  done
  if [ ! -x "$watch" ]; then
    watch=$PWD/watch-qemu
    cc -O2 -o "$watch" "$test_dir/lab/watch-qemu.c"
  fi
  rm -f watch.log
  "$watch" "$VSM_LAB_DIR" watch.log 3>&- >&2 &
  hosts_watch_pid=$!
  # shellcheck disable=SC2016 # for the end
  at_exit '[ -z "$hosts_watch_pid" ] || kill "$hosts_watch_pid" 2>/dev/null'
  wait_for_line watch.log '^VSM-WATCH started' 10 >/dev/null
}

# Asserts that no guest ever ran on two hosts at once.
stop_watch() {
  local r=0
  [ -n "$hosts_watch_pid" ] || return 0
  kill -TERM "$hosts_watch_pid"
  wait "$hosts_watch_pid" || r=$?
  hosts_watch_pid=''
  [ "$r" = 0 ] && return
  evidence <watch.log
  fail "no guest ran twice"
}

### the bus

# A property's bare value: strings and paths without quotes, others as busctl prints them
prop() { # HOST PATH INTERFACE NAME
  local value
  value=$(host_run "$1" busctl get-property "$VSM_NAME" "$2" "$3" "$4") || return
  case $value in
    'o "'* | 's "'* | 'g "'*)
      value=${value#* \"} value=${value%\"}
      # busctl escapes as C does. A format is read so, to the letter; %b has rules of its own.
      # shellcheck disable=SC2059
      printf -- "${value//%/%%}\n"
      ;;
    *) printf '%s\n' "${value#* }" ;;
  esac
}

# A method call as busctl takes it, on the service
call() { # HOST PATH INTERFACE METHOD [SIGNATURE ARGUMENTS...]
  host_run "$1" busctl --timeout="$(scaled 60)" call "$VSM_NAME" "${@:2}"
}

call_as() { # HOST USER PATH INTERFACE METHOD [SIGNATURE ARGUMENTS...]
  as_user "$1" "$2" busctl --timeout="$(scaled 60)" call "$VSM_NAME" "${@:3}"
}

# All messages of the service, one JSON object per line, until the test ends. Listening when this returns.
monitor_start() { # HOST FILE [MATCH]
  start_background "$2" "$hosts_lab" --dir "$VSM_LAB_DIR" run "$1" stdbuf -oL \
    busctl monitor --json=short "${3:---match=sender=$VSM_NAME}"
  wait_for_line "$2" '^Monitoring bus message stream' 10 >/dev/null
}

# What libvirt tells of guests, to a file. virsh runs when this returns; it says nowhere that it has begun to listen.
watch_libvirt() { # HOST FILE [options of "virsh event"]
  start_background "$2" "$hosts_lab" --dir "$VSM_LAB_DIR" run "$1" stdbuf -oL virsh event "${@:3}" --loop
  wait_until 10 host_run "$1" pgrep -f "virsh event ${*:3} --loop" >/dev/null
}

# Runs a command in the test until it succeeds: when the bus of a host is listened to, and again at each message that
# matches. No message, no new try.
wait_bus() { # HOST SECONDS MATCH[ MATCH...] COMMAND...
  local matches=() match events pid end r=1
  end=$((SECONDS + $(scaled "$2")))
  for match in $3; do
    matches+=("--match=$match")
  done
  exec {events}< <(exec "$hosts_lab" --dir "$VSM_LAB_DIR" run "$1" stdbuf -oL \
    busctl monitor --json=short "${matches[@]}" 2>&1 3>&-)
  pid=$!
  while read -r -t $((end > SECONDS ? end - SECONDS : 1)) _ <&"$events"; do
    "${@:4}" && r=0 && break
    [ "$SECONDS" -lt "$end" ] || break
  done
  kill "$pid" 2>/dev/null || true
  exec {events}<&-
  return "$r"
}

# The same at each signal of the service, and when it comes or goes
wait_service() { # HOST SECONDS COMMAND...
  wait_bus "$1" "$2" "type=signal,sender=$VSM_NAME type=signal,member=NameOwnerChanged,arg0=$VSM_NAME" \
    quietly "${@:3}" && return
  note "never came true, host $1 told nothing more: ${*:3}"
  return 1
}

quietly() { # COMMAND...
  "$@" >/dev/null 2>&1
}

# Waits until a property has a value that matches; asks again only when its object sent a signal.
wait_prop() { # HOST PATH INTERFACE NAME REGEX [SECONDS]
  local value=''
  if wait_bus "$1" "${6:-60}" "type=signal,path=$2" prop_is "${@:1:5}"; then
    printf '%s\n' "$value"
    return
  fi
  note "$4 of $2 on host $1 is \"$value\", never became /$5/"
  return 1
}

prop_is() { # HOST PATH INTERFACE NAME REGEX: sets value, of the caller
  value=$(prop "${@:1:4}" 2>&1) || true
  grep -qE -- "$5" <<<"$value"
}

### systems, jobs and migrations

system_path() { # HOST NAME
  printf '%s/system/%s\n' "$VSM_ROOT" "$(guest_uuid "$1" "$2" | tr - _)"
}

system_prop() { # HOST NAME PROPERTY
  prop "$1" "$(system_path "$1" "$2")" "$VSM_NAME.System" "$3"
}

wait_system() { # HOST NAME PROPERTY REGEX
  wait_prop "$1" "$(system_path "$1" "$2")" "$VSM_NAME.System" "$3" "$4" >/dev/null
}

job_prop() { # HOST JOB PROPERTY
  prop "$1" "$2" "$VSM_NAME.Job" "$3"
}

wait_job() { # HOST JOB REGEX [SECONDS]: until its JobState matches
  wait_prop "$1" "$2" "$VSM_NAME.Job" JobState "${@:3}" >/dev/null
}

migrate() { # FROM NAME DESTINATION [settings as busctl takes them]: prints the path of the job
  local reply
  [ $# -gt 3 ] || set -- "$@" 0
  reply=$(call "$1" "$VSM_ROOT" "$VSM_NAME" MigrateVirtualSystemToHost 'osa{sv}a{sv}aa{sv}' \
    "$(system_path "$1" "$2")" "$3" "${@:4}" 0 0)
  assert_match "$reply" "^uo 4096 \"$VSM_ROOT/job/[0-9]+\"$" "the call gives a job"
  reply=${reply#*\"}
  printf '%s\n' "${reply%\"}"
}

# How many migrations may run at once there, kept by a file
set_limit() { # HOST NUMBER
  host_write "$1" /etc/vsmd/vsmd.conf.d/limit.conf <<<$'[Service]\nMaximumActiveVirtualSystemMigration='"$2"
  host_run "$1" systemctl restart vsmd.service
}

# gdbus names the error, busctl does not.
assert_refused() { # ERROR HOST PATH INTERFACE.METHOD [arguments as gdbus takes them]
  assert_fails_with "$VSM_NAME.Error.$1:" host_run "$2" gdbus call --system --dest "$VSM_NAME" \
    --object-path "$3" --method "${@:4}"
}

request() { # HOST JOB STATE: asks for a state of the job, prints the return value
  local reply
  reply=$(call "$1" "$2" "$VSM_NAME.Job" RequestStateChange qt "$3" 0)
  printf '%s\n' "${reply#u }"
}

# Held in its transfer by a limit that it cannot reach the end with.
hold() { # FROM NAME TO [SETTING TYPE VALUE]...: prints the path of the job
  migrate "$1" "$2" "$(host_name "$3")" $((($# - 3) / 3 + 1)) Bandwidth q 1 "${@:4}"
}

let_go() { # HOST JOB: lifts the limit
  call "$1" "$2" "$VSM_NAME.Job.Transfer" SetParameters 'a{sv}' 1 Bandwidth q 1000
}

# The values that a property had, in the order in which signals told them
seen() { # FILE PROPERTY
  grep -F '"member":"PropertiesChanged"' "$1" | grep -oE "\"$2\":\{\"type\":\"[a-z]\",\"data\":\"?[0-9a-z-]+" |
    sed 's/.*://; s/"//g' | paste -sd ' '
}

# It moves, and nothing of the guest breaks.
assert_moves() { # FROM TO NAME
  local job
  job=$(migrate "$1" "$3" "$(host_name "$2")")
  wait_job "$1" "$job" '^(7|8|9|10|32768)$'
  assert_eq "$(job_prop "$1" "$job" JobState)" 7 "$3 moves to host $2"
  assert_guest_on "$2" "$3"
  assert_guest_good "$3"
}

# As before the migration: it runs here, and there is nothing of it there, not even a process.
assert_stayed() { # HERE THERE NAME
  assert_guest_on "$1" "$3"
  assert_eq "$(guest_state "$2" "$3")" none "no definition of $3 on host $2"
  assert_eq "$(host_run "$2" pgrep -c qemu-system || true)" 0 "no QEMU on host $2"
  assert_eq "$(prop "$1" "$VSM_ROOT" "$VSM_NAME" ActiveVirtualSystemMigrationCount)" 0 "no migration is counted"
  assert_eq "$(system_prop "$1" "$3" OperatingStatus)" 0 "OperatingStatus of $3"
  wait_tick "$3"
  assert_guest_good "$3"
}

# Switched off, its sockets as well, until libvirt_on; guests run on.
LIBVIRT_SOCKETS='libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd-tcp.socket libvirtd-tls.socket'

libvirt_is_off() { # HOST
  # shellcheck disable=SC2086 # a list
  ! host_run "$1" systemctl --quiet is-active libvirtd.service $LIBVIRT_SOCKETS
}

libvirt_off() { # HOST
  # masked first: else our daemon's next attempt may start it again before its sockets are gone. One that is called just
  # then has failed instead of stopped, and systemctl says so; it is off as well
  at_exit "host_run $1 systemctl --quiet unmask --runtime libvirtd.service"
  host_run "$1" systemctl --quiet mask --runtime --now libvirtd.service || true
  # shellcheck disable=SC2086 # a list
  host_run "$1" systemctl stop $LIBVIRT_SOCKETS || true
  wait_until 10 libvirt_is_off "$1"
}

libvirt_on() { # HOST
  host_run "$1" systemctl --quiet unmask --runtime libvirtd.service
  # shellcheck disable=SC2086 # a list
  host_run "$1" systemctl start $LIBVIRT_SOCKETS
}

# What libvirt does with a guest: None, Bounded, Unbounded
libvirt_job() { # HOST NAME
  host_run "$1" virsh domjobinfo --domain "$2" | awk '/^Job type/ { print $3 }'
}

autostart() { # HOST NAME: enable or disable, as virsh has it
  host_run "$1" virsh -q dominfo --domain "$2" | awk '/^Autostart/ { print $2 }'
}
