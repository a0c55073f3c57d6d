/** Charts that uPlot has no form for: drawn on a canvas with the theme's colours. */
import { useCallback, useState, type PointerEvent, type ReactNode } from "react";
import { CanvasChart, canvasFont, pointIn, type Draw } from "../../charts/CanvasChart";
import type { Key } from "../../charts/png";
import { color } from "../../lib/theme";

export interface Line {
  readonly label: string;
  readonly variable: string;
  readonly dash?: readonly number[];
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Drawn as steps to the right. */
  readonly steps?: boolean;
  readonly marks?: boolean;
}

interface XYProps {
  readonly title: string;
  readonly summary: string;
  readonly lines: readonly Line[];
  readonly height?: number;
  readonly xLog?: boolean;
  readonly yMin?: number;
  readonly yMax?: number;
  readonly xMin?: number;
  readonly xMax?: number;
  readonly xText: (value: number) => string;
  readonly yText: (value: number) => string;
  readonly xLabel: string;
  readonly yLabel?: string;
  /** A line from corner to corner: what a perfect value would be. */
  readonly diagonal?: boolean;
}

const LEFT = 58;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 38;

export function ticks(low: number, high: number, most: number): number[] {
  const span = high - low;
  if (!(span > 0)) return [low];
  const rough = span / Math.max(1, most);
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * size >= rough) ?? 10) * size;
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-6; at += step) found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  return found;
}

/** Powers of ten, with 2 and 5 between where there is room. */
export function logTicks(low: number, high: number, most: number): number[] {
  const decades = Math.log10(high / low);
  const factors = decades * 3 <= most ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / Math.max(1, most)));
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    if (power % every === 0) for (const factor of factors) if (factor * 10 ** power >= low * 0.999 && factor * 10 ** power <= high * 1.001) found.push(factor * 10 ** power);
  return found;
}

