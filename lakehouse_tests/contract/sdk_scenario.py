"""Everything a user of the `airbyte-api` SDK does with a server, in the words of either of its generations.

Run as a program, because the two generations cannot be installed side by side:
`python sdk_scenario.py '{"url": …, "login": …, "postgres": {…}, "lake": …}'` prints what the server answered, as JSON.
The SDK itself parses every answer strictly; it was generated from Airbyte's own specification.
"""

import json
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version

import airbyte_api
from airbyte_api import api, models

given = json.loads(sys.argv[1])
login = models.SchemeClientCredentials(**given["login"])
sdk = airbyte_api.AirbyteAPI(server_url=given["url"], security=models.Security(client_credentials=login))
old = version("airbyte-api").startswith("0.")
seen = {"version": version("airbyte-api"), "health": sdk.health.get_health_check().status_code}

workspaces = sdk.workspaces.list_workspaces(request=api.ListWorkspacesRequest()).workspaces_response.data
workspace = workspaces[0].workspace_id
sdk.workspaces.get_workspace(request=api.GetWorkspaceRequest(workspace_id=workspace))

definitions = {}
for kind, group in (("source", sdk.source_definitions), ("destination", sdk.destination_definitions)):
    name = f"{kind.title()}Definition"
    listed = getattr(group, f"list_{kind}_definitions")(
        request=getattr(api, f"List{name}sRequest")(workspace_id=workspace)
    )
    definitions[kind] = {one.name: one.id for one in listed.definitions_response.data}
    for identity in definitions[kind].values():
        getattr(group, f"get_{kind}_definition")(
            request=getattr(api, f"Get{name}Request")(workspace_id=workspace, definition_id=identity)
        )
seen["definitions"] = {kind: sorted(names) for kind, names in definitions.items()}

name = f"sdk {seen['version']} {time.time()}"
source = sdk.sources.create_source(
    request=models.SourceCreateRequest(
        name=name, workspace_id=workspace, configuration=models.SourcePostgres(**given["postgres"])
    )
).source_response
parquet = models.DestinationS3ParquetColumnarStorage()
layout = {
    "s3_bucket_name": "lake",
    "s3_bucket_path": "landing",
    "s3_endpoint": given["lake"],
    "s3_path_format": "${NAMESPACE}/${STREAM_NAME}/${EPOCH}_",
    "file_name_pattern": "{part_number}{format_extension}",
}
storage = {"format" if old else "format_": parquet}
destination = sdk.destinations.create_destination(
    request=models.DestinationCreateRequest(
        name=name,
        workspace_id=workspace,
        definition_id=definitions["destination"]["s3"],
        configuration=models.DestinationS3(**layout, **storage),
    )
).destination_response

renamed = models.SourcePatchRequest(name=f"{name} renamed")
source = sdk.sources.patch_source(
    request=api.PatchSourceRequest(source_id=source.source_id, source_patch_request=renamed)
).source_response
seen["source"] = [
    source.name == renamed.name,
    source.source_type,
    source.definition_id == definitions["source"]["postgres"],
]
whole = models.SourcePutRequest(name=name, configuration=models.SourcePostgres(**given["postgres"]))
sdk.sources.put_source(request=api.PutSourceRequest(source_id=source.source_id, source_put_request=whole))
got = sdk.sources.get_source(request=api.GetSourceRequest(source_id=source.source_id)).source_response
listed = sdk.sources.list_sources(
    request=api.ListSourcesRequest(workspace_ids=[workspace])
).sources_response.data
seen["listed"] = [got.name == name, source.source_id in [one.source_id for one in listed]]

properties = sdk.streams.get_stream_properties(
    request=api.GetStreamPropertiesRequest(
        source_id=source.source_id, destination_id=destination.destination_id
    )
).stream_properties_response
seen["streams"] = {
    one.stream_name: [
        sorted(mode.value for mode in one.sync_modes),
        one.source_defined_primary_key,
        one.property_fields,
    ]
    for one in properties
}

connection = sdk.connections.create_connection(
    request=models.ConnectionCreateRequest(
        name=name,
        source_id=source.source_id,
        destination_id=destination.destination_id,
        prefix="sdk_",
        namespace_definition=models.NamespaceDefinitionEnum.CUSTOM_FORMAT,
        namespace_format=f"sdk{int(old)}",
        schedule=models.AirbyteAPIConnectionSchedule(
            schedule_type=models.ScheduleTypeEnum.CRON, cron_expression="0 0 0 1 1 ?"
        ),
        non_breaking_schema_updates_behavior=models.NonBreakingSchemaUpdatesBehaviorEnum.PROPAGATE_COLUMNS,
        configurations=models.StreamConfigurations(
            streams=[
                models.StreamConfiguration(
                    name="t",
                    cursor_field=["at"],
                    sync_mode=models.ConnectionSyncModeEnum.INCREMENTAL_DEDUPED_HISTORY,
                )
            ]
        ),
    )
).connection_response
one = {"connection_id": connection.connection_id}
connection = sdk.connections.get_connection(request=api.GetConnectionRequest(**one)).connection_response
kept = connection.configurations.streams[0]
seen["connection"] = [
    connection.schedule.cron_expression,
    connection.non_breaking_schema_updates_behavior.value,
    kept.sync_mode.value,
    kept.primary_key,
]
manual = models.AirbyteAPIConnectionSchedule(schedule_type=models.ScheduleTypeEnum.MANUAL)
patched = sdk.connections.patch_connection(
    request=api.PatchConnectionRequest(
        **one, connection_patch_request=models.ConnectionPatchRequest(schedule=manual)
    )
).connection_response
listed = sdk.connections.list_connections(request=api.ListConnectionsRequest(workspace_ids=[workspace]))
seen["patched"] = [
    patched.schedule.schedule_type.value,
    connection.connection_id in [each.connection_id for each in listed.connections_response.data],
]

seen["jobs"] = []
for kind in ("SYNC", "REFRESH", "CLEAR", "RESET"):
    asked = models.JobCreateRequest(**one, job_type=getattr(models.JobTypeEnum, kind))
    job = sdk.jobs.create_job(request=asked).job_response
    while job.status.value in ("pending", "running"):
        time.sleep(0.05)
        job = sdk.jobs.get_job(request=api.GetJobRequest(job_id=job.job_id)).job_response
    seen["jobs"].append([job.job_type.value, job.status.value, job.rows_synced])
filters = {"order_by": "createdAt|ASC", "limit": 10, "created_at_start": datetime(2026, 1, 1, tzinfo=UTC)}
listed = sdk.jobs.list_jobs(request=api.ListJobsRequest(**one, **filters)).jobs_response.data
seen["listed jobs"] = [job.job_type.value for job in listed]
cancelled = sdk.jobs.cancel_job(request=api.CancelJobRequest(job_id=job.job_id)).job_response
seen["cancelled"] = cancelled.status.value

seen["deleted"] = [
    sdk.connections.delete_connection(request=api.DeleteConnectionRequest(**one)).status_code,
    sdk.sources.delete_source(request=api.DeleteSourceRequest(source_id=source.source_id)).status_code,
    sdk.destinations.delete_destination(
        request=api.DeleteDestinationRequest(destination_id=destination.destination_id)
    ).status_code,
]
print(json.dumps(seen))
