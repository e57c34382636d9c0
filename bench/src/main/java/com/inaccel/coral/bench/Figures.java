package com.inaccel.coral.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;

/** All figures of one run, with the command and the machine that made them. */
public final class Figures {
    private Figures() { }

    /** Prints what it runs on. */
    public static Map<String, Object> begin(CommandSpec spec) throws IOException {
        Map<String, Object> figures = new LinkedHashMap<>();
        figures.put("command", "bench " + String.join(" ", spec.commandLine().getParseResult().originalArgs()));
        Map<String, String> machine = Machine.describe();
        figures.put("machine", machine);
        System.out.println("machine: " + machine);
        return figures;
    }

    public static void write(Map<String, Object> figures, Path file) throws IOException {
        if (file.toAbsolutePath().getParent() != null) {
            Files.createDirectories(file.toAbsolutePath().getParent());
        }
        new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValue(file.toFile(), figures);
        System.out.println("all figures: " + file);
    }
}
