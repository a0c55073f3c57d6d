/** Past runs: found, looked at, compared task by task, and taken away as files. */
import { useMemo, type ReactNode } from "react";
import { save } from "../api/http";
import { link, useRead, type Schemas } from "../api/client";
import { PlotChart, type Series } from "../charts/PlotChart";
import { attempt } from "../components/notices";
import { Panel } from "../components/Panel";
import { PolicyTag } from "../components/PolicyTag";
import { ErrorBlock, StateBlock } from "../components/StateBlock";
import { Table, type Column, type Sorting } from "../components/Table";
import { Button, Segmented, Select } from "../components/controls";
import { format, moment, speedText, UNKNOWN, whole } from "../lib/format";
import { HELP, METRICS } from "../lib/metrics";
import { comparePolicies, policyStyle } from "../lib/palette";
import { routeHash, setParams, useParam } from "../lib/router";
import { useLive } from "../store/live";
import { IntervalBar, IntervalSave, intervalText, pText, reach } from "./parts/intervals";
import type { RunEntry } from "./parts/runs";
import { perTask, type Statistics } from "./parts/statistics";

const STATES = ["running", "paused", "stopped", "finished", "failed"] as const;
const COMPARED = [
  { value: "response_s", label: "Response", unit: "s", help: METRICS.response.help },
  { value: "wait_s", label: "Wait", unit: "s", help: METRICS.wait.help },
  { value: "slowdown", label: "Slowdown", unit: "factor", help: METRICS.slowdown.help },
  { value: "energy_j", label: "Energy", unit: "J", help: METRICS.energy.help },
  { value: "cost_usd", label: "Cost", unit: "usd", help: METRICS.cost.help },
] as const;

function useSorting(name: string, usual: string): [Sorting, (sorting: Sorting) => void] {
  const [text, set] = useParam(name, usual);
  const sorting = { key: text.replace(/^-/, ""), down: text.startsWith("-") };
  return [sorting, (next) => set(`${next.down ? "-" : ""}${next.key}`)];
}

/** What a run was started with, as far as it says so. */
function requestOf(run: RunEntry): Readonly<Record<string, unknown>> {
  const found = (run.options as Readonly<Record<string, unknown>>)["request"];
  return typeof found === "object" && found !== null ? (found as Readonly<Record<string, unknown>>) : {};
}

function text(value: unknown): string {
  return value === null || value === undefined ? UNKNOWN : typeof value === "number" ? String(value) : String(value as string);
}

