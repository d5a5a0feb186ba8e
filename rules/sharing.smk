# Videos that share the start of a container on a card (config: containers.videos_per_container). Each has a
# job of its own; tapeless.containers.sharing says how a job works for others, too.
from tapeless.containers.waiting import write_waiting
from tapeless.containers.workplaces import remove_workplaces
from tapeless.needs import count_gathered, find_sharing_rules

SHARING_RULES = find_sharing_rules(config) if workflow.local_exec else []
# Nobody says on clusters how many cards there are.
CARDS_RESOURCE = workflow.global_resources.get("gpu")
CARDS = (CARDS_RESOURCE.value or 1) if CARDS_RESOURCE else 1
GATHERED = count_gathered(config, CARDS) if workflow.local_exec else 1
PLACES_IN_LINE = {}


def gathering(step, otherwise):
    """Priority of a step before or at a container that videos share.

    As many videos as share one, for each card, are brought to it before the first of them gets it.
    Others come after that, or meanwhile where cores are idle. All other steps of a video go before.
    """
    if GATHERED == 1:
        return otherwise

    def priority(wildcards):
        # asked only of videos for which there is something to do
        place = PLACES_IN_LINE.setdefault(wildcards.video, len(PLACES_IN_LINE))
        return 1 / (1 + 3 * (place // GATHERED) + step)

    return priority


def tell_who_waits():
    """Tells the jobs of this run which videos may share a container, and tidies up after others."""
    waiting = {}
    for job in workflow.dag.needrun_jobs() if GATHERED > 1 else ():
        if job.rule.name in SHARING_RULES:
            waiting.setdefault(job.rule.name, []).append(job.wildcards_dict["video"])
    write_waiting(waiting)
    if workflow.local_exec:
        remove_workplaces(Path(workflow.pathvars.apply("<results>/videos")))
