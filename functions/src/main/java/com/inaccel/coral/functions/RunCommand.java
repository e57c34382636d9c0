package com.inaccel.coral.functions;

import com.inaccel.coral.Coral;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Runs a function's host until the process is told to end. */
@Command(name = "run", mixinStandardHelpOptions = true, sortOptions = false, usageHelpAutoWidth = true,
    description = "Runs a function on this machine. Everything that docs/functions.md lists can be set in the environment; these "
        + "flags come before it.")
final class RunCommand implements Callable<Integer> {
    @Option(names = "--handler", paramLabel = "CLASS[.METHOD]", description = "default: the image function")
    private Optional<String> handler = Optional.empty();

    @Option(names = "--jar", paramLabel = "PATH[:PATH]", description = "where the function's classes are")
    private Optional<String> jar = Optional.empty();

    @Option(names = "--port", paramLabel = "N", description = "default: 8080; 0 for any")
    private Optional<Integer> port = Optional.empty();

    @Option(names = "--coral", paramLabel = "ADDRESS",
        description = "unix:PATH or embedded:; default: CORAL_ADDRESS, else the node's manager, else embedded:")
    private Optional<String> coral = Optional.empty();

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    private final CountDownLatch stop = new CountDownLatch(1);
    private final CountDownLatch stopped = new CountDownLatch(1);

    @Override
    public Integer call() throws IOException, InterruptedException {
        Map<String, String> environment = new HashMap<>(System.getenv());
        handler.ifPresent(value -> environment.put(FunctionConfig.Key.HANDLER.variable(), value));
        jar.ifPresent(value -> environment.put(FunctionConfig.Key.JAR.variable(), value));
        port.ifPresent(value -> environment.put(FunctionConfig.Key.PORT.variable(), value.toString()));
        Thread hook = new Thread(this::stopAndWait, "coral-stop");
        Runtime.getRuntime().addShutdownHook(hook);
        PrintWriter out = spec.commandLine().getOut();
        try (FunctionHost host = FunctionHost.start(FunctionConfig.of(environment), coral.orElseGet(Coral::defaultAddress))) {
            out.println(host.obstacle().map(why -> "not ready: " + why).orElse("ready"));
            out.println("listening on " + host.address());
            out.flush();
            stop.await();
        } finally {
            stopped.countDown();
        }
        return 0;
    }

    private void stopAndWait() {
        stop.countDown();
        try {
            stopped.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
