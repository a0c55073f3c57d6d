/** A chart as a picture: its title, its canvases, and who is who, on the page's own background. */
import { color } from "../lib/theme";

export interface Key {
  readonly label: string;
  /** Custom property of its colour. */
  readonly variable: string;
}

const PAD = 16;
const HEAD = 32;
const LINE = 20;

/** A canvas of its own, sized in the page's pixels. */
export function sheet(width: number, height: number): [HTMLCanvasElement, CanvasRenderingContext2D] {
  const ratio = devicePixelRatio || 1;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * ratio, height * ratio];
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser gives no canvas to draw on");
  context.scale(ratio, ratio);
  return [canvas, context];
}

export function compose(title: string, canvases: readonly HTMLCanvasElement[], keys: readonly Key[]): HTMLCanvasElement {
  const ratio = devicePixelRatio || 1;
  const whole = document.createElement("canvas");
  const context = whole.getContext("2d");
  if (!context) throw new Error("this browser gives no canvas to draw on");
  const font = getComputedStyle(document.body).fontFamily;
  context.font = `600 13px ${font}`;
  const width = Math.max(320, context.measureText(title).width, ...canvases.map((canvas) => canvas.width / ratio));
  context.font = `12px ${font}`;
  const places: [x: number, y: number][] = [];
  let [x, line] = [0, 0];
  for (const key of keys) {
    const wide = context.measureText(key.label).width + 28;
    if (x > 0 && x + wide > width) [x, line] = [0, line + 1];
    places.push([x, line]);
    x += wide;
  }
  const high = canvases.reduce((sum, canvas) => sum + canvas.height / ratio, 0);
  whole.width = (width + 2 * PAD) * ratio;
  whole.height = (high + HEAD + PAD + (keys.length ? (line + 1) * LINE + 8 : 0)) * ratio;
  context.scale(ratio, ratio);
  context.fillStyle = color("--panel");
  context.fillRect(0, 0, whole.width, whole.height);
  context.fillStyle = color("--text");
  context.textBaseline = "middle";
  context.font = `600 13px ${font}`;
  context.fillText(title, PAD, HEAD / 2 + 2);
  let y = HEAD;
  for (const canvas of canvases) {
    context.drawImage(canvas, PAD, y, canvas.width / ratio, canvas.height / ratio);
    y += canvas.height / ratio;
  }
  context.font = `12px ${font}`;
  keys.forEach((key, place) => {
    const [left, row] = places[place] ?? [0, 0];
    const top = y + 8 + row * LINE + LINE / 2;
    context.fillStyle = color(key.variable);
    context.fillRect(PAD + left, top - 5, 10, 10);
    context.fillStyle = color("--text");
    context.fillText(key.label, PAD + left + 15, top);
  });
  return whole;
}

export function download(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Save a chart as NAME.png. */
export function savePng(title: string, canvases: readonly HTMLCanvasElement[], keys: readonly Key[]): void {
  compose(title, canvases, keys).toBlob((blob) => {
    if (blob) download(`${title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "")}.png`, blob);
  }, "image/png");
}
