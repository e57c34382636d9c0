package com.inaccel.coral.engine;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Keeps the order of one session's requests where it matters: a request waits for earlier ones that write what it reads or
 * writes, or read what it writes. Thread-safe.
 *
 * <p>Each session has its own, so that looking through many outstanding requests costs only whoever submitted them. A read of a
 * sealed segment is looked up but not recorded: nothing accepted later can write there.
 */
final class Conflicts {
    /** Of requests that have not ended for good. Segments without uses are not there. */
    private final Map<EngineSegment, List<Use>> uses = new HashMap<>();

    /** One slice of one outstanding request. */
    private static final class Use {
        private final PendingRequest request;
        private final EngineSegment segment;
        private final HostSlice slice;
        private int position; // in the segment's list, which is in no order

        private Use(PendingRequest request, EngineSegment segment, HostSlice slice) {
            this.request = request;
            this.segment = segment;
            this.slice = slice;
        }

        private boolean conflicts(HostSlice other) {
            return (slice.access().writes() || other.access().writes()) && slice.overlaps(other);
        }
    }

    /** One request's place in the order; its fields are guarded by the conflicts' lock. */
    static final class Place {
        private final List<Use> uses = new ArrayList<>();
        /** Those that wait for it, once for each pair of slices that conflict. */
        private final List<PendingRequest> followers = new ArrayList<>();
        private int blockers;
    }

    /** Takes the next place. @return whether nothing earlier is in its way */
    synchronized boolean enter(PendingRequest request) {
        Place place = request.place();
        for (int i = 0; i < request.segments().length; i++) {
            EngineSegment segment = request.segments()[i];
            if (segment != null && request.arguments.slice(i).lengthBytes() > 0) {
                place.blockers += enter(request, segment, request.arguments.slice(i));
            }
        }
        return place.blockers == 0;
    }

    private int enter(PendingRequest request, EngineSegment segment, HostSlice slice) {
        int blockers = 0;
        List<Use> others = uses.get(segment);
        if (others != null) {
            for (Use other : others) {
                if (other.request != request && other.conflicts(slice)) {
                    other.request.place().followers.add(request);
                    blockers++;
                }
            }
        } else if (segment.isSealed()) {
            return 0;
        } else {
            others = new ArrayList<>();
            uses.put(segment, others);
        }
        Use use = new Use(request, segment, slice);
        use.position = others.size();
        others.add(use);
        request.place().uses.add(use);
        return blockers;
    }

    /** Nothing of it will touch the host's memory any more. @return the requests that nothing is in the way of now */
    synchronized List<PendingRequest> leave(PendingRequest request) {
        for (Use use : request.place().uses) {
            List<Use> others = uses.get(use.segment);
            Use last = others.remove(others.size() - 1);
            if (last != use) {
                last.position = use.position;
                others.set(use.position, last);
            }
            if (others.isEmpty()) {
                uses.remove(use.segment);
            }
        }
        List<PendingRequest> freed = new ArrayList<>();
        for (PendingRequest follower : request.place().followers) {
            if (--follower.place().blockers == 0) {
                freed.add(follower);
            }
        }
        return freed;
    }
}
