import { useMemo, type ReactNode } from "react";
import { call, useRead, type Schemas } from "../../api/client";
import { mayControl, useSession } from "../../api/session";
import { reason } from "../../api/http";
import { Segmented, Select } from "../../components/controls";
import { HelpTip } from "../../components/HelpTip";
import { attempt } from "../../components/notices";
import { Panel } from "../../components/Panel";
import { PolicyTag } from "../../components/PolicyTag";
import { StateBlock } from "../../components/StateBlock";
import { Table, type Column } from "../../components/Table";
import { format, known, relative, signed, whole } from "../../lib/format";
import { HELP, METRICS, type MetricKey } from "../../lib/metrics";
import { policyColor } from "../../lib/palette";
import { useParam } from "../../lib/router";
import { isActive, present, useBeat, useLive } from "../../store/live";
import type { Lane } from "../../store/messages";
import { IntervalSave } from "../parts/intervals";

type Paired = Schemas["PairedMetricAnswer"];

const KEYS: Readonly<Record<MetricKey, string>> = { response: "response_s", wait: "wait_s", slowdown: "slowdown", energy: "energy_j", cost: "cost_usd" };
const SHORT: Readonly<Record<MetricKey, string>> = { response: "Response", wait: "Wait", slowdown: "Slowdown", energy: "Energy", cost: "Cost" };

interface Row {
  readonly lane: Lane;
  readonly paired: Paired | null;
  readonly tasks: number | null;
  readonly wins: number | null;
}

/** Like a logarithm on both sides of 0: differences of a hundredth and of a hundredfold fit on one scale. */
function squeezed(value: number, base: number): number {
  return Math.asinh(value / (0.02 * base));
}

/** A dot with its interval, on one scale for all rows; the line in the middle is the baseline. */
function Interval({ paired, base, span, policy }: { readonly paired: Paired | null; readonly base: number; readonly span: readonly [number, number]; readonly policy: string }): ReactNode {
  if (!paired) return <span className="muted">–</span>;
  const at = (value: number): number => 4 + ((squeezed(value, base) - span[0]) / (span[1] - span[0])) * 88;
  return (
    <svg className="interval" viewBox="0 0 96 16" width="96" height="16" aria-hidden="true">
      <line x1={at(0)} x2={at(0)} y1="0" y2="16" className="interval-zero" />
      {known(paired.low) && known(paired.high) ? (
        <line x1={at(paired.low)} x2={at(paired.high)} y1="8" y2="8" strokeWidth="2" style={{ stroke: policyColor(policy) }} />
      ) : null}
      <circle cx={at(paired.difference)} cy="8" r="3.5" style={{ fill: policyColor(policy) }} />
    </svg>
  );
}

function Bar({ share, label }: { readonly share: number | null; readonly label: string }): ReactNode {
  return (
    <span className="bar" title={`${label} ${format(share, "share")}`}>
      <span className="bar-track" aria-hidden="true">
        <span className="bar-fill" style={{ width: `${Math.round((share ?? 0) * 100)}%` }} />
      </span>
      <span className="bar-text">{known(share) ? `${Math.round(share * 100)} %` : "–"}</span>
    </span>
  );
}

