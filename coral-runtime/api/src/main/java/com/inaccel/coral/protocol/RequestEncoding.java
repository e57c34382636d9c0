package com.inaccel.coral.protocol;

import com.inaccel.coral.Argument;
import com.inaccel.coral.Request;
import java.time.Duration;

/** A request as {@code coral.proto} has it; segments become the ids that the connection's manager gave them. */
final class RequestEncoding {
    private RequestEncoding() { }

    static Wire.Submit.Builder encode(Request request, ManagerConnection connection) {
        Wire.Submit.Builder submit = Wire.Submit.newBuilder()
            .setAccelerator(request.accelerator())
            .setPriority(request.priority());
        request.timeout().ifPresent(timeout -> submit.setTimeoutNanos(saturatedNanos(timeout)));
        for (Argument argument : request.arguments()) {
            submit.addArguments(encode(argument, connection));
        }
        return submit;
    }

    private static Wire.Argument.Builder encode(Argument argument, ManagerConnection connection) {
        Wire.Argument.Builder encoded = Wire.Argument.newBuilder();
        if (argument instanceof Argument.Int scalar) {
            return encoded.setIntValue(scalar.value());
        } else if (argument instanceof Argument.Long scalar) {
            return encoded.setLongValue(scalar.value());
        } else if (argument instanceof Argument.Float scalar) {
            return encoded.setFloatValue(scalar.value());
        } else if (argument instanceof Argument.Double scalar) {
            return encoded.setDoubleValue(scalar.value());
        }
        Argument.Slice slice = (Argument.Slice) argument; // the last of the sealed interface
        return encoded.setSlice(Wire.Slice.newBuilder()
            .setSegment(((SocketSegment) slice.segment()).idOn(connection))
            .setOffsetBytes(slice.offsetBytes())
            .setLengthBytes(slice.lengthBytes())
            .setAccess(Wire.Access.valueOf(slice.access().name())));
    }

    static long saturatedNanos(Duration duration) {
        try {
            return duration.toNanos();
        } catch (ArithmeticException e) {
            return duration.isNegative() ? Long.MIN_VALUE : Long.MAX_VALUE;
        }
    }
}
