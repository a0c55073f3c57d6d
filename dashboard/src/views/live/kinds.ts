/** Kinds of tasks and clusters, as tasks/cluster: which policies go with a workload. */
import type { Schemas } from "../../api/client";
import type { Option } from "../../components/controls";

export const KINDS: readonly Option[] = [
  { value: "divisible/nodes", label: "divisible tasks on nodes" },
  { value: "rigid/pool", label: "batch jobs on a pool" },
  { value: "rigid/nodes", label: "rigid tasks on nodes" },
  { value: "machines/machines", label: "a graph on machines" },
];

/** What a workload is, as far as its name tells; null: the reader must say. */
export function kindOf(workload: string, named: readonly Schemas["WorkloadEntry"][], uploads: readonly Schemas["UploadedWorkload"][]): string | null {
  const name = workload.split(":", 1)[0];
  const known = named.find((entry) => entry.name === name);
  if (known) return known.runs;
  const upload = uploads.find((entry) => entry.workload === workload);
  if (!upload || upload.kind === "rigid") return upload?.format === "swf" ? "rigid/pool" : null;
  return upload.kind === "machines" ? "machines/machines" : `${upload.kind}/nodes`;
}
