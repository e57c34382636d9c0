package com.inaccel.coral.manager.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.Coral;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.manager.Leaks;
import com.inaccel.coral.manager.Limits;
import com.inaccel.coral.manager.Manager;
import com.inaccel.coral.manager.kubernetes.deviceplugin.ContainerAllocateResponse;
import com.inaccel.coral.manager.kubernetes.deviceplugin.Mount;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The manager as device plugin of a kubelet that restarts, repeats itself and forgets. */
@Timeout(120)
class DevicePluginsTest {
    private static final String XILINX = "xilinx.com/fpga";
    private static final String INTEL = "intel.com/fpga";

    @TempDir
    Path root;

    private final Map<String, String> values = new HashMap<>();
    private FakeKubelet kubelet;
    private Engine engine;
    private Manager manager;
    private DevicePlugins plugins;

    @BeforeEach
    void prepare() throws IOException {
        kubelet = new FakeKubelet(root);
        values.putAll(Map.of("coral.emulate", "xilinx/u250:2,intel/pac", "coral.emulate.programming", "0ms",
            "coral.memory.limit", "64MB", "coral.kubernetes.plugins", kubelet.plugins().toString(),
            "coral.kubernetes.pods", kubelet.podsSocket().toString(), "coral.kubernetes.refresh", "5ms",
            "coral.kubernetes.grace", "1h"));
    }

    private void start() {
        engine = Engine.start(EngineConfig.of(values));
        manager = Manager.start(engine, root.resolve("coral"), new Allocation("node", engine.stats().limitBytes(), 1),
            Limits.defaults());
        plugins = DevicePlugins.start(EngineConfig.of(values), engine, manager);
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
        Path home = Path.of(mount.getHostPath());
        assertThat(permissions(home)).as("entered by user 185").isEqualTo("rwxr-xr-x");
        assertThat(permissions(home.resolve("coral.sock"))).as("connected to by user 185").isEqualTo("rw-rw-rw-");
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
