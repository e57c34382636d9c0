package com.inaccel.coral.engine;

import com.inaccel.coral.DeviceInfo;

/**
 * A device that is an FPGA, on a card or emulated.
 *
 * @param pciAddress of the card, e.g. {@code 0000:3b:00.1}; empty where the driver does not tell, and when emulated
 */
public record FpgaInfo(DeviceInfo device, boolean emulated, String pciAddress) { }
