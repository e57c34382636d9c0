package com.inaccel.coral.manager;

import com.inaccel.coral.Completion;
import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.BitstreamInfo;
import com.inaccel.coral.engine.EngineListener;
import java.time.Clock;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

/** Everything that can be seen of a manager: counted, told as events, remembered. Opened before its engine, closed after. */
final class Telemetry implements EngineListener, AutoCloseable {
    private final Metrics metrics = new Metrics();
    private final RecentRequests requests = new RecentRequests();
    private final EventLog events;
    private final LongAdder done = new LongAdder();
    private final LongAdder failed = new LongAdder();
    private final LongAdder cancelled = new LongAdder();

    /** @param destination of the event log: a file's path, {@code -} for standard output, empty for nowhere */
    Telemetry(String destination) {
        events = new EventLog(destination, Clock.systemUTC(), metrics);
    }

    Metrics metrics() {
        return metrics;
    }

    RecentRequests requests() {
        return requests;
    }

    EventLog events() {
        return events;
    }

    long done() {
        return done.sum();
    }

    /** Refused ones included, cancelled ones not. */
    long failed() {
        return failed.sum();
    }

    long cancelled() {
        return cancelled.sum();
    }

    @Override
    public void requestDone(Allocation allocation, String accelerator, Completion completion) {
        done.increment();
        metrics.requestDone(allocation.name(), accelerator, completion);
        requests.add(new RecentRequests.Ended(System.currentTimeMillis(), allocation.name(), accelerator,
            completion.device(), completion.queueNanos(), completion.transferNanos(), completion.runNanos(), Metrics.DONE));
    }

    @Override
    public void requestFailed(Allocation allocation, String accelerator, ErrorCode code, String message) {
        metrics.requestFailed(allocation.name(), accelerator, code.name());
        requests.add(new RecentRequests.Ended(System.currentTimeMillis(), allocation.name(), accelerator,
            /* device= */ "", 0, 0, 0, code.name()));
        if (code == ErrorCode.CANCELLED) {
            cancelled.increment();
        } else {
            failed.increment();
            Map<Event.Field, Object> fields = new EnumMap<>(Map.of(
                Event.Field.ALLOCATION, allocation.name(), Event.Field.CODE, code.name(), Event.Field.MESSAGE, message));
            if (!accelerator.isEmpty()) {
                fields.put(Event.Field.ACCELERATOR, accelerator);
            }
            events.add(Event.Kind.REQUEST_FAILED, fields);
        }
    }

    @Override
    public void bitstreamInstalled(BitstreamInfo bitstream) {
        tell(Event.Kind.BITSTREAM_INSTALLED, bitstream);
    }

    @Override
    public void bitstreamRemoved(BitstreamInfo bitstream) {
        tell(Event.Kind.BITSTREAM_REMOVED, bitstream);
    }

    @Override
    public void bitstreamRefused(BitstreamInfo bitstream) {
        tell(Event.Kind.BITSTREAM_REFUSED, bitstream);
    }

    private void tell(Event.Kind kind, BitstreamInfo bitstream) {
        Map<Event.Field, Object> fields = new EnumMap<>(Map.of(Event.Field.FILE, bitstream.manifest()));
        if (!bitstream.bitstreamId().isEmpty()) {
            fields.put(Event.Field.BITSTREAM, bitstream.bitstreamId() + " " + bitstream.version());
        }
        if (!bitstream.isUsed()) {
            fields.put(Event.Field.MESSAGE, bitstream.problem());
        }
        events.add(kind, fields);
    }

    @Override
    public void programmed(DeviceInfo device, String bitstream, long nanos) {
        events.add(Event.Kind.DEVICE_PROGRAMMED, Map.of(Event.Field.DEVICE, device.id(),
            Event.Field.BITSTREAM, bitstream, Event.Field.MILLIS, TimeUnit.NANOSECONDS.toMillis(nanos)));
    }

    @Override
    public void deviceFailed(DeviceInfo device, String problem) {
        events.add(Event.Kind.DEVICE_FAILED, Map.of(Event.Field.DEVICE, device.id(), Event.Field.MESSAGE, problem));
    }

    @Override
    public void deviceHung(DeviceInfo device, String problem) {
        events.add(Event.Kind.DEVICE_HUNG, Map.of(Event.Field.DEVICE, device.id(), Event.Field.MESSAGE, problem));
    }

    @Override
    public void deviceBack(DeviceInfo device) {
        events.add(Event.Kind.DEVICE_BACK, Map.of(Event.Field.DEVICE, device.id()));
    }

    /** Ends what is counted and remembered of an allocation by its name, but for the latest requests and failures. */
    void forget(String allocation) {
        metrics.forget(allocation);
        events.forget(allocation);
    }

    @Override
    public void close() {
        events.close();
    }
}
