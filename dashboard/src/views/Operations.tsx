/** How the service itself is doing: health, database, Redis, response times, refusals, troubles; who is signed in, and keys. */
import { useMemo, useState, type ReactNode } from "react";
import { call, useRead, type Schemas } from "../api/client";
import { signOut, useSession } from "../api/session";
import { PlotChart, type Series } from "../charts/PlotChart";
import { Dialog } from "../components/Dialog";
import { Panel } from "../components/Panel";
import { ErrorBlock, StateBlock } from "../components/StateBlock";
import { Stat, Stats } from "../components/Stat";
import { Table, type Column, type Sorting } from "../components/Table";
import { Button, Segmented } from "../components/controls";
import { attempt } from "../components/notices";
import { format, moment, UNKNOWN, whole } from "../lib/format";
import { HELP } from "../lib/metrics";
import { useParam } from "../lib/router";

type Operations = Schemas["Operations"];
type Times = Schemas["Times"];

const EVERY_S = 3;

function fact(facts: Readonly<Record<string, unknown>>, name: string): string {
  const value = facts[name];
  return value === null || value === undefined ? UNKNOWN : typeof value === "number" ? whole(value) : String(value as string);
}

function tone(state: string): "good" | "warn" | "bad" {
  return state === "ok" || state === "connected" ? "good" : state === "alone" ? "good" : state === "away" || state === "lost" ? "warn" : "bad";
}

function timesText(times: Times): string {
  return times.count ? `${format(times.p50_s, "s")} · ${format(times.p95_s, "s")} · ${format(times.p99_s, "s")}` : UNKNOWN;
}

export default function OperationsView(): ReactNode {
  const found = useRead("/api/v1/operations", {}, { every_s: EVERY_S });
  const info = useRead("/health/info", {}, { every_s: 30 });
  return (
    <>
      <div className="view-head">
        <h1>Operations</h1>
        <span className="view-space" />
        <span className="muted">{info.data ? `version ${info.data.version}, tables ${info.data.schema_version}, Python ${info.data.python.split(" ")[0]}` : ""}</span>
      </div>
      <div className="grid">
        {found.error && !found.data ? (
          <Panel title="Service" className="w12">
            <ErrorBlock error={found.error} retry={found.reload} />
          </Panel>
        ) : found.data ? (
          <Parts found={found.data} stale={found.stale} />
        ) : (
          <Panel title="Service" className="w12">
            <StateBlock kind="loading" title="Asking the service" />
          </Panel>
        )}
        <Access />
      </div>
    </>
  );
}

