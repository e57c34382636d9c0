package com.inaccel.coral.engine;

/** As on a device with memory of its own. */
class OpenClCopyingDeviceTest extends DeviceContract {
    @Override
    Engine start() {
        return OpenClDeviceTest.start(true);
    }
}
