#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# ListHistory: what was moved, by whom, when, from where, to where, how, and what came of it; each filter; what a
# restart interrupted; and that no more is kept than HistoryLimit says.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

system_path() { # HOST NAME
  printf '%s/system/%s\n' "$VSM_ROOT" "$(guest_uuid "$1" "$2" | tr - _)"
}

migrate() { # FROM NAME TO [USER]: prints the path of the job
  local reply to=("$1" "$VSM_ROOT") by=call settings=(0)
  [ -z "${4-}" ] || { by=call_as && to=("$1" "$4" "$VSM_ROOT"); }
  [ -z "${HELD-}" ] || settings=(2 Bandwidth q 1 AllowThrottling b false)
  reply=$("$by" "${to[@]}" "$VSM_NAME" MigrateVirtualSystemToHost 'osa{sv}a{sv}aa{sv}' \
    "$(system_path "$1" "$2")" "$(host_name "$3")" "${settings[@]}" 0 0)
  reply=${reply#*\"}
  printf '%s\n' "${reply%\"}"
}

wait_job() { # HOST JOB REGEX
  wait_prop "$1" "$2" "$VSM_NAME.Job" JobState "$3" >/dev/null
}

entries() { # HOST [FILTER as busctl takes it]: one JSON object a line
  [ $# -gt 1 ] || set -- "$1" 0
  host_run "$1" busctl --timeout="$(scaled 60)" --json=short call "$VSM_NAME" "$VSM_ROOT" "$VSM_NAME.Manager" ListHistory \
    'a{sv}' "${@:2}" |
    python3 -c '
import json, sys
for entry in json.load(sys.stdin)["data"][0]:
    print(json.dumps({k: v["data"] for k, v in entry.items()}, sort_keys=True))
    for k, v in entry.items():
        assert v["type"] == {"OwnerUID": "u", "Downtime": "u", "MigrationType": "q", "JobState": "q",
                             "ErrorCode": "q", "TimeSubmitted": "t", "StartTime": "t", "EndTime": "t",
                             "Bytes": "t"}.get(k, "s"), k
    assert len(entry) == 17, entry
'
}

field() { # NAME: of each entry of stdin, on one line
  python3 -c 'import json, sys; print(*[json.loads(line)[sys.argv[1]] for line in sys.stdin])' "$1"
}

jobs() { # HOST [FILTER]: the paths, on one line
  entries "$@" | field Job
}

refused() { # WORDS FILTER
  assert_fails_with "$VSM_NAME.Error.InvalidParameter: Filter: .*$1" host_run A gdbus call --system \
    --dest "$VSM_NAME" --object-path "$VSM_ROOT" --method "$VSM_NAME.Manager.ListHistory" "$2"
}

# Of a migration that went well: each fact against what the job and the hosts say.
entry() {
  local before after line
  polkit_allow A alice '\.migrate$'
  before=$(host_run A date +%s%6N)
  first=$(migrate A web B alice)
  wait_job A "$first" '^7$'
  after=$(host_run A date +%s%6N)
  line=$(entries A)
  assert_eq "$(wc -l <<<"$line")" 1 "one entry"
  assert_eq "$(field Job <<<"$line")" "$first" "Job"
  assert_eq "$(field System <<<"$line") $(field SystemName <<<"$line")" "$(guest_uuid B web) web" "System"
  assert_eq "$(field Owner <<<"$line") $(field OwnerUID <<<"$line")" "alice 2001" "Owner"
  assert_eq "$(field SourceHost <<<"$line") $(field DestinationHost <<<"$line")" "$(host_name A) $(host_name B)" \
    "hosts"
  assert_match "$(field Address <<<"$line")" '^(10\.77\.0\.2|fd00:77::2)$' "Address"
  assert_eq "$(field MigrationType <<<"$line") $(field JobState <<<"$line") $(field ErrorCode <<<"$line")" \
    "32768 7 0" "how it was and went"
  assert_eq "$(field ErrorDescription <<<"$line")" "" "ErrorDescription"
  assert_between "$(field TimeSubmitted <<<"$line")" "$before" "$after" "TimeSubmitted"
  assert_between "$(field StartTime <<<"$line")" "$(field TimeSubmitted <<<"$line")" "$after" "StartTime"
  assert_between "$(field EndTime <<<"$line")" "$(field StartTime <<<"$line")" "$after" "EndTime"
  assert_between "$(field Bytes <<<"$line")" 1000000 1000000000 "Bytes"
  assert_eq "$(field Downtime <<<"$line")" "$(prop A "$first" "$VSM_NAME.Job.Transfer" Downtime)" "Downtime"
  assert_between "$(field Downtime <<<"$line")" 1 60000 "a pause"
  assert_eq "$(entries B)" "" "the destination moved nothing"
}

# Interrupted by a kill of the daemon: what it becomes then is history, too.
others() {
  cancelled=$(HELD=1 migrate A mail B)
  wait_job A "$cancelled" '^4$'
  call A "$cancelled" "$VSM_NAME.Job" RequestStateChange qt 4 0 >/dev/null
  wait_job A "$cancelled" '^8$'
  call B "$VSM_ROOT" "$VSM_NAME" ModifyServiceSettings 'a{sv}' 1 EnableVirtualSystemMigration b false >/dev/null
  failed=$(migrate A mail B)
  wait_job A "$failed" '^10$'
  call B "$VSM_ROOT" "$VSM_NAME" ModifyServiceSettings 'a{sv}' 1 EnableVirtualSystemMigration b true >/dev/null
  killed=$(HELD=1 migrate A mail B)
  wait_job A "$killed" '^4$'
  host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service
  assert_true "started again" wait_until 20 prop A "$killed" "$VSM_NAME.Job" JobState
  wait_job A "$killed" '^4$'
  call A "$killed" "$VSM_NAME.Job.Transfer" SetParameters 'a{sv}' 1 Bandwidth q 1000
  wait_job A "$killed" '^7$'
  assert_eq "$(jobs A)" "$killed $failed $cancelled $first" "newest first, over a restart"
  assert_eq "$(entries A | field JobState)" "7 10 8 7" "their ends"
  assert_eq "$(entries A | field Owner)" "root root root alice" "their owners"
  assert_ne "$(entries A 2 State q 10 Limit u 1 | field ErrorCode)" 0 "ErrorCode of the failed one"
  assert_ne "$(entries A 1 State q 10 | field ErrorDescription)" "" "and its sentence"
}

filters() {
  local time uuid
  uuid=$(guest_uuid B mail)
  assert_eq "$(jobs A 1 System s "$uuid")" "$killed $failed $cancelled" "System, by UUID"
  assert_eq "$(jobs A 1 System s "${uuid^^}")" "$killed $failed $cancelled" "in capitals"
  assert_eq "$(jobs A 1 System s web)" "$first" "by name"
  assert_eq "$(jobs A 1 DestinationHost s "$(host_name B | tr '[:lower:]' '[:upper:]').")" \
    "$killed $failed $cancelled $first" "DestinationHost"
  assert_eq "$(jobs A 1 DestinationHost s 10.77.0.2)" "" "as it was asked for"
  assert_eq "$(jobs A 1 State q 8)" "$cancelled" "State"
  assert_eq "$(jobs A 1 Limit u 2)" "$killed $failed" "Limit"
  assert_eq "$(jobs A 2 Limit u 2 Offset u 1)" "$failed $cancelled" "Offset"
  time=$(entries A 1 State q 8 | field TimeSubmitted)
  assert_eq "$(jobs A 1 Since t "$time")" "$killed $failed $cancelled" "Since"
  assert_eq "$(jobs A 1 Until t "$((time - 1))")" "$first" "Until"
  assert_eq "$(jobs A 3 Since t "$time" DestinationHost s "$(host_name B)" State q 7)" "$killed" "several"
  assert_eq "$(jobs A 3 Limit u 0 State q 0 System s '')" "$killed $failed $cancelled $first" "Null is absent"

  refused '"Colour" is unknown' "{'Colour': <1>}"
  refused 'Limit is 1001' "{'Limit': <1001>}"
  refused 'State is 4 and must be 7' "{'State': <4>}"
  refused 'Since is of type "s"' "{'Since': <'yesterday'>}"
  refused 'DestinationHost: ' "{'DestinationHost': <'a b'>}"
  assert_fails_with 'authoriz|denied|permitted' call_as A alice "$VSM_ROOT" "$VSM_NAME.Manager" ListHistory 'a{sv}' 0
}

trimmed() {
  call A "$VSM_ROOT" "$VSM_NAME" ModifyServiceSettings 'a{sv}' 1 HistoryLimit u 2 >/dev/null
  assert_eq "$(jobs A)" "$killed $failed" "no more than HistoryLimit, at once"
  host_run A systemctl restart vsmd.service
  assert_eq "$(jobs A)" "$killed $failed" "nor after a restart"
}

# A thousand at once: the answer is quick and the rest of the bus does not wait for it.
many() {
  local before after
  host_run A systemctl stop vsmd.service
  host_run A python3 - <<'EOF'
import sqlite3
db = sqlite3.connect('/var/lib/vsmd/vsmd.db')
columns = [c[1] for c in db.execute('PRAGMA table_info(jobs)') if c[1] != 'number']
row = db.execute('SELECT %s FROM jobs WHERE state = 7' % ', '.join(columns)).fetchone()
db.executemany('INSERT INTO jobs(%s) VALUES(%s)' % (', '.join(columns), ', '.join('?' * len(columns))), [row] * 9998)
db.commit()
EOF
  host_write A /etc/vsmd/vsmd.conf.d/many.conf <<<$'[Service]\nHistoryLimit=10000'
  host_run A sh -c 'chown vsmd: /var/lib/vsmd/*; chmod 600 /var/lib/vsmd/*; systemctl start vsmd.service'
  assert_eq "$(entries A | wc -l)" 100 "100 when nothing is said"
  before=$(host_run A date +%s%3N)
  assert_eq "$(entries A 1 Limit u 1000 | wc -l)" 1000 "1000 at most"
  after=$(host_run A date +%s%3N)
  note "1000 of 10000 in $((after - before)) ms, with the printing"
  assert_eq "$(jobs A 2 Limit u 1000 Offset u 9999 | wc -w)" 1 "the last page"
}

hosts_need gdbus python3
hosts_setup "$@"
guest_start A web --ws 8
guest_start A mail --ws 8

entry
ok "an entry says what was"
others
ok "cancelled, failed, interrupted"
filters
ok "filters"
trimmed
ok "HistoryLimit"
many
ok "ten thousand"
assert_guest_on B web
assert_guest_good web

hosts_done
plan
