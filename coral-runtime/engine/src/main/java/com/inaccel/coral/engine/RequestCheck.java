package com.inaccel.coral.engine;

import com.inaccel.coral.Argument;
import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.Argument.Slice;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.accelerators.Accelerator.Parameter;
import com.inaccel.coral.accelerators.Accelerator.Type;
import java.util.Arrays;
import java.util.List;

/**
 * Checks a request against a signature before anything is queued: everything in it comes from a client and is hostile
 * until it has passed here. What passed is bound: slices name memory that stays mapped while the request lives.
 */
final class RequestCheck {
    private final EngineSession session;
    private final Request request;
    private final List<Parameter> parameters;
    private final EngineSegment[] segments;
    private final HostSlice[] slices;

    private RequestCheck(EngineSession session, Request request, List<Parameter> parameters) {
        this.session = session;
        this.request = request;
        this.parameters = parameters;
        this.segments = new EngineSegment[parameters.size()];
        this.slices = new HostSlice[parameters.size()];
    }

    /**
     * @param segments the caller owns one reference to each; null where the argument is a scalar
     * @param bitstreams by device: what it runs with there; null where nothing does
     */
    record Bound(BoundArguments arguments, EngineSegment[] segments, Bitstream[] bitstreams) { }

    static Bound bind(EngineSession session, Request request, Installed installed) {
        RequestCheck check = new RequestCheck(session, request, installed.parameters());
        try {
            return check.bind(installed);
        } catch (RuntimeException | Error e) {
            PendingRequest.releaseAll(Arrays.asList(check.segments));
            throw e;
        }
    }

    private Bound bind(Installed installed) {
        List<Argument> arguments = request.arguments();
        if (arguments.size() != parameters.size()) {
            throw invalid("wrong number of arguments", "given=" + arguments.size() + ", expected=" + parameters.size(),
                "pass " + parameters);
        }
        for (int i = 0; i < parameters.size(); i++) {
            if (!fits(arguments.get(i), parameters.get(i).type())) {
                throw invalid("wrong type of argument", at(i) + ", given=" + arguments.get(i).getClass().getSimpleName()
                    + ", expected=" + parameters.get(i).type(), "pass the type of the signature");
            }
            if (arguments.get(i) instanceof Slice slice) {
                bind(i, slice);
            }
        }
        requireDisjointWrites();
        BoundArguments bound = new BoundArguments(arguments, slices);
        Installed.Choice choice = installed.choose(bound);
        choice.implementations().forEach(accelerator -> accelerator.check(bound));
        return new Bound(bound, segments, choice.byDevice());
    }

    private static boolean fits(Argument argument, Type type) {
        return switch (type) {
            case INT -> argument instanceof Argument.Int;
            case LONG -> argument instanceof Argument.Long;
            case FLOAT -> argument instanceof Argument.Float;
            case DOUBLE -> argument instanceof Argument.Double;
            case BYTES, INTS, LONGS, FLOATS, DOUBLES -> argument instanceof Slice;
        };
    }

    private void bind(int index, Slice slice) {
        Parameter parameter = parameters.get(index);
        if (!(slice.segment() instanceof EngineSegment segment) || !segment.belongsTo(session)) {
            throw new CoralException(ErrorCode.UNKNOWN_SEGMENT,
                "segment of another session: " + at(index) + "; pass a segment that this session allocated");
        }
        segment.retain();
        segments[index] = segment;
        // Compared by subtraction: offset + length may overflow.
        if (slice.offsetBytes() < 0 || slice.lengthBytes() < 0
                || slice.lengthBytes() > segment.sizeBytes() - slice.offsetBytes()) {
            throw new CoralException(ErrorCode.OUT_OF_RANGE,
                "slice outside its segment: " + at(index) + ", offsetBytes=" + slice.offsetBytes() + ", lengthBytes="
                    + slice.lengthBytes() + ", segmentBytes=" + segment.sizeBytes() + "; stay within the segment");
        }
        int elementBytes = parameter.type().elementBytes();
        if (slice.offsetBytes() % elementBytes != 0 || slice.lengthBytes() % elementBytes != 0) {
            throw invalid("slice cuts elements", at(index) + ", offsetBytes=" + slice.offsetBytes() + ", lengthBytes="
                + slice.lengthBytes() + ", elementBytes=" + elementBytes, "use multiples of the element's size");
        }
        if (slice.access() != parameter.access() && slice.access() != Access.DECLARED) {
            throw invalid("wrong access", at(index) + ", given=" + slice.access() + ", expected=" + parameter.access(),
                "pass the access of the signature");
        }
        if (parameter.access().writes() && segment.isSealed()) {
            throw new CoralException(ErrorCode.SEGMENT_SEALED,
                "sealed segment where the accelerator writes: " + at(index) + ", segment=" + segment.id()
                    + "; pass a segment that is not sealed");
        }
        slices[index] = new HostSlice(segment.memory(), slice.offsetBytes(), slice.lengthBytes(), parameter.access());
    }

    /** What is written may not be anything else of the request: the result would depend on the device. */
    private void requireDisjointWrites() {
        for (int i = 0; i < slices.length; i++) {
            for (int j = 0; j < slices.length; j++) {
                if (i != j && slices[i] != null && slices[j] != null && slices[i].access().writes()
                        && segments[i] == segments[j] && slices[i].overlaps(slices[j])) {
                    throw invalid("written slice overlaps another", at(i) + ", other=" + parameters.get(j).name()
                        + ", segment=" + segments[i].id(), "use disjoint slices");
                }
            }
        }
    }

    private String at(int index) {
        return "accelerator=" + request.accelerator() + ", parameter=" + parameters.get(index).name();
    }

    private CoralException invalid(String what, String details, String fix) {
        String head = details.startsWith("accelerator=") ? "" : "accelerator=" + request.accelerator() + ", ";
        return new CoralException(ErrorCode.INVALID_ARGUMENT, what + ": " + head + details + "; " + fix);
    }
}
