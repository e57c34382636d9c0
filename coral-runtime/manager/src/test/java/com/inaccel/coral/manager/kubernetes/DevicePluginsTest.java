package com.inaccel.coral.manager.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.inaccel.coral.Coral;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.manager.Leaks;
import com.inaccel.coral.manager.Limits;
import com.inaccel.coral.manager.Manager;
import com.inaccel.coral.manager.inventory.Inventory;
import com.inaccel.coral.manager.inventory.NodeDevice;
import com.inaccel.coral.manager.kubernetes.deviceplugin.ContainerAllocateResponse;
import com.inaccel.coral.manager.kubernetes.deviceplugin.Mount;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The manager as device plugin of a kubelet that restarts, repeats itself and forgets. */
@Timeout(120)
class DevicePluginsTest {
    private static final String XILINX = "xilinx.com/fpga";
    private static final String INTEL = "intel.com/fpga";

    @TempDir
    Path root;

    private final Map<String, String> values = new HashMap<>();
    /** What there is. */
    private final AtomicReference<List<NodeDevice>> devices = new AtomicReference<>(List.of());
    private Path home;
    private FakeKubelet kubelet;
    private Engine engine;
    private Manager manager;
    private DevicePlugins plugins;

    @BeforeEach
    void prepare() throws IOException {
        kubelet = new FakeKubelet(root);
        home = root.resolve("coral");
        values.putAll(Map.of("coral.emulate", "xilinx/u250:2,intel/pac", "coral.emulate.programming", "0ms",
            "coral.memory.limit", "64MB", "coral.kubernetes.plugins", kubelet.plugins().toString(),
            "coral.kubernetes.pods", kubelet.podsSocket().toString(), "coral.kubernetes.refresh", "5ms",
            "coral.kubernetes.grace", "1h"));
    }

    private void start() {
        engine = Engine.start(EngineConfig.of(values));
        manager = Manager.start(engine, home, new Allocation("node", engine.stats().limitBytes(), 1),
            Limits.defaults());
        EngineConfig config = EngineConfig.of(values);
        Inventory inventory = Inventory.of(config);
        List<NodeDevice> found = inventory.devices(engine);
        devices.compareAndSet(List.of(), found);
        plugins = DevicePlugins.start(config, engine, manager, devices::get);
    }

    private void startAndRegister() {
        start();
        await("both are registered", () -> kubelet.healthy(XILINX).size() == 2 && kubelet.healthy(INTEL).size() == 1);
    }

    private void stop() {
        if (plugins != null) {
            plugins.close();
            plugins = null;
        }
        if (manager != null) {
            manager.close();
            engine.close();
            manager = null;
        }
    }

    @AfterEach
    void nothingIsLeft() {
        stop();
        kubelet.close();
        Leaks.assertNone();
    }

    @Test
    void shouldServeAPodThroughWhatItsContainerGets() throws IOException {
        startAndRegister();
        assertThat(kubelet.healthy(XILINX)).containsExactly("xilinx-u250-0", "xilinx-u250-1");
        assertThat(kubelet.healthy(INTEL)).containsExactly("intel-pac-0");
        ContainerAllocateResponse container = kubelet.run("pod", XILINX, "xilinx-u250-1");
        assertThat(container.getEnvsMap()).containsExactly(Map.entry("CORAL_ADDRESS", "unix:/run/coral/xilinx.com-fpga/coral.sock"));
        Mount mount = container.getMounts(0);
        assertThat(mount.getReadOnly()).isTrue();
        assertThat(mount.getContainerPath()).isEqualTo("/run/coral/xilinx.com-fpga");
        Path mounted = Path.of(mount.getHostPath());
        assertThat(permissions(mounted)).as("entered by user 185").isEqualTo("rwxr-xr-x");
        assertThat(permissions(mounted.resolve("coral.sock"))).as("connected to by user 185").isEqualTo("rw-rw-rw-");
        assertThat(manager.allocations()).containsExactly(new Allocation("pod-xilinx-u250-1", (64 << 20) / 4, 1));
        compute(container);
    }

    @Test
    void shouldGiveSeveralDevicesTheirSharesAndQuotas() {
        startAndRegister();
        compute(kubelet.run("pod", XILINX, "xilinx-u250-1", "xilinx-u250-0"));
        assertThat(manager.allocations()).singleElement().satisfies(allocation -> {
            assertThat(allocation.share()).isEqualTo(2);
            assertThat(allocation.quotaBytes()).isEqualTo(2 * (64L << 20) / 4);
        });
    }

