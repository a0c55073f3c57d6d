/** Frames and messages of the live stream, `docs/api.md`, as the service describes them (`api/generated/stream.ts`). */
import type { components } from "../api/generated/stream";

type Schemas = components["schemas"];

export type Device = Schemas["Device"];
export type Lane = Schemas["LaneSummary"];
export type RunRequest = Schemas["StreamRequest"];
export type Learning = Schemas["LearningBody"];
export type RunState = Schemas["RunState"];
export type Run = Schemas["RunBody"];
export type Lanes = Schemas["LanesBody"];
export type Devices = Schemas["DevicesBody"];
export type FinishedTask = Schemas["FinishedTask"];
export type Tasks = Schemas["TasksBody"];
export type Storage = Schemas["StorageBody"];

export type Frame = Schemas["SnapshotFrame"] | Schemas["UpdateFrame"] | Schemas["HeartbeatFrame"] | Schemas["PongFrame"];
export type Message = Schemas["SnapshotFrame"]["messages"][number];
export type Topic = Message["topic"];
export type Bodies = { readonly [T in Topic]: Extract<Message, { readonly topic: T }>["body"] };
export type LaneLearning = Schemas["LaneLearning"];
export type PredictedPart = Schemas["PredictedPart"];
export type Training = Schemas["Training"];