export default function History(): ReactNode {
  const [state, setState] = useParam("state", "");
  const [workload, setWorkload] = useParam("workload", "");
  const [before, setBefore] = useParam("before", "");
  const [chosen] = useParam("run", "");
  const [other] = useParam("with", "");
  const [sorting, setSorting] = useSorting("sort", "-id");
  const query = { limit: 50, ...(state ? { state } : {}), ...(workload ? { workload } : {}), ...(before ? { before: Number(before) } : {}) };
  const runs = useRead("/api/v1/runs", { query }, { every_s: 10 });
  const found = runs.data?.runs ?? [];
  const workloads = useMemo(() => [...new Set([...found.map((run) => run.workload), ...(workload ? [workload] : [])])].sort(), [found, workload]);
  const first = /^\d+$/.test(chosen) ? Number(chosen) : (found[0]?.id ?? null);
  const second = /^\d+$/.test(other) && Number(other) !== first ? Number(other) : null;

  const columns: Column<RunEntry>[] = [
    { key: "id", label: "Run", cell: (run) => <span className="mono">{run.id}</span>, sort: (run) => run.id },
    { key: "state", label: "State", cell: (run) => <span className={`chip ${run.state === "failed" ? "chip-bad" : run.state === "running" ? "chip-good" : ""}`}>{run.state}</span>, sort: (run) => run.state },
    { key: "workload", label: "Workload", cell: (run) => run.workload, sort: (run) => run.workload },
    { key: "cluster", label: "Cluster", cell: (run) => run.cluster, sort: (run) => run.cluster, wideOnly: true },
    { key: "policies", label: "Policies", number: true, cell: (run) => <span title={run.policies.join(", ")}>{run.policies.length}</span>, sort: (run) => run.policies.length },
    { key: "seed", label: "Seed", number: true, cell: (run) => text(requestOf(run)["seed"]), wideOnly: true },
    { key: "load", label: "Load", number: true, help: HELP.load, cell: (run) => text(requestOf(run)["load"]), wideOnly: true },
    { key: "begun", label: "Begun", cell: (run) => moment(run.created_at), sort: (run) => run.created_at },
    { key: "ended", label: "Ended", cell: (run) => moment(run.ended_at), sort: (run) => run.ended_at, wideOnly: true },
    {
      key: "compare",
      label: "",
      cell: (run) =>
        run.id === first ? (
          <span className="muted">chosen</span>
        ) : (
          <button
            type="button"
            className="linklike"
            aria-pressed={run.id === second}
            onClick={(event) => {
              event.stopPropagation();
              setParams({ run: first === null ? null : String(first), with: run.id === second ? null : String(run.id) });
            }}
          >
            {run.id === second ? "stop comparing" : "compare"}
          </button>
        ),
    },
  ];

  return (
    <>
      <div className="view-head">
        <h1>History</h1>
        <span className="view-space" />
        <Select label="State" hideLabel value={state} onChange={setState} options={[{ value: "", label: "all states" }, ...STATES.map((name) => ({ value: name, label: name }))]} />
        <Select label="Workload" hideLabel value={workload} onChange={setWorkload} options={[{ value: "", label: "all workloads" }, ...workloads.map((name) => ({ value: name, label: name }))]} />
      </div>
      <div className="grid">
        <Panel
          title="Runs"
          className="w12"
          flush
          stale={runs.stale}
          help="Choose one with a click; compare puts another one beside it."
          actions={
            <>
              {runs.data?.source === "journal" ? <span className="chip chip-warn">the database is away: runs of this machine only</span> : null}
              {before ? <Button onClick={() => setBefore("")}>Newest</Button> : null}
              {runs.data?.next ? <Button onClick={() => setBefore(String(runs.data?.next))}>Older</Button> : null}
            </>
          }
        >
          {runs.error && !runs.data ? (
            <ErrorBlock error={runs.error} retry={runs.reload} />
          ) : !runs.data ? (
            <StateBlock kind="loading" title="Reading runs" />
          ) : found.length ? (
            <Table
              caption="Runs"
              columns={columns}
              rows={found}
              rowKey={(run) => run.id}
              sorting={sorting}
              onSorting={setSorting}
              onRow={(run) => setParams({ run: String(run.id), ...(run.id === second ? { with: null } : {}) })}
              selected={(run) => run.id === first || run.id === second}
            />
          ) : (
            <StateBlock kind="empty" title={state || workload ? "No run is like that" : "There has been no run yet"}>
              {state || workload ? "Choose other filters." : "Start one in the view Live; it stays here when it is over."}
            </StateBlock>
          )}
        </Panel>
        {first === null ? null : <RunPart id={first} listed={found.find((run) => run.id === first) ?? null} />}
        {first === null || second === null ? null : <Comparison first={first} second={second} />}
      </div>
    </>
  );
}