    @Test
    void shouldGiveAContainerWithTwoResourcesBothMounts() {
        startAndRegister();
        ContainerAllocateResponse xilinx = kubelet.run("pod", XILINX, "xilinx-u250-0");
        ContainerAllocateResponse intel = kubelet.run("pod", INTEL, "intel-pac-0");
        assertThat(xilinx.getMounts(0).getContainerPath()).isNotEqualTo(intel.getMounts(0).getContainerPath());
        compute(xilinx);
        compute(intel);
    }

    @Test
    void shouldOfferPartsOfADevice() {
        values.put("coral.share", "3");
        start();
        await("all are offered", () -> kubelet.healthy(XILINX).size() == 6 && kubelet.healthy(INTEL).size() == 3);
        assertThat(kubelet.healthy(INTEL)).containsExactly("intel-pac-0-0", "intel-pac-0-1", "intel-pac-0-2");
        assertThat(kubelet.prefer(XILINX, 2, kubelet.healthy(XILINX), List.of()))
            .containsExactly("xilinx-u250-0-0", "xilinx-u250-1-0");
        assertThat(kubelet.prefer(XILINX, 3, kubelet.healthy(XILINX), List.of("xilinx-u250-1-1")))
            .containsExactly("xilinx-u250-1-1", "xilinx-u250-0-0", "xilinx-u250-0-1");
        compute(kubelet.run("one", XILINX, "xilinx-u250-0-0"));
        compute(kubelet.run("other", XILINX, "xilinx-u250-0-1"));
    }

    @Test
    void shouldChangeNothingWhenAskedAgain() {
        startAndRegister();
        ContainerAllocateResponse first = kubelet.run("pod", XILINX, "xilinx-u250-0", "xilinx-u250-1");
        try (Session session = Coral.open(FakeKubelet.addressOnNode(first), Duration.ZERO)) {
            for (int i = 0; i < 3; i++) {
                assertThat(kubelet.allocate(XILINX, "xilinx-u250-1", "xilinx-u250-0")).isEqualTo(first);
            }
            compute(session);
        }
    }

    @Test
    void shouldRefuseDevicesThatThereAreNot() {
        startAndRegister();
        assertThatThrownBy(() -> kubelet.allocate(XILINX, "intel-pac-0")).isInstanceOf(StatusRuntimeException.class)
            .hasMessageContaining("id=intel-pac-0").hasMessageContaining("xilinx-u250-0");
        assertThatThrownBy(() -> kubelet.allocate(XILINX)).hasMessageContaining("no device asked for");
        assertThat(manager.allocations()).isEmpty();
    }

    @Test
    void shouldRegisterAgainWhenTheKubeletHasRestarted() throws IOException {
        startAndRegister();
        ContainerAllocateResponse before = kubelet.run("pod", XILINX, "xilinx-u250-0");
        try (Session session = Coral.open(FakeKubelet.addressOnNode(before), Duration.ZERO)) {
            for (int i = 0; i < 3; i++) {
                kubelet.stop();
                assertThat(kubelet.healthy(XILINX)).isEmpty();
                kubelet.start();
                await("registered again", () -> kubelet.healthy(XILINX).size() == 2 && kubelet.healthy(INTEL).size() == 1);
            }
            compute(session);
        }
        assertThat(kubelet.allocate(XILINX, "xilinx-u250-0")).isEqualTo(before);
        compute(kubelet.run("another", INTEL, "intel-pac-0"));
    }

    @Test
    void shouldServeThePodsOfAnEarlierManager() throws IOException {
        startAndRegister();
        ContainerAllocateResponse container = kubelet.run("pod", XILINX, "xilinx-u250-0");
        stop();
        assertThat(kubelet.healthy(XILINX)).isEmpty();
        Path dead = Files.createFile(kubelet.plugins().resolve("coral-0123456789abcdef.sock"));
        startAndRegister();
        assertThat(dead).doesNotExist();
        compute(container);
        assertThat(kubelet.allocate(XILINX, "xilinx-u250-0")).isEqualTo(container);
    }

    /** The first device with another state: what the kubelet must hear of. */
    private void change(UnaryOperator<NodeDevice> change) {
        devices.updateAndGet(all -> Stream.concat(Stream.of(change.apply(all.get(0))), all.stream().skip(1)).toList());
    }

    private static NodeDevice with(NodeDevice device, OptionalInt numaNode, String problem) {
        return new NodeDevice(device.id(), device.vendor(), device.platform(), device.shell(), device.pciAddress(), numaNode,
            device.emulated(), device.usable(), problem);
    }

