import { useState, type ReactNode } from "react";
import { call, useRead } from "../../api/client";
import { mayControl, useSession } from "../../api/session";
import { Button } from "../../components/controls";
import { attempt } from "../../components/notices";
import { tickText, whole } from "../../lib/format";
import { isActive, useLive, usePolicies } from "../../store/live";
import { kindOf } from "./kinds";
import { oneAtATime } from "./latest";
import { SpeedSlider } from "./SpeedSlider";
import { StartDialog } from "./StartDialog";

function AddPolicy({ disabled }: { readonly disabled: boolean }): ReactNode {
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);
  const here = usePolicies();
  const found = useRead("/api/v1/policies");
  const workload = useLive((state) => state.run?.request?.workload ?? null);
  const workloads = useRead("/api/v1/workloads");
  const uploads = useRead("/api/v1/workloads/uploads", workload?.startsWith("upload:") ? {} : null);
  const kind = workload === null ? null : kindOf(workload, workloads.data?.workloads ?? [], uploads.data?.uploads ?? []);
  const names = found.data?.policies.filter((entry) => (kind === null || entry.runs.includes(kind)) && !here.includes(entry.name)).map((entry) => entry.name) ?? [];
  const add = async (): Promise<void> => {
    setBusy(true);
    if (await attempt(() => call("post", "/api/v1/run/policies", { body: { policy: name.trim() } }), `${name.trim()} has a lane now.`)) setName("");
    setBusy(false);
  };
  return (
    <form
      className="row"
      onSubmit={(event) => {
        event.preventDefault();
        void add();
      }}
    >
      <label className="visually-hidden" htmlFor="add-policy">
        Policy to add to the run
      </label>
      <input id="add-policy" className="input" list="policies-to-add" value={name} placeholder="add a policy" size={14} disabled={disabled} onChange={(event) => setName(event.target.value)} />
      <datalist id="policies-to-add">
        {names.map((each) => (
          <option key={each} value={each} />
        ))}
      </datalist>
      <Button type="submit" busy={busy} disabled={disabled || !name.trim()}>
        Add
      </Button>
    </form>
  );
}

export function RunBar(): ReactNode {
  const state = useLive((found) => found.run?.state);
  const request = useLive((found) => found.run?.request ?? null);
  const speed = useLive((found) => found.run?.speed ?? null);
  const runId = useLive((found) => found.run?.run_id ?? null);
  const [dialog, setDialog] = useState(false);
  const [busy, setBusy] = useState(false);
  const active = isActive(state);
  const may = mayControl(useSession());
  const act = async (path: "/api/stop" | "/api/pause" | "/api/resume"): Promise<void> => {
    setBusy(true);
    await attempt(() => call("post", path));
    setBusy(false);
  };
  const [setSpeed] = useState(() => oneAtATime((next: number | null) => attempt(() => call("post", "/api/speed", { body: { speed: next ?? "max" } }))));
  return (
    <div className="view-head">
      <h1>Live</h1>
      <div className="row">
        <Button kind={active ? "plain" : "primary"} disabled={!may} onClick={() => setDialog(true)}>
          {active ? "New run…" : "Start a run…"}
        </Button>
        {state === "paused" ? (
          <Button busy={busy} disabled={!may} onClick={() => void act("/api/resume")}>
            Resume
          </Button>
        ) : (
          <Button busy={busy} disabled={!may || state !== "running"} onClick={() => void act("/api/pause")}>
            Pause
          </Button>
        )}
        <Button kind="danger" busy={busy} disabled={!may || !active} onClick={() => void act("/api/stop")}>
          Stop
        </Button>
      </div>
      <SpeedSlider speed={speed} disabled={!may || !active} onSpeed={setSpeed} />
      <AddPolicy disabled={!may || !active} />
      {may ? null : <span className="chip">read only</span>}
      <span className="view-space" />
      {request ? (
        <span className="run-facts muted">
          <span>
            <b>{request.workload}</b> on {request.cluster ?? "its usual cluster"}
          </span>
          <span>load {tickText(request.load, "plain")}</span>
          <span>seed {request.seed === null ? "–" : whole(request.seed)}</span>
          {request.max_tasks === null ? null : <span>{whole(request.max_tasks)} tasks</span>}
        </span>
      ) : null}
      {dialog ? <StartDialog open onClose={() => setDialog(false)} active={active ? runId : null} last={request} /> : null}
    </div>
  );
}
