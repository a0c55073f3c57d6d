// Written by scripts/generate.mjs from the service's own description; a test holds it up to date.
export interface paths {
    readonly "/api/full_history": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Results of a run
         * @description What each scheduler made of each task, newest first; `next` of one page is `before` of the next. As a stream: everything, oldest first.
         *
         *     Scope: read.
         */
        readonly get: operations["full_history_api_full_history_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/history": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        readonly post?: never;
        /**
         * Delete a run, or all of them
         * @description Needs `run_id` or `all=true`. Database and journal go together. A run that is going on must be stopped first.
         *
         *     Scope: control.
         */
        readonly delete: operations["delete_history_api_history_delete"];
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/history/comparative": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Schedulers side by side
         * @description Statistics of all schedulers of a run: means, quantiles, wins, regret against the oracle.
         *
         *     Scope: read.
         */
        readonly get: operations["comparative_api_history_comparative_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/pause": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Pause the run
         * @description Paused already: 200.
         *
         *     Scope: control.
         */
        readonly post: operations["pause_api_pause_post"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/resume": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Go on with a paused run
         * @description Running already: 200.
         *
         *     Scope: control.
         */
        readonly post: operations["resume_api_resume_post"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/speed": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Change the speed of the run
         * @description Simulated seconds per real second, or "max".
         *
         *     Scope: control.
         */
        readonly post: operations["speed_api_speed_post"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/start": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Start a run
         * @description Start a new run. While one is going on: 409, and that run is not touched. Where keys are needed, files of the server are only those of the
         *     folder HMS_WORKLOAD_DIR.
         *
         *     Scope: control.
         */
        readonly post: operations["start_api_start_post"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/status": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Where the run stands
         * @description State, tasks processed, lanes with their queues and devices, retraining, and how far the database is behind.
         *
         *     Scope: read.
         */
        readonly get: operations["status_api_status_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/stop": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Stop the run
         * @description Answers when the run has stopped; stopped already: 200.
         *
         *     Scope: control.
         */
        readonly post: operations["stop_api_stop_post"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/audit": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Who changed what
         * @description Every call that changed something or tried to, newest first; written to the database within moments, and never changed there.
         *
         *     Scope: admin.
         */
        readonly get: operations["audit_api_v1_audit_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/compare": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Compare two runs
         * @description Scheduler by scheduler.
         *
         *     Scope: read.
         */
        readonly get: operations["compare_api_v1_compare_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/compare/paired": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Compare two runs task by task
         * @description Each scheduler of the second run against the same one of the first, on the newest tasks that both runs have.
         *
         *     Scope: read.
         */
        readonly get: operations["compare_paired_api_v1_compare_paired_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/keys": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * API keys
         * @description All that there are and were, oldest first; never the keys themselves.
         *
         *     Scope: admin.
         */
        readonly get: operations["keys_api_v1_keys_get"];
        readonly put?: never;
        /**
         * Make an API key
         * @description The answer holds the key: it is shown this once. With the first key the service stops being open.
         *
         *     Scope: admin.
         */
        readonly post: operations["create_key_api_v1_keys_post"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/keys/{key_id}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        readonly post?: never;
        /**
         * Revoke an API key
         * @description It is refused within a second in every process, together with sign-ins that were made with it. Cannot be undone.
         *
         *     Scope: admin.
         */
        readonly delete: operations["revoke_key_api_v1_keys__key_id__delete"];
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/models": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Models that retraining made
         * @description Newest first, failed trainings included; of one run if `run_id` is given.
         *
         *     Scope: read.
         */
        readonly get: operations["models_api_v1_models_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/models/store": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Models of the model store
         * @description All versions of all models that policies can use, those that come with the program included.
         *
         *     Scope: read.
         */
        readonly get: operations["stored_models_api_v1_models_store_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/models/store/{name}/{version}/features": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * What a model asks about
         * @description Counted in its file: on which features its trees split, and how often.
         *
         *     Scope: read.
         */
        readonly get: operations["model_features_api_v1_models_store__name___version__features_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/models/store/{name}/promote": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Put a version into use
         * @description Runs that begin from now on take it; lanes that are going on keep theirs until their own retraining replaces it.
         *
         *     Scope: control.
         */
        readonly post: operations["promote_api_v1_models_store__name__promote_post"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/models/store/{name}/rollback": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Back to the version before
         * @description Puts into use what was in use before the last promotion.
         *
         *     Scope: control.
         */
        readonly post: operations["rollback_api_v1_models_store__name__rollback_post"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/operations": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * How the service is doing
         * @description Response times per route, event loop, pools, caches, refusals and the newest troubles. No secrets.
         *
         *     Scope: read.
         */
        readonly get: operations["operations_api_v1_operations_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/policies": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Policies that can be named
         * @description Usual ones; every other composition order[+backfill][+placement][+split] of their parts can be named too.
         *
         *     Scope: read.
         */
        readonly get: operations["policies_api_v1_policies_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/run/policies": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Add a policy to the run
         * @description It gets a lane of its own, and the tasks that arrive from now on.
         *
         *     Scope: control.
         */
        readonly post: operations["add_policy_api_v1_run_policies_post"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/run/policies/{policy}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        readonly post?: never;
        /**
         * Take a policy out of the run
         * @description Tasks that it has not finished are recorded as withdrawn.
         *
         *     Scope: admin.
         */
        readonly delete: operations["remove_policy_api_v1_run_policies__policy__delete"];
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/run/timeline": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * What one lane does right now
         * @description Tasks that it finished lately, those on its devices, and its queue: from memory, so without the delay of the database.
         *
         *     Scope: read.
         */
        readonly get: operations["timeline_api_v1_run_timeline_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/run/trail": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * How the lanes have done so far
         * @description For the charts of a page that is opened in the middle of a run.
         *
         *     Scope: read.
         */
        readonly get: operations["trail_api_v1_run_trail_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/runs": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * All runs
         * @description Newest first. While the database is away: those that have a journal here.
         *
         *     Scope: read.
         */
        readonly get: operations["runs_api_v1_runs_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/runs/{run_id}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * One run
         * @description What was run, with which policies, and how it ended.
         *
         *     Scope: read.
         */
        readonly get: operations["run_api_v1_runs__run_id__get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/runs/{run_id}/differences": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Schedulers against one, task by task
         * @description Each scheduler against the reference on the newest tasks that both finished: mean differences with 95 % intervals, and tests.
         *
         *     Scope: read.
         */
        readonly get: operations["differences_api_v1_runs__run_id__differences_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/runs/{run_id}/distribution": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * How results are spread
         * @description Distributions of response and waiting times, where tasks were placed by size and intensity, and who decided.
         *
         *     Scope: read.
         */
        readonly get: operations["distribution_api_v1_runs__run_id__distribution_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/runs/{run_id}/divergence": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Where two schedulers part
         * @description The first task whose node, GPUs or GPU fraction differ, among the 50,000 from `from_task` on.
         *
         *     Scope: read.
         */
        readonly get: operations["divergence_api_v1_runs__run_id__divergence_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/runs/{run_id}/report": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * A run as a report
         * @description One HTML file, to be kept: schedulers, distributions, differences to the oracle, and what the numbers mean.
         *
         *     Scope: read.
         */
        readonly get: operations["report_api_v1_runs__run_id__report_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/runs/{run_id}/results": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Results of a run
         * @description What each scheduler made of each task, newest first; as a stream: everything, oldest first.
         *
         *     Scope: read.
         */
        readonly get: operations["results_api_v1_runs__run_id__results_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/runs/{run_id}/schedule": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * When and where tasks ran
         * @description In the order of the tasks, for the replay of a run.
         *
         *     Scope: read.
         */
        readonly get: operations["schedule_api_v1_runs__run_id__schedule_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/runs/{run_id}/statistics": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Statistics of a run
         * @description Means, quantiles, wins and regret of each scheduler, or of one; as much work for a million tasks as for ten.
         *
         *     Scope: read.
         */
        readonly get: operations["statistics_api_v1_runs__run_id__statistics_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/runs/{run_id}/tasks": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Tasks of a run
         * @description Tasks as policies see them, newest first; as a stream: all of them, oldest first.
         *
         *     Scope: read.
         */
        readonly get: operations["tasks_api_v1_runs__run_id__tasks_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/runs/{run_id}/tasks/{task_id}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * One task
         * @description The task, and what each scheduler made of it.
         *
         *     Scope: read.
         */
        readonly get: operations["task_api_v1_runs__run_id__tasks__task_id__get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/runs/{run_id}/tasks/{task_id}/explanation": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Why a task was placed where it was
         * @description The decision taken again, with everything that was considered.
         *
         *     Scope: decide.
         */
        readonly get: operations["explanation_api_v1_runs__run_id__tasks__task_id__explanation_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/runs/{run_id}/training": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Training rows of a run
         * @description Observed outcomes that models are trained on, newest first; as a stream: everything, oldest first.
         *
         *     Scope: read.
         */
        readonly get: operations["training_api_v1_runs__run_id__training_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/runs/{run_id}/windows": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Statistics over time
         * @description How one scheduler did in each window of simulated time, newest window first.
         *
         *     Scope: read.
         */
        readonly get: operations["windows_api_v1_runs__run_id__windows_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/session": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Who am I?
         * @description Whether one has to sign in here, and as whom the credentials of this request are known. Needs none.
         */
        readonly get: operations["who_api_v1_session_get"];
        readonly put?: never;
        /**
         * Sign in
         * @description With a key, or with name and password. The answer holds a token for `Authorization: Bearer`, and a cookie that only renewing uses.
         */
        readonly post: operations["sign_in_api_v1_session_post"];
        /**
         * Sign out
         * @description Ends the sign-in of the cookie, with all its tokens, in every process; without one nothing happens.
         */
        readonly delete: operations["sign_out_api_v1_session_delete"];
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/session/refresh": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Renew a sign-in
         * @description Takes the cookie, gives a new token and a new cookie. A cookie that is used again later ends the sign-in: somebody has copied it.
         */
        readonly post: operations["refresh_api_v1_session_refresh_post"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/workloads": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Workloads that can be named
         * @description Presets, and the generator of batch jobs; a trace on the server, or an uploaded one, can be named as well.
         *
         *     Scope: read.
         */
        readonly get: operations["workloads_api_v1_workloads_get"];
        readonly put?: never;
        /**
         * Upload a workload
         * @description The body is the file as it is, plain or gzip, in any format that `hms workload` reads. It is read in a process of its own, and kept under
         *     the hash of its content.
         *
         *     Scope: control.
         */
        readonly post: operations["upload_api_v1_workloads_post"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/workloads/{sha256}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        readonly post?: never;
        /**
         * Delete an uploaded workload
         * @description A run that is going on with it must be stopped first; runs of the history lose their explanations.
         *
         *     Scope: control.
         */
        readonly delete: operations["delete_api_v1_workloads__sha256__delete"];
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/workloads/uploads": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Uploaded workloads
         * @description Newest first; `workload` is what a start names.
         *
         *     Scope: read.
         */
        readonly get: operations["uploads_api_v1_workloads_uploads_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/health": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Health of the service
         * @description The same as `/health/ready`.
         */
        readonly get: operations["health_health_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/health/info": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Facts about the service
         * @description Versions, kind of database, lag and uptime. No secrets, no names of servers.
         *
         *     Scope: read.
         */
        readonly get: operations["info_health_info_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/health/live": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Whether the process answers
         * @description Answers once the interrupted run, if there was one, has been taken up again.
         */
        readonly get: operations["live_health_live_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/health/ready": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Whether the service can do its work
         * @description Asks database and Redis for an answer. 503 once the database has been away for longer than HMS_DATABASE_AWAY_MAX_S; 200 and `degraded`
         *     before that, and while a configured Redis is away: nothing is lost without it.
         */
        readonly get: operations["ready_health_ready_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/metrics": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Metrics for Prometheus
         * @description Everything that is counted and measured, in Prometheus' text format or OpenMetrics.
         *
         *     Scope: read.
         */
        readonly get: operations["metrics_metrics_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/metrics/prometheus": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The same metrics
         * @description The same as `/metrics`.
         *
         *     Scope: read.
         */
        readonly get: operations["metrics_prometheus_metrics_prometheus_get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/problems/{name}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * What a kind of problem means
         * @description Where the `type` of a problem leads to.
         */
        readonly get: operations["problem_problems__name__get"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * Alive
         * @description The process answers.
         */
        readonly Alive: {
            /**
             * Status
             * @example ok
             */
            readonly status: string;
        };
        /**
         * ApiKeyAnswer
         * @description What is known about an API key.
         */
        readonly ApiKeyAnswer: {
            /**
             * Created At
             * @description ISO 8601, UTC.
             */
            readonly created_at: string;
            /** Expires At */
            readonly expires_at: string | null;
            /**
             * Id
             * @description Part of the key; no secret.
             */
            readonly id: string;
            /** Name */
            readonly name: string;
            /** Revoked At */
            readonly revoked_at: string | null;
            /** Scopes */
            readonly scopes: readonly string[];
        };
        /**
         * ApiKeyList
         * @description API keys, oldest first.
         */
        readonly ApiKeyList: {
            /** Keys */
            readonly keys: readonly components["schemas"]["ApiKeyAnswer"][];
        };
        /**
         * AuditEntry
         * @description One call that changed something, or tried to.
         */
        readonly AuditEntry: {
            /** Address */
            readonly address: string | null;
            /**
             * At
             * @description ISO 8601, UTC.
             */
            readonly at: string;
            /** Id */
            readonly id: number;
            /** Method */
            readonly method: string;
            /** Note */
            readonly note: string | null;
            /** Path */
            readonly path: string;
            /** Query */
            readonly query: string | null;
            /**
             * Status
             * @description Of the answer; 0 for commands.
             */
            readonly status: number;
            /**
             * Who
             * @description key:ID, user:NAME, anyone (the service is open), nobody (no credentials) or shell (the command line).
             */
            readonly who: string;
        };
        /**
         * AuditPage
         * @description Entries of the audit log, newest first.
         */
        readonly AuditPage: {
            /** Entries */
            readonly entries: readonly components["schemas"]["AuditEntry"][];
            /**
             * Next
             * @description Hand this over as `before` to get the next page; null if there is none.
             */
            readonly next: number | null;
        };
        /**
         * CacheUse
         * @description Questions to the cache of answers since the process began.
         */
        readonly CacheUse: {
            /**
             * Answer
             * @description rows, comparative, statistics, windows or compare.
             */
            readonly answer: string;
            /** Hits */
            readonly hits: number;
            /** Misses */
            readonly misses: number;
        };
        /**
         * CandidateAnswer
         * @description One place a task could have gone.
         */
        readonly CandidateAnswer: {
            /**
             * Fraction
             * @description Share of the work on the GPU, 0 to 1.
             */
            readonly fraction: number | null;
            /** Gpus */
            readonly gpus: readonly number[];
            /** Node */
            readonly node: number;
            /**
             * Score
             * @description The smallest wins.
             */
            readonly score: number | null;
        };
        /**
         * Comparative
         * @description All schedulers of one run side by side.
         */
        readonly Comparative: {
            /**
             * Run Id
             * @description null if there has never been a run.
             */
            readonly run_id: number | null;
            /** Schedulers */
            readonly schedulers: readonly components["schemas"]["Statistics"][];
        };
        /**
         * ComparedRuns
         * @description Two runs, scheduler by scheduler.
         */
        readonly ComparedRuns: {
            /** First */
            readonly first: number;
            /** Schedulers */
            readonly schedulers: readonly components["schemas"]["ComparedScheduler"][];
            /** Second */
            readonly second: number;
        };
        /**
         * ComparedScheduler
         * @description One scheduler in two runs.
         */
        readonly ComparedScheduler: {
            readonly first: components["schemas"]["Statistics"] | null;
            /**
             * Response Ratio
             * @description Mean response time of the second run over that of the first.
             */
            readonly response_ratio: number | null;
            /** Scheduler */
            readonly scheduler: string;
            readonly second: components["schemas"]["Statistics"] | null;
        };
        /**
         * Deleted
         * @description What was deleted.
         */
        readonly Deleted: {
            /**
             * Rows
             * @description Rows of the database that are gone; the journal went with them.
             */
            readonly rows: number;
        };
        /**
         * DeletedWorkload
         * @description What was deleted.
         */
        readonly DeletedWorkload: {
            /** Workload */
            readonly workload: string;
        };
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
         * Differences
         * @description All schedulers of a run against one of them, task by task.
         */
        readonly Differences: {
            /** Reference */
            readonly reference: string;
            /** Run Id */
            readonly run_id: number;
            /**
             * Schedulers
             * @description Those that have a task in common with the reference.
             */
            readonly schedulers: readonly components["schemas"]["PairedScheduler"][];
        };
        /**
         * DistributionAnswer
         * @description How the results of one scheduler are spread.
         */
        readonly DistributionAnswer: {
            readonly placements: components["schemas"]["PlacementsAnswer"];
            /**
             * Response
             * @description Cumulative distribution over the whole run: seconds (within 1 %), share of finished tasks that took no longer.
             */
            readonly response: readonly (readonly [
                number,
                number
            ])[];
            /** Run Id */
            readonly run_id: number;
            /** Scheduler */
            readonly scheduler: string;
            /**
             * Wait
             * @description The same of waiting times.
             */
            readonly wait: readonly (readonly [
                number,
                number
            ])[];
        };
        /**
         * Divergence
         * @description The first task that two schedulers put in different places.
         */
        readonly Divergence: {
            /** First */
            readonly first: string;
            /**
             * Looked Until
             * @description Tasks before this one were looked at; hand it over as `from_task` to look further.
             */
            readonly looked_until: number;
            /** Run Id */
            readonly run_id: number;
            /** Second */
            readonly second: string;
            /**
             * Task Id
             * @description null if there is none among those that were looked at.
             */
            readonly task_id: number | null;
        };
        /**
         * EnsembleUseAnswer
         * @description How often one ensemble of trees asks about each feature.
         */
        readonly EnsembleUseAnswer: {
            /**
             * Name
             * @description The prediction it makes.
             * @example cpu_low
             */
            readonly name: string;
            /**
             * Share
             * @description Splits on a feature over all splits, largest first.
             */
            readonly share: {
                readonly [key: string]: number;
            };
            /** Splits */
            readonly splits: number;
            /** Trees */
            readonly trees: number;
        };
        /**
         * ExplanationAnswer
         * @description Why a task was started when and where it was, recomputed.
         */
        readonly ExplanationAnswer: {
            /** Candidates */
            readonly candidates: readonly components["schemas"]["CandidateAnswer"][];
            readonly chosen: components["schemas"]["CandidateAnswer"];
            /** Decided By */
            readonly decided_by: string;
            /** Notes */
            readonly notes: readonly string[];
            /** Order Score */
            readonly order_score: number | null;
            /** Policy */
            readonly policy: string;
            /** Predictions */
            readonly predictions: readonly components["schemas"]["PredictionAnswer"][];
            /** Queue Length */
            readonly queue_length: number;
            /** Run Id */
            readonly run_id: number;
            /** Task Id */
            readonly task_id: number;
            /** Time S */
            readonly time_s: number;
        };
        /**
         * Failure
         * @description A warning or error of the log, or an answer of 500 or above.
         */
        readonly Failure: {
            /**
             * At
             * @description ISO 8601, UTC.
             */
            readonly at: string;
            /**
             * Level
             * @description warning, error or critical.
             */
            readonly level: string;
            /**
             * Message
             * @description At most 500 characters, secrets left out.
             */
            readonly message: string;
            /**
             * Request Id
             * @description As in the header X-Correlation-ID of the answer.
             */
            readonly request_id: string | null;
            /**
             * Route
             * @description Of an answer: method and route.
             */
            readonly route: string | null;
            /**
             * Source
             * @description Name of the logger, or http.
             */
            readonly source: string;
            /** Status */
            readonly status: number | null;
        };
        /**
         * FeatureUse
         * @description Which features the trees of a model ask about. How much each split gained is not in the file, and so not here.
         */
        readonly FeatureUse: {
            /**
             * Ensembles
             * @description Empty for a model without trees.
             */
            readonly ensembles: readonly components["schemas"]["EnsembleUseAnswer"][];
            /** Name */
            readonly name: string;
            /** Version */
            readonly version: number;
        };
        /**
         * FieldProblem
         * @description What is wrong with one value of a request.
         */
        readonly FieldProblem: {
            /**
             * Problem
             * @description What was expected.
             * @example Input should be greater than 0
             */
            readonly problem: string;
            /**
             * Where
             * @description Part of the request and name of the value.
             * @example body.load
             */
            readonly where: string;
        };
        /**
         * Format
         * @description How rows are sent.
         * @enum {string}
         */
        readonly Format: "json" | "ndjson" | "csv";
        /**
         * Health
         * @description Whether the service is well.
         */
        readonly Health: {
            /**
             * Checks
             * @description State of each part.
             */
            readonly checks: {
                readonly [key: string]: unknown;
            };
            /**
             * Status
             * @description ok, degraded (something optional is away, or the database for a moment) or unavailable.
             */
            readonly status: string;
        };
        /**
         * Info
         * @description Facts about the running service.
         */
        readonly Info: {
            /** Database */
            readonly database: {
                readonly [key: string]: unknown;
            };
            /** Live Stream */
            readonly live_stream: {
                readonly [key: string]: unknown;
            };
            /**
             * Process Id
             * @description Drawn at start; part of the cursors of the live stream.
             */
            readonly process_id: string;
            /** Python */
            readonly python: string;
            /** Redis */
            readonly redis: {
                readonly [key: string]: unknown;
            };
            /** Schema Version */
            readonly schema_version: string;
            /**
             * Security
             * @description auth: keys, open (no credentials are needed, on this machine) or insecure (nor for others).
             */
            readonly security: {
                readonly [key: string]: unknown;
            };
            /** Started At */
            readonly started_at: string;
            readonly storage: components["schemas"]["StorageStatus"];
            /** Uptime S */
            readonly uptime_s: number;
            /** Version */
            readonly version: string;
        };
        /**
         * KeyRequest
         * @description What a new key shall be.
         */
        readonly KeyRequest: {
            /**
             * Days
             * @description After which it ends; never if left out.
             */
            readonly days?: number | null;
            /**
             * Name
             * @description What it is for.
             * @example ci
             */
            readonly name: string;
            /**
             * Scopes
             * @description What it may do; control and decide come with read, admin with everything.
             * @example [
             *       "read"
             *     ]
             */
            readonly scopes: readonly ("read" | "control" | "decide" | "admin")[];
        };
        /**
         * Lane
         * @description How one policy and its devices are doing; null where nothing is known.
         */
        readonly Lane: {
            /** Devices */
            readonly devices: readonly components["schemas"]["Device"][];
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
            /** Message */
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
         * LoginRequest
         * @description Who signs in: a key, or name and password.
         */
        readonly LoginRequest: {
            /**
             * Key
             * @description An API key.
             */
            readonly key?: string | null;
            /**
             * Name
             * @description Of a user.
             */
            readonly name?: string | null;
            /**
             * Password
             * @description Of that user.
             */
            readonly password?: string | null;
        };
        /**
         * ModelInUse
         * @description What is in use now.
         */
        readonly ModelInUse: {
            /** Name */
            readonly name: string;
            /** Version */
            readonly version: number;
        };
        /**
         * NewApiKey
         * @description A new API key.
         */
        readonly NewApiKey: {
            /**
             * Created At
             * @description ISO 8601, UTC.
             */
            readonly created_at: string;
            /** Expires At */
            readonly expires_at: string | null;
            /**
             * Id
             * @description Part of the key; no secret.
             */
            readonly id: string;
            /**
             * Key
             * @description The key itself: nobody can show it again.
             */
            readonly key: string;
            /** Name */
            readonly name: string;
            /** Revoked At */
            readonly revoked_at: string | null;
            /** Scopes */
            readonly scopes: readonly string[];
        };
        /**
         * Operations
         * @description How the service is doing.
         */
        readonly Operations: {
            /**
             * At
             * @description ISO 8601, UTC.
             */
            readonly at: string;
            /** Cache */
            readonly cache: readonly components["schemas"]["CacheUse"][];
            /**
             * Cpu S
             * @description Processor time of the process so far.
             */
            readonly cpu_s: number;
            /**
             * Database
             * @description state (ok or away), dialect, pool_timeouts.
             */
            readonly database: {
                readonly [key: string]: unknown;
            };
            /** @description How late the event loop woke a timer. */
            readonly event_loop: components["schemas"]["Times"];
            /**
             * Failures
             * @description Newest first, at most 50.
             */
            readonly failures: readonly components["schemas"]["Failure"][];
            /**
             * Live Stream
             * @description clients, clients_max, frames_sent, and dropped: clients by why they were let go.
             */
            readonly live_stream: {
                readonly [key: string]: unknown;
            };
            /**
             * Memory Mb
             * @description Most resident memory of the process so far.
             */
            readonly memory_mb: number;
            /**
             * Over Time
             * @description Since the process began, oldest first; at most 240 stretches, which grow longer as it goes on.
             */
            readonly over_time: readonly components["schemas"]["Stretch"][];
            /** Pools */
            readonly pools: readonly components["schemas"]["PoolUse"][];
            /**
             * Redis
             * @description state (alone, connected or lost), times_lost.
             */
            readonly redis: {
                readonly [key: string]: unknown;
            };
            /** Rejections */
            readonly rejections: readonly components["schemas"]["Rejections"][];
            /** Requests In Progress */
            readonly requests_in_progress: number;
            /**
             * Routes
             * @description The slowest 99 % quantile first.
             */
            readonly routes: readonly components["schemas"]["RouteTimes"][];
            /** Slow Query S */
            readonly slow_query_s: number;
            /** Slow Request S */
            readonly slow_request_s: number;
            /**
             * Slow Requests
             * @description Slower than slow_request_s, since the process began.
             */
            readonly slow_requests: number;
            /**
             * Slow Statements
             * @description Slower than slow_query_s, since the process began.
             */
            readonly slow_statements: number;
            /** @description Statements to the database. */
            readonly statements: components["schemas"]["Times"];
            readonly storage: components["schemas"]["StorageStatus"];
            /** Uptime S */
            readonly uptime_s: number;
            /**
             * Window S
             * @description Length of the window of all times here, in seconds; at most 300.
             */
            readonly window_s: number;
        };
        /**
         * PairedMetricAnswer
         * @description One metric of the same tasks twice.
         */
        readonly PairedMetricAnswer: {
            /**
             * Difference
             * @description Mean of second minus first, over the means of the stretches.
             */
            readonly difference: number;
            /**
             * First
             * @description Mean over the tasks.
             */
            readonly first: number;
            /** High */
            readonly high: number | null;
            /**
             * Low
             * @description 95 % interval of the difference (Student's t over the stretches).
             */
            readonly low: number | null;
            /**
             * Second
             * @description Mean over the tasks.
             */
            readonly second: number;
            /**
             * T P
             * @description Two-sided p of the paired t-test over the stretches.
             */
            readonly t_p: number | null;
            /**
             * Wilcoxon P
             * @description Two-sided p of Wilcoxon's signed-rank test over the stretches.
             */
            readonly wilcoxon_p: number | null;
        };
        /**
         * PairedRuns
         * @description Schedulers of two runs on the same tasks: equal numbers, equal arrivals.
         */
        readonly PairedRuns: {
            /** First */
            readonly first: number;
            /**
             * Schedulers
             * @description Empty if the runs have no task in common.
             */
            readonly schedulers: readonly components["schemas"]["PairedScheduler"][];
            /** Second */
            readonly second: number;
        };
        /**
         * PairedScheduler
         * @description One scheduler against the same or another one, on the same tasks; null where nothing is known.
         */
        readonly PairedScheduler: {
            /**
             * Batches
             * @description Stretches of tasks, one after the other, whose mean differences are taken for independent.
             */
            readonly batches: number;
            /**
             * Metrics
             * @description response_s, wait_s, slowdown (bounded by 10 s), energy_j, cost_usd.
             */
            readonly metrics: {
                readonly [key: string]: components["schemas"]["PairedMetricAnswer"] | null;
            };
            /** Scheduler */
            readonly scheduler: string;
            /**
             * Tasks
             * @description Tasks that both finished, of the newest 5,000.
             */
            readonly tasks: number;
        };
        /**
         * PlacementsAnswer
         * @description Where the newest results of a scheduler went, and who decided it.
         */
        readonly PlacementsAnswer: {
            /**
             * Count
             * @description Tasks in each bin, by size, then compute intensity.
             */
            readonly count: readonly (readonly number[])[];
            /**
             * Cpu Only
             * @description Finished tasks with GPU fraction 0.
             */
            readonly cpu_only: number;
            /**
             * Cpu S
             * @description Sum of the run times of their CPU parts, in seconds.
             */
            readonly cpu_s: number;
            /**
             * Decided By
             * @description rule, model, exploration, or why the fallback decided.
             */
            readonly decided_by: {
                readonly [key: string]: number;
            };
            /**
             * Fraction
             * @description Their mean GPU fraction; null where there are none.
             */
            readonly fraction: readonly (readonly (number | null)[])[];
            /**
             * Gpu Only
             * @description Finished tasks with GPU fraction 1.
             */
            readonly gpu_only: number;
            /**
             * Gpu S
             * @description Sum of the run times of their GPU parts, in seconds.
             */
            readonly gpu_s: number;
            /** Intensity Edges */
            readonly intensity_edges: readonly number[];
            /**
             * Reasons
             * @description Why tasks were not run.
             */
            readonly reasons: {
                readonly [key: string]: number;
            };
            /**
             * Rows
             * @description Results that were looked at, at most 10,000.
             */
            readonly rows: number;
            /**
             * Size Edges
             * @description Edges of the bins of size in seconds, on a logarithmic scale; empty if no size is known.
             */
            readonly size_edges: readonly number[];
            /**
             * Split
             * @description Finished tasks with a GPU fraction between 0 and 1.
             */
            readonly split: number;
        };
        /**
         * PolicyEntry
         * @description One policy that can be named.
         */
        readonly PolicyEntry: {
            /** Name */
            readonly name: string;
            /** Reference */
            readonly reference: string;
            /**
             * Runs
             * @description Kinds of tasks and clusters it can run, as tasks/cluster.
             * @example [
             *       "divisible/nodes"
             *     ]
             */
            readonly runs: readonly string[];
            /** Summary */
            readonly summary: string;
        };
        /**
         * PolicyList
         * @description Policies, by name.
         */
        readonly PolicyList: {
            /** Policies */
            readonly policies: readonly components["schemas"]["PolicyEntry"][];
            /**
             * Suggested
             * @description By kind of tasks and cluster.
             */
            readonly suggested: readonly components["schemas"]["Suggestion"][];
        };
        /**
         * PolicyRequest
         * @description A policy for the run that is going on.
         */
        readonly PolicyRequest: {
            /**
             * Policy
             * @description Its spelling.
             * @example sjf+mct
             */
            readonly policy: string;
        };
        /**
         * PoolUse
         * @description One pool of database connections.
         */
        readonly PoolUse: {
            /** Idle */
            readonly idle: number;
            /** In Use */
            readonly in_use: number;
            /**
             * Most
             * @description How many there can be.
             */
            readonly most: number;
            /**
             * Name
             * @description read or write.
             */
            readonly name: string;
        };
        /**
         * PredictionAnswer
         * @description What a policy expected on one class of device; seconds.
         */
        readonly PredictionAnswer: {
            /** Device */
            readonly device: string;
            /** Expected S */
            readonly expected_s: number | null;
            /**
             * High S
             * @description 90 % quantile.
             */
            readonly high_s: number | null;
            /**
             * Low S
             * @description 10 % quantile.
             */
            readonly low_s: number | null;
            /** Nominal S */
            readonly nominal_s: number | null;
        };
        /**
         * Problem
         * @description Problem details as of RFC 9457; sent as application/problem+json.
         */
        readonly Problem: {
            /**
             * Detail
             * @description What was wrong, where, and what was expected.
             * @default null
             */
            readonly detail?: string | null;
            /**
             * Errors
             * @description What is wrong with single values.
             * @default null
             */
            readonly errors?: readonly components["schemas"]["FieldProblem"][] | null;
            /**
             * Instance
             * @description Path of the request.
             * @default null
             * @example /api/start
             */
            readonly instance?: string | null;
            /**
             * Status
             * @description Status code of HTTP.
             * @example 409
             */
            readonly status: number;
            /**
             * Title
             * @description The kind in words.
             * @example A run is going on already
             */
            readonly title: string;
            /**
             * Type
             * @description What kind of problem it is: an address at which it is explained.
             * @example /problems/already-running
             */
            readonly type: string;
        };
        /**
         * PromoteRequest
         * @description Which version shall be in use.
         */
        readonly PromoteRequest: {
            /**
             * Version
             * @description Version of the model in the store.
             * @example 2
             */
            readonly version: number;
        };
        /**
         * Promotion
         * @description A version was put into use.
         */
        readonly Promotion: {
            /**
             * Action
             * @description in_use (before anything was promoted), promote or rollback.
             */
            readonly action: string;
            /**
             * At
             * @description ISO 8601, UTC.
             */
            readonly at: string;
            /** Name */
            readonly name: string;
            /**
             * Version
             * @description In use from then on.
             */
            readonly version: number;
        };
        /**
         * Rejections
         * @description Requests refused because there were too many, since the process began.
         */
        readonly Rejections: {
            /** Count */
            readonly count: number;
            /** Route Class */
            readonly route_class: string;
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
         * RouteTimes
         * @description Response times of one route, until the head of the answer is sent.
         */
        readonly RouteTimes: {
            /**
             * Count
             * @description How many times were measured in the window; the newest 1,024 at most.
             */
            readonly count: number;
            /**
             * Failed
             * @description Of these, answered with 500 or above.
             */
            readonly failed: number;
            /** Method */
            readonly method: string;
            /**
             * P50 S
             * @description Median, in seconds.
             */
            readonly p50_s: number | null;
            /**
             * P95 S
             * @description 95 % quantile, in seconds.
             */
            readonly p95_s: number | null;
            /**
             * P99 S
             * @description 99 % quantile, in seconds.
             */
            readonly p99_s: number | null;
            /**
             * Route
             * @description Template of its path; (other) for all paths that are none.
             */
            readonly route: string;
            /**
             * Total
             * @description Requests since the process began.
             */
            readonly total: number;
        };
        /**
         * RowPage
         * @description Rows of one run.
         */
        readonly RowPage: {
            /**
             * Next
             * @description Hand this over to get the next page; null if there is none.
             */
            readonly next: number | null;
            /**
             * Rows
             * @description Values by name of column; null where not known.
             */
            readonly rows: readonly {
                readonly [key: string]: unknown;
            }[];
            /**
             * Run Id
             * @description null if there has never been a run.
             */
            readonly run_id: number | null;
        };
        /**
         * Run
         * @description One run of the history.
         */
        readonly Run: {
            /** Cluster */
            readonly cluster: string;
            /**
             * Created At
             * @description ISO 8601, UTC.
             */
            readonly created_at: string;
            /** Ended At */
            readonly ended_at: string | null;
            /** Id */
            readonly id: number;
            /** Message */
            readonly message: string | null;
            /**
             * Options
             * @description Everything else it was started with.
             */
            readonly options: {
                readonly [key: string]: unknown;
            };
            /** Policies */
            readonly policies: readonly string[];
            /**
             * State
             * @description running, paused, stopped, finished or failed.
             */
            readonly state: string;
            /**
             * Version
             * @description Of the program that began it.
             */
            readonly version: string;
            /** Workload */
            readonly workload: string;
        };
        /**
         * RunningTasks
         * @description Tasks on the devices of a lane, as columns; of a part that still runs, nobody knows yet how long it takes.
         */
        readonly RunningTasks: {
            /** Arrival S */
            readonly arrival_s: readonly number[];
            /**
             * Cpu S
             * @description Run time of the CPU part if it has ended, in seconds.
             */
            readonly cpu_s: readonly (number | null)[];
            /** Fraction */
            readonly fraction: readonly number[];
            /**
             * Gpu S
             * @description Run time of the GPU part if it has ended, in seconds.
             */
            readonly gpu_s: readonly (number | null)[];
            /**
             * Gpus
             * @description GPUs of the node, separated by blanks.
             */
            readonly gpus: readonly (string | null)[];
            /** Node */
            readonly node: readonly number[];
            /** Start S */
            readonly start_s: readonly number[];
            /** Task Id */
            readonly task_id: readonly number[];
        };
        /**
         * RunPage
         * @description Runs, newest first.
         */
        readonly RunPage: {
            /**
             * Next
             * @description Hand this over as `before` to get the next page; null if there is none.
             */
            readonly next: number | null;
            /** Runs */
            readonly runs: readonly components["schemas"]["Run"][];
            /**
             * Source
             * @description database, or journal while the database is away.
             */
            readonly source: string;
        };
        /**
         * RunRequestAnswer
         * @description What the run was asked to be, with the seed that was drawn.
         */
        readonly RunRequestAnswer: {
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
             * @description Simulated seconds per real second, or "max".
             */
            readonly speed: number | string | null;
            /** Workload */
            readonly workload: string;
        };
        /**
         * ScheduleAnswer
         * @description When and where a scheduler ran tasks, in their order.
         */
        readonly ScheduleAnswer: {
            /**
             * Next
             * @description Hand this over as `from_task` to get the following ones; null if there are none yet.
             */
            readonly next: number | null;
            /**
             * Rows
             * @description Values by name of column, as in the results, with size and compute_intensity; null where not known.
             */
            readonly rows: readonly {
                readonly [key: string]: unknown;
            }[];
            /** Run Id */
            readonly run_id: number;
            /** Scheduler */
            readonly scheduler: string;
        };
        /**
         * SessionAnswer
         * @description As whom a request is known.
         */
        readonly SessionAnswer: {
            /**
             * Auth
             * @description keys (credentials are needed), open (none are, on this machine) or insecure (none are, and others can reach it).
             */
            readonly auth: string;
            /**
             * Expires At
             * @description When these credentials end; ISO 8601, UTC.
             */
            readonly expires_at: string | null;
            /** Name */
            readonly name: string;
            /**
             * Scopes
             * @description read, control, decide, admin; with those that come with others.
             */
            readonly scopes: readonly string[];
            /**
             * Signed In
             * @description Whether this request may do anything besides signing in.
             */
            readonly signed_in: boolean;
            /**
             * Subject
             * @description key:ID, user:NAME, anyone (the service is open) or nobody.
             */
            readonly subject: string;
        };
        /**
         * SignedOut
         * @description A sign-in has ended.
         */
        readonly SignedOut: {
            /**
             * Ended
             * @description Whether there was one.
             */
            readonly ended: boolean;
        };
        /**
         * SignIn
         * @description A sign-in.
         */
        readonly SignIn: {
            /**
             * Expires In S
             * @description How long the token is good; renew it before.
             */
            readonly expires_in_s: number;
            /** Name */
            readonly name: string;
            /** Scopes */
            readonly scopes: readonly string[];
            /** Subject */
            readonly subject: string;
            /**
             * Token
             * @description For the header Authorization: Bearer TOKEN.
             */
            readonly token: string;
            /**
             * Token Type
             * @example Bearer
             */
            readonly token_type: string;
        };
        /**
         * SpeedRequest
         * @description How fast simulated time shall pass.
         */
        readonly SpeedRequest: {
            /**
             * Speed
             * @description Simulated seconds per real second, or "max".
             * @example 60
             * @example max
             */
            readonly speed: number | "max";
        };
        /**
         * StartRequest
         * @description What a run shall be; everything is optional.
         */
        readonly StartRequest: {
            /**
             * Cluster
             * @description A cluster's name, or a cluster file on the server; the workload's usual one if left out.
             */
            readonly cluster?: string | null;
            /**
             * Load
             * @description Of a preset: share of the capacity of its cluster; 0.3 if left out. Of a trace: factor on the arrival rate; 1 if left out.
             * @example 0.3
             */
            readonly load?: number | null;
            /**
             * Max Tasks
             * @description The run ends after so many tasks; never if left out.
             * @example 100000
             */
            readonly max_tasks?: number | null;
            /**
             * Objective
             * @description Learned policies take models that were trained for it.
             * @example mean_response
             */
            readonly objective?: string | null;
            /**
             * Policies
             * @description One lane each, all on the same tasks.
             * @example [
             *       "round_robin",
             *       "random",
             *       "greedy",
             *       "hybrid_ml",
             *       "rl_agent",
             *       "oracle"
             *     ]
             */
            readonly policies?: readonly string[] | null;
            /**
             * Retrain Every
             * @description Finished tasks between two trainings; null: never.
             * @example 5000
             */
            readonly retrain_every?: number | null;
            /**
             * Seed
             * @description Of the stream and its noise; drawn and recorded if left out.
             * @example 7
             */
            readonly seed?: number | null;
            /**
             * Speed
             * @description Simulated seconds per real second, or "max".
             * @example 60
             * @example max
             */
            readonly speed?: number | "max" | null;
            /**
             * Workload
             * @description A preset, whose stream has no end, or a trace file on the server.
             * @example steady
             */
            readonly workload?: string | null;
        };
        /**
         * Statistics
         * @description How one scheduler did in one run; times in simulated seconds over its finished tasks, quantiles within 1 %. null where nothing is known.
         */
        readonly Statistics: {
            /** By Exploration */
            readonly by_exploration: number;
            /**
             * By Fallback
             * @description Decisions that the rule behind a learned policy took.
             */
            readonly by_fallback: number;
            /**
             * By Model
             * @description Decisions that a model took.
             */
            readonly by_model: number;
            /**
             * Compared
             * @description Tasks with the results of all schedulers.
             */
            readonly compared: number;
            /**
             * Cost Usd
             * @description Sum, in US dollars.
             */
            readonly cost_usd: number;
            /**
             * Energy J
             * @description Sum, in joules.
             */
            readonly energy_j: number;
            /** Finished */
            readonly finished: number;
            /** Last Finish S */
            readonly last_finish_s: number;
            /** Max Response S */
            readonly max_response_s: number | null;
            /** Max Wait S */
            readonly max_wait_s: number | null;
            /** Mean Bounded Slowdown */
            readonly mean_bounded_slowdown: number | null;
            /**
             * Mean Regret S
             * @description Mean response time above the oracle's over the tasks that both finished.
             */
            readonly mean_regret_s: number | null;
            /** Mean Response S */
            readonly mean_response_s: number | null;
            /** Mean Run S */
            readonly mean_run_s: number | null;
            /** Mean Wait S */
            readonly mean_wait_s: number | null;
            /** Median Response S */
            readonly median_response_s: number | null;
            /** P95 Response S */
            readonly p95_response_s: number | null;
            /** P99 Response S */
            readonly p99_response_s: number | null;
            /** P99 Wait S */
            readonly p99_wait_s: number | null;
            /** Refused */
            readonly refused: number;
            /** Rejected */
            readonly rejected: number;
            /** Results */
            readonly results: number;
            /** Scheduler */
            readonly scheduler: string;
            /**
             * Wins
             * @description Compared tasks on which no other scheduler had a shorter response time.
             */
            readonly wins: number;
            /**
             * Wins Against
             * @description Compared tasks on which it was faster than that scheduler.
             */
            readonly wins_against: {
                readonly [key: string]: number;
            };
            /** Withdrawn */
            readonly withdrawn: number;
        };
        /**
         * Status
         * @description Where the run stands.
         */
        readonly Status: {
            /** Is Paused */
            readonly is_paused: boolean;
            /**
             * Is Running
             * @description Whether tasks are being scheduled right now.
             */
            readonly is_running: boolean;
            /** Lanes */
            readonly lanes: readonly components["schemas"]["Lane"][];
            /**
             * Message
             * @description Why a run is blocked or has failed.
             */
            readonly message: string | null;
            readonly request: components["schemas"]["RunRequestAnswer"] | null;
            readonly retraining: components["schemas"]["Retraining"];
            /**
             * Role
             * @description Of the process that answers: leader (it runs the run), follower (another process does) or alone.
             */
            readonly role: string;
            /** Run Id */
            readonly run_id: number | null;
            /**
             * Speed
             * @description Simulated seconds per real second, or "max".
             */
            readonly speed: number | string | null;
            /**
             * Started At
             * @description ISO 8601, UTC.
             */
            readonly started_at: string | null;
            /**
             * State
             * @description stopped, starting, running, paused, stopping, blocked (disk full) or failed.
             */
            readonly state: string;
            readonly storage: components["schemas"]["StorageStatus"];
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
         * StorageStatus
         * @description The way from the journal into the database.
         */
        readonly StorageStatus: {
            /**
             * Lag Limit Rows
             * @description The run is held back once more rows wait.
             */
            readonly lag_limit_rows: number;
            /**
             * Lag Rows
             * @description Rows in the journal that are not in the database yet.
             */
            readonly lag_rows: number;
            /**
             * Message
             * @description Why it failed.
             */
            readonly message: string | null;
            /**
             * Rows Per S
             * @description Measured speed of the way into the database.
             */
            readonly rows_per_s: number | null;
            /**
             * State
             * @description ok, away (rows wait in the journal), fenced or failed.
             */
            readonly state: string;
        };
        /**
         * StoredModelEntry
         * @description One version of a model in the model store.
         */
        readonly StoredModelEntry: {
            /** Card */
            readonly card: {
                readonly [key: string]: unknown;
            } | null;
            /** In Use */
            readonly in_use: boolean;
            /** Name */
            readonly name: string;
            /**
             * Problem
             * @description Why it cannot be loaded.
             */
            readonly problem: string | null;
            /** Version */
            readonly version: number;
        };
        /**
         * StoredModelList
         * @description Models of the store, by name and version.
         */
        readonly StoredModelList: {
            /** Models */
            readonly models: readonly components["schemas"]["StoredModelEntry"][];
            /**
             * Promotions
             * @description Of all models, in the order in which they were made.
             */
            readonly promotions: readonly components["schemas"]["Promotion"][];
        };
        /**
         * Stretch
         * @description What was counted in one stretch of the time since the process began.
         */
        readonly Stretch: {
            /**
             * Failed
             * @description Answered with 500 or above.
             */
            readonly failed: number;
            /**
             * From S
             * @description When it began, in seconds since the process did.
             */
            readonly from_s: number;
            /**
             * P50 S
             * @description Median of response times, in seconds, within 1 %.
             */
            readonly p50_s: number | null;
            /**
             * P99 S
             * @description 99 % quantile of response times, in seconds, within 1 %.
             */
            readonly p99_s: number | null;
            /**
             * Refused
             * @description Of these, because there were too many.
             */
            readonly refused: number;
            /**
             * Requests
             * @description Answered.
             */
            readonly requests: number;
            /**
             * Troubles
             * @description Warnings and errors of the log, and answers of 500 or above.
             */
            readonly troubles: number;
            /**
             * Until S
             * @description When it ended.
             */
            readonly until_s: number;
        };
        /**
         * Suggestion
         * @description What is worth comparing on one kind of tasks and cluster.
         */
        readonly Suggestion: {
            /**
             * Others
             * @description The next ones to add.
             */
            readonly others: readonly string[];
            /**
             * Runs
             * @description Tasks/cluster, as in `runs` of a policy.
             * @example divisible/nodes
             */
            readonly runs: string;
            /**
             * Usual
             * @description Policies to begin with; for divisible tasks those that a start has by default.
             */
            readonly usual: readonly string[];
        };
        /**
         * TaskDetail
         * @description One task, and what each scheduler made of it.
         */
        readonly TaskDetail: {
            /** Results */
            readonly results: readonly {
                readonly [key: string]: unknown;
            }[];
            /**
             * Task
             * @description null if only results are left.
             */
            readonly task: {
                readonly [key: string]: unknown;
            } | null;
        };
        /**
         * Timeline
         * @description What one lane has finished lately, runs now and lets wait.
         */
        readonly Timeline: {
            /**
             * Columns
             * @description Finished tasks, oldest first, as columns named as in the results, with size and compute_intensity.
             */
            readonly columns: {
                readonly [key: string]: readonly unknown[];
            };
            /** Devices */
            readonly devices: readonly components["schemas"]["TimelineDevice"][];
            /**
             * Missed
             * @description Whether results after `since` had to be left out.
             */
            readonly missed: boolean;
            /**
             * Next
             * @description Hand this over as `since` to get only what came after.
             */
            readonly next: number;
            /** Policy */
            readonly policy: string;
            /** Run Id */
            readonly run_id: number;
            readonly running: components["schemas"]["RunningTasks"];
            /**
             * Time S
             * @description Simulated time in seconds.
             */
            readonly time_s: number;
            readonly waiting: components["schemas"]["WaitingTasks"];
        };
        /**
         * TimelineDevice
         * @description A device of the lane's cluster.
         */
        readonly TimelineDevice: {
            /** Kind */
            readonly kind: string;
            /**
             * Name
             * @description NODE for the cores of a node, NODE/gpuK for its GPU K.
             */
            readonly name: string;
        };
        /**
         * Times
         * @description How long something took lately: the least time that so many did not exceed, each of them measured. null where nothing was.
         */
        readonly Times: {
            /**
             * Count
             * @description How many times were measured in the window; the newest 1,024 at most.
             */
            readonly count: number;
            /**
             * P50 S
             * @description Median, in seconds.
             */
            readonly p50_s: number | null;
            /**
             * P95 S
             * @description 95 % quantile, in seconds.
             */
            readonly p95_s: number | null;
            /**
             * P99 S
             * @description 99 % quantile, in seconds.
             */
            readonly p99_s: number | null;
        };
        /**
         * Trail
         * @description How every lane has done since this process began with the run, thinned out evenly.
         */
        readonly Trail: {
            /**
             * Lanes
             * @description By policy and metric; as long as time_s. log_error and nominal_log_error are those of a model, null for rules.
             */
            readonly lanes: {
                readonly [key: string]: {
                    readonly [key: string]: readonly (number | null)[];
                };
            };
            /** Run Id */
            readonly run_id: number | null;
            /**
             * Stride
             * @description Every so manieth report is a point.
             */
            readonly stride: number;
            /**
             * Time S
             * @description Simulated seconds of the points, at most 1024.
             */
            readonly time_s: readonly number[];
        };
        /**
         * TrainedModel
         * @description A model that retraining in the service made, or failed to make.
         */
        readonly TrainedModel: {
            /** Created At */
            readonly created_at: string;
            /** Details */
            readonly details: {
                readonly [key: string]: unknown;
            };
            /** Id */
            readonly id: number;
            /** Message */
            readonly message: string | null;
            /** Name */
            readonly name: string;
            /**
             * Rows
             * @description Rows it was trained on.
             */
            readonly rows: number;
            /** Run Id */
            readonly run_id: number | null;
            /** Sha256 */
            readonly sha256: string | null;
            /**
             * Source
             * @description database or journal.
             */
            readonly source: string;
            /**
             * State
             * @description candidate, in_use, retired or failed.
             */
            readonly state: string;
            /** Version */
            readonly version: number | null;
        };
        /**
         * TrainedModelPage
         * @description Models of the registry, newest first.
         */
        readonly TrainedModelPage: {
            /** Models */
            readonly models: readonly components["schemas"]["TrainedModel"][];
            /** Next */
            readonly next: number | null;
        };
        /**
         * UploadedWorkload
         * @description A workload that somebody uploaded.
         */
        readonly UploadedWorkload: {
            /**
             * Bytes
             * @description As uploaded.
             */
            readonly bytes: number;
            /** Format */
            readonly format: string;
            /**
             * Kind
             * @description Of its tasks.
             */
            readonly kind: string;
            /**
             * Name
             * @description As the user called it.
             */
            readonly name: string;
            /** Tasks */
            readonly tasks: number;
            /**
             * Uploaded At
             * @description ISO 8601, UTC.
             */
            readonly uploaded_at: string;
            /**
             * Uploaded By
             * @description key:ID, user:NAME or anyone.
             */
            readonly uploaded_by: string;
            /**
             * Workload
             * @description upload:SHA256; what a start names.
             */
            readonly workload: string;
        };
        /**
         * UploadList
         * @description Uploaded workloads, newest first.
         */
        readonly UploadList: {
            /** Uploads */
            readonly uploads: readonly components["schemas"]["UploadedWorkload"][];
        };
        /**
         * WaitingTasks
         * @description The queue of a lane.
         */
        readonly WaitingTasks: {
            /** Arrival S */
            readonly arrival_s: readonly number[];
            /**
             * Length
             * @description All waiting tasks.
             */
            readonly length: number;
            /**
             * Task Id
             * @description At most 100 of them, in the order of the queue.
             */
            readonly task_id: readonly number[];
        };
        /**
         * Window
         * @description The same over the tasks that arrived in one window of simulated time.
         */
        readonly Window: {
            /**
             * Begin S
             * @description In simulated seconds.
             */
            readonly begin_s: number;
            /**
             * Length S
             * @description In simulated seconds.
             */
            readonly length_s: number;
            readonly statistics: components["schemas"]["Statistics"];
        };
        /**
         * WindowPage
         * @description Windows of one scheduler, newest first.
         */
        readonly WindowPage: {
            /** Next */
            readonly next: number | null;
            /** Run Id */
            readonly run_id: number;
            /** Scheduler */
            readonly scheduler: string;
            /** Windows */
            readonly windows: readonly components["schemas"]["Window"][];
        };
        /**
         * WorkloadEntry
         * @description Something that a run can have as its workload.
         */
        readonly WorkloadEntry: {
            /**
             * Ends
             * @description Whether the run ends with its last task.
             */
            readonly ends: boolean;
            /**
             * Load
             * @description Of a preset: share of the capacity of its cluster that it has by itself; else 1. A run may ask for another.
             */
            readonly load: number;
            /** Name */
            readonly name: string;
            /**
             * Runs
             * @description Kind of its tasks and of its usual cluster, as in `runs` of a policy.
             * @example divisible/nodes
             */
            readonly runs: string;
            /** Summary */
            readonly summary: string;
        };
        /**
         * WorkloadList
         * @description Workloads that can be named without a file.
         */
        readonly WorkloadList: {
            /** Workloads */
            readonly workloads: readonly components["schemas"]["WorkloadEntry"][];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    readonly full_history_api_full_history_get: {
        readonly parameters: {
            readonly query?: {
                /** @description `next` of the page before. */
                readonly before?: number | null;
                /** @description json: a page, newest rows first. ndjson, csv: all rows in their order, one per line. */
                readonly format?: components["schemas"]["Format"];
                /** @description Most rows in a page; 1000 if left out. Not for streams. */
                readonly limit?: number | null;
                /** @description Number of the run; the present or newest one if left out. */
                readonly run_id?: number | null;
                /** @description Only this scheduler, as spelled in the run. */
                readonly scheduler?: string | null;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description A page as JSON, or all rows in their order, one per line. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["RowPage"];
                    readonly "application/x-ndjson": string;
                    readonly "text/csv": string;
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly delete_history_api_history_delete: {
        readonly parameters: {
            readonly query?: {
                /** @description Delete all runs. */
                readonly all?: boolean;
                /** @description Number of the run; the present or newest one if left out. */
                readonly run_id?: number | null;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Deleted"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. Or: Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description What is stored is in use. A run that is being written cannot be deleted: stop it first. */
            readonly 409: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly comparative_api_history_comparative_get: {
        readonly parameters: {
            readonly query?: {
                /** @description Number of the run; the present or newest one if left out. */
                readonly run_id?: number | null;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Comparative"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly pause_api_pause_post: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Status"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. Or: Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No run is going on. Start one first (POST /api/start). */
            readonly 409: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly resume_api_resume_post: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Status"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. Or: Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No run is going on. Start one first (POST /api/start). */
            readonly 409: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly speed_api_speed_post: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["SpeedRequest"];
            };
        };
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Status"];
                };
            };
            /** @description The request cannot be read. The body is no JSON, or the request no HTTP. */
            readonly 400: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. Or: Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request took too long to arrive. Send it faster; the limits are HMS_HEADER_TIMEOUT_S, HMS_BODY_TIMEOUT_S, and HMS_UPLOAD_TIMEOUT_S for uploads. */
            readonly 408: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No run is going on. Start one first (POST /api/start). */
            readonly 409: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large. Send less; the limits are HMS_BODY_MAX_KB, and HMS_UPLOAD_MAX_MB for uploads. */
            readonly 413: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body has a form that is not taken. Send it as it is, not compressed. */
            readonly 415: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly start_api_start_post: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: {
            readonly content: {
                readonly "application/json": components["schemas"]["StartRequest"] | null;
            };
        };
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Status"];
                };
            };
            /** @description The request cannot be read. The body is no JSON, or the request no HTTP. */
            readonly 400: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. Or: Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request took too long to arrive. Send it faster; the limits are HMS_HEADER_TIMEOUT_S, HMS_BODY_TIMEOUT_S, and HMS_UPLOAD_TIMEOUT_S for uploads. */
            readonly 408: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A run is going on already. Stop it first (POST /api/stop); it was not touched. */
            readonly 409: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large. Send less; the limits are HMS_BODY_MAX_KB, and HMS_UPLOAD_MAX_MB for uploads. */
            readonly 413: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body has a form that is not taken. Send it as it is, not compressed. */
            readonly 415: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly status_api_status_get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Status"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly stop_api_stop_post: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Status"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. Or: Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly audit_api_v1_audit_get: {
        readonly parameters: {
            readonly query?: {
                /** @description `next` of the page before. */
                readonly before?: number | null;
                /** @description Most entries in the answer. */
                readonly limit?: number;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["AuditPage"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly compare_api_v1_compare_get: {
        readonly parameters: {
            readonly query: {
                /** @description Number of a run. */
                readonly first: number;
                /** @description Number of another run. */
                readonly second: number;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ComparedRuns"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly compare_paired_api_v1_compare_paired_get: {
        readonly parameters: {
            readonly query: {
                /** @description Number of a run. */
                readonly first: number;
                /** @description Number of another run. */
                readonly second: number;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["PairedRuns"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly keys_api_v1_keys_get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ApiKeyList"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly create_key_api_v1_keys_post: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["KeyRequest"];
            };
        };
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["NewApiKey"];
                };
            };
            /** @description The request cannot be read. The body is no JSON, or the request no HTTP. */
            readonly 400: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. Or: Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request took too long to arrive. Send it faster; the limits are HMS_HEADER_TIMEOUT_S, HMS_BODY_TIMEOUT_S, and HMS_UPLOAD_TIMEOUT_S for uploads. */
            readonly 408: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large. Send less; the limits are HMS_BODY_MAX_KB, and HMS_UPLOAD_MAX_MB for uploads. */
            readonly 413: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body has a form that is not taken. Send it as it is, not compressed. */
            readonly 415: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly revoke_key_api_v1_keys__key_id__delete: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description Of the key: what stands behind hms_. */
                readonly key_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ApiKeyAnswer"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. Or: Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such thing here. The path is wrong, or what it names has been deleted. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly models_api_v1_models_get: {
        readonly parameters: {
            readonly query?: {
                /** @description `next` of the page before. */
                readonly before?: number | null;
                /** @description Most entries in the answer. */
                readonly limit?: number;
                /** @description Number of the run; the present or newest one if left out. */
                readonly run_id?: number | null;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["TrainedModelPage"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly stored_models_api_v1_models_store_get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["StoredModelList"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly model_features_api_v1_models_store__name___version__features_get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description Name of a model of the store. */
                readonly name: string;
                /** @description Its version. */
                readonly version: number;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["FeatureUse"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly promote_api_v1_models_store__name__promote_post: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description Name of a model of the store. */
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["PromoteRequest"];
            };
        };
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ModelInUse"];
                };
            };
            /** @description The request cannot be read. The body is no JSON, or the request no HTTP. */
            readonly 400: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. Or: Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request took too long to arrive. Send it faster; the limits are HMS_HEADER_TIMEOUT_S, HMS_BODY_TIMEOUT_S, and HMS_UPLOAD_TIMEOUT_S for uploads. */
            readonly 408: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large. Send less; the limits are HMS_BODY_MAX_KB, and HMS_UPLOAD_MAX_MB for uploads. */
            readonly 413: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body has a form that is not taken. Send it as it is, not compressed. */
            readonly 415: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly rollback_api_v1_models_store__name__rollback_post: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description Name of a model of the store. */
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ModelInUse"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. Or: Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly operations_api_v1_operations_get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Operations"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly policies_api_v1_policies_get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["PolicyList"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly add_policy_api_v1_run_policies_post: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["PolicyRequest"];
            };
        };
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Status"];
                };
            };
            /** @description The request cannot be read. The body is no JSON, or the request no HTTP. */
            readonly 400: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. Or: Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request took too long to arrive. Send it faster; the limits are HMS_HEADER_TIMEOUT_S, HMS_BODY_TIMEOUT_S, and HMS_UPLOAD_TIMEOUT_S for uploads. */
            readonly 408: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No run is going on. Start one first (POST /api/start). */
            readonly 409: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large. Send less; the limits are HMS_BODY_MAX_KB, and HMS_UPLOAD_MAX_MB for uploads. */
            readonly 413: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body has a form that is not taken. Send it as it is, not compressed. */
            readonly 415: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly remove_policy_api_v1_run_policies__policy__delete: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description As spelled in the run. */
                readonly policy: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Status"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. Or: Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such thing here. The path is wrong, or what it names has been deleted. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No run is going on. Start one first (POST /api/start). */
            readonly 409: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly timeline_api_v1_run_timeline_get: {
        readonly parameters: {
            readonly query: {
                /** @description Most finished tasks. */
                readonly limit?: number;
                /** @description A policy, as spelled in the run. */
                readonly policy: string;
                /** @description `next` of the answer before; 0: the newest tasks. */
                readonly since?: number;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Timeline"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly trail_api_v1_run_trail_get: {
        readonly parameters: {
            readonly query?: {
                /** @description Only this lane; none of that name: no lane. */
                readonly policy?: string | null;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Trail"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly runs_api_v1_runs_get: {
        readonly parameters: {
            readonly query?: {
                /** @description `next` of the page before. */
                readonly before?: number | null;
                /** @description Most entries in the answer. */
                readonly limit?: number;
                readonly state?: string | null;
                readonly workload?: string | null;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["RunPage"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly run_api_v1_runs__run_id__get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description Number of the run. */
                readonly run_id: number;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Run"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly differences_api_v1_runs__run_id__differences_get: {
        readonly parameters: {
            readonly query?: {
                /** @description The scheduler, as spelled in the run. */
                readonly reference?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description Number of the run. */
                readonly run_id: number;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Differences"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly distribution_api_v1_runs__run_id__distribution_get: {
        readonly parameters: {
            readonly query: {
                /** @description The scheduler, as spelled in the run. */
                readonly scheduler: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description Number of the run. */
                readonly run_id: number;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["DistributionAnswer"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such thing here. The path is wrong, or what it names has been deleted. Or: There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly divergence_api_v1_runs__run_id__divergence_get: {
        readonly parameters: {
            readonly query: {
                /** @description A policy, as spelled in the run. */
                readonly first: string;
                /** @description The first task to look at; identifiers ascend with arrivals. */
                readonly from_task?: number;
                /** @description A policy, as spelled in the run. */
                readonly second: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description Number of the run. */
                readonly run_id: number;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Divergence"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly report_api_v1_runs__run_id__report_get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description Number of the run. */
                readonly run_id: number;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "text/html": string;
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly results_api_v1_runs__run_id__results_get: {
        readonly parameters: {
            readonly query?: {
                /** @description `next` of the page before. */
                readonly before?: number | null;
                /** @description json: a page, newest rows first. ndjson, csv: all rows in their order, one per line. */
                readonly format?: components["schemas"]["Format"];
                /** @description Most rows in a page; 1000 if left out. Not for streams. */
                readonly limit?: number | null;
                /** @description Only this scheduler, as spelled in the run. */
                readonly scheduler?: string | null;
            };
            readonly header?: never;
            readonly path: {
                /** @description Number of the run. */
                readonly run_id: number;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description A page as JSON, or all rows in their order, one per line. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["RowPage"];
                    readonly "application/x-ndjson": string;
                    readonly "text/csv": string;
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly schedule_api_v1_runs__run_id__schedule_get: {
        readonly parameters: {
            readonly query: {
                /** @description The first task to look at; identifiers ascend with arrivals. */
                readonly from_task?: number;
                /** @description Most tasks. */
                readonly limit?: number;
                /** @description A policy, as spelled in the run. */
                readonly scheduler: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description Number of the run. */
                readonly run_id: number;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ScheduleAnswer"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly statistics_api_v1_runs__run_id__statistics_get: {
        readonly parameters: {
            readonly query?: {
                /** @description Only this scheduler, as spelled in the run. */
                readonly scheduler?: string | null;
            };
            readonly header?: never;
            readonly path: {
                /** @description Number of the run. */
                readonly run_id: number;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": readonly components["schemas"]["Statistics"][];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such thing here. The path is wrong, or what it names has been deleted. Or: There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly tasks_api_v1_runs__run_id__tasks_get: {
        readonly parameters: {
            readonly query?: {
                /** @description `next` of the page before. */
                readonly before?: number | null;
                /** @description json: a page, newest rows first. ndjson, csv: all rows in their order, one per line. */
                readonly format?: components["schemas"]["Format"];
                /** @description Most rows in a page; 1000 if left out. Not for streams. */
                readonly limit?: number | null;
            };
            readonly header?: never;
            readonly path: {
                /** @description Number of the run. */
                readonly run_id: number;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description A page as JSON, or all rows in their order, one per line. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["RowPage"];
                    readonly "application/x-ndjson": string;
                    readonly "text/csv": string;
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly task_api_v1_runs__run_id__tasks__task_id__get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description Number of the run. */
                readonly run_id: number;
                /** @description Number of the task in its run. */
                readonly task_id: number;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["TaskDetail"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such thing here. The path is wrong, or what it names has been deleted. Or: There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly explanation_api_v1_runs__run_id__tasks__task_id__explanation_get: {
        readonly parameters: {
            readonly query: {
                /** @description The scheduler, as spelled in the run. */
                readonly policy: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description Number of the run. */
                readonly run_id: number;
                /** @description Number of the task in its run. */
                readonly task_id: number;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ExplanationAnswer"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such thing here. The path is wrong, or what it names has been deleted. Or: There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly training_api_v1_runs__run_id__training_get: {
        readonly parameters: {
            readonly query?: {
                /** @description `next` of the page before. */
                readonly before?: number | null;
                /** @description json: a page, newest rows first. ndjson, csv: all rows in their order, one per line. */
                readonly format?: components["schemas"]["Format"];
                /** @description Most rows in a page; 1000 if left out. Not for streams. */
                readonly limit?: number | null;
                /** @description Only this scheduler, as spelled in the run. */
                readonly scheduler?: string | null;
            };
            readonly header?: never;
            readonly path: {
                /** @description Number of the run. */
                readonly run_id: number;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description A page as JSON, or all rows in their order, one per line. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["RowPage"];
                    readonly "application/x-ndjson": string;
                    readonly "text/csv": string;
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly windows_api_v1_runs__run_id__windows_get: {
        readonly parameters: {
            readonly query: {
                /** @description `next` of the page before. */
                readonly before?: number | null;
                /** @description Most entries in the answer. */
                readonly limit?: number;
                /** @description The scheduler, as spelled in the run. */
                readonly scheduler: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description Number of the run. */
                readonly run_id: number;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["WindowPage"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such run. The list of runs (/api/v1/runs) shows those that there are. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly who_api_v1_session_get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["SessionAnswer"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly sign_in_api_v1_session_post: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["LoginRequest"];
            };
        };
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["SignIn"];
                };
            };
            /** @description The request cannot be read. The body is no JSON, or the request no HTTP. */
            readonly 400: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request took too long to arrive. Send it faster; the limits are HMS_HEADER_TIMEOUT_S, HMS_BODY_TIMEOUT_S, and HMS_UPLOAD_TIMEOUT_S for uploads. */
            readonly 408: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large. Send less; the limits are HMS_BODY_MAX_KB, and HMS_UPLOAD_MAX_MB for uploads. */
            readonly 413: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body has a form that is not taken. Send it as it is, not compressed. */
            readonly 415: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. Or: This input cannot be used. A name, a file or a number is not one that the program can work with. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly sign_out_api_v1_session_delete: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["SignedOut"];
                };
            };
            /** @description Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly refresh_api_v1_session_refresh_post: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["SignIn"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database is busy. All its connections are in use; try again after Retry-After seconds. Or: The database is away. The run goes on and nothing is lost; try again after Retry-After seconds. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly workloads_api_v1_workloads_get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["WorkloadList"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly upload_api_v1_workloads_post: {
        readonly parameters: {
            readonly query?: {
                /** @description What people call it; no path. */
                readonly name?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/octet-stream": string;
            };
        };
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["UploadedWorkload"];
                };
            };
            /** @description The request cannot be read. The body is no JSON, or the request no HTTP. */
            readonly 400: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. Or: Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request took too long to arrive. Send it faster; the limits are HMS_HEADER_TIMEOUT_S, HMS_BODY_TIMEOUT_S, and HMS_UPLOAD_TIMEOUT_S for uploads. */
            readonly 408: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large. Send less; the limits are HMS_BODY_MAX_KB, and HMS_UPLOAD_MAX_MB for uploads. */
            readonly 413: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body has a form that is not taken. Send it as it is, not compressed. */
            readonly 415: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This input cannot be used. A name, a file or a number is not one that the program can work with. Or: The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly delete_api_v1_workloads__sha256__delete: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description Of its content. */
                readonly sha256: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["DeletedWorkload"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. Or: Pages of other origins may not do this. Only our own pages may, and those of HMS_CORS_ORIGINS. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There is no such thing here. The path is wrong, or what it names has been deleted. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description What is stored is in use. A run that is being written cannot be deleted: stop it first. */
            readonly 409: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly uploads_api_v1_workloads_uploads_get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["UploadList"];
                };
            };
            /** @description Nothing has changed since the answer whose ETag stands in If-None-Match. */
            readonly 304: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly health_health_get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Health"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database has been away for too long. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Health"];
                };
            };
        };
    };
    readonly info_health_info_get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Info"];
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly live_health_live_get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Alive"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly ready_health_ready_get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Health"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database has been away for too long. */
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Health"];
                };
            };
        };
    };
    readonly metrics_metrics_get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "text/plain": string;
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly metrics_prometheus_metrics_prometheus_get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "text/plain": string;
                };
            };
            /** @description Who is asking?. Send a key or a token: Authorization: Bearer ... (hms keys create, POST /api/v1/session). */
            readonly 401: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description These credentials may not do this. Use a key that has the scope; the table in docs/api.md says which. */
            readonly 403: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readonly problem_problems__name__get: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Successful Response */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "text/plain": string;
                };
            };
            /** @description There is no such thing here. The path is wrong, or what it names has been deleted. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This service does not go by that name. Use its address, or add the name to HMS_ALLOWED_HOSTS. */
            readonly 421: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request makes no sense. A value has the wrong type or range, or its name is not known. */
            readonly 422: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description That is too much at a time. Try again after Retry-After seconds; the limits are HMS_RATE_... and HMS_WS_PER_CLIENT_MAX. */
            readonly 429: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
