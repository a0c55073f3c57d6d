import { Component, lazy, Suspense, useEffect, useRef, useState, type ComponentType, type ReactNode } from "react";
import { useSession } from "./api/session";
import { Button } from "./components/controls";
import { Notices } from "./components/notices";
import { StateBlock } from "./components/StateBlock";
import { clock, format, speedText, UNKNOWN, whole } from "./lib/format";
import { LoadError, patiently } from "./lib/patiently";
import { routeHash, useRoute, VIEWS, type View } from "./lib/router";
import { setTheme, useTheme, type Theme } from "./lib/theme";
import { connection, present, useLive } from "./store/live";
import type { RunState } from "./store/messages";

const away = (): boolean => present().link !== "open";

const SignIn = lazy(async () => ({ default: (await patiently(() => import("./views/parts/SignIn"), away)).SignIn }));

const NAMES: Readonly<Record<View, string>> = {
  live: "Live",
  cluster: "Cluster",
  scheduler: "Scheduler",
  learning: "Learning",
  history: "History",
  operations: "Operations",
};

const SHAPES: Readonly<Record<View, string>> = {
  live: "M1.5 9h3l2-5.5 3 9 2-5h3",
  cluster: "M2 3.5h7M5 8h9M2 12.5h6",
  scheduler: "M2 14V8M6 14V3M10 14V6M14 14v-4",
  learning: "M2 13c3 0 3-9 6-9s2 5 6 5M2 2v12h12",
  history: "M8 4.5V8l2.5 1.5M2.5 8a5.5 5.5 0 1 0 1.7-4M2.3 2v2.6h2.6",
  operations: "M2.5 3h11v4h-11zM2.5 9.5h11v4h-11zM5 5h.01M5 11.5h.01",
};

const PAGES: Readonly<Record<View, ComponentType>> = {
  live: lazy(() => patiently(() => import("./views/Live"), away)),
  cluster: lazy(() => patiently(() => import("./views/Cluster"), away)),
  scheduler: lazy(() => patiently(() => import("./views/Scheduler"), away)),
  learning: lazy(() => patiently(() => import("./views/Learning"), away)),
  history: lazy(() => patiently(() => import("./views/History"), away)),
  operations: lazy(() => patiently(() => import("./views/Operations"), away)),
};

const TONES: Readonly<Record<RunState, string>> = {
  running: "good",
  paused: "warn",
  starting: "",
  stopping: "warn",
  stopped: "",
  blocked: "bad",
  failed: "bad",
};

function Navigation({ view }: { readonly view: View }): ReactNode {
  return (
    <nav className="nav" aria-label="Views">
      <ul className="nav-list">
        {VIEWS.map((name) => (
          <li key={name}>
            <a className="nav-link" href={routeHash(name)} aria-current={name === view ? "page" : undefined}>
              <svg viewBox="0 0 16 16" aria-hidden="true">
                <path d={SHAPES[name]} />
              </svg>
              <span>{NAMES[name]}</span>
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function TopBar(): ReactNode {
  const run = useLive((found) => found.run);
  const link = useLive((found) => found.link);
  const { locked } = useSession();
  const theme = useTheme();
  const next: Theme = theme === "system" ? "light" : theme === "light" ? "dark" : "system";
  return (
    <header className="topbar">
      <div className="topbar-facts">
        <span className={`chip chip-${run ? TONES[run.state] : ""}`}>{run?.state ?? "no run yet"}</span>
        <span className="topbar-fact wide">
          <span>Run</span>
          <span className="mono">{run?.run_id ?? UNKNOWN}</span>
        </span>
        <span className="topbar-fact">
          <span>Tasks</span>
          <span>{run ? whole(run.tasks_processed) : UNKNOWN}</span>
        </span>
        <span className="topbar-fact wide">
          <span>Simulated</span>
          <span>{clock(run?.time_s)}</span>
        </span>
        <span className="topbar-fact wide">
          <span>Speed</span>
          <span>{run ? speedText(run.speed) : UNKNOWN}</span>
        </span>
      </div>
      <span className="topbar-space" />
      <span className="link-state" role="status">
        <span className={`dot dot-${link}`} aria-hidden="true" />
        <span className="wide">{link === "open" ? "live" : locked ? "signed out" : link === "lost" ? "connection lost" : "connecting"}</span>
        {link === "open" ? <span className="visually-hidden">connected</span> : null}
      </span>
      <button type="button" className="icon-button" aria-label={`Colours: ${theme}. Change to ${next}`} title={`Colours: ${theme}`} onClick={() => setTheme(next)}>
        <svg viewBox="0 0 16 16" width="15" height="15" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
          {theme === "system" ? (
            <path d="M2 3h12v8H2zM6 14h4" />
          ) : theme === "light" ? (
            <path d="M8 5.2a2.8 2.8 0 1 0 0 5.6a2.8 2.8 0 1 0 0-5.6zM8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8 13 13M13 3l-1.2 1.2M4.2 11.8 3 13" />
          ) : (
            <path d="M13 9.8A5.6 5.6 0 0 1 6.2 3a5.6 5.6 0 1 0 6.8 6.8z" />
          )}
        </svg>
      </button>
    </header>
  );
}

function Banner(): ReactNode {
  const { locked } = useSession();
  const link = useLive((found) => found.link);
  const since = useLive((found) => found.linkSince);
  const message = useLive((found) => found.run?.message ?? null);
  const state = useLive((found) => found.run?.state);
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (link !== "lost") return;
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [link]);
  if (link === "lost" && !locked)
    return (
      <div className="banner" role="alert">
        <span>The connection is lost since {format(Math.max(0, Math.round((now - since) / 1000)), "s")}. What is shown may be old; it is tried again by itself.</span>
        <Button onClick={connection.now}>Try now</Button>
      </div>
    );
  if (message && (state === "blocked" || state === "failed"))
    return (
      <div className="banner banner-bad" role="alert">
        <span>
          The run {state === "blocked" ? "waits" : "has failed"}: {message}
        </span>
      </div>
    );
  return null;
}

/** A view that fails must not take the page with it. */
class Guard extends Component<{ readonly children: ReactNode }, { readonly error: Error | null }> {
  override state = { error: null as Error | null };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override render(): ReactNode {
    if (!this.state.error) return this.props.children;
    if (this.state.error instanceof LoadError)
      return (
        <StateBlock kind="error" title="This view is not there" action={<Button onClick={() => location.reload()}>Load the page anew</Button>}>
          {this.state.error.message}
        </StateBlock>
      );
    return (
      <StateBlock kind="error" title="This view has failed" action={<Button onClick={() => this.setState({ error: null })}>Show it again</Button>}>
        {this.state.error.message}
      </StateBlock>
    );
  }
}

export function App(): ReactNode {
  const { view } = useRoute();
  const { locked } = useSession();
  const Page = PAGES[view];
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    if (!locked) connection.now();
  }, [locked]);
  useEffect(() => {
    document.title = `${NAMES[view]} · Hybrid ML Scheduler`;
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false;
  }, [view]);
  return (
    <div className="shell">
      <a
        className="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to the content
      </a>
      <div className="brand">
        <img src="./icon.svg" alt="" width="20" height="20" />
        <span>Hybrid ML</span>
      </div>
      <Navigation view={view} />
      <TopBar />
      <Banner />
      <main ref={main} id="main" className="main" tabIndex={-1}>
        <Guard key={view}>
          <Suspense fallback={<StateBlock kind="loading" title="Loading" />}>{locked ? <SignIn /> : <Page />}</Suspense>
        </Guard>
      </main>
      <Notices />
    </div>
  );
}
