package com.inaccel.coral.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.inaccel.coral.Coral;
import com.inaccel.coral.bench.SparkWorker.Settings;
import com.inaccel.coral.bench.SparkWorker.Source;
import com.inaccel.coral.bench.support.ChildJvm;
import com.inaccel.coral.bench.support.ManagerProcess;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Starts contestants by name, and ends all of them, newest first. */
final class Contestants implements AutoCloseable {
    static final String CORAL = "coral";
    static final String CORAL_SOCKET = "coral-socket";
    static final String MLLIB = "mllib";
    static final String MLLIB_BEST = "mllib-best";
    static final String SKLEARN = "sklearn";
    static final String FAISS = "faiss";
    static final String KERNEL = "kernel";
    static final List<String> NAMES = List.of(CORAL, CORAL_SOCKET, MLLIB, MLLIB_BEST, SKLEARN, FAISS, KERNEL);

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String PYTHON = "/usr/bin/python3";
    /** netlib's own property: the BLAS it opens. A path that does not exist is how to have none. */
    private static final String NATIVE_BLAS = "-Ddev.ludovic.netlib.blas.nativeLibPath=";
    private static final String NO_BLAS = "/nonexistent";

    private final Path scratch;
    private final String precision;
    private final String heap;
    private final int cores;
    private final boolean install;
    private final List<Contestant> started = new ArrayList<>();
    private final Map<String, String> absent = new LinkedHashMap<>();
    private ManagerProcess manager;
    private int spawned;
    private Path data;

    Contestants(Path scratch, String precision, String heap, int cores, boolean install) {
        this.scratch = scratch;
        this.precision = precision;
        this.heap = heap;
        this.cores = cores;
        this.install = install;
    }

    List<Contestant> started() {
        return started;
    }

    /** Who was wanted but is not installed, with the command that installs it. */
    Map<String, String> absent() {
        return absent;
    }

    /** Starts what the name stands for: one contestant, or one a precision. */
    void start(String name, Workload workload) throws IOException, InterruptedException {
        switch (name) {
            case CORAL -> spark(name, workload, Coral.EMBEDDED, "auto", Source.CACHED_VECTORS, NO_BLAS);
            case CORAL_SOCKET -> spark(name, workload, manager().address(), "auto", Source.CACHED_VECTORS, NO_BLAS);
            case MLLIB -> spark(name, workload, "", "auto", Source.CACHED_VECTORS, NO_BLAS);
            case MLLIB_BEST -> {
                if (isThere(name, "libopenblas0-pthread")) {
                    spark(name, workload, "", "block", Source.CACHED_VECTORS, openBlas().toString());
                }
            }
            case SKLEARN -> {
                if (isThere(name, "python3-sklearn")) {
                    python("sklearn-single", workload, "sklearn", "float32");
                    python("sklearn-double", workload, "sklearn", "float64");
                }
            }
            case FAISS -> {
                if (isThere(name, "python3-faiss")) {
                    python(name, workload, "faiss", "float32");
                }
            }
            case KERNEL -> {
                announce("kernel");
                started.add(KernelLloyd.start(workload, false));
                started.add(KernelLloyd.start(workload, true));
            }
            default -> throw new IllegalArgumentException(
                "unknown contestant: against=" + name + ", known=" + String.join(",", NAMES));
        }
    }

    /** Coral on Spark with rows from this source. */
    Contestant startCoral(Workload workload, Source source) throws IOException {
        return spark(CORAL + "-" + ++spawned, workload, Coral.EMBEDDED, "auto", source, NO_BLAS);
    }

    /** Ends one early, to make room. */
    void end(Contestant contestant) {
        contestant.close();
        started.remove(contestant);
    }

    private Contestant spark(String name, Workload workload, String address, String solver, Source source, String blas)
            throws IOException {
        announce(name);
        Path directory = Files.createDirectories(scratch.resolve(name));
        Path settings = directory.resolve("settings.json");
        JSON.writeValue(settings.toFile(),
            new Settings(workload, address, precision, solver, source, cores, directory.toString()));
        ProcessBuilder command = ChildJvm.of(SparkWorker.class.getName(),
            List.of("-Xmx" + heap, NATIVE_BLAS + blas, "-Djava.io.tmpdir=" + directory), List.of(settings.toString()));
        // One task a core calls BLAS: threads inside it would only get in each other's way.
        command.environment().put("OPENBLAS_NUM_THREADS", "1");
        Contestant contestant = Worker.start(name, command, directory, workload.features());
        started.add(contestant);
        return contestant;
    }

    private void python(String name, Workload workload, String library, String dtype) throws IOException {
        announce(name);
        Path directory = Files.createDirectories(scratch.resolve(name));
        Path script = directory.resolve("peers.py");
        try (InputStream source = Contestants.class.getResourceAsStream("peers.py")) {
            Files.copy(source, script);
        }
        if (data == null) {
            data = scratch.resolve("rows.f64");
            workload.write(data);
        }
        Path settings = directory.resolve("settings.json");
        JSON.writeValue(settings.toFile(), Map.of("library", library, "dtype", dtype, "data", data.toString(),
            "rows", workload.rows(), "features", workload.features(), "k", workload.k(),
            "iterations", workload.iterations(), "seed", workload.seed(),
            "centers", directory.resolve("centers.f64").toString()));
        started.add(Worker.start(name, new ProcessBuilder(PYTHON, script.toString(), settings.toString()), directory,
            workload.features()));
    }

    private ManagerProcess manager() throws IOException, InterruptedException {
        if (manager == null) {
            manager = ManagerProcess.start(scratch.resolve("node"), "");
        }
        return manager;
    }

    private boolean isThere(String name, String debianPackage) throws IOException, InterruptedException {
        String remedy = DebianPackages.missing(List.of(debianPackage), install);
        if (!remedy.isEmpty()) {
            absent.put(name, remedy);
        }
        return remedy.isEmpty();
    }

    /** Where Debian puts it, on whatever architecture. */
    private static Path openBlas() throws IOException {
        try (DirectoryStream<Path> architectures = Files.newDirectoryStream(Path.of("/usr/lib"), "*-linux-gnu")) {
            for (Path architecture : architectures) {
                Path library = architecture.resolve("openblas-pthread/libopenblas.so.0");
                if (Files.exists(library)) {
                    return library;
                }
            }
        }
        throw new IOException("libopenblas0-pthread is installed, but not where Debian puts it: "
            + "path=/usr/lib/*-linux-gnu/openblas-pthread/libopenblas.so.0");
    }

    private static void announce(String name) {
        System.err.println("loading and warming up " + name + " ...");
    }

    @Override
    public void close() {
        for (int index = started.size() - 1; index >= 0; index--) {
            started.get(index).close();
        }
        started.clear();
        if (manager != null) {
            manager.close();
        }
    }
}
