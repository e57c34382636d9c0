package com.inaccel.coral.manager.inventory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.engine.EngineConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Cards as their drivers show them, and as they had better not. */
@Timeout(60)
class SysfsTest {
    private static final String INTEL_ID = "69528db6eb31577a8c3668f9faa081f6";
    private static final String NOTHING = "f".repeat(32);

    @TempDir
    Path root;

    private FakeSysfs sys;
    private Sysfs sysfs;
    private final List<String> said = new ArrayList<>();

    @BeforeEach
    void prepare() throws IOException {
        sys = new FakeSysfs(root);
        sysfs = new Sysfs(root, new Said(said::add), slot -> { });
        sys.function("0000:00:1f.6", "e1000e", "vendor = 0x8086\ndevice = 0x15bb\nclass = 0x020000");
    }

    private Card card() {
        List<Card> cards = sysfs.cards();
        assertThat(cards).hasSize(1);
        return cards.get(0);
    }

    @ParameterizedTest
    @CsvSource({
        "u50, 5021, xilinx_u50_gen3x16_xdma_base_5, 0",
        "u250, 5005, xilinx_u250_gen3x16_xdma_shell_4_1, 1",
        "u55c, 505d, xilinx_u55c_gen3x16_xdma_base_3, -1"})
    void shouldKnowAnAlveo(String platform, String device, String shell, int numaNode) throws IOException {
        sys.alveo("0000:3b:00", Integer.parseInt(device, 16), shell, numaNode);
        assertThat(card()).isEqualTo(new Card("xilinx-0000-3b-00", "xilinx", platform, shell, "0000:3b:00.1",
            numaNode < 0 ? OptionalInt.empty() : OptionalInt.of(numaNode), ""));
        assertThat(said).isEmpty();
    }

    @Test
    void shouldKnowAnAlveoWithoutItsManagementFunctionInAVirtualMachine() throws IOException {
        sys.function("0000:00:06.0", "xocl", FakeSysfs.user(0x5005, "xilinx_u250_gen3x16_xdma_shell_4_1", -1));
        assertThat(card()).satisfies(card -> {
            assertThat(card.id()).isEqualTo("xilinx-0000-00-06");
            assertThat(card.pciAddress()).isEqualTo("0000:00:06.0");
            assertThat(card.platform()).isEqualTo("u250");
            assertThat(card.problem()).isEmpty();
        });
    }

    @Test
    void shouldTellAnF2InstancesFpgaFromItsOtherDevicesAndThatNoBitstreamIsForIt() throws IOException {
        sys.function("0000:00:05.0", "ena", "vendor = 0x1d0f\ndevice = 0xec20\nclass = 0x020000")
            .function("0000:00:04.0", "nvme", "vendor = 0x1d0f\ndevice = 0x8061\nclass = 0x010802")
            .function("0000:34:00.0", "", "vendor = 0x1d0f\ndevice = 0xf001\nclass = 0x120000\nnuma_node = 0");
        assertThat(card()).satisfies(card -> {
            assertThat(card.id()).isEqualTo("xilinx-0000-34-00");
            assertThat(card.platform()).isEqualTo("aws-f2");
            assertThat(card.problem()).contains("image of Amazon's").contains("driver=none").contains("xclbins");
        });
    }

    @Test
    void shouldKnowAnIntelCardOfEitherDriver() throws IOException {
        sys.function("0000:5e:00.0", "intel-fpga-pci", "vendor = 0x8086\ndevice = 0x09c4\nclass = 0x120000\nnuma_node = 0")
            .region("fpga/intel-fpga-dev.0", "0000:5e:00.0", """
                intel-fpga-fme.0/pr/interface_id = %s
                intel-fpga-port.0/afu_id = d8424dc4a4a3c413f89e433683f9040b
                intel-fpga-port.0/dev = 238:0
                """.formatted(INTEL_ID));
        sys.function("0000:af:00.0", "dfl-pci", "vendor = 0x8086\ndevice = 0x0b2b\nclass = 0x120000\nnuma_node = 1")
            .region("fpga_region/region0", "0000:af:00.0", """
                dfl-fme.0/dfl-fme-region.1/fpga_region/region1/compat_id = 9346116d052d76fd89e4a2a67eb24ac5
                dfl-port.0/afu_id = d8424dc4a4a3c413f89e433683f9040b
                """);
        assertThat(sysfs.cards()).containsExactly(
            new Card("intel-0000-5e-00", "intel", "pac-a10", INTEL_ID, "0000:5e:00.0", OptionalInt.of(0), ""),
            new Card("intel-0000-af-00", "intel", "pac-s10", "9346116d052d76fd89e4a2a67eb24ac5", "0000:af:00.0",
                OptionalInt.of(1), ""));
    }

