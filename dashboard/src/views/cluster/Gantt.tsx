import { useCallback, useEffect, useLayoutEffect, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";
import { savePng } from "../../charts/png";
import { SaveButton } from "../../charts/SaveButton";
import { frames } from "../../lib/frames";
import { scale, useColors } from "../../lib/theme";
import type { Camera } from "./camera";
import { queueSteps } from "./film";
import { barAt, describeBar, layoutOf, paint, type Scene } from "./paint";
import type { Filmed } from "./sources";

interface Props {
  readonly title: string;
  readonly filmed: Filmed;
  readonly camera: Camera;
  /** The newest moment, as far as it has been drawn. */
  readonly now: () => number;
  readonly selected: number | null;
  readonly onSelect: (task: number | null) => void;
  readonly onMoved: () => void;
}

const DRAG = 4;

export function Gantt({ title, filmed, camera, now, selected, onSelect, onMoved }: Props): ReactNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  const scene = useRef<Scene | null>(null);
  const [height, setHeight] = useState(260);
  const [said, setSaid] = useState("");
  const colors = useColors();
  const hovered = useRef<number | null>(null);
  const grip = useRef<{ x: number; end_s: number; moved: boolean; id: number } | null>(null);
  const { film, version } = filmed;
  const queue = useRef(queueSteps(film));
  useLayoutEffect(() => {
    queue.current = queueSteps(film);
  }, [film, version]);

  const draw = useCallback((): void => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context) return;
    const times = scale();
    const [width, ratio] = [element.clientWidth / times, (devicePixelRatio || 1) * times];
    if (!width) return;
    const layout = layoutOf(film, width);
    if (layout.height * times !== height) setHeight(layout.height * times);
    if (element.width !== Math.round(width * ratio) || element.height !== Math.round(layout.height * ratio)) {
      element.width = Math.round(width * ratio);
      element.height = Math.round(layout.height * ratio);
    }
    element.dataset["bars"] = String(film.bars.length);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, layout.height);
    scene.current = { film, layout, begin_s: camera.begin_s, end_s: camera.end_s, now_s: now(), selected, hovered: hovered.current, queue: queue.current };
    paint(context, width, scene.current);
  }, [film, camera, now, selected, height]);

  const drawing = useRef(draw);
  drawing.current = draw;
  const [paints] = useState(() => (): void => drawing.current());
  useEffect(() => camera.subscribe(() => frames.ask(paints)), [camera, paints]);
  useLayoutEffect(() => frames.ask(paints), [paints, draw, version, colors]);
  useEffect(() => () => frames.drop(paints), [paints]);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const resize = new ResizeObserver(() => frames.ask(paints));
    resize.observe(element);
    // Not passive: the page must not scroll while the chart zooms. Without Ctrl or Shift it scrolls as usual.
    const wheel = (event: WheelEvent): void => {
      if (!event.ctrlKey && !event.shiftKey && !event.metaKey && Math.abs(event.deltaX) < Math.abs(event.deltaY)) return;
      event.preventDefault();
      const box = element.getBoundingClientRect();
      const gutter = (scene.current?.layout.gutter ?? 0) * scale();
      const around = Math.min(Math.max((event.clientX - box.left - gutter) / (box.width - gutter), 0), 1);
      if (event.ctrlKey || event.metaKey) camera.zoom(Math.exp(event.deltaY / 300), around);
      else camera.pan((event.deltaX || event.deltaY) / 800);
      onMoved();
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => {
      resize.disconnect();
      element.removeEventListener("wheel", wheel);
    };
  }, [paints, camera, onMoved]);

  const find = (event: PointerEvent): number | null => {
    const box = canvas.current?.getBoundingClientRect();
    if (!box || !scene.current) return null;
    const times = scale();
    return barAt(scene.current, box.width / times, (event.clientX - box.left) / times, (event.clientY - box.top) / times)?.task ?? null;
  };
  const down = (event: PointerEvent<HTMLCanvasElement>): void => {
    event.currentTarget.setPointerCapture(event.pointerId);
    grip.current = { x: event.clientX, end_s: camera.end_s, moved: false, id: event.pointerId };
  };
  const move = (event: PointerEvent<HTMLCanvasElement>): void => {
    const held = grip.current;
    const box = event.currentTarget.getBoundingClientRect();
    if (held?.id === event.pointerId) {
      const by = event.clientX - held.x;
      if (!held.moved && Math.abs(by) < DRAG) return;
      held.moved = true;
      camera.follows = false;
      camera.moveTo(held.end_s - (by / (box.width - (scene.current?.layout.gutter ?? 0) * scale())) * camera.span_s);
      return;
    }
    const task = find(event);
    if (task === hovered.current) return;
    hovered.current = task;
    const bar = task === null ? null : film.find(task);
    setSaid(bar ? describeBar(bar) : "");
    camera.touch();
  };
  const up = (event: PointerEvent<HTMLCanvasElement>): void => {
    const held = grip.current;
    grip.current = null;
    if (!held) return;
    if (held.moved) onMoved();
    else {
      const task = find(event);
      if (task !== null) onSelect(task);
    }
  };

  const step = (direction: 1 | -1): void => {
    const bars = film.all();
    if (!bars.length) return;
    let place = bars.findIndex((bar) => bar.task === selected);
    if (place < 0) place = bars.findIndex((bar) => bar.start_s >= camera.begin_s) - direction;
    const bar = bars[Math.min(Math.max(place + direction, 0), bars.length - 1)];
    if (!bar) return;
    onSelect(bar.task);
    setSaid(describeBar(bar));
    if (bar.start_s < camera.begin_s || bar.start_s > camera.end_s) {
      camera.centre(bar.start_s);
      onMoved();
    }
  };
  const key = (event: KeyboardEvent): void => {
    const actions: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => camera.pan(-0.15),
      ArrowRight: () => camera.pan(0.15),
      ArrowUp: () => camera.zoom(0.7, 0.5),
      ArrowDown: () => camera.zoom(1 / 0.7, 0.5),
      "+": () => camera.zoom(0.7, 0.5),
      "-": () => camera.zoom(1 / 0.7, 0.5),
      n: () => step(1),
      p: () => step(-1),
      Escape: () => onSelect(null),
      End: () => {
        camera.follows = true;
        camera.touch();
      },
    };
    const action = actions[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
    onMoved();
  };

  return (
    <figure className="chart">
      <div className="chart-tools">
        <SaveButton
          title={title}
          onSave={() =>
            canvas.current &&
            savePng(title, [canvas.current], [
              { label: "cores", variable: "--on-cpu" },
              { label: "GPU", variable: "--on-gpu" },
              { label: "both parts of a split task", variable: "--on-both" },
            ])
          }
        />
      </div>
      <canvas
        ref={canvas}
        className="gantt"
        style={{ height }}
        tabIndex={0}
        role="application"
        aria-roledescription="timeline"
        aria-label={`${title}. Arrow keys move and zoom, N and P go to the next and previous task, End follows the run.`}
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={() => (grip.current = null)}
        onPointerLeave={() => {
          if (hovered.current === null) return;
          hovered.current = null;
          setSaid("");
          camera.touch();
        }}
        onKeyDown={key}
      />
      <p className="gantt-said" aria-live="polite">
        {said || "\u00a0"}
      </p>
    </figure>
  );
}
