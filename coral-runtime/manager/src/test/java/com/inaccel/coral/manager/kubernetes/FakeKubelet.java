package com.inaccel.coral.manager.kubernetes;

import com.inaccel.coral.manager.kubernetes.deviceplugin.AllocateRequest;
import com.inaccel.coral.manager.kubernetes.deviceplugin.AllocateResponse;
import com.inaccel.coral.manager.kubernetes.deviceplugin.ContainerAllocateRequest;
import com.inaccel.coral.manager.kubernetes.deviceplugin.ContainerAllocateResponse;
import com.inaccel.coral.manager.kubernetes.deviceplugin.ContainerPreferredAllocationRequest;
import com.inaccel.coral.manager.kubernetes.deviceplugin.Device;
import com.inaccel.coral.manager.kubernetes.deviceplugin.DevicePluginGrpc;
import com.inaccel.coral.manager.kubernetes.deviceplugin.Empty;
import com.inaccel.coral.manager.kubernetes.deviceplugin.ListAndWatchResponse;
import com.inaccel.coral.manager.kubernetes.deviceplugin.PreferredAllocationRequest;
import com.inaccel.coral.manager.kubernetes.deviceplugin.RegisterRequest;
import com.inaccel.coral.manager.kubernetes.deviceplugin.RegistrationGrpc;
import com.inaccel.coral.manager.kubernetes.podresources.ContainerDevices;
import com.inaccel.coral.manager.kubernetes.podresources.ContainerResources;
import com.inaccel.coral.manager.kubernetes.podresources.ListPodResourcesRequest;
import com.inaccel.coral.manager.kubernetes.podresources.ListPodResourcesResponse;
import com.inaccel.coral.manager.kubernetes.podresources.PodResources;
import com.inaccel.coral.manager.kubernetes.podresources.PodResourcesListerGrpc;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The kubelet's side of both of its sockets, with its habits. */
public final class FakeKubelet implements AutoCloseable {
    private final Path plugins;
    private final Path podsSocket;
    private final UnixGrpc served = new UnixGrpc("fake-kubelet");
    private final UnixGrpc called = new UnixGrpc("fake-kubelet-client");
    /** Whom it watches, by resource. */
    private final Map<String, ManagedChannel> byResource = new ConcurrentHashMap<>();
    /** All devices of a resource, by id, as it was told last. They outlive their plugin, as unhealthy ones. */
    private final Map<String, Map<String, Device>> devices = new ConcurrentHashMap<>();
    private final Map<String, ContainerResources.Builder> pods = new ConcurrentHashMap<>();
    private final List<String> registered = new CopyOnWriteArrayList<>();
    private volatile String refused = "";
    private Server registration;
    private Server resources;

    public FakeKubelet(Path root) throws IOException {
        plugins = Files.createDirectories(root.resolve("plugins"));
        podsSocket = Files.createDirectories(root.resolve("pods")).resolve("kubelet.sock");
        start();
    }

    public Path plugins() {
        return plugins;
    }

    public Path podsSocket() {
        return podsSocket;
    }

    /** It removes whatever is a file in the directory of the plugins, and what it was told before is lost. */
    public void start() throws IOException {
        try (Stream<Path> left = Files.list(plugins)) {
            left.filter(file -> !Files.isDirectory(file)).forEach(FakeKubelet::delete);
        }
        delete(podsSocket);
        registration = served.serve(plugins.resolve("kubelet.sock"), new RegistrationGrpc.RegistrationImplBase() {
            @Override
            public void register(RegisterRequest request, StreamObserver<Empty> answer) {
                if (request.getResourceName().equals(refused)) {
                    answer.onError(Status.INVALID_ARGUMENT.withDescription("invalid resource name").asRuntimeException());
                    return;
                }
                Context.ROOT.run(() -> watch(request)); // or the watch would end with this call
                answer.onNext(Empty.getDefaultInstance());
                answer.onCompleted();
            }
        });
        resources = served.serve(podsSocket, new PodResourcesListerGrpc.PodResourcesListerImplBase() {
            @Override
            public void list(ListPodResourcesRequest request, StreamObserver<ListPodResourcesResponse> answer) {
                ListPodResourcesResponse.Builder response = ListPodResourcesResponse.newBuilder();
                pods.forEach((name, container) -> response.addPodResources(PodResources.newBuilder()
                    .setName(name).setNamespace("default").addContainers(container)));
                answer.onNext(response.build());
                answer.onCompleted();
            }
        });
    }

