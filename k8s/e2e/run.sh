#!/usr/bin/env bash
#
# Proves Coral on a real cluster, from kubectl apply to models that are MLlib's: k8s/e2e/run.sh --help
#
# It needs kubectl with a cluster behind it, and nothing of Coral but its two images: Spark submits from a pod.

set -euo pipefail

ROOT=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd)
readonly ROOT
readonly SYSTEM=coral-system JOBS=coral-e2e RESOURCE=xilinx.com/fpga
readonly JAR=local:///opt/spark/jars/spark-coral_2.12-0.1.0-all.jar

manager_image=
spark_image=
seconds=120  # that each application goes on fitting
patience=600 # seconds for whatever has to come about
keep=no
work=
rows=()      # of the table: name|ok or FAILED|what was seen
failed=0

usage() {
    cat <<'TEXT'
usage: k8s/e2e/run.sh --manager-image IMAGE --spark-image IMAGE [OPTION...]

Installs Coral with emulated FPGAs, submits KMeans and LogisticRegression in cluster mode into a namespace with the "restricted"
pod security standard, kills an executor and the manager under each, compares the models with MLlib's, and removes everything.
Prints a table; exit code 0 when all of it holds, 1 when something does not, 2 when it could not be tried.

  --manager-image IMAGE   as built by k8s/images (must be pullable by the nodes, or be on them)
  --spark-image IMAGE     likewise
  --seconds N             how long each application goes on fitting (120)
  --patience N            seconds to wait for whatever has to come about (600)
  --keep                  remove nothing, to look at it
KUBECONFIG says which cluster. Cluster-wide rights are needed: namespaces, a cluster role, a priority class.
TEXT
}

say() { printf 'e2e: %s\n' "$*" >&2; }

cannot() {
    say "$*"
    exit 2
}

# check NAME DETAIL COMMAND... : a line of the table, which is ok if the command is.
check() {
    local name=$1 detail=$2
    shift 2
    if "$@"; then
        rows+=("$name|ok|$detail")
    else
        rows+=("$name|FAILED|$detail")
        failed=1
        say "FAILED: $name: $detail"
    fi
}

# eventually COMMAND... : repeats it until it succeeds, or patience is at its end.
eventually() {
    local deadline=$((SECONDS + patience))
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 2
    done
}

print_table() {
    local row name verdict detail
    printf '\n%-44s %-7s %s\n' check result seen
    for row in ${rows[@]+"${rows[@]}"}; do
        IFS='|' read -r name verdict detail <<<"$row"
        printf '%-44s %-7s %s\n' "$name" "$verdict" "$detail"
    done
}

# What is applied, with the names of this run.
coral_manifests() {
    kubectl kustomize "$ROOT/k8s/coral/overlays/emulated" | sed "s#image: coral-manager:.*#image: $manager_image#"
}

job_manifests() {
    sed "s/spark-fpga/$JOBS/" "$ROOT/k8s/spark-submit/rbac.yaml"
}

