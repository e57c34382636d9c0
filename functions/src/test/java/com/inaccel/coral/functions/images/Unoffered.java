package com.inaccel.coral.functions.images;

import com.inaccel.coral.Completion;
import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import com.inaccel.coral.functions.Answer;
import com.inaccel.coral.functions.Call;
import com.inaccel.coral.functions.Function;
import com.inaccel.coral.functions.FunctionContext;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;

/** The image function on a node whose bitstreams have no image accelerators: it asks for them under names that nobody offers. */
public final class Unoffered implements Function {
    static final String PREFIX = "org.example.none.";

    private final ImageFunction function = new ImageFunction();

    @Override
    public void open(FunctionContext context) {
        function.open(new FunctionContext(context.config(), () -> new Renaming(context.sessions().get()), context.metrics()));
    }

    @Override
    public Set<String> accelerators() {
        return function.accelerators().stream().map(name -> PREFIX + name).collect(Collectors.toSet());
    }

    @Override
    public Answer call(Call call) throws Exception {
        return function.call(call);
    }

    @Override
    public void close() {
        function.close();
    }

    /** The host's session, which whoever lent it closes. */
    private record Renaming(Session session) implements Session {
        @Override
        public CompletableFuture<Completion> submit(Request request) {
            return session.submit(new Request(PREFIX + request.accelerator(), request.arguments(), request.priority(),
                request.timeout()));
        }

        @Override
        public Segment allocate(long bytes) {
            return session.allocate(bytes);
        }

        @Override
        public Set<String> accelerators() {
            return session.accelerators();
        }

        @Override
        public List<DeviceInfo> devices() {
            return session.devices();
        }

        @Override
        public String address() {
            return session.address();
        }

        @Override
        public boolean isOpen() {
            return session.isOpen();
        }

        @Override
        public void close() { }
    }
}
