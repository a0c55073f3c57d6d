"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DoubleType: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "runs",
        sa.Column("id", Big, nullable=False, autoincrement=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("workload", sa.Text(), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("policies", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("ended_at", Time, nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("fence", Big, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "tasks",
        sa.Column("run_id", Big, nullable=False, autoincrement=False),
        sa.Column("task_id", Big, nullable=False, autoincrement=False),
        sa.Column("seq", Big, nullable=False),
        sa.Column("arrival_s", DoubleType, nullable=False),
        sa.Column("lanes", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("size", DoubleType, nullable=True),
        sa.Column("compute_intensity", DoubleType, nullable=True),
        sa.Column("memory_mb", DoubleType, nullable=True),
        sa.Column("cores", DoubleType, nullable=True),
        sa.Column("gpus_asked", DoubleType, nullable=True),
        sa.Column("requested_time_s", DoubleType, nullable=True),
        sa.Column("deadline_s", DoubleType, nullable=True),
        sa.Column("priority", DoubleType, nullable=True),
        sa.Column("parents", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "task_id"),
    )
    op.create_index("tasks_newest", "tasks", ["run_id", "seq"], unique=True)
    op.create_table(
        "scheduler_results",
        sa.Column("run_id", Big, nullable=False, autoincrement=False),
        sa.Column("task_id", Big, nullable=False, autoincrement=False),
        sa.Column("scheduler", sa.Text(), nullable=False),
        sa.Column("seq", Big, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("lanes", sa.Integer(), nullable=False),
        sa.Column("arrival_s", DoubleType, nullable=False),
        sa.Column("start_s", DoubleType, nullable=True),
        sa.Column("finish_s", DoubleType, nullable=True),
        sa.Column("cpu_s", DoubleType, nullable=True),
        sa.Column("gpu_s", DoubleType, nullable=True),
        sa.Column("node", sa.Integer(), nullable=True),
        sa.Column("gpus", sa.Text(), nullable=True),
        sa.Column("fraction", DoubleType, nullable=True),
        sa.Column("score", DoubleType, nullable=True),
        sa.Column("energy_j", DoubleType, nullable=True),
        sa.Column("cost_usd", DoubleType, nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "task_id", "scheduler"),
    )
    op.create_index("scheduler_results_newest", "scheduler_results", ["run_id", "seq"], unique=True)
    op.create_table(
        "training_data",
        sa.Column("run_id", Big, nullable=False, autoincrement=False),
        sa.Column("task_id", Big, nullable=False, autoincrement=False),
        sa.Column("scheduler", sa.Text(), nullable=False),
        sa.Column("seq", Big, nullable=False),
        sa.Column("finish_s", DoubleType, nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("node", sa.Integer(), nullable=True),
        sa.Column("fraction", DoubleType, nullable=True),
        sa.Column("run_s", DoubleType, nullable=False),
        sa.Column("cpu_s", DoubleType, nullable=True),
        sa.Column("gpu_s", DoubleType, nullable=True),
        sa.Column("nominal_s", DoubleType, nullable=True),
        sa.Column("features", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "task_id", "scheduler"),
    )
    op.create_index("training_data_newest", "training_data", ["run_id", "seq"], unique=True)
    op.create_table(
        "metrics",
        sa.Column("run_id", Big, nullable=False, autoincrement=False),
        sa.Column("window_index", Big, nullable=False, autoincrement=False),
        sa.Column("scheduler", sa.Text(), nullable=False),
        sa.Column("window_s", DoubleType, nullable=False),
        sa.Column("results", Big, nullable=False),
        sa.Column("finished", Big, nullable=False),
        sa.Column("rejected", Big, nullable=False),
        sa.Column("refused", Big, nullable=False),
        sa.Column("withdrawn", Big, nullable=False),
        sa.Column("response_sum_s", DoubleType, nullable=False),
        sa.Column("response_max_s", DoubleType, nullable=False),
        sa.Column("wait_sum_s", DoubleType, nullable=False),
        sa.Column("wait_max_s", DoubleType, nullable=False),
        sa.Column("run_sum_s", DoubleType, nullable=False),
        sa.Column("slowdown_sum", DoubleType, nullable=False),
        sa.Column("energy_j", DoubleType, nullable=False),
        sa.Column("cost_usd", DoubleType, nullable=False),
        sa.Column("by_model", Big, nullable=False),
        sa.Column("by_fallback", Big, nullable=False),
        sa.Column("by_exploration", Big, nullable=False),
        sa.Column("last_finish_s", DoubleType, nullable=False),
        sa.Column("compared", Big, nullable=False),
        sa.Column("wins", Big, nullable=False),
        sa.Column("wins_against", sa.JSON(), nullable=False),
        sa.Column("regret_n", Big, nullable=False),
        sa.Column("regret_sum_s", DoubleType, nullable=False),
        sa.Column("response_sketch", sa.LargeBinary(), nullable=False),
        sa.Column("wait_sketch", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "window_index", "scheduler"),
    )
    op.create_table(
        "simulation_state",
        sa.Column("run_id", Big, nullable=False, autoincrement=False),
        sa.Column("revision", Big, nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("positions", sa.JSON(), nullable=False),
        sa.Column("checkpoint", sa.LargeBinary(), nullable=True),
        sa.Column("saved_at", Time, nullable=False),
        sa.PrimaryKeyConstraint("run_id"),
    )
    op.create_table(
        "model_registry",
        sa.Column("id", Big, nullable=False),
        sa.Column("run_id", Big, nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("rows", Big, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "journal_progress",
        sa.Column("run_id", Big, nullable=False, autoincrement=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("next_seq", Big, nullable=False),
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("segment", Big, nullable=False),
        sa.Column("byte_offset", Big, nullable=False),
        sa.Column("repeats", Big, nullable=False),
        sa.Column("pending_from", Big, nullable=False),
        sa.Column("updated_at", Time, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "stream"),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("journal_progress")
    op.drop_table("model_registry")
    op.drop_table("simulation_state")
    op.drop_table("metrics")
    op.drop_table("training_data")
    op.drop_table("scheduler_results")
    op.drop_table("tasks")
    op.drop_table("runs")
