package com.inaccel.coral.kubernetes;

import com.inaccel.coral.manager.kubernetes.Kubelet;
import com.inaccel.coral.manager.kubernetes.Kubelet.Grant;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerStateBuilder;
import io.fabric8.kubernetes.api.model.ContainerStatusBuilder;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.KeyToPath;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodStatus;
import io.fabric8.kubernetes.api.model.PodStatusBuilder;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Map.Entry;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The one node of a cluster: it starts what the API server has pods for, each as a process of this machine, with the command,
 * arguments and environment of its spec and what the device plugin adds, and tells the API server how it ends.
 *
 * <p>There are no containers. Instead of mounting something at a path it writes the path that it really has wherever the pod is
 * told the other one; instead of a name service it writes the driver's address.
 */
final class Node implements AutoCloseable {
    private static final String NAMESPACE = "default";
    /** What Spark's names for its drivers end with. */
    private static final String DRIVER_SERVICE = "-driver-svc." + NAMESPACE + ".svc";
    private static final int SYNC_MILLIS = 50;

    private final KubernetesClient api;
    private final Kubelet kubelet;
    private final Path directory;
    private final Path image;
    private final Map<String, Process> processes = new ConcurrentHashMap<>();
    private final Map<String, String> addresses = new ConcurrentHashMap<>();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private final ScheduledExecutorService loop = Executors.newSingleThreadScheduledExecutor();

    /** @param image what every image name stands for: a directory with {@code entrypoint.sh} */
    Node(KubernetesClient api, Kubelet kubelet, Path directory, Path image) {
        this.api = api;
        this.kubelet = kubelet;
        this.directory = directory;
        this.image = image;
        loop.scheduleWithFixedDelay(this::syncOrFail, 0, SYNC_MILLIS, TimeUnit.MILLISECONDS);
    }

    private void syncOrFail() {
        try {
            sync();
        } catch (Throwable e) { // which would end the loop without a word
            failure.compareAndSet(null, e);
        }
    }

    private void sync() {
        List<Pod> pods = api.pods().inNamespace(NAMESPACE).list().getItems();
        Map<String, Pod> byName = pods.stream().collect(Collectors.toMap(pod -> pod.getMetadata().getName(), pod -> pod));
        for (Entry<String, Process> one : List.copyOf(processes.entrySet())) {
            Pod pod = byName.get(one.getKey());
            if (pod == null) {
                one.getValue().destroyForcibly();
            }
            if (!one.getValue().isAlive()) {
                processes.remove(one.getKey());
                kubelet.release(one.getKey());
                if (pod != null) {
                    report(pod, ended(pod, one.getValue().exitValue()));
                }
            }
        }
        for (Pod pod : pods) {
            if (!addresses.containsKey(pod.getMetadata().getName())) {
                start(pod);
            }
        }
    }

    private void start(Pod pod) {
        String name = pod.getMetadata().getName();
        Container container = pod.getSpec().getContainers().get(0);
        String address = "127.0.0." + (2 + addresses.size());
        Optional<Map<String, String>> mounts = volumes(pod, container, address);
        if (mounts.isEmpty()) {
            return; // a volume is not there yet
        }
        Map<String, String> paths = new HashMap<>(mounts.get());
        Map<String, String> environment = environment(pod, container, address);
        Map<String, Quantity> limits =
            Optional.ofNullable(container.getResources().getLimits()).orElse(Map.of());
        for (Entry<String, Quantity> limit : limits.entrySet()) {
            if (limit.getKey().contains("/")) {
                Optional<Grant> grant = kubelet.admit(name, limit.getKey(), Integer.parseInt(limit.getValue().getAmount()));
                if (grant.isEmpty()) {
                    return; // it stays pending
                }
                environment.putAll(grant.get().environment());
                paths.putAll(grant.get().mounts());
            }
        }
        addresses.put(name, address);
        paths.putAll(services(pod, address));
        report(pod, running(pod, address));
        processes.put(name, run(name, container, environment, paths));
    }

