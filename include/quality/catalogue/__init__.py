"""The catalogue: the field's checks of clinical data, each said once, counted over a whole delivery in a few scans."""
