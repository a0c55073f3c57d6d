import type { ReactNode } from "react";
import { StateBlock } from "../components/StateBlock";
import { useLive } from "../store/live";
import { Queues, Race, TaskStream, Utilisation } from "./live/charts";
import { Facts, ModelEvents } from "./live/events";
import { Leaderboard } from "./live/Leaderboard";
import { RunBar } from "./live/RunBar";
import "../styles/live.css";

export default function Live(): ReactNode {
  const known = useLive((found) => found.run !== null);
  const link = useLive((found) => found.link);
  const cursor = useLive((found) => found.cursor);
  return (
    <>
      <RunBar />
      {known ? (
        <div className="grid">
          <Facts />
          <Leaderboard />
          <Race />
          <Queues />
          <Utilisation />
          <TaskStream />
          <ModelEvents />
        </div>
      ) : cursor === null ? (
        <StateBlock kind="loading" title={link === "lost" ? "Waiting for the service" : "Connecting"} />
      ) : (
        <StateBlock kind="empty" title="There has been no run yet">
          Start one: the policies get the same tasks, side by side, and everything they do is shown and kept.
        </StateBlock>
      )}
    </>
  );
}
