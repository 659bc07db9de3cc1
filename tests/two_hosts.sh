#!/bin/bash
# Trains on two hosts with one rank each, and compares with one rank.
#
# The hosts are two network namespaces joined by a virtual cable: they share the file system, as
# machines of a cluster do, and see each other over the network alone. Needs root and iproute2.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ] || ! command -v ip >/dev/null; then
  echo "skipped: two hosts need root and the command ip (apt-get install iproute2)"
  exit 0
fi
if ! ip netns add hornbook-probe-$$ 2>/dev/null; then
  echo "skipped: this machine lets nobody make network namespaces"
  exit 0
fi
ip netns delete hornbook-probe-$$

PYTHON=$(command -v "${PYTHON:-.venv/bin/python}" || command -v python)
WORK=$(mktemp -d)
ONE=hornbook-one-$$ TWO=hornbook-two-$$
leave() {
  for host in "$ONE" "$TWO"; do
    ip netns pids "$host" 2>/dev/null | xargs -r kill -KILL 2>/dev/null || true
    ip netns delete "$host" 2>/dev/null || true
  done
  rm -rf "$WORK"
}
trap leave EXIT

# one cable with an end in each host
ip netns add "$ONE"
ip netns add "$TWO"
ip link add cable netns "$ONE" type veth peer name cable netns "$TWO"
number=0
for host in "$ONE" "$TWO"; do
  number=$((number + 1))
  ip -n "$host" address add "10.77.0.$number/24" dev cable
  ip -n "$host" link set cable up
  ip -n "$host" link set lo up
done

echo "two hosts: 10.77.0.1 and 10.77.0.2"
PYTHONPATH=src:. "$PYTHON" -m tests.train.two_hosts prepare "$WORK"

export PYTHONPATH="$PWD/src"
rank() { # HOST NUMBER
  GLOO_SOCKET_IFNAME=cable ip netns exec "$1" "$PYTHON" -m torch.distributed.run --nnodes=2 --nproc-per-node=1 \
    --node-rank="$2" --master-addr=10.77.0.1 --master-port=29500 -m hornbook train toy
}
(cd "$WORK/alone" && "$PYTHON" -m hornbook train toy)
cd "$WORK/joined"
rank "$TWO" 1 >"$WORK/two.log" 2>&1 &
second=$!
rank "$ONE" 0
wait "$second" || { cat "$WORK/two.log"; exit 1; }
cd "$OLDPWD"
PYTHONPATH=src:. "$PYTHON" -m tests.train.two_hosts compare "$WORK"
