#!/usr/bin/env bash
#
# What Spark's Kubernetes scheduler starts: `driver ARGUMENT…` or `executor`, with everything else in the environment. Anything
# else is run as a command. Wants a Java 17, from JAVA_HOME or the PATH.

set -euo pipefail

SPARK_HOME=${SPARK_HOME:-$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")}
export SPARK_HOME
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
class_path="${SPARK_CONF_DIR:+$SPARK_CONF_DIR:}${SPARK_EXTRA_CLASSPATH:+$SPARK_EXTRA_CLASSPATH:}$SPARK_HOME/jars/*"

# The JVM's options come one by one, in SPARK_JAVA_OPT_0 and so on.
java_options=()
for ((i = 0; ; i++)); do
    name=SPARK_JAVA_OPT_$i
    [[ -n ${!name:-} ]] || break
    java_options+=("${!name}")
done

# Where the jars and files of an application are put.
[[ -w . ]] || cd "$SPARK_HOME/work-dir"

case ${1:-} in
    driver)
        exec "$SPARK_HOME/bin/spark-submit" \
            --conf "spark.driver.bindAddress=$SPARK_DRIVER_BIND_ADDRESS" \
            --conf "spark.executorEnv.SPARK_DRIVER_POD_IP=$SPARK_DRIVER_BIND_ADDRESS" \
            --deploy-mode client "${@:2}"
        ;;
    executor)
        exec "$java" ${java_options[@]+"${java_options[@]}"} \
            -Xms"$SPARK_EXECUTOR_MEMORY" -Xmx"$SPARK_EXECUTOR_MEMORY" -cp "$class_path" \
            org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
            --driver-url "$SPARK_DRIVER_URL" --executor-id "$SPARK_EXECUTOR_ID" --cores "$SPARK_EXECUTOR_CORES" \
            --app-id "$SPARK_APPLICATION_ID" --hostname "$SPARK_EXECUTOR_POD_IP" \
            --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" --podName "$SPARK_EXECUTOR_POD_NAME"
        ;;
    *)
        exec "$@"
        ;;
esac
