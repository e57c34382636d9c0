package com.inaccel.coral.engine;

import com.inaccel.coral.Argument;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.accelerators.Accelerator.Launch;
import com.inaccel.coral.accelerators.Accelerator.Operand;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.jocl.CL;
import org.jocl.CLException;
import org.jocl.Pointer;
import org.jocl.Sizeof;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.jocl.cl_context_properties;
import org.jocl.cl_device_id;
import org.jocl.cl_kernel;
import org.jocl.cl_mem;
import org.jocl.cl_queue_properties;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A device behind an OpenCL driver: a CPU, a GPU, or an FPGA whose vendor has one.
 *
 * <p>One context and one in-order queue. A device that shares the host's memory gets buffers over the segments
 * themselves ({@code CL_MEM_USE_HOST_PTR}), at the slices' own addresses, so that their offsets need no alignment but
 * their elements'. Everything of a request is enqueued without waiting; the one wait is for its last command.
 */
final class OpenClDevice implements Device {
    private static final Logger LOG = LoggerFactory.getLogger(OpenClDevice.class);

    private final DeviceInfo info;
    private final cl_device_id deviceId;
    private final boolean sharesHostMemory;
    private final boolean compiles;
    private final boolean holdsManyBitstreams;
    private final Map<Bitstream, OpenClProgram> programs = new HashMap<>();
    private final Workspace workspace = new Workspace();
    private final Deque<AutoCloseable> opened = new ArrayDeque<>(); // last opened first
    private cl_context context;
    private cl_command_queue queue;

    /** @param copies to keep copies even where the host's memory is shared */
    @SuppressWarnings("deprecation") // what replaces it says more than is asked, and only since OpenCL 2
    OpenClDevice(String id, OpenCl.Found found, boolean copies) {
        deviceId = found.deviceId();
        long memory = OpenCl.number(deviceId, CL.CL_DEVICE_GLOBAL_MEM_SIZE);
        info = new DeviceInfo(id, found.vendor(), found.platform(),
            OpenCl.text(deviceId, CL.CL_DEVICE_NAME) + ", " + OpenCl.text(deviceId, CL.CL_DEVICE_VERSION), memory,
            Math.toIntExact(OpenCl.number(deviceId, CL.CL_DEVICE_MAX_COMPUTE_UNITS)));
        long type = OpenCl.number(deviceId, CL.CL_DEVICE_TYPE);
        // Only on a CPU are the host's later writes visible without telling the driver of each.
        sharesHostMemory = !copies && (type & CL.CL_DEVICE_TYPE_CPU) != 0
            && OpenCl.flag(deviceId, CL.CL_DEVICE_HOST_UNIFIED_MEMORY);
        compiles = OpenCl.flag(deviceId, CL.CL_DEVICE_COMPILER_AVAILABLE);
        // On an FPGA a program is the configuration of the whole card; elsewhere it is just code.
        holdsManyBitstreams = (type & CL.CL_DEVICE_TYPE_ACCELERATOR) == 0;
        open(found);
    }