    private static void delete(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** As when it dies: nobody is told. */
    public void stop() {
        List<ManagedChannel> watched = List.copyOf(byResource.values());
        byResource.clear();
        watched.forEach(ManagedChannel::shutdownNow);
        devices.clear();
        registration.shutdownNow();
        resources.shutdownNow();
    }

    void refuse(String resource) {
        refused = resource;
    }

    /** Calls back while the plugin waits for the answer; the last of those who offer one resource wins. */
    private void watch(RegisterRequest request) {
        if (!request.getVersion().equals("v1beta1") || !request.getOptions().getGetPreferredAllocationAvailable()) {
            throw new AssertionError(request);
        }
        String resource = request.getResourceName();
        ManagedChannel channel = called.connect(plugins.resolve(request.getEndpoint()));
        byResource.put(resource, channel);
        registered.add(resource);
        DevicePluginGrpc.newStub(channel).listAndWatch(Empty.getDefaultInstance(), new StreamObserver<>() {
            @Override
            public void onNext(ListAndWatchResponse list) {
                Map<String, Device> now = new ConcurrentHashMap<>();
                list.getDevicesList().forEach(device -> now.put(device.getID(), device));
                devices.put(resource, now);
            }

            @Override
            public void onError(Throwable lost) {
                disconnect(resource);
                channel.shutdownNow();
            }

            @Override
            public void onCompleted() {
                onError(null);
            }
        });
    }

    /** As if the plugin with that socket had asked for it. */
    void register(String resource, String endpoint) {
        watch(RegisterRequest.newBuilder().setVersion("v1beta1").setResourceName(resource).setEndpoint(endpoint)
            .setOptions(PluginServer.OPTIONS).build());
    }

    /** Whoever of the resource is watched now is let go, also when it was an earlier one that went. */
    private void disconnect(String resource) {
        ManagedChannel current = byResource.remove(resource);
        if (current != null) {
            current.shutdownNow();
            devices.computeIfPresent(resource, (name, known) -> {
                known.replaceAll((id, device) -> device.toBuilder().setHealth("Unhealthy").build());
                return known;
            });
        }
    }

    /** Times that it was registered at, by resource. */
    List<String> registered() {
        return List.copyOf(registered);
    }

    /** The ids of the resource's devices that a pod could get. */
    public List<String> healthy(String resource) {
        return devices.getOrDefault(resource, Map.of()).values().stream()
            .filter(device -> device.getHealth().equals("Healthy")).map(Device::getID).sorted().toList();
    }

    Device device(String resource, String id) {
        return devices.get(resource).get(id);
    }

    /** What the node has of it, well or not. */
    public int capacity(String resource) {
        return devices.getOrDefault(resource, Map.of()).size();
    }

    /** Admits a pod with one container: what its runtime is told to mount and set. */
    public ContainerAllocateResponse run(String pod, String resource, String... ids) {
        // Listed at once: how much later the kubelet does so is nothing that a test could wait for.
        pods.compute(pod, (name, known) -> {
            ContainerResources.Builder container = known == null ? ContainerResources.newBuilder() : known.clone();
            for (String id : ids) { // one by one, as the kubelet does
                container.addDevices(ContainerDevices.newBuilder().setResourceName(resource).addDeviceIds(id));
            }
            return container;
        });
        return allocate(resource, ids);
    }

    public ContainerAllocateResponse allocate(String resource, String... ids) {
        AllocateResponse response = DevicePluginGrpc.newBlockingStub(byResource.get(resource))
            .withDeadlineAfter(20, TimeUnit.SECONDS)
            .allocate(AllocateRequest.newBuilder().addContainerRequests(
                ContainerAllocateRequest.newBuilder().addAllDevicesIds(Arrays.asList(ids))).build());
        return response.getContainerResponses(0);
    }

    List<String> prefer(String resource, int count, List<String> free, List<String> required) {
        return DevicePluginGrpc.newBlockingStub(byResource.get(resource))
            .withDeadlineAfter(20, TimeUnit.SECONDS)
            .getPreferredAllocation(PreferredAllocationRequest.newBuilder().addContainerRequests(
                ContainerPreferredAllocationRequest.newBuilder().setAllocationSize(count)
                    .addAllAvailableDeviceIDs(free).addAllMustIncludeDeviceIDs(required)).build())
            .getContainerResponses(0).getDeviceIDsList();
    }

    public void delete(String pod) {
        pods.remove(pod);
    }

    /** The address that the container finds, on this side of its mounts. */
    public static String addressOnNode(ContainerAllocateResponse container) {
        String address = container.getEnvsOrThrow("CORAL_ADDRESS");
        return container.getMountsList().stream()
            .filter(mount -> address.startsWith("unix:" + mount.getContainerPath() + "/"))
            .map(mount -> address.replace(mount.getContainerPath(), mount.getHostPath()))
            .findFirst().orElseThrow();
    }

    @Override
    public void close() {
        stop();
        called.close();
        served.close();
    }
}