function RunPart({ id, listed }: { readonly id: number; readonly listed: RunEntry | null }): ReactNode {
  const [sorting, setSorting] = useSorting("by", "response");
  const asked = useRead("/api/v1/runs/{run_id}", listed ? null : { path: { run_id: id } });
  const going = useLive((found) => found.run?.run_id === id && found.run.state !== "stopped");
  const statistics = useRead("/api/v1/runs/{run_id}/statistics", { path: { run_id: id } }, going ? { every_s: 5 } : {});
  const run = listed ?? asked.data;
  const request = run ? requestOf(run) : {};
  const rows = statistics.data ?? [];

  if (!run && asked.error && !asked.loading)
    return (
      <Panel title={`Run ${id}`} className="w12">
        <ErrorBlock error={asked.error} retry={asked.reload} />
      </Panel>
    );

  const number = (
    key: string,
    label: string,
    help: string,
    unit: Parameters<typeof format>[1],
    value: (found: Statistics) => number | null,
    wideOnly = false,
  ): Column<Statistics> => ({ key, label, help, number: true, cell: (found) => format(value(found), unit), sort: value, wideOnly });
  const columns: Column<Statistics>[] = [
    { key: "policy", label: "Policy", cell: (found) => <PolicyTag policy={found.scheduler} />, sort: (found) => found.scheduler },
    number("finished", "Finished", "Tasks that this policy has finished.", "count", (found) => found.finished),
    number("response", "Response", METRICS.response.help, "s", (found) => found.mean_response_s),
    number("median", "Median", "Half of the tasks took no longer from arrival to finish; within 1 %.", "s", (found) => found.median_response_s, true),
    number("p95", "p95", "95 % of the tasks took no longer from arrival to finish; within 1 %.", "s", (found) => found.p95_response_s, true),
    number("p99", "p99", "99 % of the tasks took no longer from arrival to finish; within 1 %.", "s", (found) => found.p99_response_s, true),
    number("wait", "Wait", METRICS.wait.help, "s", (found) => found.mean_wait_s),
    number("slowdown", "Slowdown", METRICS.slowdown.help, "factor", (found) => found.mean_bounded_slowdown),
    number("energy", "Energy", METRICS.energy.help, "J", (found) => perTask(found.energy_j, found)),
    number("cost", "Cost", METRICS.cost.help, "usd", (found) => perTask(found.cost_usd, found), true),
    number("wins", "Wins", HELP.wins, "share", (found) => (found.compared ? found.wins / found.compared : null)),
    number("regret", "Regret", "Mean response time above the oracle's, over the tasks that both finished.", "s", (found) => found.mean_regret_s, true),
    number("refused", "Refused", "Tasks that it did not take: refused while its queue was too long, rejected because they never fit, or withdrawn with it.", "count", (found) => found.refused + found.rejected + found.withdrawn, true),
  ];

  return (
    <>
      <Panel
        title={`Run ${id}`}
        className="w12"
        flush
        stale={statistics.stale}
        actions={
          <>
            <Button onClick={() => void attempt(() => save(link("/api/v1/runs/{run_id}/results", { path: { run_id: id }, query: { format: "csv" } }), `run-${id}.csv`))}>CSV</Button>
            <Button onClick={() => void attempt(() => save(link("/api/v1/runs/{run_id}/results", { path: { run_id: id }, query: { format: "ndjson" } }), `run-${id}.ndjson`))}>NDJSON</Button>
            <Button onClick={() => void attempt(() => save(link("/api/v1/runs/{run_id}/report", { path: { run_id: id } }), `run-${id}.html`))}>Report</Button>
            <a className="button button-link" href={routeHash("scheduler", { run: String(id) })}>
              Schedulers
            </a>
            <a className="button button-link" href={routeHash("cluster", { run: String(id) })}>
              Replay
            </a>
          </>
        }
      >
        {run ? (
          <dl className="deflist panel-pad">
            <dt>Workload</dt>
            <dd>
              {run.workload} on {run.cluster}, load {text(request["load"])}, seed {text(request["seed"])}, speed {"speed" in request ? speedText(request["speed"] as number | null) : UNKNOWN}
            </dd>
            <dt>Begun, ended</dt>
            <dd>
              {moment(run.created_at)}, {run.ended_at ? moment(run.ended_at) : run.state}
              {run.message ? ` (${run.message})` : ""}
            </dd>
          </dl>
        ) : null}
        {statistics.error && !statistics.data ? (
          <ErrorBlock error={statistics.error} retry={statistics.reload} />
        ) : statistics.data ? (
          <Table caption={`Schedulers of run ${id}`} columns={columns} rows={rows} rowKey={(found) => found.scheduler} sorting={sorting} onSorting={setSorting} empty="No results of this run are stored yet." />
        ) : (
          <StateBlock kind="loading" title="Reading statistics" />
        )}
      </Panel>
      <Windows id={id} policies={rows.map((found) => found.scheduler)} going={going} waits={statistics.loading && !statistics.data} />
    </>
  );
}

