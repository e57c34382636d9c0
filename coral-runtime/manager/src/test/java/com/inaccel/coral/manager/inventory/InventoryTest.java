package com.inaccel.coral.manager.inventory;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.engine.FpgaInfo;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Cards together with what drives them. */
class InventoryTest {
    @TempDir
    Path root;

    private FakeSysfs sys;

    @BeforeEach
    void prepare() throws IOException {
        sys = new FakeSysfs(root);
    }

    private Inventory inventory(String... more) {
        Map<String, String> values = new HashMap<>(Map.of("coral.sysfs", root.toString()));
        for (int i = 0; i < more.length; i += 2) {
            values.put(more[i], more[i + 1]);
        }
        return Inventory.of(EngineConfig.of(values));
    }

    private static FpgaInfo fpga(String id, String vendor, String platform, String pciAddress) {
        return new FpgaInfo(new DeviceInfo(id, vendor, platform, "", 1L << 30, 1, ""), /* emulated= */ false, pciAddress);
    }

    @Test
    void shouldJoinCardsAndDevicesByWhereTheySit() throws IOException {
        sys.alveo("0000:3b:00", 0x5005, "xilinx_u250_gen3x16_xdma_shell_4_1", 0)
            .alveo("0000:af:00", 0x505d, "xilinx_u55c_gen3x16_xdma_base_3", 1);
        // The driver counts the other way round.
        List<FpgaInfo> fpgas = List.of(fpga("xilinx-u55c-0", "xilinx", "u55c", "0000:af:00.1"),
            fpga("xilinx-u250-0", "xilinx", "u250", "0000:3b:00.1"));
        Inventory inventory = inventory();
        assertThat(inventory.devices(fpgas, Map.of("xilinx-u55c-0", true, "xilinx-u250-0", false))).satisfiesExactly(
            first -> {
                assertThat(first.id()).isEqualTo("xilinx-0000-3b-00");
                assertThat(first.problem()).contains("being mended");
                assertThat(first.usable()).isTrue();
            },
            second -> {
                assertThat(second.id()).isEqualTo("xilinx-0000-af-00");
                assertThat(second.isHealthy()).isTrue();
            });
        assertThat(inventory.devices(fpgas, Map.of("xilinx-u55c-0", true, "xilinx-u250-0", true)))
            .as("recovered").allMatch(NodeDevice::isHealthy);
        sys.fill(sys.home("0000:af:00.1"), "ready = 0x0");
        assertThat(inventory.devices(fpgas, Map.of("xilinx-u55c-0", true, "xilinx-u250-0", true)).get(1).problem())
            .contains("not ready");
    }

    @Test
    void shouldNotOfferACardThatNoDriverOffers() throws IOException {
        sys.alveo("0000:3b:00", 0x5005, "xilinx_u250_gen3x16_xdma_shell_4_1", 0);
        EngineConfig config = EngineConfig.of(Map.of("coral.sysfs", root.toString(), "coral.devices", "host"));
        Inventory inventory = Inventory.of(config);
        try (Engine engine = Engine.start(config)) {
            assertThat(inventory.devices(engine)).singleElement().satisfies(device -> {
                assertThat(device.problem()).contains("no OpenCL driver offers it").contains("install");
                assertThat(device.usable()).isFalse();
                assertThat(Inventory.needAnotherEngine(List.of(device))).isFalse();
            });
        }
    }

    @Test
    void shouldAskForAnotherEngineWhenACardBecomesWellThatThisOneHasNot() throws IOException {
        sys.alveo("0000:3b:00", 0x5005, "xilinx_u250_gen3x16_xdma_shell_4_1", 0);
        sys.fill(sys.home("0000:3b:00.1"), "ready = 0x0");
        Inventory inventory = inventory();
        assertThat(inventory.devices(List.of(), Map.of())).singleElement().satisfies(device -> {
            assertThat(device.problem()).contains("not ready");
            assertThat(Inventory.needAnotherEngine(List.of(device))).isFalse();
        });
        sys.fill(sys.home("0000:3b:00.1"), "ready = 0x1");
        assertThat(Inventory.needAnotherEngine(inventory.devices(List.of(), Map.of()))).isTrue();
        assertThat(Inventory.needAnotherEngine(inventory().devices(List.of(), Map.of())))
            .as("the next one finds the card well from the start: it would gain nothing").isFalse();
    }

    @Test
    void shouldGiveDevicesThatDoNotSayWhereTheySitToTheCardsThatWork() throws IOException {
        for (String slot : List.of("0000:5e:00", "0000:5f:00")) {
            sys.function(slot + ".0", "intel-fpga-pci", "vendor = 0x8086\ndevice = 0x09c4\nclass = 0x120000")
                .region("fpga/intel-fpga-dev." + slot.charAt(6), slot + ".0", "intel-fpga-port.0/afu_id = " + "f".repeat(32));
        }
        sys.fill(sys.home("0000:5f:00.0").resolve("fpga/intel-fpga-dev.f"),
            "intel-fpga-port.0/afu_id = d8424dc4a4a3c413f89e433683f9040b");
        assertThat(inventory().devices(List.of(fpga("intel-pac-a10-0", "intel", "pac-a10", "")), Map.of("intel-pac-a10-0", true)))
            .satisfiesExactly(
                broken -> assertThat(broken.problem()).contains("nothing usable is loaded"),
                well -> {
                    assertThat(well.id()).isEqualTo("intel-0000-5f-00");
                    assertThat(well.isHealthy()).isTrue();
                });
    }

    @Test
    void shouldOfferADeviceWithoutACardAsItIs() {
        assertThat(inventory().devices(List.of(fpga("intel-board-0", "intel", "board", ""),
            fpga("xilinx-u280-0", "xilinx", "u280", "0000:3b:00.1")), Map.of("intel-board-0", true, "xilinx-u280-0", true)))
            .extracting(NodeDevice::id).containsExactly("intel-board-0", "xilinx-0000-3b-00");
    }

    @Test
    void shouldLeaveCardsAloneWhereFpgasAreEmulated() throws IOException {
        sys.alveo("0000:3b:00", 0x5005, "xilinx_u250_gen3x16_xdma_shell_4_1", 0);
        EngineConfig config = EngineConfig.of(Map.of("coral.sysfs", root.toString(), "coral.emulate", "xilinx/u50:2"));
        try (Engine engine = Engine.start(config)) {
            assertThat(Inventory.of(config).devices(engine)).allMatch(NodeDevice::emulated).allMatch(NodeDevice::isHealthy)
                .extracting(NodeDevice::id).containsExactly("xilinx-u50-0", "xilinx-u50-1");
        }
    }
}
