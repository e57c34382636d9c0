package com.inaccel.coral.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * A contestant in a process of its own, so that neither heaps nor just-in-time compilers nor BLAS libraries meet.
 *
 * <p>It answers lines with lines. First, when its data are loaded and it has warmed up: {@code {"about": {...}}}. Then to
 * each line {@code fit ITERATIONS MODELS}: {@code {"seconds": s, "iterations": n, "models": PATH, "length": l, "details":
 * {...}}}, where the file holds little-endian doubles, l of each model. It ends when its input does. Its standard error goes
 * to a file.
 */
final class Worker implements Contestant {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int SECONDS_TO_END = 10;
    private static final int KEPT_LINES = 30;

    private final String name;
    private final Process process;
    private final Path log;
    private final BufferedReader replies;
    private final Writer commands;
    private Map<String, String> about = Map.of();

    private Worker(String name, Process process, Path log) {
        this.name = name;
        this.process = process;
        this.log = log;
        this.replies = process.inputReader();
        this.commands = process.outputWriter();
    }

    /** Returns when it is ready to be timed. */
    static Worker start(String name, ProcessBuilder command, Path scratch) throws IOException {
        Path log = scratch.resolve(name + ".log");
        Process process = command.redirectError(log.toFile()).start();
        Worker worker = new Worker(name, process, log);
        try {
            worker.about = strings(worker.reply().path("about"));
            return worker;
        } catch (RuntimeException failure) {
            worker.close();
            throw failure;
        }
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Map<String, String> about() {
        return about;
    }

    @Override
    public Outcome fit(Order order) {
        try {
            commands.write("fit " + order.iterations() + " " + order.models() + "\n");
            commands.flush();
            JsonNode reply = reply();
            Map<String, Double> details = new LinkedHashMap<>();
            reply.path("details").fields().forEachRemaining(
                field -> details.put(field.getKey(), field.getValue().asDouble()));
            return new Outcome(reply.required("seconds").asDouble(), reply.required("iterations").asInt(),
                models(Path.of(reply.required("models").asText()), reply.required("length").asInt()), details);
        } catch (IOException broken) {
            throw new IllegalStateException(failure("went away"), broken);
        }
    }

    private JsonNode reply() {
        try {
            String line = replies.readLine();
            if (line == null) {
                throw new IllegalStateException(failure("ended before it answered"));
            }
            return JSON.readTree(line);
        } catch (IOException malformed) {
            throw new IllegalStateException(failure("answered with something else than JSON"), malformed);
        }
    }

    private String failure(String what) {
        try {
            List<String> lines = Files.readAllLines(log);
            return "contestant " + what + ": name=" + name + "; its last output:\n"
                + String.join("\n", lines.subList(Math.max(0, lines.size() - KEPT_LINES), lines.size()));
        } catch (IOException unreadable) {
            return "contestant " + what + ": name=" + name + ", log=" + unreadable;
        }
    }

    private static double[][] models(Path file, int length) throws IOException {
        DoubleBuffer values = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN).asDoubleBuffer();
        double[][] models = new double[values.remaining() / length][length];
        for (double[] model : models) {
            values.get(model);
        }
        return models;
    }

    private static Map<String, String> strings(JsonNode object) {
        Map<String, String> strings = new LinkedHashMap<>();
        object.fields().forEachRemaining(field -> strings.put(field.getKey(), field.getValue().asText()));
        return strings;
    }

    /** Ends its input, which it takes as the end; insists after a while. */
    @Override
    public void close() {
        try {
            commands.close();
        } catch (IOException alreadyGone) {
            // Then there is nobody to tell.
        }
        try {
            if (!process.waitFor(SECONDS_TO_END, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (InterruptedException stop) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