    @Test
    void shouldTakeIdsOfAllOnesForNoIdsUntilTheyAreSome() throws IOException {
        sys.function("0000:5e:00.0", "intel-fpga-pci", "vendor = 0x8086\ndevice = 0x09c4\nclass = 0x120000")
            .region("fpga/intel-fpga-dev.0", "0000:5e:00.0",
                "intel-fpga-fme.0/pr/interface_id = " + INTEL_ID + "\nintel-fpga-port.0/afu_id = " + NOTHING);
        assertThat(card().problem()).contains("nothing usable is loaded").contains(NOTHING);
        Path region = sys.home("0000:5e:00.0").resolve("fpga/intel-fpga-dev.0");
        sys.fill(region, "intel-fpga-port.0/afu_id = " + INTEL_ID);
        assertThat(card().problem()).isEmpty();
        sys.fill(region, "intel-fpga-fme.0/pr/interface_id = " + NOTHING);
        assertThat(card().problem()).contains("interface has no id");
    }

    @Test
    void shouldTakeACardForWellAgainWhenItsDriverDoes() throws IOException {
        sys.alveo("0000:3b:00", 0x5005, "xilinx_u250_gen3x16_xdma_shell_4_1", 0);
        Path user = sys.home("0000:3b:00.1");
        for (String ready : List.of("0x0", "0", "later")) {
            sys.fill(user, "ready = " + ready);
            assertThat(card().problem()).contains("not ready").contains("ready=" + ready);
        }
        sys.fill(user, "ready = 1");
        assertThat(card().problem()).isEmpty();
        Files.delete(user.resolve("drm/renderD128"));
        assertThat(card().problem()).contains("no render node");
        Files.delete(user.resolve("driver"));
        assertThat(card()).satisfies(card -> {
            assertThat(card.problem()).contains("has not the driver xocl").contains("driver=none");
            assertThat(card.id()).isEqualTo("xilinx-0000-3b-00");
        });
    }

    @Test
    void shouldKeepACardsIdWhateverItShows() throws IOException {
        sys.alveo("0000:3b:00", 0x5005, "xilinx_u250_gen3x16_xdma_shell_4_1", 0);
        String id = card().id();
        Files.delete(root.resolve("bus/pci/devices/0000:3b:00.1"));
        assertThat(card()).satisfies(card -> {
            assertThat(card.id()).isEqualTo(id);
            assertThat(card.problem()).contains("only its management function");
            assertThat(card.platform()).isEqualTo("u250");
        });
    }

    @Test
    void shouldNotTakeOtherDevicesForCards() throws IOException {
        sys.function("0000:01:00.0", "snd_hdsp", "vendor = 0x10ee\ndevice = 0x3fc5\nclass = 0x040100")
            .function("0000:02:00.0", "neuron", "vendor = 0x1d0f\ndevice = 0x7164\nclass = 0x088000")
            .function("0000:03:00.0", "pcieport", "vendor = 0x8086\ndevice = 0x1901\nclass = 0x060400");
        assertThat(sysfs.cards()).isEmpty();
    }

