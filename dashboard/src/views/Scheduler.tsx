/** One scheduler of a run, against the oracle and the best rule: how its times are spread, where it puts tasks, whom it beats, and who decides. */
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { useRead } from "../api/client";
import { Panel } from "../components/Panel";
import { PolicyTag } from "../components/PolicyTag";
import { ErrorBlock, StateBlock } from "../components/StateBlock";
import { Stat, Stats } from "../components/Stat";
import { Table, type Column } from "../components/Table";
import { Segmented, Select } from "../components/controls";
import { decadeText, format, tickText, whole } from "../lib/format";
import { HELP, METRICS } from "../lib/metrics";
import { comparePolicies, policyStyle } from "../lib/palette";
import { useParam } from "../lib/router";
import { useLive } from "../store/live";
import { HeatMap, Radar, XYChart, type Line } from "./parts/charts";
import { IntervalBar, IntervalSave, intervalText, reach, type PairedMetric } from "./parts/intervals";
import { WinMatrix, WinMatrixSave } from "./parts/matrix";
import { Bars } from "./parts/bars";
import { AGAIN_S, RunSelect, useRun } from "./parts/runs";
import { bestRule, deciderName, isLearned, perTask, RADAR_AXES, radarValues, type Statistics } from "./parts/statistics";

const CURVES = [
  { value: "response", label: "Response" },
  { value: "wait", label: "Wait" },
] as const;

/** Results per second of the wall clock of one lane, while the run goes on. */
function useDecisions(policy: string | null, going: boolean): number | null {
  const finished = useLive((found) => found.lanes?.lanes.find((lane) => lane.policy === policy)?.finished ?? null);
  const seen = useRef<[ms: number, finished: number][]>([]);
  const [rate, setRate] = useState<number | null>(null);
  useEffect(() => {
    seen.current = [];
    setRate(null);
  }, [policy, going]);
  useEffect(() => {
    if (finished === null || !going) return;
    const now = performance.now();
    seen.current.push([now, finished]);
    while (seen.current.length > 2 && now - (seen.current[1]?.[0] ?? now) > 5_000) seen.current.shift();
    const first = seen.current[0];
    if (first && now - first[0] > 1_000) setRate(((finished - first[1]) / (now - first[0])) * 1_000);
  }, [finished, going]);
  return rate;
}

interface Against {
  readonly other: Statistics;
  readonly won: number | null;
  readonly lost: number | null;
  readonly metric: PairedMetric | null;
}

