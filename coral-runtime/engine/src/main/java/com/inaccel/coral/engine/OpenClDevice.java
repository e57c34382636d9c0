package com.inaccel.coral.engine;

import com.inaccel.coral.Argument;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.accelerators.Accelerator.Launch;
import com.inaccel.coral.accelerators.Accelerator.Operand;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jocl.CL;
import org.jocl.CLException;
import org.jocl.Pointer;
import org.jocl.Sizeof;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.jocl.cl_device_id;
import org.jocl.cl_kernel;
import org.jocl.cl_mem;
import org.jocl.cl_queue_properties;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A device behind an OpenCL driver: a CPU, a GPU, or an FPGA whose vendor has one.
 *
 * <p>One context, and an in-order queue for each lane. A device that shares the host's memory gets buffers over the segments
 * themselves ({@code CL_MEM_USE_HOST_PTR}), at the slices' own addresses, so that their offsets need no alignment but
 * their elements'. Everything of a request is enqueued without waiting; the one wait is for its last command.
 */
final class OpenClDevice implements Device {
    private static final Logger LOG = LoggerFactory.getLogger(OpenClDevice.class);
    /** Where the driver spreads each run over the whole device: the next fills what the last leaves at its end. */
    private static final int RUNS_AT_ONCE = 2;
    private static final Set<String> FPGA_VENDORS = Set.of("xilinx", "intel");

    private final DeviceInfo info;
    private final cl_device_id deviceId;
    private final boolean sharesHostMemory;
    private final boolean compiles;
    private final boolean holdsManyBitstreams;
    private final Optional<FpgaInfo> fpga;
    private final Map<Bitstream, OpenClProgram> programs = new ConcurrentHashMap<>();
    private final List<ClLane> lanes = new CopyOnWriteArrayList<>();
    private final ClHandle<cl_context> context;

    /** @param copies to keep copies even where the host's memory is shared */
    OpenClDevice(String id, OpenCl.Found found, boolean copies) {
        deviceId = found.deviceId();
        long memory = OpenCl.number(deviceId, CL.CL_DEVICE_GLOBAL_MEM_SIZE);
        info = new DeviceInfo(id, found.vendor(), found.platform(),
            OpenCl.text(deviceId, CL.CL_DEVICE_NAME) + ", " + OpenCl.text(deviceId, CL.CL_DEVICE_VERSION), memory,
            Math.toIntExact(OpenCl.number(deviceId, CL.CL_DEVICE_MAX_COMPUTE_UNITS)), "");
        long type = OpenCl.number(deviceId, CL.CL_DEVICE_TYPE);
        sharesHostMemory = !copies && sharesHostMemory(type);
        compiles = OpenCl.flag(deviceId, CL.CL_DEVICE_COMPILER_AVAILABLE);
        // On an FPGA a program is the configuration of the whole card; elsewhere it is just code.
        holdsManyBitstreams = (type & CL.CL_DEVICE_TYPE_ACCELERATOR) == 0;
        fpga = holdsManyBitstreams || !FPGA_VENDORS.contains(found.vendor()) ? Optional.empty()
            : Optional.of(new FpgaInfo(info, /* emulated= */ false, OpenCl.pciAddress(deviceId)));
        try {
            context = OpenCl.context(found);
        } catch (CLException e) {
            throw failure("open", e);
        }
    }

    @Override
    public Optional<FpgaInfo> fpga() {
        return fpga;
    }

    /** Only on a CPU are the host's later writes visible without telling the driver of each. */
    @SuppressWarnings("deprecation") // what replaces it says more than is asked, and only since OpenCL 2
    private boolean sharesHostMemory(long type) {
        return (type & CL.CL_DEVICE_TYPE_CPU) != 0 && OpenCl.flag(deviceId, CL.CL_DEVICE_HOST_UNIFIED_MEMORY);
    }

    @Override
    public DeviceInfo info() {
        return info;
    }

    @Override
    public boolean understands(Bitstream bitstream) {
        return compiles || !bitstream.isSource();
    }

