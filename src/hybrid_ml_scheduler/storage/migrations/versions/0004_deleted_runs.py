"""Which runs were deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "deleted_runs",
        sa.Column("run_id", Big, nullable=False, autoincrement=False),
        sa.Column("deleted_at", Time, nullable=False),
        sa.PrimaryKeyConstraint("run_id"),
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_table("deleted_runs")
