"""Physical constants in one place, each with its source; the one power and price model of the package.

Power: a device draws ``idle_w`` always and ``busy_w - idle_w`` on top in proportion to the share of it that is held. Price: a device costs
``usd_per_hour`` while held. What nobody publishes is ``None`` here, and every metric that would need it is absent from reports.

Sources (each read in the stored public copy named):

.. [MODEL] The scheduling model of this project, docs/model.md: speed-ups ``S``, link, launch latency and memory of the workstation.
.. [CCF] Cloud Carbon Footprint, cloud-carbon-footprint/cloud-carbon-coefficients, output/coefficients-gcp-use.csv at commit 0b04538: watts per
   hardware thread of whole servers, from SPECpower_ssj2008 results (idle and 100 % load), averaged per micro-architecture.
.. [GCP] Google Compute Engine, on-demand list prices in us-central1: N1 vCPU 0.031611 USD/h (a vCPU is one hardware thread), GPUs attached to N1
   machines (P4 0.60, T4 0.35 USD/h).
.. [OCI] Oracle Cloud Infrastructure list price of shape VM.GPU.A10.1 (one A10 with 15 cores), skypilot-org/skypilot-catalog
   catalogs/v5/oci/vms.csv at commit 091ffa9: 2.00 USD/h for the GPU with its host share.
.. [NV] NVIDIA data sheets: A10 (24 GB, 150 W), Tesla P4 (8 GB, 75 W), T4 (16 GB, 70 W).
.. [SMI] Idle draw that nvidia-smi reports in state P8, no process, in published logs: P4 6-7 W (we take 7), A10 9-26 W (we take the middle, 17).
.. [OPENB] Names of GPU models in alibaba/clusterdata, cluster-trace-gpu-v2023: V100M16 and V100M32 are V100 with 16 and 32 GB; P100 and V100 exist
   in boards of different power, and G1, G2, G3 are undisclosed, so their watts stay unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

from hybrid_ml_scheduler.core.cluster import Gpu, Power

MB_PER_MIB = 1.048576
"""Megabytes (10**6 bytes) in a mebibyte (2**20 bytes)."""

LINK_GB_S = 12.0
"""Host link of a GPU in GB/s [MODEL]: what a PCIe 3.0 x16 slot (15.75 GB/s) sustains."""

LAUNCH_S = 0.02
"""Launch latency of a GPU part in seconds [MODEL]."""

REFERENCE_CORE = Power(idle_w=2 * 0.6446, busy_w=2 * 3.8985, usd_per_hour=2 * 0.031611)
"""One core (two hardware threads) of the reference CPU, an Intel Xeon of the Skylake generation: watts [CCF], price [GCP]."""

WORKSTATION_CORES = 16
"""CPU cores of the workstation [MODEL]."""

WORKSTATION_MEMORY_MB = 512_000.0
"""Host memory of the workstation: 16 one-core tasks and 4 GPU tasks of at most 20 GB each always fit, so that cores and GPUs decide [MODEL]."""

KERNEL_LINK_GB_S = 12.0
"""Transfer rate between the machines of a ``kernels:`` cluster, in GB/s."""

KERNEL_LATENCY_S = 10e-6
"""Latency of one transfer between the machines of a ``kernels:`` cluster, in seconds."""

KERNEL_CPUS = 20
"""CPU cores of a ``kernels:`` cluster (24 cores of the host *sirocco*, less one that drives each of the four GPUs)."""

KERNEL_GPUS = 4
"""GPUs of a ``kernels:`` cluster (host *sirocco*: four Tesla K40m)."""


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
        GpuModel("A10", 24_000.0, 20.0, Power(17.0, 150.0, 2.00), "memory, watts [NV]; idle [SMI]; price [OCI]; speed [MODEL]"),
        GpuModel("P4", 8_000.0, 8.0, Power(7.0, 75.0, 0.60), "memory, watts [NV]; idle [SMI]; price [GCP]; speed [MODEL]"),
        GpuModel("T4", 16_000.0, None, Power(None, 70.0, 0.35), "memory, watts [NV]; price [GCP]"),
        GpuModel("P100", None, None, Power(), "name only [OPENB]"),
        GpuModel("V100M16", 16_000.0, None, Power(), "memory by its name [OPENB]"),
        GpuModel("V100M32", 32_000.0, None, Power(), "memory by its name [OPENB]"),
        GpuModel("G1", None, None, Power(), "undisclosed [OPENB]"),
        GpuModel("G2", None, None, Power(), "undisclosed [OPENB]"),
        GpuModel("G3", None, None, Power(), "undisclosed [OPENB]"),
    )
}
"""The catalogue of GPU models, by name."""
