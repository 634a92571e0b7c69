# SPDX-License-Identifier: Apache-2.0
#
# Becomes the given program, whose process id goes into descriptor 3. That file
# is locked; the program keeps it open, so the lock tells that it lives.
#
# Attached, the program dies with its owner, who holds the other end of our
# standard input: end of file means that the owner is gone, SIGKILL included. A
# line means that the program has ended, and that its process id is no longer ours.
#
# Needs only a POSIX shell.
set -u

life=$1 # attached or detached
shift
echo "$$" >&3
if [ "$life" = attached ]; then
    exec 4<&0 </dev/null
    (
        exec 3>&-
        read -r _ <&4 || kill -s KILL "$$"
    ) >/dev/null 2>&1 &
    exec 4<&-
fi
exec "$@"
