#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The interface files by themselves: well-formed, each member with a comment, each property with its rule of
# emission. Whether the daemon is like them is for another test. TAP on stdout.
# usage: test-data-xml.sh [DIRECTORY]
set -u

here=$(dirname "$0")
directory=${1:-${VSM_INTERFACES_DIR:-}}
for d in "$here/../data/dbus" /usr/local/share/dbus-1/interfaces /usr/share/dbus-1/interfaces; do
  [ -n "$directory" ] || { [ -e "$d/org.example.VirtualSystemMigration.xml" ] && directory=$d; }
done

shopt -s nullglob
files=("$directory"/org.example.VirtualSystemMigration*.xml)

echo "1..$((${#files[@]} + 1))"
failed=0 n=0

tell() { # OUTPUT-OF-THE-CHECK NAME
  n=$((n + 1))
  if [ -z "$1" ]; then
    echo "ok $n - $2"
  else
    echo "not ok $n - $2"
    echo "# ${1//$'\n'/$'\n# '}"
    failed=1
  fi
}

[ ${#files[@]} -eq 11 ] && message='' || message="${#files[@]} files in '$directory'"
tell "$message" "eleven interfaces"

for file in "${files[@]}"; do
  message=$(python3 - "$file" 2>&1 <<'END'
import os, sys
import xml.etree.ElementTree as ET

EMISSION = 'org.freedesktop.DBus.Property.EmitsChangedSignal'
root = ET.parse(sys.argv[1], ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))).getroot()

def documented(parent):
    comment = ''
    for child in parent:
        if child.tag is ET.Comment:
            comment = child.text
        else:
            name = child.get('name')
            first, _, rest = comment.strip().partition('\n')
            if child.tag in ('interface', 'method', 'signal', 'property') and (first != name + ':' or not rest.strip()):
                print(f'{child.tag} {name}: no comment')
            comment = ''
            yield child

names = []
for interface in documented(root):
    names.append(interface.get('name'))
    for member in documented(interface):
        name = member.get('name')
        if member.tag == 'property':
            rules = [a.get('value') for a in member if a.get('name') == EMISSION]
            if len(rules) != 1 or rules[0] not in ('true', 'false', 'const', 'invalidates'):
                print(f'property {name}: emission {rules}')
            if member.get('access') not in ('read', 'readwrite') or not member.get('type'):
                print(f'property {name}: no access or no type')
        for argument in member.findall('arg'):
            if not all(argument.get(k) for k in ('name', 'type', 'direction')):
                print(f'{member.tag} {name}: an argument without name, type or direction')
if [n + '.xml' for n in names] != [os.path.basename(sys.argv[1])]:
    print(f'interfaces {names}: one is expected, named as the file')
END
  ) || message+="
(exit status not 0)"
  tell "$message" "$(basename "$file")"
done

exit $failed
