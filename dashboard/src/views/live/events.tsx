import { type ReactNode } from "react";
import { useRead, type Schemas } from "../../api/client";
import { Panel } from "../../components/Panel";
import { PolicyTag } from "../../components/PolicyTag";
import { Stat, Stats } from "../../components/Stat";
import { ErrorBlock, StateBlock } from "../../components/StateBlock";
import { Table, type Column } from "../../components/Table";
import { clock, format, known, moment, UNKNOWN, whole } from "../../lib/format";
import { HELP } from "../../lib/metrics";
import { useLive } from "../../store/live";

type ModelEvent = Schemas["TrainedModel"];

function detail(event: ModelEvent, name: string): string | number | null {
  const found = event.details[name];
  return typeof found === "string" || typeof found === "number" ? found : null;
}

export function Facts(): ReactNode {
  const run = useLive((found) => found.run);
  const throughput = useLive((found) => found.throughput, (first, second) => first === second || (known(first) && known(second) && Math.abs(first - second) < 0.005 * first));
  const storage = useLive((found) => found.storage);
  const learning = useLive((found) => found.learning ?? found.run?.retraining ?? null);
  const lanes = useLive((found) => found.lanes?.lanes.length ?? null);
  const saturated = useLive((found) => found.lanes?.lanes.filter((lane) => lane.state === "saturated").length ?? 0);
  return (
    <Panel title="Run" className="run-panel">
      <Stats>
        <Stat label="Processed" help={HELP.processed} value={run?.tasks_processed} unit="count" note="tasks, in every lane" />
        <Stat label="Throughput" help={HELP.throughput} value={throughput} unit="per_s" note="tasks, by the wall clock" />
        <Stat label="Simulated time" help="The clock of the run: it goes on at the chosen speed, and stands while the run is paused." text={clock(run?.time_s)} note={run ? `since ${moment(run.started_at)}` : UNKNOWN} />
        <Stat label="Arrived" help="Tasks that the stream has handed to the lanes; arrived − processed have not finished everywhere yet." value={run?.tasks_arrived} unit="count" note="tasks, given to the lanes" />
        <Stat label="Storage lag" help={HELP.lag} value={storage?.lag_rows} unit="count" note={storage ? `rows of ${format((storage.rows["results"] ?? 0) + (storage.rows["tasks"] ?? 0) + (storage.rows["training"] ?? 0), "count")}` : "rows"} />
        <Stat
          label="Lanes"
          help="Policies of the run, one lane each. A lane whose queue is too long is saturated: it refuses tasks until half of the queue is left."
          text={lanes === null ? UNKNOWN : whole(lanes)}
          note={saturated ? `${saturated} saturated: refuse tasks` : "none saturated"}
          {...(saturated ? { tone: "warn" as const } : {})}
        />
        <Stat
          label="Retraining"
          help="Whether the models of learned policies are being trained anew on what has finished; how often is said when a run is started."
          text={<span className={learning?.state === "failed" ? "tone-bad" : ""}>{learning?.state ?? UNKNOWN}</span>}
          note={learning?.last_error ?? (known(learning?.last_at_tasks) ? `last at ${whole(learning.last_at_tasks)} tasks` : "none yet")}
        />
      </Stats>
    </Panel>
  );
}

const COLUMNS: readonly Column<ModelEvent>[] = [
  { key: "when", label: "When", cell: (event) => <span title={event.created_at}>{moment(event.created_at).slice(11)}</span> },
  { key: "policy", label: "Policy", cell: (event) => (detail(event, "policy") === null ? <span className="muted">–</span> : <PolicyTag policy={String(detail(event, "policy"))} />) },
  {
    key: "model",
    label: "Model",
    cell: (event) => (
      <span className="mono">
        {event.name}
        {event.version === null ? "" : `@${event.version}`}
      </span>
    ),
  },
  {
    key: "state",
    label: "State",
    cell: (event) => (
      <span className={`chip ${event.state === "failed" ? "chip-bad" : event.state === "in_use" ? "chip-good" : ""}`} title={event.message ?? undefined}>
        {event.state === "in_use" ? "in use" : event.state}
      </span>
    ),
  },
  { key: "rows", label: "Rows", number: true, help: "Outcomes that it learned from.", cell: (event) => whole(event.rows) },
  { key: "before", label: "Error before", number: true, wideOnly: true, help: "exp of the mean of |log(true ÷ predicted)| of the version before, on outcomes that were held out: by which factor it is off, typically. 1 × is perfect.", cell: (event) => format(factor(event, "error_before"), "factor") },
  { key: "after", label: "Error after", number: true, wideOnly: true, help: "The same of a model made the same way without the held-out outcomes.", cell: (event) => format(factor(event, "error_after"), "factor") },
  { key: "at", label: "At task", number: true, cell: (event) => format(Number(detail(event, "tasks_processed") ?? Number.NaN), "count") },
];

/** exp of a mean |log ratio|: by which factor a prediction is off, typically. */
function factor(event: ModelEvent, name: string): number | null {
  const log = detail(event, name);
  return typeof log === "number" ? Math.exp(log) : null;
}

export function ModelEvents(): ReactNode {
  const runId = useLive((found) => found.run?.run_id ?? null);
  const state = useLive((found) => (found.learning ?? found.run?.retraining)?.state ?? "");
  const found = useRead("/api/v1/models", runId === null ? null : { query: { run_id: runId, limit: 8 } }, { every_s: state === "training" ? 3 : 15 });
  // Those of the run before make way when another one begins.
  const events = found.data?.models.filter((event) => event.run_id === runId) ?? [];
  return (
    <Panel title="Model events" flush help="Trainings of learned policies in this run: every new version is swapped in between two events; a failed training changes nothing.">
      {events.length ? (
        <Table caption="Newest trainings" columns={COLUMNS} rows={events} rowKey={(event) => event.id} />
      ) : found.error && !found.data ? (
        <ErrorBlock error={found.error} retry={found.reload} />
      ) : (
        <StateBlock kind={found.loading && !found.data ? "loading" : "empty"} title={found.loading && !found.data ? "Loading" : "No training yet"}>
          Learned policies are trained anew as tasks finish; each new version is listed here.
        </StateBlock>
      )}
    </Panel>
  );
}
