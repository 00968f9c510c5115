"""How Dask's hosts trust each other: certificates of an authority of one's own, and the settings that use them."""
