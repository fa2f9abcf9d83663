"""The `defs.yaml` component of the ingestion layer: one Airbyte connection as landing assets."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg

from lakehouse.catalog.datasets import BronzeTable, landing_key
from lakehouse.defs.failures import as_failures
from lakehouse.defs.ingestion.checks import connection_checks
from lakehouse.defs.ingestion.declaration import Connection, Source, Stream
from lakehouse.defs.ingestion.log_kept import reads_log
from lakehouse.defs.ingestion.log_sensor import log_sensor
from lakehouse.defs.ingestion.sensor import landed_sensor, sync_job_name
from lakehouse.defs.metadata import table_metadata
from lakehouse.defs.project import declared_datasets
from lakehouse.defs.resources import LakehouseResource
from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings


class LakehouseAirbyteComponent(dg.Component, dg.Model, dg.Resolvable):
    """An Airbyte source and its connection, declared in full, as one multi-asset of landed streams.

    It takes the place of dagster-airbyte's AirbyteWorkspaceComponent, which learns connections and their
    streams from a running Airbyte: without its state file it silently loads no assets, and under
    `dagster dev` an Airbyte that is down fails the whole code location. Here the declaration is the only
    source of the graph, so it loads with every service stopped. The asset specs begin as those of
    dagster-airbyte's translator and the sync runs through its AirbyteWorkspace client.
    """

    source: Source
    connection: Connection

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002  Dagster's signature
        """One multi-asset, its checks and its job, and a sensor of syncs that others start; needs no Airbyte."""
        assets = landing_assets(self.source, self.connection)
        job = dg.define_asset_job(sync_job_name(self.connection), selection=dg.AssetSelection.assets(assets))
        keys = stream_keys(self.connection)
        sensors = [landed_sensor(self.connection, keys)]
        if reads_log(self.source):
            sensors.append(log_sensor(self.source, self.connection, keys.values()))
        return dg.Definitions(
            assets=[assets],
            asset_checks=[connection_checks(self.source, self.connection, keys.values())],
            jobs=[job],
            sensors=sensors,
        )


def stream_keys(connection: Connection) -> dict[str, dg.AssetKey]:
    """The landing asset of each stream."""
    return {
        stream.name: dg.AssetKey(landing_key(connection.namespace, stream.name))
        for stream in connection.streams
    }


def landing_assets(source: Source, connection: Connection) -> dg.AssetsDefinition:
    """The landed streams of a connection; whichever of them is asked for, Airbyte syncs them all.

    Where Airbyte syncs all the time, a run starts nothing: it tells what is landed, see `follow`.
    """
    tables = {
        table.stream: table for table in declared_datasets().bronze if table.connection == connection.name
    }
    specs = [_spec(source, connection, stream, tables.get(stream.name)) for stream in connection.streams]
    keys = stream_keys(connection)

    @dg.multi_asset(
        name=f"airbyte_{connection.name}",
        specs=specs,
        can_subset=True,
        op_tags={"lakehouse/connection": connection.name},
        pool=f"airbyte_{connection.name}",
    )
    def sync_connection(
        context: dg.AssetExecutionContext, lakehouse: LakehouseResource
    ) -> Iterator[dg.MaterializeResult | dg.AssetMaterialization]:
        with as_failures(context), _recorded(context, lakehouse.settings, connection):
            landed = _landed(context, lakehouse.settings, connection, keys)
        for stream, key in keys.items():
            if key in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=key, metadata=landed[stream])
            else:
                yield dg.AssetMaterialization(asset_key=key, metadata=landed[stream])

    return sync_connection


@contextmanager
def _recorded(
    context: dg.AssetExecutionContext, settings: Settings, connection: Connection
) -> Iterator[None]:
    """The syncs of the block are in the history afterwards, failed ones too; a run that is terminated only ends."""
    from lakehouse.defs.ingestion.history import record_syncs

    try:
        yield
    except LakehouseError:
        record_syncs(settings, connection.name, context.log.warning)
        raise
    record_syncs(settings, connection.name, context.log.warning)


def _landed(
    context: dg.AssetExecutionContext,
    settings: Settings,
    connection: Connection,
    keys: Mapping[str, dg.AssetKey],
) -> Mapping[str, dict[str, Any]]:
    """The metadata of each stream's event: of a sync, or of what is landed by now where Airbyte syncs all the time.

    Raises:
        LakehouseError: as `sync` and `follow` do.
    """
    if connection.schedule == "continuous":
        from lakehouse.defs.ingestion.follow import follow
        from lakehouse.defs.ingestion.told import ToldJobs

        *older, newest = follow(settings, connection, ToldJobs(context.instance, keys), context.log.info)
        for job in older:
            for stream, metadata in job.streams.items():
                context.log_event(dg.AssetMaterialization(keys[stream], metadata=metadata))
        return newest.streams
    from lakehouse.defs.ingestion.report import stream_metadata
    from lakehouse.defs.ingestion.sync import sync

    result = sync(settings.airbyte, connection.name, context.log.info)
    run = {"airbyte/adopted": result.adopted, "seconds": round(result.seconds, 3)}
    return {
        stream: {
            **stream_metadata(result.report, connection.namespace, stream, settings, log=result.log),
            **run,
        }
        for stream in keys
    }


def _spec(source: Source, connection: Connection, stream: Stream, table: BronzeTable | None) -> dg.AssetSpec:
    from dagster_airbyte import DagsterAirbyteTranslator
    from dagster_airbyte.translator import AirbyteConnectionTableProps

    connector = source.configuration["sourceType"]
    base = DagsterAirbyteTranslator().get_asset_spec(
        AirbyteConnectionTableProps(
            table_name=stream.name,
            stream_prefix=None,
            stream_name=stream.name,
            json_schema={},
            connection_id=connection.name,  # known by name: the id is the server's
            connection_name=connection.name,
            destination_type="s3",
            database=None,
            schema=None,
        )
    )
    what = f" {table.description}" if table and table.description else ""
    return base.replace_attributes(
        key=dg.AssetKey(landing_key(connection.namespace, stream.name)),
        group_name="landing",
        description=f"Stream `{stream.name}` as Airbyte landed it ({stream.sync_mode}).{what}",
        kinds={"airbyte", connector, "parquet"},
        owners=[table.owner] if table and table.owner else [],
        tags={"lakehouse/connection": connection.name, "lakehouse/sync_mode": stream.sync_mode},
        metadata={**base.metadata, **table_metadata(None, table.columns if table else ())},
    )
