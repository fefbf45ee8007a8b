# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# For benchmarks on two hosts: source it first, then call bench_setup. What is measured is printed beside what
# it is compared with and the bar; nothing passes or fails by its time.
#
# VSM_LAB_DIR      a lab that runs already; else the benchmark boots its own
# VSM_PREFIX_ROOT  for a lab of one's own: a tree made by "DESTDIR=... meson install"; else what is installed
# VSM_BENCH_JSON   a file to which each number is appended, one JSON object per line
# VSM_BENCH_BUILD  where bus-latency and bus-migrate have been built; else they are built here

: "${VSM_TEST_MKTEMP=1}"
bench_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/libtest.sh
. "$bench_dir/../libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
unset MALLOC_CHECK_ MALLOC_PERTURB_ # they make everything slower, and not alike

# shellcheck disable=SC2154 # test_name is from libtest.sh
bench_name=${test_name#bench-}
# shellcheck disable=SC2034 # for the benchmarks
bench_remote=/srv/lab/bench # the folder that both hosts share, as they see it

### what is printed: 80 columns

say() {
  tap "$@"
}

table() { # TITLE COLUMN...: at most three columns
  say ''
  # shellcheck disable=SC2046 # as many words as columns
  say "$(printf '%-44s' "$1")$(printf ' %11s' "${@:2}")"
}

row() { # TITLE VALUE...
  say "$(printf '  %-42s' "$1")$(printf ' %11s' "${@:2}")"
}

ratio_row() { # TITLE VALUE BAR
  say "$(printf '  = %-52s %8s  bar %s' "$1" "$2" "$3")"
}

record() { # JSON-MEMBERS: what and how much
  [ -z "${VSM_BENCH_JSON-}" ] || printf '{"bench":"%s",%s}\n' "$bench_name" "$1" >>"$VSM_BENCH_JSON"
}

record_samples() { # SET MEASURE UNIT FILE: one number per line
  record "$(printf '"set":"%s","measure":"%s","unit":"%s","n":%d,"median":%s,"samples":[%s]' "$1" "$2" "$3" \
    "$(wc -l <"$4")" "$(median <"$4")" "$(paste -sd, "$4")")"
}

# A ratio of two numbers: printed with its bar, and recorded
ratio() { # SET TITLE ABOVE BELOW BAR
  local value
  value=$(divide "$3" "$4")
  ratio_row "$2" "$value" "$5"
  record "$(printf '"set":"%s","ratio":"%s","value":%s,"bar":"%s"' "$1" "$2" "$value" "$5")"
}

machine_line() {
  local model
  model=$(awk -F': *' '/^model name/ { print $2; exit }' /proc/cpuinfo)
  printf '%s x %s, Linux %s, load %s\n' "$(nproc)" "${model:-?}" "$(uname -r)" "$(cut -d' ' -f1-3 /proc/loadavg)"
}

### numbers: one per line

quantile() { # Q: 0 to 1
  sort -g | awk -v q="$1" '
    { v[NR] = $1 }
    END {
      if (!NR) { print "nan"; exit }
      at = q * (NR - 1) + 1; i = int(at)
      printf "%.10g\n", i < NR ? v[i] + (at - i) * (v[i + 1] - v[i]) : v[i]
    }'
}

median() {
  quantile 0.5
}

spread() { # "first to third quartile" of stdin, divided by DIVISOR
  local all
  all=$(cat)
  printf '%.2f-%.2f' "$(quantile 0.25 <<<"$all" | scale "$1")" "$(quantile 0.75 <<<"$all" | scale "$1")"
}

scale() { # DIVISOR
  awk -v d="$1" '{ printf "%.6g\n", $1 / d }'
}

divide() { # A B
  awk -v a="$1" -v b="$2" 'BEGIN { if (b == 0) print "0"; else printf "%.4f\n", a / b }'
}

# What bus-latency wrote down, of its last run with this name
latency_of() { # SET MEASURE
  tac "$bench_json" | sed -n "/\"set\":\"$1\",\"measure\":\"$2\"/{s/.*\"median\":\([0-9.]*\).*/\1/p;q}"
}

### the hosts

bench_program() { # NAME: built into the folder that the hosts share
  local found flags=()
  for found in "${VSM_BENCH_BUILD-}" "$bench_dir"; do
    [ -n "$found" ] && [ -x "$found/$1" ] && cp "$found/$1" "$bench_here/" && return
  done
  read -ra flags < <(pkg-config --cflags --libs libsystemd)
  cc -std=gnu17 -D_GNU_SOURCE -O2 -o "$bench_here/$1" "$bench_dir/$1.c" "${flags[@]}"
}

# No watcher here, as the tests have one: it looks a hundred times a second.
bench_setup() {
  hosts_need systemd-nspawn
  if [ -n "${VSM_LAB_DIR-}" ] && [ -e "$VSM_LAB_DIR/complete" ]; then
    hosts_reset
    at_exit 'lab reset'
  else
    hosts_boot_own
  fi
  bench_here=$VSM_LAB_DIR/srv/bench
  bench_json=$bench_here/numbers.json
  # before the lab goes, and the folder with it
  at_exit 'bench_end'
  rm -rf "$bench_here"
  mkdir -p "$bench_here"
  bench_program bus-latency
  bench_program bus-migrate
  say "$bench_name: $(machine_line)"
}

bench_end() {
  if [ -n "${VSM_BENCH_JSON-}" ] && [ -e "$bench_json" ]; then
    sed "s/^{/{\"bench\":\"$bench_name\",/" "$bench_json" >>"$VSM_BENCH_JSON"
  fi
  rm -rf "$bench_here"
}

bench_done() {
  say ''
  say "$bench_name: $(machine_line)"
  # shellcheck disable=SC2034 # libtest.sh looks at it
  test_planned=1
}

latency() { # HOST SET ROUNDS [--ratio ...] NAME=KIND,...
  say ''
  host_run "$1" "$bench_remote/bus-latency" --json "$bench_remote/numbers.json" --set "$2" --rounds "$3" \
    "${@:4}" >&3
}

# The time of a command in a host, without the way into the host: us
timed() { # HOST COMMAND...
  # shellcheck disable=SC2016 # for the shell over there
  host_run "$1" bash -c 'a=$EPOCHREALTIME; "$@" >/dev/null || exit; b=$EPOCHREALTIME
    echo $((${b/./} - ${a/./}))' timed "${@:2}"
}

# A migration that stays in the transfer, since the guest writes faster than it may be sent
migrate_held() { # FROM NAME DESTINATION: sets held_job
  local path
  path=$(system_path "$1" "$2")
  held_job=$(call "$1" "$VSM_ROOT" "$VSM_NAME" MigrateVirtualSystemToHost 'osa{sv}a{sv}aa{sv}' "$path" "$3" \
    1 Bandwidth q 1 0 0)
  held_job=${held_job#*\"}
  held_job=${held_job%\"}
  wait_prop "$1" "$path" "$VSM_NAME.System" MigrationState '^2$' >/dev/null
}

cancel() { # HOST JOB
  call "$1" "$2" "$VSM_NAME.Job" RequestStateChange qt 4 0 >/dev/null
  wait_prop "$1" "$2" "$VSM_NAME.Job" JobState '^(7|8|9|10|32768)$' >/dev/null
}
