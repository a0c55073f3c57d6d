import { useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { call, useRead } from "../api/client";
import { reason } from "../api/http";
import { Button, Segmented, Select } from "../components/controls";
import { attempt, notify } from "../components/notices";
import { Panel } from "../components/Panel";
import { ErrorBlock, StateBlock } from "../components/StateBlock";
import { clock, format, whole } from "../lib/format";
import { setParams, useParam } from "../lib/router";
import { isActive, useLive, usePolicies } from "../store/live";
import { Camera } from "./cluster/camera";
import { Gantt } from "./cluster/Gantt";
import { followingTask, reachOf } from "./cluster/replay";
import { useLiveFilm, useStoredFilm, type Filmed } from "./cluster/sources";
import { TaskPanel } from "./cluster/TaskPanel";
import "../styles/cluster.css";

const NONE = "";
const NO_DEVICES: readonly { name: string; kind: string }[] = [];
const RATES = ["1", "10", "60", "600"] as const;
/** Between two answers of the service, time goes on at the pace that the last two had, so that the picture glides. */
const GLIDE_MS = 420;
/** How long before its end the next part of a replay is asked for, in seconds of the wall clock. */
const AHEAD_S = 2;
/** Tasks before those that are sought, so that what still ran is there too. */
const SEEK_MARGIN = 300;

/** Moves from where it is to the newest moment, instead of jumping. */
class Glide {
  private from = 0;
  private to = 0;
  private began = 0;

  target(time_s: number): void {
    const now = performance.now();
    const at = this.at(now);
    // A large step back is another run.
    this.from = time_s < at ? time_s : at === 0 ? time_s : at;
    this.to = time_s;
    this.began = now;
  }

  at(now_ms: number): number {
    const share = Math.min((now_ms - this.began) / GLIDE_MS, 1);
    return this.from + (this.to - this.from) * share;
  }

  settled(now_ms: number): boolean {
    return now_ms - this.began > GLIDE_MS;
  }
}

function Queue({ filmed, onSelect }: { readonly filmed: Filmed; readonly onSelect: (task: number) => void }): ReactNode {
  const { film } = filmed;
  if (film.waitingLength === null) return null;
  const shown = film.waiting.slice(0, 24);
  return (
    <div className="waiting">
      <span className="muted">
        {film.waitingLength === 0 ? "Nobody waits." : `${whole(film.waitingLength)} waiting, in the order of the queue:`}
      </span>
      {shown.map((each) => (
        <button key={each.task} type="button" className="waiting-task mono" title={`waits for ${format(film.time_s - each.arrival_s, "s")}`} onClick={() => onSelect(each.task)}>
          {each.task}
        </button>
      ))}
      {film.waitingLength > shown.length ? <span className="muted">and {whole(film.waitingLength - shown.length)} more</span> : null}
    </div>
  );
}

export default function Cluster(): ReactNode {
  const present = useLive((found) => found.run?.run_id ?? null);
  const state = useLive((found) => found.run?.state);
  const stale = useLive((found) => found.stale);
  const link = useLive((found) => found.link);
  const connected = useLive((found) => found.cursor !== null);
  const active = isActive(state);
  const lanes = usePolicies();
  const runs = useRead("/api/v1/runs", { query: { limit: 100 } });

  const [runText, setRun] = useParam("run", "live");
  const replay = runText === "live" ? null : Number(runText);
  const stored = useRead("/api/v1/runs/{run_id}", replay === null ? null : { path: { run_id: replay } });
  const statistics = useRead("/api/v1/runs/{run_id}/statistics", replay === null ? null : { path: { run_id: replay } });
  const policies = replay === null ? lanes : (stored.data?.policies ?? []);
  const run = replay ?? present;

  const [firstText, setFirst] = useParam("a", "");
  const [second, setSecond] = useParam("b", NONE);
  const first = firstText || policies.find((policy) => policy === "hybrid_ml") || policies[0] || null;
  const [taskText] = useParam("task", "");
  const task = taskText === "" ? null : Number(taskText);
  const [whose, setWhose] = useState<"a" | "b">("a");
  const [heldText, setHeld] = useParam("hold", "");
  const held = heldText !== "";
  const [fromText] = useParam("from", "0");
  const [atText] = useParam("t", "");
  const [spanText] = useParam("span", "120");

  const [camera] = useState(() => {
    const made = new Camera();
    made.span_s = Math.max(Number(spanText) || 120, 1);
    if (atText !== "") {
      made.follows = false;
      made.end_s = Number(atText) || 0;
    }
    return made;
  });
  const glide = useRef(new Glide());
  const [follows, setFollows] = useState(camera.follows);
  const [playing, setPlaying] = useState(false);
  const [rate, setRate] = useParam("rate", "10");
  const newest = useRef(0);

  const onTime = useCallback(
    (time_s: number) => {
      newest.current = time_s;
      glide.current.target(time_s);
      camera.touch();
    },
    [camera],
  );
  const live = replay === null;
  const bShown = second !== NONE && second !== first && policies.includes(second);
  const liveA = useLiveFilm(live ? first : null, present, held, active && state === "running", onTime);
  const liveB = useLiveFilm(live && bShown ? second : null, present, held, active && state === "running", onTime);
  const wanted = useMemo(() => (replay === null ? null : { run: replay, from: Number(fromText) || 0 }), [replay, fromText]);
  const devices = liveA.film.devices.length ? liveA.film.devices : NO_DEVICES;
  const storedA = useStoredFilm(live ? null : first, wanted, devices);
  const storedB = useStoredFilm(!live && bShown ? second : null, wanted, devices);
  const filmA: Filmed = live ? liveA : storedA;
  const filmB: Filmed = live ? liveB : storedB;

  const now = useCallback((): number => (live ? glide.current.at(performance.now()) : Number.POSITIVE_INFINITY), [live]);
  const nowShown = useCallback((): number => {
    const at = now();
    return Number.isFinite(at) ? at : Math.max(filmA.film.time_s, camera.end_s);
  }, [now, filmA.film, camera]);

  const played = bShown ? [storedA, storedB] : [storedA];
  const parts = useRef(played);
  parts.current = played;

  // What moves by itself: the newest moment of a run, or a replay.
  useEffect(() => {
    let frame = 0;
    let before = performance.now();
    const move = (at: number): void => {
      frame = requestAnimationFrame(move);
      const passed = Math.min(at - before, 100) / 1000;
      before = at;
      if (live && camera.follows && !held) {
        const end = glide.current.at(at) + camera.span_s * 0.04;
        if (Math.abs(end - camera.end_s) > camera.span_s / 5_000) camera.moveTo(end);
      } else if (!live && playing) {
        const reach = reachOf(parts.current);
        const end = camera.end_s + passed * Number(rate);
        if (Math.min(end, reach.until_s) > camera.end_s) camera.moveTo(Math.min(end, reach.until_s));
        if (reach.isEnd && end >= reach.until_s) setPlaying(false);
        const next = followingTask(parts.current, end + AHEAD_S * Number(rate));
        if (next !== null) setParams({ from: String(next) });
      }
    };
    frame = requestAnimationFrame(move);
    return () => cancelAnimationFrame(frame);
  }, [camera, live, held, playing, rate]);

  // A replay begins at its first task.
  const sought = useRef<{ readonly time_s: number; tries: number } | null>(null);
  useEffect(() => {
    if (live || !storedA.loaded || storedA.pending || !storedA.film.bars.length) return;
    const { film } = storedA;
    const begin = film.bars[0]?.start_s ?? 0;
    if (sought.current) {
      // Tasks do not come evenly: look again until those of the moment that was sought are here.
      const { time_s } = sought.current;
      const early = storedA.first > 0 && film.since_s > time_s;
      const late = storedA.next !== null && film.time_s < time_s;
      if ((early || late) && sought.current.tries-- > 0) {
        const per_s = film.bars.length / Math.max(film.time_s - film.since_s, 1);
        setParams({ from: String(Math.max(0, Math.floor(storedA.first + (time_s - film.since_s) * per_s - SEEK_MARGIN))) });
      } else sought.current = null;
    } else if (camera.follows || camera.end_s < begin || camera.begin_s > Math.max(film.time_s, reachOf(parts.current).until_s) + camera.span_s) {
      camera.follows = false;
      setFollows(false);
      camera.moveTo(begin + camera.span_s * 0.9);
    }
  }, [live, camera, storedA]);

  // The slider and the clock beside it follow the picture, four times a second.
  const [shownAt_s, setShownAt] = useState(camera.end_s);
  useEffect(() => {
    if (live) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const unsubscribe = camera.subscribe(() => {
      timer ??= setTimeout(() => {
        timer = undefined;
        setShownAt(camera.end_s);
      }, 250);
    });
    return () => {
      unsubscribe();
      clearTimeout(timer);
    };
  }, [live, camera]);

  const settled = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const onMoved = useCallback(() => {
    setFollows(camera.follows);
    clearTimeout(settled.current);
    settled.current = setTimeout(() => {
      setParams({ t: camera.follows ? null : camera.end_s.toFixed(2), span: camera.span_s === 120 ? null : camera.span_s.toPrecision(4) });
    }, 300);
  }, [camera]);
  useEffect(() => () => clearTimeout(settled.current), []);

  const select = useCallback((next: number | null, of: "a" | "b") => {
    setWhose(of);
    setParams({ task: next === null ? null : String(next) });
  }, []);
  const selectA = useCallback((next: number | null) => select(next, "a"), [select]);
  const selectB = useCallback((next: number | null) => select(next, "b"), [select]);

  const [seeking, setSeeking] = useState(false);
  const search = useRef<AbortController | null>(null);
  // A reader who has gone on to something else must not be moved by what is found then.
  useEffect(() => () => search.current?.abort(), [run, first, second]);
  const diverge = async (): Promise<void> => {
    if (run === null || first === null || !bShown) return;
    const { signal } = (search.current = new AbortController());
    const look = async (): Promise<void> => {
      let from = task === null ? 0 : task + 1;
      let newest: number | null = null;
      for (let tries = 0; tries < 20; tries++) {
        const found = await call("get", "/api/v1/runs/{run_id}/divergence", { path: { run_id: run }, query: { first, second, from_task: from }, signal });
        if (found.task_id !== null) {
          const detail = await call("get", "/api/v1/runs/{run_id}/tasks/{task_id}", { path: { run_id: run, task_id: found.task_id }, signal });
          const start = Number(detail.results.find((row) => row["scheduler"] === first)?.["start_s"] ?? detail.task?.["arrival_s"] ?? 0);
          const here = filmA.film.find(found.task_id) !== null;
          camera.centre(start);
          setFollows(false);
          // What the page has not kept is shown from the stored rows.
          setParams({ task: String(found.task_id), t: camera.end_s.toFixed(2), ...(here ? {} : { run: String(run), from: String(Math.max(found.task_id - 300, 0)) }) });
          return;
        }
        newest ??= Math.max(0, ...(await call("get", "/api/v1/runs/{run_id}/statistics", { path: { run_id: run }, signal })).map((entry) => entry.results));
        if (found.looked_until >= newest) break;
        from = found.looked_until;
      }
      notify(`${first} and ${second} put every stored task ${task === null ? "" : "behind this one "}in the same place.`);
    };
    setSeeking(true);
    await attempt(() => look().catch((error: unknown) => (signal.aborted ? undefined : Promise.reject(error))));
    setSeeking(false);
  };

  const compared = statistics.data?.filter((entry) => entry.scheduler === first || (bShown && entry.scheduler === second)) ?? [];
  const last_s = Math.max(0, ...compared.map((entry) => entry.last_finish_s));
  const total = Math.max(0, ...(statistics.data?.map((entry) => entry.results) ?? []));
  const [scrub, setScrub] = useState<number | null>(null);
  const seek = (time_s: number): void => {
    setScrub(null);
    camera.follows = false;
    camera.moveTo(Math.max(time_s, camera.span_s * 0.9));
    const isHere = played.every(({ film, first, next }) => (first === 0 || film.since_s <= camera.begin_s) && (next === null || film.time_s >= camera.end_s));
    const guess = last_s > 0 ? Math.floor((time_s / last_s) * total) : 0;
    if (!isHere) sought.current = { time_s: Math.max(camera.begin_s, 0), tries: 8 };
    setParams({ ...(isHere ? {} : { from: String(Math.max(guess - SEEK_MARGIN, 0)) }), t: camera.end_s.toFixed(2) });
  };
  const pause = (): void => {
    const keep = storedA.film.bars.find((bar) => bar.start_s >= camera.begin_s);
    setParams({ from: String(Math.max(keep ? keep.task - SEEK_MARGIN : 0, ...played.map((each) => each.first))) });
    onMoved();
    setPlaying(false);
  };
  /** Begin or go on; from the end it begins anew. */
  const play = (): void => {
    const reach = reachOf(played);
    if (reach.isEnd && camera.end_s >= reach.until_s - 1e-6) seek(0);
    setPlaying(true);
  };
  // What did not come is said, even if there is something else to show; a replay that waits for it stops, so that it can be tried again.
  const failed = played.find(({ error, film }) => error !== null && film.bars.length)?.error ?? null;
  useEffect(() => {
    if (live || failed === null) return;
    notify(reason(failed), "bad");
    if (playing) pause();
  }, [live, failed]);

  const runOptions = [
    { value: "live", label: present === null ? "present run" : `present run (${present})` },
    ...(runs.data?.runs.map((entry) => ({ value: String(entry.id), label: `${entry.id} · ${entry.workload} · ${entry.state}` })) ?? []),
  ];
  const policyOptions = policies.map((value) => ({ value, label: value }));

  return (
    <>
      <div className="view-head">
        <h1>Cluster</h1>
        <Select label="Run" hideLabel value={runText} options={runOptions} onChange={(value) => { setRun(value); setParams({ task: null, from: null, t: null }); camera.follows = value === "live"; setFollows(camera.follows); setPlaying(false); }} />
        <Select label="Policy" hideLabel value={first ?? ""} options={policyOptions} onChange={setFirst} />
        <Select label="Second policy" hideLabel value={bShown ? second : NONE} options={[{ value: NONE, label: "no second one" }, ...policyOptions.filter(({ value }) => value !== first)]} onChange={setSecond} />
        <Button disabled={!bShown} busy={seeking} onClick={() => void diverge()} title="The next task that the two put in different places">
          {task === null ? "First divergence" : "Next divergence"}
        </Button>
        <span className="view-space" />
        <div className="row" role="group" aria-label="Time">
          {live ? (
            <>
              <Button kind={held ? "primary" : "plain"} aria-pressed={held} onClick={() => setHeld(held ? "" : "1")}>
                {held ? "Held: go on" : "Hold"}
              </Button>
              <Button disabled={follows} onClick={() => { camera.follows = true; setFollows(true); setHeld(""); onMoved(); camera.touch(); }}>
                Follow
              </Button>
            </>
          ) : (
            <>
              <Button kind={playing ? "plain" : "primary"} onClick={playing ? pause : play}>
                {playing ? "Pause replay" : "Replay"}
              </Button>
              <Segmented label="Speed of the replay" value={rate} onChange={setRate} options={RATES.map((value) => ({ value, label: `${value}×` }))} />
            </>
          )}
          <Button aria-label="Earlier" title="Earlier" onClick={() => { camera.pan(-0.5); onMoved(); }}>
            ←
          </Button>
          <Button aria-label="Later" title="Later" onClick={() => { camera.pan(0.5); onMoved(); }}>
            →
          </Button>
          <Button aria-label="Closer" title="Closer (Ctrl + wheel)" onClick={() => { camera.zoom(0.6, 0.5); onMoved(); }}>
            +
          </Button>
          <Button aria-label="Farther" title="Farther (Ctrl + wheel)" onClick={() => { camera.zoom(1 / 0.6, 0.5); onMoved(); }}>
            −
          </Button>
        </div>
      </div>
      {!live && last_s > 0 ? (
        <div className="scrub">
          <label className="visually-hidden" htmlFor="scrub">
            Moment of the run
          </label>
          <input id="scrub" type="range" min={0} max={last_s} step={last_s / 2000} value={scrub ?? Math.min(Math.max(shownAt_s, 0), last_s)} aria-valuetext={clock(scrub ?? shownAt_s)} onChange={(event) => setScrub(Number(event.target.value))} onPointerUp={() => scrub !== null && seek(scrub)} onKeyUp={() => scrub !== null && seek(scrub)} />
          <span className="muted">
            {clock(scrub ?? Math.min(shownAt_s, last_s))} of {clock(last_s)}
          </span>
        </div>
      ) : null}
      {first === null || run === null ? (
        stored.error ? <ErrorBlock error={stored.error} retry={stored.reload} /> : live && !connected ? <StateBlock kind="loading" title={link === "lost" ? "Waiting for the service" : "Connecting"} /> : active && live ? <StateBlock kind="loading" title="Lanes are being made ready" /> : !live && !stored.data ? <StateBlock kind="loading" title="Loading" /> : <StateBlock kind="empty" title="There is no run to show">Start one in the view Live, or choose an earlier one above.</StateBlock>
      ) : (
        <div className={task === null ? "cluster" : "cluster cluster-task"}>
          <div className="stack">
            {([["a", first, filmA, selectA], ...(bShown ? ([["b", second, filmB, selectB]] as const) : [])] as const).map(([of, policy, filmed, onSelect]) => (
              <Panel key={of} title={policy} stale={live && stale} actions={<span className="gantt-key"><span className="key-cpu">cores</span><span className="key-gpu">GPU</span><span className="key-both">split</span></span>} help="Every task on the devices it ran on; the parts of a split task are joined by a line. Drag to move, Ctrl + wheel to zoom, click a task to see why it is there.">
                {filmed.error !== null && !filmed.film.bars.length ? (
                  <ErrorBlock error={filmed.error} {...(filmed.reload ? { retry: filmed.reload } : {})} />
                ) : !filmed.loaded ? (
                  <StateBlock kind="loading" title="Loading" />
                ) : !live && !filmed.film.bars.length ? (
                  <StateBlock kind="empty" title="Nothing is stored here">
                    {policy} has finished no task of run {run}{fromText === "0" ? "" : ` from task ${fromText} on`}.
                  </StateBlock>
                ) : (
                  <>
                    <Gantt title={`Devices under ${policy}`} filmed={filmed} camera={camera} now={nowShown} selected={task} onSelect={onSelect} onMoved={onMoved} />
                    <Queue filmed={filmed} onSelect={onSelect} />
                  </>
                )}
              </Panel>
            ))}
          </div>
          {task === null ? null : <TaskPanel run={run} task={task} policy={whose === "b" && bShown ? second : first} onClose={() => setParams({ task: null })} />}
        </div>
      )}
    </>
  );
}