function Parts({ found, stale }: { readonly found: Operations; readonly stale: boolean }): ReactNode {
  const database = String(found.database["state"]);
  const redis = String(found.redis["state"]);
  const refused = found.rejections.reduce((sum, each) => sum + each.count, 0);
  const asked = found.cache.reduce((sum, each) => sum + each.hits + each.misses, 0);
  const hits = found.cache.reduce((sum, each) => sum + each.hits, 0);
  return (
    <>
      <Panel title="Service" className="w12" stale={stale}>
        <Stats even>
          <Stat label="Database" text={database} tone={tone(database)} note={`${fact(found.database, "dialect")}, ${fact(found.database, "pool_timeouts")} timeouts`} help="ok: it answers. While it is away results wait in the journal, and nothing is lost." />
          <Stat label="Redis" text={redis} tone={tone(redis)} note={redis === "alone" ? "none was named" : `lost ${fact(found.redis, "times_lost")} times`} help="alone: this process works without one. lost: it is away, and everything goes on in this process." />
          <Stat label="Journal lag" value={found.storage.lag_rows} unit="count" note={`held back above ${whole(found.storage.lag_limit_rows)}`} help={HELP.lag} />
          <Stat label="Into the database" value={found.storage.rows_per_s} unit="per_s" help="Rows per second, as measured while rows were waiting." />
          <Stat label="Requests now" value={found.requests_in_progress} unit="count" help="Requests that are being answered at this moment; this page's own is among them." />
          <Stat label="Live clients" text={fact(found.live_stream, "clients")} note={`of at most ${fact(found.live_stream, "clients_max")}`} help="Clients of the live stream." />
          <Stat label="Refused" value={refused} unit="count" tone={refused ? "warn" : undefined} help="Requests refused because there were too many, since the process began." />
          <Stat label="Cache hits" value={asked ? hits / asked : null} unit="share" note={`of ${whole(asked)} questions`} help="Answers about history and statistics that were there already, since the process began." />
          <Stat label="Peak memory" value={found.memory_mb * 1e6} unit="bytes" help="Most resident memory of the process so far." />
          <Stat label="Processor" value={found.uptime_s > 0 ? found.cpu_s / found.uptime_s : null} unit="share" help="Processor time ÷ time since the start; 100 % is one core." />
          <Stat label="Up" value={found.uptime_s} unit="s" help="Since the process began." />
        </Stats>
      </Panel>
      <OverTime found={found} stale={stale} />
      <Routes found={found} stale={stale} />
      <div className="stack w3">
        <Panel title="Inside" stale={stale} help={`How late the event loop woke a timer, and how long statements to the database took: median · 95 % · 99 % over the last ${format(found.window_s, "s")}.`}>
          <dl className="deflist">
            <dt>Event loop late by</dt>
            <dd>{timesText(found.event_loop)}</dd>
            <dt>SQL statements</dt>
            <dd>{timesText(found.statements)}</dd>
            <dt>Slow requests</dt>
            <dd>
              {whole(found.slow_requests)} above {format(found.slow_request_s, "s")}
            </dd>
            <dt>Slow statements</dt>
            <dd>
              {whole(found.slow_statements)} above {format(found.slow_query_s, "s")}
            </dd>
            {found.pools.map((pool) => (
              <div key={pool.name} style={{ display: "contents" }}>
                <dt>Pool, {pool.name}</dt>
                <dd>
                  {whole(pool.in_use)} of {whole(pool.most)} in use
                </dd>
              </div>
            ))}
            <dt>Frames sent</dt>
            <dd>{fact(found.live_stream, "frames_sent")}</dd>
          </dl>
        </Panel>
        <Panel title="Rate limiting" stale={stale} help="Requests refused because there were too many, by class, since the process began.">
          {found.rejections.length ? (
            <dl className="deflist">
              {found.rejections.map((each) => (
                <div key={each.route_class} style={{ display: "contents" }}>
                  <dt>{each.route_class}</dt>
                  <dd>{whole(each.count)}</dd>
                </div>
              ))}
            </dl>
          ) : (
            <p className="muted">Nothing has been refused since the process began.</p>
          )}
        </Panel>
      </div>
      <Failures found={found} stale={stale} />
    </>
  );
}

const OVER = [
  { value: "requests", label: "Requests" },
  { value: "times", label: "Response times" },
] as const;

