package com.inaccel.coral.manager;

import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.engine.EngineConfig.Key;
import java.util.List;
import picocli.CommandLine;

/** Prints the configuration that a node manager would start with, or the table of all keys. */
@CommandLine.Command(name = "config", mixinStandardHelpOptions = true, sortOptions = false,
    description = "Prints the effective configuration, and where each value comes from.")
final class ConfigCommand implements Runnable {
    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @CommandLine.Option(names = "--markdown", description = "Print the table of all keys instead, as the user guide has it.")
    private boolean markdown;

    static CommandLine commandLine() {
        return ConfigFlags.addTo(new CommandLine(new ConfigCommand()), List.of(Key.values()));
    }

    @Override
    public void run() {
        spec.commandLine().getOut().println(
            markdown ? EngineConfig.markdown().stripTrailing() : ConfigFlags.load(spec).describe());
    }
}
