/** How good predictions are, what trainings brought, and which version of each model is in use. */
import { useMemo, useState, type ReactNode } from "react";
import { call, useRead, type Schemas } from "../api/client";
import { mayControl, useSession } from "../api/session";
import { PlotChart, type Series } from "../charts/PlotChart";
import { Panel } from "../components/Panel";
import { PolicyTag } from "../components/PolicyTag";
import { ErrorBlock, StateBlock } from "../components/StateBlock";
import { Stat, Stats } from "../components/Stat";
import { Table, type Column } from "../components/Table";
import { Button, Select } from "../components/controls";
import { attempt } from "../components/notices";
import { clock, format, moment, signed, UNKNOWN, whole } from "../lib/format";
import { useParam } from "../lib/router";
import { isActive, useLive } from "../store/live";
import type { LaneLearning, Training } from "../store/messages";
import { Bars } from "./parts/bars";
import { Predictions } from "./parts/predictions";
import { deciderName } from "./parts/statistics";

const TRAIL_EVERY_S = 3;

/** exp of a mean |log ratio|: by which factor a prediction is off, typically. */
function factor(log: number | null | undefined): number | null {
  return log === null || log === undefined ? null : Math.exp(log);
}

interface Errors {
  /** Nothing has been read yet. */
  readonly waits: boolean;
  readonly error: unknown;
  readonly time_s: readonly number[];
  readonly model: readonly (number | null)[];
  readonly nominal: readonly (number | null)[];
}

/** Errors of one lane since the run began, as the service has kept them. */
function useErrors(policy: string | null, going: boolean): Errors {
  const found = useRead("/api/v1/run/trail", policy === null ? null : { query: { policy } }, going ? { every_s: TRAIL_EVERY_S } : {});
  const waits = found.loading && !(policy !== null && found.data?.lanes[policy]);
  return useMemo(() => {
    const columns = policy === null ? undefined : found.data?.lanes[policy];
    const time_s = found.data?.time_s ?? [];
    const known = time_s.map((_, place) => place).filter((place) => typeof columns?.["log_error"]?.[place] === "number");
    const factors = (name: string): (number | null)[] => known.map((place) => factor(columns?.[name]?.[place]));
    return { waits, error: found.data ? null : found.error, time_s: known.map((place) => time_s[place] ?? 0), model: factors("log_error"), nominal: factors("nominal_log_error") };
  }, [found.data, found.error, policy, waits]);
}

export default function Learning(): ReactNode {
  const learning = useLive((found) => found.learning);
  const link = useLive((found) => found.link);
  const connected = useLive((found) => found.cursor !== null);
  const [wanted, setWanted] = useParam("policy", "");
  const lanes = learning?.lanes ?? [];
  const lane = lanes.find((each) => each.policy === wanted) ?? lanes[0] ?? null;
  const going = useLive((state) => isActive(state.run?.state));
  const errors = useErrors(lane?.policy ?? null, going);
  const series = useMemo<Series[]>(
    () => [
      { label: "model", variable: "--p0", values: errors.model },
      { label: "nominal times", variable: "--p7", dash: [6, 3], values: errors.nominal },
    ],
    [errors],
  );
  return (
    <>
      <div className="view-head">
        <h1>Learning</h1>
        {lanes.length > 1 ? <Select label="Policy" hideLabel value={lane?.policy ?? ""} onChange={setWanted} options={lanes.map((each) => ({ value: each.policy, label: each.policy }))} /> : null}
        <span className="view-space" />
        {learning ? <span className={`chip ${learning.state === "failed" ? "chip-bad" : learning.state === "training" ? "chip-good" : ""}`}>retraining: {learning.state}</span> : null}
      </div>
      <div className="grid">
        {lane ? (
          <Lane lane={lane} series={series} errors={errors} stale={link !== "open"} />
        ) : (
          <Panel title="Predictions" className="w12">
            {connected ? (
              <StateBlock kind="empty" title="No policy with a model is running">
                Start a run with hybrid_ml or rl_agent in the view Live; how well they predict is shown here as tasks finish.
              </StateBlock>
            ) : (
              <StateBlock kind="loading" title={link === "lost" ? "Waiting for the service" : "Connecting"} />
            )}
          </Panel>
        )}
        <Trainings trainings={learning?.trainings ?? []} error={learning?.last_error ?? null} />
        <Registry />
        <Store />
      </div>
    </>
  );
}

