"""Physical constants in one place, each with its source; the one power and price model of the package.

Power: a device draws ``idle_w`` always and ``busy_w - idle_w`` on top in proportion to the share of it that is held. Price: a device costs
``usd_per_hour`` while held. What nobody publishes is ``None`` here, and every metric that would need it is absent from reports.

Sources:

.. [MODEL] The scheduling model of this project (docs/model.md): speed-ups ``S``, link, launch latency, and memory of the workstation's devices.
.. [CCF] Cloud Carbon Footprint, cloud-carbon-footprint/cloud-carbon-footprint, packages/core/src/compute/ComputeProcessorTypes.ts at commit
   0656d55: average watts when idle and fully loaded. CPUs: per hardware thread, of whole servers, from SPECpower_ssj2008 results. GPUs: 12 % and
   102 % of the board's rated power.
.. [GCP] Google Compute Engine, on-demand list prices, us-central1: N1 machines 0.031611 USD/h per vCPU (one hardware thread); GPUs attached to
   them: P4 0.60, T4 0.35, P100 1.46, V100 (16 GB) 2.48 USD/h.
.. [OCI] Oracle Cloud Infrastructure, list price of the shape VM.GPU.A10.1: 2.00 USD/h for an A10 with its host's share
   (skypilot-org/skypilot-catalog, catalogs/v5/oci/vms.csv at commit 091ffa9).
.. [NV] NVIDIA's data sheets: A10 24 GB, 150 W; Tesla P4 8 GB, 75 W; T4 16 GB, 70 W.
.. [OPENB] alibaba/clusterdata, cluster-trace-gpu-v2023: V100M16 and V100M32 are V100 boards of 16 and 32 GB; G1, G2 and G3 are undisclosed.
.. [STARPU] starpu-runtime/starpu, tools/perfmodels/sampling: README (cores and GPUs of each host) and measured kernel times.
"""

from __future__ import annotations

from dataclasses import dataclass

from hybrid_ml_scheduler.core.cluster import Gpu, Power

MB_PER_MIB = 1.048576
"""Megabytes (10**6 bytes) in a mebibyte (2**20 bytes)."""

MB_PER_GB = 1000.0

LINK_GB_S = 12.0
"""Host link of a GPU in GB/s [MODEL]: what a PCIe 3.0 x16 slot (15.75 GB/s) sustains."""

LAUNCH_S = 0.02
"""Launch latency of a GPU part in seconds [MODEL]."""

REFERENCE_CORE = Power(idle_w=2 * 0.65, busy_w=2 * 4.26, usd_per_hour=2 * 0.031611)
"""One core (two hardware threads) of the reference CPU, an Intel Xeon of the Skylake generation: watts [CCF], price [GCP]."""

WORKSTATION_CORES = 16
"""CPU cores of the workstation [MODEL]."""

WORKSTATION_MEMORY_MB = 512_000.0
"""Host memory of the workstation: 16 one-core tasks and 4 GPU tasks of at most 20 GB each always fit, so that cores and GPUs decide [MODEL]."""

KERNEL_LINK_GB_S = 12.0
"""Transfer rate between the machines of a ``kernels:`` cluster, in GB/s."""

KERNEL_LATENCY_S = 10e-6
"""Latency of one transfer between the machines of a ``kernels:`` cluster, in seconds."""

KERNEL_TILE_BYTES = 3_686_400
"""Tile of a ``kernels:`` cluster that names none: 960 x 960 single-precision numbers, measured on every host of [STARPU]."""

KERNEL_HOSTS: dict[str, tuple[int, int]] = {"sirocco": (20, 4), "mirage": (9, 3), "attila": (9, 3), "idgraf": (4, 8)}
"""CPU cores and GPUs that compute on each host of [STARPU]: a core less per GPU than the host has, which drives that GPU."""

KERNEL_DEFAULT_HOST = (20, 4)
"""The same for other hosts: as on *sirocco*."""


@dataclass(frozen=True, slots=True)
class GpuModel:
    """What is known of a GPU model; ``None`` is unknown.

    Attributes
    ----------
    model : str
        Name, as traces and cluster files spell it.
    memory_mb : float or None
        Device memory in MB.
    speed : float or None
        Speed-up ``S`` over the reference CPU on perfectly parallel work.
    power : Power
        Draw and price of the whole GPU.
    source : str
        Where the figures come from.
    """

    model: str
    memory_mb: float | None
    speed: float | None
    power: Power
    source: str

    def gpu(self) -> Gpu:
        """Return one such GPU with the link and launch latency of [MODEL].

        Unknown memory is no limit, and an unknown speed is 1: only divisible tasks look at it, and cluster files must name it for them.
        """
        return Gpu(
            model=self.model,
            memory_mb=float("inf") if self.memory_mb is None else self.memory_mb,
            speed=1.0 if self.speed is None else self.speed,
            link_gb_s=LINK_GB_S,
            launch_s=LAUNCH_S,
            power=self.power,
        )


GPU_MODELS: dict[str, GpuModel] = {
    entry.model: entry
    for entry in (
        # [CCF] lists the A10 as A10G, with the same rated 150 W.
        GpuModel("A10", 24_000.0, 20.0, Power(18.0, 153.0, 2.00), "memory [NV]; watts [CCF]; price [OCI]; speed [MODEL]"),
        GpuModel("P4", 8_000.0, 8.0, Power(9.0, 76.5, 0.60), "memory [NV]; watts [CCF]; price [GCP]; speed [MODEL]"),
        GpuModel("T4", 16_000.0, None, Power(8.0, 71.0, 0.35), "memory [NV]; watts [CCF]; price [GCP]"),
        # Boards of 12 and of 16 GB exist, and openb does not say which it has.
        GpuModel("P100", None, None, Power(36.0, 306.0, 1.46), "watts [CCF]; price [GCP]"),
        GpuModel("V100M16", 16_000.0, None, Power(35.0, 306.0, 2.48), "memory [OPENB]; watts [CCF]; price [GCP]"),
        # Nobody we know of lists a price for one V100 of 32 GB.
        GpuModel("V100M32", 32_000.0, None, Power(35.0, 306.0, None), "memory [OPENB]; watts [CCF]"),
        GpuModel("G1", None, None, Power(), "undisclosed [OPENB]"),
        GpuModel("G2", None, None, Power(), "undisclosed [OPENB]"),
        GpuModel("G3", None, None, Power(), "undisclosed [OPENB]"),
    )
}
"""The catalogue of GPU models, by name."""
