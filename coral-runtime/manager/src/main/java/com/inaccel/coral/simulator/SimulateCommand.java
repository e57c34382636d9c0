package com.inaccel.coral.simulator;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import picocli.CommandLine;

/** The command line of the simulator. */
@CommandLine.Command(name = "simulate", mixinStandardHelpOptions = true, sortOptions = false,
    description = {"Simulates the node manager's scheduling in virtual time: thousands of devices, millions of requests.",
        "Prints how the scheduling policy does, beside simpler ones and what no schedule can beat, and draws a chart of the"
            + " waiting times."})
public final class SimulateCommand implements Callable<Integer> {
    private static final String ROW = "%-24s%8s%10s%11s%11s%11s%11s%16s%12s%8s%n";

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @CommandLine.Parameters(arity = "0..1", defaultValue = "mixed", paramLabel = "SCENARIO",
        description = "A scenario file, or one of those that come along: mixed, flood, failures, residents, node. "
            + "Default: ${DEFAULT-VALUE}.")
    private String name;

    @CommandLine.Option(names = "--seed", defaultValue = "1", paramLabel = "N",
        description = "Of all that is random: the same seed gives the same figures to the digit. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @CommandLine.Option(names = "--chart", defaultValue = "out/simulate.png", paramLabel = "FILE",
        description = "The picture: a PNG. Default: ${DEFAULT-VALUE}.")
    private Path chart;

    @CommandLine.Option(names = "--print", description = "Print the scenario's file instead, as a beginning for one of your own.")
    private boolean print;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        if (print) {
            out.print(ScenarioFile.text(name));
            out.flush();
            return CommandLine.ExitCode.OK;
        }
        Scenario scenario = ScenarioFile.read(name);
        Simulation simulation = new Simulation(scenario, seed);
        out.printf(Locale.ROOT, "%s: %,d devices, %,d allocations, %,d requests, seed %d%n%s%n%n", name, simulation.devices(),
            scenario.allocations().stream().mapToInt(Scenario.Allocations::count).sum(), scenario.requests(), seed,
            scenario.about().strip());
        out.flush();
        long started = System.nanoTime();
        List<Outcome> outcomes = simulate(simulation, scenario.requests());
        double seconds = (System.nanoTime() - started) / 1e9;
        table(out, outcomes, bound(simulation, outcomes));
        draw(outcomes);
        out.printf(Locale.ROOT, "%n%,.0f requests a second simulated; waiting times drawn in %s%n",
            outcomes.size() * (double) scenario.requests() / seconds, chart);
        out.flush();
        return CommandLine.ExitCode.OK;
    }

    private static List<Outcome> simulate(Simulation simulation, int requests) {
        List<Outcome> outcomes = new ArrayList<>();
        try (Progress progress = new Progress(Simulation.RULES.size() * (long) requests)) {
            for (String rule : Simulation.RULES.keySet()) {
                progress.describe(rule);
                outcomes.add(simulation.run(rule, progress::step));
            }
        }
        return outcomes;
    }

    private static LowerBound bound(Simulation simulation, List<Outcome> outcomes) {
        return simulation.bound(outcomes.get(0), outcomes.stream().mapToLong(Outcome::makespanNanos).max().getAsLong());
    }

    private static void table(PrintWriter out, List<Outcome> outcomes, LowerBound bound) {
        out.printf(ROW, "policy", "busy", "fairness", "wait p50", "p90", "p99", "longest", "reprogrammings", "requests/s",
            "failed");
        for (Outcome one : outcomes) {
            out.printf(ROW, one.rule(), percent(one.busy()), String.format(Locale.ROOT, "%.4f", one.jain()),
                Quantities.time(one.waited(0.5)), Quantities.time(one.waited(0.9)), Quantities.time(one.waited(0.99)),
                Quantities.time(one.waited(1)), whole(one.reprogrammings()), whole(Math.round(one.perSecond())), whole(one.failed()));
        }
        out.printf(ROW, "no schedule can beat", percent(bound.busy()), "", "", "", "", "", whole(bound.reprogrammings()),
            whole(Math.round(bound.perSecond())), "");
        out.printf("%nbusy: part of the devices' time that they ran or copied; fairness: Jain's index of what allocations got, to "
            + "what was due to them;%nwait: from submission to end, without the run itself.%n");
    }

    private static String percent(double part) {
        return String.format(Locale.ROOT, "%.1f %%", 100 * part);
    }

    private static String whole(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }

    private void draw(List<Outcome> outcomes) {
        try {
            WaitingChart.write(name, outcomes, chart);
        } catch (IOException e) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "cannot write chart: file=" + chart + ", cause=" + e + "; name another file with --chart", e);
        } catch (LinkageError | InternalError e) { // how Java says that it has no fonts
            throw new CoralException(ErrorCode.INTERNAL,
                "cannot draw chart: cause=" + e + "; install fontconfig and a font, e.g. fonts-dejavu-core", e);
        }
    }

    /** Where somebody looks on: not in files and pipes. */
    private static final class Progress implements AutoCloseable {
        private final ProgressBar bar; // null where nobody looks on

        @SuppressWarnings("SystemConsoleNull") // means what it says up to Java 21
        Progress(long requests) {
            bar = System.console() == null ? null
                : new ProgressBarBuilder().setInitialMax(requests).setUnit(" requests", 1).showSpeed().build();
        }

        void describe(String what) {
            if (bar != null) {
                bar.setExtraMessage(what);
            }
        }

        void step() {
            if (bar != null) {
                bar.stepBy(Measurements.STEP);
            }
        }

        @Override
        public void close() {
            if (bar != null) {
                bar.close();
            }
        }
    }
}