export default function Scheduler(): ReactNode {
  const run = useRun();
  const [wanted, setWanted] = useParam("policy", "");
  const [curve, setCurve] = useParam("curve", "response");
  const every = run.going ? { every_s: AGAIN_S } : {};
  const statistics = useRead("/api/v1/runs/{run_id}/statistics", run.id === null ? null : { path: { run_id: run.id } }, every);
  const all = useMemo(() => [...(statistics.data ?? [])].sort((a, b) => comparePolicies(a.scheduler, b.scheduler)), [statistics.data]);
  const mine = all.find((found) => found.scheduler === wanted) ?? all.find(isLearned) ?? all.find((found) => found.scheduler !== "oracle") ?? all[0] ?? null;
  const policy = mine?.scheduler ?? null;
  const rule = bestRule(all, policy ?? undefined);
  const path = (scheduler: string | undefined): { path: { run_id: number }; query: { scheduler: string } } | null =>
    run.id === null || !scheduler ? null : { path: { run_id: run.id }, query: { scheduler } };
  const own = useRead("/api/v1/runs/{run_id}/distribution", path(policy ?? undefined), every);
  const oracle = useRead("/api/v1/runs/{run_id}/distribution", path(policy !== "oracle" && all.some((found) => found.scheduler === "oracle") ? "oracle" : undefined), every);
  const ruled = useRead("/api/v1/runs/{run_id}/distribution", path(rule?.scheduler), every);
  const pairs = useRead("/api/v1/runs/{run_id}/differences", run.id === null || !policy ? null : { path: { run_id: run.id }, query: { reference: policy } }, every);
  const decisions = useDecisions(policy, run.going);
  // A line that came after the others would make room for a legend.
  const drawing = [own, oracle, ruled].some((found) => found.loading && !found.data);

  const key = curve === "wait" ? "wait" : "response";
  const lines = useMemo<readonly Line[]>(
    () =>
      [own.data, oracle.data, ruled.data].flatMap((found, place, every) => {
        const points = found?.[key] ?? [];
        // While another policy is being read, the one before may be that of another line.
        if (!found || !points.length || every.findIndex((other) => other?.scheduler === found.scheduler) !== place) return [];
        const style = policyStyle(found.scheduler);
        return [{ label: found.scheduler, variable: style.variable, dash: style.dash, points, steps: true }];
      }),
    [own.data, oracle.data, ruled.data, key],
  );
  const shapes = useMemo(
    () =>
      [mine, all.find((found) => found.scheduler === "oracle" && found !== mine) ?? null, rule]
        .filter((found): found is Statistics => found !== null && found.finished > 0)
        .map((found) => ({ label: found.scheduler, variable: policyStyle(found.scheduler).variable, dash: policyStyle(found.scheduler).dash, values: radarValues(found, all) })),
    [mine, rule, all],
  );

  const head = (
    <div className="view-head">
      <h1>Scheduler</h1>
      {all.length ? <Select label="Policy" hideLabel value={policy ?? ""} onChange={setWanted} options={all.map((found) => ({ value: found.scheduler, label: found.scheduler }))} /> : null}
      <span className="view-space" />
      <RunSelect run={run} />
    </div>
  );
  if (run.id === null || (statistics.loading && !statistics.data))
    return (
      <>
        {head}
        {run.id === null && run.runs.error && !run.runs.data ? (
          <ErrorBlock error={run.runs.error} retry={run.runs.reload} />
        ) : run.id === null && !run.runs.loading ? (
          <StateBlock kind="empty" title="There is no run yet">
            Start one in the view Live; its schedulers are compared here.
          </StateBlock>
        ) : (
          <StateBlock kind="loading" title="Reading statistics" />
        )}
      </>
    );
  if (statistics.error && !statistics.data)
    return (
      <>
        {head}
        <ErrorBlock error={statistics.error} retry={statistics.reload} />
      </>
    );
  if (!mine || !policy)
    return (
      <>
        {head}
        <StateBlock kind="empty" title={run.going ? "No results of this run are stored yet" : "This run left no results"}>
          They appear as soon as the first tasks have finished and reached the database.
        </StateBlock>
      </>
    );

  // What came for the policy before is the difference to that one.
  const compared = pairs.data?.reference === policy ? pairs.data : null;
  // Until the policy that was chosen last has been read, what is shown is of the one before, and says so.
  const named = own.data?.scheduler ?? policy;
  const placed = own.data?.placements;
  const finished = placed ? placed.cpu_only + placed.split + placed.gpu_only : 0;
  const deciders = Object.entries(placed?.decided_by ?? {});
  const decided = deciders.reduce((sum, [, count]) => sum + count, 0);
  const busy = placed ? placed.cpu_s + placed.gpu_s : 0;
  const against: Against[] = all
    .filter((other) => other !== mine)
    .map((other) => ({
      other,
      won: mine.compared ? (mine.wins_against[other.scheduler] ?? 0) : null,
      lost: mine.compared ? (other.wins_against[policy] ?? 0) : null,
      // The service says other minus this one; here it is this one minus the other.
      metric: flip(compared?.schedulers.find((each) => each.scheduler === other.scheduler)?.metrics["response_s"] ?? null),
    }));
  const most = reach(against.map((row) => row.metric));
  const columns: Column<Against>[] = [
    { key: "policy", label: "Against", cell: (row) => <PolicyTag policy={row.other.scheduler} />, sort: (row) => row.other.scheduler },
    { key: "won", label: "Won", number: true, help: "Tasks on which this policy had the shorter response time.", cell: (row) => (row.won === null ? "–" : whole(row.won)), sort: (row) => row.won },
    { key: "lost", label: "Lost", number: true, help: "Tasks on which the other one had the shorter response time. Ties count for neither.", cell: (row) => (row.lost === null ? "–" : whole(row.lost)), sort: (row) => row.lost },
    { key: "difference", label: "Difference of response [95 %]", number: true, help: `This policy minus the other on the same tasks, the newest 5 000. ${HELP.toOracle}`, cell: (row) => intervalText(row.metric, "s"), sort: (row) => row.metric?.difference ?? null },
    { key: "bar", label: "less ← → more", help: "The difference and its interval; the scale is compressed like a logarithm on both sides of the line, which is no difference.", cell: (row) => <IntervalBar metric={row.metric} most={most} />, width: "30%", wideOnly: true },
  ];

  return (
    <>
      {head}
      <div className="grid">
        <Panel title={policy} className="w12" stale={statistics.stale} help="Over all tasks of the run that this policy has finished; quantiles within 1 %.">
          <Stats even>
            <Stat label="Finished" value={mine.finished} unit="count" help="Tasks of the run that this policy has finished and that are stored." />
            <Stat label="Mean response" value={mine.mean_response_s} unit="s" help={METRICS.response.help} />
            <Stat label="Median" value={mine.median_response_s} unit="s" help="Half of the tasks took no longer from arrival to finish." />
            <Stat label="p95" value={mine.p95_response_s} unit="s" help="95 % of the tasks took no longer from arrival to finish." />
            <Stat label="p99" value={mine.p99_response_s} unit="s" help="99 % of the tasks took no longer from arrival to finish." />
            <Stat label="Mean wait" value={mine.mean_wait_s} unit="s" help={METRICS.wait.help} />
            <Stat label="Slowdown" value={mine.mean_bounded_slowdown} unit="factor" help={METRICS.slowdown.help} />
            <Stat label="Energy per task" value={perTask(mine.energy_j, mine)} unit="J" help={METRICS.energy.help} />
            <Stat label="Cost per task" value={perTask(mine.cost_usd, mine)} unit="usd" help={METRICS.cost.help} />
            <Stat label="Regret" value={mine.mean_regret_s} unit="s" help="Mean response time above the oracle's, over the tasks that both finished." />
            <Stat label="Decisions" value={decisions} unit="per_s" help="Tasks that this policy finished per second of the wall clock, over the last 5 s of the run at hand. Unknown for a run that is over." />
          </Stats>
        </Panel>
        <Panel
          title="Distribution"
          className="w8"
          stale={own.stale}
          help="Share of finished tasks that took no longer, over the whole run; times within 1 %. Further left is better."
          actions={<Segmented label="Time" value={key} options={CURVES} onChange={setCurve} />}
        >
          {drawing ? (
            <StateBlock kind="loading" title="Reading" />
          ) : lines.length ? (
            <XYChart
              title={`Distribution of ${key === "wait" ? "waiting" : "response"} times`}
              summary={`${policy}: median ${format(mine.median_response_s, "s")}, 99 % within ${format(mine.p99_response_s, "s")} of response.`}
              lines={lines}
              xLog
              xMin={Math.max(key === "wait" ? 0.01 : 1e-3, Math.min(...lines.flatMap((line) => line.points.map(([x]) => x).filter((x) => x > 1e-5))))}
              yMin={0}
              yMax={1}
              xText={decadeText}
              yText={(value) => tickText(value, "share")}
              xLabel={key === "wait" ? "waiting time" : "response time"}
            />
          ) : own.error ? (
            <ErrorBlock error={own.error} retry={own.reload} />
          ) : (
            <StateBlock kind="empty" title="No task has finished yet" />
          )}
        </Panel>
        <Panel title="Metrics at a glance" className="w4" help="On each axis: the smallest value of all schedulers of the run ÷ this one's. The rim is the best, the centre is far off.">
          {shapes.length ? <Radar title={`Metrics of ${policy}`} axes={RADAR_AXES} shapes={shapes} /> : <StateBlock kind="empty" title="No task has finished yet" />}
          <div className="legend-line">
            {shapes.map((shape) => (
              <span key={shape.label} className="legend-part">
                <PolicyTag policy={shape.label} />
              </span>
            ))}
          </div>
        </Panel>
        <Panel title="GPU fraction by size and intensity" className="w6" stale={own.stale} help="Mean share of the work that this policy gave to GPUs, over its newest 10 000 results. Size: nominal CPU seconds; intensity: parallel part of the work.">
          {placed?.count.length ? (
            <HeatMap
              title={`GPU fraction of ${named}`}
              summary={`${placed.cpu_only} tasks on CPUs alone, ${placed.split} split, ${placed.gpu_only} on GPUs alone.`}
              xEdges={placed.size_edges}
              yEdges={placed.intensity_edges}
              values={placed.fraction}
              counts={placed.count}
              xText={(value) => format(value, "s")}
              yText={(value) => tickText(value, "share")}
              valueText={(value) => `${Math.round(value * 100)} % GPU`}
              xLabel="size"
              yLabel="compute intensity"
            />
          ) : (
            <StateBlock kind={own.loading ? "loading" : "empty"} title={own.loading ? "Reading" : "No task with a known size and fraction yet"} />
          )}
        </Panel>
        <div className="stack w6">
          <Panel title="Where tasks ran" stale={own.stale} help="Of its newest 10 000 results: tasks on CPUs alone (GPU fraction 0), split between both, on GPUs alone (1); below, measured run time of their CPU and GPU parts.">
            {placed && finished ? (
              <div className="stack">
                <Bars
                  title={`Where tasks of ${named} ran`}
                  entries={([
                    ["CPU alone", placed.cpu_only],
                    ["split", placed.split],
                    ["GPU alone", placed.gpu_only],
                  ] as const).map(([label, count]) => ({ label, count, share: count / finished }))}
                />
                <Bars
                  title={`Time in parts of tasks of ${named}`}
                  entries={([
                    ["CPU parts", placed.cpu_s],
                    ["GPU parts", placed.gpu_s],
                  ] as const).map(([label, time_s]) => ({ label, share: busy ? time_s / busy : null, amount: format(time_s, "s") }))}
                />
              </div>
            ) : (
              <StateBlock kind={own.loading ? "loading" : "empty"} title={own.loading ? "Reading" : "No task has finished yet"} />
            )}
          </Panel>
          <Panel title="Who decided" stale={own.stale} help="Of its newest 10 000 results. A fallback is a decision that the rule behind a learned policy took, with the reason.">
            {deciders.length ? (
              <>
                <Bars title={`Who decided for ${named}`} entries={deciders.map(([name, count]) => ({ label: deciderName(name), count, share: count / decided }))} />
                {isLearned(mine) && !deciders.some(([name]) => name.startsWith("fallback")) ? <p className="note">No fallback among these: its rule took none of the newest {whole(decided)} decisions.</p> : null}
                {isLearned(mine) && mine.by_fallback ? <p className="note">Fallbacks over the whole run: {whole(mine.by_fallback)} of {whole(mine.by_model + mine.by_fallback + mine.by_exploration)} decisions.</p> : null}
              </>
            ) : (
              <StateBlock kind={own.loading && !own.data ? "loading" : "empty"} title={own.loading && !own.data ? "Reading" : "Not known for this run"} />
            )}
            {placed && Object.keys(placed.reasons).length ? (
              <p className="note">Not run: {Object.entries(placed.reasons).map(([reason, count]) => `${whole(count)} × ${reason}`).join("; ")}</p>
            ) : null}
          </Panel>
        </div>
        <Panel title="Against every other policy" className="w12" flush stale={pairs.stale} help="Task by task, on the same tasks with the same noise." actions={<IntervalSave title={`Response time of ${policy} minus that of every other policy`} rows={against.map((row) => ({ label: row.other.scheduler, metric: row.metric }))} unit="s" />}>
          <Table caption="Wins, losses and differences" columns={columns} rows={against} rowKey={(row) => row.other.scheduler} empty="This run has one policy only." />
        </Panel>
        <Panel title="Wins of each over each" className="w12" flush stale={statistics.stale} help="Compared tasks on which the policy of the row was faster than the one of the column, as a share; compared are tasks with the results of all schedulers." actions={<WinMatrixSave all={all} />}>
          <WinMatrix all={all} />
        </Panel>
      </div>
    </>
  );
}

function flip(metric: PairedMetric | null): PairedMetric | null {
  if (!metric) return null;
  return { ...metric, first: metric.second, second: metric.first, difference: -metric.difference, low: metric.high === null ? null : -metric.high, high: metric.low === null ? null : -metric.low };
}
