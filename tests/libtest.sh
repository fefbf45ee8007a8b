# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# For shell tests: source it first. Only TAP goes to stdout, all else to stderr.
#
#   . "$(dirname "$0")/libtest.sh"
#   assert_eq "$(vsmctl --version | head -n1)" "vsmctl $VERSION" "version"
#   ok "says its version"
#   plan
#
# A failed assert prints what it saw and ends the test. The exit status is 0 only if every line was ok and
# the plan was printed: runners believe the status, not the lines.
#
# VSM_TEST_SCALE multiplies all deadlines, for slow machines and valgrind.
# VSM_TEST_MKTEMP=1 runs the test in a new folder of its own (for harnesses that do not make one).
set -Eeuo pipefail

export LC_ALL=C.UTF-8 LANG=C.UTF-8 TZ=UTC G_DEBUG=fatal-warnings
export MALLOC_CHECK_=3 MALLOC_PERTURB_=$((RANDOM % 255 + 1))
unset LANGUAGE http_proxy https_proxy all_proxy no_proxy DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR
export HISTFILE=/dev/null HOME=/nonexistent

# shellcheck disable=SC2034 # for the other libraries
test_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
test_count=0 test_bad=0 test_planned='' test_status=''
test_exit_hooks=() test_evidence_hooks=()
test_scale=${VSM_TEST_SCALE:-1}
# shellcheck disable=SC2034 # for the tests
test_name=$(basename "$0" .sh)

# TAP has a descriptor of its own, so that no command's output can slip in between.
exec 3>&1 1>&2

### results

tap() {
  printf '%s\n' "$*" >&3
}

# Each line of stdin as a comment
evidence() {
  sed 's/^/# /' >&3
}

note() {
  printf '%s\n' "$*" | evidence
}

ok() { # WHAT
  test_count=$((test_count + 1))
  tap "ok $test_count - $*"
}

not_ok() { # WHAT: the test goes on, but has failed
  test_count=$((test_count + 1))
  test_bad=$((test_bad + 1))
  tap "not ok $test_count - $*"
}

fail() { # WHAT: the test ends here
  not_ok "$@"
  exit 1
}

skip() { # WHAT REASON
  test_count=$((test_count + 1))
  tap "ok $test_count - $1 # SKIP $2"
}

# Nothing here can run. The two harnesses want it told differently: meson reads it, others take status 77.
skip_all() { # REASON
  tap "1..0 # SKIP $*"
  test_planned=1 test_status=77
  [ -z "${MESON_TEST_ITERATION-}" ] || test_status=0
  exit "$test_status"
}

plan() {
  tap "1..$test_count"
  test_planned=1
}

### what happens at the end

at_exit() { # COMMAND: run at the end, last one first
  test_exit_hooks+=("$1")
}

at_failure() { # COMMAND: run before these, if the test failed; its output is shown
  test_evidence_hooks+=("$1")
}

# In a command substitution this only ends the subshell; the line that used it reports then.
test_on_err() { # LINE COMMAND
  [ "$BASH_SUBSHELL" -gt 0 ] || note "line $1: $2"
}