function Lane({ lane, series, errors, stale }: { readonly lane: LaneLearning; readonly series: readonly Series[]; readonly errors: Errors; readonly stale: boolean }): ReactNode {
  const ratio = lane.shadow_log_ratio === null ? null : Math.exp(lane.shadow_log_ratio) - 1;
  const columns: Column<LaneLearning["devices"][number]>[] = [
    { key: "device", label: "Device", cell: (row) => row.device, sort: (row) => row.device },
    { key: "outcomes", label: "Outcomes", number: true, cell: (row) => whole(row.outcomes), sort: (row) => row.outcomes },
    { key: "model", label: "Model", number: true, help: "exp of the running mean of |log(predicted ÷ true)|: by which factor predictions are off, typically. 1 × is perfect.", cell: (row) => format(factor(row.log_error), "factor"), sort: (row) => row.log_error },
    { key: "nominal", label: "Nominal", number: true, help: "The same of the times that a rule assumes.", cell: (row) => format(factor(row.nominal_log_error), "factor"), sort: (row) => row.nominal_log_error },
  ];
  return (
    <>
      <Panel title={lane.policy} className="w12" stale={stale} actions={<span className="mono muted">{lane.model}</span>}>
        <Stats>
          <Stat label="Decides" text={lane.decides === "model" ? "model" : deciderName(lane.decides)} tone={lane.decides === "model" ? "good" : "warn"} help="Who takes the decisions at this moment: the model, or the rule behind it with the reason." />
          <Stat label="Outcomes" value={lane.outcomes} unit="count" help="Parts of finished tasks whose true time was compared with the prediction." />
          <Stat label="Typical error" value={factor(lane.log_error)} unit="factor" help="exp of the running mean (each outcome counts 1 %) of |log(predicted ÷ true)|: by which factor predictions are off, typically. 1 × is perfect." />
          <Stat label="Nominal error" value={factor(lane.nominal_log_error)} unit="factor" help="The same of the times that a rule assumes." />
          <Stat label="Coverage" value={lane.coverage} unit="share" note={lane.coverage === null ? "the model gives no quantiles" : `of ${whole(lane.coverage_outcomes)}; ideal 80 %`} help="Share of the newest outcomes that lay between the model's quantiles of 10 % and 90 %." />
          <Stat label="Drift alarms" value={lane.alarms} unit="count" note={lane.last_alarm_s === null ? "none yet" : `last at ${clock(lane.last_alarm_s)}`} help="How often a detector of drift has rung since this version came into use: errors of predictions changed lastingly." tone={lane.alarms ? "warn" : undefined} />
          <Stat label="Fallbacks" value={lane.falls} unit="count" note={lane.falls ? "by the guardrail" : "none yet"} help="How often the guardrail has handed decisions over to the rule behind the model, until the model was good enough again." />
          <Stat label="Against its rule" value={ratio} unit="share" note={ratio === null ? "no replay yet" : `${whole(lane.comparisons)} replays; ${ratio < 0 ? "the model wins" : ratio > 0 ? "the rule wins" : "even"}`} help="Objective of the model ÷ that of its rule − 1, over replays of finished tasks." />
        </Stats>
      </Panel>
      <Panel title="Predicted against true" className="w6" stale={stale} help="A sample of the newest predictions. On the dashed line they would be perfect; bars reach from the 10 % to the 90 % quantile.">
        {lane.pairs.length ? <Predictions title={`Predictions of ${lane.policy}`} parts={lane.pairs} /> : <StateBlock kind="empty" title="No predicted task has finished yet" />}
      </Panel>
      <div className="stack w6">
        <Panel title="Errors over time" stale={stale} help="Typical error as a factor since the run began, or since this process took it over: exp of the running mean of |log(predicted ÷ true)|. When the model's rises above that of nominal times, drift is near.">
          {errors.waits ? (
            <StateBlock kind="loading" title="Reading errors" />
          ) : errors.error ? (
            <ErrorBlock error={errors.error} />
          ) : errors.time_s.length > 1 ? (
            <PlotChart title={`Typical error of ${lane.policy}`} x={errors.time_s} series={series} unit="factor" yMin={1} height={170} xLabel="simulated time" />
          ) : (
            <StateBlock kind="empty" title="No outcome has been compared yet" />
          )}
        </Panel>
        <Panel title="Calibration of quantiles" stale={stale} help="Where the true times of the newest sampled outcomes, at most 512, lay among the model's quantiles. The marks are where the shares should be: 10 % below the quantile of 10 %, 80 % between, 10 % above that of 90 %.">
          {lane.coverage === null || lane.below === null ? (
            <p className="muted">{lane.outcomes ? "This model gives no quantiles." : "No outcome has been compared yet."}</p>
          ) : (
            <Bars
              title={`Calibration of ${lane.policy}`}
              entries={[
                { label: "below 10 % quantile", share: lane.below, ideal: 0.1 },
                { label: "between", share: lane.coverage, ideal: 0.8 },
                { label: "above 90 % quantile", share: Math.max(0, 1 - lane.coverage - lane.below), ideal: 0.1 },
              ]}
            />
          )}
        </Panel>
        <Panel title="By device" flush stale={stale} help="What the guardrail goes by.">
          <Table caption="Errors by device" columns={columns} rows={lane.devices} rowKey={(row) => row.device} empty="No outcome on any device yet." />
        </Panel>
      </div>
    </>
  );
}

