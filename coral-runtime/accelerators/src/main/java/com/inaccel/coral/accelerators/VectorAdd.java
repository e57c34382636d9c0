package com.inaccel.coral.accelerators;

import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import java.nio.FloatBuffer;
import java.util.List;

/** {@code c[i] = a[i] + b[i]}: the smallest useful accelerator, and the one to copy when writing another. */
final class VectorAdd implements Accelerator {
    /** Elements per work-item: enough work to hide what a work-item costs on a CPU. */
    private static final int CHUNK = 4096;
    private static final int A = 0;
    private static final int B = 1;
    private static final int C = 2;
    private static final int N = 3;

    private static final List<Parameter> PARAMETERS = List.of(
        new Parameter("a", Type.FLOATS, Access.READ),
        new Parameter("b", Type.FLOATS, Access.READ),
        new Parameter("c", Type.FLOATS, Access.WRITE),
        Parameter.scalar("n", Type.INT));

    @Override
    public String name() {
        return "com.inaccel.math.Vector.Add";
    }

    @Override
    public List<Parameter> parameters() {
        return PARAMETERS;
    }

    @Override
    public void check(Arguments arguments) {
        int n = arguments.intAt(N);
        if (n < 0) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "negative length: accelerator=" + name() + ", n=" + n + "; pass the number of elements");
        }
        long bytes = (long) n * Float.BYTES;
        for (int index = A; index <= C; index++) {
            if (arguments.bytesAt(index) < bytes) {
                throw new CoralException(ErrorCode.OUT_OF_RANGE,
                    "slice too short: parameter=" + PARAMETERS.get(index).name() + ", bytes="
                        + arguments.bytesAt(index) + ", n=" + n + ", neededBytes=" + bytes
                        + "; pass longer slices or a smaller n");
            }
        }
    }

    @Override
    public void reference(Arguments arguments) {
        FloatBuffer a = arguments.bufferAt(A).asFloatBuffer();
        FloatBuffer b = arguments.bufferAt(B).asFloatBuffer();
        FloatBuffer c = arguments.bufferAt(C).asFloatBuffer();
        int n = arguments.intAt(N);
        for (int i = 0; i < n; i++) {
            c.put(i, a.get(i) + b.get(i));
        }
    }

    @Override
    public List<Launch> plan(Arguments arguments) {
        int n = arguments.intAt(N);
        if (n == 0) {
            return List.of();
        }
        return List.of(new Launch("vector_add", (n + (long) CHUNK - 1) / CHUNK, List.of(
            new Operand.Arg(A), new Operand.Arg(B), new Operand.Arg(C), new Operand.Arg(N),
            new Operand.IntValue(CHUNK))));
    }
}
