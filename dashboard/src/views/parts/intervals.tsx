/** A difference with its interval, on a scale that all rows of a table share. */
import type { ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { canvasFont } from "../../charts/CanvasChart";
import { savePng, sheet } from "../../charts/png";
import { SaveButton } from "../../charts/SaveButton";
import { signed, type Unit } from "../../lib/format";
import { color } from "../../lib/theme";

export type PairedMetric = Schemas["PairedMetricAnswer"];

/** The largest distance from zero that any of them reaches. */
export function reach(metrics: readonly (PairedMetric | null | undefined)[]): number {
  return Math.max(1e-12, ...metrics.map((metric) => (metric ? Math.max(Math.abs(metric.difference), Math.abs(metric.low ?? 0), Math.abs(metric.high ?? 0)) : 0)));
}

/** Like a logarithm on both sides of 0, so that small differences can be seen beside large ones. */
function squeezed(value: number, most: number): number {
  return Math.asinh((value / most) * 200) / Math.asinh(200);
}

function tone(metric: PairedMetric): string {
  return metric.low === null || metric.high === null || (metric.low <= 0 && metric.high >= 0) ? "--muted" : metric.difference < 0 ? "--good" : "--bad";
}

/** The line in the middle is no difference; the scale is compressed, and shared by all rows (`most` is at its end). */
export function IntervalBar({ metric, most }: { readonly metric: PairedMetric | null | undefined; readonly most: number }): ReactNode {
  if (!metric) return null;
  const at = (value: number): number => 50 + squeezed(value, most) * 48;
  return (
    <svg className="interval-bar" viewBox="0 0 100 16" preserveAspectRatio="none" aria-hidden="true">
      <line x1="50" x2="50" y1="0" y2="16" style={{ stroke: "var(--line-strong)" }} vectorEffect="non-scaling-stroke" />
      {metric.low !== null && metric.high !== null ? (
        <line x1={at(metric.low)} x2={at(metric.high)} y1="8" y2="8" style={{ stroke: `var(${tone(metric)})` }} strokeWidth="2" vectorEffect="non-scaling-stroke" />
      ) : null}
      <line x1={at(metric.difference)} x2={at(metric.difference)} y1="3" y2="13" style={{ stroke: `var(${tone(metric)})` }} strokeWidth="3" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}

/** −1.2 s, and its interval below in words. */
export function intervalText(metric: PairedMetric | null | undefined, unit: Unit): string {
  if (!metric) return "–";
  const own = signed(metric.difference, unit);
  return metric.low === null || metric.high === null ? own : `${own} [${signed(metric.low, unit)}, ${signed(metric.high, unit)}]`;
}

export function pText(p: number | null | undefined): string {
  if (p === null || p === undefined) return "–";
  return p < 0.001 ? "<0.001" : p.toFixed(3);
}

interface IntervalSaveProps {
  readonly title: string;
  readonly rows: readonly { readonly label: string; readonly metric: PairedMetric | null | undefined }[];
  readonly unit: Unit;
}

const ROW = 22;
const WIDTH = 860;
const BAR = 300;

/** Saves all differences with their intervals, and their numbers, as one picture. */
export function IntervalSave({ title, rows, unit }: IntervalSaveProps): ReactNode {
  const found = rows.filter((row) => row.metric);
  if (!found.length) return null;
  return <SaveButton title={title} onSave={() => savePng(title, [picture(found, unit)], [])} />;
}

function picture(rows: IntervalSaveProps["rows"], unit: Unit): HTMLCanvasElement {
  const [canvas, context] = sheet(WIDTH, rows.length * ROW);
  const most = reach(rows.map(({ metric }) => metric));
  context.font = canvasFont(12);
  context.textBaseline = "middle";
  const left = Math.max(...rows.map(({ label }) => context.measureText(label).width)) + 16;
  const at = (value: number): number => left + BAR / 2 + squeezed(value, most) * (BAR / 2 - 4);
  rows.forEach(({ label, metric }, place) => {
    if (!metric) return;
    const middle = place * ROW + ROW / 2;
    context.fillStyle = color("--text");
    context.fillText(label, 0, middle);
    context.fillText(intervalText(metric, unit), left + BAR + 16, middle);
    context.fillStyle = color("--line-strong");
    context.fillRect(at(0) - 0.5, place * ROW, 1, ROW);
    context.fillStyle = color(tone(metric));
    if (metric.low !== null && metric.high !== null) context.fillRect(at(metric.low), middle - 1, at(metric.high) - at(metric.low), 2);
    context.fillRect(at(metric.difference) - 1.5, middle - 5, 3, 10);
  });
  return canvas;
}
