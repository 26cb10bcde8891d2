"""The operator's metrics for Prometheus.

catalogue   every metric: name, type, labels, buckets, what it says
recording   what happens, counted as the home tells it
scraping    what is so at the moment of a scrape, the text of all of it, and the lag of the event loop
"""
