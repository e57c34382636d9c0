package com.inaccel.coral.functions;

import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;

/** A function around an accelerator of its author's, which doubles bytes; its bitstream may be installed or not. */
public final class OwnAccelerator implements Function {
    static final String NAME = "org.example.Bytes.Double";

    private static final String MANIFEST = """
        {"name": "double.cl", "bitstreamId": "org.example.Bytes", "version": "1.0",
         "platform": {"vendor": "xilinx", "name": "u250"},
         "kernels": [{"name": ["twice"], "kernelId": "Double", "arguments": [
           {"type": "char*", "name": "bytes", "access": "rw"}, {"type": "int", "name": "count"}]}]}
        """;
    private static final String SOURCE =
        "__kernel void twice(__global char* bytes, int count) { for (int i = 0; i < count; i++) { bytes[i] *= 2; } }";
    private static final long PAGE = 4096;

    private FunctionContext context;

    /** All of it at once: an engine may be looking. */
    static void install(Path repository) throws Exception {
        Path prepared = Files.createDirectory(repository.resolveSibling("prepared"));
        Files.writeString(prepared.resolve("bitstream.json"), MANIFEST);
        Files.writeString(prepared.resolve("double.cl"), SOURCE);
        Files.move(prepared, repository.resolve("bytes"));
    }

    @Override
    public void open(FunctionContext lent) {
        context = lent;
    }

    @Override
    public Set<String> accelerators() {
        return Set.of(NAME);
    }

    @Override
    public Answer call(Call call) throws Exception {
        Session session = context.sessions().get();
        byte[] body = call.body();
        try (Segment segment = session.allocate(PAGE)) {
            segment.buffer(0, body.length).put(body);
            Request.Builder request = Request.of(NAME).readWrite(segment, 0, body.length);
            session.submit((call.path().equals("/long") ? request.arg((long) body.length) : request.arg(body.length)).build())
                .get();
            byte[] doubled = new byte[body.length];
            segment.buffer(0, body.length).get(doubled);
            return new Answer(200, "application/octet-stream", doubled, Map.of());
        } catch (ExecutionException e) {
            throw (Exception) e.getCause();
        }
    }
}
