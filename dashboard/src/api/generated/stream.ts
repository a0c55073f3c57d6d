// Written by scripts/generate.mjs from the service's own description; a test holds it up to date.
export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * Device
         * @description One device of a lane.
         */
        readonly Device: {
            /**
             * Held
             * @description Share in use, 0 to 1.
             */
            readonly held: number;
            /**
             * Kind
             * @description cpu, the GPU's model, or machine for one of several unrelated machines.
             */
            readonly kind: string;
            /**
             * Name
             * @description NODE for the cores of a node, NODE/gpuK for its GPU K.
             * @example workstation/gpu0
             */
            readonly name: string;
            /**
             * Tasks
             * @description Tasks on it, at most 64.
             */
            readonly tasks: readonly number[];
        };
        /**
         * DeviceError
         * @description The guardrail's view of one class of devices: running means of absolute differences of logarithms of times.
         */
        readonly DeviceError: {
            /** Device */
            readonly device: string;
            /**
             * Log Error
             * @description Of the model.
             */
            readonly log_error: number;
            /**
             * Nominal Log Error
             * @description Of what a rule assumes.
             */
            readonly nominal_log_error: number;
            /** Outcomes */
            readonly outcomes: number;
        };
        /**
         * DevicesBody
         * @description Topic devices: what each policy has on each device.
         */
        readonly DevicesBody: {
            /** Devices */
            readonly devices: {
                readonly [key: string]: readonly components["schemas"]["Device"][];
            };
            /** Time S */
            readonly time_s: number;
        };
        /**
         * DevicesMessage
         * @description About the devices.
         */
        readonly DevicesMessage: {
            readonly body: components["schemas"]["DevicesBody"];
            /**
             * Seq
             * @description Ascending within a process.
             */
            readonly seq: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            readonly topic: "devices";
            /**
             * Version
             * @constant
             */
            readonly version: 1;
        };
        /**
         * FinishedTask
         * @description What one scheduler made of one task.
         */
        readonly FinishedTask: {
            /** Arrival S */
            readonly arrival_s: number;
            /**
             * Compute Intensity
             * @description Parallel part of the work, 0 to 1.
             */
            readonly compute_intensity: number | null;
            /** Decided By */
            readonly decided_by: string | null;
            /** Finish S */
            readonly finish_s: number | null;
            /**
             * Fraction
             * @description Share of the work on the GPU, 0 to 1.
             */
            readonly fraction: number | null;
            /**
             * Gpus
             * @description Numbers of the GPUs of its node, separated by blanks.
             */
            readonly gpus: string | null;
            /** Model */
            readonly model: string | null;
            /** Reason */
            readonly reason: string | null;
            /** Scheduler */
            readonly scheduler: string;
            /**
             * Size
             * @description Nominal CPU time in seconds; null if it is not known any more.
             */
            readonly size: number | null;
            /** Start S */
            readonly start_s: number | null;
            /**
             * Status
             * @description finished, rejected, refused or withdrawn.
             */
            readonly status: string;
            /** Task Id */
            readonly task_id: number;
        };
        /**
         * HeartbeatFrame
         * @description There was nothing to say for a while.
         */
        readonly HeartbeatFrame: {
            /**
             * Cursor
             * @description Come back with it (?since=) to get only what has changed.
             */
            readonly cursor: string;
            /**
             * Type
             * @constant
             */
            readonly type: "heartbeat";
            /**
             * Version
             * @constant
             */
            readonly version: 1;
        };
        /**
         * LaneLearning
         * @description How good the predictions of a learned policy are; null where nothing is known.
         */
        readonly LaneLearning: {
            /**
             * Alarms
             * @description How often a detector of drift has rung since this version came into use.
             */
            readonly alarms: number;
            /**
             * Below
             * @description Share of these that took less than the quantile of 10 %; 0.1 is ideal. The rest took more than that of 90 %.
             */
            readonly below: number | null;
            /**
             * Comparisons
             * @description Replays against the rule that count.
             */
            readonly comparisons: number;
            /**
             * Coverage
             * @description Share of sampled outcomes between the quantiles of 10 % and 90 %; 0.8 is ideal.
             */
            readonly coverage: number | null;
            /**
             * Coverage Outcomes
             * @description How many were sampled for it, at most 512.
             */
            readonly coverage_outcomes: number;
            /**
             * Decides
             * @description model, or why the rule decides now: fallback_...
             */
            readonly decides: string;
            /** Devices */
            readonly devices: readonly components["schemas"]["DeviceError"][];
            /**
             * Falls
             * @description How often the guardrail has fallen.
             */
            readonly falls: number;
            /**
             * Last Alarm S
             * @description When it last did, in simulated seconds.
             */
            readonly last_alarm_s: number | null;
            /**
             * Log Error
             * @description Running mean of |log(predicted / true)|.
             */
            readonly log_error: number | null;
            /** Model */
            readonly model: string;
            /**
             * Nominal Log Error
             * @description The same for what a rule assumes.
             */
            readonly nominal_log_error: number | null;
            /**
             * Outcomes
             * @description Parts of finished tasks that were compared.
             */
            readonly outcomes: number;
            /**
             * Pairs
             * @description A sample of the newest predictions, oldest first, at most 60.
             */
            readonly pairs: readonly components["schemas"]["PredictedPart"][];
            /** Policy */
            readonly policy: string;
            /**
             * Shadow Log Ratio
             * @description Their record, log(model / rule); above 0 the model loses.
             */
            readonly shadow_log_ratio: number | null;
        };
        /**
         * LanesBody
         * @description Topic lanes: how each policy is doing.
         */
        readonly LanesBody: {
            /** Lanes */
            readonly lanes: readonly components["schemas"]["LaneSummary"][];
            /** Time S */
            readonly time_s: number;
        };
        /**
         * LanesMessage
         * @description About the policies.
         */
        readonly LanesMessage: {
            readonly body: components["schemas"]["LanesBody"];
            /**
             * Seq
             * @description Ascending within a process.
             */
            readonly seq: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            readonly topic: "lanes";
            /**
             * Version
             * @constant
             */
            readonly version: 1;
        };
        /**
         * LaneSummary
         * @description How one policy is doing; null where nothing is known.
         */
        readonly LaneSummary: {
            /**
             * Energy J
             * @description Busy energy of the finished tasks, in joules.
             */
            readonly energy_j: number | null;
            /**
             * Fallback Share
             * @description Share of the newest decisions that the rule behind a learned policy took, 0 to 1.
             */
            readonly fallback_share: number | null;
            /**
             * Finished
             * @description Tasks finished so far.
             */
            readonly finished: number;
            /**
             * Mean Response S
             * @description Over the newest finished tasks, in simulated seconds.
             */
            readonly mean_response_s: number | null;
            /**
             * Message
             * @default null
             */
            readonly message?: string | null;
            /**
             * Model
             * @description Model in use, name@version.
             */
            readonly model: string | null;
            /**
             * P95 Response S
             * @description Over the newest finished tasks, in simulated seconds.
             */
            readonly p95_response_s: number | null;
            /** Policy */
            readonly policy: string;
            /**
             * Queue Length
             * @description Tasks waiting now.
             */
            readonly queue_length: number;
            /**
             * Refused
             * @description Tasks refused so far.
             */
            readonly refused: number;
            /**
             * Regret To Oracle
             * @description Mean response time over the oracle's, minus one, over the newest tasks.
             */
            readonly regret_to_oracle: number | null;
            /**
             * Running
             * @description Tasks running now.
             */
            readonly running: number;
            /**
             * State
             * @description running, saturated (refuses tasks until its queue is shorter) or finished.
             */
            readonly state: string;
            /**
             * Utilization Cpu
             * @description Share of cores in use, 0 to 1.
             */
            readonly utilization_cpu: number | null;
            /**
             * Utilization Gpu
             * @description Share of GPUs in use, 0 to 1.
             */
            readonly utilization_gpu: number | null;
        };
        /**
         * LearningBody
         * @description Topic learning: how learning in the running service is doing, how good predictions are, and what trainings brought.
         */
        readonly LearningBody: {
            /** Lanes */
            readonly lanes: readonly components["schemas"]["LaneLearning"][];
            /** Last At Tasks */
            readonly last_at_tasks: number | null;
            /** Last Error */
            readonly last_error: string | null;
            /**
             * State
             * @description off, waiting, training or failed (the model in use stayed).
             */
            readonly state: string;
            /** Time S */
            readonly time_s: number;
            /**
             * Trainings
             * @description Oldest first, at most 50.
             */
            readonly trainings: readonly components["schemas"]["Training"][];
            /**
             * Versions
             * @description Models that were swapped in, newest last.
             */
            readonly versions: readonly string[];
        };
        /**
         * LearningMessage
         * @description About learning.
         */
        readonly LearningMessage: {
            readonly body: components["schemas"]["LearningBody"];
            /**
             * Seq
             * @description Ascending within a process.
             */
            readonly seq: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            readonly topic: "learning";
            /**
             * Version
             * @constant
             */
            readonly version: 1;
        };
        /**
         * PingFrame
         * @description What a client may send: it is answered by a pong.
         */
        readonly PingFrame: {
            /**
             * Type
             * @constant
             */
            readonly type: "ping";
        };
        /**
         * PongFrame
         * @description The answer to a ping.
         */
        readonly PongFrame: {
            /**
             * Cursor
             * @description Come back with it (?since=) to get only what has changed.
             */
            readonly cursor: string;
            /**
             * Type
             * @constant
             */
            readonly type: "pong";
            /**
             * Version
             * @constant
             */
            readonly version: 1;
        };
        /**
         * PredictedPart
         * @description What a learned policy expected of one part of a finished task, and what it took; times in simulated seconds.
         */
        readonly PredictedPart: {
            /** Decided By */
            readonly decided_by: string;
            /**
             * Device
             * @description cpu, the GPU model that the part ran on, processors of a pool, or node.
             */
            readonly device: string;
            /**
             * Finish S
             * @description When the task ended.
             */
            readonly finish_s: number;
            /**
             * High S
             * @description Quantile of 90 %.
             */
            readonly high_s: number | null;
            /** Kind */
            readonly kind: string | null;
            /**
             * Low S
             * @description Quantile of 10 %.
             */
            readonly low_s: number | null;
            /**
             * Nominal S
             * @description What a rule assumes.
             */
            readonly nominal_s: number;
            /**
             * Predicted S
             * @description What the model said when the task was decided, whoever decided.
             */
            readonly predicted_s: number;
            /** Task Id */
            readonly task_id: number;
            /** True S */
            readonly true_s: number;
        };
        /**
         * Retraining
         * @description How learning in the running service is doing.
         */
        readonly Retraining: {
            /** Last At Tasks */
            readonly last_at_tasks: number | null;
            /** Last Error */
            readonly last_error: string | null;
            /**
             * State
             * @description off, waiting, training or failed (the model in use stayed).
             */
            readonly state: string;
            /**
             * Versions
             * @description Models that were swapped in, newest last.
             */
            readonly versions: readonly string[];
        };
        /**
         * RunBody
         * @description Topic run: where the run stands.
         */
        readonly RunBody: {
            /**
             * Message
             * @description Why a run is blocked or has failed.
             */
            readonly message: string | null;
            readonly request: components["schemas"]["StreamRequest"] | null;
            readonly retraining: components["schemas"]["Retraining"];
            /** Run Id */
            readonly run_id: number | null;
            /**
             * Speed
             * @description Simulated seconds per real second; null: as fast as possible.
             */
            readonly speed: number | null;
            /**
             * Started At
             * @description ISO 8601, UTC.
             */
            readonly started_at: string | null;
            readonly state: components["schemas"]["RunState"];
            /** Tasks Arrived */
            readonly tasks_arrived: number;
            /**
             * Tasks Processed
             * @description Tasks whose results from every lane are in the journal; never falls during a run.
             */
            readonly tasks_processed: number;
            /**
             * Time S
             * @description Simulated time in seconds.
             */
            readonly time_s: number;
        };
        /**
         * RunMessage
         * @description About the run.
         */
        readonly RunMessage: {
            readonly body: components["schemas"]["RunBody"];
            /**
             * Seq
             * @description Ascending within a process.
             */
            readonly seq: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            readonly topic: "run";
            /**
             * Version
             * @constant
             */
            readonly version: 1;
        };
        /**
         * RunState
         * @description Where a run stands.
         * @enum {string}
         */
        readonly RunState: "stopped" | "starting" | "running" | "paused" | "stopping" | "blocked" | "failed";
        /**
         * SnapshotFrame
         * @description The present state of the topics that were asked for: the first frame, and one after every subscription.
         */
        readonly SnapshotFrame: {
            /**
             * Cursor
             * @description Come back with it (?since=) to get only what has changed.
             */
            readonly cursor: string;
            /** Messages */
            readonly messages: readonly (components["schemas"]["RunMessage"] | components["schemas"]["LanesMessage"] | components["schemas"]["DevicesMessage"] | components["schemas"]["TasksMessage"] | components["schemas"]["StorageMessage"] | components["schemas"]["LearningMessage"])[];
            /** Topics */
            readonly topics: readonly ("run" | "lanes" | "devices" | "tasks" | "storage" | "learning")[];
            /**
             * Type
             * @constant
             */
            readonly type: "snapshot";
            /**
             * Version
             * @constant
             */
            readonly version: 1;
        };
        /**
         * StorageBody
         * @description Topic storage: rows written, and how many of them are not in the database yet.
         */
        readonly StorageBody: {
            /** Lag Rows */
            readonly lag_rows: number;
            /**
             * Rows
             * @description Rows of each stream of the journal.
             */
            readonly rows: {
                readonly [key: string]: number;
            };
        };
        /**
         * StorageMessage
         * @description About what is stored.
         */
        readonly StorageMessage: {
            readonly body: components["schemas"]["StorageBody"];
            /**
             * Seq
             * @description Ascending within a process.
             */
            readonly seq: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            readonly topic: "storage";
            /**
             * Version
             * @constant
             */
            readonly version: 1;
        };
        /**
         * StreamRequest
         * @description What the run was asked to be, with the seed that was drawn.
         */
        readonly StreamRequest: {
            /** Cluster */
            readonly cluster: string | null;
            /** Load */
            readonly load: number;
            /** Max Tasks */
            readonly max_tasks: number | null;
            /** Objective */
            readonly objective: string | null;
            /** Policies */
            readonly policies: readonly string[];
            /**
             * Retrain Every
             * @description In finished tasks; null: never.
             */
            readonly retrain_every: number | null;
            /** Seed */
            readonly seed: number | null;
            /**
             * Speed
             * @description Simulated seconds per real second; null: as fast as possible.
             */
            readonly speed: number | null;
            /** Workload */
            readonly workload: string;
        };
        /**
         * SubscribeFrame
         * @description What a client may send: another choice of topics.
         */
        readonly SubscribeFrame: {
            /** Topics */
            readonly topics: readonly ("run" | "lanes" | "devices" | "tasks" | "storage" | "learning")[];
            /**
             * Type
             * @constant
             */
            readonly type: "subscribe";
        };
        /**
         * TasksBody
         * @description Topic tasks: results as they come, as a sample when there are many.
         */
        readonly TasksBody: {
            /**
             * Finished
             * @description In an update at most 50, in a snapshot the newest 200.
             */
            readonly finished: readonly components["schemas"]["FinishedTask"][];
            /**
             * Results
             * @description How many results this message stands for.
             */
            readonly results: number;
            /** Time S */
            readonly time_s: number;
            /**
             * Total
             * @description How many results the run has by now.
             */
            readonly total: number;
        };
        /**
         * TasksMessage
         * @description About finished tasks.
         */
        readonly TasksMessage: {
            readonly body: components["schemas"]["TasksBody"];
            /**
             * Seq
             * @description Ascending within a process.
             */
            readonly seq: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            readonly topic: "tasks";
            /**
             * Version
             * @constant
             */
            readonly version: 1;
        };
        /**
         * Training
         * @description One training of one policy's model, and what it brought on the newest outcomes, which were held out.
         */
        readonly Training: {
            /**
             * At Tasks
             * @description tasks_processed when it began.
             */
            readonly at_tasks: number;
            /**
             * Before
             * @description Model before it, name@version.
             */
            readonly before: string;
            /**
             * Error After
             * @description The same of a model trained the same way without the held-out outcomes.
             */
            readonly error_after: number | null;
            /**
             * Error Before
             * @description Mean absolute log error of the model before.
             */
            readonly error_before: number | null;
            /**
             * Held Out
             * @description The newest of them, on which the errors were measured; 0: too few.
             */
            readonly held_out: number;
            /**
             * Model
             * @description Model after it.
             */
            readonly model: string;
            /** Policy */
            readonly policy: string;
            /**
             * Rows
             * @description Outcomes that it learned from.
             */
            readonly rows: number;
            /**
             * Time S
             * @description Simulated time of the swap.
             */
            readonly time_s: number;
        };
        /**
         * UpdateFrame
         * @description What is new: at most one message per topic.
         */
        readonly UpdateFrame: {
            /**
             * Cursor
             * @description Come back with it (?since=) to get only what has changed.
             */
            readonly cursor: string;
            /** Messages */
            readonly messages: readonly (components["schemas"]["RunMessage"] | components["schemas"]["LanesMessage"] | components["schemas"]["DevicesMessage"] | components["schemas"]["TasksMessage"] | components["schemas"]["StorageMessage"] | components["schemas"]["LearningMessage"])[];
            /**
             * Type
             * @constant
             */
            readonly type: "update";
            /**
             * Version
             * @constant
             */
            readonly version: 1;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
