package com.inaccel.coral.simulator;

import com.inaccel.coral.simulator.Scenario.Allocations;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Who sends what, when, and which devices fail when, as a scenario says. Everything that draws has a stream of random numbers of
 * its own: requests of open arrivals, and failures, are the same whatever the rule does with them.
 */
final class Workload {
    private final Scenario scenario;
    private final List<String> accelerators;
    private final List<Tenant> tenants = new ArrayList<>();
    private EventQueue events;
    private VirtualNode node;
    /** To be sent still. */
    private int left;
    /** Sent and not ended. */
    private int outstanding;

    Workload(Scenario scenario) {
        this.scenario = scenario;
        accelerators = List.copyOf(scenario.accelerators().keySet());
        for (Allocations group : scenario.allocations()) {
            for (int i = 0; i < group.count(); i++) {
                tenants.add(new Tenant(tenants.size(), group.name() + "-" + i, group.share()));
            }
        }
    }

    List<Tenant> tenants() {
        return tenants;
    }

    /** By tenant: whether its clients wait for each answer. */
    boolean[] looping() {
        boolean[] looping = new boolean[tenants.size()];
        int tenant = 0;
        for (Allocations group : scenario.allocations()) {
            Arrays.fill(looping, tenant, tenant + group.count(), group.arrivals() instanceof Scenario.Loop);
            tenant += group.count();
        }
        return looping;
    }

    static Hardware hardware(Scenario scenario) {
        List<Scenario.Devices> groups = scenario.devices();
        Hardware.Platform[] platforms = groups.stream().map(group -> new Hardware.Platform(group.programming().nanos(),
            1e9 / group.copy().count(), group.memory().count(), group.lanes())).toArray(Hardware.Platform[]::new);
        int[] platformOf = IntStream.range(0, groups.size())
            .flatMap(platform -> IntStream.generate(() -> platform).limit(groups.get(platform).count())).toArray();
        boolean[][] runs = new boolean[scenario.accelerators().size()][groups.size()];
        int index = 0;
        for (Scenario.Accelerator accelerator : scenario.accelerators().values()) {
            for (int platform = 0; platform < groups.size(); platform++) {
                runs[index][platform] = accelerator == null || accelerator.platforms().isEmpty()
                    || accelerator.platforms().contains(groups.get(platform).platform());
            }
            index++;
        }
        return new Hardware(platformOf, platforms, runs);
    }

    /** Sends and fails as time goes on. */
    void start(EventQueue queue, VirtualNode devices, long seed) {
        events = queue;
        node = devices;
        left = scenario.requests();
        SplittableRandom random = new SplittableRandom(seed);
        SplittableRandom ofFailures = random.split();
        int tenant = 0;
        int data = 0;
        for (Allocations group : scenario.allocations()) {
            for (int i = 0; i < group.count(); i++) {
                startTenant(group, tenants.get(tenant++), data, random.split());
                data += group.data() == null ? 0 : group.data().sets();
            }
        }
        startFailures(ofFailures);
    }

    boolean isOver() {
        return left == 0 && outstanding == 0;
    }

    private void startTenant(Allocations group, Tenant tenant, int firstData, SplittableRandom random) {
        if (group.arrivals() instanceof Scenario.Loop loop) {
            for (int client = 0; client < loop.clients(); client++) {
                new Client(group, tenant, firstData, random.split(), 1, loop.think().nanos()).startLoop();
            }
        } else if (group.arrivals() instanceof Scenario.Bursts bursts) {
            new Client(group, tenant, firstData, random, bursts.of(), 0).startAtRandom(bursts.rate().count());
        } else if (group.arrivals() instanceof Scenario.Poisson poisson) {
            new Client(group, tenant, firstData, random, 1, 0).startAtRandom(poisson.rate().count());
        }
    }

    /** Sends the requests of one tenant, or of one of its loops. */
    private final class Client {
        private final Allocations group;
        private final Tenant tenant;
        private final int firstData;
        private final SplittableRandom random;
        private final int atOnce;
        private final long thinkNanos;
        private final double[] weights;
        private final double allWeights;
        private int timer;
        private Runnable whenEnded = () -> outstanding--;

