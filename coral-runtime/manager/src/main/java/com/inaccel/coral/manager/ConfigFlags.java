package com.inaccel.coral.manager;

import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.engine.EngineConfig.Key;
import java.nio.file.Path;
import java.util.Collection;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** The flags that set keys of the configuration: the same for every command. */
final class ConfigFlags {
    private static final String FILE = "--config";

    private ConfigFlags() { }

    /** Adds {@code --config FILE} and a flag for each key. */
    static CommandLine addTo(CommandLine command, Collection<Key> keys) {
        CommandSpec spec = command.getCommandSpec();
        spec.addOption(OptionSpec.builder(FILE).type(Path.class).paramLabel("FILE")
            .description("Properties file with coral.* keys; environment and flags come before it.").build());
        for (Key key : keys) {
            spec.addOption(OptionSpec.builder(key.flag()).type(String.class).paramLabel(key.type().name())
                .description(key.description() + ". Range: " + key.range()
                    + (key.byDefault().isEmpty() ? "." : "; default: " + key.byDefault() + "."))
                .build());
        }
        return command;
    }

    /** File, then environment, then system properties, then flags: the later wins. */
    static EngineConfig load(CommandSpec spec) {
        Map<Key, String> flags = new EnumMap<>(Key.class);
        for (Key key : Key.values()) {
            OptionSpec option = spec.findOption(key.flag());
            if (option != null && option.getValue() != null) {
                flags.put(key, option.getValue());
            }
        }
        Optional<Path> file = Optional.ofNullable(spec.findOption(FILE).getValue());
        return EngineConfig.load(file, System.getenv(), System.getProperties(), flags);
    }
}
