#!/bin/bash
# A machine in a box: an init as process 1 of its own namespaces, on a copy of this machine's files that is forgotten
# afterwards. Nothing outside is touched but one control group, which goes with the box. It is to be started in mount, network,
# UTS and IPC namespaces of its own, boots again when it is told to restart, and ends with its standard input.
#   systemd-box.sh FOLDER NAME 'INIT OPTIONS…' [PATH…]    PATHs outside of the root disk that the box may read
set -eu
folder=$1 name=$2 init=$3
shift 3
export group=$folder/groups/$name root=$folder/root init

mount --make-rprivate /
mount -t tmpfs -o mode=755 box "$folder"
mkdir "$folder"/{upper,work,root,groups}
mount -t overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" box "$root"
for path in "$@"; do
  mkdir -p "$root$path"
  mount --bind "$path" "$root$path"
  mount -o remount,bind,ro "$root$path"
done
# none of this machine's services, no hardware, no cleaning of /tmp: units of ours, and a journal of its own
rm -rf "$root"/etc/systemd/system "$root"/usr/lib/systemd/system/*.wants "$root"/usr/lib/systemd/system-generators
rm -rf "$root"/var/log/journal
mkdir -p "$root"/etc/systemd/system/sockets.target.wants
ln -s /usr/lib/systemd/system/systemd-journald.socket "$root"/etc/systemd/system/sockets.target.wants/
ip link set lo up
hostname "$name"
# version 2 alone, whatever this machine uses: systemd needs no controllers
mount -t cgroup2 none "$folder/groups"

boot() {
  mkdir "$group"
  # a shell of its own, because it moves into the group
  bash -c 'echo $$ >"$group/cgroup.procs"; exec "$@"' - \
    unshare --mount --cgroup --pid --fork --kill-child bash -euc '
      cd "$root"
      mount -t proc proc proc
      mount -t sysfs -o ro sysfs sys
      mount -t cgroup2 none sys/fs/cgroup
      mount -t tmpfs -o mode=755 dev dev
      mkdir dev/pts dev/shm
      mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
      ln -s pts/ptmx dev/ptmx
      for device in null zero full random urandom tty; do
        touch "dev/$device"
        mount --bind "/dev/$device" "dev/$device"
      done
      ln -s /proc/self/fd dev/fd
      mount -t tmpfs -o mode=755 run run
      mount --bind proc/sys proc/sys
      mount -o remount,bind,ro proc/sys
      exec chroot . env -i container=espalier-test PATH=/usr/sbin:/usr/bin:/sbin:/bin $init' </dev/null &
  wait $!
}

clean() {
  [ -d "$group" ] || return 0
  echo 1 >"$group/cgroup.kill"
  for _ in {1..50}; do
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && return
    sleep 0.1
  done
}

( cat >/dev/null; clean; kill $$ 2>/dev/null ) <&0 &
trap clean EXIT
while :; do
  code=0
  boot || code=$?
  clean
  # the kernel tells by SIGHUP that process 1 of the namespace asked for a restart
  [ "$code" = 129 ] || exit "$code"
done