    @Override
    public boolean holdsManyBitstreams() {
        return holdsManyBitstreams;
    }

    @Override
    public boolean sharesHostMemory() {
        return sharesHostMemory;
    }

    /** An FPGA has what was built into the bitstream. Other drivers spread one run over the whole device. */
    @Override
    public int units(Bitstream.Kernel kernel) {
        return holdsManyBitstreams ? RUNS_AT_ONCE : kernel.units();
    }

    @Override
    public synchronized void program(Bitstream bitstream) {
        try (SignalHandlers jvms = SignalHandlers.keep()) {
            if (!holdsManyBitstreams) {
                programs.values().forEach(OpenClProgram::close);
                programs.clear();
            }
            if (!programs.containsKey(bitstream)) {
                programs.put(bitstream, OpenClProgram.load(context.get(), deviceId, bitstream));
            }
        } catch (CLException e) {
            throw failure("program", e);
        }
    }

    /** What a loaded bitstream compiled to. */
    byte[] binary(Bitstream bitstream) {
        return programs.get(bitstream).binary();
    }

    @Override
    public Lane lane() {
        ClLane lane = new ClLane();
        lanes.add(lane);
        return lane;
    }

    @Override
    public void reset() {
        try {
            lanes.forEach(ClLane::finish);
        } catch (CLException e) {
            throw failure("reset", e);
        }
    }

    /** No driver can stop what runs. */
    @Override
    public void abort() { }

    @Override
    public void close() {
        programs.values().forEach(OpenClProgram::close);
        programs.clear();
        context.close();
    }

    private RuntimeException failure(String step, CLException e) {
        if (e.getStatus() == CL.CL_MEM_OBJECT_ALLOCATION_FAILURE || e.getStatus() == CL.CL_INVALID_BUFFER_SIZE) {
            return new CoralException(ErrorCode.DEVICE_MEMORY_EXHAUSTED,
                "device memory exhausted: device=" + info.id() + ", step=" + step + ", limitBytes="
                    + info.memoryBytes() + ", status=" + e.getMessage() + "; use smaller slices", e);
        }
        return new DeviceFailure("device=" + info.id() + ", step=" + step + ", status=" + e.getMessage(), e);
    }

    /** @param bytes of memory of its own; of the host's where that is used in place */
    private record Buffer(ClHandle<cl_mem> handle, long bytes) implements Placement {
        @Override
        public void close() {
            handle.close();
        }
    }

    /** A queue, opened when it is first used, and buffers that runs leave for later ones. */
    private final class ClLane implements Lane {
        private final Workspace workspace = new Workspace();
        private ClHandle<cl_command_queue> opened;

        private cl_command_queue queue() {
            if (opened == null) {
                opened = ClHandle.of(() -> CL.clCreateCommandQueueWithProperties(
                    context.get(), deviceId, new cl_queue_properties(), null), CL::clReleaseCommandQueue);
            }
            return opened.get();
        }

        private void finish() {
            if (opened != null) {
                CL.clFinish(opened.get());
            }
        }

        @Override
        public Placement place(HostSlice slice) {
            try {
                // Read-write even for what is only read here: another request may write the same slice.
                long flags = CL.CL_MEM_READ_WRITE | (sharesHostMemory ? CL.CL_MEM_USE_HOST_PTR : 0);
                Pointer host = sharesHostMemory ? Pointer.to(slice.buffer()) : null;
                Buffer buffer = new Buffer(ClHandle.of(() -> CL.clCreateBuffer(
                    context.get(), flags, slice.lengthBytes(), host, null), CL::clReleaseMemObject), slice.lengthBytes());
                if (!sharesHostMemory) {
                    fill(buffer, slice);
                }
                return buffer;
            } catch (CLException e) {
                throw failure("place", e);
            }
        }

        /** Closes the buffer when it fails. */
        private void fill(Buffer buffer, HostSlice slice) {
            try {
                CL.clEnqueueWriteBuffer(queue(), buffer.handle.get(), true, 0, slice.lengthBytes(),
                    Pointer.to(slice.buffer()), 0, null, null);
            } catch (CLException e) {
                buffer.close();
                throw e;
            }
        }

