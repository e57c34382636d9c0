package com.inaccel.coral.bench.support;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** How to start another JVM like this one: same Java and compilers, same class path, same opened modules. */
public final class ChildJvm {
    private ChildJvm() { }

    public static ProcessBuilder of(String mainClass, List<String> jvmOptions, List<String> arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(passedOn(ManagementFactory.getRuntimeMXBean().getInputArguments()));
        command.addAll(jvmOptions);
        command.add("-cp");
        command.add(System.getProperty("java.class.path"));
        command.add(mainClass);
        command.addAll(arguments);
        return new ProcessBuilder(command);
    }

    /** Lives no longer than this process, however that ends: see {@link Leash}. Standard input must stay a pipe. */
    public static ProcessBuilder leashed(String mainClass, List<String> jvmOptions, List<String> arguments) {
        List<String> leashed = new ArrayList<>(arguments);
        leashed.add(0, mainClass);
        return of(Leash.class.getName(), jvmOptions, leashed);
    }

    /** Heap sizes, agents and the like belong to this JVM alone; what opens modules for Spark, and how to compile, to all. */
    static List<String> passedOn(List<String> inputArguments) {
        return inputArguments.stream()
            .filter(argument -> argument.startsWith("--add-") || argument.startsWith("-Djdk.reflect.")
                || argument.startsWith("-XX:TieredStopAtLevel=")
                || argument.equals("-XX:+IgnoreUnrecognizedVMOptions"))
            .toList();
    }
}