/** What the service has counted since its process began, so that the past is there when this view is opened. */
function OverTime({ found, stale }: { readonly found: Operations; readonly stale: boolean }): ReactNode {
  const [what, setWhat] = useParam("over", "requests");
  const kind = what === "times" ? "times" : "requests";
  const stretches = found.over_time;
  const last = stretches.at(-1);
  const [x, rates, times, bad] = useMemo<[number[], Series[], Series[], Series[]]>(() => {
    const per_s = (name: "requests" | "failed" | "refused" | "troubles"): number[] => stretches.map((each) => each[name] / (each.until_s - each.from_s));
    return [
      stretches.map((each) => each.until_s),
      [{ label: "answered", variable: "--p0", values: per_s("requests"), area: true }],
      [
        { label: "median", variable: "--p0", values: stretches.map((each) => each.p50_s) },
        { label: "99 %", variable: "--p1", dash: [6, 3], values: stretches.map((each) => each.p99_s) },
      ],
      [
        { label: "failed", variable: "--p3", values: stretches.map((each) => each.failed) },
        { label: "refused", variable: "--p1", dash: [6, 3], values: stretches.map((each) => each.refused) },
        { label: "troubles", variable: "--p0", dash: [2, 2], values: stretches.map((each) => each.troubles) },
      ],
    ];
  }, [stretches]);
  const length = last ? format(last.until_s - last.from_s, "s") : UNKNOWN;
  const kept = `Since the process began, in stretches of ${length}, which grow longer as it goes on.`;
  return (
    <>
      <Panel title="Requests over time" className="w6" stale={stale} help={kind === "times" ? `Median and 99 % quantile of the response times of all routes together, within 1 %. ${kept}` : `Requests answered ÷ length of the stretch. ${kept}`} actions={<Segmented label="Requests over time" value={kind} options={OVER} onChange={setWhat} />}>
        {x.length > 1 ? (
          kind === "times" ? (
            <PlotChart title="Response times over time" x={x} series={times} unit="s" logarithmic height={150} xLabel="time since the process began" />
          ) : (
            <PlotChart title="Requests over time" x={x} series={rates} unit="per_s" height={150} xLabel="time since the process began" />
          )
        ) : (
          <StateBlock kind="empty" title="The process has just begun">The first stretches are counted.</StateBlock>
        )}
      </Panel>
      <Panel title="Errors over time" className="w6" stale={stale} help={`Failed: answered with 500 or above. Refused: because there were too many requests. Troubles: warnings and errors of the log, and answers of 500 or above. Counted per stretch. ${kept}`}>
        {x.length > 1 ? <PlotChart title="Errors over time" x={x} series={bad} unit="plain" yMin={0} height={150} xLabel="time since the process began" /> : <StateBlock kind="empty" title="The process has just begun">The first stretches are counted.</StateBlock>}
      </Panel>
    </>
  );
}

function Routes({ found, stale }: { readonly found: Operations; readonly stale: boolean }): ReactNode {
  const [by, setBy] = useParam("routes", "-p99");
  const sorting: Sorting = { key: by.replace(/^-/, ""), down: by.startsWith("-") };
  type Row = Schemas["RouteTimes"];
  const columns: Column<Row>[] = [
    { key: "route", label: "Route", cell: (row) => <span className="mono route">{`${row.method} ${row.route}`}</span>, sort: (row) => row.route },
    { key: "count", label: "Lately", number: true, help: `Requests in the last ${format(found.window_s, "s")}, the newest 1 024 at most; the times are theirs.`, cell: (row) => whole(row.count), sort: (row) => row.count },
    { key: "p50", label: "Median", number: true, help: "Until the head of the answer is sent.", cell: (row) => format(row.p50_s, "s"), sort: (row) => row.p50_s },
    { key: "p95", label: "p95", number: true, help: "95 % took no longer.", cell: (row) => format(row.p95_s, "s"), sort: (row) => row.p95_s, wideOnly: true },
    { key: "p99", label: "p99", number: true, help: "99 % took no longer.", cell: (row) => format(row.p99_s, "s"), sort: (row) => row.p99_s },
    { key: "total", label: "In all", number: true, help: "Since the process began.", cell: (row) => whole(row.total), sort: (row) => row.total, wideOnly: true },
    { key: "failed", label: "Failed", number: true, help: "Answered with 500 or above, since the process began.", cell: (row) => <span className={row.failed ? "tone-bad" : ""}>{whole(row.failed)}</span>, sort: (row) => row.failed },
  ];
  return (
    <Panel title="Response times" className="w9" flush stale={stale} help={`Per route, over the last ${format(found.window_s, "s")}.`}>
      <Table caption="Response times per route" columns={columns} rows={found.routes} rowKey={(row) => `${row.method} ${row.route}`} sorting={sorting} onSorting={(next) => setBy(`${next.down ? "-" : ""}${next.key}`)} empty="No request has been answered yet." />
    </Panel>
  );
}

