#!/usr/bin/env bash
# bash tools/dist_train.sh CONFIG N [arguments of train.py]: N processes on this machine, one for each GPU (nccl), or
# on the CPU where there is none (gloo). For several machines, set NNODES, NODE_RANK, MASTER_ADDR and PORT.
set -e
if [[ $# -lt 2 || ! $2 =~ ^[1-9][0-9]*$ ]]; then
    echo 'error: expected `bash tools/dist_train.sh CONFIG N [arguments of train.py]`, N processes from 1.' >&2
    exit 2
fi
CONFIG=$1
N=$2
exec python "$(dirname "$0")/dist_run.py" \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" --nproc_per_node="$N" \
    "$(dirname "$0")/train.py" "$CONFIG" --launcher pytorch "${@:3}"