export function XYChart({ title, summary, lines, height = 240, xLog = false, yMin, yMax, xMin, xMax, xText, yText, xLabel, yLabel, diagonal = false }: XYProps): ReactNode {
  const [at, setAt] = useState<number | null>(null);
  const all = lines.flatMap((line) => line.points);
  const usable = xLog ? all.filter(([x]) => x > 0) : all;
  const left = xMin ?? Math.min(...usable.map(([x]) => x));
  const right = xMax ?? Math.max(...usable.map(([x]) => x));
  const low = yMin ?? Math.min(0, ...all.map(([, y]) => y));
  const high = yMax ?? Math.max(...all.map(([, y]) => y));
  const scale = (value: number): number => (xLog ? Math.log10(Math.max(value, left)) : value);
  const [from, to] = [scale(left), scale(right) > scale(left) ? scale(right) : scale(left) + 1];

  const draw: Draw = useCallback(
    (context, width, tall) => {
      const [inner, deep] = [width - LEFT - RIGHT, tall - TOP - BOTTOM];
      const px = (x: number): number => LEFT + ((scale(x) - from) / (to - from)) * inner;
      const py = (y: number): number => TOP + deep - ((y - low) / (high > low ? high - low : 1)) * deep;
      context.font = canvasFont();
      context.lineWidth = 1;
      context.strokeStyle = color("--grid");
      context.fillStyle = color("--muted");
      context.textBaseline = "middle";
      context.textAlign = "right";
      for (const tick of ticks(low, high, Math.max(2, Math.floor(deep / 36)))) {
        context.beginPath();
        context.moveTo(LEFT, Math.round(py(tick)) + 0.5);
        context.lineTo(width - RIGHT, Math.round(py(tick)) + 0.5);
        context.stroke();
        context.fillText(yText(tick), LEFT - 6, py(tick));
      }
      context.textAlign = "center";
      context.textBaseline = "top";
      const most = Math.max(2, Math.floor(inner / 80));
      for (const tick of xLog ? logTicks(left, right, most) : ticks(left, right, most)) {
        const x = px(tick);
        if (x < LEFT - 1 || x > width - RIGHT + 1) continue;
        context.beginPath();
        context.moveTo(Math.round(x) + 0.5, TOP);
        context.lineTo(Math.round(x) + 0.5, TOP + deep);
        context.stroke();
        context.fillText(xText(tick), Math.min(Math.max(x, LEFT + 8), width - RIGHT - 14), TOP + deep + 5);
      }
      context.fillText(xLabel, LEFT + inner / 2, tall - 14);
      if (yLabel) {
        context.save();
        context.translate(8, TOP + deep / 2);
        context.rotate(-Math.PI / 2);
        context.textBaseline = "middle";
        context.fillText(yLabel, 0, 0);
        context.restore();
      }
      context.save();
      context.beginPath();
      context.rect(LEFT, TOP - 2, inner, deep + 4);
      context.clip();
      if (diagonal) {
        context.strokeStyle = color("--line-strong");
        context.setLineDash([4, 4]);
        context.beginPath();
        context.moveTo(px(left), py(left));
        context.lineTo(px(right), py(right));
        context.stroke();
      }
      for (const line of lines) {
        context.strokeStyle = color(line.variable);
        context.fillStyle = color(line.variable);
        context.lineWidth = 1.75;
        context.setLineDash([...(line.dash ?? [])]);
        context.beginPath();
        let before: number | null = null;
        for (const [x, y] of line.points) {
          if (before === null) context.moveTo(px(x), py(y));
          else {
            if (line.steps) context.lineTo(px(x), before);
            context.lineTo(px(x), py(y));
          }
          before = py(y);
        }
        context.stroke();
        context.setLineDash([]);
        if (line.marks)
          for (const [x, y] of line.points) {
            context.beginPath();
            context.arc(px(x), py(y), 3, 0, 2 * Math.PI);
            context.fill();
          }
      }
      if (at !== null) {
        context.strokeStyle = color("--line-strong");
        context.lineWidth = 1;
        context.beginPath();
        context.moveTo(Math.round(px(at)) + 0.5, TOP);
        context.lineTo(Math.round(px(at)) + 0.5, TOP + deep);
        context.stroke();
      }
      context.restore();
    },
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [lines, from, to, low, high, at, xLog, xLabel, yLabel, diagonal],
  );

  const move = (event: PointerEvent<HTMLCanvasElement>): void => {
    const point = pointIn(event);
    const share = (point.x - LEFT) / (point.width - LEFT - RIGHT);
    const value = from + Math.min(1, Math.max(0, share)) * (to - from);
    setAt(xLog ? 10 ** value : value);
  };
  const keys: Key[] = lines.map((line) => ({ label: line.label, variable: line.variable }));
  const read = (line: Line): string => {
    if (at === null || !line.points.length) return "";
    let found: readonly [number, number] | undefined;
    for (const point of line.points) if (point[0] <= at * (1 + 1e-9)) found = point;
    return yText(found ? found[1] : line.steps ? low : (line.points[0]?.[1] ?? 0));
  };
  return (
    <>
      <CanvasChart title={title} summary={summary} height={height} draw={draw} keys={keys} onPointerMove={move} onPointerLeave={() => setAt(null)} />
      {lines.length > 1 || at !== null ? (
        <div className="legend-line">
          <span className="legend-x">{at === null ? "" : xText(at)}</span>
          {lines.map((line) => (
            <span key={line.label} className="legend-part">
              <svg width="14" height="8" viewBox="0 0 14 8" aria-hidden="true">
                <line x1="0" y1="4" x2="14" y2="4" strokeWidth="2" strokeDasharray={line.dash?.join(" ")} style={{ stroke: `var(${line.variable})` }} />
              </svg>
              <span className="muted">{line.label}</span>
              <span className="legend-read">{read(line)}</span>
            </span>
          ))}
        </div>
      ) : null}
    </>
  );
}

