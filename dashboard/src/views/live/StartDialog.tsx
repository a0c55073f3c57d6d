import { useState, type ReactNode } from "react";
import { call, useRead, type Schemas } from "../../api/client";
import { reason } from "../../api/http";
import { Button, NumberField, Select } from "../../components/controls";
import { Dialog } from "../../components/Dialog";
import { HelpTip } from "../../components/HelpTip";
import { notify } from "../../components/notices";
import { PolicyTag } from "../../components/PolicyTag";
import { comparePolicies } from "../../lib/palette";
import { HELP } from "../../lib/metrics";
import type { RunRequest } from "../../store/messages";
import { SpeedSlider } from "./SpeedSlider";

const USUAL = ["oracle", "hybrid_ml", "rl_agent", "greedy", "round_robin", "random"];
const RULES = ["mct", "sjf+mct", "priced"];
const KIND = "divisible/nodes";

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
  const [workload, setWorkload] = useState(last?.workload ?? "steady");
  const [file, setFile] = useState("");
  const [cluster, setCluster] = useState(last?.cluster ?? "");
  const [chosen, setChosen] = useState<readonly string[]>(last?.policies ?? USUAL);
  const [spelled, setSpelled] = useState("");
  const [seed, setSeed] = useState("");
  const [load, setLoad] = useState("");
  const [most, setMost] = useState("");
  const [retrain, setRetrain] = useState("5000");
  const [objective, setObjective] = useState("");
  const [speed, setSpeed] = useState<number | null>(20);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  const named = policies.data?.policies.filter((entry) => entry.runs.includes(KIND)) ?? [];
  const listed = [...new Set([...USUAL, ...RULES, ...chosen, ...named.map((entry) => entry.name)])];
  const summary = new Map(named.map((entry) => [entry.name, entry.summary]));
  const first = [...new Set([...USUAL, ...RULES, ...chosen])].sort(comparePolicies);
  const more = listed.filter((name) => !first.includes(name)).sort(comparePolicies);
  const preset = workloads.data?.workloads.find((entry) => entry.name === workload);

  const toggle = (name: string): void => setChosen((before) => (before.includes(name) ? before.filter((each) => each !== name) : [...before, name]));
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
        workload: workload === "file" ? file.trim() : workload,
        policies: [...chosen].sort(comparePolicies),
        speed: speed ?? "max",
        retrain_every: retrain === "" ? null : Number(retrain),
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
          <Button kind="primary" busy={busy} disabled={!chosen.length || (workload === "file" && !file.trim())} onClick={() => void start()}>
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
            options={[...(workloads.data?.workloads.map((entry) => ({ value: entry.name, label: entry.name })) ?? []), { value: "file", label: "a table on the server…" }]}
          />
          <span className="field">
            <label className="field-label" htmlFor="start-cluster">
              Cluster
            </label>
            <input id="start-cluster" className="input" value={cluster} placeholder="the workload’s usual one" onChange={(event) => setCluster(event.target.value)} />
          </span>
          <NumberField label="Load" hint={<HelpTip label="load">{HELP.load}</HelpTip>} value={load} onChange={setLoad} placeholder="0.3" min={0} />
          <NumberField label="Seed" value={seed} onChange={setSeed} placeholder="drawn" min={0} step={1} />
          <NumberField label="Most tasks" value={most} onChange={setMost} placeholder="no end" min={1} step={1} />
          <NumberField label="Retrain every … tasks" value={retrain} onChange={setRetrain} placeholder="never" min={1} step={1} />
        </div>
        {workload === "file" ? (
          <span className="field">
            <label className="field-label" htmlFor="start-file">
              Path of the table on the server
            </label>
            <input id="start-file" className="input" value={file} onChange={(event) => setFile(event.target.value)} />
          </span>
        ) : (
          <p className="muted form-text">{preset?.summary ?? " "}</p>
        )}
        <SpeedSlider speed={speed} onSpeed={setSpeed} />
        <fieldset className="form-policies">
          <legend className="field-label">
            Policies ({chosen.length} chosen), one lane each
          </legend>
          <div className="check-grid">{first.map(box)}</div>
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
              Another policy, spelled order+placement+split
            </label>
            <input id="start-spelled" className="input" value={spelled} placeholder="another one: order+placement+split" size={32} onChange={(event) => setSpelled(event.target.value)} />
            <Button type="submit" disabled={!spelled.trim()}>
              Add
            </Button>
          </form>
        </fieldset>
        <span className="field">
          <label className="field-label" htmlFor="start-objective">
            Objective of learned policies
          </label>
          <input id="start-objective" className="input" value={objective} placeholder="mean_response" onChange={(event) => setObjective(event.target.value)} />
        </span>
      </div>
    </Dialog>
  );
}
