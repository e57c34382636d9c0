package com.inaccel.coral.engine;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.accelerators.Accelerator;
import com.inaccel.coral.accelerators.Arguments;
import java.util.List;

/**
 * An accelerator that is known only from its manifest: one launch of one work-item with all arguments.
 *
 * @param leastBytes by parameter: what its slice must hold at least; 0 where the manifest does not say
 * @param operands arguments in the order of the kernel's
 */
record UserAccelerator(
        String name, List<Parameter> parameters, List<Long> leastBytes, String kernel, List<Operand> operands)
        implements Accelerator {

    UserAccelerator {
        parameters = List.copyOf(parameters);
        leastBytes = List.copyOf(leastBytes);
        operands = List.copyOf(operands);
    }

    @Override
    public void check(Arguments arguments) {
        for (int index = 0; index < parameters.size(); index++) {
            Parameter parameter = parameters.get(index);
            if (parameter.type().isArray() && arguments.bytesAt(index) < leastBytes.get(index)) {
                throw new CoralException(ErrorCode.OUT_OF_RANGE,
                    "slice too short: accelerator=" + name + ", parameter=" + parameter.name() + ", bytes="
                        + arguments.bytesAt(index) + ", neededBytes=" + leastBytes.get(index)
                        + "; pass the size that the bitstream's manifest asks for");
            }
        }
    }

    /** There is none: only devices with kernels are offered bitstreams with such accelerators. */
    @Override
    public void reference(Arguments arguments) {
        throw new UnsupportedOperationException("no reference: accelerator=" + name);
    }

    @Override
    public List<Launch> plan(Arguments arguments) {
        return List.of(new Launch(kernel, 1, operands));
    }
}
