"""Serving what was published: a FHIR R4 API and population-health endpoints, read-only, beside the night.

Each client acts as the database role of its audience, so that nothing is served that the role could not read: ``reader`` sees
results under the disclosure policy, ``analyst`` also the de-identified documents. See decisions/0700.
"""