interface HeatProps {
  readonly title: string;
  readonly summary: string;
  readonly xEdges: readonly number[];
  readonly yEdges: readonly number[];
  /** By x, then y; null: nothing there. */
  readonly values: readonly (readonly (number | null)[])[];
  readonly counts: readonly (readonly number[])[];
  readonly xText: (value: number) => string;
  readonly yText: (value: number) => string;
  readonly valueText: (value: number) => string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly height?: number;
}

/** A share of 0 to 1 by two quantities: from the colour of the CPU to that of the GPU. */
export function HeatMap({ title, summary, xEdges, yEdges, values, counts, xText, yText, valueText, xLabel, yLabel, height = 260 }: HeatProps): ReactNode {
  const [at, setAt] = useState<readonly [number, number] | null>(null);
  const [columns, rows] = [xEdges.length - 1, yEdges.length - 1];
  const draw: Draw = useCallback(
    (context, width, tall) => {
      const [inner, deep] = [width - LEFT - RIGHT, tall - TOP - BOTTOM];
      const [wide, high] = [inner / columns, deep / rows];
      context.font = canvasFont();
      for (let column = 0; column < columns; column++)
        for (let row = 0; row < rows; row++) {
          const value = values[column]?.[row] ?? null;
          const [x, y] = [LEFT + column * wide, TOP + deep - (row + 1) * high];
          if (value === null) {
            context.strokeStyle = color("--grid");
            context.lineWidth = 1;
            context.strokeRect(x + 0.5, y + 0.5, wide - 1, high - 1);
          } else {
            context.fillStyle = blend(color("--panel"), color("--on-gpu"), tint(value));
            context.fillRect(x + 0.5, y + 0.5, wide - 1, high - 1);
          }
          if (at && at[0] === column && at[1] === row) {
            context.strokeStyle = color("--text");
            context.lineWidth = 2;
            context.strokeRect(x + 1, y + 1, wide - 2, high - 2);
          }
        }
      context.fillStyle = color("--muted");
      context.textBaseline = "middle";
      context.textAlign = "right";
      yEdges.forEach((edge, place) => {
        if (place % Math.max(1, Math.ceil(18 / high)) === 0) context.fillText(yText(edge), LEFT - 6, TOP + deep - place * high);
      });
      context.textAlign = "center";
      context.textBaseline = "top";
      const every = Math.max(1, Math.ceil(52 / wide));
      xEdges.forEach((edge, place) => {
        if (place % every === 0) context.fillText(xText(edge), Math.min(LEFT + place * wide, width - RIGHT - 12), TOP + deep + 5);
      });
      context.fillText(xLabel, LEFT + inner / 2, tall - 14);
      context.save();
      context.translate(8, TOP + deep / 2);
      context.rotate(-Math.PI / 2);
      context.textBaseline = "middle";
      context.fillText(yLabel, 0, 0);
      context.restore();
    },
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [values, xEdges, yEdges, columns, rows, at, xLabel, yLabel],
  );
  const move = (event: PointerEvent<HTMLCanvasElement>): void => {
    const point = pointIn(event);
    const column = Math.floor(((point.x - LEFT) / (point.width - LEFT - RIGHT)) * columns);
    const row = Math.floor(((point.height - BOTTOM - point.y) / (point.height - TOP - BOTTOM)) * rows);
    setAt(column >= 0 && column < columns && row >= 0 && row < rows ? [column, row] : null);
  };
  const value = at ? (values[at[0]]?.[at[1]] ?? null) : null;
  return (
    <>
      <CanvasChart title={title} summary={summary} height={height} draw={draw} onPointerMove={move} onPointerLeave={() => setAt(null)} />
      <div className="legend-line" aria-hidden="true">
        <span className="legend-part">
          <svg width="96" height="10" viewBox="0 0 96 10">
            {Array.from({ length: 12 }, (_, step) => (
              <rect key={step} x={step * 8} y="0" width="8" height="10" style={{ fill: `color-mix(in srgb, var(--on-gpu) ${tint(step / 11) * 100}%, var(--panel))` }} />
            ))}
          </svg>
          <span className="muted">
            {valueText(0)} to {valueText(1)}
          </span>
        </span>
        <span className="muted">
          {at
            ? `${xText(xEdges[at[0]] ?? 0)} – ${xText(xEdges[at[0] + 1] ?? 0)}, ${yText(yEdges[at[1]] ?? 0)} – ${yText(yEdges[at[1] + 1] ?? 0)}: ${
                value === null ? "no task" : `${valueText(value)} (${counts[at[0]]?.[at[1]] ?? 0} tasks)`
              }`
            : "empty: no task"}
        </span>
      </div>
    </>
  );
}

