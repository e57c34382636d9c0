package com.inaccel.coral.manager.kubernetes;

import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.toSet;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.engine.EngineConfig.Key;
import com.inaccel.coral.manager.DirectoryLock;
import com.inaccel.coral.manager.Manager;
import com.inaccel.coral.manager.inventory.NodeDevice;
import com.inaccel.coral.manager.kubernetes.podresources.ContainerDevices;
import com.inaccel.coral.manager.kubernetes.podresources.ContainerResources;
import com.inaccel.coral.manager.kubernetes.podresources.ListPodResourcesRequest;
import com.inaccel.coral.manager.kubernetes.podresources.ListPodResourcesResponse;
import com.inaccel.coral.manager.kubernetes.podresources.PodResourcesListerGrpc;
import com.inaccel.coral.protocol.UnixSocket;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Offers the node's FPGAs to Kubernetes: a device plugin for each resource, and an allocation for each container that gets
 * some. One thread looks again and again at what may have changed: the devices, the kubelet, the pods.
 */
public final class DevicePlugins implements AutoCloseable {
    private static final String LOCK_NAME = "coral.lock";
    private static final Duration LIST_TIMEOUT = Duration.ofSeconds(5);
    /** How often pods are listed while an allocation that has none waits. */
    private static final int LISTS_IN_GRACE = 6;
    private static final Logger LOG = LoggerFactory.getLogger(DevicePlugins.class);

    private final Manager manager;
    private final Path directory;
    private final Path podsSocket;
    private final Map<String, Resource> resourceByVendor;
    private final Supplier<List<NodeDevice>> devices;
    private final int share;
    private final long podsPauseNanos;
    private final int allocationLimit;
    private final UnixGrpc grpc;
    private final PodAllocations allocations;
    private final ScheduledThreadPoolExecutor refresher;
    private final Map<Resource, Registration> registrations = new HashMap<>();
    private Map<Resource, List<Replica>> offered = Map.of();
    private volatile int replicas;
    private Optional<DirectoryLock> lock;
    private long podsNanos;
    private String podsProblem = "";
    private String refreshProblem = "";

    private DevicePlugins(EngineConfig config, Engine engine, Manager manager, Supplier<List<NodeDevice>> devices,
            Path directory, Map<String, Resource> resourceByVendor, DirectoryLock lock) {
        this.manager = manager;
        this.directory = directory;
        this.podsSocket = Path.of(config.file(Key.KUBERNETES_PODS));
        this.resourceByVendor = resourceByVendor;
        this.devices = devices;
        this.share = config.count(Key.SHARE);
        Duration grace = config.duration(Key.KUBERNETES_GRACE);
        this.podsPauseNanos = grace.toNanos() / LISTS_IN_GRACE;
        this.podsNanos = System.nanoTime() - podsPauseNanos;
        this.allocationLimit = engine.allocationLimit();
        this.lock = Optional.of(lock);
        this.grpc = new UnixGrpc("kubelet");
        long limitBytes = engine.stats().limitBytes();
        // An equal part for each id, and one for the node's own clients.
        this.allocations =
            new PodAllocations(manager, ids -> limitBytes / (replicas + 1) * ids, grace, System::nanoTime);
        this.refresher = new ScheduledThreadPoolExecutor(1, task -> {
            Thread thread = new Thread(task, "coral-kubernetes");
            thread.setDaemon(true);
            return thread;
        });
    }

