package com.inaccel.coral.manager.kubernetes;

import com.inaccel.coral.manager.kubernetes.deviceplugin.RegisterRequest;
import com.inaccel.coral.manager.kubernetes.deviceplugin.RegistrationGrpc;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps one resource registered at the kubelet. A kubelet that starts removes all sockets but its own and knows no plugin any
 * more; one that loses the connection to a plugin waits for it to register again. When the connection to an earlier plugin of
 * the resource ends, the kubelet drops the later one's with it: also then the later one registers again. For one thread.
 */
final class Registration implements AutoCloseable {
    static final String KUBELET_SOCKET = "kubelet.sock";
    static final String SOCKET_PREFIX = "coral-";
    static final String SOCKET_SUFFIX = ".sock";
    private static final String API_VERSION = "v1beta1";
    private static final Duration CALL_TIMEOUT = Duration.ofSeconds(10);
    /** The kubelet connects some time after it was asked to. Doubled with each time that it does not. */
    private static final Duration PATIENCE = Duration.ofSeconds(1);
    private static final int MAX_DOUBLINGS = 6;
    private static final Logger LOG = LoggerFactory.getLogger(Registration.class);

    private final UnixGrpc grpc;
    private final Path directory;
    private final Resource resource;
    private final PodAllocations allocations;
    private List<Replica> replicas = List.of();
    /** Null until the kubelet is there. */
    private PluginServer server;
    /** Tells this kubelet from the one before: both have the same path. */
    private Optional<String> registeredAt = Optional.empty();
    private long askedNanos;
    private int attempts;
    private String lastProblem = "";

    Registration(UnixGrpc grpc, Path directory, Resource resource, PodAllocations allocations) {
        this.grpc = grpc;
        this.directory = directory;
        this.resource = resource;
        this.allocations = allocations;
    }

    void advertise(List<Replica> now) {
        replicas = now;
        if (server != null) {
            server.advertise(now);
        }
    }

    /** Registers where that is needed. What goes wrong is logged once, and tried again when it is called again. */
    void keep() {
        Optional<String> kubelet = identity(directory.resolve(KUBELET_SOCKET));
        if (kubelet.isEmpty()) {
            problem("no kubelet listens: socket=" + directory.resolve(KUBELET_SOCKET) + "; waiting for it");
            return;
        }
        if (!kubelet.equals(registeredAt)) {
            attempts = 0;
        } else if (server.isWatched() && Files.exists(server.socket())) {
            lastProblem = "";
            if (System.nanoTime() - askedNanos > PATIENCE.toNanos()) {
                attempts = 0; // it stays: when it goes it is asked again at once
            }
            return;
        }
        if (attempts > 0 && System.nanoTime() - askedNanos < PATIENCE.toNanos() << Math.min(attempts - 1, MAX_DOUBLINGS)) {
            return;
        }
        if (attempts > 0) {
            problem("kubelet does not watch: resource=" + resource.name() + "; registering again. See the kubelet's log, and"
                + " that no other device plugin offers the same resource");
        }
        attempts++;
        askedNanos = System.nanoTime();
        try {
            listen();
            register();
            registeredAt = kubelet;
        } catch (IOException | StatusRuntimeException e) {
            registeredAt = Optional.empty();
            problem("cannot register at the kubelet: resource=" + resource.name() + ", directory=" + directory + ", cause="
                + e.getMessage() + "; trying again");
        }
    }

    /** On a socket of a new name, so that one of an earlier process, being removed late, does not take it away. */
    private void listen() throws IOException {
        if (server != null && Files.exists(server.socket())) {
            return;
        }
        stopServing();
        String unique = HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
        server = PluginServer.start(
            grpc, directory.resolve(SOCKET_PREFIX + unique + SOCKET_SUFFIX), resource, replicas, allocations);
    }

    private void register() {
        ManagedChannel channel = grpc.connect(directory.resolve(KUBELET_SOCKET));
        try {
            RegistrationGrpc.newBlockingStub(channel).withDeadlineAfter(CALL_TIMEOUT.toSeconds(), TimeUnit.SECONDS)
                .register(RegisterRequest.newBuilder()
                    .setVersion(API_VERSION)
                    .setEndpoint(server.socket().getFileName().toString())
                    .setResourceName(resource.name())
                    .setOptions(PluginServer.OPTIONS)
                    .build());
        } finally {
            channel.shutdownNow();
        }
        LOG.info("registered at the kubelet: resource={}, socket={}", resource.name(), server.socket());
    }

    private void problem(String text) {
        if (!text.equals(lastProblem)) {
            LOG.warn("{}", text);
            lastProblem = text;
        }
    }

    private static Optional<String> identity(Path socket) {
        try {
            BasicFileAttributes attributes = Files.readAttributes(socket, BasicFileAttributes.class);
            return Optional.of(attributes.fileKey() + " " + attributes.lastModifiedTime());
        } catch (IOException e) {
            LOG.debug("no kubelet: socket={}", socket, e);
            return Optional.empty();
        }
    }

    private void stopServing() {
        if (server != null) {
            server.close();
            server = null;
        }
    }

    @Override
    public void close() {
        stopServing();
    }
}
