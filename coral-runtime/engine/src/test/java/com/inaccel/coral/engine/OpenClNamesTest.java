package com.inaccel.coral.engine;

import static org.assertj.core.api.Assertions.assertThat;

import org.jocl.CL;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What bitstreams call the platforms of devices, by what their drivers call them. */
class OpenClNamesTest {
    @ParameterizedTest
    @CsvSource({
        "xilinx_u250_gen3x16_xdma_shell_4_1, u250",
        "xilinx_u50_gen3x16_xdma_base_5, u50",
        "xilinx_vck5000_gen4x8_qdma_base_2, vck5000",
        "xilinx_aws-vu9p-f1_shell-v04261818_201920_3, aws-vu9p-f1",
        "pac_a10 : Intel PAC Platform (pac_ee00000), pac-a10",
        "A board of somebody, a-board-of-somebody"})
    void shouldNameFpgasShortly(String name, String platform) {
        assertThat(OpenCl.shortName(name, CL.CL_DEVICE_TYPE_ACCELERATOR)).isEqualTo(platform);
    }

    @ParameterizedTest
    @CsvSource({"pthread-haswell-AMD EPYC", "Intel(R) Core(TM) : 8 cores"})
    void shouldCallEveryCpuTheSame(String name) {
        assertThat(OpenCl.shortName(name, CL.CL_DEVICE_TYPE_CPU)).isEqualTo("cpu");
    }
}
