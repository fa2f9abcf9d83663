"""Whether a reflection's sample query is really answered from it, by the job's own profile."""

from __future__ import annotations

import dagster as dg

from lakehouse.catalog.datasets import Model
from lakehouse.catalog.meta import Reflection
from lakehouse.clients.dremio import DremioClient, Job
from lakehouse.defs.acceleration.assets import CHECK


def acceleration_check(
    dremio: DremioClient, model: Model, reflection: Reflection, key: dg.AssetKey, reflection_id: str
) -> dg.AssetCheckResult:
    """Run the sample query and read which reflections Dremio considered, matched and chose."""
    sql = (reflection.sample_query or "").format(relation=model.relation)
    job = dremio.execute(sql)
    use = job.uses(reflection_id)
    chosen = use is not None and use.relationship == "CHOSEN"
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=CHECK,
        passed=chosen,
        description=None if chosen else why_not(job, reflection_id),
        metadata={"query": dg.MetadataValue.md(f"```sql\n{sql}\n```"), "dremio/job_id": job.id},
    )


def why_not(job: Job, reflection_id: str) -> str:
    """In one line, what kept Dremio from the reflection."""
    use = job.uses(reflection_id)
    if use is None:
        return "Dremio did not consider it for the sample query: it reads another dataset, or is stale"
    instead = [u.reflection_id for u in job.acceleration if u.relationship == "CHOSEN"]
    reason = use.reason or (f"it chose {', '.join(instead)} instead" if instead else "no reason given")
    return f"Dremio only {use.relationship.lower()} it for the sample query: {reason}"
