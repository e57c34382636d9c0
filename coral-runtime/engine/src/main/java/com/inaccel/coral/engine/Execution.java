package com.inaccel.coral.engine;

import com.inaccel.coral.accelerators.Accelerator;
import com.inaccel.coral.accelerators.Accelerator.Launch;
import com.inaccel.coral.accelerators.Accelerator.Operand;
import com.inaccel.coral.engine.Device.Placement;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * One request, made ready for one device.
 *
 * @param placements by argument: where its slice lies on the device; null for scalars, for empty slices, and for slices
 *     that only pass through, which a device that shares the host's memory never sees
 */
record Execution(
        Bitstream bitstream,
        Bitstream.Kernel kernel,
        BoundArguments arguments,
        List<Launch> launches,
        Placement[] placements) {

    static Execution of(Bitstream bitstream, String accelerator, BoundArguments arguments) {
        Bitstream.Kernel kernel = bitstream.kernel(accelerator);
        return new Execution(bitstream, kernel, arguments, kernel.accelerator().plan(arguments),
            new Placement[arguments.count()]);
    }

    Accelerator accelerator() {
        return kernel.accelerator();
    }

    /** Bytes by scratch slot: the most that any launch asks for. */
    Map<Integer, Long> scratchBytes() {
        Map<Integer, Long> bytes = new HashMap<>();
        for (Launch launch : launches) {
            for (Operand operand : launch.operands()) {
                if (operand instanceof Operand.Scratch scratch) {
                    bytes.merge(scratch.slot(), scratch.bytes(), Math::max);
                }
            }
        }
        return bytes;
    }

    /**
     * Slices without a placement, which are copied in and out around the run: those that are only written too, since a kernel
     * may leave parts unwritten, and what another tenant left in the device's memory must not show there.
     */
    boolean passesThrough(int argument) {
        return arguments.isSlice(argument) && placements[argument] == null
            && arguments.slice(argument).lengthBytes() > 0;
    }
}
