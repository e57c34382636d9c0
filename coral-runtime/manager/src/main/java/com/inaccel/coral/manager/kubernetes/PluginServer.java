package com.inaccel.coral.manager.kubernetes;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.manager.kubernetes.deviceplugin.AllocateRequest;
import com.inaccel.coral.manager.kubernetes.deviceplugin.AllocateResponse;
import com.inaccel.coral.manager.kubernetes.deviceplugin.ContainerAllocateRequest;
import com.inaccel.coral.manager.kubernetes.deviceplugin.ContainerAllocateResponse;
import com.inaccel.coral.manager.kubernetes.deviceplugin.ContainerPreferredAllocationRequest;
import com.inaccel.coral.manager.kubernetes.deviceplugin.ContainerPreferredAllocationResponse;
import com.inaccel.coral.manager.kubernetes.deviceplugin.Device;
import com.inaccel.coral.manager.kubernetes.deviceplugin.DevicePluginGrpc;
import com.inaccel.coral.manager.kubernetes.deviceplugin.DevicePluginOptions;
import com.inaccel.coral.manager.kubernetes.deviceplugin.Empty;
import com.inaccel.coral.manager.kubernetes.deviceplugin.ListAndWatchResponse;
import com.inaccel.coral.manager.kubernetes.deviceplugin.Mount;
import com.inaccel.coral.manager.kubernetes.deviceplugin.NUMANode;
import com.inaccel.coral.manager.kubernetes.deviceplugin.PreferredAllocationRequest;
import com.inaccel.coral.manager.kubernetes.deviceplugin.PreferredAllocationResponse;
import com.inaccel.coral.manager.kubernetes.deviceplugin.TopologyInfo;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Answers the kubelet about one resource, on a socket of its own. Thread-safe. */
final class PluginServer extends DevicePluginGrpc.DevicePluginImplBase implements AutoCloseable {
    static final DevicePluginOptions OPTIONS =
        DevicePluginOptions.newBuilder().setGetPreferredAllocationAvailable(true).build();
    static final String ADDRESS_VARIABLE = "CORAL_ADDRESS";
    private static final Logger LOG = LoggerFactory.getLogger(PluginServer.class);

    private final Resource resource;
    private final PodAllocations allocations;
    private final Path socket;
    private final Server server;
    /** Guarded by this, like the next. */
    private final List<ServerCallStreamObserver<ListAndWatchResponse>> watchers = new ArrayList<>();
    private List<Replica> replicas;

    private PluginServer(UnixGrpc grpc, Path socket, Resource resource, List<Replica> replicas, PodAllocations allocations)
            throws IOException {
        this.resource = resource;
        this.replicas = replicas;
        this.allocations = allocations;
        this.socket = socket;
        this.server = grpc.serve(socket, this);
    }

    /** The caller closes it. */
    static PluginServer start(
            UnixGrpc grpc, Path socket, Resource resource, List<Replica> replicas, PodAllocations allocations)
            throws IOException {
        return new PluginServer(grpc, socket, resource, replicas, allocations);
    }

    Path socket() {
        return socket;
    }

    /** Whether the kubelet hears of changes. */
    synchronized boolean isWatched() {
        return !watchers.isEmpty();
    }

    /** Tells the kubelet, if anything has changed. */
    synchronized void advertise(List<Replica> now) {
        if (!now.equals(replicas)) {
            replicas = now;
            watchers.forEach(watcher -> watcher.onNext(list()));
        }
    }

    private ListAndWatchResponse list() {
        return ListAndWatchResponse.newBuilder()
            .addAllDevices(replicas.stream().map(PluginServer::describe).toList()).build();
    }

    private static Device describe(Replica replica) {
        Device.Builder device = Device.newBuilder().setID(replica.id())
            .setHealth(replica.device().isHealthy() ? "Healthy" : "Unhealthy");
        replica.device().numaNode().ifPresent(node ->
            device.setTopology(TopologyInfo.newBuilder().addNodes(NUMANode.newBuilder().setID(node))));
        return device.build();
    }

    @Override
    public void getDevicePluginOptions(Empty request, StreamObserver<DevicePluginOptions> answer) {
        answer.onNext(OPTIONS);
        answer.onCompleted();
    }

