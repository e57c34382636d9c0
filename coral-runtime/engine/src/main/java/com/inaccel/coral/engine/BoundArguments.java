package com.inaccel.coral.engine;

import com.inaccel.coral.Argument;
import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.accelerators.Arguments;
import java.nio.ByteBuffer;
import java.util.List;

/** A request's arguments with their slices in host memory. Immutable; types agree with the accelerator's signature. */
final class BoundArguments implements Arguments {
    private final List<Argument> arguments;
    private final HostSlice[] slices; // null where the argument is a scalar

    BoundArguments(List<Argument> arguments, HostSlice[] slices) {
        this.arguments = arguments;
        this.slices = slices;
    }

    /** The same scalars over other memory. */
    BoundArguments over(HostSlice[] others) {
        return new BoundArguments(arguments, others);
    }

    int count() {
        return slices.length;
    }

    boolean isSlice(int index) {
        return slices[index] != null;
    }

    HostSlice slice(int index) {
        return slices[index];
    }

    Argument argument(int index) {
        return arguments.get(index);
    }

    /** Bytes of all slices: the measure of what a request moves. */
    long sliceBytes() {
        long bytes = 0;
        for (HostSlice slice : slices) {
            bytes += slice == null ? 0 : slice.lengthBytes();
        }
        return bytes;
    }

    /** Whether its slices are read before they are written, so that a run that failed half-way spoils a second one. */
    boolean updatesInPlace() {
        for (HostSlice slice : slices) {
            if (slice != null && slice.access() == Access.READ_WRITE) {
                return true;
            }
        }
        return false;
    }

    /** The INT or LONG at {@code index}. */
    long integerAt(int index) {
        return arguments.get(index) instanceof Argument.Int narrow ? narrow.value() : longAt(index);
    }

    @Override
    public int intAt(int index) {
        return ((Argument.Int) arguments.get(index)).value();
    }

    @Override
    public long longAt(int index) {
        return ((Argument.Long) arguments.get(index)).value();
    }

    @Override
    public float floatAt(int index) {
        return ((Argument.Float) arguments.get(index)).value();
    }

    @Override
    public double doubleAt(int index) {
        return ((Argument.Double) arguments.get(index)).value();
    }

    @Override
    public long bytesAt(int index) {
        return slices[index].lengthBytes();
    }

    @Override
    public ByteBuffer bufferAt(int index) {
        return slices[index].buffer();
    }
}