    @Test
    void shouldTellOfDevicesThatFailAndRecoverAndWhereTheyAre() {
        startAndRegister();
        for (int i = 0; i < 3; i++) {
            change(device -> with(device, OptionalInt.of(1), "it does not answer"));
            await("it is known to be unwell", () -> kubelet.healthy(XILINX).equals(List.of("xilinx-u250-1")));
            assertThat(kubelet.capacity(XILINX)).as("it stays the node's").isEqualTo(2);
            assertThat(kubelet.device(XILINX, "xilinx-u250-0").getTopology().getNodes(0).getID()).isEqualTo(1);
            change(device -> with(device, OptionalInt.empty(), ""));
            await("it is known to be well", () -> kubelet.healthy(XILINX).size() == 2);
            assertThat(kubelet.device(XILINX, "xilinx-u250-0").hasTopology()).isFalse();
        }
        assertThat(kubelet.registered()).as("nothing is registered again for that").hasSize(2);
    }

    @Test
    void shouldPreferDistinctCardsOfOneNumaNode() {
        values.put("coral.emulate", "xilinx/u250:4");
        values.put("coral.share", "2");
        start();
        int[] node = {0};
        devices.updateAndGet(all -> all.stream().map(one -> with(one, OptionalInt.of(node[0]++ % 2), "")).toList());
        await("all are offered, with their places", () -> kubelet.healthy(XILINX).size() == 8
            && kubelet.device(XILINX, "xilinx-u250-3-1").getTopology().getNodesList().stream()
                .anyMatch(one -> one.getID() == 1));
        assertThat(kubelet.prefer(XILINX, 2, kubelet.healthy(XILINX), List.of()))
            .as("both on node 0, and two cards").containsExactly("xilinx-u250-0-0", "xilinx-u250-2-0");
        assertThat(kubelet.prefer(XILINX, 1, List.of("xilinx-u250-0-1", "xilinx-u250-3-0", "xilinx-u250-3-1"), List.of()))
            .as("of the card that less is used of").containsExactly("xilinx-u250-3-0");
        assertThat(kubelet.prefer(XILINX, 3, List.of("xilinx-u250-1-0", "xilinx-u250-1-1"), List.of()))
            .as("what there is, where it does not suffice").hasSize(2);
    }

    @Test
    void shouldBeWatchedAgainWhenTheEndOfAnEarlierPluginTookItsWatchAlong() throws IOException {
        startAndRegister();
        try (UnixGrpc other = new UnixGrpc("another")) {
            // Whoever offered the resource before, and is still there while its successor registers.
            PluginServer earlier = PluginServer.start(
                other, kubelet.plugins().resolve("other.sock"), new Resource(XILINX), List.of(), null);
            kubelet.register(XILINX, "other.sock");
            await("the other one is watched", earlier::isWatched);
            kubelet.stop();
            kubelet.start();
            kubelet.register(XILINX, "other.sock");
            await("all are registered", () -> kubelet.healthy(XILINX).size() == 2);
            earlier.close();
            await("registered again", () -> kubelet.healthy(XILINX).size() == 2);
        }
        assertThat(kubelet.capacity(XILINX)).isEqualTo(2);
    }

    @Test
    void shouldKeepTryingWhereTheKubeletRefuses() {
        kubelet.refuse(XILINX);
        start();
        await("the other one is registered", () -> kubelet.healthy(INTEL).size() == 1);
        assertThat(kubelet.healthy(XILINX)).isEmpty();
        kubelet.refuse("");
        await("registered", () -> kubelet.healthy(XILINX).size() == 2);
    }

    @Test
    void shouldWaitForAKubeletThatIsNotThereYet() throws IOException {
        kubelet.stop();
        Files.deleteIfExists(kubelet.plugins().resolve("kubelet.sock"));
        start();
        assertThat(kubelet.registered()).isEmpty();
        kubelet.start();
        await("registered", () -> kubelet.healthy(XILINX).size() == 2);
    }

    @Test
    void shouldTakeAllocationsBackWhenTheirPodsHaveGone() throws IOException {
        values.put("coral.kubernetes.grace", "200ms");
        startAndRegister();
        ContainerAllocateResponse gone = kubelet.run("gone", XILINX, "xilinx-u250-0");
        ContainerAllocateResponse stays = kubelet.run("stays", XILINX, "xilinx-u250-1");
        kubelet.delete("gone");
        await("its allocation goes", () -> manager.allocations().size() == 1);
        assertThat(Path.of(gone.getMounts(0).getHostPath())).doesNotExist();
        compute(stays);
        stop();
        kubelet.delete("stays");
        startAndRegister();
        await("those of an earlier manager go too", () -> manager.allocations().isEmpty());
        assertThat(Path.of(stays.getMounts(0).getHostPath())).doesNotExist();
    }

