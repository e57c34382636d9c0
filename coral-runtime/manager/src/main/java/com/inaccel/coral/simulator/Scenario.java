package com.inaccel.coral.simulator;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.inaccel.coral.simulator.Quantities.Bytes;
import com.inaccel.coral.simulator.Quantities.BytesPerSecond;
import com.inaccel.coral.simulator.Quantities.PerSecond;
import com.inaccel.coral.simulator.Quantities.Time;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * What is simulated, as a file says it. Names of components are the file's keys; what a file leaves out has the default that the
 * compact constructors give it.
 *
 * @param requests after so many nobody sends any more, and the simulation ends when all have ended
 * @param starvation as {@code coral.scheduler.starvation}
 * @param window over which fairness is measured
 */
record Scenario(String about, Integer requests, Time starvation, Time window, List<Devices> devices,
        Map<String, Accelerator> accelerators, List<Allocations> allocations) {
    static final int MOST_REQUESTS = 20_000_000;
    static final int MOST_DEVICES = 100_000;
    static final int MOST_ALLOCATIONS = 100_000;
    private static final Time TEN_SECONDS = new Time(10_000_000_000L);

    Scenario {
        about = Objects.requireNonNullElse(about, "");
        requests = Checks.count("requests", Objects.requireNonNullElse(requests, 100_000), MOST_REQUESTS);
        starvation = Objects.requireNonNullElse(starvation, TEN_SECONDS);
        window = Objects.requireNonNullElse(window, TEN_SECONDS);
        Checks.positive("window", window.nanos());
        devices = Checks.some("devices", devices);
        accelerators = Objects.requireNonNullElse(accelerators, Map.of());
        Checks.some("accelerators", List.copyOf(accelerators.keySet()));
        allocations = Checks.some("allocations", allocations);
        Checks.count("devices", devices.stream().mapToLong(Devices::count).sum(), MOST_DEVICES);
        Checks.count("allocations", allocations.stream().mapToLong(Allocations::count).sum(), MOST_ALLOCATIONS);
        checkNames(devices, accelerators, allocations);
    }

    /** @param memory for data that stay between requests */
    record Devices(String platform, Integer count, Time programming, BytesPerSecond copy, Bytes memory, Integer lanes,
            Failures failures) {
        Devices {
            Checks.named("platform", platform);
            count = Checks.count("count", Objects.requireNonNullElse(count, 1), MOST_DEVICES);
            programming = Objects.requireNonNullElse(programming, new Time(200_000_000));
            copy = Objects.requireNonNullElse(copy, new BytesPerSecond(10 * 0x1p30));
            Checks.positive("copy", copy.count());
            memory = Objects.requireNonNullElse(memory, new Bytes(16L << 30));
            lanes = Checks.count("lanes", Objects.requireNonNullElse(lanes, 1), 64);
        }
    }

    /** @param every mean time between a repair and the next failure of one device, exponentially distributed */
    record Failures(Time every, Time repair) {
        Failures {
            every = Objects.requireNonNullElse(every, new Time(0));
            Checks.positive("every", every.nanos());
            repair = Objects.requireNonNullElse(repair, new Time(1_000_000_000));
        }
    }

    /** @param platforms that it can run on; empty for all */
    record Accelerator(List<String> platforms) {
        Accelerator {
            platforms = Objects.requireNonNullElse(platforms, List.of());
        }
    }

    /**
     * Some allocations that are alike.
     *
     * @param accelerators how often each is asked for, in any unit; empty for all alike
     * @param data sealed data of each allocation, of which every request reads one
     * @param estimates spread of what the scheduler is told about a request's size: 0.2 is off by some 20 %
     */
    record Allocations(String name, Integer count, Integer share, Arrivals arrivals, Size size,
            Map<String, Double> accelerators, Data data, Double estimates) {
        Allocations {
            Checks.named("name", name);
            count = Checks.count("count", Objects.requireNonNullElse(count, 1), MOST_ALLOCATIONS);
            share = Checks.count("share", Objects.requireNonNullElse(share, 1), 1_000);
            arrivals = Checks.required("arrivals", arrivals);
            size = Checks.required("size", size);
            accelerators = Objects.requireNonNullElse(accelerators, Map.of());
            accelerators.forEach((accelerator, weight) -> Checks.positive("accelerators." + accelerator, weight));
            estimates = Objects.requireNonNullElse(estimates, 0.2);
            if (!(estimates >= 0 && estimates <= 2)) {
                throw new IllegalArgumentException("out of range: key=estimates, value=" + estimates + ", range=0 to 2");
            }
        }
    }

    record Data(Integer sets, Bytes size) {
        Data {
            sets = Checks.count("sets", Objects.requireNonNullElse(sets, 1), 10_000);
            size = Checks.required("size", size);
        }
    }

    /** When each allocation sends requests. */
    @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind")
    @JsonSubTypes({
        @JsonSubTypes.Type(name = "poisson", value = Poisson.class),
        @JsonSubTypes.Type(name = "bursts", value = Bursts.class),
        @JsonSubTypes.Type(name = "loop", value = Loop.class)})
    interface Arrivals { }

    /** One at a time, at random. */
    record Poisson(PerSecond rate) implements Arrivals {
        Poisson {
            Checks.positive("rate", Checks.required("rate", rate).count());
        }
    }

    /** So many at once, at random. */
    record Bursts(PerSecond rate, Integer of) implements Arrivals {
        Bursts {
            Checks.positive("rate", Checks.required("rate", rate).count());
            of = Checks.count("of", Objects.requireNonNullElse(of, 100), 1_000_000);
        }
    }

    /** Clients that wait for each answer, and a while, before they ask again. */
    record Loop(Integer clients, Time think) implements Arrivals {
        Loop {
            clients = Checks.count("clients", Objects.requireNonNullElse(clients, 1), 10_000);
            think = Objects.requireNonNullElse(think, new Time(0));
        }
    }

    /** Device time of a request. */
    @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind")
    @JsonSubTypes({
        @JsonSubTypes.Type(name = "constant", value = Constant.class),
        @JsonSubTypes.Type(name = "exponential", value = Exponential.class),
        @JsonSubTypes.Type(name = "lognormal", value = Lognormal.class),
        @JsonSubTypes.Type(name = "pareto", value = Pareto.class)})
    interface Size { }

    record Constant(Time time) implements Size {
        Constant {
            Checks.positive("time", Checks.required("time", time).nanos());
        }
    }

    record Exponential(Time mean) implements Size {
        Exponential {
            Checks.positive("mean", Checks.required("mean", mean).nanos());
        }
    }

    /** @param sigma of the logarithm: with 1, a sixth of all requests take more than 2.7 times the median */
    record Lognormal(Time median, Double sigma) implements Size {
        Lognormal {
            Checks.positive("median", Checks.required("median", median).nanos());
            sigma = Objects.requireNonNullElse(sigma, 1.0);
            if (!(sigma >= 0 && sigma <= 4)) {
                throw new IllegalArgumentException("out of range: key=sigma, value=" + sigma + ", range=0 to 4");
            }
        }
    }

    /** Heavy-tailed, cut off at {@code most}. */
    record Pareto(Time least, Double alpha, Time most) implements Size {
        Pareto {
            Checks.positive("least", Checks.required("least", least).nanos());
            alpha = Objects.requireNonNullElse(alpha, 1.5);
            Checks.positive("alpha", alpha);
            most = Objects.requireNonNullElse(most, new Time(1000 * least.nanos()));
            if (most.nanos() < least.nanos()) {
                throw new IllegalArgumentException("most is less than least: leastNanos=" + least.nanos() + ", mostNanos="
                    + most.nanos() + "; exchange them");
            }
        }
    }

    private static void checkNames(
            List<Devices> devices, Map<String, Accelerator> accelerators, List<Allocations> allocations) {
        List<String> platforms = devices.stream().map(Devices::platform).toList();
        Checks.unique("platform", platforms);
        Checks.unique("name", allocations.stream().map(Allocations::name).toList());
        accelerators.forEach((name, accelerator) -> {
            if (accelerator != null) {
                accelerator.platforms.forEach(platform -> Checks.known("platform", platform, platforms));
            }
        });
        allocations.forEach(group ->
            group.accelerators.keySet().forEach(name -> Checks.known("accelerator", name, accelerators.keySet())));
    }
}
