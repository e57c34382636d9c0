package com.inaccel.coral.engine;

/** The device failed, not the request: it may run on another device. */
final class DeviceFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    DeviceFailure(String message) {
        super(message);
    }

    DeviceFailure(String message, Throwable cause) {
        super(message, cause);
    }
}