    /** What is done to the user function of a card, that of another slot staying as it is. */
    @ParameterizedTest
    @ValueSource(strings = {"missing vendor", "missing class", "garbage class", "binary vendor", "huge vendor",
        "directory for vendor", "pipe for vendor", "dangling link", "file for a function", "name that is none"})
    void shouldLeaveOutWhatTellsNothingAndSaySoOnce(String damage) throws Exception {
        sys.alveo("0000:3b:00", 0x5005, "xilinx_u250_gen3x16_xdma_shell_4_1", 0);
        Path user = sys.function("0000:5f:00.0", "xocl", FakeSysfs.user(0x5021, "xilinx_u50_gen3x16_xdma_base_5", 0))
            .home("0000:5f:00.0");
        Path link = root.resolve("bus/pci/devices/0000:5f:00.0");
        switch (damage) {
            case "missing vendor" -> Files.delete(user.resolve("vendor"));
            case "missing class" -> Files.delete(user.resolve("class"));
            case "garbage class" -> Files.writeString(user.resolve("class"), "processing accelerator\n");
            case "binary vendor" -> Files.write(user.resolve("vendor"), new byte[] {0x10, (byte) 0xee, 0, 7});
            case "huge vendor" -> Files.writeString(user.resolve("vendor"), "0".repeat(1 << 20));
            case "directory for vendor" -> {
                Files.delete(user.resolve("vendor"));
                Files.createDirectory(user.resolve("vendor"));
            }
            case "pipe for vendor" -> {
                Files.delete(user.resolve("vendor"));
                assertThat(new ProcessBuilder("mkfifo", user.resolve("vendor").toString()).start().waitFor()).isZero();
            }
            case "dangling link" -> {
                Files.delete(link);
                Files.createSymbolicLink(link, Path.of("../../../devices/gone"));
            }
            case "file for a function" -> {
                Files.delete(link);
                Files.writeString(link, "function");
            }
            default -> Files.move(link, link.resolveSibling("0000:5f:00"));
        }
        for (int i = 0; i < 3; i++) {
            assertThat(card().id()).as("the other card").isEqualTo("xilinx-0000-3b-00");
        }
        assertThat(said).singleElement().asString().startsWith("0000:5f:00").contains("left out");
    }

    /** The card is known, but something about it cannot be read. */
    @ParameterizedTest
    @CsvSource({"ready, directory", "ready, junk", "rom.u.16777216/VBNV, directory", "rom.u.16777216/VBNV, junk"})
    void shouldSayWhyACardThatCannotBeReadIsNotUsed(String attribute, String damage) throws IOException {
        sys.alveo("0000:3b:00", 0x5005, "xilinx_u250_gen3x16_xdma_shell_4_1", 0)
            .function("0000:5f:00.0", "xocl", FakeSysfs.user(0x5021, "xilinx_u50_gen3x16_xdma_base_5", 0));
        Path file = sys.home("0000:5f:00.0").resolve(attribute);
        Files.delete(file);
        if (damage.equals("junk")) {
            Files.write(file, new byte[] {1, 2, (byte) 0xff, 0});
        } else {
            Files.createDirectory(file);
        }
        assertThat(sysfs.cards()).satisfiesExactly(
            well -> assertThat(well.problem()).isEmpty(),
            odd -> {
                assertThat(odd.id()).isEqualTo("xilinx-0000-5f-00");
                assertThat(odd.problem()).startsWith("cannot be read: ").contains(file.getFileName().toString());
            });
    }

    @Test
    void shouldGoOnWithoutWhatIsNotNeeded() throws IOException {
        sys.alveo("0000:3b:00", 0x5005, "xilinx_u250_gen3x16_xdma_shell_4_1", 0);
        Path user = sys.home("0000:3b:00.1");
        Files.writeString(user.resolve("numa_node"), "far away");
        Files.delete(user.resolve("ready"));
        for (String function : List.of("0000:3b:00.0", "0000:3b:00.1")) {
            try (var roms = Files.newDirectoryStream(sys.home(function), "rom.*")) {
                for (Path rom : roms) {
                    Files.delete(rom.resolve("VBNV"));
                }
            }
        }
        assertThat(card()).isEqualTo(new Card(
            "xilinx-0000-3b-00", "xilinx", "u250", "", "0000:3b:00.1", OptionalInt.empty(), ""));
    }

    @Test
    void shouldTellIntelCardsWithoutDriverOrPort() throws IOException {
        sys.function("0000:5e:00.0", "", "vendor = 0x12ba\ndevice = 0x0086\nclass = 0x120000");
        assertThat(card().problem()).contains("no driver shows it");
        sys.region("fpga_region/region0", "0000:5e:00.0", "dfl-fme.0/");
        assertThat(card().problem()).contains("no port");
    }

    @Test
    void shouldFindNothingWhereThereIsNoPciBus() {
        assertThat(new Sysfs(root.resolve("nowhere"), new Said(said::add), slot -> { }).cards()).isEmpty();
    }

    @Test
    void shouldRefuseARootThatIsMissing() {
        Path missing = root.resolve("missing");
        assertThatThrownBy(() -> Sysfs.root(EngineConfig.of(Map.of("coral.sysfs", missing.toString()))))
            .hasMessageContaining("coral.sysfs").hasMessageContaining(missing.toString()).hasMessageContaining("mount");
    }
}
