# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# For tests of guests that come home: source it after libhosts.sh.

# Writes down that these guests left host A in its last evacuation, as that does itself; vsmd is restarted by it.
# Each as NAME=HOST[:autostart]; of those that are on no host, UUID=HOST.
away() { # NAME=HOST[:autostart]...
  local entry name host mark uuid list=''
  for entry; do
    name=${entry%%=*} host=${entry#*=} mark=false
    case $host in *:autostart) mark=true host=${host%:autostart} ;; esac
    uuid=$name
    [[ $name =~ ^[0-9a-f]{8}- ]] || uuid=$(guest_uuid "$host" "$name")
    list+="${list:+, }('$uuid', '$name', '$(host_name "$host")', '', 1, $mark, true, false)"
  done
  host_run A systemctl stop vsmd.service
  # shellcheck disable=SC2016 # for python
  host_run A python3 -c 'import sqlite3, sys
with sqlite3.connect("/var/lib/vsmd/vsmd.db") as database:
    database.execute("REPLACE INTO texts(kind, key, value) VALUES(4, ?, ?)", ("Away", "[" + sys.argv[1] + "]"))' "$list"
  host_run A systemctl start vsmd.service
}

# What of it is still there, as the record has it: names, sorted. vsmd keeps the file to itself, so a copy is read.
still_away() {
  host_run A sh -c 'rm -rf /root/away && mkdir /root/away && cp /var/lib/vsmd/vsmd.db* /root/away'
  host_run A python3 -c 'import re, sqlite3
with sqlite3.connect("/root/away/vsmd.db") as database:
    rows = database.execute("SELECT value FROM texts WHERE kind = 4 AND key = ?", ("Away",)).fetchall()
quote = chr(39)
print(" ".join(sorted(re.findall("\\(" + quote + "[0-9a-f-]{36}" + quote + ", " + quote + "([^" + quote + "]*)" + quote,
                               rows[0][0] if rows else ""))))'
}

# shellcheck disable=SC2120 # by default all of them
bring_back() { # [UUID...]: prints the path of the job
  local reply
  if [ $# = 0 ]; then
    reply=$(call A "$VSM_ROOT" "$VSM_NAME.Manager" BringBack 'a{sv}' 0)
  else
    reply=$(call A "$VSM_ROOT" "$VSM_NAME.Manager" BringBack 'a{sv}' 1 Systems as $# "$@")
  fi
  assert_match "$reply" "^o \"$VSM_ROOT/job/[0-9]+\"$" "BringBack gives a job"
  reply=${reply#*\"}
  printf '%s\n' "${reply%\"}"
}

wait_back() { # JOB: to its end; prints its state
  wait_job A "$1" '^(7|8|9|10|32768)$' "${2:-90}"
  job_prop A "$1" JobState
}

back_prop() { # JOB PROPERTY of Job.Evacuation
  prop A "$1" "$VSM_NAME.Job.Evacuation" "$2"
}

# Total, Done, Failed
counts() { # JOB
  echo "$(back_prop "$1" Total) $(back_prop "$1" Done) $(back_prop "$1" Failed)"
}

children() { # JOB: paths of its child jobs, in their order
  back_prop "$1" Jobs | grep -oE "$VSM_ROOT/job/[0-9]+" || true
}

leftovers() { # JOB: "name:reason ..." in their order
  call A "$1" "$VSM_NAME.Job.Evacuation" GetLeftovers |
    grep -oE '"(SystemName|MessageID)" s "[^"]*"' | sed -E 's/.* s "(.*)"/\1/' | paste -sd ' '
}

# Off by itself or by hand when nobody wants it any more
guest_gone() { # HOST NAME
  host_run "$1" virsh -q destroy "$2" >&2 || true
  host_run "$1" virsh -q undefine "$2" >/dev/null 2>&1 || true
}