    private Process run(String name, Container container, Map<String, String> environment, Map<String, String> paths) {
        List<String> command = new ArrayList<>(container.getCommand().isEmpty()
            ? List.of(image.resolve("entrypoint.sh").toString()) : container.getCommand());
        container.getArgs().forEach(argument -> command.add(really(argument, paths)));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log(name).toFile())
            .directory(directory(name, "work").toFile());
        builder.environment().clear();
        builder.environment().putAll(Map.of("PATH", System.getenv("PATH"), "JAVA_HOME", System.getProperty("java.home"),
            "SPARK_HOME", image.toString()));
        environment.forEach((key, value) -> builder.environment().put(key, really(value, paths)));
        try {
            return builder.start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Its environment, as its spec has it. */
    private static Map<String, String> environment(Pod pod, Container container, String address) {
        Map<String, String> environment = new LinkedHashMap<>();
        for (EnvVar variable : container.getEnv()) {
            environment.put(variable.getName(), variable.getValueFrom() == null
                ? Optional.ofNullable(variable.getValue()).orElse("")
                : switch (variable.getValueFrom().getFieldRef().getFieldPath()) {
                    case "status.podIP" -> address;
                    case "metadata.name" -> pod.getMetadata().getName();
                    default -> throw new IllegalArgumentException(variable.toString());
                });
        }
        return environment;
    }

    /** Where its mounts really are, by where they ought to be; empty while one, or what a name in one stands for, is missing. */
    private Optional<Map<String, String>> volumes(Pod pod, Container container, String address) {
        Map<String, String> paths = new HashMap<>();
        Map<String, Volume> volumes =
            pod.getSpec().getVolumes().stream().collect(Collectors.toMap(Volume::getName, volume -> volume));
        for (VolumeMount mount : container.getVolumeMounts()) {
            paths.put(mount.getMountPath(), directory(pod.getMetadata().getName(), mount.getName()).toString());
        }
        Map<String, String> inFiles = new HashMap<>(paths);
        inFiles.putAll(services(pod, address));
        for (VolumeMount mount : container.getVolumeMounts()) {
            Volume volume = volumes.get(mount.getName());
            if (volume.getConfigMap() != null && !write(volume, Path.of(paths.get(mount.getMountPath())), inFiles)) {
                return Optional.empty();
            }
        }
        return Optional.of(paths);
    }

    private boolean write(Volume volume, Path to, Map<String, String> paths) {
        ConfigMap map = api.configMaps().inNamespace(NAMESPACE).withName(volume.getConfigMap().getName()).get();
        if (map == null) {
            return false;
        }
        Map<String, String> names = volume.getConfigMap().getItems().stream()
            .collect(Collectors.toMap(KeyToPath::getKey, KeyToPath::getPath));
        Map<String, String> texts = new HashMap<>();
        Optional.ofNullable(map.getData()).orElse(Map.of()).forEach((key, text) -> {
            if (names.isEmpty() || names.containsKey(key)) {
                texts.put(names.getOrDefault(key, key), really(text, paths));
            }
        });
        // Spark makes the service after the pod. On a cluster its name is looked up again and again; here only now.
        if (texts.values().stream().anyMatch(text -> text.contains(DRIVER_SERVICE))) {
            return false;
        }
        texts.forEach((name, text) -> {
            try {
                Files.writeString(to.resolve(name), text);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        return true;
    }

    /** The names under which other pods find this one: of the services that select it. */
    private Map<String, String> services(Pod pod, String address) {
        Map<String, String> labels = pod.getMetadata().getLabels();
        return api.services().inNamespace(NAMESPACE).list().getItems().stream()
            .filter(service -> labels.entrySet().containsAll(service.getSpec().getSelector().entrySet()))
            .collect(Collectors.toMap(service -> service.getMetadata().getName() + "." + NAMESPACE + ".svc", service -> address));
    }

    /** What is told of a path or a name, told of what it really is: the longest first. */
    private static String really(String text, Map<String, String> paths) {
        String result = text;
        for (String path : paths.keySet().stream().sorted(Comparator.comparing(String::length).reversed()).toList()) {
            result = result.replace(path, paths.get(path));
        }
        return result;
    }

    private Path directory(String pod, String name) {
        try {
            return Files.createDirectories(directory.resolve(pod).resolve(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void report(Pod pod, PodStatus status) {
        api.pods().inNamespace(NAMESPACE).withName(pod.getMetadata().getName()).editStatus(now -> {
            now.setStatus(status);
            return now;
        });
    }

    private static PodStatus running(Pod pod, String address) {
        return new PodStatusBuilder().withPhase("Running").withPodIP(address)
            .addNewCondition().withType("Ready").withStatus("True").endCondition()
            .addToContainerStatuses(new ContainerStatusBuilder().withName(name(pod)).withReady(true)
                .withState(new ContainerStateBuilder().withNewRunning().endRunning().build()).build()).build();
    }

    private PodStatus ended(Pod pod, int exitCode) {
        return new PodStatusBuilder().withPhase(exitCode == 0 ? "Succeeded" : "Failed")
            .withPodIP(addresses.get(pod.getMetadata().getName()))
            .addToContainerStatuses(new ContainerStatusBuilder().withName(name(pod)).withReady(false)
                .withState(new ContainerStateBuilder().withNewTerminated().withExitCode(exitCode)
                    .withReason(exitCode == 0 ? "Completed" : "Error").endTerminated().build()).build()).build();
    }

    private static String name(Pod pod) {
        return pod.getSpec().getContainers().get(0).getName();
    }

    /** What a pod has printed. */
    Path log(String pod) {
        return directory.resolve(pod + ".log");
    }

    /** Names of the pods that run, those that begin with this. */
    List<String> running(String prefix) {
        return processes.entrySet().stream().filter(one -> one.getKey().startsWith(prefix) && one.getValue().isAlive())
            .map(Entry::getKey).sorted().toList();
    }

    /** Ends its process as the kernel does where memory is short. */
    void kill(String pod) {
        processes.get(pod).destroyForcibly();
    }

    /** Everything that has been printed, for whoever has to find out what went wrong. */
    String logs() {
        StringBuilder all = new StringBuilder();
        try (Stream<Path> files = Files.list(directory)) {
            for (Path file : files.filter(path -> path.toString().endsWith(".log")).sorted().toList()) {
                all.append("\n--- ").append(file.getFileName()).append('\n').append(Files.readString(file));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return all.toString();
    }

    /** @throws AssertionError if it could not do as it was told */
    @Override
    public void close() {
        loop.shutdown();
        try {
            if (!loop.awaitTermination(10, TimeUnit.SECONDS)) {
                throw new AssertionError("node does not stop");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        processes.values().forEach(Process::destroyForcibly);
        if (failure.get() != null) {
            throw new AssertionError("node failed", failure.get());
        }
    }
}
