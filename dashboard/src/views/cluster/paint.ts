/** Draws a film: one row per device, both parts of a split task joined, and the length of the queue below. */
import { canvasFont } from "../../charts/CanvasChart";
import { clock, format, whole } from "../../lib/format";
import { color } from "../../lib/theme";
import { firstAt, type Bar, type Film } from "./film";

export const CORE_ROW = 9;
export const GPU_ROW = 20;
export const GAP = 8;
export const AXIS = 22;
export const QUEUE = 56;

export interface Layout {
  readonly gutter: number;
  readonly height: number;
  /** Top of the rows of each node, and of each GPU by node and number. */
  readonly nodes: ReadonlyMap<number, number>;
  readonly gpus: ReadonlyMap<string, number>;
  readonly labels: readonly { readonly text: string; readonly note: string; readonly y: number; readonly height: number }[];
  readonly queue: number;
}

export function layoutOf(film: Film, width: number): Layout {
  const nodes = new Map<number, number>();
  const gpus = new Map<string, number>();
  const labels: Layout["labels"][number][] = [];
  let [y, node] = [AXIS, -1];
  const index = new Map<string, number>();
  for (const device of film.devices) {
    const slash = device.name.lastIndexOf("/gpu");
    if (slash < 0) {
      node++;
      index.set(device.name, node);
    }
  }
  for (const device of film.devices) {
    const slash = device.name.lastIndexOf("/gpu");
    const owner = index.get(slash < 0 ? device.name : device.name.slice(0, slash)) ?? 0;
    const height = slash < 0 ? (film.rows.get(owner) ?? 4) * CORE_ROW : GPU_ROW;
    if (slash < 0) nodes.set(owner, y);
    else gpus.set(`${owner}/${device.name.slice(slash + 4)}`, y);
    labels.push({ text: slash < 0 ? device.name : device.name.slice(slash + 1), note: slash < 0 ? "cores" : device.kind, y, height });
    y += height + GAP;
  }
  return { gutter: width < 560 ? 72 : 128, height: y + QUEUE + 4, nodes, gpus, labels, queue: y };
}

export interface Scene {
  readonly film: Film;
  readonly layout: Layout;
  readonly begin_s: number;
  readonly end_s: number;
  readonly now_s: number;
  readonly selected: number | null;
  readonly hovered: number | null;
  readonly queue: { readonly time_s: Float64Array; readonly length: Int32Array };
}

const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400];

function variableOf(bar: Bar): string {
  return bar.cpuEnd_s !== null && bar.gpuEnd_s !== null ? "--on-both" : bar.gpuEnd_s !== null ? "--on-gpu" : "--on-cpu";
}

/** The rectangles of a bar: left, right, top, height. */
export function boxes(bar: Bar, scene: Scene, x: (time_s: number) => number): [number, number, number, number][] {
  const found: [number, number, number, number][] = [];
  const end = (value: number): number => (Number.isNaN(value) ? Math.max(scene.now_s, bar.start_s) : value);
  const left = x(bar.start_s);
  const top = scene.layout.nodes.get(bar.node);
  if (bar.cpuEnd_s !== null && top !== undefined) found.push([left, x(end(bar.cpuEnd_s)), top + scene.film.rowOf(bar.task) * CORE_ROW, CORE_ROW - 1]);
  if (bar.gpuEnd_s !== null)
    for (const gpu of bar.gpus) {
      const at = scene.layout.gpus.get(`${bar.node}/${gpu}`);
      if (at !== undefined) found.push([left, x(end(bar.gpuEnd_s)), at, GPU_ROW - 1]);
    }
  return found;
}

