package com.inaccel.coral.engine;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.accelerators.Accelerator;
import com.inaccel.coral.accelerators.Accelerator.Parameter;
import com.inaccel.coral.accelerators.Catalogue;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * All bitstreams that are installed: the built-in ones and those in the configured directories. One that is broken,
 * untrusted or at odds with another is left out, and does not hurt the others. Immutable.
 */
final class BitstreamStore {
    /** Of directories below a repository: id, version, hash. */
    private static final int DEPTH = 3;

    private final List<Stored> stored;
    private final List<BitstreamInfo> refused;

    /** What is in use. Whatever is loaded again unchanged keeps its bitstream, which devices know by identity. */
    private record Stored(Bitstream bitstream, BitstreamRecord record, String sha256, String signer) { }

    private BitstreamStore(List<Stored> stored, List<BitstreamInfo> refused) {
        this.stored = stored.stream()
            .sorted(Comparator.comparing((Stored one) -> one.bitstream.version()).reversed()).toList();
        this.refused = List.copyOf(refused);
    }

    static BitstreamStore builtIn() {
        Map<String, Accelerator> catalogue = Catalogue.all();
        List<Stored> found = new ArrayList<>();
        for (String manifest : Catalogue.manifests()) {
            Bitstream bitstream = resource(manifest, catalogue);
            requireCompatible(bitstream, found);
            found.add(new Stored(bitstream, BitstreamRecord.of(bitstream, Map.of(), Set.of()), "", ""));
        }
        return new BitstreamStore(found, List.of());
    }

    /** @param directories each a repository, a directory of bitstreams' directories, or a bitstream's directory */
    BitstreamStore reload(List<Path> directories, Signatures signatures) {
        List<Stored> found = new ArrayList<>(stored.stream().filter(BitstreamStore::isBuiltIn).toList());
        List<BitstreamInfo> problems = new ArrayList<>();
        for (Path directory : directories) {
            try {
                for (Path home : homes(directory)) {
                    load(home, signatures, found, problems);
                }
            } catch (IOException | UncheckedIOException e) {
                problems.add(refusal(directory.toString(), "directory of bitstreams cannot be read: directory=" + directory
                    + ", problem=" + e + "; correct " + EngineConfig.Key.BITSTREAMS.id()));
            }
        }
        return new BitstreamStore(found, problems);
    }

    private void load(Path home, Signatures signatures, List<Stored> found, List<BitstreamInfo> problems) {
        Optional<BitstreamDirectory> directory = Optional.empty();
        try {
            directory = Optional.of(BitstreamDirectory.read(home));
            found.add(checked(directory.get(), signatures, found));
        } catch (CoralException e) {
            problems.add(directory.map(readable -> new BitstreamInfo(readable.origin(),
                    readable.bitstream().bitstreamId(), readable.bitstream().version().text(),
                    readable.bitstream().platform().toString(), names(readable.bitstream()), "", "", Set.of(),
                    e.getMessage()))
                .orElseGet(() -> refusal(home.resolve(Manifest.FILE_NAME).toString(), e.getMessage())));
        }
    }

    private Stored checked(BitstreamDirectory directory, Signatures signatures, List<Stored> others) {
        BitstreamRecord record = directory.record();
        byte[] bytes = directory.recordBytes();
        String signer = signatures.signer(directory.origin(), bytes, directory.signatures());
        String sha256 = BitstreamRecord.sha256(bytes);
        requireCompatible(directory.bitstream(), others);
        Bitstream bitstream = stored.stream()
            .filter(old -> old.sha256.equals(sha256) && old.bitstream.origin().equals(directory.origin()))
            .map(Stored::bitstream).findFirst().orElse(directory.bitstream());
        return new Stored(bitstream, record, sha256, signer);
    }

    /** @throws CoralException BAD_BITSTREAM when it cannot be used beside what is installed */
    void requireCompatible(Bitstream bitstream) {
        requireCompatible(bitstream, stored);
    }

    /** With those that are not used at the end. */
    List<BitstreamInfo> describe() {
        List<BitstreamInfo> all = new ArrayList<>();
        for (Stored one : stored) {
            Bitstream bitstream = one.bitstream;
            all.add(new BitstreamInfo(bitstream.origin(), bitstream.bitstreamId(), bitstream.version().text(),
                bitstream.platform().toString(), names(bitstream), one.sha256, one.signer,
                Set.copyOf(one.record.visibleTo()), ""));
        }
        all.addAll(refused);
        return all;
    }

    List<BitstreamInfo> refused() {
        return refused;
    }

    List<Bitstream> all() {
        return stored.stream().map(Stored::bitstream).toList();
    }

    /** What everybody sees, and what the allocation does besides. */
    List<Bitstream> visibleTo(String allocation) {
        return stored.stream().filter(one -> one.record.isVisibleTo(allocation)).map(Stored::bitstream).toList();
    }

    /** Those that see more than everybody does. */
    Set<String> privilegedAllocations() {
        Set<String> names = new TreeSet<>();
        stored.forEach(one -> names.addAll(one.record.visibleTo()));
        return names;
    }

    /** The names that they implement. */
    static Set<String> accelerators(List<Bitstream> bitstreams) {
        Set<String> names = new LinkedHashSet<>();
        bitstreams.forEach(bitstream -> names.addAll(names(bitstream)));
        return names;
    }

