package com.inaccel.coral;

import static java.util.Objects.requireNonNull;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * One accelerator call with its arguments; ends exactly once: done, failed with a code, or cancelled.
 *
 * <pre>{@code
 * Request request = Request.of("com.inaccel.math.Vector.Add")
 *     .read(a, 0, 4096).read(b, 0, 4096).write(c, 0, 4096).arg(1024).build();
 * }</pre>
 */
public record Request(String accelerator, List<Argument> arguments, int priority, Optional<Duration> timeout) {
    public Request {
        requireNonNull(accelerator);
        arguments = List.copyOf(arguments);
        requireNonNull(timeout);
    }

    public static Builder of(String accelerator) {
        return new Builder(accelerator);
    }

    /** Collects the arguments in the order of the accelerator's signature. */
    public static final class Builder {
        private final String accelerator;
        private final List<Argument> arguments = new ArrayList<>();
        private int priority;
        private Optional<Duration> timeout = Optional.empty();

        private Builder(String accelerator) {
            this.accelerator = requireNonNull(accelerator);
        }

        public Builder arg(int value) {
            return arg(new Argument.Int(value));
        }

        public Builder arg(long value) {
            return arg(new Argument.Long(value));
        }

        public Builder arg(float value) {
            return arg(new Argument.Float(value));
        }

        public Builder arg(double value) {
            return arg(new Argument.Double(value));
        }

        public Builder arg(Argument argument) {
            arguments.add(requireNonNull(argument));
            return this;
        }

        public Builder read(Segment segment, long offsetBytes, long lengthBytes) {
            return arg(new Argument.Slice(segment, offsetBytes, lengthBytes, Argument.Access.READ));
        }

        public Builder write(Segment segment, long offsetBytes, long lengthBytes) {
            return arg(new Argument.Slice(segment, offsetBytes, lengthBytes, Argument.Access.WRITE));
        }

        public Builder readWrite(Segment segment, long offsetBytes, long lengthBytes) {
            return arg(new Argument.Slice(segment, offsetBytes, lengthBytes, Argument.Access.READ_WRITE));
        }

        /** Higher runs first within one allocation. Default 0. */
        public Builder priority(int priority) {
            this.priority = priority;
            return this;
        }

        /** From submission; the request fails with DEADLINE_EXCEEDED when it has not ended by then. */
        public Builder timeout(Duration timeout) {
            this.timeout = Optional.of(timeout);
            return this;
        }

        public Request build() {
            return new Request(accelerator, arguments, priority, timeout);
        }
    }
}