export function paint(context: CanvasRenderingContext2D, width: number, scene: Scene): void {
  const { layout, film, begin_s, end_s } = scene;
  const { gutter } = layout;
  const inner = width - gutter;
  const x = (time_s: number): number => gutter + ((time_s - begin_s) / (end_s - begin_s)) * inner;
  context.lineWidth = 1;
  context.font = canvasFont();
  context.textBaseline = "middle";

  // Time.
  const step = STEPS_S.find((each) => ((end_s - begin_s) / each) * 84 <= inner) ?? 86_400;
  context.strokeStyle = color("--grid");
  context.fillStyle = color("--muted");
  context.textAlign = "center";
  context.beginPath();
  for (let time = Math.ceil(Math.max(begin_s, 0) / step) * step; time <= end_s; time += step) {
    const at = Math.round(x(time)) + 0.5;
    context.moveTo(at, AXIS - 4);
    context.lineTo(at, layout.height);
    if (at > gutter + 26 && at < width - 26) context.fillText(step < 1 ? `${clock(time)}.${Math.round((time % 1) * 10)}` : clock(time), at, 8);
  }
  context.stroke();

  // Devices.
  for (const label of layout.labels) {
    context.fillStyle = color("--sunken");
    context.fillRect(gutter, label.y, inner, label.height);
    context.textAlign = "left";
    context.fillStyle = color("--text");
    const middle = label.y + Math.min(label.height, GPU_ROW) / 2;
    context.fillText(label.text, 0, middle, gutter - 8);
    context.fillStyle = color("--muted");
    if (label.height > 2 * GPU_ROW) context.fillText(label.note, 0, middle + 15, gutter - 8);
    else if (gutter > 100) {
      context.textAlign = "right";
      context.fillText(label.note, gutter - 8, middle, 60);
    }
  }

  context.save();
  context.beginPath();
  context.rect(gutter, AXIS - 4, inner, layout.height);
  context.clip();

  // What has been heard of but not been reached yet comes into sight with its moment.
  context.save();
  context.beginPath();
  context.rect(gutter, 0, Math.max(Math.min(x(scene.now_s), width) - gutter, 0), layout.height);
  context.clip();

  // Tasks, colour by colour: a change of colour costs more than a rectangle.
  const visible = film.within(begin_s, end_s);
  for (const variable of ["--on-cpu", "--on-gpu", "--on-both"]) {
    context.fillStyle = color(variable);
    context.strokeStyle = color(variable);
    const joints: [number, number, number][] = [];
    for (const bar of visible) {
      if (variableOf(bar) !== variable) continue;
      const found = boxes(bar, scene, x);
      for (const [left, right, top, height] of found) context.fillRect(left, top, Math.max(right - left - 0.5, 1), height);
      if (found.length > 1 && variable === "--on-both") joints.push([found[0]![0], found[0]![2], found.at(-1)![2] + GPU_ROW - 1]);
    }
    if (joints.length && joints.length < 400) {
      context.globalAlpha = joints.length > 100 ? 0.3 : 0.55;
      context.beginPath();
      for (const [at, from, to] of joints) {
        context.moveTo(Math.round(at) + 0.5, from);
        context.lineTo(Math.round(at) + 0.5, to);
      }
      context.stroke();
      context.globalAlpha = 1;
    }
  }

  // Names, where there is room.
  context.fillStyle = color("--panel");
  context.textAlign = "left";
  context.font = canvasFont(10, 600);
  if (visible.length < 400)
    for (const bar of visible)
      for (const [left, right, top, height] of boxes(bar, scene, x)) {
        const from = Math.max(left, gutter);
        if (height > 12 && Math.min(right, width) - from > 46) context.fillText(`${bar.task}`, from + 4, top + height / 2 + 0.5);
      }

  for (const [task, variable, thick] of [
    [scene.hovered, "--text", 1],
    [scene.selected, "--text", 2],
  ] as const) {
    const bar = task === null ? null : film.find(task);
    if (!bar) continue;
    context.strokeStyle = color(variable);
    context.lineWidth = thick;
    const found = boxes(bar, scene, x);
    for (const [left, right, top, height] of found) context.strokeRect(left - 1, top - 1, Math.max(right - left, 2) + 2, height + 2);
    if (found.length > 1) {
      context.beginPath();
      context.moveTo(found[0]![0] - 1, found[0]![2]);
      context.lineTo(found[0]![0] - 1, found.at(-1)![2]);
      context.stroke();
    }
  }
  context.lineWidth = 1;
  context.restore();

  // The queue.
  const { time_s, length } = scene.queue;
  // From the step that holds when the picture begins to the last one in it.
  const begin = Math.max(firstAt(time_s.length, (place) => time_s[place]! > begin_s) - 1, 0);
  const behind = firstAt(time_s.length, (place) => time_s[place]! > end_s);
  let most = 1;
  for (let place = begin; place < behind; place++) most = Math.max(most, length[place]!);
  const [top, bottom] = [layout.queue + 6, layout.queue + QUEUE];
  const y = (count: number): number => bottom - (count / most) * (bottom - top);
  const known_s = Math.min(scene.now_s, end_s);
  let [first, last]: [number | null, number] = [null, x(begin_s)];
  context.beginPath();
  for (let place = begin; place < behind; place++) {
    const [from, until] = [time_s[place]!, Math.min(time_s[place + 1] ?? known_s, known_s)];
    if (until < begin_s || from > known_s) continue;
    if (first === null) context.moveTo((first = x(from)), bottom);
    context.lineTo(x(from), y(length[place]!));
    context.lineTo((last = x(until)), y(length[place]!));
  }
  context.lineTo(last, bottom);
  context.closePath();
  context.fillStyle = color("--accent-soft");
  context.fill();
  context.strokeStyle = color("--accent");
  context.stroke();

  // Before what is known, and after the present moment.
  context.fillStyle = color("--line");
  context.globalAlpha = 0.6;
  if (film.since_s > begin_s) context.fillRect(gutter, AXIS, Math.min(x(film.since_s) - gutter, inner), layout.height);
  context.globalAlpha = 1;
  if (scene.now_s < end_s) {
    context.strokeStyle = color("--line-strong");
    context.beginPath();
    context.moveTo(Math.round(x(scene.now_s)) + 0.5, AXIS - 4);
    context.lineTo(Math.round(x(scene.now_s)) + 0.5, layout.height);
    context.stroke();
  }
  context.restore();

  context.font = canvasFont();
  context.textAlign = "left";
  context.fillStyle = color("--text");
  context.fillText("queue", 0, top + 8);
  context.fillStyle = color("--muted");
  context.fillText(`up to ${whole(most)}`, 0, top + 23);
}

