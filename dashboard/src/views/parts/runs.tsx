/** Which run a view is about: that of the address, else the present one, else the newest that is stored. */
import type { ReactNode } from "react";
import { useRead, type Schemas } from "../../api/client";
import type { Answer } from "../../api/use";
import { Select } from "../../components/controls";
import { moment } from "../../lib/format";
import { useParam } from "../../lib/router";
import { useLive } from "../../store/live";

export type RunEntry = Schemas["Run"];

export interface ChosenRun {
  /** Null while nothing is known about any run. */
  readonly id: number | null;
  /** Whether it goes on while it is looked at. */
  readonly going: boolean;
  /** `""` follows the present run. */
  readonly param: string;
  readonly choose: (value: string) => void;
  readonly runs: Answer<Schemas["RunPage"]>;
}

/** How often statistics of a run that goes on are asked for again. */
export const AGAIN_S = 5;

export function useRun(): ChosenRun {
  const [param, choose] = useParam("run", "");
  const present = useLive((found) => found.run?.run_id ?? null);
  const state = useLive((found) => found.run?.state);
  const runs = useRead("/api/v1/runs", { query: { limit: 50 } });
  const asked = /^\d+$/.test(param) ? Number(param) : null;
  const id = asked ?? present ?? runs.data?.runs[0]?.id ?? null;
  const going = id !== null && id === present && state !== "stopped" && state !== "failed";
  return { id, going, param, choose, runs };
}

export function runLabel(run: RunEntry): string {
  return `${run.id} · ${run.workload} · ${moment(run.created_at)}`;
}

export function RunSelect({ run }: { readonly run: ChosenRun }): ReactNode {
  const options = (run.runs.data?.runs ?? []).map((each) => ({ value: String(each.id), label: runLabel(each) }));
  return <Select label="Run" hideLabel value={run.param} onChange={run.choose} options={[{ value: "", label: "present run" }, ...options]} />;
}
