package com.inaccel.coral.manager;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine;

/** The console in a terminal. */
@CommandLine.Command(name = "top", mixinStandardHelpOptions = true,
    description = "Shows the devices, allocations and requests of a manager that was started with --console.")
final class TopCommand implements Callable<Integer> {
    static final String USUAL_ADDRESS = "127.0.0.1:9440";
    private static final Duration PATIENCE = Duration.ofSeconds(5);
    private static final String CLEAR = "\033[H\033[2J\033[3J";

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @CommandLine.Option(names = "--console", paramLabel = "HOST:PORT", defaultValue = USUAL_ADDRESS,
        description = "Where the manager serves its console. Default: ${DEFAULT-VALUE}.")
    private String address;

    @CommandLine.Option(names = "--once", description = "Print once and end, instead of once a second.")
    private boolean once;

    private final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1)
        .proxy(ProxySelector.of(null)) // it is on this machine
        .connectTimeout(PATIENCE).build();

    @Override
    public Integer call() throws InterruptedException {
        PrintWriter out = spec.commandLine().getOut();
        URI uri = uri();
        print(out, state(uri), /* clear= */ false);
        while (!once && !out.checkError()) { // whoever read may have gone
            TimeUnit.SECONDS.sleep(1);
            try {
                print(out, state(uri), /* clear= */ isTerminal());
            } catch (CoralException e) { // it may be restarting
                out.println("coral: " + e.code() + ": " + e.getMessage());
                out.flush();
            }
        }
        return CommandLine.ExitCode.OK;
    }

    @SuppressWarnings("SystemConsoleNull") // means what it says up to Java 21
    private static boolean isTerminal() {
        return System.console() != null;
    }

    private static void print(PrintWriter out, ConsoleState state, boolean clear) {
        out.print((clear ? CLEAR : "") + TopScreen.render(state));
        out.println();
        out.flush();
    }

    private URI uri() {
        try {
            return URI.create("http://" + address + Console.STATE_PATH);
        } catch (IllegalArgumentException e) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "not an address: console=" + address + "; use HOST:PORT, as --console of the manager", e);
        }
    }

    private ConsoleState state(URI uri) throws InterruptedException {
        try {
            HttpResponse<byte[]> answer = client.send(HttpRequest.newBuilder(uri).timeout(PATIENCE).build(),
                HttpResponse.BodyHandlers.ofByteArray());
            if (answer.statusCode() != 200) {
                throw new IOException("status=" + answer.statusCode());
            }
            return Console.parse(answer.body());
        } catch (IOException e) {
            throw new CoralException(ErrorCode.NO_MANAGER, "no console answers: console=" + address + ", cause=" + e
                + "; start the manager with --console " + address + ", or name another with --console", e);
        }
    }
}
