"""Schema of `conf/report`."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT, Expectation


@dataclass(frozen=True, config=STRICT)
class Tables:
    """The benchmark tables."""

    variants: tuple[str, ...]  # slugs, in the order of their rows
    suites: tuple[str, ...]  # evaluation suites whose results are read
    corpora: tuple[str, ...]  # corpora whose overlap with benchmark items is looked up
    clean_share: float  # of an item's n-grams that training text may hold of a clean item
    few_items: int  # a score over fewer clean items is marked as one of few
    signal_stderrs: float  # a score so many standard errors above its floor counts as a signal
    significance: float  # of a p-value, corrected for the number of comparisons
    flips: int  # random patterns of signs of a paired test
    flips_seed: int
    expectations: tuple[Expectation, ...]  # of the data set of our cells


@dataclass(frozen=True, config=STRICT)
class ToxigenPlots:
    """The bar plot of the safety score by group."""

    variants: tuple[str, ...]  # slugs, in the order of their bars
    width_inches: float  # of the picture
    height_inches: float
    dots_per_inch: int
    expectations: tuple[
        Expectation, ...
    ]  # of the data set of scores, one row per variant and group


@dataclass(frozen=True, config=STRICT)
class Page:
    """The pages of the site."""

    title: str  # of the document
    curve_points: int  # a longer training curve is drawn as this many means
    red_team_answers: Annotated[int, Field(gt=0)]  # prompts whose answers are shown
    sample_rows: Annotated[int, Field(ge=0)]  # of each table of an artifact
    sample_characters: Annotated[int, Field(gt=0)]  # of a text that the teacher or a model wrote
    excerpt_characters: Annotated[int, Field(gt=0)]  # of a text that others wrote
    kinds: Annotated[int, Field(gt=0)]  # sources, licences and the like that are counted by name
    counted_rows: Annotated[int, Field(gt=0)]  # of a table, for these counts
    flips: Annotated[int, Field(ge=0)]  # items shown that two variants answered differently
    expectations: tuple[Expectation, ...]  # of the data set of artifacts, one row per stage


@dataclass(frozen=True, config=STRICT)
class Report:
    """What is shown, not what is measured."""

    tables: Tables
    toxigen_plots: ToxigenPlots
    page: Page
