package com.inaccel.coral.engine;

import static java.util.stream.Collectors.joining;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.accelerators.Accelerator.Parameter;
import com.inaccel.coral.engine.EngineConfig.Key;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Installs, removes and examines bitstreams, for who administers a node. Engines that watch the same repositories, in this
 * process or others, notice.
 */
public final class BitstreamAdmin {
    private final List<Path> repositories;
    private final Signatures signatures;

    /** @param config of which the keys about bitstreams count */
    public BitstreamAdmin(EngineConfig config) {
        repositories = config.paths(Key.BITSTREAMS);
        signatures = Signatures.of(config);
    }

    /** What of the trust list cannot be read, and is not trusted. */
    public List<String> problems() {
        return signatures.problems();
    }

    /** All that an engine with this configuration would find, each checked against its record and signatures. */
    public List<BitstreamInfo> list() {
        return store(List.of()).describe();
    }

    /**
     * Installs a copy, all of it or nothing.
     *
     * @param source a directory with a {@code bitstream.json}, or another manifest
     * @param repository empty: the first that is configured
     * @param privateKey signs what is installed; without it the source's own signatures are kept, if it has any
     * @param visibleTo names of allocations; empty: what the source's record says, else all
     * @return where it is
     * @throws CoralException BAD_BITSTREAM when no engine with this configuration would use it
     */
    public Path install(Path source, Optional<Path> repository, Optional<Path> privateKey, Set<String> visibleTo) {
        BitstreamDirectory directory = BitstreamDirectory.read(source);
        BitstreamRecord given = directory.record();
        byte[] record = visibleTo.isEmpty() ? directory.recordBytes()
            : BitstreamRecord.of(directory.bitstream(), directory.files(), visibleTo).bytes();
        boolean same = visibleTo.isEmpty() || List.copyOf(new TreeSet<>(visibleTo)).equals(given.visibleTo());
        byte[] kept = same ? directory.signatures() : new byte[0];
        byte[] signed = privateKey.map(key -> append(kept, Signatures.sign(key, record))).orElse(kept);
        signatures.signer(directory.origin(), record, signed);
        Path target = repositoryOr(repository);
        return new BitstreamRepository(target).install(directory, record, signed,
            () -> store(List.of(target)).requireCompatible(directory.bitstream()));
    }

    /**
     * Removes a version, or all. What an engine is running with it ends undisturbed.
     *
     * @param repository empty: the first that is configured
     */
    public void remove(Optional<Path> repository, String bitstreamId, Optional<String> version) {
        new BitstreamRepository(repositoryOr(repository)).remove(bitstreamId, version);
    }

    /** Writes a new key pair: the private one to the file, the public one beside it. @return the public one's file */
    public static Path generateKey(Path privateKeyFile) {
        return Signatures.generate(privateKeyFile);
    }

    /**
     * What a manifest declares, for people.
     *
     * @param source a directory with a {@code bitstream.json}, or another manifest
     */
    public static String parse(Path source) {
        BitstreamDirectory directory = BitstreamDirectory.read(source);
        Bitstream bitstream = directory.bitstream();
        List<String> lines = new ArrayList<>(List.of(
            "bitstream  " + bitstream.bitstreamId() + " " + bitstream.version().text(),
            "platform   " + bitstream.platform() + " " + bitstream.platform().version()));
        directory.files().forEach((name, content) -> lines.add(
            "file       " + name + " bytes=" + content.length + " sha256=" + BitstreamRecord.sha256(content)));
        for (Bitstream.Kernel kernel : bitstream.kernels()) {
            lines.add("accelerator " + kernel.accelerator().name() + (kernel.builtIn() ? " (in the catalogue)" : ""));
            List<Parameter> parameters = kernel.accelerator().parameters();
            IntStream.range(0, parameters.size()).forEach(i -> lines.add("  " + describe(kernel, parameters.get(i), i)));
        }
        return lines.stream().collect(joining("\n"));
    }

    private static String describe(Bitstream.Kernel kernel, Parameter parameter, int index) {
        String least = kernel.accelerator() instanceof UserAccelerator user && user.leastBytes().get(index) > 0
            ? " leastBytes=" + user.leastBytes().get(index) : "";
        return parameter.name() + ": " + parameter.type()
            + (parameter.type().isArray() ? " " + parameter.access() : "") + least
            + (kernel.limits(index) ? " max=" + kernel.greatest().get(index) : "");
    }

    private BitstreamStore store(List<Path> more) {
        List<Path> all = Stream.concat(repositories.stream(), more.stream()).map(path -> path.toAbsolutePath().normalize())
            .distinct().toList();
        return BitstreamStore.builtIn().reload(all, signatures);
    }

    private Path repositoryOr(Optional<Path> repository) {
        return repository.or(() -> repositories.stream().findFirst()).orElseThrow(() ->
            new CoralException(ErrorCode.INVALID_ARGUMENT, "no repository: key=" + Key.BITSTREAMS.id()
                + "; configure one, or name it with --repository"));
    }

    private static byte[] append(byte[] lines, String line) {
        return (new String(lines, StandardCharsets.US_ASCII) + line).getBytes(StandardCharsets.US_ASCII);
    }
}
