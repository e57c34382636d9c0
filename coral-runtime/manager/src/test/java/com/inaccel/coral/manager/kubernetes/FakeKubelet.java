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
final class FakeKubelet implements AutoCloseable {
    private final Path plugins;
    private final Path podsSocket;
    private final UnixGrpc served = new UnixGrpc("fake-kubelet");
    private final UnixGrpc called = new UnixGrpc("fake-kubelet-client");
    private final Map<String, Plugin> byResource = new ConcurrentHashMap<>();
    private final Map<String, ContainerResources.Builder> pods = new ConcurrentHashMap<>();
    private final List<String> registered = new CopyOnWriteArrayList<>();
    private volatile String refused = "";
    private Server registration;
    private Server resources;

    /** What it knows of a plugin: all devices, as it was told last. */
    private record Plugin(ManagedChannel channel, Map<String, Device> devices) { }

    FakeKubelet(Path root) throws IOException {
        plugins = Files.createDirectories(root.resolve("plugins"));
        podsSocket = Files.createDirectories(root.resolve("pods")).resolve("kubelet.sock");
        start();
    }

    Path plugins() {
        return plugins;
    }

    Path podsSocket() {
        return podsSocket;
    }

    /** It removes whatever is a file in the directory of the plugins, and what it was told before is lost. */
    void start() throws IOException {
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

    /** As when it dies: nobody is told, and its sockets stay where they are. */
    void stop() {
        byResource.values().forEach(plugin -> plugin.channel.shutdownNow());
        byResource.clear();
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
        Plugin plugin = new Plugin(called.connect(plugins.resolve(request.getEndpoint())), new ConcurrentHashMap<>());
        Plugin before = byResource.put(request.getResourceName(), plugin);
        if (before != null) {
            before.channel.shutdownNow();
        }
        registered.add(request.getResourceName());
        DevicePluginGrpc.newStub(plugin.channel).listAndWatch(Empty.getDefaultInstance(), new StreamObserver<>() {
            @Override
            public void onNext(ListAndWatchResponse list) {
                plugin.devices.keySet().retainAll(list.getDevicesList().stream().map(Device::getID).toList());
                list.getDevicesList().forEach(device -> plugin.devices.put(device.getID(), device));
            }

            @Override
            public void onError(Throwable lost) {
                plugin.devices.replaceAll((id, device) -> device.toBuilder().setHealth("Unhealthy").build());
            }

            @Override
            public void onCompleted() {
                onError(null);
            }
        });
    }

    /** Times that it was registered at, by resource. */
    List<String> registered() {
        return List.copyOf(registered);
    }

    /** The ids of the resource's devices that a pod could get. */
    List<String> healthy(String resource) {
        Plugin plugin = byResource.get(resource);
        return plugin == null ? List.of() : plugin.devices.values().stream()
            .filter(device -> device.getHealth().equals("Healthy")).map(Device::getID).sorted().toList();
    }

    Device device(String resource, String id) {
        return byResource.get(resource).devices.get(id);
    }

    /** Admits a pod with one container: what its runtime is told to mount and set. */
    ContainerAllocateResponse run(String pod, String resource, String... ids) {
        ContainerAllocateResponse response = allocate(resource, ids);
        ContainerResources.Builder container = pods.computeIfAbsent(pod, any -> ContainerResources.newBuilder());
        for (String id : ids) { // one by one, as the kubelet does
            container.addDevices(ContainerDevices.newBuilder().setResourceName(resource).addDeviceIds(id));
        }
        return response;
    }

    ContainerAllocateResponse allocate(String resource, String... ids) {
        AllocateResponse response = DevicePluginGrpc.newBlockingStub(byResource.get(resource).channel)
            .withDeadlineAfter(20, TimeUnit.SECONDS)
            .allocate(AllocateRequest.newBuilder().addContainerRequests(
                ContainerAllocateRequest.newBuilder().addAllDevicesIds(Arrays.asList(ids))).build());
        return response.getContainerResponses(0);
    }

    List<String> prefer(String resource, int count, List<String> free, List<String> required) {
        return DevicePluginGrpc.newBlockingStub(byResource.get(resource).channel)
            .withDeadlineAfter(20, TimeUnit.SECONDS)
            .getPreferredAllocation(PreferredAllocationRequest.newBuilder().addContainerRequests(
                ContainerPreferredAllocationRequest.newBuilder().setAllocationSize(count)
                    .addAllAvailableDeviceIDs(free).addAllMustIncludeDeviceIDs(required)).build())
            .getContainerResponses(0).getDeviceIDsList();
    }

    void delete(String pod) {
        pods.remove(pod);
    }

    /** The address that the container finds, on this side of its mounts. */
    static String addressOnNode(ContainerAllocateResponse container) {
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