const FEW = 12;

function Trainings({ trainings, error }: { readonly trainings: readonly Training[]; readonly error: string | null }): ReactNode {
  const [all, setAll] = useState(false);
  const columns: Column<Training>[] = [
    { key: "at", label: "At task", number: true, cell: (row) => whole(row.at_tasks), sort: (row) => row.at_tasks },
    { key: "time", label: "Simulated", cell: (row) => clock(row.time_s), sort: (row) => row.time_s, wideOnly: true },
    { key: "policy", label: "Policy", cell: (row) => <PolicyTag policy={row.policy} />, sort: (row) => row.policy },
    { key: "before", label: "Before", cell: (row) => <span className="mono">{row.before}</span>, sort: (row) => row.before, wideOnly: true },
    { key: "model", label: "After", cell: (row) => <span className="mono">{row.model}</span>, sort: (row) => row.model },
    { key: "rows", label: "Outcomes", number: true, help: "Outcomes that it learned from.", cell: (row) => whole(row.rows), sort: (row) => row.rows, wideOnly: true },
    { key: "error_before", label: "Error before", number: true, help: "exp of the mean absolute error of log(true ÷ nominal work) on the newest outcomes, which were held out, of the model before.", cell: (row) => format(factor(row.error_before), "factor"), sort: (row) => row.error_before },
    { key: "error_after", label: "Error after", number: true, help: "The same of a model trained without the held-out outcomes.", cell: (row) => format(factor(row.error_after), "factor"), sort: (row) => row.error_after },
    {
      key: "change",
      label: "Change",
      number: true,
      cell: (row) => {
        if (row.error_before === null || row.error_after === null) return UNKNOWN;
        const change = Math.exp(row.error_after - row.error_before) - 1;
        // Less than a hundredth on a few hundred outcomes is chance.
        const tone = Math.abs(change) < 0.01 ? "" : change < 0 ? "tone-good" : "tone-bad";
        return <span className={tone}>{signed(change, "share")}</span>;
      },
      sort: (row) => (row.error_before === null || row.error_after === null ? null : row.error_after - row.error_before),
    },
    { key: "held_out", label: "Held out", number: true, help: "Outcomes that both errors were measured on; with fewer than 20 nothing is measured.", cell: (row) => whole(row.held_out), sort: (row) => row.held_out, wideOnly: true },
  ];
  return (
    <Panel
      title="Trainings of this run"
      className="w12"
      flush
      help="What each training of the run at hand brought, on outcomes that it had not seen; the newest 50."
      actions={trainings.length > FEW ? <Button onClick={() => setAll(!all)}>{all ? `Newest ${FEW}` : `All ${trainings.length}`}</Button> : undefined}
    >
      {error ? (
        <div className="banner banner-bad" role="alert">
          The last training failed, and the model in use stayed: {error}
        </div>
      ) : null}
      <Table caption="Trainings" columns={columns} rows={[...trainings].reverse().slice(0, all ? trainings.length : FEW)} rowKey={(row) => `${row.policy} ${row.at_tasks} ${row.model}`} empty="There has been no training in this run yet." />
    </Panel>
  );
}

