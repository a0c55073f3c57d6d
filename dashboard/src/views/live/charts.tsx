import { useCallback, useMemo, type ReactNode } from "react";
import { CanvasChart, canvasFont } from "../../charts/CanvasChart";
import { PlotChart, type Series } from "../../charts/PlotChart";
import { Segmented, Select } from "../../components/controls";
import { Panel } from "../../components/Panel";
import { StateBlock } from "../../components/StateBlock";
import { decadeText, digits, format, whole as wholeNumber, type Unit } from "../../lib/format";
import { HELP, METRICS } from "../../lib/metrics";
import { comparePolicies, policyStyle } from "../../lib/palette";
import { useParam } from "../../lib/router";
import { smoothed, STRETCHES } from "../../lib/smooth";
import { color } from "../../lib/theme";
import { newest, samples, useBeat, useLive, usePolicies, whole } from "../../store/live";
import type { TrailMetric } from "../../store/trail";

const RACES: Readonly<Record<string, { metric: TrailMetric; label: string; unit: Unit; help: string }>> = {
  mean: { metric: "mean_response_s", label: "Mean", unit: "s", help: `${METRICS.response.help} Here: over the newest 4096 tasks of each lane. The axis is logarithmic, and need not reach the first twentieth of the points, which are means of few tasks.` },
  p95: { metric: "p95_response_s", label: "p95", unit: "s", help: HELP.p95 },
  regret: { metric: "regret_to_oracle", label: "Regret", unit: "share", help: HELP.regret },
};

function useSmoothed({ x, series }: { readonly x: readonly number[]; readonly series: readonly Series[] }): { readonly x: readonly number[]; readonly series: readonly Series[] } {
  return useMemo(() => {
    const found = smoothed(
      x,
      series.map((line) => line.values),
    );
    return { x: found.x, series: series.map((line, place) => ({ ...line, values: found.columns[place] ?? [] })) };
  }, [x, series]);
}

function useTrailSeries(metric: TrailMetric, span: string, phase: 1 | 2 | 3): { x: readonly number[]; series: readonly Series[] } {
  const beat = useBeat(phase);
  return useMemo(() => {
    const trail = span === "newest" ? newest : whole;
    const series = [...trail.values.entries()]
      .sort(([first], [second]) => comparePolicies(first, second))
      .filter(([, columns]) => columns[metric].some((value) => value !== null))
      .map(([policy, columns]) => ({ label: policy, variable: policyStyle(policy).variable, dash: policyStyle(policy).dash, values: columns[metric] }));
    // Columns are changed in place; a new array tells the chart that they have.
    return { x: [...trail.time_s], series };
  }, [beat, metric, span]);
}

const SPANS = [
  { value: "whole", label: "All", title: "The whole run, here and in the charts of queues and utilisation" },
  { value: "newest", label: "Newest", title: "The newest points only, here and in the charts of queues and utilisation" },
];

export function Race(): ReactNode {
  const [kind, setKind] = useParam("race", "mean");
  const [span, setSpan] = useParam("span", "whole");
  const stale = useLive((found) => found.stale);
  const race = RACES[kind] ?? RACES["mean"]!;
  const { x, series } = useTrailSeries(race.metric, span, 1);
  return (
    <Panel
      title="Race"
      className="w4"
      help={race.help}
      stale={stale}
      actions={
        <>
          <Segmented label="Measure" value={kind} onChange={setKind} options={Object.entries(RACES).map(([value, { label }]) => ({ value, label }))} />
          <Segmented label="Time" value={span} onChange={setSpan} options={SPANS} />
        </>
      }
    >
      {x.length > 1 && series.length ? (
        <PlotChart title={`Response time over time, ${race.label.toLowerCase()}`} x={x} series={series} unit={race.unit} sync="live" height={200} {...(kind === "regret" ? { compressed: 0.1 } : { logarithmic: true, settles: true })} />
      ) : (
        <StateBlock kind="empty" title="Nothing has finished yet" />
      )}
    </Panel>
  );
}