type WindowPage = Schemas["WindowPage"];

/** One line per policy over windows of simulated time: each policy is asked for on its own, so there is a part per policy that only asks. */
function Windows({ id, policies, going, waits }: { readonly id: number; readonly policies: readonly string[]; readonly going: boolean; readonly waits: boolean }): ReactNode {
  const listed = useMemo(() => [...policies].sort(comparePolicies).slice(0, SLOTS), [policies.join("\n")]);
  const [metric, setMetric] = useParam("over", "response");
  const { pages, loading, error } = useWindows(id, listed, going);
  const known = pages.filter((page): page is WindowPage => page !== null && page.windows.length > 0);
  const [x, series] = useMemo<[number[], Series[]]>(() => {
    const begins = [...new Set(known.flatMap((page) => page.windows.map((window) => window.begin_s)))].sort((a, b) => a - b);
    // The newest one of a run that goes on is not full yet: only its short tasks have finished, and its mean would be too small.
    if (going) begins.pop();
    return [
      begins,
      known.map((page) => {
        const at = new Map(page.windows.map((window) => [window.begin_s, window.statistics]));
        const style = policyStyle(page.scheduler);
        const value = (found: Statistics | undefined): number | null =>
          !found ? null : metric === "wait" ? found.mean_wait_s : metric === "energy" ? perTask(found.energy_j, found) : found.mean_response_s;
        return { label: page.scheduler, variable: style.variable, dash: style.dash, values: begins.map((begin) => value(at.get(begin))) };
      }),
    ];
  }, [pages, metric, going]);
  const length = known[0]?.windows[0]?.length_s ?? null;
  return (
    <Panel
      title="Over time"
      className="w12"
      help={`Means over the tasks that arrived in each window${length === null ? "" : ` of ${format(length, "s")}`} of simulated time and have finished; the newest 200 windows, without the one that is not full yet. Where a policy lags far behind, the newest windows hold only what it took early. The axis is compressed like a logarithm.`}
      actions={
        <Segmented
          label="Metric over time"
          value={metric}
          onChange={setMetric}
          options={[
            { value: "response", label: "Response" },
            { value: "wait", label: "Wait" },
            { value: "energy", label: "Energy" },
          ]}
        />
      }
    >
      {waits || loading ? (
        <StateBlock kind="loading" title="Reading windows" />
      ) : x.length > 1 ? (
        <PlotChart
          title={`${metric === "wait" ? "Waiting time" : metric === "energy" ? "Energy per task" : "Response time"} of run ${id}`}
          x={x}
          series={series}
          unit={metric === "energy" ? "J" : "s"}
          xLabel="simulated time"
          height={220}
          {...(metric === "wait" ? { compressed: 0.1 } : { logarithmic: true })}
        />
      ) : error ? (
        <ErrorBlock error={error} />
      ) : (
        <StateBlock kind="empty" title="No two windows of this run are stored yet" />
      )}
    </Panel>
  );
}

const SLOTS = 12;

interface AllWindows {
  readonly pages: readonly (WindowPage | null)[];
  /** Some have never been read: lines that come one by one would make the legend grow. */
  readonly loading: boolean;
  readonly error: unknown;
}

function useWindows(id: number, policies: readonly string[], going: boolean): AllWindows {
  const options = going ? { every_s: 10 } : {};
  const found: (WindowPage | null)[] = [];
  let [loading, error]: [boolean, unknown] = [false, null];
  // Hooks must be called equally often each time, so there is a fixed number of places, and those without a policy ask for nothing.
  for (let slot = 0; slot < SLOTS; slot++) {
    const scheduler = policies[slot];
    // eslint-disable-next-line react-hooks/rules-of-hooks
    const answer = useRead("/api/v1/runs/{run_id}/windows", scheduler === undefined ? null : { path: { run_id: id }, query: { scheduler, limit: 200 } }, options);
    // A place may have been that of another policy.
    const page = scheduler !== undefined && answer.data?.scheduler === scheduler ? answer.data : null;
    loading ||= page === null && answer.loading;
    error ??= answer.error;
    found.push(page);
  }
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const pages = useMemo(() => found, found);
  return { pages, loading, error };
}

