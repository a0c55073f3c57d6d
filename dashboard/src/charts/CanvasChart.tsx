/** A canvas that knows its size, the screen's density and the theme; what is drawn comes from the caller. */
import { useLayoutEffect, useRef, type CanvasHTMLAttributes, type PointerEvent, type ReactNode } from "react";
import { frames } from "../lib/frames";
import { scale, useColors } from "../lib/theme";
import { savePng, type Key } from "./png";
import { SaveButton } from "./SaveButton";

/** Draws in units that are pixels on usual screens, and larger on large ones. */
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
    const [width, high, ratio, times] = [element.clientWidth, element.clientHeight, devicePixelRatio || 1, scale()];
    if (!width || !high) return;
    if (element.width !== Math.round(width * ratio) || element.height !== Math.round(high * ratio)) {
      element.width = Math.round(width * ratio);
      element.height = Math.round(high * ratio);
    }
    context.setTransform(ratio * times, 0, 0, ratio * times, 0, 0);
    context.clearRect(0, 0, width / times, high / times);
    painter.current(context, width / times, high / times);
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
      <canvas ref={canvas} role="img" aria-label={`${title}. ${summary}`} className="chart-own" {...rest} style={{ height: height * scale(), ...rest.style }} />
    </figure>
  );
}

/** Where the pointer is in a canvas, and how large that is, in the units of `Draw`. */
export function pointIn(event: PointerEvent<HTMLCanvasElement>): { readonly x: number; readonly y: number; readonly width: number; readonly height: number } {
  const [box, times] = [event.currentTarget.getBoundingClientRect(), scale()];
  return { x: (event.clientX - box.left) / times, y: (event.clientY - box.top) / times, width: box.width / times, height: box.height / times };
}

/** Text of the page's own font on a canvas. */
export function canvasFont(size = 11, weight = 400): string {
  return `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;
}
