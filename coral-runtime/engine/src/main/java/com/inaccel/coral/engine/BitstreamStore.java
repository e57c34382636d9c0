package com.inaccel.coral.engine;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.accelerators.Accelerator;
import com.inaccel.coral.accelerators.Accelerator.Parameter;
import com.inaccel.coral.accelerators.Catalogue;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** All bitstreams that are installed: the built-in ones and those in the configured directories. Immutable. */
final class BitstreamStore {
    private final List<Bitstream> bitstreams;

    private BitstreamStore(List<Bitstream> bitstreams) {
        this.bitstreams = bitstreams.stream()
            .sorted(Comparator.comparing(Bitstream::version).reversed()).toList();
    }

    /**
     * @param directories each a bitstream's directory, or a directory of such
     * @throws CoralException BAD_BITSTREAM naming file and field
     */
    static BitstreamStore load(List<Path> directories) {
        Map<String, Accelerator> catalogue = Catalogue.all();
        List<Bitstream> found = new ArrayList<>();
        for (String manifest : Catalogue.manifests()) {
            found.add(resource(manifest, catalogue));
        }
        for (Path directory : directories) {
            for (Path home : homes(directory)) {
                found.add(directory(home, catalogue));
            }
        }
        requireDistinct(found);
        requireOneSignature(found);
        return new BitstreamStore(found);
    }

    List<Bitstream> all() {
        return bitstreams;
    }

    Set<String> accelerators() {
        Set<String> names = new LinkedHashSet<>();
        bitstreams.forEach(bitstream -> bitstream.kernels().forEach(kernel -> names.add(kernel.accelerator().name())));
        return names;
    }

    /** Those that implement the accelerator and that a device accepts, the latest version first. */
    List<Bitstream> implementing(String accelerator, Predicate<Bitstream> accepted) {
        return bitstreams.stream()
            .filter(bitstream -> bitstream.kernels().stream()
                .anyMatch(kernel -> kernel.accelerator().name().equals(accelerator)))
            .filter(accepted).toList();
    }

    private static Bitstream resource(String manifest, Map<String, Accelerator> catalogue) {
        String home = manifest.substring(0, manifest.lastIndexOf('/') + 1);
        String origin = "built-in:" + manifest;
        return Manifest.read(origin, readOrBad(origin, () -> resourceBytes(manifest)),
            name -> resourceBytes(Catalogue.class.getResource(home + name) == null ? name : home + name), catalogue);
    }

    private static byte[] resourceBytes(String name) throws IOException {
        try (InputStream in = Catalogue.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new FileNotFoundException("no such resource: " + name);
            }
            return in.readAllBytes();
        }
    }

    private static Bitstream directory(Path home, Map<String, Accelerator> catalogue) {
        Path manifest = home.resolve(Manifest.FILE_NAME);
        return Manifest.read(manifest.toString(), readOrBad(manifest.toString(), () -> Files.readAllBytes(manifest)),
            name -> Files.readAllBytes(home.resolve(name)), catalogue);
    }

    private static List<Path> homes(Path directory) {
        if (Manifest.isIn().test(directory)) {
            return List.of(directory);
        }
        try (Stream<Path> children = Files.list(directory)) {
            return children.filter(Manifest.isIn()).sorted().toList();
        } catch (IOException e) {
            throw new CoralException(ErrorCode.BAD_BITSTREAM,
                "directory of bitstreams cannot be read: directory=" + directory + ", problem=" + e.getMessage()
                    + "; correct " + EngineConfig.Key.BITSTREAMS.id(), e);
        }
    }

    /** Several bitstreams may share an id, each with kernels of its own. */
    private static void requireDistinct(List<Bitstream> found) {
        Set<List<Object>> seen = new HashSet<>();
        for (Bitstream bitstream : found) {
            for (Bitstream.Kernel kernel : bitstream.kernels()) {
                String name = kernel.accelerator().name();
                if (!seen.add(List.of(name, bitstream.version(), bitstream.platform()))) {
                    throw new CoralException(ErrorCode.BAD_BITSTREAM,
                        "accelerator installed twice: accelerator=" + name + ", version=" + bitstream.version().text()
                            + ", platform=" + bitstream.platform() + ", manifest=" + bitstream.origin()
                            + "; remove one, or raise its version");
                }
            }
        }
    }

    /** A request is checked before its device is chosen, so all that implement an accelerator must agree. */
    private static void requireOneSignature(List<Bitstream> found) {
        Map<String, Bitstream.Kernel> first = new HashMap<>();
        for (Bitstream bitstream : found) {
            for (Bitstream.Kernel kernel : bitstream.kernels()) {
                Accelerator accelerator = kernel.accelerator();
                Accelerator other = first.computeIfAbsent(accelerator.name(), name -> kernel).accelerator();
                if (!sameTypes(other.parameters(), accelerator.parameters())) {
                    throw new CoralException(ErrorCode.BAD_BITSTREAM,
                        "signature differs from an installed bitstream's: accelerator=" + accelerator.name()
                            + ", manifest=" + bitstream.origin() + ", here=" + accelerator.parameters() + ", there="
                            + other.parameters() + "; use one signature, or another kernelId");
                }
            }
        }
    }

    private static boolean sameTypes(List<Parameter> some, List<Parameter> others) {
        return some.size() == others.size() && IntStream.range(0, some.size()).allMatch(i ->
            some.get(i).type() == others.get(i).type() && some.get(i).access() == others.get(i).access());
    }

    private interface Reading {
        byte[] bytes() throws IOException;
    }

    private static byte[] readOrBad(String origin, Reading reading) {
        try {
            return reading.bytes();
        } catch (IOException e) {
            throw new CoralException(ErrorCode.BAD_BITSTREAM,
                "manifest cannot be read: manifest=" + origin + ", problem=" + e.getMessage()
                    + "; restore it or remove the bitstream", e);
        }
    }
}