export function Queues(): ReactNode {
  const [span] = useParam("span", "whole");
  const stale = useLive((found) => found.stale);
  const { x, series } = useSmoothed(useTrailSeries("queue_length", span, 2));
  return (
    <Panel title="Queue length" className="w4" help={`${HELP.queue} Lines are means over up to ${STRETCHES} equal stretches of the time shown; the axis is compressed like a logarithm, with 0.`} stale={stale}>
      {x.length > 1 ? <PlotChart title="Queue length over time" x={x} series={series} unit="count" sync="live" height={180} compressed={1} /> : <StateBlock kind="empty" title="No queues yet" />}
    </Panel>
  );
}

export function Utilisation(): ReactNode {
  const [device, setDevice] = useParam("device", "gpu");
  const [span] = useParam("span", "whole");
  const stale = useLive((found) => found.stale);
  const { x, series } = useSmoothed(useTrailSeries(device === "cpu" ? "utilization_cpu" : "utilization_gpu", span, 3));
  return (
    <Panel
      title="Utilisation"
      className="w4"
      help={`${device === "cpu" ? HELP.utilCpu : HELP.utilGpu} Lines are means over up to ${STRETCHES} equal stretches of the time shown.`}
      stale={stale}
      actions={
        <Segmented
          label="Device"
          value={device}
          onChange={setDevice}
          options={[
            { value: "cpu", label: "CPU" },
            { value: "gpu", label: "GPU" },
          ]}
        />
      }
    >
      {x.length > 1 ? (
        <PlotChart title={`${device === "cpu" ? "Cores" : "GPUs"} in use over time`} x={x} series={series} unit="share" sync="live" yMin={0} yMax={1} height={180} />
      ) : (
        <StateBlock kind="empty" title="Nothing runs yet" />
      )}
    </Panel>
  );
}

const WHERE = [
  { key: "cpu", label: "CPU only", variable: "--on-cpu" },
  { key: "both", label: "split", variable: "--on-both" },
  { key: "gpu", label: "GPU only", variable: "--on-gpu" },
] as const;

const MARGIN = { left: 34, right: 8, top: 8, bottom: 24 };
const POINT = 2.2;

