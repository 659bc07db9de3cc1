"""N completions through a distilabel Pipeline at its default settings: URL N."""

import sys

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration

if __name__ == "__main__":
    url, count = sys.argv[1], int(sys.argv[2])
    rows = [{"instruction": f"Write a passage about topic {n}."} for n in range(count)]
    with Pipeline(name="bench") as pipeline:
        load = LoadDataFromDicts(data=rows)
        llm = OpenAILLM(model="procedural", base_url=url, api_key="none")
        load >> TextGeneration(llm=llm)
    made = pipeline.run(use_cache=False)
    assert len(made["default"]["train"]) == count