const FEW = 10;

function Failures({ found, stale }: { readonly found: Operations; readonly stale: boolean }): ReactNode {
  const [all, setAll] = useState(false);
  type Row = Operations["failures"][number];
  const columns: Column<Row>[] = [
    { key: "at", label: "When", cell: (row) => moment(row.at), sort: (row) => row.at },
    { key: "level", label: "Level", cell: (row) => <span className={`chip ${row.level === "warning" ? "chip-warn" : "chip-bad"}`}>{row.level}</span>, sort: (row) => row.level },
    { key: "message", label: "What", width: "50%", cell: (row) => <span className="clamp" title={row.message}>{row.message}</span> },
    { key: "source", label: "Where", cell: (row) => <span className="mono" title={row.source}>{row.route ?? row.source.replace(/^hybrid_ml_scheduler\.(.*\.)?/, "")}</span>, sort: (row) => row.source, wideOnly: true },
    { key: "status", label: "Status", number: true, cell: (row) => row.status ?? "", sort: (row) => row.status, wideOnly: true },
    { key: "request", label: "Request", cell: (row) => <span className="mono">{row.request_id ?? ""}</span>, wideOnly: true },
  ];
  return (
    <Panel title="Recent troubles" className="w12" flush stale={stale} help="Warnings and errors of the log, and answers of 500 or above; the newest 50 since the process began." actions={found.failures.length > FEW ? <Button onClick={() => setAll(!all)}>{all ? `Newest ${FEW}` : `All ${found.failures.length}`}</Button> : undefined}>
      <Table caption="Recent troubles" columns={columns} rows={all ? found.failures : found.failures.slice(0, FEW)} rowKey={(row) => `${row.at} ${row.message}`} empty="There has been no trouble since the process began." />
    </Panel>
  );
}

const MODES: Readonly<Record<string, string>> = {
  keys: "credentials are needed",
  open: "open: whoever is on this machine may do everything",
  insecure: "insecure: whoever reaches it may do everything",
};

function Access(): ReactNode {
  const session = useSession();
  const who = session.who;
  const admin = who?.scopes.includes("admin") ?? false;
  return (
    <Panel
      title="Access"
      className="w12"
      flush
      actions={
        who?.auth === "keys" && who.signed_in ? (
          <Button onClick={() => void attempt(signOut, "Signed out")}>Sign out</Button>
        ) : undefined
      }
    >
      {who ? (
        <dl className="deflist panel-pad">
          <dt>Service</dt>
          <dd className={who.auth === "insecure" ? "tone-bad" : ""}>{MODES[who.auth] ?? who.auth}</dd>
          <dt>You are</dt>
          <dd>
            <span className="mono">{who.subject}</span>
            {who.name && who.name !== who.subject ? ` (${who.name})` : ""}; may: {who.scopes.join(", ") || "nothing"}
            {who.expires_at ? `; until ${moment(who.expires_at)}` : ""}
          </dd>
        </dl>
      ) : (
        <StateBlock kind="loading" title="Asking who you are" />
      )}
      {admin ? <Keys /> : who ? <p className="note panel-pad">API keys are shown to those who have the scope admin.</p> : null}
    </Panel>
  );
}

const SCOPES = ["read", "control", "decide", "admin"] as const;

