package com.inaccel.coral.functions.local;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** A function host on this machine in a process of its own, as a container would run it. */
public final class LocalFunction implements AutoCloseable {
    private static final Pattern LISTENING = Pattern.compile("listening on (http\\S+)");

    private final LocalProcess process;

    private LocalFunction(LocalProcess process) {
        this.process = process;
    }

    /**
     * Starts {@code run} and returns when it listens, at a port that is free; the caller closes.
     *
     * @param home functions/target, as the build leaves it
     * @param coral address of the accelerators
     * @param environment of the host and its function
     * @param options of java
     */
    public static LocalFunction start(Path home, String coral, Map<String, String> environment, String... options)
            throws IOException {
        List<String> arguments = new ArrayList<>(List.of(options));
        Path archive = home.resolve("classes.jsa");
        if (Files.isReadable(archive)) {
            arguments.add("-XX:SharedArchiveFile=" + archive);
        }
        arguments.addAll(List.of("-cp", classPath(home), "com.inaccel.coral.functions.Main", "run", "--port", "0", "--coral",
            coral));
        Map<String, String> all = new HashMap<>(Map.of("AWS_ACCESS_KEY_ID", LocalS3.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY",
            LocalS3.SECRET_KEY, "AWS_REGION", "us-east-1"));
        all.putAll(environment);
        return new LocalFunction(LocalProcess.start(arguments, all, LISTENING));
    }

    private static String classPath(Path home) throws IOException {
        Path list = home.resolve("class-path.txt");
        try (DirectoryStream<Path> jars = Files.newDirectoryStream(home, "coral-functions-*.jar")) {
            Iterator<Path> jar = jars.iterator();
            if (!jar.hasNext() || !Files.isReadable(list)) {
                throw new IOException("no function host to start: directory=" + home + "; build functions first");
            }
            return jar.next() + File.pathSeparator + Files.readString(list).trim();
        }
    }

    /** Where it listens. */
    public URI address() {
        return URI.create(process.ready());
    }

    public long pid() {
        return process.pid();
    }

    /** As the kernel does it when memory runs out: with no chance to clean up. */
    public void kill() {
        process.kill();
    }

    @Override
    public void close() {
        process.close();
    }
}
