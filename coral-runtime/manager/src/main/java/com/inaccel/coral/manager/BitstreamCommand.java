package com.inaccel.coral.manager;

import static java.util.stream.Collectors.joining;

import com.inaccel.coral.engine.BitstreamAdmin;
import com.inaccel.coral.engine.BitstreamInfo;
import com.inaccel.coral.engine.EngineConfig.Key;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Administers the bitstreams of this machine. Managers notice what changes within a second or two. */
@Command(name = "bitstream", mixinStandardHelpOptions = true, synopsisSubcommandLabel = "COMMAND",
    description = "Installs, lists, removes and checks bitstreams.")
final class BitstreamCommand {
    private static final List<Key> KEYS = List.of(Key.BITSTREAMS, Key.BITSTREAMS_SIGNATURES, Key.BITSTREAMS_TRUST);
    private static final int SHORT_HASH = 12;

    static CommandLine commandLine() {
        CommandLine command = new CommandLine(new BitstreamCommand());
        for (Object configured : List.of(new Install(), new ListAll(), new Remove(), new Verify())) {
            command.addSubcommand(ConfigFlags.addTo(new CommandLine(configured), KEYS));
        }
        return command.addSubcommand(new Parse()).addSubcommand(new KeyGen());
    }

    /** What those that read the configuration share. */
    private abstract static class Configured {
        @CommandLine.Spec
        private CommandLine.Model.CommandSpec spec;

        BitstreamAdmin admin() {
            BitstreamAdmin admin = new BitstreamAdmin(ConfigFlags.load(spec));
            admin.problems().forEach(problem -> spec.commandLine().getErr().println("coral: " + problem));
            return admin;
        }

        PrintWriter out() {
            return spec.commandLine().getOut();
        }
    }

    @Command(name = "install", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Copies a bitstream into a repository, checked, all of it or nothing.")
    private static final class Install extends Configured implements Runnable {
        @Parameters(paramLabel = "DIR|MANIFEST", description = "A directory with a bitstream.json, or another manifest.")
        private Path source;

        @Option(names = "--repository", paramLabel = "DIR", description = "Default: the first of coral.bitstreams.")
        private Optional<Path> repository;

        @Option(names = "--sign", paramLabel = "KEY",
            description = "Private key to sign with, the public one in KEY.pub beside it: see keygen.")
        private Optional<Path> key;

        @Option(names = "--for", paramLabel = "ALLOCATION", split = ",",
            description = "Only these allocations see it. Default: all.")
        private Set<String> visibleTo = Set.of();

        @Override
        public void run() {
            out().println("installed " + admin().install(source, repository, key, visibleTo));
        }
    }

    @Command(name = "list", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Lists all bitstreams, the built-in ones and those that are refused among them.")
    private static final class ListAll extends Configured implements Runnable {
        @Override
        public void run() {
            List<BitstreamInfo> infos = admin().list();
            List<List<String>> rows = new ArrayList<>();
            rows.add(List.of("ID", "VERSION", "PLATFORM", "SHA256", "SIGNED BY", "VISIBLE TO", "STATE", "ACCELERATORS"));
            infos.forEach(info -> rows.add(List.of(info.bitstreamId(), info.version(), info.platform(),
                info.sha256().isEmpty() ? "-" : info.sha256().substring(0, SHORT_HASH),
                info.signedBy().isEmpty() ? "-" : info.signedBy(),
                info.visibleTo().isEmpty() ? "all" : String.join(",", new TreeSet<>(info.visibleTo())),
                info.isUsed() ? "installed" : "refused",
                info.accelerators().stream().map(name -> name.substring(name.lastIndexOf('.') + 1)).collect(joining(",")))));
            Table.print(out(), rows);
            infos.stream().filter(info -> !info.isUsed()).forEach(info -> out().println("refused: " + info.problem()));
        }
    }

    @Command(name = "remove", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Removes a bitstream from a repository. What runs with it ends undisturbed.")
    private static final class Remove extends Configured implements Runnable {
        @Parameters(index = "0", paramLabel = "ID")
        private String bitstreamId;

        @Parameters(index = "1", arity = "0..1", paramLabel = "VERSION", description = "Default: all versions.")
        private Optional<String> version;

        @Option(names = "--repository", paramLabel = "DIR", description = "Default: the first of coral.bitstreams.")
        private Optional<Path> repository;

        @Override
        public void run() {
            admin().remove(repository, bitstreamId, version);
            out().println("removed " + bitstreamId + version.map(text -> " " + text).orElse(""));
        }
    }

    @Command(name = "verify", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Checks the files of bitstreams against their records and signatures; fails when one is refused.")
    private static final class Verify extends Configured implements Callable<Integer> {
        @Parameters(paramLabel = "ID", arity = "0..*", description = "Default: all that are not built in.")
        private List<String> ids = List.of();

        @Override
        public Integer call() {
            List<BitstreamInfo> infos = admin().list();
            List<BitstreamInfo> wanted = infos.stream().filter(info -> ids.isEmpty()
                ? !info.sha256().isEmpty() || !info.isUsed()
                // Whose id cannot be read might be any.
                : ids.contains(info.bitstreamId()) || info.bitstreamId().isEmpty()).toList();
            wanted.forEach(info -> out().println(info.isUsed()
                ? "ok " + info.bitstreamId() + " " + info.version() + " sha256=" + info.sha256()
                    + (info.signedBy().isEmpty() ? " unsigned" : " signedBy=" + info.signedBy())
                : "refused " + info.problem()));
            List<String> missing = ids.stream()
                .filter(id -> infos.stream().noneMatch(info -> info.bitstreamId().equals(id))).toList();
            missing.forEach(id -> out().println("missing " + id));
            return missing.isEmpty() && wanted.stream().allMatch(BitstreamInfo::isUsed)
                ? CommandLine.ExitCode.OK : CommandLine.ExitCode.SOFTWARE;
        }
    }

    @Command(name = "parse", mixinStandardHelpOptions = true,
        description = "Prints what a manifest declares, once it is found right: signatures, limits, files.")
    private static final class Parse implements Runnable {
        @CommandLine.Spec
        private CommandLine.Model.CommandSpec spec;

        @Parameters(paramLabel = "DIR|MANIFEST", description = "A directory with a bitstream.json, or another manifest.")
        private Path source;

        @Override
        public void run() {
            spec.commandLine().getOut().println(BitstreamAdmin.parse(source));
        }
    }

    @Command(name = "keygen", mixinStandardHelpOptions = true,
        description = "Makes an Ed25519 key pair: FILE to sign with, FILE.pub to trust.")
    private static final class KeyGen implements Runnable {
        @CommandLine.Spec
        private CommandLine.Model.CommandSpec spec;

        @Parameters(paramLabel = "FILE")
        private Path file;

        @Override
        public void run() {
            Path trusted = BitstreamAdmin.generateKey(file);
            Stream.of("private key " + file, "public key  " + trusted).forEach(spec.commandLine().getOut()::println);
        }
    }
}