        @Override
        public long scratchBytes(Execution execution) {
            return execution.scratchBytes().values().stream().mapToLong(Long::longValue).reduce(0, Math::addExact);
        }

        @Override
        public long heldBytes() {
            return workspace.heldBytes;
        }

        @Override
        public void releaseHeld() {
            workspace.close();
        }

        @Override
        public void copyIn(Execution execution) {
            if (sharesHostMemory) {
                return;
            }
            inStep("copy in", () -> {
                for (int i = 0; i < execution.placements().length; i++) {
                    if (execution.passesThrough(i)) {
                        HostSlice slice = execution.arguments().slice(i);
                        CL.clEnqueueWriteBuffer(queue(), memory(execution, i), false, 0, slice.lengthBytes(),
                            Pointer.to(slice.buffer()), 0, null, null);
                    }
                }
                finish();
            });
        }

        @Override
        public void run(Execution execution) {
            OpenClProgram program = programs.get(execution.bitstream());
            program.run(() -> inStep("run", () -> {
                Map<Integer, Long> scratch = execution.scratchBytes();
                for (Launch launch : execution.launches()) {
                    enqueue(program.kernel(this, launch.kernel()), launch, execution, scratch);
                }
                if (sharesHostMemory) {
                    publishInPlace(execution);
                } else {
                    finish();
                }
            }));
        }

        @Override
        public void copyOut(Execution execution) {
            if (sharesHostMemory) {
                return;
            }
            inStep("copy out", () -> {
                for (int i = 0; i < execution.placements().length; i++) {
                    if (execution.passesThrough(i) && execution.arguments().slice(i).access().writes()) {
                        HostSlice slice = execution.arguments().slice(i);
                        CL.clEnqueueReadBuffer(queue(), memory(execution, i), false, 0, slice.lengthBytes(),
                            Pointer.to(slice.buffer()), 0, null, null);
                    }
                }
                finish();
            });
        }

        /** Nothing enqueued may run on after its request ended with an error. */
        private void inStep(String step, Runnable commands) {
            try {
                commands.run();
            } catch (CLException e) {
                drain();
                throw failure(step, e);
            } catch (CoralException e) {
                drain();
                throw e;
            }
        }

        private void drain() {
            try {
                finish();
            } catch (CLException e) {
                LOG.debug("queue does not drain: device={}, status={}", info.id(), e.getMessage());
            }
        }

        /** Null for scalars and empty slices. */
        private cl_mem memory(Execution execution, int argument) {
            if (execution.placements()[argument] instanceof Buffer buffer) {
                return buffer.handle.get();
            }
            return execution.passesThrough(argument)
                ? workspace.passing(argument, execution.arguments().slice(argument).lengthBytes()) : null;
        }

        private void enqueue(cl_kernel kernel, Launch launch, Execution execution, Map<Integer, Long> scratch) {
            try {
                for (int position = 0; position < launch.operands().size(); position++) {
                    Operand operand = launch.operands().get(position);
                    if (operand instanceof Operand.Arg arg) {
                        setArgument(kernel, position, execution, arg.index());
                    } else if (operand instanceof Operand.Scratch slot) {
                        setMemory(kernel, position, workspace.scratch(slot.slot(), scratch.get(slot.slot())));
                    } else if (operand instanceof Operand.IntValue value) {
                        CL.clSetKernelArg(kernel, position, Sizeof.cl_int, Pointer.to(new int[] {value.value()}));
                    }
                }
            } catch (CLException e) {
                if (isArgumentProblem(e)) {
                    throw new CoralException(ErrorCode.BAD_BITSTREAM,
                        "kernel takes other arguments: manifest=" + execution.bitstream().origin() + ", kernel="
                            + launch.kernel() + ", status=" + e.getMessage() + "; correct the kernel or its manifest", e);
                }
                throw e;
            }
            CL.clEnqueueNDRangeKernel(queue(), kernel, 1, null, new long[] {launch.workItems()}, new long[] {1},
                0, null, null);
        }