    private void open(OpenCl.Found found) {
        try {
            cl_context_properties properties = new cl_context_properties();
            properties.addProperty(CL.CL_CONTEXT_PLATFORM, found.platformId());
            ClHandle<cl_context> contextHandle = ClHandle.of(() -> CL.clCreateContext(
                properties, 1, new cl_device_id[] {deviceId}, null, null, null), CL::clReleaseContext);
            opened.push(contextHandle);
            context = contextHandle.get();
            ClHandle<cl_command_queue> queueHandle = ClHandle.of(() -> CL.clCreateCommandQueueWithProperties(
                context, deviceId, new cl_queue_properties(), null), CL::clReleaseCommandQueue);
            opened.push(queueHandle);
            queue = queueHandle.get();
        } catch (CLException e) {
            close();
            throw failure("open", e);
        }
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

    @Override
    public void program(Bitstream bitstream) {
        try (SignalHandlers jvms = SignalHandlers.keep()) {
            if (!holdsManyBitstreams) {
                programs.values().forEach(OpenClProgram::close);
                programs.clear();
            }
            if (!programs.containsKey(bitstream)) {
                programs.put(bitstream, OpenClProgram.load(context, deviceId, bitstream));
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
    public Placement place(HostSlice slice) {
        try {
            // Read-write even for what is only read here: another request may write the same slice.
            long flags = CL.CL_MEM_READ_WRITE | (sharesHostMemory ? CL.CL_MEM_USE_HOST_PTR : CL.CL_MEM_COPY_HOST_PTR);
            Buffer buffer = new Buffer(ClHandle.of(() -> CL.clCreateBuffer(
                context, flags, slice.lengthBytes(), Pointer.to(slice.buffer()), null), CL::clReleaseMemObject),
                sharesHostMemory ? 0 : slice.lengthBytes());
            return buffer;
        } catch (CLException e) {
            throw failure("place", e);
        }
    }

    private record Buffer(ClHandle<cl_mem> handle, long deviceBytes) implements Placement {
        @Override
        public void close() {
            handle.close();
        }
    }

    @Override
    public long workspaceBytes(Execution execution) {
        return execution.scratchBytes().values().stream().mapToLong(Long::longValue).reduce(0, Math::addExact);
    }

    @Override
    public long heldWorkspaceBytes() {
        return workspace.heldBytes;
    }

    @Override
    public void releaseWorkspace() {
        workspace.close();
    }

    @Override
    public Timing run(Execution execution) {
        OpenClProgram program = programs.get(execution.bitstream());
        if (!program.firstRun()) {
            return run(execution, program);
        }
        // Some drivers compile a kernel when it runs for the first time.
        try (SignalHandlers jvms = SignalHandlers.keep()) {
            return run(execution, program);
        }
    }

    private Timing run(Execution execution, OpenClProgram program) {
        try {
            long started = System.nanoTime();
            cl_mem[] memory = memory(execution);
            copyIn(execution, memory);
            Map<Integer, Long> scratch = execution.scratchBytes();
            if (execution.launches().isEmpty()) {
                return finish(execution, memory, started);
            }
            for (Launch launch : execution.launches()) {
                enqueue(program.kernel(launch.kernel()), launch, execution, memory, scratch);
            }
            return finish(execution, memory, started);
        } catch (CLException e) {
            drain();
            throw failure("run", e);
        } catch (CoralException e) {
            drain();
            throw e;
        }
    }

    /** By argument; null for scalars and empty slices. */
    private cl_mem[] memory(Execution execution) {
        cl_mem[] memory = new cl_mem[execution.placements().length];
        for (int i = 0; i < memory.length; i++) {
            if (execution.placements()[i] instanceof Buffer buffer) {
                memory[i] = buffer.handle.get();
            } else if (execution.passesThrough(i)) {
                memory[i] = workspace.passing(i, execution.arguments().slice(i).lengthBytes());
            }
        }
        return memory;
    }

    private void copyIn(Execution execution, cl_mem[] memory) {
        for (int i = 0; i < memory.length; i++) {
            if (execution.passesThrough(i) && execution.copiesIn(i)) {
                HostSlice slice = execution.arguments().slice(i);
                CL.clEnqueueWriteBuffer(queue, memory[i], false, 0, slice.lengthBytes(), Pointer.to(slice.buffer()),
                    0, null, null);
            }
        }
    }

    private void enqueue(
            cl_kernel kernel, Launch launch, Execution execution, cl_mem[] memory, Map<Integer, Long> scratch) {
        try {
            for (int position = 0; position < launch.operands().size(); position++) {
                Operand operand = launch.operands().get(position);
                if (operand instanceof Operand.Arg arg) {
                    setArgument(kernel, position, execution, arg.index(), memory);
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
        CL.clEnqueueNDRangeKernel(queue, kernel, 1, null, new long[] {launch.workItems()}, new long[] {1},
            0, null, null);
    }

    private static boolean isArgumentProblem(CLException e) {
        return e.getStatus() == CL.CL_INVALID_ARG_INDEX || e.getStatus() == CL.CL_INVALID_ARG_SIZE
            || e.getStatus() == CL.CL_INVALID_ARG_VALUE || e.getStatus() == CL.CL_INVALID_MEM_OBJECT;
    }

    private static void setArgument(
            cl_kernel kernel, int position, Execution execution, int index, cl_mem[] memory) {
        if (execution.arguments().isSlice(index)) {
            setMemory(kernel, position, memory[index]);
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

    /** An empty slice is a null pointer in the kernel. */
    private static void setMemory(cl_kernel kernel, int position, cl_mem memory) {
        CL.clSetKernelArg(kernel, position, Sizeof.cl_mem, memory == null ? null : Pointer.to(memory));
    }

    /** The one wait, then the results' way into the host's memory. */
    private Timing finish(Execution execution, cl_mem[] memory, long started) {
        if (sharesHostMemory) {
            publishInPlace(execution, memory);
            return new Timing(0, System.nanoTime() - started);
        }
        CL.clFinish(queue);
        long ran = System.nanoTime();
        if (execution.mayPublish().getAsBoolean()) {
            for (int i = 0; i < memory.length; i++) {
                if (execution.passesThrough(i) && execution.arguments().slice(i).access().writes()) {
                    HostSlice slice = execution.arguments().slice(i);
                    CL.clEnqueueReadBuffer(queue, memory[i], false, 0, slice.lengthBytes(),
                        Pointer.to(slice.buffer()), 0, null, null);
                }
            }
            CL.clFinish(queue);
        }
        return new Timing(System.nanoTime() - ran, ran - started);
    }

    /**
     * Mapping is what makes a kernel's writes visible through the host's pointer. The queue is in order, so the last
     * map is also the wait for everything before it.
     */
    private void publishInPlace(Execution execution, cl_mem[] memory) {
        int last = -1;
        for (int i = 0; i < memory.length; i++) {
            if (memory[i] != null && execution.arguments().slice(i).access().writes()) {
                last = i;
            }
        }
        if (last < 0) {
            CL.clFinish(queue);
            return;
        }
        for (int i = 0; i <= last; i++) {
            if (memory[i] != null && execution.arguments().slice(i).access().writes()) {
                ByteBuffer mapped = CL.clEnqueueMapBuffer(queue, memory[i], i == last, CL.CL_MAP_READ, 0,
                    execution.arguments().slice(i).lengthBytes(), 0, null, null, null);
                CL.clEnqueueUnmapMemObject(queue, memory[i], mapped, 0, null, null);
            }
        }
    }

    /** Nothing enqueued may run on after its request ended with an error. */
    private void drain() {
        try {
            CL.clFinish(queue);
        } catch (CLException e) {
            LOG.debug("queue does not drain: device={}, status={}", info.id(), e.getMessage());
        }
    }

    @Override
    public void reset() {
        try {
            CL.clFinish(queue);
        } catch (CLException e) {
            throw failure("reset", e);
        }
    }

    /** No driver can stop what runs. */
    @Override
    public void abort() { }

    @Override
    public void close() {
        workspace.close();
        programs.values().forEach(OpenClProgram::close);
        programs.clear();
        while (!opened.isEmpty()) {
            try {
                opened.pop().close();
            } catch (Exception e) {
                LOG.warn("OpenCL object does not close: device={}, problem={}", info.id(), e.getMessage());
            }
        }
    }

    private RuntimeException failure(String step, CLException e) {
        if (e.getStatus() == CL.CL_MEM_OBJECT_ALLOCATION_FAILURE || e.getStatus() == CL.CL_INVALID_BUFFER_SIZE) {
            return new CoralException(ErrorCode.DEVICE_MEMORY_EXHAUSTED,
                "device memory exhausted: device=" + info.id() + ", step=" + step + ", limitBytes="
                    + info.memoryBytes() + ", status=" + e.getMessage() + "; use smaller slices", e);
        }
        return new DeviceFailure("device=" + info.id() + ", step=" + step + ", status=" + e.getMessage(), e);
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
            if (buffer == null || buffer.deviceBytes < bytes) {
                if (buffer != null) {
                    buffers.remove(slot);
                    heldBytes -= buffer.deviceBytes;
                    buffer.close();
                }
                long size = Math.max(bytes, 1);
                buffer = new Buffer(ClHandle.of(() -> CL.clCreateBuffer(
                    context, CL.CL_MEM_READ_WRITE, size, null, null), CL::clReleaseMemObject), size);
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
