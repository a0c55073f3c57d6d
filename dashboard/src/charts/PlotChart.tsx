/** Lines over time with uPlot: colours by the theme, a legend that reads the values under the cursor, and a picture to save. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState, type ReactNode } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { decadeText, format, tickText, TIME_STEPS_S, UNKNOWN, type Unit } from "../lib/format";
import { frames } from "../lib/frames";
import { leastFrom, marks, written } from "../lib/marks";
import { color, scale, useColors } from "../lib/theme";
import { canvasFont } from "./CanvasChart";
import { savePng } from "./png";
import { SaveButton } from "./SaveButton";

export interface Series {
  readonly label: string;
  /** Custom property of its colour, such as `--p0`. */
  readonly variable: string;
  readonly dash?: readonly number[];
  readonly values: readonly (number | null)[];
  /** Fill below the line. */
  readonly area?: boolean;
}

interface Props {
  readonly title: string;
  readonly x: readonly number[];
  readonly series: readonly Series[];
  readonly unit: Unit;
  readonly xUnit?: Unit;
  readonly xLabel?: string;
  readonly height?: number;
  /** Charts with the same key move their cursors together. */
  readonly sync?: string;
  /** Bounds of the y axis; the data's where left out. */
  readonly yMin?: number;
  readonly yMax?: number;
  readonly logarithmic?: boolean;
  /** The first twentieth of the points says little yet: a logarithmic axis need not reach down to them. */
  readonly settles?: boolean;
  /** Compressed like a logarithm, but with 0: values up to this are drawn nearly evenly. */
  readonly compressed?: number;
  readonly legend?: boolean;
  /** Series that is drawn thicker. */
  readonly highlight?: string | null;
}

export function PlotChart({ title, x, series, unit, xUnit = "s", xLabel, height = 180, sync, yMin, yMax, logarithmic = false, settles = false, compressed, legend = true, highlight = null }: Props): ReactNode {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const colors = useColors();
  const shape = series.map((each) => `${each.label}|${each.variable}|${each.area ? 1 : 0}`).join("\n");
  const data = useMemo(() => [x, ...series.map((each) => each.values)] as unknown as uPlot.AlignedData, [x, series]);
  const held = useRef(data);
  held.current = data;

  useLayoutEffect(() => {
    const box = host.current;
    if (!box) return;
    const times = scale();
    const font = canvasFont(11 * times);
    const axis = { stroke: color("--muted"), font, grid: { stroke: color("--grid"), width: 1 }, ticks: { show: false } };
    const chart = new uPlot(
      {
        width: Math.max(box.clientWidth, 60),
        height: height * times,
        padding: [8 * times, 22 * times, 0, 0],
        legend: { show: false },
        cursor: {
          drag: { x: true, y: false },
          points: { size: 6 },
          ...(sync ? { sync: { key: sync, setSeries: false } } : {}),
        },
        scales: {
          x: { time: false },
          y: {
            ...(logarithmic ? { distr: 3 as const } : compressed === undefined ? {} : { distr: 4 as const, asinh: compressed }),
            range: (self, low, high) => {
              if (logarithmic) return [((settles ? leastFrom(self.data.slice(1), Math.ceil(self.data[0].length / 20)) : low) || low || 1e-3) / 1.25, (high || 1) * 1.25];
              if (compressed !== undefined) return [Math.min(low ?? 0, 0), Math.max(high ?? 0, compressed) * 1.25];
              const [from, to] = [yMin ?? Math.min(low ?? 0, 0), yMax ?? high ?? 1];
              return [from, to > from ? to + (yMax === undefined ? (to - from) * 0.06 : 0) : from + 1];
            },
          },
        },
        axes: [
          { ...axis, ...(xUnit === "s" ? { incrs: [...TIME_STEPS_S] } : {}), space: 64 * times, size: (xLabel ? 38 : 24) * times, gap: 4 * times, values: (_, ticks) => ticks.map((tick) => tickText(tick, xUnit)), ...(xLabel ? { label: xLabel, labelSize: 14 * times, labelFont: font, labelGap: 0 } : {}) },
          {
            ...axis,
            size: 56 * times,
            gap: 4 * times,
            ...(unit === "s" && !logarithmic && compressed === undefined ? { incrs: [...TIME_STEPS_S] } : {}),
            ...(compressed === undefined ? {} : { splits: (_: uPlot, __: number, low: number, high: number) => marks(low, high, compressed) }),
            ...(logarithmic ? { filter: (self: uPlot, splits: number[]) => written(splits, Math.abs(self.valToPos(10, "y") - self.valToPos(1, "y")), 16 * times) } : {}),
            values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : logarithmic && unit === "s" ? decadeText(tick) : tickText(tick, unit))),
          },
        ],
        series: [
          {},
          ...series.map((each) => ({
            label: each.label,
            stroke: color(each.variable),
            width: (each.label === highlight ? 3 : 1.5) * times,
            points: { show: false },
            spanGaps: false,
            ...(each.dash?.length ? { dash: each.dash.map((length) => length * times) } : {}),
            ...(each.area ? { fill: `${color(each.variable)}26` } : {}),
          })),
        ],
        hooks: { setCursor: [(self) => setAt(self.cursor.idx ?? null)] },
      },
      held.current,
      box,
    );
    plot.current = chart;
    const resize = new ResizeObserver(() => {
      const width = box.clientWidth;
      if (width > 0 && width !== chart.width) chart.setSize({ width, height: height * times });
    });
    resize.observe(box);
    return () => {
      resize.disconnect();
      chart.destroy();
      plot.current = null;
    };
    // `series` is in `shape` as far as the chart's form depends on it.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shape, unit, xUnit, xLabel, height, sync, yMin, yMax, logarithmic, settles, compressed, highlight, colors]);

  const [renew] = useState(() => (): void => plot.current?.setData(held.current));
  useEffect(() => frames.ask(renew), [data, renew]);
  useEffect(() => () => frames.drop(renew), [renew]);

  const place = at !== null && at < x.length ? at : x.length - 1;
  return (
    <figure className="chart">
      <div className="chart-tools">
        <SaveButton
          title={title}
          onSave={() => {
            const canvas = host.current?.querySelector("canvas");
            if (canvas) savePng(title, [canvas], series);
          }}
        />
      </div>
      <div ref={host} className="chart-canvas" style={{ height: height * scale() }} role="img" aria-label={title} />
      {legend ? (
        <figcaption className="legend">
          <span className="legend-x">{x.length ? format(x[place], xUnit) : ""}</span>
          {series.map((each) => (
            <span key={each.label} className="legend-item">
              <svg width="14" height="8" viewBox="0 0 14 8" aria-hidden="true">
                <line x1="0" y1="4" x2="14" y2="4" strokeWidth="2" strokeDasharray={each.dash?.join(" ")} style={{ stroke: `var(${each.variable})` }} />
              </svg>
              <span className="legend-label">{each.label}</span>
              <span className="legend-value">{x.length ? format(each.values[place], unit) : UNKNOWN}</span>
            </span>
          ))}
        </figcaption>
      ) : null}
    </figure>
  );
}
