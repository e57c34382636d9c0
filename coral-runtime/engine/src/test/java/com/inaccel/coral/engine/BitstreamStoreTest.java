package com.inaccel.coral.engine;

import static com.inaccel.coral.engine.Vectors.failure;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.accelerators.Accelerator.Operand;
import com.inaccel.coral.accelerators.Accelerator.Type;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BitstreamStoreTest {
    static final String MANIFEST = """
        {
          "name": "scale.cl",
          "bitstreamId": "org.example.Vector",
          "version": "1.2",
          "description": "one",
          "platform": {"vendor": "xilinx", "name": "u250", "version": "2", "label": "shell"},
          "kernels": [{
            "name": ["scale:{scale_1}", "scale:{scale_2}"],
            "kernelId": "Scale",
            "arguments": [
              {"index": [1], "type": "float *", "name": "x", "size": "64", "memory": ["0", "1"], "access": "r"},
              {"index": [0], "type": "float*", "name": "y", "access": "w"},
              {"index": [2, 3], "type": "int", "name": "n"}
            ]
          }]
        }
        """;

    @TempDir
    Path root;

    private Path install(String name, String manifest) {
        try {
            Path home = Files.createDirectories(root.resolve(name));
            Files.writeString(home.resolve(Manifest.FILE_NAME), manifest);
            Files.writeString(home.resolve("scale.cl"), "__kernel void scale() { }");
            return home;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private BitstreamStore load() {
        return Vectors.bitstreams(root);
    }

    private static Bitstream find(BitstreamStore store, String accelerator) {
        return store.implementing(accelerator, bitstream -> true).get(0);
    }

    @Test
    void shouldLoadTheBuiltInBitstreams() {
        BitstreamStore store = BitstreamStore.builtIn();
        assertThat(BitstreamStore.accelerators(store.all())).contains(Vectors.ADD);
        assertThat(store.all()).allMatch(Bitstream::isBuiltIn);
    }

    @Test
    void shouldPreferSharedSourcesToStaleCopiesBesideTheManifest() {
        assertThat(getClass().getResource("/com/inaccel/coral/accelerators/kmeans/common.cl")).isNotNull();
        assertThat(BitstreamStore.builtIn().all()).extracting(Bitstream::sourceCode)
            .noneMatch(source -> source.contains("#error stale"));
    }

    @Test
    void shouldReadTheOriginalFormat() {
        install("scale", MANIFEST);
        Bitstream bitstream = find(load(), "org.example.Vector.Scale");
        assertThat(bitstream.version().text()).isEqualTo("1.2");
        assertThat(bitstream.platform()).isEqualTo(new Bitstream.Platform("xilinx", "u250", "2"));
        assertThat(bitstream.isSource()).isTrue();
        UserAccelerator accelerator = (UserAccelerator) bitstream.kernel("org.example.Vector.Scale").accelerator();
        assertThat(accelerator.kernel()).isEqualTo("scale");
        assertThat(accelerator.parameters()).extracting("name").containsExactly("x", "y", "n");
        assertThat(accelerator.parameters()).extracting("type").containsExactly(Type.FLOATS, Type.FLOATS, Type.INT);
        assertThat(accelerator.parameters()).extracting("access")
            .containsExactly(Access.READ, Access.WRITE, Access.READ);
        assertThat(accelerator.operands()).containsExactly(
            new Operand.Arg(1), new Operand.Arg(0), new Operand.Arg(2), new Operand.Arg(2));
    }

    @Test
    void shouldTakeADirectoryOfOneBitstreamToo() {
        Path home = install("scale", MANIFEST);
        assertThat(BitstreamStore.accelerators(Vectors.bitstreams(home).all())).contains("org.example.Vector.Scale");
    }

    @Test
    void shouldJoinSourcesInOrder() throws IOException {
        Path home = install("scale", MANIFEST.replace("\"name\": \"scale.cl\"",
            "\"sources\": [\"b.cl\", \"a.cl\"], \"options\": \"-DREAL=float\""));
        Files.writeString(home.resolve("a.cl"), "second");
        Files.writeString(home.resolve("b.cl"), "first");
        Bitstream bitstream = find(load(), "org.example.Vector.Scale");
        assertThat(bitstream.sourceCode()).isEqualTo("first\nsecond\n");
        assertThat(bitstream.options()).isEqualTo("-DREAL=float");
    }

    @Test
    void shouldTakeAnyOtherFileForABinary() throws IOException {
        Path home = install("scale", MANIFEST.replace("scale.cl", "scale.xclbin"));
        Files.write(home.resolve("scale.xclbin"), new byte[] {1, 2, 3});
        Bitstream bitstream = find(load(), "org.example.Vector.Scale");
        assertThat(bitstream.isSource()).isFalse();
        assertThat(bitstream.binary()).containsExactly(1, 2, 3);
    }

    @Test
    void shouldPreferTheLatestVersion() {
        install("one", MANIFEST.replace("1.2", "1.9"));
        install("two", MANIFEST.replace("1.2", "1.10"));
        install("three", MANIFEST.replace("1.2", "1.2"));
        assertThat(find(load(), "org.example.Vector.Scale").version().text()).isEqualTo("1.10");
    }

    @Test
    void shouldKeepVersionsOfOtherPlatformsApart() {
        install("old", MANIFEST);
        install("new", MANIFEST.replace("1.2", "2.0").replace("u250", "u50"));
        List<Bitstream> found = load().implementing("org.example.Vector.Scale",
            bitstream -> bitstream.platform().matches("xilinx", "U250"));
        assertThat(found).extracting(bitstream -> bitstream.version().text()).containsExactly("1.2");
    }

    @Test
    void shouldReadTheGreatestValueThatABitstreamSupports() {
        install("scale", MANIFEST.replace("\"type\": \"int\"", "\"type\": \"int\", \"max\": 16"));
        assertThat(find(load(), "org.example.Vector.Scale").kernel("org.example.Vector.Scale").greatest())
            .containsExactly(Long.MAX_VALUE, Long.MAX_VALUE, 16L);
    }

    @Test
    void shouldCompareVersionsByNumber() {
        assertThat(List.of("1.10", "1.9", "2", "2.0.1", "1.0-beta").stream().map(Bitstream.Version::new).sorted()
            .map(Bitstream.Version::text)).containsExactly("1.0-beta", "1.9", "1.10", "2", "2.0.1");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "\"bitstreamId\": \"org.example.Vector\",| |field=bitstreamId, problem=missing",
        "\"org.example.Vector\"|\"../etc\"|field=bitstreamId",
        "\"version\": \"1.2\",| |field=version, problem=missing",
        "\"vendor\": \"xilinx\",| |field=platform.vendor, problem=missing",
        "\"kernelId\": \"Scale\",| |field=kernels[0].kernelId, problem=missing",
        "\"kernels\": [|\"kernels\": [], \"x\": [|x",
        "\"type\": \"int\"|\"type\": \"half\"|field=kernels[0].arguments[2].type, problem=unknown type half",
        "\"type\": \"int\",| |field=kernels[0].arguments[2].type, problem=missing",
        "\"access\": \"w\"|\"access\": \"x\"|field=kernels[0].arguments[1].access",
        "\"size\": \"64\"|\"size\": \"n*4\"|field=kernels[0].arguments[0].size",
        "\"size\": \"64\"|\"size\": \"-4\"|field=kernels[0].arguments[0].size",
        "\"type\": \"int\"|\"type\": \"int\", \"max\": 0|field=kernels[0].arguments[2].max, problem=below 1: 0",
        "\"type\": \"int\"|\"type\": \"float\", \"max\": 4|field=kernels[0].arguments[2].max, problem=only an int or a long",
        "\"type\": \"int\"|\"type\": \"int\", \"max\": 2.5|max",
        "\"type\": \"int\"|\"type\": \"int\", \"max\": \"many\"|max",
        "[2, 3]|[1, 3]|field=kernels[0].arguments[2].index, problem=position 1 given twice",
        "[2, 3]|[2, 7]|field=kernels[0].arguments[2].index, problem=position 7 outside 0 to 3",
        "[2, 3]|[2, \"x\"]|arguments",
        "scale:{scale_1}|sc ale|field=kernels[0].name[0]",
        "scale.cl|gone.cl|field=name, problem=cannot read gone.cl",
        "scale.cl|../scale/scale.cl|field=name",
        "scale.cl|/etc/passwd|field=name",
        "\"description\": \"one\"|\"descriptoin\": \"one\"|descriptoin",
        "\"description\": \"one\"|\"options\": []|options",
        "\"version\": \"1.2\"|\"version\": 1.2.3|line=",
    })
    void shouldNameTheFileAndTheFieldThatIsWrong(String right, String wrong, String expected) {
        assertThat(MANIFEST).contains(right);
        Path home = install("scale", MANIFEST.replace(right, wrong == null ? "" : wrong));
        CoralException refusal = failure(this::load);
        assertThat(refusal.code()).isEqualTo(ErrorCode.BAD_BITSTREAM);
        assertThat(refusal.getMessage()).contains(home.resolve(Manifest.FILE_NAME).toString(), expected);
    }

    @Test
    void shouldRefuseAManifestThatContradictsTheCatalogue() {
        install("vector", MANIFEST.replace("org.example.Vector", "com.inaccel.math.Vector").replace("Scale", "Add"));
        CoralException refusal = failure(this::load);
        assertThat(refusal.getMessage()).contains("field=kernels[0].arguments", "com.inaccel.math.Vector.Add");
    }

    @Test
    void shouldRefuseTheSameAcceleratorTwice() {
        install("one", MANIFEST);
        install("two", MANIFEST);
        assertThat(failure(this::load).getMessage()).contains("installed twice", "org.example.Vector.Scale");
    }

    @Test
    void shouldRefuseVersionsWithAnotherSignature() {
        install("one", MANIFEST);
        install("two", MANIFEST.replace("1.2", "1.3").replace("float *", "double *"));
        assertThat(failure(this::load).getMessage()).contains("signature differs", "org.example.Vector.Scale");
    }

    @Test
    void shouldUseTheOthersWhenOneIsBroken() {
        install("broken", "{");
        install("contradicting", MANIFEST.replace("1.2", "1.3").replace("float *", "double *"));
        install("right", MANIFEST.replace("1.2", "1.4"));
        install("a-first", MANIFEST);
        BitstreamStore store = BitstreamStore.builtIn()
            .reload(List.of(root.resolve("missing"), root), Signatures.of(EngineConfig.defaults()));
        assertThat(store.implementing("org.example.Vector.Scale", any -> true))
            .extracting(bitstream -> bitstream.version().text()).containsExactly("1.4", "1.2");
        assertThat(store.refused()).hasSize(3).noneMatch(BitstreamInfo::isUsed);
        assertThat(store.describe()).containsAll(store.refused()).hasSize(store.all().size() + 3);
    }

    @Test
    void shouldKeepBitstreamsThatHaveNotChangedAndReplaceThoseThatHave() throws IOException {
        install("one", MANIFEST);
        Path changing = install("two", MANIFEST.replace("1.2", "1.3"));
        BitstreamStore before = load();
        Files.writeString(changing.resolve("scale.cl"), "__kernel void scale(int better) { }");
        install("three", MANIFEST.replace("1.2", "1.4"));
        BitstreamStore after = before.reload(List.of(root), Signatures.of(EngineConfig.defaults()));
        List<Bitstream> old = before.implementing("org.example.Vector.Scale", any -> true);
        List<Bitstream> now = after.implementing("org.example.Vector.Scale", any -> true);
        assertThat(now).hasSize(3).contains(old.get(1)).doesNotContain(old.get(0));
        assertThat(after.all()).containsAll(builtIn(before));
    }

    private static List<Bitstream> builtIn(BitstreamStore store) {
        return store.all().stream().filter(Bitstream::isBuiltIn).toList();
    }

    @Test
    void shouldNoticeEveryChangeOfFiles() throws IOException {
        Path home = install("one", MANIFEST);
        List<List<String>> stamps = new ArrayList<>(List.of(BitstreamStore.stamp(List.of(root))));
        assertThat(BitstreamStore.stamp(List.of(root))).isEqualTo(stamps.get(0));
        Files.writeString(home.resolve("scale.cl"), "longer than it was before, this kernel is");
        stamps.add(BitstreamStore.stamp(List.of(root)));
        Files.writeString(root.resolve("new"), "n");
        Files.move(root.resolve("new"), Files.createDirectories(root.resolve("id/1.0/hash")).resolve("scale.cl"));
        stamps.add(BitstreamStore.stamp(List.of(root)));
        Files.delete(home.resolve("scale.cl"));
        stamps.add(BitstreamStore.stamp(List.of(root)));
        stamps.add(BitstreamStore.stamp(List.of(root.resolve("missing"))));
        assertThat(stamps).doesNotHaveDuplicates();
    }

    @Test
    void shouldRefuseFilesThatLeadOutOfTheDirectory() throws IOException {
        Path home = install("scale", MANIFEST);
        Files.move(home.resolve("scale.cl"), root.resolve("outside.cl"));
        Files.createSymbolicLink(home.resolve("scale.cl"), root.resolve("outside.cl"));
        assertThat(failure(this::load).getMessage()).contains("field=name", "leads out of the bitstream's directory");
        Files.delete(home.resolve("scale.cl"));
        Files.createDirectories(home.resolve("data"));
        Files.move(root.resolve("outside.cl"), home.resolve("data/scale.cl"));
        Files.createSymbolicLink(home.resolve("scale.cl"), Path.of("data/scale.cl")); // as mounted volumes have it
        assertThat(find(load(), "org.example.Vector.Scale").isSource()).isTrue();
        Files.delete(home.resolve("scale.cl"));
        Files.createDirectories(home.resolve("scale.cl"));
        assertThat(failure(this::load).getMessage()).contains("not a file: scale.cl");
    }

    @Test
    void shouldRefuseAnEmptyManifestAndAMissingDirectory() {
        install("empty", "");
        assertThat(failure(this::load).code()).isEqualTo(ErrorCode.BAD_BITSTREAM);
        assertThat(failure(() -> Vectors.bitstreams(root.resolve("missing"))).getMessage())
            .contains("missing", "coral.bitstreams");
    }
}
