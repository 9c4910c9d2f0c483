from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from records.database import Database
from records.migrate import migrate
from records.models import Base


class TestMigrations:
    def test_give_the_tables_of_the_models(self, database: Database):
        with database.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []

    def test_can_be_run_again(self, database_url: str):
        migrate(database_url)