    @Test
    void shouldServeAPodAgainWhoseAllocationWasLost() throws IOException {
        startAndRegister();
        ContainerAllocateResponse container = kubelet.run("pod", XILINX, "xilinx-u250-0", "xilinx-u250-1");
        String allocation = manager.allocations().get(0).name();
        plugins.close();
        plugins = null;
        manager.release(allocation);
        stop();
        startAndRegister();
        await("it is served", () -> manager.allocations().size() == 1);
        compute(container);
    }

    /** The kubelet may list a pod that has completed, long after its devices are another's. */
    @Test
    void shouldGiveTheDevicesOfACompletedPodThatIsStillListedToAnother() {
        values.put("coral.kubernetes.grace", "100ms");
        startAndRegister();
        kubelet.run("completed", XILINX, "xilinx-u250-0", "xilinx-u250-1");
        List<ContainerAllocateResponse> next = new ArrayList<>();
        await("both devices are given anew", () -> {
            next.add(kubelet.run("next", XILINX, "xilinx-u250-1"));
            return manager.allocations().stream().allMatch(one -> one.share() == 1);
        });
        compute(next.get(0));
        assertThat(manager.allocations()).extracting(Allocation::name).containsExactly("pod-xilinx-u250-1");
    }

    @Test
    void shouldShowNobodyWhatThePodBeforeLeft() {
        startAndRegister();
        int secret = 0x5ec4e7;
        ContainerAllocateResponse first = kubelet.run("first", XILINX, "xilinx-u250-0");
        try (Session session = Coral.open(FakeKubelet.addressOnNode(first), Duration.ZERO);
                Segment segment = session.allocate(1 << 20)) {
            segment.buffer(0, 1 << 20).putInt(4096, secret);
        }
        await("its memory is kept for its next session", () -> engine.stats().pooledBytes() > 0);
        kubelet.delete("first");
        ContainerAllocateResponse second = kubelet.run("second", XILINX, "xilinx-u250-0");
        assertThat(second).isEqualTo(first);
        assertThat(engine.stats().pooledBytes()).as("kept for the second").isZero();
        try (Session session = Coral.open(FakeKubelet.addressOnNode(second), Duration.ZERO);
                Segment segment = session.allocate(1 << 20)) {
            assertThat(segment.buffer(0, 1 << 20).getInt(4096)).isZero();
        }
    }

    @Test
    void shouldLeakNothingInAThousandPods() throws IOException {
        values.put("coral.kubernetes.grace", "20ms");
        startAndRegister();
        runPods(60); // what is there for good is there by now
        long descriptors = descriptors();
        int threads = Thread.activeCount();
        runPods(1_000);
        try (Stream<Path> left = Files.list(root.resolve("coral/allocations"))) {
            assertThat(left).isEmpty();
        }
        await("no descriptors are left: before=" + descriptors, () -> descriptors() <= descriptors + 4);
        await("no threads are left: before=" + threads, () -> Thread.activeCount() <= threads + 2);
    }

    private void runPods(int count) {
        for (int i = 0; i < count; i++) {
            String pod = "pod-" + i;
            ContainerAllocateResponse container = switch (i / 20 % 4) {
                case 0 -> kubelet.run(pod, XILINX, "xilinx-u250-0");
                case 1 -> kubelet.run(pod, XILINX, "xilinx-u250-1");
                case 2 -> kubelet.run(pod, XILINX, "xilinx-u250-0", "xilinx-u250-1");
                default -> kubelet.run(pod, INTEL, "intel-pac-0");
            };
            if (i % 50 == 0) {
                compute(container);
            }
            kubelet.delete(pod);
            if (i % 20 == 19) {
                await("all is given back", () -> manager.allocations().isEmpty());
            }
        }
    }