    /** Those that implement the accelerator and that a device accepts, the latest version first. */
    List<Bitstream> implementing(String accelerator, Predicate<Bitstream> accepted) {
        return implementing(all(), accelerator, accepted);
    }

    static List<Bitstream> implementing(List<Bitstream> bitstreams, String accelerator, Predicate<Bitstream> accepted) {
        return bitstreams.stream().filter(bitstream -> names(bitstream).contains(accelerator)).filter(accepted).toList();
    }

    /**
     * Changes whenever a file below one of the paths is added, removed, replaced or written. Cheap: it reads no content.
     *
     * @param paths repositories, and files and directories of keys
     */
    static List<String> stamp(List<Path> paths) {
        List<String> stamp = new ArrayList<>();
        for (Path path : paths) {
            try (Stream<Path> below = Files.walk(path, DEPTH + 1, FileVisitOption.FOLLOW_LINKS)) {
                for (Path file : (Iterable<Path>) below.filter(file -> !isHidden(path.relativize(file)))::iterator) {
                    BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
                    stamp.add(file + " " + attributes.fileKey() + " " + attributes.size() + " "
                        + attributes.lastModifiedTime());
                }
            } catch (IOException | UncheckedIOException e) {
                stamp.add(path + " " + e);
            }
        }
        return stamp;
    }

    /** What is being installed or removed is no reason to look again yet. */
    private static boolean isHidden(Path below) {
        return below.getName(0).toString().startsWith(".");
    }

    private static List<String> names(Bitstream bitstream) {
        return bitstream.kernels().stream().map(kernel -> kernel.accelerator().name()).toList();
    }

    private static boolean isBuiltIn(Stored one) {
        return one.sha256.isEmpty();
    }

    private static BitstreamInfo refusal(String manifest, String problem) {
        return new BitstreamInfo(manifest, "", "", "", List.of(), "", "", Set.of(), problem);
    }

    private static Bitstream resource(String manifest, Map<String, Accelerator> catalogue) {
        String home = manifest.substring(0, manifest.lastIndexOf('/') + 1);
        String origin = "built-in:" + manifest;
        return Manifest.read(origin, readOrBad(origin, () -> resourceBytes(manifest)),
            // What several share comes first: a class path may still hold an older copy beside the manifest.
            name -> resourceBytes(Catalogue.class.getResource(name) == null ? home + name : name), catalogue);
    }

    private static byte[] resourceBytes(String name) throws IOException {
        try (InputStream in = Catalogue.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new FileNotFoundException("no such resource: " + name);
            }
            return in.readAllBytes();
        }
    }

    private static List<Path> homes(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            throw new NotDirectoryException(directory.toString());
        }
        if (Manifest.isIn().test(directory)) {
            return List.of(directory);
        }
        List<Path> homes = new ArrayList<>();
        for (Path child : visible(directory)) {
            if (Manifest.isIn().test(child)) {
                homes.add(child);
            } else {
                for (Path version : visible(child)) {
                    visible(version).stream()
                        .filter(home -> Manifest.isIn().test(home) || Files.exists(home.resolve(BitstreamRecord.FILE_NAME)))
                        .forEach(homes::add);
                }
            }
        }
        return homes;
    }

    private static List<Path> visible(Path directory) throws IOException {
        try (Stream<Path> children = Files.list(directory)) {
            return children.filter(child -> !isHidden(child.getFileName())).sorted().toList();
        } catch (NoSuchFileException | NotDirectoryException e) {
            return List.of(); // a file, or removed meanwhile
        }
    }

    /** Several bitstreams may share an id, each with kernels of its own; all that implement an accelerator must agree. */
    private static void requireCompatible(Bitstream bitstream, List<Stored> others) {
        for (Bitstream.Kernel kernel : bitstream.kernels()) {
            Accelerator accelerator = kernel.accelerator();
            for (Stored other : others) {
                other.bitstream.kernels().stream().map(Bitstream.Kernel::accelerator)
                    .filter(there -> there.name().equals(accelerator.name()))
                    .forEach(there -> requireCompatible(bitstream, accelerator, other.bitstream, there));
            }
        }
    }

    private static void requireCompatible(Bitstream bitstream, Accelerator here, Bitstream other, Accelerator there) {
        if (bitstream.version().equals(other.version()) && bitstream.platform().equals(other.platform())) {
            throw new CoralException(ErrorCode.BAD_BITSTREAM,
                "accelerator installed twice: accelerator=" + here.name() + ", version=" + bitstream.version().text()
                    + ", platform=" + bitstream.platform() + ", manifest=" + bitstream.origin() + ", other="
                    + other.origin() + "; remove one, or raise its version");
        }
        // A request is checked before its device is chosen.
        if (!sameTypes(here.parameters(), there.parameters())) {
            throw new CoralException(ErrorCode.BAD_BITSTREAM,
                "signature differs from an installed bitstream's: accelerator=" + here.name() + ", manifest="
                    + bitstream.origin() + ", here=" + here.parameters() + ", other=" + other.origin() + ", there="
                    + there.parameters() + "; use one signature, or another kernelId");
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
