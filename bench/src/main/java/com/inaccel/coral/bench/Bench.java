package com.inaccel.coral.bench;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.bench.images.FunctionsBench;
import com.inaccel.coral.bench.manager.ManagerBench;
import com.inaccel.coral.bench.support.QuietLogs;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Measures Coral side by side with its peers, one subcommand an algorithm, its manager by itself, and image functions. */
@Command(name = "bench", mixinStandardHelpOptions = true, usageHelpAutoWidth = true, synopsisSubcommandLabel = "COMMAND",
    subcommands = {KMeansBench.class, LogisticBench.class, ManagerBench.class, FunctionsBench.class},
    description = "Measure Coral side by side with its peers.")
public final class Bench {
    private static final int FAILED = 1;

    private Bench() { }

    public static void main(String[] arguments) {
        QuietLogs.install();
        System.exit(commandLine().execute(arguments));
    }

    static CommandLine commandLine() {
        return new CommandLine(new Bench()).setExecutionExceptionHandler((failure, command, parsed) -> {
            if (!(failure instanceof CoralException || failure instanceof IllegalArgumentException)) {
                throw failure;
            }
            // The message names value, limit and fix: where it was thrown helps nobody.
            command.getErr().println("coral bench: " + failure.getMessage());
            return FAILED;
        });
    }
}