    /**
     * Offers what there is, and what will be, until it is closed: before the manager.
     *
     * @param devices what there is now; asked again and again
     * @throws CoralException INVALID_ARGUMENT for a configuration that cannot work here
     */
    public static DevicePlugins start(
            EngineConfig config, Engine engine, Manager manager, Supplier<List<NodeDevice>> devices) {
        Map<String, Resource> resources = Resource.parse(config.list(Key.KUBERNETES_RESOURCES));
        Path directory = Path.of(config.file(Key.KUBERNETES_PLUGINS));
        requireDirectory(directory);
        DirectoryLock lock = lock(directory).orElseThrow(() -> inUse(directory));
        DevicePlugins plugins;
        try {
            plugins = new DevicePlugins(config, engine, manager, devices, directory, resources, lock);
        } catch (RuntimeException | Error e) {
            lock.close();
            throw e;
        }
        try {
            plugins.removeSocketsOfTheDead();
            plugins.offer(devices.get());
        } catch (RuntimeException | Error e) {
            plugins.close();
            throw e;
        }
        long pause = config.duration(Key.KUBERNETES_REFRESH).toMillis();
        plugins.refresher.scheduleWithFixedDelay(plugins::refresh, 0, pause, TimeUnit.MILLISECONDS);
        return plugins;
    }

