#!/usr/bin/env bash
#
# Tells Spark which FPGA this executor has: spark.executor.resource.fpga.discoveryScript, with spark.executor.resource.fpga.amount=1.
# The device plugin has put the address of a socket into the environment, behind which is all that the pod was granted.
#
# Where there is none it says so on standard error and lists none: Spark then refuses to start the executor.

set -euo pipefail

if [[ -z ${CORAL_ADDRESS:-} ]]; then
    echo "no FPGA in this container: CORAL_ADDRESS is not set; look for the limit of xilinx.com/fpga (or intel.com/fpga) in" \
        "its pod's spec" >&2
    echo '{"name": "fpga", "addresses": []}'
else
    echo '{"name": "fpga", "addresses": ["0"]}'
fi
