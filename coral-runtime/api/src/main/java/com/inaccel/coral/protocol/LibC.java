package com.inaccel.coral.protocol;

import com.sun.jna.Native;
import com.sun.jna.Pointer;

/** The handful of Linux calls that the JDK does not offer. All return -1 (or MAP_FAILED) and leave errno on failure. */
final class LibC {
    static final int EINTR = 4;
    static final int EAGAIN = 11;
    static final int ENOMEM = 12;
    static final int ENFILE = 23;
    static final int EMFILE = 24;
    static final int ENOSPC = 28;

    static final int MFD_CLOEXEC = 1;
    static final int MFD_ALLOW_SEALING = 2;

    static final int F_GETFL = 3;
    static final int O_ACCMODE = 3;
    static final int O_RDWR = 2;
    static final int F_DUPFD_CLOEXEC = 1030;
    static final int F_ADD_SEALS = 1033;
    static final int F_GET_SEALS = 1034;
    static final int F_SEAL_SEAL = 1;
    static final int F_SEAL_SHRINK = 2;
    static final int F_SEAL_GROW = 4;
    static final int F_SEAL_WRITE = 8;
    static final int F_SEAL_FUTURE_WRITE = 16;

    static final int PROT_READ_WRITE = 3;
    static final int MAP_SHARED = 1;
    static final long MAP_FAILED = -1;

    static final int FALLOC_FL_KEEP_SIZE = 1;
    static final int FALLOC_FL_PUNCH_HOLE = 2;

    static final int AT_EMPTY_PATH = 0x1000;
    static final int STATX_BASIC_STATS = 0x7ff;
    /** Offsets in {@code struct statx}, which unlike {@code struct stat} is the same on every architecture. */
    static final int STATX_SIZE_OFFSET = 40;
    static final int STATX_BLOCKS_OFFSET = 48;
    static final int STATX_LENGTH = 256;

    /** {@code f_type} is the first field of {@code struct statfs}, as wide as a C long. */
    static final int STATFS_LENGTH = 256;
    static final long TMPFS_MAGIC = 0x01021994L;

    static final int AF_UNIX = 1;
    static final int SOCK_STREAM = 1;
    static final int SOCK_CLOEXEC = 0x80000;
    static final int SHUT_RDWR = 2;
    static final int SOL_SOCKET = 1;
    static final int SO_PEERCRED = 17;
    static final int SCM_RIGHTS = 1;
    static final short POLLIN = 1;
    static final int MSG_CTRUNC = 8;
    static final int MSG_DONTWAIT = 0x40;
    static final int MSG_NOSIGNAL = 0x4000;
    static final int MSG_CMSG_CLOEXEC = 0x40000000;

    static {
        Native.register(LibC.class, "c");
    }

    private LibC() { }

    static native int memfd_create(String name, int flags);

    static native int ftruncate(int descriptor, long length);

    // Variadic in C; on Linux's 64-bit calling conventions an int argument is passed the same way.
    static native int fcntl(int descriptor, int command, int argument);

    static native Pointer mmap(Pointer address, long length, int protection, int flags, int descriptor, long offset);

    static native int munmap(Pointer address, long length);

    static native int fallocate(int descriptor, int mode, long offset, long length);

    static native int statx(int directory, String path, int flags, int mask, byte[] result);

    static native int fstatfs(int descriptor, byte[] result);

    static native int close(int descriptor);

    static native int socket(int domain, int type, int protocol);

    static native int connect(int descriptor, byte[] address, int length);

    static native int bind(int descriptor, byte[] address, int length);

    static native int listen(int descriptor, int backlog);

    static native int accept4(int descriptor, Pointer address, Pointer length, int flags);

    static native long sendmsg(int descriptor, long header, int flags);

    static native long recvmsg(int descriptor, long header, int flags);

    static native int poll(long descriptors, long count, int millis);

    static native int shutdown(int descriptor, int how);

    static native int getsockopt(int descriptor, int level, int option, int[] value, int[] length);

    static native String strerror(int errno);

    static int errno() {
        return Native.getLastError();
    }
}
