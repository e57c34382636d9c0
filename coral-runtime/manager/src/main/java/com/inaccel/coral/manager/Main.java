package com.inaccel.coral.manager;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.simulator.SimulateCommand;
import picocli.CommandLine;

/** The command line: {@code coral node --root DIR}. */
@CommandLine.Command(name = "coral", description = "FPGAs as easy to use as a library call.",
    mixinStandardHelpOptions = true, versionProvider = Version.class, synopsisSubcommandLabel = "COMMAND")
public final class Main {
    private Main() { }

    public static void main(String[] arguments) {
        System.exit(commandLine().execute(arguments));
    }

    static CommandLine commandLine() {
        return new CommandLine(new Main())
            .addSubcommand(NodeCommand.commandLine())
            .addSubcommand(DevicesCommand.commandLine())
            .addSubcommand(new TopCommand())
            .addSubcommand(ConfigCommand.commandLine())
            .addSubcommand(BitstreamCommand.commandLine())
            .addSubcommand(new SimulateCommand())
            .setExecutionExceptionHandler((failure, command, parsed) -> {
                if (!(failure instanceof CoralException coral)) {
                    throw failure;
                }
                command.getErr().println("coral: " + coral.code() + ": " + coral.getMessage());
                return CommandLine.ExitCode.SOFTWARE;
            });
    }
}
