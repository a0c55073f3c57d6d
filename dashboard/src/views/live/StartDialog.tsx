import { useState, type ReactNode } from "react";
import { call, useRead, type Schemas } from "../../api/client";
import { reason } from "../../api/http";
import { Button, NumberField, Select } from "../../components/controls";
import { Dialog } from "../../components/Dialog";
import { HelpTip } from "../../components/HelpTip";
import { notify } from "../../components/notices";
import { PolicyTag } from "../../components/PolicyTag";
import { ErrorBlock, StateBlock } from "../../components/StateBlock";
import { moment, whole } from "../../lib/format";
import { comparePolicies } from "../../lib/palette";
import { HELP } from "../../lib/metrics";
import type { RunRequest } from "../../store/messages";
import { kindOf, KINDS } from "./kinds";
import { SpeedSlider } from "./SpeedSlider";

/** In the place of a name: the reader says which file. */
const FILE = "file";
const STREAMED = "divisible/nodes";

interface Props {
  readonly open: boolean;
  readonly onClose: () => void;
  /** Number of the run that is under way. */
  readonly active: number | null;
  readonly last: RunRequest | null;
}

/** Everything that a run can be told, with what it has if it is told nothing. */
export function StartDialog({ open, onClose, active, last }: Props): ReactNode {
  const policies = useRead("/api/v1/policies", open ? {} : null);
  const workloads = useRead("/api/v1/workloads", open ? {} : null);
  const uploads = useRead("/api/v1/workloads/uploads", open ? {} : null);
  const named = workloads.data?.workloads ?? [];
  const uploaded = uploads.data?.uploads ?? [];
  // What was started last is offered again; a name that is none of those listed is that of a file.
  const [picked, setWorkload] = useState<string | null>(null);
  const before = last?.workload ?? "steady";
  const isListed = named.some((entry) => entry.name === before) || uploaded.some((entry) => entry.workload === before);
  const workload = picked ?? (isListed || !workloads.data ? before : FILE);
  const [fileText, setFile] = useState<string | null>(null);
  const file = fileText ?? (isListed ? "" : before);
  const [cluster, setCluster] = useState(last?.cluster ?? "");
  const [kindText, setKind] = useState<string | null>(null);
  const implied = kindOf(workload === FILE ? file : workload, named, uploaded);
  const kind = implied ?? kindText ?? STREAMED;
  const suggestion = policies.data?.suggested.find((each) => each.runs === kind);
  const [marked, setMarked] = useState<{ readonly kind: string; readonly names: readonly string[] } | null>(null);
  const usual = last && picked === null && (implied !== null || kindText === null) ? last.policies : (suggestion?.usual ?? []);
  // Policies of another kind of tasks could not run.
  const chosen = marked?.kind === kind ? marked.names : usual;
  const setChosen = (names: readonly string[]): void => setMarked({ kind, names });
  const [spelled, setSpelled] = useState("");
  const [seed, setSeed] = useState("");
  const [load, setLoad] = useState("");
  const [most, setMost] = useState("");
  const [retrain, setRetrain] = useState("5000");
  const [objective, setObjective] = useState("");
  const [speed, setSpeed] = useState<number | null>(20);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  const fitting = policies.data?.policies.filter((entry) => entry.runs.includes(kind)) ?? [];
  const summary = new Map(fitting.map((entry) => [entry.name, entry.summary]));
  const first = [...new Set([...[...(suggestion?.usual ?? [])].sort(comparePolicies), ...(suggestion?.others ?? []), ...chosen])];
  const more = fitting.map((entry) => entry.name).filter((name) => !first.includes(name)).sort(comparePolicies);
  const entry = named.find((each) => each.name === workload);
  const upload = uploaded.find((each) => each.workload === workload);
  const ends = entry?.ends ?? true;
  const streamed = kind === STREAMED;

  // Which kind of tasks a workload has, and so what may be ticked, is known with all three.
  const asked = [policies, workloads, uploads];
  const isKnown = asked.every((found) => found.data);
  const unread = asked.find((found) => found.error && !found.data);

  const toggle = (name: string): void => setChosen(chosen.includes(name) ? chosen.filter((each) => each !== name) : [...chosen, name]);
  const box = (name: string): ReactNode => (
    <label key={name} className="check" title={summary.get(name)}>
      <input type="checkbox" checked={chosen.includes(name)} onChange={() => toggle(name)} />
      <PolicyTag policy={name} {...(summary.has(name) ? { title: summary.get(name) ?? name } : {})} />
    </label>
  );

  const start = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      const body: Schemas["StartRequest"] = {
        workload: workload === FILE ? file.trim() : workload,
        policies: [...chosen].sort(comparePolicies),
        speed: speed ?? "max",
        retrain_every: retrain === "" || !streamed ? null : Number(retrain),
        ...(cluster.trim() ? { cluster: cluster.trim() } : {}),
        ...(objective.trim() ? { objective: objective.trim() } : {}),
        ...(seed === "" ? {} : { seed: Number(seed) }),
        ...(load === "" ? {} : { load: Number(load) }),
        ...(most === "" ? {} : { max_tasks: Number(most) }),
      };
      if (active !== null) await call("post", "/api/stop");
      await call("post", "/api/start", { body });
      notify("The run has begun.");
      onClose();
    } catch (error) {
      setProblem(reason(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <Dialog
      title="Start a run"
      open={open}
      onClose={onClose}
      footer={
        <>
          {problem ? (
            <span role="alert" className="form-problem">
              {problem}
            </span>
          ) : active !== null ? (
            <span className="form-note">Run {active} is stopped first; its results stay.</span>
          ) : null}
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" busy={busy} disabled={!chosen.length || (workload === FILE && !file.trim())} onClick={() => void start()}>
            {active === null ? "Start" : "Stop it and start"}
          </Button>
        </>
      }
    >
      <div className="form">
        <div className="form-grid">
          <Select
            label="Workload"
            value={workload}
            onChange={setWorkload}
            options={[
              ...named.map((each) => ({ value: each.name, label: each.ends ? `${each.name} (ends)` : each.name })),
              ...uploaded.map((each) => ({ value: each.workload, label: `${each.name}, ${whole(each.tasks)} tasks` })),
              { value: FILE, label: "a file on the server…" },
            ]}
          />
          <Select label="Tasks" value={kind} disabled={implied !== null} onChange={setKind} options={KINDS} />
          <span className="field">
            <label className="field-label" htmlFor="start-cluster">
              Cluster
            </label>
            <input id="start-cluster" className="input" value={cluster} placeholder="the workload’s usual one" onChange={(event) => setCluster(event.target.value)} />
          </span>
          <NumberField label="Load" hint={<HelpTip label="load">{HELP.load}</HelpTip>} value={load} onChange={setLoad} placeholder={ends ? "as recorded" : "0.3"} min={0} />
          <NumberField label="Seed" value={seed} onChange={setSeed} placeholder="drawn" min={0} step={1} />
          <NumberField label="Most tasks" value={most} onChange={setMost} placeholder={ends ? "all of them" : "no end"} min={1} step={1} />
          <NumberField label="Retrain every … tasks" disabled={!streamed} hint={<HelpTip label="retraining">Learned policies learn from every outcome in any case. Besides, their models are made anew after so many finished tasks, on endless streams and divisible tasks only.</HelpTip>} value={streamed ? retrain : ""} onChange={setRetrain} placeholder="never" min={1} step={1} />
          <span className="field">
            <label className="field-label" htmlFor="start-objective">
              Objective of learned ones
            </label>
            <input id="start-objective" className="input" value={objective} placeholder="the usual one" onChange={(event) => setObjective(event.target.value)} />
          </span>
        </div>
        {workload === FILE ? (
          <span className="field">
            <label className="field-label" htmlFor="start-file">
              Path of a trace on the server, or lublin:name=value,…
            </label>
            <input id="start-file" className="input" value={file} onChange={(event) => setFile(event.target.value)} />
          </span>
        ) : (
          <p className="muted form-text">{entry?.summary ?? (upload ? `${upload.format}, uploaded ${moment(upload.uploaded_at)} by ${upload.uploaded_by}` : " ")}</p>
        )}
        <SpeedSlider speed={speed} onSpeed={setSpeed} />
        <fieldset className="form-policies">
          <legend className="field-label">
            Policies ({chosen.length} chosen), one lane each
          </legend>
          {isKnown ? (
            <div className="check-grid">{first.map(box)}</div>
          ) : unread ? (
            <ErrorBlock error={unread.error} retry={unread.reload} />
          ) : (
            <StateBlock kind="loading" title="Asking which policies there are" />
          )}
          <details>
            <summary>{more.length} more</summary>
            <div className="check-grid">{more.map(box)}</div>
          </details>
          <form
            className="row"
            onSubmit={(event) => {
              event.preventDefault();
              const name = spelled.trim().toLowerCase();
              if (name && !chosen.includes(name)) setChosen([...chosen, name]);
              setSpelled("");
            }}
          >
            <label className="visually-hidden" htmlFor="start-spelled">
              Another policy by its spelling
            </label>
            <input id="start-spelled" className="input" value={spelled} placeholder={kind === "rigid/pool" ? "another one: order+backfill" : "another one: order+placement+split"} size={32} onChange={(event) => setSpelled(event.target.value)} />
            <Button type="submit" disabled={!spelled.trim()}>
              Add
            </Button>
          </form>
        </fieldset>
      </div>
    </Dialog>
  );
}
