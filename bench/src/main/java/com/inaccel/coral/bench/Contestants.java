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

/** Starts contestants, and ends all of them, newest first. */
final class Contestants implements AutoCloseable {
    static final String CORAL = "coral";
    static final String CORAL_SOCKET = "coral-socket";
    static final String MLLIB = "mllib";
    static final String SKLEARN = "sklearn";
    static final String KERNEL = "kernel";

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String PYTHON = "/usr/bin/python3";
    /** netlib's own property: the BLAS it opens. A path that does not exist is how to have none. */
    private static final String NATIVE_BLAS = "-Ddev.ludovic.netlib.blas.nativeLibPath=";
    private static final String NO_BLAS = "/nonexistent";
    private static final String DEFAULT_SOLVER = "auto";

    private final Path scratch;
    private final String precision;
    private final String heap;
    private final int cores;
    private final double warmUpSeconds;
    private final boolean install;
    private final List<Contestant> started = new ArrayList<>();
    private final Map<String, String> absent = new LinkedHashMap<>();
    private ManagerProcess manager;
    private int spawned;

    Contestants(Path scratch, String precision, String heap, int cores, double warmUpSeconds, boolean install) {
        this.scratch = scratch;
        this.precision = precision;
        this.heap = heap;
        this.cores = cores;
        this.warmUpSeconds = warmUpSeconds;
        this.install = install;
    }

    List<Contestant> started() {
        return started;
    }

    /** Who was wanted but is not installed, with the command that installs it. */
    Map<String, String> absent() {
        return absent;
    }

    /** Where they may write; gone after the run. */
    Path scratch() {
        return scratch;
    }

    /** Coral inside the executors. */
    void startCoral(Class<? extends SparkWorker> worker, Workload workload) throws IOException {
        spark(CORAL, worker, workload, Coral.EMBEDDED, DEFAULT_SOLVER, Source.CACHED_VECTORS, NO_BLAS);
    }

    /** Coral behind a node manager of its own. */
    void startCoralSocket(Class<? extends SparkWorker> worker, Workload workload)
            throws IOException, InterruptedException {
        spark(CORAL_SOCKET, worker, workload, manager().address(), DEFAULT_SOLVER, Source.CACHED_VECTORS, NO_BLAS);
    }

    /** MLlib with native BLAS kept off, as it is where nobody has installed one. */
    void startMllib(Class<? extends SparkWorker> worker, Workload workload) throws IOException {
        spark(MLLIB, worker, workload, "", DEFAULT_SOLVER, Source.CACHED_VECTORS, NO_BLAS);
    }

    /** MLlib with OpenBLAS and with this solver, where the estimator has that parameter. */
    void startMllibWithBlas(String name, Class<? extends SparkWorker> worker, Workload workload, String solver)
            throws IOException, InterruptedException {
        if (isThere(name, "libopenblas0-pthread")) {
            spark(name, worker, workload, "", solver, Source.CACHED_VECTORS, openBlas().toString());
        }
    }

    /** One that runs in this process. */
    void add(Contestant contestant) {
        started.add(contestant);
    }

    /** Coral on Spark with rows from this source. */
    Contestant startCoral(Class<? extends SparkWorker> worker, Workload workload, Source source) throws IOException {
        return spark(CORAL + "-" + ++spawned, worker, workload, Coral.EMBEDDED, DEFAULT_SOLVER, source, NO_BLAS);
    }

    /** Ends one early, to make room. */
    void end(Contestant contestant) {
        contestant.close();
        started.remove(contestant);
    }

    private Contestant spark(String name, Class<? extends SparkWorker> worker, Workload workload, String address,
            String solver, Source source, String blas) throws IOException {
        announce(name);
        Path directory = Files.createDirectories(scratch.resolve(name));
        Path settings = directory.resolve("settings.json");
        JSON.writeValue(settings.toFile(), new Settings(JSON.valueToTree(workload), address, precision, solver, source, cores,
            warmUpSeconds, directory.toString()));
        ProcessBuilder command = ChildJvm.of(worker.getName(),
            List.of("-Xmx" + heap, NATIVE_BLAS + blas, "-Djava.io.tmpdir=" + directory), List.of(settings.toString()));
        // One task a core calls BLAS: threads inside it would only get in each other's way.
        command.environment().put("OPENBLAS_NUM_THREADS", "1");
        Contestant contestant = Worker.start(name, command, directory);
        started.add(contestant);
        return contestant;
    }

    /**
     * A Python process that runs {@code peers.py}.
     *
     * @param settings what that expects, but for where its models go
     */
    void python(String name, Map<String, ?> settings) throws IOException {
        announce(name);
        Path directory = Files.createDirectories(scratch.resolve(name));
        Path script = directory.resolve("peers.py");
        try (InputStream source = Contestants.class.getResourceAsStream("peers.py")) {
            Files.copy(source, script);
        }
        Map<String, Object> all = new LinkedHashMap<>(settings);
        all.put("models", directory.resolve("models.f64").toString());
        Path file = directory.resolve("settings.json");
        JSON.writeValue(file.toFile(), all);
        started.add(Worker.start(name, new ProcessBuilder(PYTHON, script.toString(), file.toString()), directory));
    }

    private ManagerProcess manager() throws IOException, InterruptedException {
        if (manager == null) {
            manager = ManagerProcess.start(scratch.resolve("node"), List.of());
        }
        return manager;
    }

    /** False, and said so at the end, where the package is missing. */
    boolean isThere(String name, String debianPackage) throws IOException, InterruptedException {
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

    static void announce(String name) {
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