function Registry(): ReactNode {
  const [before, setBefore] = useParam("trained_before", "");
  const found = useRead("/api/v1/models", { query: { limit: 10, ...(before ? { before: Number(before) } : {}) } }, { every_s: 10 });
  type Row = Schemas["TrainedModel"];
  const columns: Column<Row>[] = [
    { key: "id", label: "No.", number: true, cell: (row) => whole(row.id), sort: (row) => row.id },
    { key: "name", label: "Model", cell: (row) => <span className="mono">{row.version === null ? row.name : `${row.name}@${row.version}`}</span>, sort: (row) => row.name },
    { key: "state", label: "State", cell: (row) => <span className={`chip ${row.state === "failed" ? "chip-bad" : row.state === "in_use" ? "chip-good" : ""}`}>{row.state.replace("_", " ")}</span>, sort: (row) => row.state },
    { key: "rows", label: "Rows", number: true, cell: (row) => whole(row.rows), sort: (row) => row.rows },
    { key: "source", label: "From", cell: (row) => row.source, wideOnly: true },
    { key: "run", label: "Run", cell: (row) => <span className="mono">{row.run_id ?? UNKNOWN}</span>, sort: (row) => row.run_id, wideOnly: true },
    { key: "created", label: "Trained", cell: (row) => moment(row.created_at), sort: (row) => row.created_at },
    { key: "message", label: "Why it failed", cell: (row) => row.message ?? "", wideOnly: true },
  ];
  return (
    <Panel
      title="Models that retraining made"
      className="w12"
      flush
      stale={found.stale}
      actions={
        <>
          {before ? <Button onClick={() => setBefore("")}>Newest</Button> : null}
          {found.data?.next ? <Button onClick={() => setBefore(String(found.data?.next))}>Older</Button> : null}
        </>
      }
    >
      {found.error && !found.data ? (
        <ErrorBlock error={found.error} retry={found.reload} />
      ) : found.data ? (
        <Table caption="Models that retraining made" columns={columns} rows={found.data.models} rowKey={(row) => row.id} empty="Retraining has made none yet." />
      ) : (
        <StateBlock kind="loading" title="Reading models" />
      )}
    </Panel>
  );
}

const NEWEST_VERSIONS = 3;

type Stored = Schemas["StoredModelEntry"];