remove() {
    local status=$?
    trap - EXIT
    if [[ -n $work && $keep == no ]]; then
        say "removing everything"
        job_manifests | kubectl delete --ignore-not-found --wait --timeout="${patience}s" -f - >/dev/null 2>&1 || leftover
        coral_manifests | kubectl delete --ignore-not-found --wait --timeout="${patience}s" -f - >/dev/null 2>&1 || leftover
    fi
    [[ -z $work ]] || rm -rf "$work"
    if ((${#rows[@]} > 0)); then
        print_table
        ((status != 0)) || status=$failed
    fi
    exit "$status"
}

leftover() {
    rows+=("everything is removed|FAILED|see kubectl get all -n $JOBS, -n $SYSTEM")
    failed=1
}

require_cluster() {
    local namespace
    command -v kubectl >/dev/null || cannot "no kubectl on the PATH"
    kubectl version >/dev/null 2>&1 || cannot "no cluster answers: set KUBECONFIG, and see kubectl version"
    for namespace in "$SYSTEM" "$JOBS"; do
        if kubectl get namespace "$namespace" >/dev/null 2>&1; then
            cannot "namespace $namespace exists: this script would remove it at its end, so remove it first if it is not needed"
        fi
    done
}

offered() { # FPGAs that the cluster's nodes offer now
    kubectl get nodes -o "jsonpath={range .items[*]}{.status.allocatable.xilinx\.com/fpga}{'\n'}{end}" |
        awk '{ sum += $1 } END { print sum + 0 }'
}

offers_two() { (($(offered) >= 2)); }

manager_is_there() {
    kubectl -n "$SYSTEM" rollout status daemonset/coral-manager --timeout="${patience}s" >/dev/null
}

# submitter APPLICATION CLASS : the pod that calls spark-submit, and waits for the application.
submitter() {
    cat <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: $1-submit
  namespace: $JOBS
spec:
  restartPolicy: Never
  serviceAccountName: spark
  securityContext: {runAsNonRoot: true, runAsUser: 185, runAsGroup: 185, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: submit
      image: $spark_image
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      command: [/opt/spark/bin/spark-submit]
      args:
        - --master=k8s://https://kubernetes.default.svc
        - --deploy-mode=cluster
        - --name=$1
        - --class=com.inaccel.coral.examples.$2
        - --conf=spark.kubernetes.namespace=$JOBS
        - --conf=spark.kubernetes.authenticate.driver.serviceAccountName=spark
        - --conf=spark.kubernetes.container.image=$spark_image
        - --conf=spark.kubernetes.driver.pod.name=$1-driver
        - --conf=spark.kubernetes.driver.podTemplateFile=/templates/driver.yaml
        - --conf=spark.kubernetes.executor.podTemplateFile=/templates/executor.yaml
        - --conf=spark.kubernetes.executor.label.coral-e2e=$1
        - --conf=spark.executor.instances=2
        - --conf=spark.executor.memory=1g
        - --conf=spark.executor.memoryOverhead=512m
        - --conf=spark.kubernetes.executor.request.cores=500m
        - --conf=spark.kubernetes.driver.request.cores=500m
        - --conf=spark.kubernetes.executor.deleteOnTermination=false
        - $JAR
        - --rows=200000
        - --features=32
        - --k=4
        - --partitions=4
        - --seconds=$seconds
      volumeMounts:
        - {name: templates, mountPath: /templates}
  volumes:
    - name: templates
      configMap: {name: templates}
YAML
}

phase() { # POD
    kubectl -n "$JOBS" get pod "$1" -o 'jsonpath={.status.phase}' 2>/dev/null || true
}

has_ended() {
    [[ $(phase "$1") == Succeeded || $(phase "$1") == Failed ]]
}

driver_log() { # APPLICATION
    kubectl -n "$JOBS" logs "$1-driver" 2>/dev/null || true
}

has_fitted() { # APPLICATION : once at least, or there will be nothing to wait for
    driver_log "$1" | grep -q '^fit 1:' || has_ended "$1-driver"
}

executors() { # APPLICATION : that run
    kubectl -n "$JOBS" get pods -l "spark-role=executor,coral-e2e=$1" --field-selector status.phase=Running \
        -o 'jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName}{"\n"}{end}'
}

kill_executor_and_manager() { # APPLICATION
    local executor node
    read -r executor node < <(executors "$1") || return 1
    say "killing executor $executor, and the manager of node $node"
    kubectl -n "$JOBS" delete pod "$executor" --wait=false >/dev/null
    kubectl -n "$SYSTEM" delete pod -l app.kubernetes.io/component=manager --field-selector "spec.nodeName=$node" \
        --grace-period=1 --wait=false >/dev/null
}

field() { # NAME : of the result
    sed -n "s/.*\"$1\": \"\{0,1\}\([^,}\"]*\).*/\1/p" <<<"$result"
}

run_application() { # APPLICATION CLASS
    local application=$1 result
    say "submitting $application"
    submitter "$@" | kubectl apply -f - >/dev/null
    eventually has_fitted "$application" || true
    check "$application: fits, its driver without an FPGA" "driver $(phase "$application-driver")" \
        has_text "$(driver_log "$application")" '^fit 1:'
    check "$application: executor and manager killed" "under a running fit" kill_executor_and_manager "$application"
    eventually has_ended "$application-driver" || true
    result=$(driver_log "$application" | grep '^result: ' || true)
    [[ -n $result ]] || driver_log "$application" | tail -n 40 >&2
    check "$application: driver ends well" "phase $(phase "$application-driver")" \
        test "$(phase "$application-driver")" = Succeeded
    check "$application: model is MLlib's" \
        "differs by $(field differenceFromMllib) of its greatest number, allowed $(field limit)" test "$(field ok)" = true
    check "$application: same bits in every fit" "$(field fits) fits, $(field differentFits) different" \
        test "$(field differentFits)" = 0
    check "$application: an executor came for the lost one" "$(field executors) executors in all" \
        test "$(field executors || echo 0)" -ge 3
    check "$application: computed on what was granted" "$(field fallbacks) fallbacks" test "$(field fallbacks)" = 0
}

has_text() { # TEXT PATTERN
    grep -q "$2" <<<"$1"
}

read_arguments() {
    while (($# > 0)); do
        case $1 in
            --manager-image | --spark-image | --seconds | --patience)
                [[ $# -gt 1 ]] || cannot "no value: option=$1"
                ;;
        esac
        case $1 in
            --manager-image) manager_image=$2 && shift ;;
            --spark-image) spark_image=$2 && shift ;;
            --seconds) seconds=$2 && shift ;;
            --patience) patience=$2 && shift ;;
            --keep) keep=yes ;;
            --help | -h) usage && exit 0 ;;
            *) usage >&2 && cannot "unknown option: $1" ;;
        esac
        shift
    done
    [[ -n $manager_image && -n $spark_image ]] || { usage >&2 && cannot "name both images"; }
    [[ $seconds =~ ^[0-9]+$ && $patience =~ ^[0-9]+$ ]] || cannot "not seconds: --seconds=$seconds, --patience=$patience"
}

main() {
    read_arguments "$@"
    require_cluster
    work=$(mktemp -d)
    trap remove EXIT
    trap 'exit 130' INT TERM

    say "installing Coral with emulated FPGAs"
    coral_manifests | kubectl apply -f - >/dev/null
    check "manager runs on every node" "$(kubectl -n "$SYSTEM" get daemonset coral-manager \
        -o 'jsonpath={.status.desiredNumberScheduled}') nodes" manager_is_there
    eventually offers_two || true
    check "nodes offer $RESOURCE" "$(offered)" offers_two
    ((failed == 0)) || return 1

    job_manifests | kubectl apply -f - >/dev/null
    kubectl -n "$JOBS" create configmap templates --from-file="$ROOT/k8s/spark-submit/driver.yaml" \
        --from-file="$ROOT/k8s/spark-submit/executor.yaml" >/dev/null
    run_application kmeans KMeansExample
    run_application logistic LogisticRegressionExample
    check "manager is back on every node" "after being killed twice" manager_is_there
}

main "$@"
