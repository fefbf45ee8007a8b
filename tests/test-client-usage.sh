#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vsmctl without a service: what it says and returns before it asks anybody. TAP on stdout.
# usage: test-client-usage.sh [VSMCTL]
set -u

vsmctl=${1:-${VSMCTL:-vsmctl}}
export LC_ALL=C.UTF-8 DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent/bus
failed=0 n=0

check() { # STATUS TEXT NAME ARGUMENTS...
  local wanted=$1 text=$2 name=$3 output status
  shift 3
  n=$((n + 1))
  output=$("$vsmctl" "$@" 2>&1 </dev/null)
  status=$?
  if [ "$status" = "$wanted" ] && [[ $output == *"$text"* ]]; then
    echo "ok $n - $name"
  else
    echo "not ok $n - $name"
    echo "# status $status instead of $wanted, '$text' wanted in:"
    echo "# ${output//$'\n'/$'\n# '}"
    failed=1
  fi
}

echo "1..21"
check 0 "migrate VM HOST"          "help"                          --help
check 0 "migrate VM HOST"          "help as a verb"                help
check 0 "vsmctl migrate [OPTION"   "help of a verb"                migrate --help
check 0 "--no-wait"                "help of a verb, as a verb"     help migrate
check 0 "vsmctl "                  "version"                       --version
check 2 "verb is missing"          "no verb"
check 2 "Did you mean 'list'?"     "a verb with a letter missing"  lst
check 2 "no verb 'frobnicate'"     "no verb at all"                frobnicate
check 2 "--bogus"                  "unknown option"                --bogus
check 2 "--bogus"                  "unknown option of a verb"      list --bogus
check 2 "VM HOST"                  "argument missing"              migrate web
check 2 "too much"                 "too many arguments"            list web
check 2 "Did you mean 'Priority'?" "unknown key"                   migrate web hostb --set Priorty=3
check 2 "twice"                    "a key given twice"             migrate web hostb --set Priority=3 --set Priority=3
check 2 "TransportType"            "a value that is none"          check web hostb --set TransportType=pigeon
check 2 "storage-deep-check"       "a type that is none"           check web hostb --type alive
check 2 "TARGET="                  "a disk without a target"       migrate web hostb --disk vda
check 2 "number of a job"          "a job that is no number"       cancel seven
check 2 "UTF-8"                    "an argument that is no text"   status $'we\xffb'
check 1 "Cannot connect"           "no bus"                        list
check 1 "Cannot connect"           "options after the verb"        status web --json --no-pager
exit $failed
