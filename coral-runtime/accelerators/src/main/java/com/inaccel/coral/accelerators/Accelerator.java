package com.inaccel.coral.accelerators;

import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.CoralException;
import java.util.List;

/**
 * A named operation with a typed signature: what is checked before a request is accepted, how a device with kernels runs
 * it, and the pure-Java reference that every kernel is held against.
 *
 * <p>Implementations are stateless and thread-safe.
 */
public interface Accelerator {
    /** {@code bitstreamId.kernelId}, e.g. {@code com.inaccel.ml.KMeans.AssignDouble}. */
    String name();

    List<Parameter> parameters();

    /**
     * Checks values and buffer lengths against each other; counts and types have been checked already. Everything that
     * comes from a client is hostile until this returns.
     *
     * @throws CoralException INVALID_ARGUMENT or OUT_OF_RANGE, naming the parameter, the value and the limit
     */
    void check(Arguments arguments);

    /** Computes the result in pure Java, on the calling thread. */
    void reference(Arguments arguments);

    /** The kernel launches, in order, that compute it on a device. Empty when there is nothing to do. */
    List<Launch> plan(Arguments arguments);

    /** One parameter of the signature. */
    record Parameter(String name, Type type, Access access) {
        public static Parameter scalar(String name, Type type) {
            return new Parameter(name, type, Access.READ);
        }
    }

    /** Scalars by value; arrays are slices of segments, their elements little-endian. */
    enum Type {
        INT(4, false), LONG(8, false), FLOAT(4, false), DOUBLE(8, false),
        BYTES(1, true), INTS(4, true), LONGS(8, true), FLOATS(4, true), DOUBLES(8, true);

        private final int elementBytes;
        private final boolean array;

        Type(int elementBytes, boolean array) {
            this.elementBytes = elementBytes;
            this.array = array;
        }

        public int elementBytes() {
            return elementBytes;
        }

        public boolean isArray() {
            return array;
        }
    }

    /** One kernel launch over a one-dimensional range of work-items in work-groups of one. */
    record Launch(String kernel, long workItems, List<Operand> operands) { }

    /** What a kernel argument is bound to. */
    sealed interface Operand {
        /** The request's argument at this index. */
        record Arg(int index) implements Operand { }

        /** Device memory private to the request: the same slot in several launches is the same memory. */
        record Scratch(int slot, long bytes) implements Operand { }

        record IntValue(int value) implements Operand { }
    }
}
