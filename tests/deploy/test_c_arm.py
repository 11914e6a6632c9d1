"""The network in C on a Cortex-M4: compiled for its floating-point unit, it passes its self-test in QEMU."""

import re
import shutil
import subprocess

import pytest

from quatnet.deploy.c import write_c
from tests.deploy import made

TOOLS = ("arm-none-eabi-gcc", "arm-none-eabi-size", "qemu-system-arm")

CORTEX_M4 = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "-Os")

# No library's start-up: it enables the FPU, clears the buffers, and leaves QEMU with the result of the self-test
# (ARM semihosting, operation SYS_EXIT_EXTENDED with the reason ADP_Stopped_ApplicationExit).
START = """
#include <stdint.h>
#include "network.h"
extern uint32_t bss_start, bss_end, stack_top;

void reset(void)
{
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20;
    __asm__ volatile("dsb\\n isb");
    for (uint32_t *word = &bss_start; word < &bss_end; word++)
        *word = 0;
    const uint32_t arguments[2] = {0x20026, (uint32_t)network_self_test()};
    register uint32_t operation __asm__("r0") = 0x20;
    register const uint32_t *block __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : : "r"(operation), "r"(block) : "memory");
    for (;;) { }
}

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {&stack_top, (const void *)reset};
"""

# The memories of the board mps2-an386.
SCRIPT = """
MEMORY { code (rx) : ORIGIN = 0, LENGTH = 4M  ram (rw) : ORIGIN = 0x20000000, LENGTH = 4M }
ENTRY(reset)
SECTIONS {
    .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) } > code
    .data : { *(.data*) } > ram
    ASSERT(SIZEOF(.data) == 0, "there are variables with initial values")
    .bss : { bss_start = .; *(.bss*) *(COMMON) . = ALIGN(4); bss_end = .; } > ram
    stack_top = ORIGIN(ram) + LENGTH(ram);
}
"""

missing = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def call(*command):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]
    return done.stdout


def self_test_on_device(folder, source):
    """Return what the self-test of an exported network returns on an emulated Cortex-M4."""
    (folder / "start.c").write_text(START)
    (folder / "device.ld").write_text(SCRIPT)
    program, links = folder / "program.elf", ("-nostartfiles", "--specs=nano.specs", "-T", folder / "device.ld")
    call(TOOLS[0], *CORTEX_M4, "-DNETWORK_SELF_TEST", *links, "-o", program, source, folder / "start.c")
    machine = ("-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none")
    semihosting = ("-semihosting-config", "enable=on,target=native")
    return subprocess.run([TOOLS[2], *machine, *semihosting, "-kernel", program], timeout=60).returncode


@pytest.mark.parametrize("values", ["float32", "int8"])
@pytest.mark.parametrize("quaternion", [False, True])
def test_lenet_12_passes_its_self_test(quaternion, values, tmp_path):
    model = made.model("lenet-12", quaternion=quaternion, density=0.2, shape=(28, 28, 1))
    files = write_c(tmp_path, model, values=values, test_images=made.images(model))
    assert self_test_on_device(tmp_path, files.source) == 0


def test_a_small_residual_network_passes_its_self_test(tmp_path):
    model = made.model("resnet-20", quaternion=True, density=0.02, shape=(8, 8, 3))
    files = write_c(tmp_path, model, test_images=made.images(model))
    assert self_test_on_device(tmp_path, files.source) == 0


def test_a_wrong_weight_is_found_there_too(tmp_path):
    model = made.model("lenet-12", quaternion=False, density=0.2)
    files = write_c(tmp_path, model, test_images=made.images(model))
    text = files.source.read_text()
    files.source.write_text(re.sub(r"(fc2_bias\[\d+\] = {\n) *\S+", r"\1 1e3f,", text))
    assert self_test_on_device(tmp_path, files.source) == 1


def test_it_takes_the_memory_that_it_says(tmp_path):
    model = made.model("lenet-12", quaternion=True, density=0.2, shape=(28, 28, 1))
    files = write_c(tmp_path, model, test_images=made.images(model))
    call(TOOLS[0], *CORTEX_M4, "-std=c99", "-Wall", "-Wextra", "-Werror", "-c", "-o", tmp_path / "net.o", files.source)
    text, data, bss = map(int, call(TOOLS[1], tmp_path / "net.o").splitlines()[1].split()[:3])
    assert (data, bss) == (0, files.ram)
    assert files.flash < text < files.flash + 2500