export function Leaderboard(): ReactNode {
  const beat = useBeat(2);
  const runId = useLive((found) => found.run?.run_id ?? null);
  const active = useLive((found) => isActive(found.run?.state));
  const stale = useLive((found) => found.stale);
  const may = mayControl(useSession());
  const [metricText, setMetric] = useParam("metric", "response");
  const metric: MetricKey = metricText in METRICS ? (metricText as MetricKey) : "response";
  const lanes = useMemo(() => present().lanes?.lanes ?? [], [beat]);
  const policies = lanes.map((lane) => lane.policy);
  const usual = policies.includes("oracle") || !policies[0] ? "oracle" : policies[0];
  const [against, setAgainst] = useParam("against", usual);
  const every = active ? 4 : undefined;
  const differences = useRead(
    "/api/v1/runs/{run_id}/differences",
    runId === null || !lanes.length ? null : { path: { run_id: runId }, query: { reference: against } },
    every ? { every_s: every } : {},
  );
  const comparative = useRead(
    "/api/history/comparative",
    runId === null || !lanes.length ? null : { query: { run_id: runId } },
    every ? { every_s: every } : {},
  );
  const unit = METRICS[metric].unit;

  const rows: readonly Row[] = useMemo(() => {
    // What came before is of another run, or measured against another baseline.
    const isOurs = differences.data?.run_id === runId && differences.data.reference === against;
    const found = new Map(isOurs ? differences.data?.schedulers.map((entry) => [entry.scheduler, entry]) : []);
    const totals = new Map(comparative.data?.run_id === runId ? comparative.data?.schedulers.map((entry) => [entry.scheduler, entry]) : []);
    return lanes
      .map((lane) => {
        const entry = found.get(lane.policy);
        return { lane, paired: entry?.metrics[KEYS[metric]] ?? null, tasks: entry?.tasks ?? null, wins: totals.get(lane.policy)?.wins ?? null };
      })
      .sort((first, second) => (first.paired?.second ?? Number.POSITIVE_INFINITY) - (second.paired?.second ?? Number.POSITIVE_INFINITY));
  }, [lanes, differences.data, comparative.data, metric, runId, against]);

  const base = rows.find(({ paired }) => paired && paired.first > 0)?.paired?.first ?? 1;
  const span = useMemo((): [number, number] => {
    const ends = rows.flatMap(({ paired }) => (paired ? [paired.difference, paired.low ?? paired.difference, paired.high ?? paired.difference] : []));
    const [low, high] = [Math.min(0, ...ends.map((end) => squeezed(end, base))), Math.max(0, ...ends.map((end) => squeezed(end, base)))];
    return high > low ? [low, high] : [-1, 1];
  }, [rows, base]);

  const columns: readonly Column<Row>[] = [
    {
      key: "policy",
      label: "Policy",
      cell: ({ lane }) => (
        <span className="lane-name">
          <PolicyTag policy={lane.policy} />
          {lane.state === "saturated" ? <span className="chip chip-bad">saturated</span> : null}
          {lane.message ? <HelpTip label={`up with ${lane.policy}`}>{lane.message}</HelpTip> : null}
        </span>
      ),
    },
    { key: "value", label: SHORT[metric], help: METRICS[metric].help, number: true, cell: ({ paired }) => format(paired?.second, unit) },
    {
      key: "difference",
      label: `vs ${against}`,
      help: `${HELP.toOracle} Shown relative to the mean of ${against}: as a percentage, from eleven times on as a factor.`,
      number: true,
      cell: ({ lane, paired }) =>
        lane.policy === against ? (
          <span className="muted">baseline</span>
        ) : (
          <span title={paired ? `${signed(paired.difference, unit)}, 95 % interval ${signed(paired.low, unit)} to ${signed(paired.high, unit)}` : "not known yet"}>
            {relative(paired?.difference, paired?.first)}
            {paired && known(paired.low) && known(paired.high) ? (
              <span className="visually-hidden">
                , interval {signed(paired.low, unit)} to {signed(paired.high, unit)}
              </span>
            ) : null}
          </span>
        ),
    },
    { key: "interval", label: "95 % interval", help: "Difference and its interval; the dashed line is the baseline. The scale is compressed like a logarithm on both sides of it.", wideOnly: true, cell: ({ lane, paired }) => <Interval paired={paired} base={base} span={span} policy={lane.policy} /> },
    { key: "queue", label: "Queue", help: HELP.queue, number: true, cell: ({ lane }) => whole(lane.queue_length) },
    { key: "cpu", label: "CPU", help: HELP.utilCpu, wideOnly: true, cell: ({ lane }) => <Bar share={lane.utilization_cpu} label="Cores in use:" /> },
    { key: "gpu", label: "GPU", help: HELP.utilGpu, wideOnly: true, cell: ({ lane }) => <Bar share={lane.utilization_gpu} label="GPUs in use:" /> },
    { key: "wins", label: "Wins", help: HELP.wins, number: true, wideOnly: true, cell: ({ wins }) => (wins === null ? "–" : format(wins, "count")) },
    { key: "fallback", label: "Fallback", help: HELP.fallback, number: true, wideOnly: true, cell: ({ lane }) => <span title={lane.model ?? "no model"}>{format(lane.fallback_share, "share")}</span> },
    {
      key: "remove",
      label: "",
      cell: ({ lane }) => (
        <button
          type="button"
          className="icon-button"
          disabled={!may || !active || lanes.length < 2}
          title={`Take ${lane.policy} out of the run`}
          aria-label={`Take ${lane.policy} out of the run`}
          onClick={() => void attempt(() => call("delete", "/api/v1/run/policies/{policy}", { path: { policy: lane.policy } }), `${lane.policy} is out of the run.`)}
        >
          ✕
        </button>
      ),
    },
  ];

  const most = Math.max(0, ...rows.map((row) => row.tasks ?? 0));
  return (
    <Panel
      title="Leaderboard"
      className="w8 lane-bars"
      flush
      stale={stale || differences.error !== null}
      help={HELP.toOracle}
      actions={
        <>
          <Segmented label="Metric" value={metric} onChange={setMetric} options={(Object.keys(METRICS) as MetricKey[]).map((value) => ({ value, label: SHORT[value], title: METRICS[value].help }))} />
          <IntervalSave
            title={`${METRICS[metric].name} minus that of ${against}`}
            rows={rows.filter(({ lane }) => lane.policy !== against).map(({ lane, paired }) => ({ label: lane.policy, metric: paired }))}
            unit={unit}
          />
          <Select label="Baseline" hideLabel value={against} onChange={setAgainst} options={policies.map((value) => ({ value, label: `vs ${value}` }))} />
        </>
      }
    >
      {lanes.length ? (
        <>
          <Table caption={`Policies by ${METRICS[metric].name.toLowerCase()}`} columns={columns} rows={rows} rowKey={(row) => row.lane.policy} />
          <p className="table-note">
            {differences.error && !differences.data ? `Comparisons could not be read: ${reason(differences.error)}` : most ? `Means over the newest ${whole(most)} tasks of both.` : "Comparisons come with the first stored results."}
          </p>
        </>
      ) : (
        <StateBlock kind={active ? "loading" : "empty"} title={active ? "Lanes are being made ready" : "No lanes"}>
          {active ? "The first run on a machine compiles the simulator, which takes a minute or so." : "Start a run: every policy gets a lane of its own, all the same tasks."}
        </StateBlock>
      )}
    </Panel>
  );
}