function Store(): ReactNode {
  const found = useRead("/api/v1/models/store", {});
  const session = useSession();
  const [wanted, setWanted] = useParam("model", "");
  const [busy, setBusy] = useState<string | null>(null);
  const models = useMemo(() => found.data?.models ?? [], [found.data]);
  const chosen = models.find((row) => `${row.name}@${row.version}` === wanted) ?? models.find((row) => row.in_use && row.name === "hybrid_ml-divisible") ?? models.find((row) => row.in_use) ?? null;
  const may = mayControl(session);
  const [all, setAll] = useParam("versions", "");
  // Retraining makes many versions; of each name the newest few are of interest, and what is in use.
  const newest = useMemo(() => {
    const seen = new Map<string, number>();
    return [...models]
      .sort((first, second) => second.version - first.version)
      .filter((row) => {
        const count = seen.get(row.name) ?? 0;
        seen.set(row.name, count + 1);
        return row.in_use || count < NEWEST_VERSIONS;
      })
      .sort((first, second) => (first.name < second.name ? -1 : first.name > second.name ? 1 : first.version - second.version));
  }, [models]);
  const act = async (what: string, action: () => Promise<unknown>, done: string): Promise<void> => {
    setBusy(what);
    if (await attempt(action, done)) found.reload();
    setBusy(null);
  };
  const promoted = new Set((found.data?.promotions ?? []).filter((event) => event.action === "promote").map((event) => event.name));
  const columns: Column<Stored>[] = [
    { key: "name", label: "Model", cell: (row) => <span className="mono">{`${row.name}@${row.version}`}</span>, sort: (row) => `${row.name} ${String(row.version).padStart(6, "0")}` },
    { key: "in_use", label: "Use", cell: (row) => (row.in_use ? <span className="chip chip-good">in use</span> : row.problem ? <span className="chip chip-bad">{row.problem}</span> : ""), sort: (row) => (row.in_use ? 0 : 1) },
    { key: "objective", label: "Objective", cell: (row) => String(row.card?.["objective"] ?? UNKNOWN), wideOnly: true },
    { key: "created", label: "Trained", cell: (row) => String(row.card?.["created"] ?? UNKNOWN), sort: (row) => String(row.card?.["created"] ?? ""), wideOnly: true },
    {
      key: "act",
      label: "",
      cell: (row) => (
        <span className="row">
          {row.in_use ? (
            promoted.has(row.name) ? (
              <Button
                kind="quiet"
                disabled={!may}
                busy={busy === `back ${row.name}`}
                onClick={(event) => {
                  event.stopPropagation();
                  void act(`back ${row.name}`, () => call("post", "/api/v1/models/store/{name}/rollback", { path: { name: row.name } }), `${row.name}: back to the version before`);
                }}
              >
                Roll back
              </Button>
            ) : null
          ) : (
            <Button
              kind="quiet"
              disabled={!may || row.problem !== null}
              busy={busy === `${row.name}@${row.version}`}
              onClick={(event) => {
                event.stopPropagation();
                void act(
                  `${row.name}@${row.version}`,
                  () => call("post", "/api/v1/models/store/{name}/promote", { path: { name: row.name }, body: { version: row.version } }),
                  `${row.name}@${row.version} is in use, for runs that begin from now on`,
                );
              }}
            >
              Promote
            </Button>
          )}
        </span>
      ),
    },
  ];
  return (
    <>
      <Panel title="Model store" className="w7" flush stale={found.stale} help="Versions that policies can use. Promotion counts for runs that begin from then on; lanes that are going on keep theirs." actions={newest.length < models.length || all ? <Button onClick={() => setAll(all ? "" : "all")}>{all ? "Newest versions" : `All ${models.length}`}</Button> : undefined}>
        {found.error && !found.data ? (
          <ErrorBlock error={found.error} retry={found.reload} />
        ) : found.data ? (
          <Table caption="Model store" columns={columns} rows={all ? models : newest} rowKey={(row) => `${row.name}@${row.version}`} onRow={(row) => setWanted(`${row.name}@${row.version}`)} selected={(row) => row === chosen} empty="There are no models." />
        ) : (
          <StateBlock kind="loading" title="Reading models" />
        )}
      </Panel>
      <div className="stack w5">
        <Panel title="What it asks about" help="Splits of the model's trees on each feature, as a share of all splits, counted in its file. How much each split gained is not in the file.">
          {chosen ? <FeatureUse name={chosen.name} version={chosen.version} /> : found.loading && !found.data ? <StateBlock kind="loading" title="Reading models" /> : <StateBlock kind="empty" title="Choose a model" />}
        </Panel>
        <Panel title="Promotions" help="What was put into use, newest first.">
          {!found.data ? (
            found.error ? <p className="muted">Not known.</p> : <StateBlock kind="loading" title="Reading promotions" />
          ) : found.data.promotions.length ? (
            <dl className="deflist">
              {[...found.data.promotions]
                .reverse()
                .slice(0, 12)
                .map((event, place) => (
                  <div key={place} style={{ display: "contents" }}>
                    <dt>{moment(event.at)}</dt>
                    <dd>
                      {event.action.replace("_", " ")} <span className="mono">{`${event.name}@${event.version}`}</span>
                    </dd>
                  </div>
                ))}
            </dl>
          ) : (
            <p className="muted">Nothing has been promoted: the newest version of each model is in use.</p>
          )}
        </Panel>
      </div>
    </>
  );
}

function FeatureUse({ name, version }: { readonly name: string; readonly version: number }): ReactNode {
  const found = useRead("/api/v1/models/store/{name}/{version}/features", { path: { name, version } });
  const [which, setWhich] = useParam("ensemble", "");
  if (found.error && !found.data) return <ErrorBlock error={found.error} retry={found.reload} />;
  if (!found.data) return <StateBlock kind="loading" title="Reading the model" />;
  const ensembles = found.data.ensembles;
  const shown = ensembles.find((each) => each.name === which) ?? ensembles[0];
  if (!shown) return <StateBlock kind="empty" title={`${name}@${version} has no trees`}>It scores with weights or histories; there are no splits to count.</StateBlock>;
  const entries = Object.entries(shown.share);
  const most = entries[0]?.[1] ?? 1;
  return (
    <div className="stack">
      <div className="row">
        <span className="mono">{`${name}@${version}`}</span>
        <Select label="Ensemble" hideLabel value={shown.name} onChange={setWhich} options={ensembles.map((each) => ({ value: each.name, label: each.name }))} />
        <span className="muted">
          {whole(shown.trees)} trees, {whole(shown.splits)} splits
        </span>
      </div>
      <Bars title={`Splits of ${name}@${version} by feature`} mono full={most} entries={entries.map(([label, share]) => ({ label, share }))} />
    </div>
  );
}