/** How strongly a share is tinted: 0 can be told from nothing. */
function tint(share: number): number {
  return 0.1 + 0.9 * share;
}

/** A colour between two, given as #rrggbb or #rgb: style sheets are made smaller when the page is built. */
export function blend(first: string, second: string, share: number): string {
  const parse = (text: string): number[] => {
    const found = text.trim().replace(/^#(.)(.)(.)$/, "#$1$1$2$2$3$3");
    return [1, 3, 5].map((at) => Number.parseInt(found.slice(at, at + 2), 16));
  };
  const [a, b] = [parse(first), parse(second)];
  return `rgb(${a.map((value, place) => Math.round(value + ((b[place] ?? value) - value) * share)).join(" ")})`;
}

interface RadarProps {
  readonly title: string;
  readonly axes: readonly string[];
  /** By policy, one value of 0 (centre) to 1 (rim) per axis; null: not known. */
  readonly shapes: readonly { readonly label: string; readonly variable: string; readonly dash?: readonly number[]; readonly values: readonly (number | null)[] }[];
}

/** Several metrics of several policies at a glance. */
export function Radar({ title, axes, shapes }: RadarProps): ReactNode {
  const draw: Draw = useCallback(
    (context, width, tall) => {
      const [cx, cy, radius] = [width / 2, tall / 2, Math.min(width / 2 - 70, tall / 2 - 26)];
      const place = (axis: number, value: number): [number, number] => {
        const angle = (axis / axes.length) * 2 * Math.PI - Math.PI / 2;
        return [cx + Math.cos(angle) * radius * value, cy + Math.sin(angle) * radius * value];
      };
      context.font = canvasFont();
      context.strokeStyle = color("--grid");
      context.lineWidth = 1;
      for (const ring of [0.25, 0.5, 0.75, 1]) {
        context.beginPath();
        axes.forEach((_, axis) => context.lineTo(...place(axis, ring)));
        context.closePath();
        context.stroke();
      }
      context.fillStyle = color("--muted");
      axes.forEach((name, axis) => {
        context.beginPath();
        context.moveTo(cx, cy);
        context.lineTo(...place(axis, 1));
        context.stroke();
        const [x, y] = place(axis, 1.1);
        context.textAlign = Math.abs(x - cx) < 4 ? "center" : x > cx ? "left" : "right";
        context.textBaseline = Math.abs(x - cx) < 4 ? (y < cy ? "bottom" : "top") : "middle";
        context.fillText(name, x, y);
      });
      for (const shape of shapes) {
        context.strokeStyle = color(shape.variable);
        context.lineWidth = 1.75;
        context.setLineDash([...(shape.dash ?? [])]);
        context.beginPath();
        shape.values.forEach((value, axis) => {
          if (value !== null) context.lineTo(...place(axis, Math.max(0, Math.min(1, value))));
        });
        context.closePath();
        context.stroke();
        context.setLineDash([]);
      }
    },
    [axes, shapes],
  );
  const summary = shapes.map((shape) => `${shape.label}: ${axes.map((name, axis) => `${name} ${shape.values[axis]?.toFixed(2) ?? "unknown"}`).join(", ")}`).join(". ");
  return <CanvasChart title={title} summary={summary} height={250} draw={draw} keys={shapes.map(({ label, variable }) => ({ label, variable }))} />;
}
