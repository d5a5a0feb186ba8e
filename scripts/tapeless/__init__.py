"""tapeless: people's body measurements from ordinary videos. Nothing in here knows of Snakemake."""

__version__ = "0.1.0"
