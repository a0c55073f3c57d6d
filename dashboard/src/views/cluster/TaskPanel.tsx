import { useState, type ReactNode } from "react";
import { useRead, type Schemas } from "../../api/client";
import { ProblemError } from "../../api/http";
import { Button } from "../../components/controls";
import { HelpTip } from "../../components/HelpTip";
import { Panel } from "../../components/Panel";
import { PolicyTag } from "../../components/PolicyTag";
import { ErrorBlock, StateBlock } from "../../components/StateBlock";
import { Table, type Column } from "../../components/Table";
import { clock, digits, format, known, UNKNOWN, whole, type Unit } from "../../lib/format";
import { comparePolicies } from "../../lib/palette";

type Row = Readonly<Record<string, unknown>>;

const number = (value: unknown): number | null => (typeof value === "number" && Number.isFinite(value) ? value : null);
const text = (value: unknown): string => (typeof value === "string" && value !== "" ? value : UNKNOWN);

/** From here on, doing a lane again up to a task takes longer than a reader likes to wait unasked. */
const QUICK_TASKS = 20_000;

const FEATURES: readonly [name: string, label: string, unit: Unit][] = [
  ["arrival_s", "arrival", "s"],
  ["size", "size", "s"],
  ["compute_intensity", "intensity", "plain"],
  ["memory_mb", "memory", "plain"],
  ["cores", "cores", "plain"],
  ["requested_time_s", "asked for", "s"],
  ["deadline_s", "deadline", "s"],
  ["priority", "priority", "plain"],
];

/** Where something ran, in short; the node is named where there are others (`many`). */
export function placeText(node: unknown, gpus: unknown, fraction: unknown, many: boolean): string {
  const share = number(fraction);
  const list = Array.isArray(gpus) ? gpus.join(" ") : typeof gpus === "string" ? gpus : "";
  if (number(node) === null) return UNKNOWN;
  const where = many ? `node ${String(node)} · ` : "";
  if (!list || share === 0) return `${where}cores`;
  return `${where}GPU ${list}${share !== null && share < 1 ? ` · ${format(share, "share")}` : ""}`;
}

function gap(row: Row, end: string, begin: string): number | null {
  const [last, first] = [number(row[end]), number(row[begin])];
  return last === null || first === null ? null : last - first;
}

const resultColumns = (many: boolean): readonly Column<Row>[] => [
  { key: "policy", label: "Policy", cell: (row) => <PolicyTag policy={text(row["scheduler"])} /> },
  { key: "where", label: "Where", cell: (row) => (row["status"] === "finished" ? placeText(row["node"], row["gpus"], row["fraction"], many) : <span title={text(row["reason"])}>{text(row["status"])}</span>) },
  { key: "wait", label: "Wait", number: true, cell: (row) => format(gap(row, "start_s", "arrival_s"), "s") },
  { key: "run", label: "Run", number: true, cell: (row) => format(gap(row, "finish_s", "start_s"), "s") },
  { key: "response", label: "Response", number: true, cell: (row) => format(gap(row, "finish_s", "arrival_s"), "s"), sort: (row) => gap(row, "finish_s", "arrival_s") },
  { key: "energy", label: "Energy", number: true, cell: (row) => format(number(row["energy_j"]), "J") },
  { key: "by", label: "Decided by", cell: (row) => text(row["decided_by"]).replaceAll("_", " ") },
];

type Candidate = Schemas["CandidateAnswer"];

