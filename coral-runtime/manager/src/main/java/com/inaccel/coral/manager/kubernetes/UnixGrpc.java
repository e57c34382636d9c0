package com.inaccel.coral.manager.kubernetes;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import io.grpc.BindableService;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.Epoll;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import io.grpc.netty.shaded.io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** gRPC over Unix sockets, as the kubelet speaks it. Two threads for all servers and channels: one for bytes, one for calls. */
final class UnixGrpc implements AutoCloseable {
    private static final int MAX_MESSAGE_BYTES = 16 << 20; // what the kubelet takes itself
    private static final long CLOSE_SECONDS = 5;

    private final EventLoopGroup events;
    private final ExecutorService calls;

    UnixGrpc(String name) {
        if (!Epoll.isAvailable()) {
            throw new CoralException(ErrorCode.INTERNAL, "cannot speak to the kubelet: cause=" + Epoll.unavailabilityCause()
                + "; run on Linux, with a temporary directory that is writable and not mounted noexec",
                Epoll.unavailabilityCause());
        }
        events = new EpollEventLoopGroup(1, new DefaultThreadFactory("coral-" + name + "-io", /* daemon= */ true));
        calls = Executors.newSingleThreadExecutor(new DefaultThreadFactory("coral-" + name, /* daemon= */ true));
    }

    /** Listens when it returns. The caller stops it. */
    Server serve(Path socket, BindableService service) throws IOException {
        return NettyServerBuilder.forAddress(new DomainSocketAddress(socket.toString()))
            .channelType(EpollServerDomainSocketChannel.class)
            .bossEventLoopGroup(events)
            .workerEventLoopGroup(events)
            .executor(calls)
            .maxInboundMessageSize(MAX_MESSAGE_BYTES)
            .addService(service)
            .build()
            .start();
    }

    /** Connects with the first call. The caller shuts it down. */
    ManagedChannel connect(Path socket) {
        return NettyChannelBuilder.forAddress(new DomainSocketAddress(socket.toString()))
            .channelType(EpollDomainSocketChannel.class)
            .eventLoopGroup(events)
            .executor(calls)
            .maxInboundMessageSize(MAX_MESSAGE_BYTES)
            .overrideAuthority("localhost") // else the path, which is no name of a host: servers refuse it
            .usePlaintext()
            .build();
    }

    /** After what was made with it. */
    @Override
    public void close() {
        events.shutdownGracefully(0, CLOSE_SECONDS, TimeUnit.SECONDS).awaitUninterruptibly();
        calls.shutdown();
    }
}
