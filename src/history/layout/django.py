# Runs in the project's own `manage.py shell` and prints, for each migration in the order of the plan, what
# `sqlmigrate` would: but in one process, without a transaction, and so in most cases without a database.
import json
import os
import sys

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

wanted = set(json.loads(os.environ["LOCKKEEPER_FILES"]))
if connection.vendor == "sqlite" and not os.path.exists(str(connection.settings_dict["NAME"])):
    # It is not to be created.
    connection.settings_dict["NAME"] = ":memory:"
if connection.vendor == "postgresql":
    # To put values into the SQL, the driver's quoting will do; Django would connect for that.
    def compose_sql(sql, params):
        return sql % tuple(map(connection.SchemaEditorClass(connection).quote_value, params)) if params else sql

    connection.ops.compose_sql = compose_sql
loader = MigrationLoader(None, replace_migrations=False)
plan = []
for target in loader.graph.leaf_nodes():
    for key in loader.graph.forwards_plan(target):
        if key not in plan:
            plan.append(key)
state = ProjectState(real_apps=loader.unmigrated_apps)
for key in plan:
    migration = loader.graph.nodes[key]
    path = os.path.realpath(sys.modules[migration.__module__].__file__)
    if path not in wanted:
        state = migration.mutate_state(state, preserve=False)
        continue
    printed = {"name": ".".join(key), "file": path, "vendor": connection.vendor}
    printed["atomic"] = bool(migration.atomic and connection.features.can_rollback_ddl)
    try:
        with connection.schema_editor(collect_sql=True, atomic=False) as editor:
            # Nothing is executed: no operation is to begin a transaction of its own.
            editor.atomic_migration = True
            try:
                after = migration.apply(state.clone(), editor, collect_sql=True)
            finally:
                editor.atomic_migration = False
        printed["sql"] = "\n".join(editor.collected_sql) + "\n"
    except Exception as error:
        printed["error"] = "%s: %s" % (type(error).__name__, error)
        after = migration.mutate_state(state, preserve=False)
    state = after
    print("\nlockkeeper-migration " + json.dumps(printed), flush=True)
print("\nlockkeeper-end", flush=True)