type Pair = Schemas["PairedScheduler"];

function Comparison({ first, second }: { readonly first: number; readonly second: number }): ReactNode {
  const [metric, setMetric] = useParam("metric", "response_s");
  const paired = useRead("/api/v1/compare/paired", { query: { first, second } });
  const whole_ = useRead("/api/v1/compare", { query: { first, second } });
  const shown = COMPARED.find((each) => each.value === metric) ?? COMPARED[0];
  // The one before may be of another pair.
  const found = paired.data?.first === first && paired.data.second === second ? paired.data : null;
  const rows = found?.schedulers ?? [];
  const most = reach(rows.map((row) => row.metrics[shown.value]));
  const columns: Column<Pair>[] = [
    { key: "policy", label: "Policy", cell: (row) => <PolicyTag policy={row.scheduler} />, sort: (row) => row.scheduler },
    { key: "tasks", label: "Tasks", number: true, help: "Tasks that both runs have and both finished, of the newest 5 000.", cell: (row) => whole(row.tasks), sort: (row) => row.tasks },
    { key: "first", label: `Run ${first}`, number: true, help: shown.help, cell: (row) => format(row.metrics[shown.value]?.first, shown.unit), sort: (row) => row.metrics[shown.value]?.first ?? null },
    { key: "second", label: `Run ${second}`, number: true, help: shown.help, cell: (row) => format(row.metrics[shown.value]?.second, shown.unit), sort: (row) => row.metrics[shown.value]?.second ?? null },
    { key: "difference", label: "Difference [95 %]", number: true, help: "Mean of second minus first on the same tasks, with Student's interval over 32 stretches of tasks, one after the other.", cell: (row) => intervalText(row.metrics[shown.value], shown.unit), sort: (row) => row.metrics[shown.value]?.difference ?? null },
    { key: "bar", label: "less ← → more", help: "The difference and its interval; the scale is compressed like a logarithm on both sides of the line, which is no difference.", cell: (row) => <IntervalBar metric={row.metrics[shown.value]} most={most} />, width: "22%", wideOnly: true },
    { key: "t", label: "t", number: true, help: "Two-sided p of the paired t-test over the stretches.", cell: (row) => pText(row.metrics[shown.value]?.t_p), sort: (row) => row.metrics[shown.value]?.t_p ?? null, wideOnly: true },
    { key: "wilcoxon", label: "Wilcoxon", number: true, help: "Two-sided p of Wilcoxon's signed-rank test over the stretches.", cell: (row) => pText(row.metrics[shown.value]?.wilcoxon_p), sort: (row) => row.metrics[shown.value]?.wilcoxon_p ?? null, wideOnly: true },
  ];
  return (
    <Panel
      title={`Run ${second} against run ${first}`}
      className="w12"
      flush
      stale={paired.stale}
      help="Less is better for each metric; green: the second run is better beyond its interval."
      actions={
        <>
          <Segmented label="Metric" value={shown.value} options={COMPARED} onChange={setMetric} />
          <IntervalSave title={`${shown.label}: run ${second} minus run ${first}`} rows={rows.map((row) => ({ label: row.scheduler, metric: row.metrics[shown.value] }))} unit={shown.unit} />
        </>
      }
    >
      {paired.error && !found ? (
        <ErrorBlock error={paired.error} retry={paired.reload} />
      ) : !found ? (
        <StateBlock kind="loading" title="Comparing" />
      ) : rows.length ? (
        <Table caption="Comparison of two runs" columns={columns} rows={rows} rowKey={(row) => row.scheduler} />
      ) : (
        <StateBlock kind="empty" title="These runs have no task in common">
          Only runs of the same workload, load and seed have the same tasks. Mean response, first and second:{" "}
          {(whole_.data?.schedulers ?? []).map((row) => `${row.scheduler} ${format(row.first?.mean_response_s, "s")}, ${format(row.second?.mean_response_s, "s")}`).join("; ") || "not known"}
        </StateBlock>
      )}
    </Panel>
  );
}