        private void setArgument(cl_kernel kernel, int position, Execution execution, int index) {
            if (execution.arguments().isSlice(index)) {
                setMemory(kernel, position, memory(execution, index));
                return;
            }
            Argument argument = execution.arguments().argument(index);
            if (argument instanceof Argument.Int value) {
                CL.clSetKernelArg(kernel, position, Sizeof.cl_int, Pointer.to(new int[] {value.value()}));
            } else if (argument instanceof Argument.Long value) {
                CL.clSetKernelArg(kernel, position, Sizeof.cl_long, Pointer.to(new long[] {value.value()}));
            } else if (argument instanceof Argument.Float value) {
                CL.clSetKernelArg(kernel, position, Sizeof.cl_float, Pointer.to(new float[] {value.value()}));
            } else if (argument instanceof Argument.Double value) {
                CL.clSetKernelArg(kernel, position, Sizeof.cl_double, Pointer.to(new double[] {value.value()}));
            }
        }

        /**
         * Reading a buffer to where it lies already moves nothing, but is what makes a kernel's writes visible there, and waits
         * for them. Mapping would too; JOCL wakes a thread of its own for each unmapping, though.
         */
        private void publishInPlace(Execution execution) {
            boolean read = false;
            for (int i = 0; i < execution.placements().length && !execution.launches().isEmpty(); i++) {
                if (writes(execution, i)) {
                    HostSlice slice = execution.arguments().slice(i);
                    CL.clEnqueueReadBuffer(queue(), memory(execution, i), true, 0, slice.lengthBytes(),
                        Pointer.to(slice.buffer()), 0, null, null);
                    read = true;
                }
            }
            if (!read) {
                finish();
            }
        }

        private boolean writes(Execution execution, int argument) {
            return execution.placements()[argument] != null && execution.arguments().slice(argument).access().writes();
        }

        @Override
        public void close() {
            workspace.close();
            lanes.remove(this);
            if (opened != null) {
                opened.close();
            }
        }
    }

    private static boolean isArgumentProblem(CLException e) {
        return e.getStatus() == CL.CL_INVALID_ARG_INDEX || e.getStatus() == CL.CL_INVALID_ARG_SIZE
            || e.getStatus() == CL.CL_INVALID_ARG_VALUE || e.getStatus() == CL.CL_INVALID_MEM_OBJECT;
    }

    /** An empty slice is a null pointer in the kernel. */
    private static void setMemory(cl_kernel kernel, int position, cl_mem memory) {
        CL.clSetKernelArg(kernel, position, Sizeof.cl_mem, memory == null ? null : Pointer.to(memory));
    }

    /** Buffers that runs use and leave for later ones; each grows to the most that was asked of it. */
    private final class Workspace implements AutoCloseable {
        private final Map<Integer, Buffer> scratch = new HashMap<>();
        private final Map<Integer, Buffer> passing = new HashMap<>();
        private long heldBytes;

        cl_mem scratch(int slot, long bytes) {
            return buffer(scratch, slot, bytes);
        }

        cl_mem passing(int argument, long bytes) {
            return buffer(passing, argument, bytes);
        }

        private cl_mem buffer(Map<Integer, Buffer> buffers, int slot, long bytes) {
            Buffer buffer = buffers.get(slot);
            if (buffer == null || buffer.bytes < bytes) {
                if (buffer != null) {
                    buffers.remove(slot);
                    heldBytes -= buffer.bytes;
                    buffer.close();
                }
                long size = Math.max(bytes, 1);
                buffer = new Buffer(ClHandle.of(() -> CL.clCreateBuffer(
                    context.get(), CL.CL_MEM_READ_WRITE, size, null, null), CL::clReleaseMemObject), size);
                buffers.put(slot, buffer);
                heldBytes += size;
            }
            return buffer.handle.get();
        }

        @Override
        public void close() {
            scratch.values().forEach(Buffer::close);
            scratch.clear();
            passing.values().forEach(Buffer::close);
            passing.clear();
            heldBytes = 0;
        }
    }
}
