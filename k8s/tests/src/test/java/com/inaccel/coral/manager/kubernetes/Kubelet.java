package com.inaccel.coral.manager.kubernetes;

import com.inaccel.coral.manager.kubernetes.deviceplugin.ContainerAllocateResponse;
import com.inaccel.coral.manager.kubernetes.deviceplugin.Mount;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;

/** The kubelet that the manager's tests play, with what it does before it asks a plugin: it knows who has which device. */
public final class Kubelet implements AutoCloseable {
    private final FakeKubelet kubelet;
    private final Map<String, Set<String>> taken = new ConcurrentHashMap<>();
    private int allocations;

    /** What a container gets besides what its pod says: environment, and mounts as path in the container to path on the node. */
    public record Grant(Map<String, String> environment, Map<String, String> mounts) { }

    /** @param root for its two sockets */
    public Kubelet(Path root) throws IOException {
        kubelet = new FakeKubelet(root);
    }

    public Path plugins() {
        return kubelet.plugins();
    }

    public Path podsSocket() {
        return kubelet.podsSocket();
    }

    /** What a pod may have at most, and others have not. */
    public List<String> free(String resource) {
        Set<String> others = taken.values().stream().flatMap(Set::stream).collect(Collectors.toSet());
        return kubelet.healthy(resource).stream().filter(id -> !others.contains(id)).toList();
    }

    /** Admits a pod whose container asks for so many; empty as long as there are not enough. */
    public synchronized Optional<Grant> admit(String pod, String resource, int count) {
        List<String> free = free(resource);
        if (free.size() < count) {
            return Optional.empty();
        }
        List<String> ids = kubelet.prefer(resource, count, free, List.of());
        ContainerAllocateResponse response = kubelet.run(pod, resource, ids.toArray(String[]::new));
        taken.put(pod, new HashSet<>(ids));
        allocations++;
        return Optional.of(new Grant(response.getEnvsMap(), response.getMountsList().stream()
            .collect(Collectors.toMap(Mount::getContainerPath, Mount::getHostPath))));
    }

    /** The pod has ended: what it had is free, and nobody tells the plugin. */
    public synchronized void release(String pod) {
        kubelet.delete(pod);
        taken.remove(pod);
    }

    /** Times that the plugin was asked for devices. */
    public synchronized int allocations() {
        return allocations;
    }

    @Override
    public void close() {
        kubelet.close();
    }
}
