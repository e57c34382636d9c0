package com.inaccel.coral.engine;

import static com.inaccel.coral.engine.Vectors.failure;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BitstreamAdminTest {
    static final String ID = "org.example.Vector";

    @TempDir
    Path root;

    private final Map<String, String> config = new HashMap<>();
    private Path repository;
    private Path source;

    @BeforeEach
    void configure() throws IOException {
        repository = root.resolve("repository");
        config.put("coral.bitstreams", repository.toString());
        source = source(root.resolve("source"), "1.9");
    }

    static Path source(Path directory, String version) throws IOException {
        Files.createDirectories(directory);
        Files.writeString(directory.resolve(Manifest.FILE_NAME), BitstreamStoreTest.MANIFEST.replace("1.2", version));
        Files.writeString(directory.resolve("scale.cl"), "__kernel void scale() { }");
        return directory;
    }

    private BitstreamAdmin admin() {
        return new BitstreamAdmin(EngineConfig.of(config));
    }

    private Path install(Path from) {
        return admin().install(from, Optional.empty(), Optional.empty(), Set.of());
    }

    private List<BitstreamInfo> listed() {
        return admin().list().stream().filter(info -> info.bitstreamId().equals(ID) || !info.isUsed()).toList();
    }

    private BitstreamInfo only() {
        assertThat(listed()).hasSize(1);
        return listed().get(0);
    }

    private Path trustedKey(String name) {
        Path key = root.resolve(name);
        Path publicKey = BitstreamAdmin.generateKey(key);
        config.merge("coral.bitstreams.trust", publicKey.toString(), (all, one) -> all + "," + one);
        return key;
    }

    @Test
    void shouldInstallACopyThatNeedsTheSourceNoMore() throws IOException {
        Files.writeString(source.resolve("notes.txt"), "not the bitstream's");
        Path home = install(source);
        assertThat(names(home)).containsExactly(Manifest.FILE_NAME, BitstreamRecord.FILE_NAME, "scale.cl");
        Files.delete(source.resolve("scale.cl"));
        BitstreamInfo info = only();
        assertThat(info).returns("1.9", BitstreamInfo::version).returns("xilinx/u250", BitstreamInfo::platform)
            .returns(List.of(ID + ".Scale"), BitstreamInfo::accelerators).returns("", BitstreamInfo::signedBy)
            .returns(Set.of(), BitstreamInfo::visibleTo).returns(true, BitstreamInfo::isUsed);
        assertThat(home).isEqualTo(repository.resolve(ID).resolve("1.9").resolve(info.sha256().substring(0, 16)));
    }

    @Test
    void shouldUseTheLatestVersionAndTheOneBeforeWhenItIsRemoved() throws IOException {
        install(source);
        install(source(root.resolve("later"), "1.10"));
        assertThat(listed()).extracting(BitstreamInfo::version).containsExactly("1.10", "1.9");
        admin().remove(Optional.empty(), ID, Optional.of("1.10"));
        assertThat(only().version()).isEqualTo("1.9");
        admin().remove(Optional.empty(), ID, Optional.empty());
        assertThat(listed()).isEmpty();
        assertThat(names(repository)).containsExactly(".lock");
    }

    @Test
    void shouldTakeAnyManifestByItsName() throws IOException {
        Path manifest = Files.move(source.resolve(Manifest.FILE_NAME), source.resolve("other.json"));
        install(manifest);
        assertThat(only().isUsed()).isTrue();
    }

    @Test
    void shouldChangeNothingWhenInstalledAgainAndRefuseOtherContent() throws IOException {
        Path home = install(source);
        assertThat(install(source)).isEqualTo(home);
        Files.writeString(source.resolve("scale.cl"), "__kernel void scale(int other) { }");
        assertThat(failure(() -> install(source)).getMessage()).contains("installed twice", home.toString());
        assertThat(only().isUsed()).isTrue();
    }

    @Test
    void shouldRefuseWhatNoEngineWouldUse() throws IOException {
        Path manifest = source.resolve(Manifest.FILE_NAME);
        Files.writeString(manifest, Files.readString(manifest).replace(ID, "com.inaccel.math.Vector").replace("Scale", "Add"));
        assertThat(failure(() -> install(source)).code()).isEqualTo(ErrorCode.BAD_BITSTREAM);
        source(source, "1.9");
        Files.move(source.resolve("scale.cl"), root.resolve("scale.cl"));
        Files.createSymbolicLink(source.resolve("scale.cl"), root.resolve("scale.cl"));
        assertThat(failure(() -> install(source)).getMessage()).contains("leads out of the bitstream's directory");
        Files.delete(source.resolve("scale.cl"));
        Files.writeString(manifest, Files.readString(manifest).replace("scale.cl", BitstreamRecord.FILE_NAME));
        assertThat(failure(() -> install(source)).getMessage()).contains("field=name");
        assertThat(repository).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(strings = {Manifest.FILE_NAME, "scale.cl", BitstreamRecord.FILE_NAME, Signatures.FILE_NAME})
    void shouldRefuseAnInstalledBitstreamOfWhichAnyFileWasChanged(String name) throws IOException {
        Path home = admin().install(source, Optional.empty(), Optional.of(trustedKey("vendor")), Set.of("red"));
        Path other = install(source(root.resolve("other"), "2.0"));
        assertThat(listed()).allMatch(BitstreamInfo::isUsed);
        String content = Files.readString(home.resolve(name));
        for (String[] change : new String[][] {{"r", "R"}, {"red", "all"}, {" ", "  "}, {"}", "} "}, {"A", "B"}}) {
            String changed = content.replace(change[0], change[1]);
            if (!changed.equals(content)) {
                Files.writeString(home.resolve(name), changed);
                assertThat(listed()).as("%s for %s", change[1], change[0]).filteredOn(BitstreamInfo::isUsed)
                    .extracting(BitstreamInfo::manifest).containsExactly(other.resolve(Manifest.FILE_NAME).toString());
            }
        }
        Files.delete(home.resolve(name));
        if (name.equals(Signatures.FILE_NAME)) {
            assertThat(listed()).extracting(BitstreamInfo::signedBy).containsOnly("");
        } else if (!name.equals(BitstreamRecord.FILE_NAME)) {
            assertThat(listed()).extracting(BitstreamInfo::isUsed).containsExactly(true, false);
        }
        config.put("coral.bitstreams.signatures", "required");
        assertThat(listed()).isNotEmpty().noneMatch(BitstreamInfo::isUsed);
    }

    @Test
    void shouldRequireTheSignatureOfATrustedKey() throws IOException {
        Path trusted = trustedKey("vendor");
        config.put("coral.bitstreams.signatures", "required");
        Path stranger = root.resolve("stranger");
        BitstreamAdmin.generateKey(stranger);
        assertThat(failure(() -> install(source)).getMessage()).contains("not signed", "trusted=[vendor]");
        assertThat(failure(() -> admin().install(source, Optional.empty(), Optional.of(stranger), Set.of())).getMessage())
            .contains("signed by nobody in the trust list");
        admin().install(source, Optional.empty(), Optional.of(trusted), Set.of());
        assertThat(only()).returns("vendor", BitstreamInfo::signedBy).returns(true, BitstreamInfo::isUsed);
        config.put("coral.bitstreams.trust", stranger + ".pub");
        assertThat(only()).returns(false, BitstreamInfo::isUsed);
        config.put("coral.bitstreams.trust", root.resolve("gone").toString());
        assertThat(only().isUsed()).isFalse();
        assertThat(admin().problems()).singleElement().asString().contains("gone");
        config.put("coral.bitstreams.trust", root.toString()); // as a directory of keys
        assertThat(only().isUsed()).isTrue();
        assertThat(admin().list()).filteredOn(info -> info.manifest().startsWith("built-in:"))
            .isNotEmpty().allMatch(BitstreamInfo::isUsed);
    }

    @Test
    void shouldKeepTheSignaturesThatABitstreamComesWith() throws IOException {
        Path vendor = trustedKey("vendor");
        Path operator = trustedKey("operator");
        Path shipped = admin().install(source, Optional.of(root.resolve("vendors")), Optional.of(vendor), Set.of());
        config.put("coral.bitstreams.signatures", "required");
        Path home = install(shipped);
        assertThat(Files.readString(home.resolve(Signatures.FILE_NAME)))
            .isEqualTo(Files.readString(shipped.resolve(Signatures.FILE_NAME)));
        assertThat(only().signedBy()).isEqualTo("vendor");
        admin().remove(Optional.empty(), ID, Optional.empty());
        // Another visibility is another record, which the vendor has not signed.
        assertThat(failure(() -> admin().install(shipped, Optional.empty(), Optional.empty(), Set.of("red"))).getMessage())
            .contains("not signed");
        admin().install(shipped, Optional.empty(), Optional.of(operator), Set.of("red"));
        assertThat(only()).returns("operator", BitstreamInfo::signedBy).returns(Set.of("red"), BitstreamInfo::visibleTo);
    }

    @Test
    void shouldNotSignWithHalvesOfDifferentKeys() throws IOException {
        Path one = trustedKey("one");
        Files.copy(Path.of(trustedKey("two") + ".pub"), Path.of(one + ".pub"),
            java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        assertThat(failure(() -> admin().install(source, Optional.empty(), Optional.of(one), Set.of())).getMessage())
            .contains("signature does not match");
    }

    @Test
    void shouldKeepThePrivateKeyToItsOwnerAndOverwriteNoKey() throws IOException {
        Path key = trustedKey("key");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(key))).isEqualTo("rw-------");
        String before = Files.readString(key);
        assertThat(failure(() -> BitstreamAdmin.generateKey(key)).getMessage()).contains("file=" + key);
        assertThat(Files.readString(key)).isEqualTo(before);
        Files.writeString(Path.of(key + ".pub"), "garbage");
        assertThat(admin().problems()).singleElement().asString().contains("not a key");
    }

    @Test
    void shouldRemoveNothingButInstalledBitstreams() throws IOException {
        install(source);
        Path foreign = Files.createDirectories(repository.resolve("foreign/1.0/data"));
        Files.writeString(foreign.resolve("file"), "precious");
        source(repository.resolve("plain"), "3.0");
        for (String id : List.of("foreign", "plain", "missing")) {
            assertThat(failure(() -> admin().remove(Optional.empty(), id, Optional.empty())).getMessage())
                .contains("not installed here", ID);
        }
        for (String id : List.of("..", ".", "../source", "/", ".lock", "")) {
            assertThat(failure(() -> admin().remove(Optional.empty(), id, Optional.empty())).code())
                .isEqualTo(ErrorCode.INVALID_ARGUMENT);
            assertThat(failure(() -> admin().remove(Optional.empty(), ID, Optional.of(id))).code())
                .isEqualTo(ErrorCode.INVALID_ARGUMENT);
        }
        assertThat(foreign.resolve("file")).hasContent("precious");
        assertThat(listed()).hasSize(2).allMatch(BitstreamInfo::isUsed);
    }

    @Test
    void shouldPrintWhatAManifestDeclares() throws IOException {
        Path manifest = source.resolve(Manifest.FILE_NAME);
        Files.writeString(manifest, Files.readString(manifest).replace("\"int\"", "\"int\", \"max\": 64"));
        assertThat(BitstreamAdmin.parse(source).lines()).contains("bitstream  " + ID + " 1.9", "platform   xilinx/u250 2",
            "accelerator " + ID + ".Scale", "  x: FLOATS READ leastBytes=64", "  y: FLOATS WRITE", "  n: INT max=64")
            .anyMatch(line -> line.matches("file       scale\\.cl bytes=25 sha256=[0-9a-f]{64}"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "null", "[]", "{\"format\":1}",
        "{\"format\":1,\"bitstreamId\":null,\"version\":\"1\",\"platform\":\"x\",\"files\":[null],\"visibleTo\":[null]}",
        "{\"format\":1,\"bitstreamId\":\"\",\"version\":\"1\",\"platform\":\"x\",\"files\":[null],\"visibleTo\":[null]}",
        "{\"format\":1,\"bitstreamId\":\"\",\"version\":\"1\",\"platform\":\"x\",\"files\":[],\"visibleTo\":[\"../x\"]}",
        "{\"format\":2,\"bitstreamId\":\"\",\"version\":\"1\",\"platform\":\"x\",\"files\":[],\"visibleTo\":[]}"})
    void shouldRefuseRecordsThatNobodyWouldWrite(String record) throws IOException {
        Path home = install(source);
        Files.writeString(home.resolve(BitstreamRecord.FILE_NAME), record);
        assertThat(only().isUsed()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"Ed25519", "Ed25519 AAAA AAAA", "RSA AAAA AAAA", "\n", "Ed25519 AA=A= AAAA"})
    void shouldRefuseSignaturesThatNobodyWouldWrite(String signatures) throws IOException {
        Path home = install(source);
        Files.writeString(home.resolve(Signatures.FILE_NAME), signatures, StandardCharsets.US_ASCII);
        assertThat(only().isUsed()).isFalse();
    }

    @Test
    void shouldSayWhereARepositoryIsMissing() {
        config.clear();
        CoralException refusal = failure(() -> install(source));
        assertThat(refusal.getMessage()).contains("key=coral.bitstreams", "--repository");
    }

    private static List<String> names(Path directory) throws IOException {
        try (Stream<Path> children = Files.list(directory)) {
            return children.map(child -> child.getFileName().toString()).sorted().toList();
        }
    }
}