test_on_exit() {
  local r=$? hook i
  trap - EXIT ERR
  set +e
  if [ -z "$test_planned" ] && [ "$test_bad" = 0 ]; then
    not_ok "ended early, status $r"
  fi
  [ -n "$test_planned" ] || tap "1..$test_count"
  if [ "$test_bad" -gt 0 ]; then
    for hook in "${test_evidence_hooks[@]}"; do
      (eval "$hook") 2>&1 | evidence
    done
  fi
  for ((i = ${#test_exit_hooks[@]} - 1; i >= 0; i--)); do
    eval "${test_exit_hooks[i]}"
  done
  [ "$test_bad" = 0 ] || exit 1
  exit "${test_status:-$r}"
}

trap 'test_on_err "$LINENO" "$BASH_COMMAND"' ERR
trap test_on_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

### where it runs: an empty folder, or one with the harness's stamp, so that no test eats somebody's home

if [ -n "${VSM_TEST_MKTEMP-}" ]; then
  test_tmp=$(mktemp -d "${TMPDIR:-/tmp}/vsm-test.XXXXXX")
  cd "$test_tmp"
  # shellcheck disable=SC2016 # for the end
  at_exit 'cd / && rm -rf "$test_tmp"'
  touch .testtmp
elif [ ! -e .testtmp ]; then
  [ -z "$(ls -A)" ] || fail "refuse to run in $PWD: neither empty nor stamped with .testtmp"
  touch .testtmp
fi

### asserts: the last argument says what for, and may be left out

assert_true() { # WHAT COMMAND...
  local what=$1 out r=0
  shift
  out=$("$@" 2>&1) || r=$?
  [ "$r" = 0 ] && return
  printf '%s\n' "$* gave $r and said:" "$out" | evidence
  fail "$what"
}

assert_fails() { # COMMAND...
  local out
  if out=$("$@" 2>&1); then
    printf '%s\n' "should have failed: $*" "$out" | evidence
    fail "$1 fails"
  fi
}

assert_fails_with() { # REGEX COMMAND...: fails, and says why
  local regex=$1 out r=0
  shift
  out=$("$@" 2>&1) || r=$?
  [ "$r" != 0 ] && grep -qE -- "$regex" <<<"$out" && return
  printf '%s\n' "$* gave $r; expected a failure with /$regex/:" "$out" | evidence
  fail "$1 fails with $regex"
}

assert_status() { # STATUS COMMAND...
  local expected=$1 out r=0
  shift
  out=$("$@" 2>&1) || r=$?
  [ "$r" = "$expected" ] && return
  printf '%s\n' "$* gave $r, expected $expected:" "$out" | evidence
  fail "$1 gives status $expected"
}

assert_eq() { # HAVE WANT [WHAT]
  [ "$1" = "$2" ] && return
  printf '%s\n' "have: $1" "want: $2" | evidence
  fail "${3:-equal}"
}

assert_ne() { # HAVE NOT-WANTED [WHAT]
  [ "$1" != "$2" ] && return
  note "both are: $1"
  fail "${3:-differ}"
}

# A number between two others, as whole as bash wants them
assert_between() { # HAVE LEAST MOST [WHAT]
  [[ $1 =~ ^-?[0-9]+$ ]] && [ "$1" -ge "$2" ] && [ "$1" -le "$3" ] && return
  note "have $1, want $2 to $3"
  fail "${4:-in range}"
}

assert_match() { # HAVE REGEX [WHAT]
  grep -qE -- "$2" <<<"$1" && return
  printf '%s\n' "no match for /$2/ in:" "$1" | evidence
  fail "${3:-matches}"
}

assert_not_match() { # HAVE REGEX [WHAT]
  grep -qE -- "$2" <<<"$1" || return 0
  printf '%s\n' "unwanted match for /$2/ in:" "$1" | evidence
  fail "${3:-does not match}"
}

assert_file_has_content() { # FILE REGEX...
  local file=$1 regex
  shift
  for regex; do
    grep -qE -- "$regex" "$file" && continue
    { echo "no match for /$regex/ in $file:" && tail -n 200 "$file"; } 2>&1 | evidence
    fail "$file has $regex"
  done
}

assert_not_file_has_content() { # FILE REGEX...
  local file=$1 regex
  shift
  for regex; do
    grep -qE -- "$regex" "$file" || continue
    { echo "unwanted match for /$regex/ in $file:" && tail -n 200 "$file"; } | evidence
    fail "$file has no $regex"
  done
}

assert_file_exists() { # FILE
  [ -e "$1" ] && return
  # shellcheck disable=SC2012 # for people
  ls -la "$(dirname "$1")" 2>&1 | evidence
  fail "$1 exists"
}

assert_no_file() { # FILE
  [ ! -e "$1" ] || fail "$1 does not exist"
}

### waiting: for events, each wait with one deadline

scaled() { # SECONDS
  echo $(($1 * test_scale))
}

# Prints the line. Begins with the file's first one, and the file may still have to come.
wait_for_line() { # FILE REGEX [SECONDS]
  local file=$1 regex=$2 limit line tail r=0
  limit=$(scaled "${3:-60}")
  exec {tail}< <(exec tail -n +1 -s 0.1 -F -- "$file" 2>/dev/null 3>&-)
  local pid=$!
  line=$(timeout "$limit" grep -m1 -E -- "$regex" <&"$tail") || r=$?
  kill "$pid" 2>/dev/null || true
  exec {tail}<&-
  [ "$r" = 0 ] && printf '%s\n' "$line" && return
  { echo "not within $limit s: /$regex/ in $file:" && tail -n 30 -- "$file"; } 2>&1 | evidence
  return 1
}

# For the few things that nobody announces: what libvirt has no event for, a file that appears in a host, how a
# process stands. For all else there is something that wakes up by the event itself: wait_for_line, and on hosts
# wait_service, wait_prop and wait_console.
wait_until() { # SECONDS COMMAND...
  local end=$((SECONDS + $(scaled "$1")))
  shift
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      note "never came true: $*"
      return 1
    fi
    sleep 0.1
  done
}

# A process in the background that ends with the test and holds none of our descriptors
start_background() { # OUTPUT-FILE COMMAND...: sets background_pid
  local out=$1
  shift
  "$@" >"$out" 2>&1 3>&- </dev/null &
  background_pid=$!
  at_exit "kill $background_pid 2>/dev/null; wait $background_pid 2>/dev/null"
}