        Client(Allocations group, Tenant tenant, int firstData, SplittableRandom random, int atOnce, long thinkNanos) {
            this.group = group;
            this.tenant = tenant;
            this.firstData = firstData;
            this.random = random;
            this.atOnce = atOnce;
            this.thinkNanos = thinkNanos;
            weights = accelerators.stream().mapToDouble(name -> group.accelerators().isEmpty() ? 1
                : group.accelerators().getOrDefault(name, 0.0)).toArray();
            allWeights = Arrays.stream(weights).reduce(0, Double::sum); // in order: sum() rounds otherwise
        }

        void startAtRandom(double perSecond) {
            timer = events.timer(() -> {
                send();
                scheduleNext(perSecond);
            });
            scheduleNext(perSecond);
        }

        private void scheduleNext(double perSecond) {
            if (left > 0) {
                events.set(timer, events.now() + exponential((long) (1e9 / perSecond), random));
            }
        }

        void startLoop() {
            timer = events.timer(this::send);
            whenEnded = () -> {
                outstanding--;
                if (left > 0) {
                    events.set(timer, events.now() + thinkNanos);
                }
            };
            events.set(timer, 0);
        }

        private void send() {
            for (int i = 0; i < atOnce && left > 0; i++) {
                left--;
                outstanding++;
                node.submit(draw());
            }
        }

        private Job draw() {
            long run = Math.max(1, (long) drawSize(group.size(), random));
            long expected = Math.max(1, (long) (run * Math.exp(random.nextGaussian() * group.estimates())));
            int accelerator = drawAccelerator();
            Scenario.Data data = group.data();
            return data == null ? new Job(tenant, accelerator, run, expected, Job.NO_DATA, 0, whenEnded)
                : new Job(tenant, accelerator, run, expected, firstData + random.nextInt(data.sets()), data.size().count(),
                    whenEnded);
        }

        private int drawAccelerator() {
            double drawn = random.nextDouble(allWeights);
            int accelerator = 0;
            while (drawn >= weights[accelerator] && accelerator < weights.length - 1) {
                drawn -= weights[accelerator++];
            }
            return accelerator;
        }
    }

    /** Nanoseconds. */
    private static double drawSize(Scenario.Size size, SplittableRandom random) {
        if (size instanceof Scenario.Constant constant) {
            return (double) constant.time().nanos();
        } else if (size instanceof Scenario.Exponential exponential) {
            return (double) exponential(exponential.mean().nanos(), random);
        } else if (size instanceof Scenario.Lognormal lognormal) {
            return lognormal.median().nanos() * Math.exp(lognormal.sigma() * random.nextGaussian());
        }
        Scenario.Pareto pareto = (Scenario.Pareto) size;
        return Math.min((double) pareto.most().nanos(),
            pareto.least().nanos() / Math.pow(1 - random.nextDouble(), 1 / pareto.alpha()));
    }

    private static long exponential(long mean, SplittableRandom random) {
        return (long) (-mean * Math.log(1 - random.nextDouble()));
    }

    private void startFailures(SplittableRandom random) {
        int device = 0;
        for (Scenario.Devices group : scenario.devices()) {
            for (int i = 0; i < group.count(); i++) {
                SplittableRandom own = random.split();
                if (group.failures() != null) {
                    new Trouble(device, group.failures(), own).startNext();
                }
                device++;
            }
        }
    }

    private final class Trouble {
        private final int device;
        private final Scenario.Failures failures;
        private final SplittableRandom random;
        private final int failing;
        private final int repairing;

        Trouble(int device, Scenario.Failures failures, SplittableRandom random) {
            this.device = device;
            this.failures = failures;
            this.random = random;
            failing = events.timer(this::fail);
            repairing = events.timer(this::repair);
        }

        void startNext() {
            events.set(failing, events.now() + exponential(failures.every().nanos(), random));
        }

        private void fail() {
            node.fail(device);
            events.set(repairing, events.now() + failures.repair().nanos());
        }

        private void repair() {
            node.repair(device);
            startNext();
        }
    }
}