function Explained({ found, result }: { readonly found: Schemas["ExplanationAnswer"]; readonly result: Row | null }): ReactNode {
  const [all, setAll] = useState(false);
  const same = (first: Candidate, second: Candidate): boolean => first.node === second.node && first.fraction === second.fraction && first.gpus.join() === second.gpus.join();
  const shown = all ? found.candidates : found.candidates.slice(0, 8);
  const many = new Set(found.candidates.map((each) => each.node)).size > 1;
  const candidates: readonly Column<Candidate>[] = [
    { key: "where", label: "Candidate", cell: (each) => placeText(each.node, each.gpus, each.fraction, many) },
    { key: "score", label: "Score", number: true, help: "The policy’s own score; the smallest wins.", cell: (each) => (known(each.score) ? digits(each.score) : UNKNOWN) },
    { key: "chosen", label: "", cell: (each) => (same(each, found.chosen) ? <span className="chip chip-good">chosen</span> : null) },
  ];
  const predictions: readonly Column<Schemas["PredictionAnswer"]>[] = [
    { key: "device", label: "Device", cell: (each) => <span className="mono">{each.device}</span> },
    { key: "expected", label: "Expected", number: true, help: "Run time of the whole task on this device that the decision rested on.", cell: (each) => format(each.expected_s, "s") },
    { key: "interval", label: "10 – 90 %", number: true, cell: (each) => (known(each.low_s) && known(each.high_s) ? `${format(each.low_s, "s")} – ${format(each.high_s, "s")}` : UNKNOWN) },
    { key: "nominal", label: "Nominal", number: true, help: "What a rule would have taken.", cell: (each) => format(each.nominal_s, "s") },
  ];
  return (
    <div className="stack">
      <dl className="facts-list">
        <dt>decided</dt>
        <dd>
          at {clock(found.time_s)} by {found.decided_by.replaceAll("_", " ")}
        </dd>
        <dt>queue</dt>
        <dd>{whole(found.queue_length)} waiting, this one included</dd>
        {known(found.order_score) ? (
          <>
            <dt>order score</dt>
            <dd>{digits(found.order_score)}</dd>
          </>
        ) : null}
        <dt>in truth</dt>
        <dd>
          {result
            ? `ran ${format(gap(result, "finish_s", "start_s"), "s")}: CPU part ${format(number(result["cpu_s"]), "s")}, GPU part ${format(number(result["gpu_s"]), "s")}`
            : UNKNOWN}
        </dd>
      </dl>
      {found.notes.length ? (
        <ul className="notes">
          {found.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      ) : null}
      {found.predictions.length ? <Table caption="Predicted run times" columns={predictions} rows={found.predictions} rowKey={(each) => each.device} /> : null}
      {shown.length ? <Table caption="Candidates" columns={candidates} rows={shown} rowKey={(each) => `${each.node} ${each.gpus.join()} ${each.fraction}`} /> : null}
      {found.candidates.length > shown.length ? <Button onClick={() => setAll(true)}>Show all {found.candidates.length} candidates</Button> : null}
    </div>
  );
}

interface Props {
  readonly run: number;
  readonly task: number;
  readonly policy: string;
  readonly onClose: () => void;
}

export function TaskPanel({ run, task, policy, onClose }: Props): ReactNode {
  const [asked, setAsked] = useState<string | null>(null);
  const detail = useRead("/api/v1/runs/{run_id}/tasks/{task_id}", { path: { run_id: run, task_id: task } });
  const results = detail.data?.results ?? [];
  const mine = results.find((row) => row["scheduler"] === policy) ?? null;
  const key = `${run} ${task} ${policy}`;
  const wanted = mine?.["status"] === "finished" && (task < QUICK_TASKS || asked === key);
  const why = useRead("/api/v1/runs/{run_id}/tasks/{task_id}/explanation", wanted ? { path: { run_id: run, task_id: task }, query: { policy } } : null);
  const features = detail.data?.task ?? null;
  return (
    <Panel
      title={`Task ${whole(task)}`}
      className="task-panel"
      actions={
        <button type="button" className="icon-button" aria-label="Close the task" onClick={onClose}>
          ✕
        </button>
      }
    >
      <div className="stack">
        {detail.error && !detail.data && !(detail.error instanceof ProblemError && detail.error.problem.status === 404) ? (
          <ErrorBlock error={detail.error} retry={detail.reload} />
        ) : detail.error && !detail.data ? (
          <StateBlock kind="empty" title="Not stored yet" action={<Button onClick={detail.reload}>Look again</Button>}>
            This task still runs or waits, or its results are on their way into the database.
          </StateBlock>
        ) : !detail.data ? (
          <StateBlock kind="loading" title="Loading" />
        ) : (
          <>
            <dl className="facts-list">
              {FEATURES.filter(([name]) => number(features?.[name]) !== null).map(([name, label, unit]) => (
                <FactRow key={name} label={label} value={name === "arrival_s" ? clock(number(features?.[name])) : name === "memory_mb" ? `${format(number(features?.[name]), "count")} MB` : format(number(features?.[name]), unit)} />
              ))}
              {typeof features?.["kind"] === "string" ? <FactRow label="kind" value={text(features["kind"])} /> : null}
              {mine ? <FactRow label="model" value={text(mine["model"])} /> : null}
            </dl>
            <div>
              <h3 className="sub">What each policy made of it</h3>
              <Table caption={`Results for task ${task}`} columns={resultColumns(results.some((row) => row["node"] !== null && row["node"] !== 0))} rows={[...results].sort((first, second) => comparePolicies(text(first["scheduler"]), text(second["scheduler"])))} rowKey={(row) => text(row["scheduler"])} selected={(row) => row["scheduler"] === policy} />
            </div>
            <div>
              <h3 className="sub">
                Why <PolicyTag policy={policy} /> put it there
                <HelpTip label="this explanation">The lane is done again from its seed up to this decision, so what is shown is what was considered.</HelpTip>
              </h3>
              {mine === null || mine["status"] !== "finished" ? (
                <p className="muted">{policy} has not finished this task, or its result is not stored yet.</p>
              ) : !wanted ? (
                <Button onClick={() => setAsked(key)}>Do the lane again up to here</Button>
              ) : why.error && !why.data ? (
                <ErrorBlock error={why.error} retry={why.reload} />
              ) : why.data && why.data.task_id === task && why.data.policy === policy ? (
                <Explained found={why.data} result={mine} />
              ) : (
                <StateBlock kind="loading" title="Doing the lane again up to this decision" />
              )}
            </div>
          </>
        )}
      </div>
    </Panel>
  );
}

function FactRow({ label, value }: { readonly label: string; readonly value: string }): ReactNode {
  return (
    <>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </>
  );
}
