package com.inaccel.coral.functions;

import java.io.IOException;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The command line: {@code ./coral function run} and {@code invoke}. */
@Command(name = "function", mixinStandardHelpOptions = true, synopsisSubcommandLabel = "COMMAND",
    description = "Runs serverless functions on this machine, and calls them.")
public final class Main {
    private static final int FAILED = 1;

    private Main() { }

    public static void main(String[] arguments) {
        System.exit(commandLine().execute(arguments));
    }

    static CommandLine commandLine() {
        return new CommandLine(new Main()).addSubcommand(new RunCommand()).addSubcommand(new InvokeCommand())
            .addSubcommand(new RehearseCommand())
            .setExecutionExceptionHandler((failure, command, parsed) -> {
                if (!(failure instanceof IllegalArgumentException || failure instanceof IOException)) {
                    throw failure;
                }
                command.getErr().println("coral function: " + failure.getMessage());
                return FAILED;
            });
    }
}
