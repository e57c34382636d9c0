package com.inaccel.coral.engine;

import com.inaccel.coral.Completion;
import com.inaccel.coral.Coral;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import com.inaccel.coral.protocol.SealedMemory;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/** A session on the engine itself. Futures are completed on the lanes' threads: what depends on them must not block. */
public final class EngineSession implements Session {
    private final Engine engine;
    private final SharedMemory.Account account;
    private final Runnable onClose;
    private final AtomicLong nextId = new AtomicLong(1);
    private final Set<EngineSegment> segments = ConcurrentHashMap.newKeySet();
    private final Set<PendingRequest> outstanding = ConcurrentHashMap.newKeySet();
    private final Conflicts conflicts = new Conflicts();
    private volatile boolean open = true;

    EngineSession(Engine engine, SharedMemory.Account account, Runnable onClose) {
        this.engine = engine;
        this.account = account;
        this.onClose = onClose;
    }

    Engine engine() {
        return engine;
    }

    @Override
    public EngineSegment allocate(long bytes) {
        if (bytes < 1 || bytes > Segment.MAX_BYTES) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "not a segment's size: bytes=" + bytes + ", limitBytes=" + Segment.MAX_BYTES
                    + "; ask for 1 byte to the limit, and use several segments for more");
        }
        requireOpen();
        SealedMemory memory = engine.memory().acquire(account, bytes);
        return add(new EngineSegment(this, account, memory, nextId.getAndIncrement()));
    }

    /**
     * A segment of memory that another engine, which has gone, minted for this client, or so it says.
     *
     * @param descriptor hostile until checked; owned from the call on, also when it throws
     * @param sizeBytes what it is said to have
     * @param usedBytes what a seal has left of it; all of it where it is not sealed
     */
    public EngineSegment attach(int descriptor, long sizeBytes, long usedBytes, boolean sealed) {
        SealedMemory memory = SealedMemory.adopt(descriptor, sizeBytes);
        try {
            requireOpen();
            boolean plausible = sealed ? usedBytes >= 0 && usedBytes <= sizeBytes : usedBytes == sizeBytes;
            if (sizeBytes > Segment.MAX_BYTES || !plausible) {
                throw new CoralException(ErrorCode.INVALID_ARGUMENT, "no segment is like this: sizeBytes=" + sizeBytes
                    + ", usedBytes=" + usedBytes + ", sealed=" + sealed + ", limitBytes=" + Segment.MAX_BYTES
                    + "; attach what a manager allocated");
            }
            long kept = SharedMemory.roundUpToPages(usedBytes);
            memory.trim(kept);
            engine.memory().attach(account, kept);
            return add(new EngineSegment(this, account, memory, nextId.getAndIncrement(), kept, sealed));
        } catch (CoralException e) {
            memory.close();
            throw e;
        }
    }

    private EngineSegment add(EngineSegment segment) {
        segments.add(segment);
        if (!open) { // closed meanwhile: its close may have missed this one
            segment.close();
            requireOpen();
        }
        return segment;
    }

    @Override
    public CompletableFuture<Completion> submit(Request request) {
        return submit(request, false);
    }

    /**
     * As {@link #submit(Request)}, for callers that have nothing else to do: where a device that works in the host's memory is
     * idle and the request should take no longer than waking a thread or two, it has been run when this returns.
     */
    public CompletableFuture<Completion> submitOrRun(Request request) {
        return submit(request, true);
    }

    private CompletableFuture<Completion> submit(Request request, boolean here) {
        PendingRequest pending;
        String known = "";
        try {
            requireOpen();
            Installed installed = engine.installed().find(account.allocation().name(), request.accelerator());
            known = request.accelerator();
            pending = bind(request, installed);
        } catch (CoralException e) {
            return refused(known, e);
        } catch (RuntimeException e) {
            return refused(known, new CoralException(ErrorCode.INTERNAL,
                "accelerator's check failed: accelerator=" + request.accelerator() + ", problem=" + e + "; report it", e));
        }
        outstanding.add(pending);
        pending.future.whenComplete((done, problem) -> outstanding.remove(pending));
        engine.dispatcher().submit(pending, request.timeout(), here);
        if (!open) {
            fail(pending);
        }
        return pending.future;
    }

    private CompletableFuture<Completion> refused(String accelerator, CoralException problem) {
        engine.listener().requestFailed(account.allocation(), accelerator, problem.code(), problem.getMessage());
        return CompletableFuture.failedFuture(problem);
    }

    private PendingRequest bind(Request request, Installed installed) {
        RequestCheck.Bound bound = RequestCheck.bind(this, request, installed);
        return new PendingRequest(account.allocation(), request.accelerator(), bound.bitstreams(), bound.arguments(),
            bound.segments(), conflicts, request.priority(), System.nanoTime());
    }

    @Override
    public Set<String> accelerators() {
        return engine.installed().accelerators(account.allocation().name());
    }

    @Override
    public List<DeviceInfo> devices() {
        return engine.devices();
    }

    @Override
    public String address() {
        return Coral.EMBEDDED;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    /** Ends its requests with SESSION_CLOSED and closes its segments. */
    @Override
    public void close() {
        synchronized (this) {
            if (!open) {
                return;
            }
            open = false;
        }
        outstanding.forEach(EngineSession::fail);
        segments.forEach(EngineSegment::close);
        engine.left(this, account);
        onClose.run();
    }

    /** A segment was closed: devices let go of it, at once unless they use it. */
    void forget(EngineSegment segment) {
        segments.remove(segment);
        engine.forget(segment);
    }

    void reclaimTails() {
        segments.forEach(EngineSegment::reclaimTail);
    }

    private static void fail(PendingRequest request) {
        request.future.completeExceptionally(new CoralException(ErrorCode.SESSION_CLOSED,
            "session closed while the request was outstanding: accelerator=" + request.accelerator
                + "; close it after the last request"));
    }

    private void requireOpen() {
        if (!open) {
            throw new CoralException(ErrorCode.SESSION_CLOSED, "session is closed; open a new one");
        }
    }
}
