/** A canvas that knows its size, the screen's density and the theme; what is drawn comes from the caller. */
import { useLayoutEffect, useRef, type CanvasHTMLAttributes, type ReactNode } from "react";
import { frames } from "../lib/frames";
import { color, useColors } from "../lib/theme";
import { savePng, type Key } from "./png";
import { SaveButton } from "./SaveButton";

export type Draw = (context: CanvasRenderingContext2D, width: number, height: number) => void;

interface Props extends Omit<CanvasHTMLAttributes<HTMLCanvasElement>, "title"> {
  readonly title: string;
  /** What the chart says, in a sentence, for those who cannot see it. */
  readonly summary: string;
  readonly height: number;
  readonly draw: Draw;
  readonly keys?: readonly Key[];
}

export function CanvasChart({ title, summary, height, draw, keys = [], ...rest }: Props): ReactNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  const colors = useColors();
  const painter = useRef(draw);
  painter.current = draw;

  const paint = useRef((): void => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context) return;
    const [width, high, ratio] = [element.clientWidth, element.clientHeight, devicePixelRatio || 1];
    if (!width || !high) return;
    if (element.width !== Math.round(width * ratio) || element.height !== Math.round(high * ratio)) {
      element.width = Math.round(width * ratio);
      element.height = Math.round(high * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, high);
    painter.current(context, width, high);
  });

  useLayoutEffect(() => frames.ask(paint.current), [draw, colors, height]);
  useLayoutEffect(() => {
    const draws = paint.current;
    const resize = new ResizeObserver(() => frames.ask(draws));
    if (canvas.current) resize.observe(canvas.current);
    return () => {
      resize.disconnect();
      frames.drop(draws);
    };
  }, []);

  return (
    <figure className="chart">
      <div className="chart-tools">
        <SaveButton
          title={title}
          onSave={() => {
            paint.current();
            if (canvas.current) savePng(title, [canvas.current], keys);
          }}
        />
      </div>
      <canvas ref={canvas} role="img" aria-label={`${title}. ${summary}`} className="chart-own" {...rest} style={{ height, ...rest.style }} />
    </figure>
  );
}

/** Text of the page's own font on a canvas. */
export function canvasFont(size = Number.parseFloat(color("--text-xs")) || 11, weight = 400): string {
  return `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;
}