function Keys(): ReactNode {
  const found = useRead("/api/v1/keys", {});
  const [making, setMaking] = useState(false);
  const [ending, setEnding] = useState<Schemas["ApiKeyAnswer"] | null>(null);
  type Row = Schemas["ApiKeyAnswer"];
  const columns: Column<Row>[] = [
    { key: "name", label: "Key", cell: (row) => row.name, sort: (row) => row.name },
    { key: "id", label: "Id", cell: (row) => <span className="mono">{row.id}</span>, sort: (row) => row.id, wideOnly: true },
    { key: "scopes", label: "May", cell: (row) => row.scopes.join(", "), sort: (row) => row.scopes.join(" ") },
    { key: "created", label: "Made", cell: (row) => moment(row.created_at), sort: (row) => row.created_at, wideOnly: true },
    { key: "expires", label: "Until", cell: (row) => (row.expires_at ? moment(row.expires_at) : "for good"), sort: (row) => row.expires_at },
    {
      key: "state",
      label: "",
      cell: (row) =>
        row.revoked_at ? (
          <span className="chip">revoked</span>
        ) : (
          <Button kind="quiet" className="button-danger" onClick={() => setEnding(row)}>
            Revoke
          </Button>
        ),
    },
  ];
  return (
    <>
      {found.error && !found.data ? (
        <ErrorBlock error={found.error} retry={found.reload} />
      ) : found.data ? (
        <Table caption="API keys" columns={columns} rows={found.data.keys} rowKey={(row) => row.id} empty="There are no keys yet. With the first one the service stops being open." />
      ) : (
        <StateBlock kind="loading" title="Reading keys" />
      )}
      <div className="panel-pad">
        <Button onClick={() => setMaking(true)}>New key…</Button>
      </div>
      <NewKey
        open={making}
        onClose={() => {
          setMaking(false);
          found.reload();
        }}
      />
      <Dialog
        title="Revoke this key?"
        open={ending !== null}
        onClose={() => setEnding(null)}
        footer={
          <>
            <Button onClick={() => setEnding(null)}>Keep it</Button>
            <Button
              kind="primary"
              onClick={() => {
                const key = ending;
                if (key === null) return;
                void attempt(() => call("delete", "/api/v1/keys/{key_id}", { path: { key_id: key.id } }), `${key.name} is revoked`).then(() => {
                  setEnding(null);
                  found.reload();
                });
              }}
            >
              Revoke
            </Button>
          </>
        }
      >
        {ending ? `${ending.name} (${ending.id}) is refused from then on, together with sign-ins that were made with it. This cannot be undone.` : ""}
      </Dialog>
    </>
  );
}

function NewKey({ open, onClose }: { readonly open: boolean; readonly onClose: () => void }): ReactNode {
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<readonly string[]>(["read"]);
  const [made, setMade] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const close = (): void => {
    setName("");
    setScopes(["read"]);
    setMade(null);
    onClose();
  };
  const make = async (): Promise<void> => {
    setBusy(true);
    await attempt(async () => {
      const found = await call("post", "/api/v1/keys", { body: { name, scopes: scopes as Schemas["KeyRequest"]["scopes"] } });
      setMade(found.key);
    });
    setBusy(false);
  };
  return (
    <Dialog
      title="New API key"
      open={open}
      onClose={close}
      footer={
        made ? (
          <Button kind="primary" onClick={close}>
            Done
          </Button>
        ) : (
          <Button kind="primary" busy={busy} disabled={!name || !scopes.length} onClick={() => void make()}>
            Make it
          </Button>
        )
      }
    >
      {made ? (
        <div className="stack">
          <p>This is the key. It is shown this once; nobody can show it again.</p>
          <code className="secret mono">{made}</code>
        </div>
      ) : (
        <div className="stack">
          <span className="field">
            <label className="field-label" htmlFor="key-name">
              What it is for
            </label>
            <input id="key-name" className="input" value={name} maxLength={100} onChange={(event) => setName(event.target.value)} />
          </span>
          <fieldset className="plain row">
            <legend className="field-label">What it may do</legend>
            {SCOPES.map((scope) => (
              <label key={scope} className="check">
                <input type="checkbox" checked={scopes.includes(scope)} onChange={(event) => setScopes(event.target.checked ? [...scopes, scope] : scopes.filter((each) => each !== scope))} />
                {scope}
              </label>
            ))}
          </fieldset>
        </div>
      )}
    </Dialog>
  );
}