    private static void requireDirectory(Path directory) {
        if (!Files.isDirectory(directory)) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "no directory of the kubelet: key="
                + Key.KUBERNETES_PLUGINS.id() + ", directory=" + directory
                + "; name where the kubelet keeps the sockets of device plugins, and mount it from the node");
        }
        String longest = directory.resolve(Registration.SOCKET_PREFIX + "0".repeat(16) + Registration.SOCKET_SUFFIX).toString();
        if (longest.length() > UnixSocket.MAX_PATH_BYTES) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "path of the kubelet's directory is too long: directory="
                + directory + ", socket=" + longest + ", limit=" + UnixSocket.MAX_PATH_BYTES + "; mount it at a shorter one");
        }
    }

    private static Optional<DirectoryLock> lock(Path directory) {
        try {
            return DirectoryLock.take(directory.resolve(LOCK_NAME));
        } catch (IOException e) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "cannot use the kubelet's directory: key="
                + Key.KUBERNETES_PLUGINS.id() + ", directory=" + directory + ", cause=" + e
                + "; see that it is mounted writable, and that the manager is root", e);
        }
    }

    private static CoralException inUse(Path directory) {
        return new CoralException(ErrorCode.INVALID_ARGUMENT, "another manager offers this node's devices: directory="
            + directory + "; run one manager on a node");
    }

    /** With the lock held there is nobody else whose they could be. */
    private void removeSocketsOfTheDead() {
        try (DirectoryStream<Path> sockets = Files.newDirectoryStream(
                directory, Registration.SOCKET_PREFIX + "*" + Registration.SOCKET_SUFFIX)) {
            for (Path socket : sockets) {
                Files.deleteIfExists(socket);
            }
        } catch (IOException e) {
            LOG.warn("sockets of an earlier manager cannot be removed: directory={}", directory, e);
        }
    }

    private void refresh() {
        try {
            offer(devices.get());
            if (holdsLock()) {
                registrations.values().forEach(Registration::keep);
            }
            if (System.nanoTime() - podsNanos >= podsPauseNanos) {
                podsNanos = System.nanoTime();
                listPods().ifPresent(allocations::reconcile);
            }
            refreshProblem = "";
        } catch (RuntimeException e) { // one that escaped would end the refreshing for ever
            if (!e.toString().equals(refreshProblem)) {
                refreshProblem = e.toString();
                LOG.error("cannot tell Kubernetes of the devices, trying again", e);
            }
        }
    }

    private void offer(List<NodeDevice> now) {
        Map<Resource, List<Replica>> byResource = now.stream()
            .filter(device -> resourceByVendor.containsKey(device.vendor()))
            .flatMap(device -> Replica.of(device, share).stream())
            .collect(groupingBy(replica -> resourceByVendor.get(replica.device().vendor())));
        if (byResource.equals(offered)) {
            return;
        }
        byResource.values().forEach(parts -> parts.forEach(this::requireShort));
        int count = byResource.values().stream().mapToInt(List::size).sum();
        if (count > allocationLimit) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "more parts of FPGAs than there can be allocations: parts="
                + count + ", " + Key.SHARE.id() + "=" + share + ", " + Key.ALLOCATIONS.id() + "=" + allocationLimit
                + "; share less, or allow more allocations");
        }
        LOG.info("offering: resources={}", byResource);
        offered = byResource;
        replicas = count;
        for (Resource resource : byResource.keySet()) {
            registrations.computeIfAbsent(
                resource, any -> new Registration(grpc, directory, resource, allocations));
        }
        // A resource whose last device has gone is offered on, without any: the kubelet keeps what it is not told of.
        registrations.forEach((resource, registration) ->
            registration.advertise(byResource.getOrDefault(resource, List.of())));
    }

    /** Here, rather than when a pod asks for it. */
    private void requireShort(Replica replica) {
        if (replica.id().length() > Replica.MAX_ID) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "id of an FPGA is too long for Kubernetes: id="
                + replica.id() + ", characters=" + replica.id().length() + ", limit=" + Replica.MAX_ID
                + "; give its platform a shorter name");
        }
        manager.requireName(PodAllocations.name(Set.of(replica.id())));
    }

    /** A kubelet that starts removes the file of the lock too: then it is taken anew, if no other manager was faster. */
    private boolean holdsLock() {
        if (lock.isPresent() && lock.get().isHeld()) {
            return true;
        }
        boolean first = lock.isPresent();
        lock.ifPresent(DirectoryLock::close);
        lock = lock(directory);
        if (lock.isEmpty() && first) {
            LOG.error("{}", inUse(directory).getMessage());
        }
        return lock.isPresent();
    }

    /** The ids of each container of each pod, by resource: whoever has ids of ours. Empty when the kubelet does not tell. */
    private Optional<List<Set<String>>> listPods() {
        ManagedChannel channel = grpc.connect(podsSocket);
        try {
            ListPodResourcesResponse pods = PodResourcesListerGrpc.newBlockingStub(channel)
                .withDeadlineAfter(LIST_TIMEOUT.toSeconds(), TimeUnit.SECONDS)
                .list(ListPodResourcesRequest.getDefaultInstance());
            podsProblem = "";
            List<Set<String>> containers = new ArrayList<>();
            pods.getPodResourcesList().stream().flatMap(pod -> pod.getContainersList().stream())
                .forEach(container -> containers.addAll(ids(container)));
            return Optional.of(containers);
        } catch (StatusRuntimeException e) {
            String problem = "kubelet does not tell of its pods, keeping all allocations: socket=" + podsSocket + ", cause="
                + e.getMessage() + "; mount its directory, or correct " + Key.KUBERNETES_PODS.id();
            if (!problem.equals(podsProblem)) {
                podsProblem = problem;
                LOG.warn("{}", problem);
            }
            return Optional.empty();
        } finally {
            channel.shutdownNow();
        }
    }

    /** The kubelet may name one resource of a container several times, with an id each. */
    private List<Set<String>> ids(ContainerResources container) {
        Set<String> ours = resourceByVendor.values().stream().map(Resource::name).collect(toSet());
        return List.copyOf(container.getDevicesList().stream()
            .filter(devices -> ours.contains(devices.getResourceName()) && devices.getDeviceIdsCount() > 0)
            .collect(groupingBy(ContainerDevices::getResourceName,
                java.util.stream.Collectors.flatMapping(devices -> devices.getDeviceIdsList().stream(), toSet())))
            .values());
    }

    /** What the manager offers stays allocated: pods go on, and the next manager serves them. */
    @Override
    public void close() {
        refresher.shutdownNow();
        boolean interrupted = false;
        try {
            refresher.awaitTermination(LIST_TIMEOUT.toSeconds() * 2, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            interrupted = true;
        }
        registrations.values().forEach(Registration::close);
        registrations.clear();
        grpc.close();
        lock.ifPresent(DirectoryLock::close);
        lock = Optional.empty();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