    private static long descriptors() {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"xilinx", "xilinx=", "xilinx=fpga", "xilinx=kubernetes.io/fpga", "xilinx=gpu.kubernetes.io/fpga",
        "xilinx=Xilinx.com/fpga", "xilinx=xilinx.com/fp ga", "xilinx=xilinx.com/-fpga", "xilinx=xilinx.com/a/b",
        "xilinx=requests.xilinx.com/fpga", "=xilinx.com/fpga", "xilinx=a.com/fpga,xilinx=b.com/fpga"})
    void shouldRefuseResourcesThatKubernetesDoesNotTake(String resources) {
        values.put("coral.kubernetes.resources", resources);
        assertThatThrownBy(this::start).isInstanceOf(CoralException.class)
            .hasMessageContaining("coral.kubernetes.resources").hasMessageContaining("write ");
    }

    @Test
    void shouldRefuseAShareOfZeroAndMorePartsThanAllocations() {
        values.put("coral.share", "0");
        assertThatThrownBy(this::start).hasMessageContaining("coral.share").hasMessageContaining("1 to 64");
        values.put("coral.share", "64");
        assertThatThrownBy(this::start).hasMessageContaining("parts=192").hasMessageContaining("coral.allocations=64");
        stop();
    }

    @Test
    void shouldRefuseASecondManagerOnTheNode() {
        startAndRegister();
        EngineConfig config = EngineConfig.of(values);
        try (Manager second = Manager.start(engine, root.resolve("other"), new Allocation("other", 4096, 1), Limits.defaults())) {
            assertThatThrownBy(() -> DevicePlugins.start(config, engine, second, devices::get))
                .hasMessageContaining("another manager offers this node's devices").hasMessageContaining("one manager");
        }
        compute(kubelet.run("pod", XILINX, "xilinx-u250-0"));
    }

    @Test
    void shouldRefuseADirectoryOfTheKubeletThatIsMissingOrTooFarAway() throws IOException {
        values.put("coral.kubernetes.plugins", root.resolve("missing").toString());
        assertThatThrownBy(this::start).hasMessageContaining("coral.kubernetes.plugins")
            .hasMessageContaining(root.resolve("missing").toString()).hasMessageContaining("mount it");
        stop();
        Path far = Files.createDirectories(root.resolve("d".repeat(100)));
        values.put("coral.kubernetes.plugins", far.toString());
        assertThatThrownBy(this::start).hasMessageContaining("too long").hasMessageContaining("limit=");
        stop();
        values.put("coral.kubernetes.plugins", kubelet.plugins().toString());
        home = root.resolve("r".repeat(80 - root.toString().length()));
        assertThatThrownBy(this::start).hasMessageContaining("socket is too long").hasMessageContaining("shorter --root");
        stop();
        home = root.resolve("coral");
        values.put("coral.emulate", "xilinx/" + "u".repeat(60));
        devices.set(List.of());
        assertThatThrownBy(this::start).hasMessageContaining("too long for Kubernetes").hasMessageContaining("shorter name");
    }

    /** As in a pod: the mount is all that it has of the node, and it is nobody whom the node knows. */
    @ParameterizedTest
    @ValueSource(ints = {185, 1_000_185}) // Spark's, and one as a pod with a user namespace has on the node
    void shouldLetInWhoeverHasTheMountAndNobodyElse(int user) throws Exception {
        assumeTrue(shell("unshare --mount true").isEmpty(), "mounting takes root and a kernel that permits it");
        startAndRegister();
        String mounted = kubelet.run("pod", XILINX, "xilinx-u250-0").getMounts(0).getHostPath();
        Path inPod = Files.createDirectory(root.resolve("in-pod"));
        String connect = "setpriv --reuid=" + user + " --regid=" + user
            + " --clear-groups --inh-caps=-all --bounding-set=-all perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0);"
            + " connect(S, sockaddr_un(shift)) or print $!' ";
        Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwxr-xr-x"));
        assertThat(shell("unshare --mount sh -c \"mount --bind " + mounted + " " + inPod + " && mount -o remount,ro,bind " + inPod
            + " && " + connect.replace("$", "\\$") + inPod + "/coral.sock\"")).as("through its mount").isEmpty();
        assertThat(shell(connect + mounted + "/coral.sock")).as("from elsewhere on the node").isEqualTo("Permission denied");
    }

    /** @return what it prints; empty where all went well */
    private static String shell(String command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder("sh", "-c", command).redirectErrorStream(true).start();
        String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        int exit = process.waitFor();
        return exit == 0 || !printed.isEmpty() ? printed : "exit=" + exit;
    }

    private static String permissions(Path path) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
    }

    private static void compute(ContainerAllocateResponse container) {
        try (Session session = Coral.open(FakeKubelet.addressOnNode(container), Duration.ZERO)) {
            compute(session);
        }
    }

    private static void compute(Session session) {
        try (Segment segment = session.allocate(4096)) {
            segment.buffer(0, 4).putFloat(0, 1.5f);
            segment.buffer(4, 4).putFloat(0, 2);
            session.submit(Request.of("com.inaccel.math.Vector.Add").read(segment, 0, 4).read(segment, 4, 4)
                .write(segment, 64, 4).arg(1).build()).join();
            assertThat(segment.buffer(64, 4).getFloat(0)).isEqualTo(3.5f);
        }
    }

    private static void await(String what, BooleanSupplier condition) {
        Leaks.await(what, Duration.ofSeconds(15), condition);
    }
}