export function TaskStream(): ReactNode {
  const beat = useBeat(0);
  const stale = useLive((found) => found.stale);
  const policies = usePolicies();
  const [policy, setPolicy] = useParam("stream", "all");
  const total = useLive((found) => found.tasks?.total ?? null);

  const points = useMemo(() => {
    const found: { size: number; intensity: number; where: (typeof WHERE)[number]["key"] }[] = [];
    for (const task of samples) {
      if (policy !== "all" && task.scheduler !== policy) continue;
      const { size, compute_intensity: intensity, fraction } = task;
      if (typeof size !== "number" || typeof intensity !== "number" || typeof fraction !== "number" || size <= 0) continue;
      found.push({ size, intensity, where: fraction <= 0 ? "cpu" : fraction >= 1 ? "gpu" : "both" });
    }
    return found;
    // Samples are changed in place: `beat` says when.
  }, [beat, policy]);

  const counts = WHERE.map(({ key }) => points.filter((point) => point.where === key).length);
  const draw = useCallback(
    (context: CanvasRenderingContext2D, width: number, height: number) => {
      if (!points.length) return;
      const [left, top, right, bottom] = [MARGIN.left, MARGIN.top, width - MARGIN.right, height - MARGIN.bottom];
      let [low, high] = [Number.POSITIVE_INFINITY, 0];
      for (const point of points) [low, high] = [Math.min(low, point.size), Math.max(high, point.size)];
      [low, high] = [Math.log10(low) - 0.05, Math.log10(high) + 0.05];
      const x = (size: number): number => left + ((Math.log10(size) - low) / (high - low)) * (right - left);
      const y = (intensity: number): number => bottom - intensity * (bottom - top);
      context.font = canvasFont();
      context.strokeStyle = color("--grid");
      context.fillStyle = color("--muted");
      context.lineWidth = 1;
      context.beginPath();
      context.textAlign = "right";
      context.textBaseline = "middle";
      for (const share of [0, 0.25, 0.5, 0.75, 1]) {
        context.moveTo(left, Math.round(y(share)) + 0.5);
        context.lineTo(right, Math.round(y(share)) + 0.5);
        if (share * 4 !== 1 && share * 4 !== 3) context.fillText(digits(share, 1), left - 6, y(share));
      }
      context.textAlign = "center";
      context.textBaseline = "top";
      for (let decade = Math.floor(low); decade <= high; decade++)
        for (const step of [1, 2, 5]) {
          const size = step * 10 ** decade;
          if (Math.log10(size) < low || Math.log10(size) > high) continue;
          context.moveTo(Math.round(x(size)) + 0.5, top);
          context.lineTo(Math.round(x(size)) + 0.5, bottom);
          if (x(size) > left + 8 && x(size) < right - 14) context.fillText(decadeText(size), x(size), bottom + 6);
        }
      context.stroke();
      WHERE.forEach(({ key, variable }) => {
        context.fillStyle = color(variable);
        context.globalAlpha = 0.75;
        context.beginPath();
        for (const point of points) {
          if (point.where !== key) continue;
          const [px, py] = [x(point.size), y(point.intensity)];
          if (key === "cpu") context.rect(px - POINT, py - POINT, 2 * POINT, 2 * POINT);
          else if (key === "gpu") {
            context.moveTo(px + POINT, py);
            context.arc(px, py, POINT, 0, 7);
          } else {
            context.moveTo(px, py - POINT * 1.5);
            context.lineTo(px + POINT * 1.5, py);
            context.lineTo(px, py + POINT * 1.5);
            context.lineTo(px - POINT * 1.5, py);
            context.closePath();
          }
        }
        context.fill();
      });
      context.globalAlpha = 1;
    },
    [points],
  );

  return (
    <Panel
      title="Task stream"
      className="w4"
      stale={stale}
      help="A sample of the tasks that finished lately: nominal CPU time (to the right, logarithmic) against compute intensity (up), by where the policy ran them."
      actions={<Select label="Policy" hideLabel value={policy} onChange={setPolicy} options={[{ value: "all", label: "all policies" }, ...policies.map((value) => ({ value, label: value }))]} />}
    >
      {points.length ? (
        <>
          <CanvasChart
            title="Size against intensity of finished tasks"
            summary={WHERE.map(({ label }, place) => `${counts[place]} ${label}`).join(", ")}
            height={180}
            draw={draw}
            keys={WHERE.map(({ label, variable }) => ({ label, variable }))}
          />
          <p className="legend">
            {WHERE.map(({ key, label, variable }, place) => (
              <span key={key} className="legend-item">
                <svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">
                  {key === "cpu" ? <rect x="1" y="1" width="8" height="8" style={{ fill: `var(${variable})` }} /> : null}
                  {key === "gpu" ? <circle cx="5" cy="5" r="4.2" style={{ fill: `var(${variable})` }} /> : null}
                  {key === "both" ? <path d="M5 0 10 5 5 10 0 5z" style={{ fill: `var(${variable})` }} /> : null}
                </svg>
                <span className="legend-label">{label}</span>
                <span>{format(points.length ? (counts[place] ?? 0) / points.length : null, "share")}</span>
              </span>
            ))}
            <span className="legend-label">
              {wholeNumber(points.length)} of {total === null ? "–" : format(total, "count")} results
            </span>
          </p>
        </>
      ) : (
        <StateBlock kind="empty" title="Nothing has finished yet" />
      )}
    </Panel>
  );
}
