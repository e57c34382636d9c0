package com.inaccel.coral.engine;

import static java.util.stream.Collectors.joining;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.accelerators.Accelerator;
import com.inaccel.coral.accelerators.Accelerator.Parameter;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/**
 * An accelerator that some device here can run, and what each would run it with: the latest bitstream whose limits admit
 * the request. Immutable.
 */
final class Installed {
    private final String accelerator;
    private final List<List<Bitstream>> candidates;
    private final List<Parameter> parameters;
    /** Where nothing is limited, what every request runs with; null otherwise. */
    private final Choice unlimited;

    /**
     * What a request runs with.
     *
     * @param byDevice the bitstream to program there; null where the device has none for it
     * @param implementations without repetition: a request is checked by each, as its device is not known yet
     */
    record Choice(Bitstream[] byDevice, List<Accelerator> implementations) { }

    /** @param candidates for each device, the bitstreams that implement the accelerator there, latest first; some are there */
    Installed(String accelerator, List<List<Bitstream>> candidates) {
        this.accelerator = accelerator;
        this.candidates = candidates;
        this.parameters = all().get(0).accelerator().parameters();
        boolean limited = candidates.stream().flatMap(List::stream).map(this::kernel).anyMatch(Bitstream.Kernel::isLimited);
        this.unlimited = limited ? null : choose(kernel -> true);
    }

    /** The same for all candidates. */
    List<Parameter> parameters() {
        return parameters;
    }

    /** @throws CoralException INVALID_ARGUMENT when no device supports the values of the scalar arguments */
    Choice choose(BoundArguments arguments) {
        if (unlimited != null) {
            return unlimited;
        }
        Choice choice = choose(kernel -> kernel.admits(arguments));
        if (choice.implementations.isEmpty()) {
            throw unsupported(arguments);
        }
        return choice;
    }

    private Choice choose(Predicate<Bitstream.Kernel> admitted) {
        Bitstream[] byDevice = candidates.stream()
            .map(latestFirst -> latestFirst.stream().filter(bitstream -> admitted.test(kernel(bitstream))).findFirst()
                .orElse(null))
            .toArray(Bitstream[]::new);
        return new Choice(byDevice, Arrays.stream(byDevice).filter(Objects::nonNull)
            .map(bitstream -> kernel(bitstream).accelerator()).distinct().toList());
    }

    private CoralException unsupported(BoundArguments arguments) {
        List<Bitstream.Kernel> kernels = all();
        List<Integer> limited = IntStream.range(0, parameters.size())
            .filter(index -> kernels.stream().anyMatch(kernel -> kernel.limits(index))).boxed().toList();
        for (int index : limited) {
            long greatest = kernels.stream().mapToLong(kernel -> kernel.greatest().get(index)).max().getAsLong();
            long value = arguments.integerAt(index);
            if (value > greatest) {
                return new CoralException(ErrorCode.INVALID_ARGUMENT, "more than any device here supports: accelerator="
                    + accelerator + ", parameter=" + parameters.get(index).name() + ", value=" + value + ", limit="
                    + greatest + "; stay within the limit, or install a bitstream with a higher one");
            }
        }
        return new CoralException(ErrorCode.INVALID_ARGUMENT, "more than any device here supports together: accelerator="
            + accelerator + ", " + limited.stream()
                .map(index -> parameters.get(index).name() + "=" + arguments.integerAt(index)
                    + ", " + parameters.get(index).name() + "Limits=" + kernels.stream()
                        .map(kernel -> kernel.limits(index) ? kernel.greatest().get(index).toString() : "none").toList())
                .collect(joining(", "))
            + "; stay within the limits of one bitstream, or install one with higher limits");
    }

    private List<Bitstream.Kernel> all() {
        return candidates.stream().flatMap(List::stream).distinct().map(this::kernel).toList();
    }

    private Bitstream.Kernel kernel(Bitstream bitstream) {
        return bitstream.kernel(accelerator);
    }
}
