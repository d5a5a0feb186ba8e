rule build_shape_space:
    """Made once, for all videos: the bodies among which the fit searches.

    Projects may share it (pathvars.resources). One that did not make it has no record of how it was
    made, so that files must say by their age whether it is up to date. Nor does the old one go before
    the new one is there, which others may be reading.
    """
    input:
        sources=source_files_of("build_shape_space.py"),
    output:
        space=update("<resources>/anny_shape_space.npz"),
    log:
        "<logs>/build_shape_space.log",
    benchmark:
        "<benchmarks>/build_shape_space.tsv"
    priority: 10
    conda:
        "../envs/anny.yaml"
    threads: 1
    resources:
        mem_mb=growing(2500),
        runtime=growing(30),
    params:
        packages=packages_of("anny"),
    message:
        "Preparing the body model (once)"
    script:
        "../scripts/build_shape_space.py"
