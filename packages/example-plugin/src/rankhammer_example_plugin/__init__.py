"""Two plugins of Rankhammer: a click-log reader and an exporter."""