    @Override
    public synchronized void listAndWatch(Empty request, StreamObserver<ListAndWatchResponse> answer) {
        ServerCallStreamObserver<ListAndWatchResponse> watcher = (ServerCallStreamObserver<ListAndWatchResponse>) answer;
        watcher.setOnCancelHandler(() -> forget(watcher));
        watchers.add(watcher);
        watcher.onNext(list());
        LOG.info("kubelet watches: resource={}, devices={}", resource.name(), replicas.size());
    }

    private synchronized void forget(ServerCallStreamObserver<ListAndWatchResponse> watcher) {
        watchers.remove(watcher);
        LOG.info("kubelet watches no more: resource={}", resource.name());
    }

    @Override
    public void getPreferredAllocation(
            PreferredAllocationRequest request, StreamObserver<PreferredAllocationResponse> answer) {
        answer(answer, () -> {
            PreferredAllocationResponse.Builder response = PreferredAllocationResponse.newBuilder();
            for (ContainerPreferredAllocationRequest container : request.getContainerRequestsList()) {
                response.addContainerResponses(ContainerPreferredAllocationResponse.newBuilder().addAllDeviceIDs(
                    Replica.prefer(find(container.getAvailableDeviceIDsList()), find(container.getMustIncludeDeviceIDsList()),
                        container.getAllocationSize())));
            }
            return response.build();
        });
    }

    @Override
    public void allocate(AllocateRequest request, StreamObserver<AllocateResponse> answer) {
        answer(answer, () -> {
            AllocateResponse.Builder response = AllocateResponse.newBuilder();
            for (ContainerAllocateRequest container : request.getContainerRequestsList()) {
                List<Replica> asked = find(container.getDevicesIdsList());
                if (asked.isEmpty()) {
                    throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                        "no device asked for: resource=" + resource.name() + "; name at least one");
                }
                Path socketOnNode = allocations.allocate(asked.stream().map(Replica::id).collect(Collectors.toSet()));
                // A container with two resources gets both mounts, and the address of whichever the kubelet takes first:
                // both are there, and good for every device of the node.
                response.addContainerResponses(ContainerAllocateResponse.newBuilder()
                    .putEnvs(ADDRESS_VARIABLE, "unix:" + resource.mount() + "/" + socketOnNode.getFileName())
                    .addMounts(Mount.newBuilder().setContainerPath(resource.mount())
                        .setHostPath(socketOnNode.getParent().toString()).setReadOnly(true)));
            }
            return response.build();
        });
    }

    private synchronized List<Replica> find(List<String> ids) {
        Map<String, Replica> byId = replicas.stream().collect(Collectors.toMap(Replica::id, replica -> replica));
        return ids.stream().map(id -> {
            Replica replica = byId.get(id);
            if (replica == null) {
                throw new CoralException(ErrorCode.INVALID_ARGUMENT, "no such device: resource=" + resource.name() + ", id="
                    + id + ", devices=" + byId.keySet() + "; ask for one that was advertised");
            }
            return replica;
        }).toList();
    }

    /** The kubelet shows the description in the events of the pod that it cannot start. */
    private <T> void answer(StreamObserver<T> observer, Supplier<T> answer) {
        T response;
        try {
            response = answer.get();
        } catch (CoralException e) {
            LOG.error("cannot answer the kubelet: resource={}, cause={}", resource.name(), e.getMessage());
            observer.onError(status(e.code()).withDescription(e.code() + ": " + e.getMessage()).asRuntimeException());
            return;
        }
        observer.onNext(response);
        observer.onCompleted();
    }

    private static Status status(ErrorCode code) {
        return switch (code) {
            case INVALID_ARGUMENT -> Status.INVALID_ARGUMENT;
            case QUOTA_EXCEEDED -> Status.RESOURCE_EXHAUSTED;
            case SESSION_CLOSED -> Status.UNAVAILABLE;
            default -> Status.INTERNAL;
        };
    }

    /** Ends the kubelet's watch, and removes the socket. */
    @Override
    public void close() {
        server.shutdownNow();
        boolean interrupted = false;
        while (!server.isTerminated()) {
            try {
                server.awaitTermination();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        try {
            Files.deleteIfExists(socket);
        } catch (IOException e) {
            LOG.warn("socket cannot be removed: path={}", socket, e);
        }
    }
}