/** The bar at a point of the canvas. */
export function barAt(scene: Scene, width: number, px: number, py: number): Bar | null {
  const inner = width - scene.layout.gutter;
  if (px < scene.layout.gutter) return null;
  const x = (time_s: number): number => scene.layout.gutter + ((time_s - scene.begin_s) / (scene.end_s - scene.begin_s)) * inner;
  let found: Bar | null = null;
  for (const bar of scene.film.all()) {
    if (bar.start_s > scene.end_s) continue;
    for (const [left, right, top, height] of boxes(bar, scene, x)) if (px >= left - 2 && px <= Math.max(right, left + 2) + 2 && py >= top - 1 && py <= top + height + 1) found = bar;
  }
  return found;
}

/** A bar in words. */
export function describeBar(bar: Bar): string {
  const where = bar.cpuEnd_s !== null && bar.gpuEnd_s !== null ? `split, ${format(bar.fraction, "share")} on GPU ${bar.gpus.join(", ")}` : bar.gpuEnd_s !== null ? `on GPU ${bar.gpus.join(", ")}` : "on cores";
  return `Task ${bar.task}: ${where}, started ${clock(bar.start_s)}, waited ${format(bar.start_s - bar.arrival_s, "s")}${bar.size === null ? "" : `, size ${format(bar.size, "s")}`}`;
}
